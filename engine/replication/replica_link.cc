#include "engine/replication/replica_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/store/number.h"
#include "net/places.h"
#include "net/text.h"

namespace redoubt {

namespace {

// A send of the stream has no more bytes than this.
constexpr size_t kSendBytes = 256 << 10;
// A replica sends nothing longer.
constexpr ParserLimits kLimits = {.bulk_bytes_max = 1024, .query_bytes_max = 64 * 1024};

}  // namespace

ReplicaLink::ReplicaLink(const Make& make, std::unique_ptr<Connection> connection)
    : env_(make.env),
      effects_(make.effects),
      links_(make.links),
      owner_(make.owner),
      id_(make.id),
      greeting_(make.greeting),
      connection_(std::move(connection)),
      connected_(make.env.now()),
      last_ack_(connected_) {
  links_.add(*this);
  connection_->set_user(*this);
  pump_hook_.owner = this;
  pump_hook_.run = [](TurnHook& hook) { static_cast<ReplicaLink*>(hook.owner)->pump(); };
}

ReplicaLink::~ReplicaLink() {
  links_.remove(*this);
  env_.withdraw(pump_hook_);
}

void ReplicaLink::begin_reading() {
  reads_ = true;
  connection_->release_chunk();
  if (closed()) return;
  connection_->read();
  connection_->flush();
}

const std::string& ReplicaLink::host() const {
  return greeting_.address.empty() ? peer().host : greeting_.address;
}

std::string ReplicaLink::name() const {
  return fmt::format("{}:{}", host(), port());
}

Link::Facts ReplicaLink::facts() const {
  return {.id = id_,
          .kind = LinkKind::replica,
          .connection = connection_.get(),
          .connected = connected_,
          .last_request = last_ack_,
          .waiting_bytes = static_cast<size_t>(behind()),
          .memory_bytes = sizeof(ReplicaLink) + connection_->memory_bytes()};
}

void ReplicaLink::send(std::string_view text) {
  if (closed()) return;
  if (!connection_->sending()) send_began_ = env_.now();
  connection_->queue().append(text);
  connection_->flush();
}

// --- the stream

bool ReplicaLink::continue_from(uint64_t offset) {
  if (!effects_.attach_at(*this, offset)) return false;
  began_at_ = acked_ = offset;
  go_online();
  return true;
}

void ReplicaLink::begin_receiving() {
  ASSERT(state_ == State::waiting && !attached());
  state_ = State::receiving;
  effects_.attach(*this);
  began_at_ = effects_.end_offset();
}

void ReplicaLink::send_piece(std::shared_ptr<const std::string> bytes) {
  ASSERT(ready() && state_ == State::receiving && !bytes->empty());
  piece_ = std::move(bytes);
  const Slice slice = as_slice(*piece_);
  send_began_ = env_.now();
  connection_->send(std::span<const Slice>(&slice, 1));
}

void ReplicaLink::end_receiving(bool waits) {
  ASSERT(state_ == State::receiving);
  last_ack_ = env_.now();
  if (waits) {
    state_ = State::loading;
  } else {
    go_online();
  }
}

void ReplicaLink::go_online() {
  state_ = State::online;
  last_ack_ = env_.now();
  env_.request(pump_hook_);
}

void ReplicaLink::on_entry(const EffectEntry& /*entry*/) {
  if (state_ == State::online) env_.request(pump_hook_);
}

void ReplicaLink::pump() {
  if (closed() || connection_->sending()) return;
  if (!connection_->queue().empty()) return connection_->flush();
  if (state_ != State::online || unread() == 0) return;
  slices_.clear();
  send_began_ = env_.now();
  stream_in_flight_ = slices(kSendBytes, slices_);
  connection_->send(slices_);
}

void ReplicaLink::on_sent(size_t bytes) {
  piece_.reset();
  if (stream_in_flight_ > 0) {
    ASSERT(bytes == stream_in_flight_);
    take(std::exchange(stream_in_flight_, 0));
  }
  pump();
  owner_.on_replica_progress(*this);
}

// --- what the replica says

void ReplicaLink::on_bytes(std::span<const char> bytes) {
  last_ack_ = env_.now();
  const RequestParser::Status status = parser_.feed(bytes, kLimits, batch_);
  bool good = status == RequestParser::Status::ok;
  for (const RequestBatch::Request& request : batch_.requests) {
    good =
        good && take_command(std::span(batch_.args).subspan(request.first_arg, request.arg_count));
  }
  batch_.clear();
  parser_.release();
  connection_->release_chunk();
  if (!good) {
    if (complaint_.empty()) complaint_ = "it sends what is no request";
    close();
  } else {
    connection_->read();
  }
  owner_.on_replica_progress(*this);
}

// False: a replica has nothing of the kind to say, and would take a reply for a part of the stream.
bool ReplicaLink::take_command(std::span<const std::string_view> args) {
  complaint_ = "it sends something else than acknowledgements";
  if (!equal_ignoring_case(args[0], "replconf")) return false;
  if (!greeting_.psync) {  // its offsets would be its own
    if (state_ == State::loading) go_online();
    return true;
  }
  for (size_t i = 1; i + 1 < args.size(); i += 2) {
    const std::optional<int64_t> number = parse_integer(args[i + 1]);
    const uint64_t offset = number && *number > 0 ? static_cast<uint64_t>(*number) : 0;
    if (equal_ignoring_case(args[i], "ack")) {
      if (offset > effects_.end_offset()) return refuse_ack();
      acked_ = std::max(acked_, offset);
      last_ack_ = env_.now();
      if (state_ == State::loading) go_online();
    } else if (equal_ignoring_case(args[i], "fack")) {
      if (offset > effects_.end_offset()) return refuse_ack();
      acked_kept_ = std::max(acked_kept_, offset);
    } else {
      return false;
    }
  }
  complaint_ = {};
  return true;
}

bool ReplicaLink::refuse_ack() {
  complaint_ = "it acknowledges more than it can have";
  return false;
}

// --- the end

void ReplicaLink::on_end(Error /*error*/) {
  close();
  owner_.on_replica_progress(*this);
}

void ReplicaLink::on_quiet() {
  owner_.on_replica_progress(*this);
}

void ReplicaLink::close() {
  if (closed()) return;
  // Requests of the turn in which it came are views into the chunk.
  if (reads_) connection_->release_chunk();
  connection_->close();
  // Bytes of the log that are on their way stay in it until they are back: quiet() says when.
  if (stream_in_flight_ == 0 && attached()) effects_.detach(*this);
}

}  // namespace redoubt
