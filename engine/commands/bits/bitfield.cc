// BITFIELD: integers of 1 to 64 bits at any place of a string.
//
// All operations are read and checked before the first one is executed. The string is then extended
// once, to the last bit that an operation writes.
#include <algorithm>
#include <array>
#include <vector>

#include "engine/commands/bits/bitmap_offset.h"
#include "engine/commands/families.h"
#include "engine/store/number.h"
#include "engine/store/string_type.h"
#include "net/text.h"

namespace redoubt {

namespace {

// Wide enough for a sum of two fields, and for the 9 bytes that a field may touch.
__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 WideBits;

enum class Overflow : uint8_t { wrap, saturate, fail };

struct FieldType {
  bool is_signed = false;
  int bits = 0;
};

struct FieldOperation {
  enum class Kind : uint8_t { get, set, increment };
  Kind kind = Kind::get;
  Overflow overflow = Overflow::wrap;
  FieldType type;
  uint64_t offset = 0;
  int64_t operand = 0;
};

// --- fields

// The bits of a field, in the low bits of the result. What is behind the end of the string is 0.
uint64_t read_field(std::string_view bytes, uint64_t offset, int bits) {
  // 64 bits lie in up to 9 bytes.
  WideBits window = 0;
  for (uint64_t index = offset / 8; index < offset / 8 + 9; ++index) {
    window = window << 8 | (index < bytes.size() ? static_cast<uint8_t>(bytes[index]) : 0);
  }
  const int behind = 72 - static_cast<int>(offset % 8) - bits;
  const uint64_t value = static_cast<uint64_t>(window >> behind);
  return bits == 64 ? value : value & ((uint64_t{1} << bits) - 1);
}

// Writes the low bits of the value. The field lies within the bytes.
void write_field(std::span<char> bytes, uint64_t offset, int bits, uint64_t value) {
  for (int done = 0; done < bits;) {
    const uint64_t at = offset + static_cast<uint64_t>(done);
    const int room = 8 - static_cast<int>(at % 8);
    const int count = std::min(room, bits - done);
    const uint32_t part_mask = (1u << count) - 1;
    const uint32_t part = static_cast<uint32_t>(value >> (bits - done - count)) & part_mask;
    char& byte = bytes[at / 8];
    const uint32_t others = static_cast<uint8_t>(byte) & ~(part_mask << (room - count));
    byte = static_cast<char>(others | part << (room - count));
    done += count;
  }
}

// The value of a field's bits.
int64_t value_of(uint64_t raw, FieldType type) {
  if (!type.is_signed || type.bits == 64) return static_cast<int64_t>(raw);
  const int unused = 64 - type.bits;
  return static_cast<int64_t>(raw << unused) >> unused;
}

// Fits a result into a field. False: it does not fit, and overflow is to fail.
bool fit(Wide result, FieldType type, Overflow overflow, int64_t& fitted) {
  const Wide one = 1;
  const Wide lowest = type.is_signed ? -(one << (type.bits - 1)) : 0;
  const Wide highest = (one << (type.is_signed ? type.bits - 1 : type.bits)) - 1;
  if (result >= lowest && result <= highest) {
    fitted = static_cast<int64_t>(result);
    return true;
  }
  switch (overflow) {
    case Overflow::fail: return false;
    case Overflow::saturate:
      fitted = static_cast<int64_t>(result < lowest ? lowest : highest);
      return true;
    case Overflow::wrap: break;
  }
  const uint64_t mask = type.bits == 64 ? ~uint64_t{0} : (uint64_t{1} << type.bits) - 1;
  fitted = value_of(static_cast<uint64_t>(result) & mask, type);
  return true;
}

// --- reading operations

std::optional<FieldType> field_type(Context& c, size_t index) {
  const std::string_view text = c.args[index];
  FieldType type;
  type.is_signed = text.starts_with('i');
  const bool has_sign = type.is_signed || text.starts_with('u');
  const std::optional<int64_t> bits =
      has_sign ? parse_integer(text.substr(1)) : std::optional<int64_t>{};
  if (!bits || *bits < 1 || *bits > (type.is_signed ? 64 : 63)) {
    c.error(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
        "i64 is.");
    return std::nullopt;
  }
  type.bits = static_cast<int>(*bits);
  return type;
}

// Reads OVERFLOW at argument `index`; false, after an error.
bool read_overflow(Context& c, size_t index, Overflow& overflow) {
  if (c.is(index, "WRAP")) {
    overflow = Overflow::wrap;
  } else if (c.is(index, "SAT")) {
    overflow = Overflow::saturate;
  } else if (c.is(index, "FAIL")) {
    overflow = Overflow::fail;
  } else {
    c.error("ERR Invalid OVERFLOW type specified");
    return false;
  }
  return true;
}

// Reads the operation at argument `index`, which moves to its last argument; false, after an error.
bool read_operation(Context& c, size_t& index, FieldOperation& operation) {
  const size_t following = c.args.size() - index - 1;
  if (c.is(index, "GET") && following >= 2) {
    operation.kind = FieldOperation::Kind::get;
  } else if (c.is(index, "SET") && following >= 3) {
    operation.kind = FieldOperation::Kind::set;
  } else if (c.is(index, "INCRBY") && following >= 3) {
    operation.kind = FieldOperation::Kind::increment;
  } else {
    c.syntax_error();
    return false;
  }
  const std::optional<FieldType> type = field_type(c, ++index);
  if (!type) return false;
  operation.type = *type;
  const std::optional<uint64_t> offset = bit_offset(c, ++index, type->bits);
  if (!offset) return false;
  operation.offset = *offset;
  if (operation.kind == FieldOperation::Kind::get) return true;
  const std::optional<int64_t> operand = c.integer(++index);
  if (!operand) return false;
  operation.operand = *operand;
  return true;
}

bool read_operations(Context& c, std::vector<FieldOperation>& operations) {
  Overflow overflow = Overflow::wrap;
  for (size_t i = 2; i < c.args.size(); ++i) {
    if (c.is(i, "OVERFLOW") && i + 1 < c.args.size()) {
      if (!read_overflow(c, ++i, overflow)) return false;
      continue;
    }
    FieldOperation operation;
    operation.overflow = overflow;
    if (!read_operation(c, i, operation)) return false;
    operations.push_back(operation);
  }
  return true;
}

// --- executing them

// True when the string was changed.
bool write_operation(Context& c, const FieldOperation& operation, std::span<char> bytes) {
  const FieldType type = operation.type;
  const uint64_t raw = read_field({bytes.data(), bytes.size()}, operation.offset, type.bits);
  const int64_t old_value = value_of(raw, type);
  const bool sets = operation.kind == FieldOperation::Kind::set;
  Wide result = operation.operand;
  if (!sets) {
    result += old_value;
  } else if (!type.is_signed) {
    // A negative number that is set into an unsigned field is a large one.
    result = static_cast<uint64_t>(operation.operand);
  }
  int64_t new_value;
  if (!fit(result, type, operation.overflow, new_value)) {
    c.reply.null();
    return false;
  }
  c.reply.integer(sets ? old_value : new_value);
  write_field(bytes, operation.offset, type.bits, static_cast<uint64_t>(new_value));
  return old_value != new_value;
}

void reply_field(Context& c, const FieldOperation& operation, std::string_view bytes) {
  const uint64_t raw = read_field(bytes, operation.offset, operation.type.bits);
  c.reply.integer(value_of(raw, operation.type));
}

void read_fields(Context& c, std::span<const FieldOperation> operations) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  const std::string_view bytes = bytes_of(entry, scratch);
  c.reply.array(operations.size());
  for (const FieldOperation& operation : operations) reply_field(c, operation, bytes);
}

void update_fields(Context& c, std::span<const FieldOperation> operations, size_t size) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::string)) return;
  const size_t old_size = entry == nullptr ? 0 : string_length(*entry);
  uint64_t first_bit = uint64_t{size} * 8;
  for (const FieldOperation& operation : operations) {
    if (operation.kind == FieldOperation::Kind::get) continue;
    first_bit = std::min(first_bit, operation.offset);
  }
  const std::span<char> bytes =
      c.db().string_for_update(key, c.hash(key), size, {first_bit / 8, size - first_bit / 8});
  uint64_t changes = 0;
  c.reply.array(operations.size());
  for (const FieldOperation& operation : operations) {
    if (operation.kind == FieldOperation::Kind::get) {
      reply_field(c, operation, {bytes.data(), bytes.size()});
    } else if (write_operation(c, operation, bytes)) {
      ++changes;
    }
  }
  // One that only made it longer is a change too.
  if (changes == 0 && bytes.size() != old_size) changes = 1;
  if (changes > 0) c.modified(key, '$', "setbit", changes);
}

