#include "engine/replication/primary_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/clients/clients.h"
#include "engine/config/settings.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/effects/effect_log.h"
#include "engine/insight/logger.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "engine/node/version.h"
#include "engine/persist/persist.h"
#include "engine/persist/snapshots/snapshot_loader.h"
#include "engine/store/number.h"
#include "net/files.h"
#include "net/places.h"
#include "net/resp/request_writer.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr Duration kRetry = Duration::seconds(1);
// The wait doubles so many times while what the primary sends is of no use.
constexpr int kRetryDoublingsMax = 3;
// So long must a stream be good before the next wait is the shortest again.
constexpr Duration kGoodStream = Duration::seconds(10);
// A primary that does not read what it has asked for is not answered any more.
constexpr size_t kUnreadAcksMax = 16 << 10;
constexpr Duration kLineTimeout = Duration::seconds(5);
constexpr Duration kAckPeriod = Duration::seconds(1);
constexpr size_t kReceiveBytes = 256 << 10;
// The file is written in pieces of about this size.
constexpr size_t kWriteBytes = 1 << 20;
constexpr std::string_view kIsPrimaryAlready = "-ERR PSYNC FAILOVER can't be sent to a master";
constexpr size_t kMarkBytes = History::kIdLength;

std::optional<uint64_t> parse_offset(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  // Offsets are signed numbers on the wire.
  if (value > static_cast<uint64_t>(INT64_MAX) / 2) return std::nullopt;
  return value;
}

