#include "engine/persist/snapshots/snapshot_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/config/settings.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/version.h"
#include "engine/store/snapshot.h"
#include "net/files.h"
#include "net/places.h"

namespace redoubt {

namespace {

// What waits to be written while a piece is on its way.
constexpr size_t kWaitingBytesMax = 1 << 20;
// A piece is not smaller, unless nothing more comes.
constexpr size_t kPieceBytes = 256 << 10;
// So much is written between two syncs.
constexpr uint64_t kSyncBytes = uint64_t{8} << 20;
// How long to wait for a piece.
constexpr Duration kPatience = Duration::milliseconds(1);
// What writers change while the snapshot is on its way is kept up to this, or half of the data.
constexpr size_t kKeptBytesMin = size_t{256} << 20;

}  // namespace

RdbForm rdb_form(std::string_view version) {
  if (version == "10") return RdbForm::redis10;
  if (version == "11") return RdbForm::redis11;
  if (version == "12") return RdbForm::redis12;
  if (version == "80") return RdbForm::valkey80;
  return RdbForm::automatic;
}

RdbWriterOptions snapshot_options(Env& env, Keyspace& keys, const Settings& settings,
                                  const PersistSettings& persist, const SnapshotFacts& facts) {
  RdbWriterOptions options;
  options.form = rdb_form(persist.rdb_version);
  options.compress = persist.rdb_compression;
  options.checksum = persist.rdb_checksum;
  options.drops_deadlines = kSimulation && persist.plants->deadline_dropped && facts.aof_base;
  options.loses_field_deadline = kSimulation && persist.plants->field_deadline_lost;
  options.functions = facts.functions;
  options.aux = {{"redoubt-ver", std::string(kRedoubtVersion)},
                 {"redis-ver", settings.reported_redis_version},
                 {"redis-bits", "64"},
                 {"ctime", std::to_string(env.wall().unix_s())},
                 {"used-mem", std::to_string(facts.used_memory)}};
  if (!facts.history_id.empty()) {
    options.aux.emplace_back("repl-stream-db", std::to_string(facts.stream_db));
    options.aux.emplace_back("repl-id", facts.history_id);
    options.aux.emplace_back("repl-offset", std::to_string(facts.offset));
  }
  options.aux.emplace_back("aof-base", facts.aof_base ? "1" : "0");
  for (int i = 0; i < keys.count(); ++i) {
    const Database& database = keys.database(i);
    options.sizes.push_back({i, database.size(), database.expiring()});
  }
  const bool limited = settings.maxmemory > 0;
  if (limited && settings.maxmemory_policy != EvictionPolicy::noeviction) {
    const AccessClock& clock = keys.clock();
    options.use = clock.counts_uses() ? RdbUse::frequency : RdbUse::idle_s;
    options.use_of = [&clock](const Entry& entry) {
      return clock.counts_uses() ? static_cast<uint64_t>(clock.frequency(entry))
                                 : static_cast<uint64_t>(clock.idle_ms(entry)) / 1000;
    };
  }
  return options;
}

SnapshotLimits snapshot_limits(const Keyspace& keys) {
  size_t bytes = 0;
  for (const auto& database : keys.databases()) bytes += database->used_bytes();
  return {.kept_bytes = std::max(kKeptBytesMin, bytes / 2)};
}

SnapshotFile::SnapshotFile(const Surroundings& surroundings, std::string path)
    : env_(surroundings.env),
      keys_(surroundings.keys),
      settings_(surroundings.settings),
      persist_(surroundings.persist),
      path_(std::move(path)) {
  sync_.owner = this;
  sync_.on_done = [](Op& op) {
    auto& file = *static_cast<SnapshotFile*>(op.owner);
    if (file.sync_error_ == Error::none) file.sync_error_ = op.result.error;
    file.synced_.raise();
  };
}

SnapshotFile::~SnapshotFile() = default;

SnapshotSink& SnapshotFile::sink() {
  return *writer_;
}

uint64_t SnapshotFile::keys() const {
  return writer_ == nullptr ? 0 : writer_->keys();
}

size_t SnapshotFile::kept_bytes() const {
  size_t bytes = 0;
  for (const auto& database : keys_.databases()) bytes += database->kept_bytes();
  return bytes;
}

bool SnapshotFile::begin(const Facts& facts) {
  return begin(facts, rdb_form(persist_.rdb_version));
}

bool SnapshotFile::begin(const Facts& facts, RdbForm form) {
  ASSERT(writer_ == nullptr);
  RdbWriterOptions options = snapshot_options(env_, keys_, settings_, persist_, facts);
  options.form = form;
  options.waiting_bytes_max = kWaitingBytesMax;
  writer_ = std::make_unique<RdbWriter>(std::move(options));
  running_ = keys_.snapshots().begin(keys_.snapshot_sources(), snapshot_limits(keys_), *this);
  return running_;
}

void SnapshotFile::snapshot_ended(SnapshotEnd end) {
  running_ = false;
  end_ = end;
}

void SnapshotFile::cancel() {
  if (running_) keys_.snapshots().cancel(*this);
  if (end_ == SnapshotEnd::none || end_ == SnapshotEnd::complete) end_ = SnapshotEnd::cancelled;
}

Task<Error> SnapshotFile::write() {
  ASSERT(writer_ != nullptr);
  OpenFlags anew;
  anew.write = anew.create = anew.truncate = true;
  Expected<Handle> file = co_await open_file(env_, path_, anew);
  Error error = file ? co_await write_all(*file) : file.error();
  cancel_pass();
  static_cast<void>(co_await end_sync());
  if (error != Error::none && problem_.empty()) {
    problem_ = fmt::format("{}: {}", path_, describe(error));
  }
  if (file) {
    env_.close(*file);
    if (error != Error::none) static_cast<void>(co_await remove_file(env_, path_));
  }
  co_return error;
}

void SnapshotFile::cancel_pass() {
  if (running_) keys_.snapshots().cancel(*this);
}

Task<Error> SnapshotFile::write_piece(Handle file, uint64_t offset, std::string bytes) {
  const Slice slice = as_slice(bytes);
  IoOp io(env_);
  io.op.kind = OpKind::write;
  io.op.handle = file;
  io.op.offset = offset;
  io.op.gather = std::span<const Slice>(&slice, 1);
  co_await io;
  co_return io.op.result.error;
}

void SnapshotFile::begin_sync(Handle file) {
  sync_.kind = OpKind::sync_data;
  sync_.handle = file;
  sync_.result = {};
  sync_covers_ = bytes_;
  env_.submit(sync_);
}

// Waits for the sync that is on its way, if there is one; the first error of all.
Task<Error> SnapshotFile::end_sync() {
  while (sync_.in_flight) co_await synced_;
  co_return sync_error_;
}

Task<Error> SnapshotFile::write_all(Handle file) {
  bool finished = false;
  for (;;) {
    // The pass may go on between these: what it delivers is in the buffer.
    if (end_ == SnapshotEnd::complete && !finished) {
      writer_->finish();
      finished = true;
    }
    if (!writer_->error().empty()) {
      problem_ = writer_->error();
      co_return Error::invalid;
    }
    if (end_ == SnapshotEnd::cancelled) {
      problem_ = "it was cancelled";
      co_return Error::cancelled;
    }
    if (end_ == SnapshotEnd::kept_too_much) {
      problem_ = "the disk is too slow: what was changed meanwhile takes too much memory";
      co_return Error::no_memory;
    }
    if (writer_->waiting_bytes() >= kPieceBytes || (finished && writer_->waiting_bytes() > 0)) {
      std::string piece = writer_->take();
      const size_t size = piece.size();
      const Error error = co_await write_piece(file, bytes_, std::move(piece));
      if (error != Error::none) co_return error;
      bytes_ += size;
      if (sync_error_ != Error::none) co_return sync_error_;
      if (!sync_.in_flight && bytes_ - sync_covers_ >= kSyncBytes) begin_sync(file);
    } else if (finished) {
      break;
    } else {
      co_await Sleep(env_, kPatience);
    }
  }
  // Which version it had to be is known at the end.
  Error error = co_await write_piece(file, 0, std::string(writer_->magic()));
  if (error == Error::none) error = co_await end_sync();
  if (error != Error::none) co_return error;
  begin_sync(file);
  co_return co_await end_sync();
}

}  // namespace redoubt
