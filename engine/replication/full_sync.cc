#include "engine/replication/full_sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/config/settings.h"
#include "engine/effects/effect_log.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "net/files.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr size_t kPieceBytes = 64 << 10;
// Pieces that wait for the slowest replica.
constexpr size_t kPiecesMax = 32;
constexpr Duration kPatience = Duration::milliseconds(1);

}  // namespace

FullSync::FullSync(const Surroundings& surroundings)
    : env_(surroundings.env), services_(surroundings.services), persist_(surroundings.persist) {}

FullSync::~FullSync() = default;

bool FullSync::begin(const Plan& plan, std::vector<ReplicaLink*> links,
                     std::function<void(const std::string&)> done) {
  ASSERT(!running() && !links.empty());
  if (!services_.keys.snapshots().can_begin()) return false;
  plan_ = plan;
  done_ = std::move(done);
  problem_.clear();
  form_is_too_old_ = false;
  end_ = SnapshotEnd::none;
  pieces_.clear();
  first_piece_ = 0;
  receivers_.clear();
  // From here to the beginning of the snapshot is one moment.
  for (ReplicaLink* link : links) {
    link->begin_receiving();
    receivers_.push_back({link, 0});
  }
  const EffectLog& effects = services_.effects;
  const SnapshotFacts facts{
      .history_id = effects.history().id,
      .offset = effects.end_offset(),
      .stream_db = effects.foreign() && !plan.planted_db_lost ? effects.foreign_db() : 0,
      .used_memory = services_.node.used_memory(),
      .functions = plan.functions};
  if (plan.by_file) {
    // Other nodes may have the same directory.
    file_name_ = fmt::format("temp-replication-{}.rdb", random_hex_id(env_).substr(0, 16));
    file_ =
        std::make_unique<SnapshotFile>(SnapshotFile::Surroundings{.env = env_,
                                                                  .keys = services_.keys,
                                                                  .settings = services_.settings,
                                                                  .persist = persist_},
                                       file_name_);
    pass_runs_ = file_->begin(facts, plan.form);
    ASSERT(pass_runs_);
  } else {
    RdbWriterOptions options =
        snapshot_options(env_, services_.keys, services_.settings, persist_, facts);
    options.form = plan.form;
    options.waiting_bytes_max = kPieceBytes;
    if (!plan.keys) options.sizes.clear();
    writer_ = std::make_unique<RdbWriter>(std::move(options));
    if (plan.keys) {
      pass_runs_ = services_.keys.snapshots().begin(services_.keys.snapshot_sources(),
                                                    snapshot_limits(services_.keys), *this);
      ASSERT(pass_runs_);
    } else {
      end_ = SnapshotEnd::complete;
    }
  }
  const std::string line =
      fmt::format("+FULLRESYNC {} {}\r\n", effects.history().id,
                  effects.end_offset() - std::min(plan.planted_bytes, effects.end_offset()));
  for (ReplicaLink* link : links) {
    if (link->greeting().psync) link->send(line);
  }
  task_ = run();
  task_.start(
      [](void* owner) {
        auto& sync = *static_cast<FullSync*>(owner);
        sync.task_ = {};
        sync.receivers_.clear();
        sync.pieces_.clear();
        const auto ended = std::exchange(sync.done_, {});
        const std::string problem = sync.problem_;
        ended(problem);
      },
      this);
  return true;
}

void FullSync::snapshot_ended(SnapshotEnd end) {
  pass_runs_ = false;
  end_ = end;
}

void FullSync::forget(ReplicaLink& link) {
  std::erase_if(receivers_, [&](const Receiver& receiver) { return receiver.link == &link; });
  progress_.raise();
}

Error FullSync::fail(std::string problem) {
  problem_ = std::move(problem);
  return Error::invalid;
}

Task<Error> FullSync::run() {
  const Error error = plan_.by_file ? co_await send_file() : co_await send_live();
  if (writer_ != nullptr && pass_runs_) services_.keys.snapshots().cancel(*this);
  pass_runs_ = false;
  writer_.reset();
  file_.reset();
  if (error != Error::none && problem_.empty()) problem_ = describe(error);
  co_return error;
}

// --- pieces

void FullSync::add_piece(std::string bytes) {
  pieces_.emplace_back(std::make_unique<const std::string>(std::move(bytes)));
}