void bitfield(Context& c, bool only_get) {
  std::vector<FieldOperation> operations;
  if (!read_operations(c, operations)) return;
  bool writes = false;
  uint64_t end_bit = 0;
  for (const FieldOperation& operation : operations) {
    if (operation.kind == FieldOperation::Kind::get) continue;
    writes = true;
    end_bit = std::max(end_bit, operation.offset + static_cast<uint64_t>(operation.type.bits));
  }
  c.env().count_work(operations.size());
  if (!writes) {
    read_fields(c, operations);
  } else if (only_get) {
    c.error("ERR BITFIELD_RO only supports the GET subcommand");
  } else {
    update_fields(c, operations, (end_bit + 7) / 8);
  }
}

// A BITFIELD that only has GETs reads; one that makes no sense might write.
uint32_t bitfield_key_flags(std::span<const std::string_view> args) {
  for (size_t i = 2; i < args.size();) {
    const size_t following = args.size() - i - 1;
    if (equal_ignoring_case(args[i], "GET") && following >= 2) {
      i += 3;
    } else if (equal_ignoring_case(args[i], "OVERFLOW") && following >= 1) {
      i += 2;
    } else {
      return kKeyRW | kKeyAccess | kKeyUpdate;
    }
  }
  return kKeyRO | kKeyAccess;
}

