#include "engine/persist/snapshots/snapshot_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/config/settings.h"
#include "engine/effects/history.h"
#include "engine/insight/logger.h"
#include "engine/keyspace/keyspace.h"
#include "engine/store/number.h"
#include "net/files.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr size_t kFilePieceBytes = 256 << 10;
// Elements between two looks at the rest of the world: about a millisecond.
constexpr size_t kStep = 4000;
constexpr uint64_t kNotesMax = 10;

}  // namespace

RdbLimits rdb_limits(const Settings& settings) {
  RdbLimits limits;
  limits.list_fill = settings.list_max_listpack_size;
  limits.set = {.intset_entries = settings.set_max_intset_entries,
                .listpack_entries = settings.set_max_listpack_entries,
                .listpack_value = settings.set_max_listpack_value};
  limits.hash = {.listpack_entries = settings.hash_max_listpack_entries,
                 .listpack_value = settings.hash_max_listpack_value};
  limits.zset = {.entries_max = settings.zset_max_listpack_entries,
                 .value_bytes_max = settings.zset_max_listpack_value};
  return limits;
}

SnapshotLoader::SnapshotLoader(const Surroundings& surroundings)
    : env_(surroundings.env),
      services_(surroundings.services),
      persist_(surroundings.persist),
      loading_(surroundings.loading) {}

Task<bool> SnapshotLoader::load(std::string path, Expired expired) {
  begin(path, expired);
  OpenFlags reading;
  reading.read = true;
  Expected<Handle> file = co_await open_file(env_, path, reading);
  if (!file) {
    error_ = fmt::format("{}: {}", path, describe(file.error()));
    co_return false;
  }
  Expected<uint64_t> size = co_await file_size(env_, *file);
  bool good = size.ok();
  if (good) {
    loading_.total_bytes += *size;
    good = co_await read(*file, *size);
  } else {
    error_ = fmt::format("{}: {}", path, describe(size.error()));
  }
  env_.close(*file);
  co_return good;
}

void SnapshotLoader::begin(std::string name, Expired expired) {
  path_ = std::move(name);
  expired_ = expired;
  complete_ = false;
  loaded_before_ = loading_.loaded_bytes;
  reader_.emplace(static_cast<RdbListener&>(*this), services_.keys.hash_key(),
                  rdb_limits(services_.settings),
                  RdbReaderOptions{.verify_checksum =
                                       persist_.rdb_checksum &&
                                       !(kSimulation && persist_.plants->damaged_snapshot_accepted),
                                   .skip_modules = !persist_.refuse_unknown_modules});
}

Task<bool> SnapshotLoader::read(Handle file, uint64_t size) {
  std::string piece(kFilePieceBytes, '\0');
  for (uint64_t at = 0; !complete_;) {
    IoOp io(env_);
    io.op.kind = OpKind::read;
    io.op.handle = file;
    io.op.offset = at;
    io.op.into = std::as_writable_bytes(std::span<char>(piece));
    co_await io;
    if (!io.op.result.ok()) {
      error_ = fmt::format("{}: {}", path_, describe(io.op.result.error));
      co_return false;
    }
    const auto got = static_cast<size_t>(io.op.result.bytes);
    at += got;
    const bool last = got < piece.size() || at >= size;
    const bool good = co_await feed(std::string_view(piece).substr(0, got), last);
    if (!good) co_return false;
    if (complete_) bytes_ = at - reader_->rest().size();
  }
  co_return true;
}

Task<bool> SnapshotLoader::feed(std::string_view bytes, bool last) {
  reader_->feed(bytes);
  if (last) reader_->end();
  now_ms_ = env_.wall().unix_ms();
  for (;;) {
    size_t budget = kStep;
    const RdbReader::Status status = reader_->step(budget);
    env_.count_work(kStep - budget);
    loading_.loaded_bytes = loaded_before_ + reader_->offset();
    switch (status) {
      case RdbReader::Status::needs_bytes: co_return true;
      case RdbReader::Status::done: complete_ = true; co_return true;
      case RdbReader::Status::failed:
        error_ =
            fmt::format("{}: {} at byte {}", path_, reader_->error().text, reader_->error().offset);
        co_return false;
      case RdbReader::Status::more_steps: break;
    }
    // Clients are answered in between.
    co_await Sleep(env_, Duration::milliseconds(0));
    now_ms_ = env_.wall().unix_ms();
  }
}

// --- what the reader tells

Database* SnapshotLoader::database(uint64_t index) {
  if (index >= static_cast<uint64_t>(services_.keys.count())) return nullptr;
  if (!target_.empty()) return target_[static_cast<size_t>(index)].get();
  return &services_.keys.database(static_cast<int>(index));
}

bool SnapshotLoader::keeps(const RdbKey& key) {
  if (expired_ == Expired::kept || !key.expiry_ms || *key.expiry_ms >= now_ms_) return true;
  ++loading_.keys_expired;
  return false;
}

void SnapshotLoader::loaded(const RdbKey& key, Database& database) {
  ++loading_.keys_loaded;
  if (!key.idle_s && !key.frequency) return;
  const Entry* entry = database.find(key.name, key.hash);
  if (entry == nullptr) return;
  AccessClock& clock = services_.keys.clock();
  if (key.frequency && clock.counts_uses()) clock.set_frequency(*entry, *key.frequency);
  if (key.idle_s && !clock.counts_uses()) clock.set_idle(*entry, *key.idle_s);
}

void SnapshotLoader::log_skipped(std::string_view text) {
  if (++notes_ <= kNotesMax) services_.logger.log(LogLevel::warning, text);
}

void SnapshotLoader::skipped(const RdbKey& key, std::string_view what) {
  log_skipped(fmt::format("{}: the key \"{}\" of database {} is passed over: {}", path_,
                          rdb_printable(key.name), key.database, what));
}

void SnapshotLoader::aux(std::string_view name, std::string_view value) {
  if (name == "repl-id" && value.size() == History::kIdLength) history_id_ = value;
  if (name == "repl-offset") {
    uint64_t offset = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), offset);
    if (error == std::errc() && end == value.data() + value.size()) offset_ = offset;
  }
  if (name == "repl-stream-db") {
    const int64_t db = parse_integer(value).value_or(0);
    if (db >= 0 && db < services_.keys.count()) stream_db_ = static_cast<int>(db);
  }
  if (name == "ctime") created_unix_s_ = parse_integer(value).value_or(0);
  const bool version = name == "redoubt-ver" || name == "valkey-ver" || name == "redis-ver";
  if (version && !std::exchange(producer_told_, true)) {
    services_.logger.log(LogLevel::notice,
                         fmt::format("Loading RDB produced by {} {}",
                                     name.substr(0, name.size() - 4), rdb_printable(value)));
  }
}

void SnapshotLoader::function(std::string_view source) {
  functions_.emplace_back(source);
}

void SnapshotLoader::module_data(std::string_view module) {
  log_skipped(
      fmt::format("{}: data of the module {} is passed over", path_, rdb_printable(module)));
}

}  // namespace redoubt
