#include "engine/persist/aof/aof_format.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "engine/effects/history.h"
#include "net/assert.h"

namespace redoubt {

namespace {

constexpr std::string_view kEntryPrefix = "#R:";
constexpr std::string_view kPartlyKnownPrefix = "#P:";
constexpr std::string_view kHistoryPrefix = "#H:";
constexpr std::string_view kSyncedPrefix = "#S:";
constexpr std::string_view kTimePrefix = "#TS:";

// Each byte as two digits.
constexpr auto kHexPairs = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 4], kDigits[i & 15]};
  return pairs;
}();

template <size_t kDigits>
char* write_hex(char* to, uint64_t value) {
  for (size_t i = 0; i < kDigits / 2; ++i) {
    std::memcpy(to + 2 * i, kHexPairs[value >> (4 * (kDigits - 2) - 8 * i) & 255].data(), 2);
  }
  return to + kDigits;
}

// All of the text as a number; nothing when it is none.
template <typename T>
std::optional<T> whole_number(std::string_view text, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

uint32_t entry_checksum(std::string_view entry, uint64_t end_offset) {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(entry.data(), entry.size(), end_offset));
}

void write_entry_mark(char* to, const EntryMark& mark) {
  const std::string_view prefix = mark.partly_known ? kPartlyKnownPrefix : kEntryPrefix;
  to = prefix.copy(to, prefix.size()) + to;
  to = write_hex<8>(to, mark.checksum);
  *to++ = ':';
  to = write_hex<16>(to, mark.end_offset);
  *to++ = '\r';
  *to = '\n';
}

void append_history_line(std::string& out, std::string_view history_id, uint64_t offset,
                         uint64_t effects_end) {
  ASSERT(history_id.size() == History::kIdLength && effects_end <= offset);
  out += fmt::format("{}{}:{}", kHistoryPrefix, history_id, offset);
  if (effects_end < offset) out += fmt::format(":{}", effects_end);
  out += "\r\n";
}

void append_select(std::string& out, int db) {
  const std::string digits = fmt::to_string(db);
  out += fmt::format("*2\r\n$6\r\nSELECT\r\n${}\r\n{}\r\n", digits.size(), digits);
}

void append_synced_line(std::string& out, uint64_t offset) {
  char digits[16];
  write_hex<16>(digits, offset);
  out += kSyncedPrefix;
  out.append(digits, sizeof digits);
  out += "\r\n";
}

void append_time_line(std::string& out, int64_t unix_s) {
  out += fmt::format("{}{}\r\n", kTimePrefix, unix_s);
}

std::optional<EntryMark> parse_entry_mark(std::string_view line) {
  const bool partly_known = line.starts_with(kPartlyKnownPrefix);
  if (!partly_known && !line.starts_with(kEntryPrefix)) return std::nullopt;
  if (line.size() != kEntryMarkBytes - 2) return std::nullopt;
  line.remove_prefix(kEntryPrefix.size());
  const auto checksum = whole_number<uint32_t>(line.substr(0, 8), 16);
  const auto offset = whole_number<uint64_t>(line.substr(9), 16);
  if (!checksum || !offset || line[8] != ':') return std::nullopt;
  return EntryMark{*checksum, *offset, partly_known};
}

std::optional<HistoryLine> parse_history_line(std::string_view line) {
  constexpr size_t kIdEnd = kHistoryPrefix.size() + History::kIdLength;
  if (!line.starts_with(kHistoryPrefix) || line.size() < kIdEnd + 2 || line[kIdEnd] != ':') {
    return std::nullopt;
  }
  const std::string_view numbers = line.substr(kIdEnd + 1);
  const size_t colon = std::min(numbers.find(':'), numbers.size());
  const auto offset = whole_number<uint64_t>(numbers.substr(0, colon), 10);
  if (!offset) return std::nullopt;
  const auto end =
      colon == numbers.size() ? offset : whole_number<uint64_t>(numbers.substr(colon + 1), 10);
  if (!end || *end > *offset) return std::nullopt;
  return HistoryLine{line.substr(kHistoryPrefix.size(), History::kIdLength), *offset, *end};
}

std::optional<uint64_t> parse_synced_line(std::string_view line) {
  if (!line.starts_with(kSyncedPrefix) || line.size() != kSyncedPrefix.size() + 16) {
    return std::nullopt;
  }
  return whole_number<uint64_t>(line.substr(kSyncedPrefix.size()), 16);
}

bool says_synced_above(std::string_view bytes, uint64_t offset) {
  for (size_t at = bytes.find(kSyncedPrefix); at != std::string_view::npos;
       at = bytes.find(kSyncedPrefix, at + 1)) {
    const size_t end = bytes.find('\r', at);
    if (end == std::string_view::npos) return false;
    if (at > 0 && bytes[at - 1] != '\n') continue;
    const std::optional<uint64_t> synced = parse_synced_line(bytes.substr(at, end - at));
    if (synced && *synced > offset) return true;
  }
  return false;
}

std::optional<int64_t> parse_time_line(std::string_view line) {
  if (!line.starts_with(kTimePrefix)) return std::nullopt;
  return whole_number<int64_t>(line.substr(kTimePrefix.size()), 10);
}

}  // namespace redoubt
