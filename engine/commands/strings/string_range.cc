// Strings in parts: APPEND, GETRANGE, SETRANGE, STRLEN, LCS.
#include <algorithm>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/strings/string_lcs.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/string_type.h"

namespace redoubt {

namespace {

// Bytes copied for one unit of counted work.
constexpr size_t kBytesPerUnit = 4096;

// Replies with an error when a string would become longer than a client could send.
bool size_allowed(Context& c, uint64_t offset, uint64_t added) {
  const uint64_t limit = c.settings().proto_max_bulk_len;
  if (offset <= limit && added <= limit - offset) return true;
  c.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  return false;
}

void write_at(Context& c, std::string_view key, size_t offset, std::string_view bytes) {
  const std::span<char> target =
      c.db().string_for_update(key, c.hash(key), offset + bytes.size(), {offset, bytes.size()});
  if (!bytes.empty()) std::memcpy(target.data() + offset, bytes.data(), bytes.size());
  c.env().count_work(bytes.size() / kBytesPerUnit);
}

void append_command(Context& c) {
  const std::string_view key = c.args[1];
  const std::string_view added = c.args[2];
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::string)) return;
  size_t size = 0;
  if (entry == nullptr) {
    c.db().set_string(key, c.hash(key), added, NewExpiry::none(), large_blob(c, 2));
  } else {
    size = string_length(*entry);
    if (!size_allowed(c, size, added.size())) return;
    write_at(c, key, size, added);
  }
  c.modified(key, '$', "append");
  c.reply.integer(static_cast<int64_t>(size + added.size()));
}

void setrange_command(Context& c) {
  const std::string_view key = c.args[1];
  const std::string_view bytes = c.args[3];
  const std::optional<int64_t> offset = c.integer(2);
  if (!offset) return;
  if (*offset < 0) {
    c.error("ERR offset is out of range");
    return;
  }
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::string)) return;
  const size_t size = entry == nullptr ? 0 : string_length(*entry);
  if (bytes.empty()) {
    c.reply.integer(static_cast<int64_t>(size));
    return;
  }
  const size_t begin = static_cast<size_t>(*offset);
  if (!size_allowed(c, begin, bytes.size())) return;
  if (begin > size) c.env().count_work((begin - size) / kBytesPerUnit);
  write_at(c, key, begin, bytes);
  c.modified(key, '$', "setrange");
  c.reply.integer(static_cast<int64_t>(std::max(size, begin + bytes.size())));
}

void getrange_command(Context& c) {
  const std::optional<int64_t> start = c.integer(2);
  if (!start) return;
  const std::optional<int64_t> end = c.integer(3);
  if (!end) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  const std::string_view value =
      entry == nullptr ? std::string_view{} : string_value(*entry, scratch);
  const int64_t size = static_cast<int64_t>(value.size());
  // Two negative indexes in the wrong order are empty, even where both are cut to the first byte.
  const bool reversed = *start < 0 && *end < 0 && *start > *end;
  const int64_t first = std::max<int64_t>(*start < 0 ? size + *start : *start, 0);
  const int64_t last = std::min(std::max<int64_t>(*end < 0 ? size + *end : *end, 0), size - 1);
  if (reversed || first > last) {
    c.reply.bulk({});
    return;
  }
  const size_t count = static_cast<size_t>(last - first + 1);
  c.reply.bulk(value.substr(static_cast<size_t>(first), count));
  c.env().count_work(count / kBytesPerUnit);
}

void strlen_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(string_length(*entry)));
}

// --- LCS

struct LcsOptions {
  bool only_length = false;
  bool indexes = false;
  bool with_length = false;
  int64_t min_length = 0;
};

bool read_lcs_options(Context& c, LcsOptions& options) {
  for (size_t i = 3; i < c.args.size(); ++i) {
    if (c.is(i, "IDX")) {
      options.indexes = true;
    } else if (c.is(i, "LEN")) {
      options.only_length = true;
    } else if (c.is(i, "WITHMATCHLEN")) {
      options.with_length = true;
    } else if (c.is(i, "MINMATCHLEN") && i + 1 < c.args.size()) {
      const std::optional<int64_t> length = c.integer(++i);
      if (!length) return false;
      options.min_length = *length;
    } else {
      c.syntax_error();
      return false;
    }
  }
  if (!options.indexes || !options.only_length) return true;
  c.error("ERR If you want both the length and indexes, please just use IDX.");
  return false;
}

// Redis's limits, which are those of its table of 4 bytes a cell. Ours is never larger than that,
// and 32 times smaller for long strings.
bool lcs_size_allowed(Context& c, size_t a, size_t b) {
  constexpr size_t kLongest = UINT32_MAX - 2;
  if (a > kLongest || b > kLongest) {
    c.error("ERR String too long for LCS");
    return false;
  }
  const uint64_t cells = (uint64_t{a} + 1) * (uint64_t{b} + 1);
  if (cells <= c.settings().proto_max_bulk_len / 4) return true;
  c.error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  return false;
}

// A common run: `length` bytes that begin at a and b.
struct LcsRun {
  size_t a;
  size_t b;
  size_t length;
};