// Gives each replica that is ready its next piece, and forgets pieces that all have got.
void FullSync::feed_links() {
  uint64_t needed = first_piece_ + pieces_.size();
  for (Receiver& receiver : receivers_) {
    if (receiver.link->ready() && receiver.next < first_piece_ + pieces_.size()) {
      receiver.link->send_piece(pieces_[static_cast<size_t>(receiver.next++ - first_piece_)]);
    }
    needed = std::min(needed, receiver.next);
  }
  for (; first_piece_ < needed; ++first_piece_) pieces_.pop_front();
}

bool FullSync::has_room() const {
  return pieces_.size() < kPiecesMax;
}

bool FullSync::all_sent() const {
  if (!pieces_.empty()) return false;
  return std::all_of(receivers_.begin(), receivers_.end(),
                     [](const Receiver& receiver) { return receiver.link->ready(); });
}

void FullSync::end_links(bool waits) {
  for (const Receiver& receiver : receivers_) {
    receiver.link->end_receiving(waits && receiver.link->greeting().can_eof);
  }
}

// --- without a file

Task<Error> FullSync::send_live() {
  const std::string mark = random_hex_id(env_);
  add_piece(fmt::format("$EOF:{}\r\n", mark));
  for (bool finished = false;;) {
    if (receivers_.empty()) co_return fail("no replica waits for it any more");
    if (!writer_->error().empty()) {
      form_is_too_old_ = true;
      co_return fail(writer_->error());
    }
    if (end_ == SnapshotEnd::complete && !finished) {
      writer_->finish();
      finished = true;
      continue;
    }
    if (end_ == SnapshotEnd::kept_too_much) {
      co_return fail("the replicas are too slow: what was changed meanwhile takes too much memory");
    }
    if (end_ == SnapshotEnd::cancelled) co_return fail("it was cancelled");
    const size_t waiting = writer_->waiting_bytes();
    if (has_room() && (waiting >= kPieceBytes / 2 || (finished && waiting > 0))) {
      add_piece(writer_->take());
      feed_links();
      continue;
    }
    feed_links();
    if (finished && waiting == 0) break;
    co_await Sleep(env_, kPatience);
  }
  add_piece(mark);
  while (!all_sent()) {
    if (receivers_.empty()) co_return fail("no replica waits for it any more");
    feed_links();
    if (!all_sent()) co_await progress_;
  }
  end_links(true);
  co_return Error::none;
}

// --- with a file

Task<Error> FullSync::send_file() {
  const Error written = co_await file_->write();
  pass_runs_ = false;
  if (written != Error::none) {
    form_is_too_old_ = written == Error::invalid;
    co_return fail(file_->problem());
  }
  OpenFlags reading;
  reading.read = true;
  Expected<Handle> opened = co_await open_file(env_, file_name_, reading);
  if (!opened) co_return opened.error();
  const Handle file = *opened;
  Expected<uint64_t> size = co_await file_size(env_, file);
  Error error = size ? Error::none : size.error();
  if (error == Error::none) add_piece(fmt::format("${}\r\n", *size));
  for (uint64_t at = 0; error == Error::none && at < *size && !receivers_.empty();) {
    while (!has_room() && !receivers_.empty()) {
      feed_links();
      if (!has_room()) co_await progress_;
    }
    std::string piece(static_cast<size_t>(std::min<uint64_t>(kPieceBytes, *size - at)), '\0');
    IoOp io(env_);
    io.op.kind = OpKind::read;
    io.op.handle = file;
    io.op.offset = at;
    io.op.into = std::as_writable_bytes(std::span<char>(piece));
    co_await io;
    error = io.op.result.error;
    if (error == Error::none && io.op.result.bytes == 0) error = Error::closed;
    if (error != Error::none) break;
    piece.resize(static_cast<size_t>(io.op.result.bytes));
    at += piece.size();
    add_piece(std::move(piece));
    feed_links();
  }
  env_.close(file);
  static_cast<void>(co_await remove_file(env_, file_name_));
  if (error != Error::none) co_return error;
  while (!receivers_.empty() && !all_sent()) {
    feed_links();
    if (!all_sent()) co_await progress_;
  }
  end_links(false);
  co_return Error::none;
}

}  // namespace redoubt
