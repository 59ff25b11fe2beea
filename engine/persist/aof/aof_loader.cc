#include "engine/persist/aof/aof_loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/persist/aof/aof_format.h"
#include "engine/store/number.h"
#include "net/files.h"
#include "net/places.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr size_t kReadBytes = 256 << 10;
// So many entries that fail are told of.
constexpr uint64_t kFailuresShown = 10;

}  // namespace

std::optional<AofLoadEnd> parse_load_end(std::string_view text) {
  constexpr std::string_view kOffset = "offset:";
  AofLoadEnd end;
  const bool offset = text.starts_with(kOffset);
  const std::optional<int64_t> number = parse_integer(offset ? text.substr(kOffset.size()) : text);
  if (!number || *number < 0) return std::nullopt;
  if (offset) {
    end.offset = static_cast<uint64_t>(*number);
  } else {
    end.unix_s = number;
  }
  return end;
}

AofLoader::AofLoader(const Surroundings& surroundings, const AofTailRules& rules,
                     const AofLoadEnd& end)
    : env_(surroundings.env),
      logger_(surroundings.logger),
      progress_(surroundings.progress),
      rules_(rules),
      end_(end),
      applier_(surroundings.services) {}

bool AofLoader::fail(std::string_view reason) {
  error_ = fmt::format("{}: {}", path_, reason);
  return false;
}

// Applies the entry that was read. False: it has a command that is no effect.
bool AofLoader::apply() {
  const int db_before = applier_.db();
  bool good = true;
  applier_.begin();
  entries_.for_each_command([&](std::span<const std::string_view> words) {
    const Applier::Outcome outcome = applier_.apply(words);
    if (outcome == Applier::Outcome::applied) return true;
    const bool passed_over = outcome == Applier::Outcome::no_command && entries_.partly_known();
    const std::string what =
        fmt::format("{}: the entry at byte {}: {}", path_, entries_.begin(), applier_.error());
    good = outcome == Applier::Outcome::failed || passed_over;
    if (!good) {
      error_ = what;
    } else if (++failed_ <= kFailuresShown) {
      logger_.log(LogLevel::warning, what);
    }
    return good;
  });
  applier_.end();
  if (!good) applier_.select(db_before);
  ++progress_.entries;
  return good;
}

// --- a file

Task<bool> AofLoader::load(std::string path, uint64_t from, bool is_last) {
  path_ = path;
  damaged_ = false;
  error_.clear();
  const std::string history_id = entries_.history_id();
  const uint64_t offset = entries_.offset();
  entries_ = AofEntries(from);
  if (kSimulation && rules_.plants->checksum_ignored) entries_.ignore_checksums();
  entries_.set_history(history_id, offset);
  OpenFlags flags;
  flags.read = flags.write = true;
  Expected<Handle> file = co_await open_file(env_, path, flags);
  if (!file) co_return fail(describe(file.error()));
  Expected<uint64_t> size = co_await file_size(env_, *file);
  bool good = size.ok();
  if (!good) {
    fail(describe(size.error()));
  } else {
    file_bytes_ = *size;
    progress_.total_bytes += *size - std::min(*size, from);
    good = co_await read_file(*file, *size);
    const bool ends_early = good && !reached_end_ && entries_.begin() < *size;
    if (ends_early || damaged_) good = co_await end_incomplete(*file, *size, is_last);
  }
  env_.close(*file);
  co_return good;
}