// The runs, last one first. A step without a match in one of the strings ends a run.
std::vector<LcsRun> runs_of(const CommonSubsequence& common, int64_t min_length) {
  std::vector<LcsRun> runs;
  common.walk([&](size_t i, size_t j) {
    if (!runs.empty() && runs.back().a == i + 1 && runs.back().b == j + 1) {
      runs.back() = {i, j, runs.back().length + 1};
    } else {
      runs.push_back({i, j, 1});
    }
  });
  std::erase_if(runs,
                [&](const LcsRun& run) { return static_cast<int64_t>(run.length) < min_length; });
  return runs;
}

void reply_runs(Context& c, const CommonSubsequence& common, const LcsOptions& options) {
  const auto range = [&](size_t begin, size_t length) {
    c.reply.array(2);
    c.reply.integer(static_cast<int64_t>(begin));
    c.reply.integer(static_cast<int64_t>(begin + length - 1));
  };
  const std::vector<LcsRun> runs = runs_of(common, options.min_length);
  c.reply.map(2);
  c.reply.bulk("matches");
  c.reply.array(runs.size());
  for (const LcsRun& run : runs) {
    c.reply.array(options.with_length ? 3 : 2);
    range(run.a, run.length);
    range(run.b, run.length);
    if (options.with_length) c.reply.integer(static_cast<int64_t>(run.length));
  }
  c.reply.bulk("len");
  c.reply.integer(static_cast<int64_t>(common.length()));
}

void reply_common(Context& c, std::string_view a, std::string_view b, const LcsOptions& options) {
  const CommonSubsequence common(a, b, options.only_length);
  c.env().count_work(common.work() / 64);
  if (options.indexes) {
    reply_runs(c, common, options);
  } else if (options.only_length) {
    c.reply.integer(static_cast<int64_t>(common.length()));
  } else {
    std::string text(common.length(), '\0');
    size_t at = text.size();
    common.walk([&](size_t i, size_t) { text[--at] = a[i]; });
    c.reply.bulk(text);
  }
}

void lcs_command(Context& c) {
  // Looking up the second key may remove it or the first, when they have expired: look twice.
  c.read(c.args[1]);
  const Entry* second = c.read(c.args[2]);
  const Entry* first = c.peek(c.args[1]);
  if ((first != nullptr && first->type() != Type::string) ||
      (second != nullptr && second->type() != Type::string)) {
    c.error("ERR The specified keys must contain string values");
    return;
  }
  LcsOptions options;
  if (!read_lcs_options(c, options)) return;
  StringScratch scratch[2];
  const std::string_view a = first == nullptr ? "" : string_value(*first, scratch[0]);
  const std::string_view b = second == nullptr ? "" : string_value(*second, scratch[1]);
  if (lcs_size_allowed(c, a.size(), b.size())) reply_common(c, a, b, options);
}

constexpr std::string_view kGetRangeComplexity =
    "O(N) where N is the length of the returned string. The complexity is ultimately determined by "
    "the returned length, but because creating a substring from an existing string is very cheap, "
    "it can be considered O(1) for small strings.";

// What GETRANGE and its old name have in common.
constexpr Command getrange_row(Command row) {
  row.arity = 4;
  row.flags = kReadOnly;
  row.categories = kCatString;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.group = "string";
  row.complexity = kGetRangeComplexity;
  row.summary = "Get a substring of the string stored at a key";
  row.arguments = "key:key start:integer end:integer";
  row.handler = getrange_command;
  return row;
}

constexpr Command string_range_rows[] = {
    {.name = "append",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRW | kKeyInsert, 1)},
     .since = "2.0.0",
     .group = "string",
     .complexity = "O(1). The amortized time complexity is O(1) assuming the appended value is "
                   "small and the already present value is of any size, since the dynamic string "
                   "library used by Redis will double the free space available on every "
                   "reallocation.",
     .summary = "Append a value to a key",
     .arguments = "key:key value:string",
     .handler = append_command},
    getrange_row({.name = "getrange", .since = "2.4.0"}),
    {.name = "lcs",
     .arity = -3,
     .flags = kReadOnly,
     .categories = kCatString,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1, 1)},
     .since = "7.0.0",
     .group = "string",
     .complexity = "O(N*M) where N and M are the lengths of s1 and s2, respectively",
     .summary = "Find longest common substring",
     .arguments = "key1:key key2:key [len(LEN)] [idx(IDX)] [len:integer(MINMATCHLEN)] "
                  "[withmatchlen(WITHMATCHLEN)]",
     .handler = lcs_command},
    {.name = "setrange",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .categories = kCatString,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "2.2.0",
     .group = "string",
     .complexity = "O(1), not counting the time taken to copy the new string in place. Usually, "
                   "this string is very small so the amortized complexity is O(1). Otherwise, "
                   "complexity is O(M) with M being the length of the value argument.",
     .summary = "Overwrite part of a string at key starting at the specified offset",
     .arguments = "key:key offset:integer value:string",
     .handler = setrange_command},
    {.name = "strlen",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "2.2.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Get the length of the value stored in a key",
     .arguments = "key:key",
     .handler = strlen_command},
    getrange_row({.name = "substr", .since = "1.0.0", .deprecated = "2.0.0: `GETRANGE`"}),
};

}  // namespace

std::span<const Command> string_range_commands() {
  return string_range_rows;
}

}  // namespace redoubt