void bitfield_command(Context& c) {
  bitfield(c, false);
}

void bitfield_ro_command(Context& c) {
  bitfield(c, true);
}

constexpr Command bitfield_rows[] = {
    {.name = "bitfield",
     .arity = -2,
     .flags = kWrite | kDenyOom,
     .categories = kCatBitmap,
     .keys = {noted(keys_at(kKeyRW | kKeyAccess | kKeyUpdate | kKeyVariableFlags, 1),
                    "This command allows both access and modification of the key")},
     .since = "3.2.0",
     .group = "bitmap",
     .complexity = "O(1) for each subcommand specified",
     .summary = "Perform arbitrary bitfield integer operations on strings",
     .arguments =
         "key:key [operation:<encoding_offset:{encoding:string offset:integer}(GET)|"
         "write:{[wrap_sat_fail:<wrap(WRAP)|sat(SAT)|fail(FAIL)>(OVERFLOW)] "
         "write_operation:<encoding_offset_value:{encoding:string offset:integer value:integer}"
         "(SET)|encoding_offset_increment:{encoding:string offset:integer increment:integer}"
         "(INCRBY)>}>...]",
     .handler = bitfield_command,
     .key_flags = bitfield_key_flags},
    {.name = "bitfield_ro",
     .arity = -2,
     .flags = kReadOnly | kFast,
     .categories = kCatBitmap,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.0.0",
     .group = "bitmap",
     .complexity = "O(1) for each subcommand specified",
     .summary = "Perform arbitrary bitfield integer operations on strings. Read-only variant of "
                "BITFIELD",
     .arguments = "key:key [encoding_offset:{encoding:string offset:integer}(GET)*...]",
     .handler = bitfield_ro_command},
};

}  // namespace

std::span<const Command> bitfield_commands() {
  return bitfield_rows;
}

}  // namespace redoubt