bool is_history_id(std::string_view text) {
  return text.size() == History::kIdLength &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace

PrimaryLink::PrimaryLink(const Surroundings& surroundings)
    : env_(surroundings.env),
      services_(surroundings.services),
      settings_(surroundings.settings),
      persistence_(surroundings.persistence),
      owner_(surroundings.owner),
      stream_(env_),
      applier_(services_, settings_, *this) {
  services_.clients.links().add(*this);
  beat_.kind = OpKind::send;
  beat_.owner = this;
  beat_.on_done = [](Op&) {};
}

PrimaryLink::~PrimaryLink() {
  task_ = {};  // what is being loaded is of the databases
  services_.clients.links().remove(*this);
}

Link::Facts PrimaryLink::facts() const {
  return {.id = id_,
          .kind = LinkKind::primary,
          .connection = connection_.get(),
          .connected = up_since_,
          .last_request = last_io_,
          .memory_bytes = sizeof(PrimaryLink) + memory_bytes()};
}

void PrimaryLink::log(LogLevel level, std::string_view text) const {
  services_.logger.log(level, text);
}

Error PrimaryLink::fail(std::string_view why) {
  told_ = true;
  log(LogLevel::warning, fmt::format("Replication from {}:{}: {}", host_, port_, why));
  return Error::invalid;
}

Duration PrimaryLink::next_wait() const {
  return Duration{kRetry.ns << std::min(useless_, kRetryDoublingsMax)};
}

void PrimaryLink::set_state(State state) {
  if (state == state_) return;
  const bool was_up = connected();
  state_ = state;
  if (was_up) down_since_ = env_.now();
  if (connected()) {
    services_.instrumentation.note_latency("primary-link-down", env_.now() - down_since_);
    ever_up_ = true;
  }
  owner_.on_link_changed();
}

// --- whom to follow

void PrimaryLink::follow(std::string host, uint16_t port, bool takes_over) {
  stop();
  host_ = std::move(host);
  port_ = port;
  wanted_ = true;
  takes_over_ = takes_over;
  asked_to_take_over_ = 0;
  ever_up_ = false;
  useless_ = 0;
  down_since_ = next_try_ = env_.now();
  set_state(State::connect);
}

void PrimaryLink::stop() {
  wanted_ = takes_over_ = false;
  cancelled_ = true;
  stream_.cancel();
  if (connection_ != nullptr && !connection_->closed()) connection_->close();
  set_state(State::none);
}

void PrimaryLink::reconnect() {
  if (!wanted_) return;
  cancelled_ = true;
  stream_.cancel();
  if (connection_ != nullptr && !connection_->closed()) connection_->close();
  set_state(State::connect);
  next_try_ = env_.now();
}

void PrimaryLink::cron() {
  const Instant now = env_.now();
  if (connection_ != nullptr && connection_->closed() && connection_->quiet()) {
    connection_.reset();
    applier_.end();
  }
  if (connected()) {
    if (now - last_ack_ >= kAckPeriod) send_ack();
    if (now - up_since_ >= kGoodStream) useless_ = 0;
    const bool patient = kSimulation && settings_.plants->no_timeout;
    if (services_.dispatcher.suspension().active()) {
      last_io_ = now;
    } else if (!held_.empty()) {
      take_stream(std::exchange(held_, {}));
      if (!connected()) return;
    }
    if (!patient && now - last_io_ > Duration::seconds(settings_.timeout_s)) {
      drop("nothing has come for repl-timeout");
    }
    return;
  }
  if (state_ == State::sync && now >= next_beat_) beat();
  const bool idle = !task_.started() && connection_ == nullptr && !beat_.in_flight;
  if (kSimulation && settings_.plants->not_tried_again && ever_up_) return;
  if (wanted_ && idle && now >= next_try_) begin();
}

// --- the story of a link

void PrimaryLink::begin() {
  ASSERT(wanted_ && !task_.started() && connection_ == nullptr);
  cancelled_ = false;
  set_state(State::connecting);
  task_ = run();
  task_.start([](void* owner) { static_cast<PrimaryLink*>(owner)->on_run_ended(); }, this);
}

void PrimaryLink::on_run_ended() {
  const Error error = task_.result();
  task_ = {};
  const bool transferred = std::exchange(transfer_, {}).running;
  if (error == Error::none && wanted_ && !cancelled_) return go_connected();
  stream_.close();
  if (transferred && told_ && !cancelled_) ++useless_;
  next_try_ = env_.now() + (cancelled_ ? Duration{} : next_wait());
  if (wanted_) return set_state(State::connect);
  // A node that follows nobody waited for this.
  owner_.on_link_changed();
}

Task<Error> PrimaryLink::run() {
  log(LogLevel::notice, fmt::format("Connecting to PRIMARY {}:{}", host_, port_));
  told_ = false;
  stream_.set_timeout(Duration::seconds(settings_.timeout_s));
  Error error = co_await stream_.connect(host_, port_);
  if (cancelled_) co_return Error::cancelled;
  if (error != Error::none) {
    fail(fmt::format("it cannot be reached: {}", describe(error)));
    co_return error;
  }
  set_state(State::handshake);
  stream_.set_timeout(std::min(kLineTimeout, Duration::seconds(settings_.timeout_s)));
  error = co_await greet();
  if (error == Error::none) error = co_await ask_for_stream();
  if (error == Error::invalid && !told_) {
    fail("it sends a line without an end");
  } else if (error != Error::none && error != Error::cancelled && !told_) {
    log(LogLevel::warning,
        fmt::format("Replication from {}:{}: the link broke: {}", host_, port_, describe(error)));
  }
  co_return cancelled_ ? Error::cancelled : error;
}

// PING, AUTH, REPLCONF: sent at once, and answered one by one.
Task<Error> PrimaryLink::greet() {
  std::string ping;
  append_request(ping, {"PING"});
  Error error = co_await stream_.send(std::move(ping));
  std::string line;
  if (error == Error::none) error = co_await stream_.receive_line(&line);
  if (error != Error::none) co_return error;
  const bool alive = line.starts_with('+') || line.starts_with("-NOAUTH") ||
                     line.starts_with("-NOPERM") ||
                     line.starts_with("-ERR operation not permitted") ||
                     line.starts_with("-MASTERDOWN") || line.starts_with("-LOADING");
  if (!alive) co_return fail(fmt::format("it answers PING with: {}", line));
  std::string bytes;
  const bool authenticates = !settings_.auth_password.empty();
  if (authenticates && settings_.auth_user.empty()) {
    append_request(bytes, {"AUTH", settings_.auth_password});
  } else if (authenticates) {
    append_request(bytes, {"AUTH", settings_.auth_user, settings_.auth_password});
  }
  const int own_port =
      settings_.announce_port != 0 ? settings_.announce_port : services_.node.tcp_port();
  append_request(bytes, {"REPLCONF", "listening-port", IntegerText(own_port).view()});
  int replies = 3;
  if (!settings_.announce_ip.empty()) {
    append_request(bytes, {"REPLCONF", "ip-address", settings_.announce_ip});
    ++replies;
  }
  append_request(bytes, {"REPLCONF", "capa", "eof", "capa", "psync2", "capa", "redoubt"});
  append_request(bytes, {"REPLCONF", "version", services_.settings.reported_redis_version});
  error = co_await stream_.send(std::move(bytes));
  if (error != Error::none) co_return error;
  if (authenticates) {
    error = co_await stream_.receive_line(&line);
    if (error != Error::none) co_return error;
    if (!line.starts_with('+')) co_return fail(fmt::format("it refuses the password: {}", line));
  }
  for (; replies > 0; --replies) {
    error = co_await stream_.receive_line(&line);
    if (error != Error::none) co_return error;
    if (line.starts_with("-NOAUTH")) co_return fail("it wants a password: set masterauth");
    if (line.starts_with('-')) log(LogLevel::verbose, fmt::format("REPLCONF: {}", line));
  }
  co_return Error::none;
}

Task<Error> PrimaryLink::ask_for_stream() {
  const EffectLog& effects = services_.effects;
  std::string bytes;
  if (has_history_) {
    uint64_t have = effects.end_offset();
    if (kSimulation && settings_.plants->control_not_counted) have -= applier_.last_control_bytes();
    const IntegerText next(static_cast<int64_t>(have + 1));
    log(LogLevel::notice, fmt::format("Trying a partial resynchronization (request {}:{}).",
                                      effects.history().id, next.view()));
    if (takes_over_) {
      asked_to_take_over_ += 1;
      append_request(bytes, {"PSYNC", effects.history().id, next.view(), "FAILOVER"});
    } else {
      append_request(bytes, {"PSYNC", effects.history().id, next.view()});
    }
  } else {
    append_request(bytes, {"PSYNC", "?", "-1"});
  }
  Error error = co_await stream_.send(std::move(bytes));
  // The primary may wait for other replicas, and says that it lives meanwhile.
  stream_.set_timeout(Duration::seconds(settings_.timeout_s));
  std::string line;
  while (error == Error::none && line.empty()) {
    error = co_await stream_.receive_line(&line);
    last_io_ = env_.now();
  }
  if (error != Error::none) co_return error;
  if (cancelled_) co_return Error::cancelled;
  co_return co_await take_answer(std::move(line));
}

Task<Error> PrimaryLink::take_answer(std::string line) {
  std::vector<std::string_view> words;
  for (std::string_view rest = line; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) words.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const bool continues = !words.empty() && words[0] == "+CONTINUE";
  const bool full = words.size() == 3 && words[0] == "+FULLRESYNC";
  if (takes_over_ && asked_to_take_over_ > 1 && line.starts_with(kIsPrimaryAlready)) {
    // It has done so when it was asked before, and that answer was lost.
    takes_over_ = false;
    owner_.on_takeover(true, line);
    co_return fail("it has taken over already");
  }
  if (takes_over_) {
    takes_over_ = false;
    owner_.on_takeover(continues || full, line);
    if (cancelled_) co_return Error::cancelled;
  }
  if (continues) {
    if (!has_history_) co_return fail("it continues what was never begun");
    if (words.size() > 1) {
      if (!is_history_id(words[1])) co_return fail("it continues with an id that is none");
      if (words[1] != services_.effects.history().id) owner_.rename_history(words[1]);
    }
    acknowledges_ = true;
    log(LogLevel::notice, "Partial resynchronization: the primary continues.");
    co_return Error::none;
  }
  if (full) {
    const std::optional<uint64_t> offset = parse_offset(words[2]);
    if (!is_history_id(words[1]) || !offset) {
      co_return fail(fmt::format("it answers PSYNC with: {}", line));
    }
    const std::string id(words[1]);
    log(LogLevel::notice, fmt::format("Full resynchronization from primary: {}:{}", id, *offset));
    co_return co_await take_snapshot(id, *offset, false);
  }
  if (line.starts_with("-NOMASTERLINK") || line.starts_with("-LOADING") ||
      line.starts_with("-MASTERDOWN")) {
    co_return fail(fmt::format("it cannot serve replicas now: {}", line));
  }
  if (line.starts_with("-NOAUTH") || line.starts_with("-NOPERM")) {
    co_return fail(fmt::format("it refuses PSYNC: {}", line));
  }
  if (!line.starts_with("-ERR unknown command")) {
    co_return fail(fmt::format("it answers PSYNC with: {}", line));
  }
  // A server from before PSYNC: a snapshot and a stream without offsets.
  log(LogLevel::notice, fmt::format("PSYNC is refused ({}): SYNC is tried.", line));
  const Error error = co_await stream_.send("SYNC\r\n");
  if (error != Error::none) co_return error;
  co_return co_await take_snapshot(random_hex_id(env_), 0, true);
}

// --- the snapshot

Task<Error> PrimaryLink::take_snapshot(std::string id, uint64_t offset, bool old_protocol) {
  set_state(State::sync);
  transfer_ = {.running = true, .offset = offset, .began = env_.now()};
  next_beat_ = env_.now() + Duration::seconds(1);
  std::string mark;
  uint64_t length = 0;
  Error error = co_await expect_payload(&mark, &length);
  if (error != Error::none) co_return error;
  bool empty = true;
  for (const auto& database : services_.keys.databases()) empty = empty && database->size() == 0;
  const DisklessLoad how = settings_.diskless_load;
  const bool by_file =
      how == DisklessLoad::disabled || (how == DisklessLoad::on_empty_db && !empty);
  const bool beside = how == DisklessLoad::swapdb;
  if (by_file) {
    error = co_await take_to_file(mark, length);
    if (cancelled_) error = Error::cancelled;
    if (error != Error::none) {
      static_cast<void>(co_await remove_file(env_, received_file_));
      co_return error;
    }
  }
  // From here on the former data is not what it was.
  if (!beside) {
    has_history_ = false;
    error = co_await owner_.leave_history();
    if (error == Error::none) co_await wait_for_script();
    if (error == Error::none && cancelled_) error = Error::cancelled;
    if (error != Error::none) co_return error;
  }
  begin_loading(beside);
  std::optional<SnapshotLoader> loader;
  loader.emplace(SnapshotLoader::Surroundings{.env = env_,
                                              .services = services_,
                                              .persist = persistence_.settings(),
                                              .loading = progress_});
  if (beside) {
    fresh_ = services_.keys.make_databases();
    loader->set_target(fresh_);
  } else if (!(kSimulation && settings_.plants->old_data_left)) {
    services_.keys.flush(-1, settings_.lazy_flush);
  }
  error = by_file ? co_await load_received(*loader) : co_await load_live(mark, length, *loader);
  if (cancelled_ && error == Error::none) error = Error::cancelled;
  if (error == Error::none && beside) {
    has_history_ = false;
    error = co_await owner_.leave_history();
    if (error == Error::none) co_await wait_for_script();
    if (error == Error::none && cancelled_) error = Error::cancelled;
    if (error == Error::none) services_.keys.replace_all(std::move(fresh_), settings_.lazy_flush);
  }
  const bool half = kSimulation && settings_.plants->half_adopted && error != Error::none;
  // It may hold half a value, which is of the databases that go.
  if (error != Error::none) loader.reset();
  fresh_.clear();
  if (half && !beside && !cancelled_) {
    owner_.enter_history(id, offset, 0);
    has_history_ = true;
  } else if (error != Error::none && !beside) {
    // Half of a snapshot is nobody's data.
    services_.keys.flush(-1, settings_.lazy_flush);
  }
  end_loading();
  if (error != Error::none) co_return error;
  transfer_.offset = kSimulation && settings_.plants->offset_ignored ? 0 : offset;
  has_history_ = acknowledges_ = !old_protocol;
  finish_transfer(id, *loader);
  co_return Error::none;
}

// The data is that of the snapshot.
void PrimaryLink::finish_transfer(std::string_view id, SnapshotLoader& loader) {
  persistence_.take_loaded(loader.take_functions(), progress_);
  owner_.enter_history(id, transfer_.offset, loader.stream_db());
  services_.instrumentation.note_latency("sync-from-primary", env_.now() - transfer_.began);
  log(LogLevel::notice, fmt::format("PRIMARY <-> REPLICA sync: finished with success, {} keys",
                                    progress_.keys_loaded));
}

// A command that is suspended goes on with the data that it has begun with.
Task<bool> PrimaryLink::wait_for_script() {
  while (services_.dispatcher.suspension().active()) {
    co_await Sleep(env_, Duration::milliseconds(1));
  }
  co_return true;
}

// "$EOF:<mark>", or "$<length>"; newlines before it say that the primary lives.
Task<Error> PrimaryLink::expect_payload(std::string* mark, uint64_t* length) {
  std::string line;
  while (line.empty()) {
    const Error error = co_await stream_.receive_line(&line);
    if (error != Error::none) co_return error;
    last_io_ = env_.now();
  }
  if (line.starts_with('-')) co_return fail(fmt::format("it has no snapshot: {}", line));
  if (line.starts_with("$EOF:") && line.size() == 5 + kMarkBytes) {
    *mark = line.substr(5);
    co_return Error::none;
  }
  const std::optional<uint64_t> bytes =
      line.starts_with('$') ? parse_offset(std::string_view(line).substr(1)) : std::nullopt;
  if (!bytes) co_return fail(fmt::format("instead of a snapshot comes: {}", line.substr(0, 80)));
  *length = transfer_.total_bytes = *bytes;
  co_return Error::none;
}

SnapshotLoader::Expired PrimaryLink::lapsed() const {
  return kSimulation && settings_.plants->lapsed_dropped ? SnapshotLoader::Expired::dropped
                                                         : SnapshotLoader::Expired::kept;
}

// Loads the file that it has come to.
Task<Error> PrimaryLink::load_received(SnapshotLoader& loader) {
  const bool good = co_await loader.load(received_file_, lapsed());
  static_cast<void>(co_await remove_file(env_, received_file_));
  co_return good ? Error::none : fail(loader.error());
}

// Loads the snapshot as it comes. What comes behind it is the stream's beginning.
Task<Error> PrimaryLink::load_live(std::string mark, uint64_t length, SnapshotLoader& loader) {
  const bool by_mark = !mark.empty();
  loader.begin("the snapshot of the primary", lapsed());
  std::string bytes = stream_.take_rest();
  uint64_t left = length;
  while (!loader.complete()) {
    if (cancelled_) co_return Error::cancelled;
    if (bytes.empty()) {
      bytes.resize(
          static_cast<size_t>(by_mark ? kReceiveBytes : std::min<uint64_t>(left, kReceiveBytes)));
      if (bytes.empty()) co_return fail("its snapshot is cut short");
      size_t got = 0;
      const Error error = co_await stream_.receive(bytes, &got);
      const bool closed = error != Error::none && error != Error::cancelled;
      if (kSimulation && settings_.plants->cut_accepted && closed) co_return Error::none;
      if (error != Error::none) co_return error;
      bytes.resize(got);
      last_io_ = env_.now();
    }
    std::string behind;  // the payload
    if (!by_mark && bytes.size() > left) {
      behind = bytes.substr(static_cast<size_t>(left));
      bytes.resize(static_cast<size_t>(left));
    }
    left -= by_mark ? 0 : bytes.size();
    transfer_.read_bytes += bytes.size();
    const bool good = co_await loader.feed(bytes);
    if (!good) co_return fail(loader.error());
    bytes = std::move(behind);
    if (!bytes.empty() && !loader.complete()) co_return fail("its snapshot is cut short");
  }
  if (!by_mark) {
    if (left > 0 || !loader.rest().empty()) co_return fail("its snapshot ends before its length");
    stream_.put_back(std::move(bytes));
    co_return Error::none;
  }
  std::string rest(loader.rest());
  while (rest.size() < kMarkBytes) {
    std::string room(kMarkBytes - rest.size(), '\0');
    size_t got = 0;
    const Error error = co_await stream_.receive(room, &got);
    if (error != Error::none) co_return error;
    rest.append(room, 0, got);
  }
  if (!rest.starts_with(mark)) co_return fail("its snapshot ends without its mark");
  stream_.put_back(rest.substr(kMarkBytes));
  co_return Error::none;
}

// Writes the snapshot to a file. The data that is there stays until it has come whole.
Task<Error> PrimaryLink::take_to_file(std::string mark, uint64_t length) {
  // Other nodes may have the same directory.
  received_file_ = fmt::format("temp-primary-{}.rdb", random_hex_id(env_).substr(0, 16));
  OpenFlags anew;
  anew.write = anew.create = anew.truncate = true;
  Expected<Handle> opened = co_await open_file(env_, received_file_, anew);
  if (!opened) {
    fail(fmt::format("{}: {}", received_file_, describe(opened.error())));
    co_return Error::invalid;
  }
  const Handle file = *opened;
  std::string waiting = stream_.take_rest();
  std::string behind;
  uint64_t written = 0;
  Error error = Error::none;
  for (bool whole = false; error == Error::none;) {
    if (!mark.empty()) {
      // The primary sends nothing behind the mark before it is told that the snapshot is loaded.
      whole = waiting.size() >= kMarkBytes && waiting.ends_with(mark);
    } else if (written + waiting.size() >= length) {
      whole = true;
      behind = waiting.substr(static_cast<size_t>(length - written));
      waiting.resize(static_cast<size_t>(length - written));
    }
    if (whole || waiting.size() >= kWriteBytes) {
      const size_t kept = mark.empty() ? 0 : kMarkBytes;
      const std::string piece = waiting.substr(0, waiting.size() - kept);
      const Slice slice = as_slice(piece);
      IoOp io(env_);
      io.op.kind = OpKind::write;
      io.op.handle = file;
      io.op.offset = written;
      io.op.gather = std::span<const Slice>(&slice, 1);
      if (!piece.empty()) {
        co_await io;
        error = io.op.result.error;
        if (error != Error::none) fail(fmt::format("{}: {}", received_file_, describe(error)));
      }
      written += piece.size();
      waiting.erase(0, piece.size());
    }
    if (whole || error != Error::none || cancelled_) break;
    std::string room(kReceiveBytes, '\0');
    size_t got = 0;
    error = co_await stream_.receive(room, &got);
    waiting.append(room, 0, got);
    transfer_.read_bytes += got;
    last_io_ = env_.now();
  }
  env_.close(file);
  if (cancelled_) co_return Error::cancelled;
  stream_.put_back(std::move(behind));
  co_return error;
}

void PrimaryLink::begin_loading(bool beside) {
  progress_ = {};
  progress_.started = env_.now();
  progress_.started_unix_s = env_.wall().unix_s();
  progress_.total_bytes = transfer_.total_bytes;
  progress_.active = true;
  loading_ = true;
  loading_beside_ = beside;
  persistence_.show_loading(&progress_);
  if (beside) return owner_.on_link_changed();
  services_.dispatcher.admission().set(Alert::loading, true);
  services_.keys.removal().set_loading(true);
  owner_.on_link_changed();
}

void PrimaryLink::end_loading() {
  const bool beside = std::exchange(loading_beside_, false);
  loading_ = progress_.active = false;
  persistence_.show_loading(nullptr);
  if (!beside) {
    services_.dispatcher.admission().set(Alert::loading, false);
    services_.keys.removal().set_loading(false);
  }
  owner_.on_link_changed();
}

// A line end, while this end can say nothing else.
void PrimaryLink::beat() {
  next_beat_ = env_.now() + Duration::seconds(1);
  if (!stream_.open() || beat_.in_flight || !loading_) return;
  beat_slice_ = as_slice("\n");
  if (kSimulation && settings_.plants->acks_snapshot) {
    planted_ack_.clear();
    const IntegerText offset(static_cast<int64_t>(transfer_.offset));
    append_request(planted_ack_, {"REPLCONF", "ACK", offset.view()});
    beat_slice_ = as_slice(planted_ack_);
  }
  beat_.handle = stream_.handle();
  beat_.gather = std::span<const Slice>(&beat_slice_, 1);
  beat_.result = {};
  env_.submit(beat_);
}

// --- the stream

void PrimaryLink::go_connected() {
  ASSERT(connection_ == nullptr && stream_.open());
  const Address peer = stream_.peer();
  const std::string rest = stream_.take_rest();
  connection_ = std::make_unique<Connection>(env_, services_.clients.send_pool(),
                                             static_cast<ConnectionUser&>(*this));
  connection_->adopt(stream_.release(), peer);
  id_ = services_.clients.sessions().take_id();
  last_io_ = up_since_ = env_.now();
  applier_.begin(peer.to_string());
  held_.clear();
  set_state(State::connected);
  send_ack();
  take_stream(rest);
}

void PrimaryLink::on_bytes(std::span<const char> bytes) {
  last_io_ = env_.now();
  services_.stats.net_input_bytes += bytes.size();
  take_stream({bytes.data(), bytes.size()});
}

void PrimaryLink::take_stream(std::string_view bytes) {
  if (services_.dispatcher.suspension().active()) {
    // Nothing more is read until the command has ended.
    held_ = bytes;
    return connection_->release_chunk();
  }
  const bool good = bytes.empty() || applier_.feed(bytes);
  // The question itself is part of the stream: a primary that waits for all of it learns so.
  if (std::exchange(asked_, false)) send_ack();
  connection_->release_chunk();
  if (!good) {
    // The next try is a full synchronisation: what this primary says is not to be continued.
    has_history_ = false;
    ++useless_;
    return drop(applier_.problem());
  }
  if (!divergence_.empty()) {
    log(LogLevel::warning, "The node ends, as propagation-error-behavior asks for.");
    env_.backend().request_exit(1);
    return;
  }
  if (connected()) connection_->read();
}

void PrimaryLink::on_sent(size_t /*bytes*/) {}

void PrimaryLink::on_end(Error error) {
  drop(error == Error::closed ? std::string_view("it has closed the connection") : describe(error));
}

void PrimaryLink::on_quiet() {}

void PrimaryLink::on_getack() {
  asked_ = true;
  send_ack();
}

void PrimaryLink::on_divergence(std::string_view why) {
  divergence_ = why;
}

void PrimaryLink::drop(std::string_view why) {
  if (!connected()) return;
  log(LogLevel::warning, fmt::format("Connection with primary {}:{} lost: {}", host_, port_, why));
  if (!connection_->closed()) {
    connection_->release_chunk();
    connection_->close();
  }
  next_try_ = env_.now() + next_wait();
  set_state(wanted_ ? State::connect : State::none);
}

void PrimaryLink::send_ack() {
  if (!connected() || connection_->closed()) return;
  if (connection_->unsent_bytes() > kUnreadAcksMax) return;
  last_ack_ = env_.now();
  if (!acknowledges_) return;  // the offsets of a server from before PSYNC are not known
  std::string bytes;
  const IntegerText offset(static_cast<int64_t>(services_.effects.end_offset()));
  std::optional<uint64_t> kept = persistence_.kept_offset();
  if (kSimulation && kept && settings_.plants->acks_medium) kept = services_.effects.end_offset();
  if (kept) {
    const IntegerText on_medium(static_cast<int64_t>(*kept));
    append_request(bytes, {"REPLCONF", "ACK", offset.view(), "FACK", on_medium.view()});
  } else {
    append_request(bytes, {"REPLCONF", "ACK", offset.view()});
  }
  services_.stats.net_output_bytes += bytes.size();
  connection_->queue().append(bytes);
  connection_->flush();
}

uint64_t PrimaryLink::received_offset() const {
  return services_.effects.end_offset() + (connected() ? applier_.incomplete_bytes() : 0);
}

size_t PrimaryLink::memory_bytes() const {
  size_t bytes = applier_.memory_bytes();
  if (connection_ != nullptr) bytes += connection_->memory_bytes();
  for (const auto& database : fresh_) bytes += database->used_bytes();
  return bytes;
}

}  // namespace redoubt
