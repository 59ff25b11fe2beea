// The bitmap family. Bit 0 is the highest bit of the first byte.
#include <algorithm>
#include <limits>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

constexpr std::string_view bad_offset_text = "ERR bit offset is not an integer or out of range";

bool bit_at(const std::string& text, uint64_t offset) {
  const uint64_t byte = offset / 8;
  return byte < text.size() &&
         ((static_cast<unsigned char>(text[byte]) >> (7 - offset % 8)) & 1) != 0;
}

void put_bit(std::string& text, uint64_t offset, bool value) {
  const auto mask = static_cast<unsigned char>(1U << (7 - offset % 8));
  auto byte = static_cast<unsigned char>(text[offset / 8]);
  byte = static_cast<unsigned char>(value ? byte | mask : byte & ~mask);
  text[offset / 8] = static_cast<char>(byte);
}

void grow_to_hold(std::string& text, uint64_t last_bit) {
  text.resize(std::max(text.size(), static_cast<size_t>(last_bit / 8 + 1)), '\0');
}

// `bits_each` is not 0 where "#n" is allowed and counts in units of so many bits.
std::optional<uint64_t> parse_bit_offset(const ModelCall& call, std::string_view text,
                                         int64_t bits_each) {
  const bool counted = bits_each != 0 && !text.empty() && text[0] == '#';
  std::optional<int64_t> number = parse_integer(counted ? text.substr(1) : text);
  if (!number) {
    return std::nullopt;
  }
  const Wide offset = Wide{*number} * (counted ? bits_each : 1);
  if (offset < 0 || offset / 8 >= call.config().bulk_bytes_max) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(offset);
}

