// Strings as arrays of bits: SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP.
#include <algorithm>
#include <vector>

#include "engine/commands/bits/bitmap_offset.h"
#include "engine/commands/bits/bitmap_ops.h"
#include "engine/commands/families.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

std::optional<uint64_t> bit_offset(Context& c, size_t index, int field_bits) {
  std::string_view text = c.args[index];
  const bool in_fields = field_bits > 0 && text.starts_with('#');
  if (in_fields) text.remove_prefix(1);
  std::optional<int64_t> offset = parse_integer(text);
  if (offset && in_fields && __builtin_mul_overflow(*offset, int64_t{field_bits}, &*offset)) {
    offset.reset();
  }
  const uint64_t limit = c.settings().proto_max_bulk_len;
  if (offset && *offset >= 0 && static_cast<uint64_t>(*offset) / 8 < limit) {
    return static_cast<uint64_t>(*offset);
  }
  c.error("ERR bit offset is not an integer or out of range");
  return std::nullopt;
}

namespace {

// Bytes looked at for one unit of counted work.
constexpr size_t kBytesPerUnit = 4096;

// --- one bit

uint8_t bit_mask(uint64_t offset) {
  return static_cast<uint8_t>(0x80 >> (offset % 8));
}

bool bit_at(std::string_view bytes, uint64_t offset) {
  const uint64_t index = offset / 8;
  return index < bytes.size() && (static_cast<uint8_t>(bytes[index]) & bit_mask(offset)) != 0;
}

void getbit_command(Context& c) {
  const std::optional<uint64_t> offset = bit_offset(c, 2);
  if (!offset) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  c.reply.integer(bit_at(bytes_of(entry, scratch), *offset) ? 1 : 0);
}

void setbit_command(Context& c) {
  constexpr std::string_view kNoBit = "ERR bit is not an integer or out of range";
  const std::string_view key = c.args[1];
  const std::optional<uint64_t> offset = bit_offset(c, 2);
  if (!offset) return;
  const std::optional<int64_t> wanted = c.integer_between(3, 0, 1, kNoBit);
  if (!wanted) return;
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  const std::string_view bytes = bytes_of(entry, scratch);
  const size_t index = *offset / 8;
  const bool old_bit = bit_at(bytes, *offset);
  const bool new_bit = *wanted != 0;
  if (index >= bytes.size() || old_bit != new_bit) {
    if (index > bytes.size()) c.env().count_work((index - bytes.size()) / kBytesPerUnit);
    char& byte = c.db().string_for_update(key, c.hash(key), index + 1, {index, 1})[index];
    const uint8_t others = static_cast<uint8_t>(byte & ~bit_mask(*offset));
    byte = static_cast<char>(new_bit ? others | bit_mask(*offset) : others);
    c.modified(key, '$', "setbit");
  }
  c.reply.integer(old_bit ? 1 : 0);
}

// --- ranges

// A range as BITCOUNT and BITPOS take it.
struct BitRange {
  int64_t start = 0;
  std::optional<int64_t> end;  // without one: to the end of the string
  bool in_bits = false;
};

// Bits, both included.
struct Bits {
  uint64_t first;
  uint64_t last;
};

// Reads BYTE or BIT. False, after a syntax error.
bool read_unit(Context& c, size_t index, BitRange& range) {
  range.in_bits = c.is(index, "BIT");
  if (range.in_bits || c.is(index, "BYTE")) return true;
  c.syntax_error();
  return false;
}

// The bits of a string of `size` bytes that a range means; none when it is empty.
std::optional<Bits> resolve(const BitRange& range, size_t size) {
  const int64_t total = static_cast<int64_t>(range.in_bits ? size * 8 : size);
  int64_t start = range.start;
  int64_t end = range.end.value_or(total - 1);
  if (start < 0) start = std::max<int64_t>(total + start, 0);
  if (end < 0) end = std::max<int64_t>(total + end, 0);
  end = std::min(end, total - 1);
  if (start > end) return std::nullopt;
  const uint64_t first = static_cast<uint64_t>(start);
  const uint64_t last = static_cast<uint64_t>(end);
  if (range.in_bits) return Bits{first, last};
  return Bits{first * 8, last * 8 + 7};
}

void bitcount_command(Context& c) {
  const size_t count = c.args.size();
  BitRange range;
  if (count != 2) {
    if (count != 4 && count != 5) {
      c.syntax_error();
      return;
    }
    const std::optional<int64_t> start = c.integer(2);
    if (!start) return;
    range.end = c.integer(3);
    if (!range.end) return;
    range.start = *start;
    if (count == 5 && !read_unit(c, 4, range)) return;
  }
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  const std::string_view bytes = bytes_of(entry, scratch);
  // Two negative indexes in the wrong order are empty, even where both are cut to the first bit.
  const bool reversed = range.start < 0 && range.end && *range.end < 0 && range.start > *range.end;
  const std::optional<Bits> bits = reversed ? std::nullopt : resolve(range, bytes.size());
  if (!bits) {
    c.reply.integer(0);
    return;
  }
  c.env().count_work((bits->last - bits->first) / 8 / kBytesPerUnit);
  c.reply.integer(static_cast<int64_t>(count_bits_between(bytes, bits->first, bits->last)));
}

// False, after an error.
bool read_bitpos_range(Context& c, BitRange& range) {
  const size_t count = c.args.size();
  if (count > 6) {
    c.syntax_error();
    return false;
  }
  if (count > 3) {
    const std::optional<int64_t> start = c.integer(3);
    if (!start) return false;
    range.start = *start;
  }
  if (count == 6 && !read_unit(c, 5, range)) return false;
  if (count > 4) {
    range.end = c.integer(4);
    if (!range.end) return false;
  }
  return true;
}

void bitpos_command(Context& c) {
  const std::optional<int64_t> wanted = c.integer(2);
  if (!wanted) return;
  if (*wanted != 0 && *wanted != 1) {
    c.error("ERR The bit argument must be 1 or 0.");
    return;
  }
  BitRange range;
  if (!read_bitpos_range(c, range)) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  if (entry == nullptr) {
    c.reply.integer(*wanted == 0 ? 0 : -1);
    return;
  }
  StringScratch scratch;
  const std::string_view bytes = bytes_of(entry, scratch);
  const std::optional<Bits> bits = resolve(range, bytes.size());
  if (!bits) {
    c.reply.integer(-1);
    return;
  }
  const std::optional<uint64_t> at = find_bit(bytes, bits->first, bits->last, *wanted == 1);
  c.env().count_work((at.value_or(bits->last) - bits->first) / 8 / kBytesPerUnit);
  if (at) {
    c.reply.integer(static_cast<int64_t>(*at));
  } else {
    // Without an end, the string is followed by clear bits.
    const bool behind_end = *wanted == 0 && !range.end;
    c.reply.integer(behind_end ? static_cast<int64_t>(bits->last + 1) : -1);
  }
}

// --- BITOP

struct OperationName {
  std::string_view name;
  BitOperation operation;
  size_t sources_min;
};

constexpr OperationName kOperations[] = {
    {"AND", BitOperation::and_all, 1},  {"OR", BitOperation::or_all, 1},
    {"XOR", BitOperation::xor_all, 1},  {"NOT", BitOperation::invert, 1},
    {"DIFF", BitOperation::diff, 2},    {"DIFF1", BitOperation::diff1, 2},
    {"ANDOR", BitOperation::and_or, 2}, {"ONE", BitOperation::one, 1},
};

const OperationName* find_operation(std::string_view word) {
  for (const OperationName& operation : kOperations) {
    if (equal_ignoring_case(word, operation.name)) return &operation;
  }
  return nullptr;
}

// False, after an error.
bool source_count_ok(Context& c, const OperationName& named, size_t count) {
  if (named.operation == BitOperation::invert && count != 1) {
    c.error("ERR BITOP NOT must be called with a single source key.");
    return false;
  }
  if (count >= named.sources_min) return true;
  c.error(std::string("ERR BITOP ") + std::string(named.name) +
          " must be called with at least two source keys.");
  return false;
}

// The strings of the keys from argument `first` on. Integers are written out into `scratches`.
// False, after an error.
bool read_sources(Context& c, size_t first, std::vector<StringScratch>& scratches,
                  std::vector<std::string_view>& sources) {
  // Looking a key up may remove one that has expired, and entries do not stay over that.
  for (size_t i = first; i < c.args.size(); ++i) {
    if (c.wrong_type(c.read(c.args[i]), Type::string)) return false;
  }
  scratches.resize(c.args.size() - first);
  for (size_t i = first; i < c.args.size(); ++i) {
    sources.push_back(bytes_of(c.peek(c.args[i]), scratches[i - first]));
  }
  return true;
}

void bitop_command(Context& c) {
  constexpr size_t kFirstSource = 3;
  const OperationName* named = find_operation(c.args[1]);
  if (named == nullptr) {
    c.syntax_error();
    return;
  }
  if (!source_count_ok(c, *named, c.args.size() - kFirstSource)) return;
  const std::string_view target = c.args[2];
  std::vector<StringScratch> scratches;
  std::vector<std::string_view> sources;
  if (!read_sources(c, kFirstSource, scratches, sources)) return;
  size_t size = 0;
  for (const std::string_view source : sources) size = std::max(size, source.size());
  if (size == 0) {
    c.remove_destination(target);
  } else {
    Blob result;
    result.reserve(size);
    result.set_size(size);
    combine_bits(named->operation, sources, {result.data(), size});
    c.env().count_work(sources.size() * (size / kBytesPerUnit + 1));
    c.touch(target);
    const std::string_view bytes = result.view();
    c.db().set_string(target, c.hash(target), bytes, NewExpiry::none(), std::move(result));
    c.modified(target, '$', "set");
  }
  c.reply.integer(static_cast<int64_t>(size));
}

constexpr Command bitmap_rows[] = {
    {.name = "bitcount",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatBitmap,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "2.6.0",
     .group = "bitmap",
     .complexity = "O(N)",
     .summary = "Count set bits in a string",
     .arguments = "key:key [index:{start:integer end:integer "
                  "[index_unit:<byte(BYTE)|bit(BIT)>@7.0.0]}]",
     .history = "7.0.0: Added the `BYTE|BIT` option.",
     .handler = bitcount_command},
    {.name = "bitop",
     .arity = -4,
     .flags = kWrite | kDenyOom,
     .categories = kCatBitmap,
     .keys = {keys_at(kKeyOW | kKeyUpdate, 2), keys_at(kKeyRO | kKeyAccess, 3, -1)},
     .since = "2.6.0",
     .group = "bitmap",
     .complexity = "O(N)",
     .summary = "Perform bitwise operations between strings",
     .arguments = "operation:string destkey:key key:key#1...",
     .handler = bitop_command},
    {.name = "bitpos",
     .arity = -3,
     .flags = kReadOnly,
     .categories = kCatBitmap,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "2.8.7",
     .group = "bitmap",
     .complexity = "O(N)",
     .summary = "Find first bit set or clear in a string",
     .arguments = "key:key bit:integer [index:{start:integer [end_index:{end:integer "
                  "[index_unit:<byte(BYTE)|bit(BIT)>@7.0.0]}]}]",
     .history = "7.0.0: Added the `BYTE|BIT` option.",
     .handler = bitpos_command},
    {.name = "getbit",
     .arity = 3,
     .flags = kReadOnly | kFast,
     .categories = kCatBitmap,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "2.2.0",
     .group = "bitmap",
     .complexity = "O(1)",
     .summary = "Returns the bit value at offset in the string value stored at key",
     .arguments = "key:key offset:integer",
     .handler = getbit_command},
    {.name = "setbit",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .categories = kCatBitmap,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "2.2.0",
     .group = "bitmap",
     .complexity = "O(1)",
     .summary = "Sets or clears the bit at offset in the string value stored at key",
     .arguments = "key:key offset:integer value:integer",
     .handler = setbit_command},
};

}  // namespace

std::span<const Command> bitmap_commands() {
  return bitmap_rows;
}

}  // namespace redoubt