// True at the end of the file, where an entry may be incomplete, or at the end that was asked for.
Task<bool> AofLoader::read_file(Handle file, uint64_t size) {
  const uint64_t loaded_before = progress_.loaded_bytes;
  for (;;) {
    const uint64_t entries_before = progress_.entries;
    for (bool more = false; !more;) {
      switch (entries_.next()) {
        case AofEntries::Item::need_more: more = true; break;
        case AofEntries::Item::time:
          has_times_ = true;
          if (end_.unix_s && entries_.time_s() > *end_.unix_s) reached_end_ = true;
          break;
        case AofEntries::Item::entry:
          if (end_.offset && entries_.entry_end_offset() > *end_.offset) {
            reached_end_ = true;
          } else if (!apply()) {
            co_return false;
          }
          break;
        case AofEntries::Item::damaged: damaged_ = true; co_return false;
      }
      if (reached_end_) co_return true;
    }
    env_.count_work(progress_.entries - entries_before);
    if (entries_.fed() >= size) co_return true;
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(
        size - entries_.fed(), std::max(kReadBytes, entries_.memory_bytes() / 2)));
    IoOp read(env_);
    read.op.kind = OpKind::read;
    read.op.handle = file;
    read.op.offset = entries_.fed();
    read.op.into = std::as_writable_bytes(std::span<char>(entries_.room(wanted), wanted));
    co_await read;
    entries_.took(static_cast<size_t>(read.op.result.bytes));
    if (!read.op.result.ok()) co_return fail(describe(read.op.result.error));
    if (read.op.result.bytes == 0) co_return fail("it became shorter while it was read");
    progress_.loaded_bytes = loaded_before + entries_.fed();
  }
}

// --- an end that is not whole

Task<bool> AofLoader::end_incomplete(Handle file, uint64_t size, bool is_last) {
  const uint64_t at = entries_.begin();
  const std::string reason(damaged_ ? entries_.problem() : entries_.incomplete());
  const std::string what =
      fmt::format("{}: {}; what is whole ends at byte {} of {}", path_, reason, at, size);
  if (kSimulation && rules_.plants->half_transaction_loaded && !damaged_) apply();
  if (!is_last && kSimulation && rules_.plants->tail_in_the_middle) {
    entries_.set_history({}, entries_.offset());  // or the gap would be seen
    co_return true;
  }
  if (!is_last) {
    error_ = fmt::format("{}, and another file follows. Nothing was changed.", what);
    co_return false;
  }
  const bool small = size - at <= rules_.corrupt_tail_max;
  // What a crash leaves may look like anything; in files that say what was synced it is known.
  const bool of_a_crash =
      !damaged_ || (entries_.has_history_line() && co_await rest_is_of_a_crash(file, size));
  if (!small && damaged_ && !of_a_crash) {
    error_ = fmt::format(
        "{}. This is not the end of what a crash has cut: later bytes of the file say that this "
        "was on "
        "the medium, or the file does not tell. Look at it with --check-aof; "
        "aof-load-corrupt-tail-max-size {} would cut it off",
        what, size - at);
    co_return false;
  }
  if (!small && !rules_.cut_incomplete) {
    error_ = fmt::format("{}. \"aof-load-truncated yes\" would cut the rest off", what);
    co_return false;
  }
  logger_.log(LogLevel::warning,
              fmt::format("{}. The rest, {} bytes, is cut off.", what, size - at));
  co_return co_await cut(file, at);
}

Task<bool> AofLoader::rest_is_of_a_crash(Handle file, uint64_t size) {
  std::string rest;
  for (uint64_t at = entries_.begin(); at < size;) {
    const size_t before = rest.size();
    rest.resize(before + static_cast<size_t>(std::min<uint64_t>(kReadBytes, size - at)));
    IoOp read(env_);
    read.op.kind = OpKind::read;
    read.op.handle = file;
    read.op.offset = at;
    read.op.into = std::as_writable_bytes(std::span<char>(rest).subspan(before));
    co_await read;
    if (!read.op.result.ok() || read.op.result.bytes == 0) co_return false;
    at += read.op.result.bytes;
    rest.resize(before + static_cast<size_t>(read.op.result.bytes));
    if (says_synced_above(rest, offset())) co_return false;
    // A line may stand across two pieces.
    rest.erase(0, rest.size() - std::min(rest.size(), kAnnotationMax));
  }
  co_return true;
}

Task<bool> AofLoader::cut(Handle file, uint64_t at) {
  if (kSimulation && rules_.plants->tail_kept) co_return true;
  IoOp io(env_);
  io.op.kind = OpKind::truncate;
  io.op.handle = file;
  io.op.offset = at;
  co_await io;
  if (io.op.result.ok()) {
    io.op.kind = OpKind::sync;
    co_await io;
  }
  if (!io.op.result.ok()) {
    co_return fail(describe(io.op.result.error));
  }
  file_bytes_ = at;
  co_return true;
}

}  // namespace redoubt