ModelReply setbit_command(ModelCall& call) {
  std::optional<uint64_t> offset = parse_bit_offset(call, call.argument(2), 0);
  if (!offset) {
    return reply_error(bad_offset_text);
  }
  std::optional<int64_t> bit = parse_integer(call.argument(3));
  if (!bit || (*bit != 0 && *bit != 1)) {
    return reply_error("ERR bit is not an integer or out of range");
  }
  const ModelEntry* entry = call.find(call.argument(1));
  if (entry != nullptr && entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  ModelEntry& target = call.create(call.argument(1));
  grow_to_hold(target.text, *offset);
  const bool old_bit = bit_at(target.text, *offset);
  put_bit(target.text, *offset, *bit == 1);
  target.rewritten = true;
  return reply_integer(old_bit ? 1 : 0);
}

ModelReply getbit_command(ModelCall& call) {
  std::optional<uint64_t> offset = parse_bit_offset(call, call.argument(2), 0);
  if (!offset) {
    return reply_error(bad_offset_text);
  }
  const ModelEntry* entry = call.find(call.argument(1));
  if (entry != nullptr && entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  return reply_integer(entry != nullptr && bit_at(entry->text, *offset) ? 1 : 0);
}

// --- BITCOUNT and BITPOS -------------------------------------------------------------------------

// A range in bits, [first, last]; empty when first > last.
struct BitRange {
  int64_t first = 0;
  int64_t last = -1;
};

BitRange resolve_range(int64_t start, int64_t end, bool in_bits, size_t bytes) {
  const auto size = static_cast<int64_t>(bytes) * (in_bits ? 8 : 1);
  const int64_t first = std::max<int64_t>(start < 0 ? size + start : start, 0);
  const int64_t last = std::min(std::max<int64_t>(end < 0 ? size + end : end, 0), size - 1);
  if (first > last) {
    return BitRange();
  }
  return in_bits ? BitRange{first, last} : BitRange{first * 8, last * 8 + 7};
}

// BYTE or BIT; nothing for another word.
std::optional<bool> unit_is_bit(std::string_view word) {
  if (same_word(word, "BIT")) {
    return true;
  }
  return same_word(word, "BYTE") ? std::optional<bool>(false) : std::nullopt;
}

struct RangeArguments {
  int64_t start = 0;
  int64_t end = -1;
  bool in_bits = false;
};

// [start end [unit]] at `from`; where `end_is_optional`, a start alone is fine.
std::optional<ModelReply> take_range(const ModelCall& call, size_t from, bool end_is_optional,
                                     RangeArguments& range) {
  const size_t given = call.count() - from;
  if (given > 3 || (given == 1 && !end_is_optional)) {
    return reply_error(syntax_text);
  }
  if (given == 0) {
    return std::nullopt;
  }
  std::optional<int64_t> start = parse_integer(call.argument(from));
  if (!start) {
    return reply_error(not_integer_text);
  }
  range.start = *start;
  if (given == 3 && end_is_optional) {  // BITPOS looks at the unit before the end
    std::optional<bool> bits = unit_is_bit(call.argument(from + 2));
    if (!bits) {
      return reply_error(syntax_text);
    }
    range.in_bits = *bits;
  }
  if (given >= 2) {
    std::optional<int64_t> end = parse_integer(call.argument(from + 1));
    if (!end) {
      return reply_error(not_integer_text);
    }
    range.end = *end;
  }
  if (given == 3) {
    std::optional<bool> bits = unit_is_bit(call.argument(from + 2));
    if (!bits) {
      return reply_error(syntax_text);
    }
    range.in_bits = *bits;
  }
  return std::nullopt;
}

// 7.0 looks at nothing else when the key is missing, and not at the unit when the range is empty.
bool redis_7_0_answers_zero(const ModelCall& call, const ModelEntry* entry) {
  if (entry == nullptr || call.count() != 5) {
    return entry == nullptr;
  }
  std::optional<int64_t> start = parse_integer(call.argument(2));
  std::optional<int64_t> end = parse_integer(call.argument(3));
  return start && end && *start < 0 && *end < 0 && *start > *end;
}

// 7.0 looks at the type before the range.
bool redis_7_0_sees_wrong_type(const ModelCall& call, const ModelEntry* entry) {
  return call.config().as_redis_7_0 && entry != nullptr && entry->type != ModelType::string;
}

ModelReply bitcount_command(ModelCall& call) {
  RangeArguments range;
  const ModelEntry* entry = call.find(call.argument(1));
  if (redis_7_0_sees_wrong_type(call, entry)) {
    return reply_error(wrong_type_text);
  }
  if (call.config().as_redis_7_0 && redis_7_0_answers_zero(call, entry)) {
    return reply_integer(0);
  }
  if (std::optional<ModelReply> error = take_range(call, 2, false, range)) {
    return *error;
  }
  if (entry == nullptr) {
    return reply_integer(0);
  }
  if (entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  // Two negative indexes in the wrong order are empty even where both are cut to the first one.
  if (range.start < 0 && range.end < 0 && range.start > range.end) {
    return reply_integer(0);
  }
  const BitRange bits = resolve_range(range.start, range.end, range.in_bits, entry->text.size());
  int64_t count = 0;
  for (int64_t i = bits.first; i <= bits.last; i++) {
    count += bit_at(entry->text, static_cast<uint64_t>(i)) ? 1 : 0;
  }
  return reply_integer(count);
}

ModelReply bitpos_command(ModelCall& call) {
  std::optional<int64_t> wanted = parse_integer(call.argument(2));
  if (!wanted) {
    return reply_error(not_integer_text);
  }
  if (*wanted != 0 && *wanted != 1) {
    return reply_error("ERR The bit argument must be 1 or 0.");
  }
  const ModelEntry* entry = call.find(call.argument(1));
  if (call.config().as_redis_7_0 && entry == nullptr) {
    return reply_integer(*wanted == 1 ? -1 : 0);
  }
  if (redis_7_0_sees_wrong_type(call, entry)) {
    return reply_error(wrong_type_text);
  }
  RangeArguments range;
  if (std::optional<ModelReply> error = take_range(call, 3, true, range)) {
    return *error;
  }
  if (entry == nullptr) {
    return reply_integer(*wanted == 1 ? -1 : 0);
  }
  if (entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  const BitRange bits = resolve_range(range.start, range.end, range.in_bits, entry->text.size());
  for (int64_t i = bits.first; i <= bits.last; i++) {
    if (bit_at(entry->text, static_cast<uint64_t>(i)) == (*wanted == 1)) {
      return reply_integer(i);
    }
  }
  // Without an end the string goes on in zeros for ever.
  const bool end_given = call.count() > 4;
  const bool found_behind = *wanted == 0 && !end_given && bits.first <= bits.last;
  return reply_integer(found_behind ? bits.last + 1 : -1);
}

// --- BITOP ---------------------------------------------------------------------------------------

enum class BitOperation : uint8_t { and_all, or_all, xor_all, not_one, diff, diff1, andor, one };

struct BitOperationRow {
  std::string_view word;
  BitOperation operation;
};

constexpr BitOperationRow bit_operations[] = {
    {"AND", BitOperation::and_all}, {"OR", BitOperation::or_all}, {"XOR", BitOperation::xor_all},
    {"NOT", BitOperation::not_one}, {"DIFF", BitOperation::diff}, {"DIFF1", BitOperation::diff1},
    {"ANDOR", BitOperation::andor}, {"ONE", BitOperation::one},
};

// The result for one bit: how many sources have it, and whether the first one does.
bool combine(BitOperation operation, size_t set, size_t sources, bool first) {
  const size_t set_in_others = set - (first ? 1 : 0);
  switch (operation) {
    case BitOperation::and_all: return set == sources;
    case BitOperation::or_all: return set > 0;
    case BitOperation::xor_all: return set % 2 == 1;
    case BitOperation::not_one: return set == 0;
    case BitOperation::diff: return first && set_in_others == 0;
    case BitOperation::diff1: return !first && set_in_others > 0;
    case BitOperation::andor: return first && set_in_others > 0;
    case BitOperation::one: return set == 1;
  }
  return false;
}

std::optional<ModelReply> check_sources(const BitOperationRow& row, size_t sources) {
  if (row.operation == BitOperation::not_one && sources != 1) {
    return reply_error("ERR BITOP NOT must be called with a single source key.");
  }
  const bool needs_two = row.operation == BitOperation::diff ||
                         row.operation == BitOperation::diff1 ||
                         row.operation == BitOperation::andor;
  if (needs_two && sources < 2) {
    return reply_error("ERR BITOP " + std::string(row.word) +
                       " must be called with at least two source keys.");
  }
  return std::nullopt;
}

ModelReply bitop_command(ModelCall& call) {
  const auto* row = std::find_if(
      std::begin(bit_operations), std::end(bit_operations),
      [&](const BitOperationRow& each) { return same_word(call.argument(1), each.word); });
  if (row == std::end(bit_operations)) {
    return reply_error(syntax_text);
  }
  const size_t sources = call.count() - 3;
  if (std::optional<ModelReply> error = check_sources(*row, sources)) {
    return *error;
  }
  std::vector<std::string> texts;
  size_t longest = 0;
  for (size_t i = 3; i < call.count(); i++) {
    const ModelEntry* entry = call.find(call.argument(i));
    if (entry != nullptr && entry->type != ModelType::string) {
      return reply_error(wrong_type_text);
    }
    texts.push_back(entry != nullptr ? entry->text : "");
    longest = std::max(longest, texts.back().size());
  }
  std::string result(longest, '\0');
  for (uint64_t bit = 0; bit < longest * 8; bit++) {
    size_t set = 0;
    for (const std::string& text : texts) {
      set += bit_at(text, bit) ? 1 : 0;
    }
    put_bit(result, bit, combine(row->operation, set, sources, bit_at(texts[0], bit)));
  }
  if (longest == 0) {
    call.erase(call.argument(2));
  } else {
    call.set(call.argument(2), std::move(result)).rewritten = true;
  }
  return reply_integer(static_cast<int64_t>(longest));
}

// --- BITFIELD ------------------------------------------------------------------------------------

enum class FieldVerb : uint8_t { get, set, increase };
enum class Overflow : uint8_t { wrap, saturate, fail };

struct FieldOperation {
  FieldVerb verb = FieldVerb::get;
  Overflow overflow = Overflow::wrap;
  bool is_signed = false;
  int bits = 0;
  uint64_t offset = 0;
  int64_t operand = 0;
};

// The field's limits. u63 is the widest unsigned one, so everything fits a Wide.
Wide lowest_of(const FieldOperation& field) {
  return field.is_signed ? -(Wide{1} << (field.bits - 1)) : Wide{0};
}

Wide largest_of(const FieldOperation& field) {
  return (Wide{1} << (field.is_signed ? field.bits - 1 : field.bits)) - 1;
}

Wide read_field(const std::string& text, const FieldOperation& field) {
  Wide value = 0;
  for (int i = 0; i < field.bits; i++) {
    value = value * 2 + (bit_at(text, field.offset + static_cast<uint64_t>(i)) ? 1 : 0);
  }
  return value > largest_of(field) ? value - (Wide{1} << field.bits) : value;
}

void write_field(std::string& text, const FieldOperation& field, Wide value) {
  const auto pattern = static_cast<UnsignedWide>(value);
  for (int i = 0; i < field.bits; i++) {
    put_bit(text, field.offset + static_cast<uint64_t>(i),
            ((pattern >> (field.bits - 1 - i)) & 1) != 0);
  }
}

// Brings `value` into the field's range; nothing when it must fail.
std::optional<Wide> fit_field(const FieldOperation& field, Wide value) {
  if (value >= lowest_of(field) && value <= largest_of(field)) {
    return value;
  }
  if (field.overflow == Overflow::fail) {
    return std::nullopt;
  }
  if (field.overflow == Overflow::saturate) {
    return value < lowest_of(field) ? lowest_of(field) : largest_of(field);
  }
  const Wide modulus = Wide{1} << field.bits;
  const Wide rest = ((value % modulus) + modulus) % modulus;
  return rest > largest_of(field) ? rest - modulus : rest;
}

bool parse_field_type(std::string_view text, FieldOperation& field) {
  if (text.size() < 2 || (text[0] != 'i' && text[0] != 'u')) {
    return false;
  }
  field.is_signed = text[0] == 'i';
  std::optional<int64_t> bits = parse_integer(text.substr(1));
  if (!bits || *bits < 1 || *bits > (field.is_signed ? 64 : 63)) {
    return false;
  }
  field.bits = static_cast<int>(*bits);
  return true;
}

std::optional<Overflow> parse_overflow(std::string_view word) {
  if (same_word(word, "WRAP")) {
    return Overflow::wrap;
  }
  if (same_word(word, "SAT")) {
    return Overflow::saturate;
  }
  return same_word(word, "FAIL") ? std::optional<Overflow>(Overflow::fail) : std::nullopt;
}

std::optional<FieldVerb> parse_verb(std::string_view word) {
  if (same_word(word, "GET")) {
    return FieldVerb::get;
  }
  if (same_word(word, "SET")) {
    return FieldVerb::set;
  }
  return same_word(word, "INCRBY") ? std::optional<FieldVerb>(FieldVerb::increase) : std::nullopt;
}

// Type, offset and operand, which begin at argument `i`.
std::optional<ModelReply> take_field(const ModelCall& call, size_t i, FieldOperation& field) {
  if (!parse_field_type(call.argument(i), field)) {
    return reply_error(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
        "i64 is.");
  }
  std::optional<uint64_t> offset = parse_bit_offset(call, call.argument(i + 1), field.bits);
  if (!offset) {
    return reply_error(bad_offset_text);
  }
  field.offset = *offset;
  if (field.verb != FieldVerb::get) {
    std::optional<int64_t> operand = parse_integer(call.argument(i + 2));
    if (!operand) {
      return reply_error(not_integer_text);
    }
    field.operand = *operand;
  }
  return std::nullopt;
}

std::optional<ModelReply> take_fields(const ModelCall& call, std::vector<FieldOperation>& fields) {
  Overflow overflow = Overflow::wrap;
  for (size_t i = 2; i < call.count();) {
    const std::string_view word = call.argument(i++);
    const size_t left = call.count() - i;
    if (same_word(word, "OVERFLOW") && left >= 1) {
      std::optional<Overflow> chosen = parse_overflow(call.argument(i++));
      if (!chosen) {
        return reply_error("ERR Invalid OVERFLOW type specified");
      }
      overflow = *chosen;
      continue;
    }
    std::optional<FieldVerb> verb = parse_verb(word);
    const size_t needed = verb == FieldVerb::get ? 2 : 3;
    if (!verb || left < needed) {
      return reply_error(syntax_text);
    }
    FieldOperation field;
    field.verb = *verb;
    field.overflow = overflow;
    if (std::optional<ModelReply> error = take_field(call, i, field)) {
      return error;
    }
    i += needed;
    fields.push_back(field);
  }
  return std::nullopt;
}

// Redis computes largest - operand in 64 bits, which overflows for an operand near the lowest one,
// and then takes it for a number that is too large.
bool redis_saturates_upwards(const FieldOperation& field) {
  constexpr int64_t highest = std::numeric_limits<int64_t>::max();
  return field.verb == FieldVerb::set && field.is_signed && field.bits < 64 &&
         largest_of(field) - field.operand > highest;
}

// Executes one field and answers with its reply.
std::string run_field(const FieldOperation& field, std::string& text, const ModelCall& call) {
  const int resp = call.resp();
  const Wide old_value = read_field(text, field);
  if (field.verb == FieldVerb::get) {
    return resp_integer(static_cast<int64_t>(old_value));
  }
  Wide wanted = old_value + field.operand;
  if (field.verb == FieldVerb::set) {
    // An unsigned field takes the operand's 64 bits, so -1 is a very large number.
    wanted = field.is_signed ? Wide{field.operand} : Wide{static_cast<uint64_t>(field.operand)};
  }
  std::optional<Wide> fitted = fit_field(field, wanted);
  if (call.config().as_redis_7_0 && field.overflow == Overflow::saturate &&
      redis_saturates_upwards(field)) {
    fitted = largest_of(field);
  }
  if (!fitted) {
    return resp_null(resp);
  }
  write_field(text, field, *fitted);
  return resp_integer(static_cast<int64_t>(field.verb == FieldVerb::set ? old_value : *fitted));
}

ModelReply bitfield_generic(ModelCall& call, bool read_only) {
  std::vector<FieldOperation> fields;
  if (std::optional<ModelReply> error = take_fields(call, fields)) {
    return *error;
  }
  bool writes = false;
  uint64_t last_bit = 0;
  for (const FieldOperation& field : fields) {
    if (field.verb != FieldVerb::get) {
      writes = true;
      last_bit = std::max(last_bit, field.offset + static_cast<uint64_t>(field.bits) - 1);
    }
  }
  if (writes && read_only) {
    return reply_error("ERR BITFIELD_RO only supports the GET subcommand");
  }
  ModelEntry* entry = call.find(call.argument(1));
  if (entry != nullptr && entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  std::string nothing;
  std::string* text = entry != nullptr ? &entry->text : &nothing;
  if (writes) {
    // The string grows for every write, also for one that then fails by OVERFLOW FAIL.
    ModelEntry& target = call.create(call.argument(1));
    grow_to_hold(target.text, last_bit);
    target.rewritten = true;
    text = &target.text;
  }
  std::string reply = resp_header('*', fields.size());
  for (const FieldOperation& field : fields) {
    reply += run_field(field, *text, call);
  }
  return reply_exact(std::move(reply));
}

ModelReply bitfield_command(ModelCall& call) {
  return bitfield_generic(call, false);
}
ModelReply bitfield_ro_command(ModelCall& call) {
  return bitfield_generic(call, true);
}

constexpr ModelCommand bitmap_table[] = {
    {"bitcount", -2, bitcount_command, false},
    {"bitfield", -2, bitfield_command, true},
    {"bitfield_ro", -2, bitfield_ro_command, false},
    {"bitop", -4, bitop_command, true},
    {"bitpos", -3, bitpos_command, false},
    {"getbit", 3, getbit_command, false},
    {"setbit", 4, setbit_command, true},
};

}  // namespace

std::span<const ModelCommand> bitmap_commands() {
  return bitmap_table;
}

}  // namespace redoubt::sim
