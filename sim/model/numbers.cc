// The string family's arithmetic, INCREX, and LCS.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

__extension__ using Wide = __int128;  // holds every sum and difference of 64-bit integers

constexpr int64_t int64_lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t int64_largest = std::numeric_limits<int64_t>::max();

bool fits_int64(Wide number) {
  return number >= int64_lowest && number <= int64_largest;
}

ModelReply increment_by(ModelCall& call, int64_t increment) {
  const std::string_view key = call.argument(1);
  const ModelEntry* entry = call.find(key);
  int64_t old_value = 0;
  if (entry != nullptr) {
    if (entry->type != ModelType::string) {
      return reply_error(wrong_type_text);
    }
    std::optional<int64_t> number = parse_integer(entry->text);
    if (!number) {
      return reply_error(not_integer_text);
    }
    old_value = *number;
  }
  const Wide sum = Wide{old_value} + increment;
  if (!fits_int64(sum)) {
    return reply_error("ERR increment or decrement would overflow");
  }
  call.set(key, std::to_string(static_cast<int64_t>(sum)), true);
  return reply_integer(static_cast<int64_t>(sum));
}

ModelReply incr_command(ModelCall& call) {
  return increment_by(call, 1);
}
ModelReply decr_command(ModelCall& call) {
  return increment_by(call, -1);
}

ModelReply incrby_command(ModelCall& call) {
  std::optional<int64_t> increment = parse_integer(call.argument(2));
  return increment ? increment_by(call, *increment) : reply_error(not_integer_text);
}

ModelReply decrby_command(ModelCall& call) {
  std::optional<int64_t> decrement = parse_integer(call.argument(2));
  if (!decrement) {
    return reply_error(not_integer_text);
  }
  if (*decrement == int64_lowest) {
    return reply_error("ERR decrement would overflow");
  }
  return increment_by(call, -*decrement);
}

ModelReply incrbyfloat_command(ModelCall& call) {
  const std::string_view key = call.argument(1);
  const ModelEntry* entry = call.find(key);
  if (entry != nullptr && entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  std::optional<long double> old_value = entry != nullptr ? parse_float(entry->text) : 0.0L;
  std::optional<long double> increment = parse_float(call.argument(2));
  if (!old_value || !increment) {
    return reply_error(not_float_text);
  }
  const long double sum = *old_value + *increment;
  if (!std::isfinite(sum)) {
    return reply_error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = print_float(sum);
  // Unlike INCR it leaves a string behind, even where the text is that of an integer.
  call.set(key, text, true).rewritten = true;
  return reply_bulk(text);
}

// --- INCREX --------------------------------------------------------------------------------------

struct IncrexOptions {
  bool nx = false;
  bool xx = false;
  bool saturate = false;
  bool persist = false;
  bool only_without_ttl = false;  // ENX
  bool is_float = false;
  std::optional<std::string_view> increment;
  std::optional<std::string_view> lower;
  std::optional<std::string_view> upper;
  std::optional<ExpireOption> expire;
};

bool set_once(bool& flag) {
  const bool first = !flag;
  flag = true;
  return first;
}

// False: a syntax error.
bool take_increx_option(const ModelCall& call, size_t& i, IncrexOptions& options) {
  const std::string_view word = call.argument(i++);
  if (same_word(word, "NX")) {
    return set_once(options.nx) && !options.xx;
  }
  if (same_word(word, "XX")) {
    return set_once(options.xx) && !options.nx;
  }
  if (same_word(word, "SATURATE")) {
    return set_once(options.saturate);
  }
  if (same_word(word, "PERSIST")) {
    return set_once(options.persist) && !options.expire && !options.only_without_ttl;
  }
  if (same_word(word, "ENX")) {
    return set_once(options.only_without_ttl) && !options.persist;
  }
  if (i >= call.count()) {
    return false;
  }
  const std::string_view value = call.argument(i++);
  std::optional<std::string_view>* slot = nullptr;
  if (same_word(word, "BYINT") || same_word(word, "BYFLOAT")) {
    slot = &options.increment;
    options.is_float = same_word(word, "BYFLOAT");
  } else if (same_word(word, "LBOUND")) {
    slot = &options.lower;
  } else if (same_word(word, "UBOUND")) {
    slot = &options.upper;
  }
  if (slot != nullptr) {
    const bool first = !slot->has_value();
    *slot = value;
    return first;
  }
  std::optional<ExpireOption> expire = expire_word(word);
  if (!expire || options.expire || options.persist) {
    return false;
  }
  expire->text = value;
  options.expire = expire;
  return true;
}

// What differs between integers and floats.
struct IntegerMath {
  using Number = int64_t;
  static constexpr std::string_view kind_text = " is not an integer or out of range";
  static constexpr std::string_view value_text = not_integer_text;
  static constexpr std::string_view delta_text = "ERR applied increment would overflow";
  static Number lowest() { return int64_lowest; }
  static Number largest() { return int64_largest; }
  static std::optional<Number> parse(std::string_view text) { return parse_integer(text); }
  static bool is_infinite(Number) { return false; }
  static std::string print(Number number) { return std::to_string(number); }
  static std::string reply_of(int, Number number) { return resp_integer(number); }
  // The exact sum, or the number beyond which it lies.
  static bool add(Number a, Number b, Number& sum) {
    const Wide wide = Wide{a} + b;
    sum = wide < 0 ? int64_lowest : int64_largest;
    if (!fits_int64(wide)) {
      return false;
    }
    sum = static_cast<int64_t>(wide);
    return true;
  }
  static bool subtract(Number a, Number b, Number& difference) {
    const Wide wide = Wide{a} - b;
    difference = static_cast<int64_t>(wide);
    return fits_int64(wide);
  }
};

struct FloatMath {
  using Number = long double;
  static constexpr std::string_view kind_text = " is not a valid float";
  static constexpr std::string_view value_text = not_float_text;
  static constexpr std::string_view delta_text = "ERR applied increment would be Infinity";
  static Number lowest() { return -LDBL_MAX; }
  static Number largest() { return LDBL_MAX; }
  static std::optional<Number> parse(std::string_view text) { return parse_float(text); }
  static bool is_infinite(Number number) { return std::isinf(number); }
  static std::string print(Number number) { return print_float(number); }
  static std::string reply_of(int resp, Number number) {
    return resp == 2 ? resp_bulk(print_float(number)) : "," + print_float(number) + "\r\n";
  }
  static bool add(Number a, Number b, Number& sum) {
    sum = a + b;
    return std::isfinite(sum);
  }
  static bool subtract(Number a, Number b, Number& difference) {
    difference = a - b;
    return std::isfinite(difference);
  }
};

template <typename Math>
bool parse_or(std::string_view text, std::string_view what, typename Math::Number& number,
              std::optional<ModelReply>& error) {
  std::optional<typename Math::Number> parsed = Math::parse(text);
  if (!parsed) {
    error = reply_error("ERR " + std::string(what) + std::string(Math::kind_text));
    return false;
  }
  number = *parsed;
  return true;
}

template <typename Math>
ModelReply pair_of(ModelCall& call, typename Math::Number value, typename Math::Number applied) {
  return reply_exact(resp_header('*', 2) + Math::reply_of(call.resp(), value) +
                     Math::reply_of(call.resp(), applied));
}

template <typename Math>
struct IncrexNumbers {
  typename Math::Number increment = 1;
  typename Math::Number lower = Math::lowest();
  typename Math::Number upper = Math::largest();
};

template <typename Math>
std::optional<ModelReply> parse_increx_numbers(const IncrexOptions& options,
                                               IncrexNumbers<Math>& numbers) {
  std::optional<ModelReply> error;
  if (options.increment &&
      !parse_or<Math>(*options.increment, "Increment", numbers.increment, error)) {
    return error;
  }
  if (Math::is_infinite(numbers.increment)) {
    return reply_error("ERR BYFLOAT increment cannot be Infinity");
  }
  if (options.lower && !parse_or<Math>(*options.lower, "LBOUND", numbers.lower, error)) {
    return error;
  }
  if (options.upper && !parse_or<Math>(*options.upper, "UBOUND", numbers.upper, error)) {
    return error;
  }
  if (numbers.lower > numbers.upper) {
    return reply_error("ERR LBOUND can't be greater than UBOUND");
  }
  return std::nullopt;
}

void write_increx(ModelCall& call, const IncrexOptions& options, std::string text,
                  std::optional<int64_t> deadline) {
  const std::string_view key = call.argument(1);
  ModelEntry& entry = call.set(key, std::move(text), true);
  entry.rewritten = options.is_float;
  if (options.persist) {
    entry.deadline_ms = ModelEntry::no_deadline;
  }
  if (deadline && !(options.only_without_ttl && entry.deadline_ms != ModelEntry::no_deadline)) {
    call.set_deadline_or_erase(key, *deadline);
  }
}

template <typename Math>
ModelReply increx(ModelCall& call, const IncrexOptions& options) {
  using Number = typename Math::Number;
  IncrexNumbers<Math> numbers;
  if (std::optional<ModelReply> error = parse_increx_numbers<Math>(options, numbers)) {
    return *error;
  }
  ModelReply error;
  std::optional<int64_t> deadline;
  if (options.expire) {
    deadline = resolve_expire(*options.expire, call.now_ms, "increx", error);
    if (!deadline) {
      return error;
    }
  }
  const ModelEntry* entry = call.find(call.argument(1));
  if (entry != nullptr && entry->type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  std::optional<Number> parsed = entry != nullptr ? Math::parse(entry->text) : Number{0};
  if (!parsed) {
    return reply_error(Math::value_text);
  }
  const Number old_value = *parsed;
  if (Math::is_infinite(old_value)) {
    return reply_error("ERR value cannot be Infinity");
  }
  if ((options.nx && entry != nullptr) || (options.xx && entry == nullptr)) {
    return pair_of<Math>(call, old_value, 0);
  }
  Number sum = 0;
  const bool representable = Math::add(old_value, numbers.increment, sum);
  if (!representable || sum < numbers.lower || sum > numbers.upper) {
    if (!options.saturate) {
      return pair_of<Math>(call, old_value, 0);
    }
    const bool too_low = representable ? sum < numbers.lower : sum < 0;
    sum = too_low ? numbers.lower : numbers.upper;
  }
  Number applied = 0;
  if (!Math::subtract(sum, old_value, applied)) {
    return reply_error(Math::delta_text);
  }
  write_increx(call, options, Math::print(sum), deadline);
  return pair_of<Math>(call, sum, applied);
}

ModelReply increx_command(ModelCall& call) {
  IncrexOptions options;
  for (size_t i = 2; i < call.count();) {
    if (!take_increx_option(call, i, options)) {
      return reply_error(syntax_text);
    }
  }
  if (options.only_without_ttl && !options.expire) {
    return reply_error("ERR ENX flag requires an expiration");
  }
  return options.is_float ? increx<FloatMath>(call, options) : increx<IntegerMath>(call, options);
}

// --- LCS -----------------------------------------------------------------------------------------

struct LcsOptions {
  bool only_length = false;
  bool indexes = false;
  bool with_match_length = false;
  int64_t match_length_min = 0;
};

// One common run: [from, from + length) of both strings.
struct LcsRun {
  size_t from_a = 0;
  size_t from_b = 0;
  size_t length = 0;
};

struct LcsResult {
  std::string text;
  std::vector<LcsRun> runs;  // from the end of the strings to their beginning
};

// The textbook table, walked back from its end; where both ways are as good, b is shortened.
LcsResult longest_common(const std::string& a, const std::string& b) {
  const size_t width = b.size() + 1;
  std::vector<uint32_t> table((a.size() + 1) * width, 0);
  for (size_t i = 1; i <= a.size(); i++) {
    for (size_t j = 1; j <= b.size(); j++) {
      table[i * width + j] = a[i - 1] == b[j - 1]
                                 ? table[(i - 1) * width + j - 1] + 1
                                 : std::max(table[(i - 1) * width + j], table[i * width + j - 1]);
    }
  }
  LcsResult result;
  bool in_run = false;
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      i--;
      j--;
      result.text += a[i];
      if (!in_run) {
        result.runs.emplace_back();
      }
      in_run = true;
      result.runs.back() = LcsRun{i, j, result.runs.back().length + 1};
    } else {
      in_run = false;
      (table[(i - 1) * width + j] > table[i * width + j - 1] ? i : j)--;
    }
  }
  std::reverse(result.text.begin(), result.text.end());
  return result;
}

std::string range_of(size_t from, size_t length) {
  return resp_header('*', 2) + resp_integer(static_cast<int64_t>(from)) +
         resp_integer(static_cast<int64_t>(from + length - 1));
}

ModelReply lcs_index_reply(ModelCall& call, const LcsResult& result, const LcsOptions& options) {
  std::string matches;
  size_t count = 0;
  for (const LcsRun& run : result.runs) {
    const auto length = static_cast<int64_t>(run.length);
    if (length < options.match_length_min) {
      continue;
    }
    count++;
    matches += resp_header('*', options.with_match_length ? 3 : 2);
    matches += range_of(run.from_a, run.length) + range_of(run.from_b, run.length);
    matches += options.with_match_length ? resp_integer(length) : "";
  }
  std::string reply = call.resp() == 2 ? resp_header('*', 4) : resp_header('%', 2);
  reply += resp_bulk("matches") + resp_header('*', count) + matches;
  reply += resp_bulk("len") + resp_integer(static_cast<int64_t>(result.text.size()));
  return reply_exact(std::move(reply));
}

std::optional<ModelReply> take_lcs_options(const ModelCall& call, LcsOptions& options) {
  for (size_t i = 3; i < call.count(); i++) {
    const std::string_view word = call.argument(i);
    if (same_word(word, "LEN")) {
      options.only_length = true;
    } else if (same_word(word, "IDX")) {
      options.indexes = true;
    } else if (same_word(word, "WITHMATCHLEN")) {
      options.with_match_length = true;
    } else if (same_word(word, "MINMATCHLEN") && i + 1 < call.count()) {
      std::optional<int64_t> length = parse_integer(call.argument(++i));
      if (!length) {
        return reply_error(not_integer_text);
      }
      options.match_length_min = *length;
    } else {
      return reply_error(syntax_text);
    }
  }
  if (options.only_length && options.indexes) {
    return reply_error("ERR If you want both the length and indexes, please just use IDX.");
  }
  return std::nullopt;
}

ModelReply lcs_command(ModelCall& call) {
  // By value: looking up the second key may drop the first.
  std::string texts[2];
  for (size_t i = 0; i < 2; i++) {
    const ModelEntry* entry = call.find(call.argument(i + 1));
    if (entry != nullptr && entry->type != ModelType::string) {
      return reply_error("ERR The specified keys must contain string values");
    }
    texts[i] = entry != nullptr ? entry->text : "";
  }
  LcsOptions options;
  if (std::optional<ModelReply> error = take_lcs_options(call, options)) {
    return *error;
  }
  // The table of lengths, four bytes each, has to be smaller than proto-max-bulk-len.
  if ((texts[0].size() + 1) * (texts[1].size() + 1) * 4 > (size_t{512} << 20)) {
    return reply_error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  const LcsResult result = longest_common(texts[0], texts[1]);
  if (options.only_length) {
    return reply_integer(static_cast<int64_t>(result.text.size()));
  }
  return options.indexes ? lcs_index_reply(call, result, options) : reply_bulk(result.text);
}

constexpr ModelCommand numeric_string_table[] = {
    {"decr", 2, decr_command, true},
    {"decrby", 3, decrby_command, true},
    {"incr", 2, incr_command, true},
    {"incrby", 3, incrby_command, true},
    {"incrbyfloat", 3, incrbyfloat_command, true},
    {"increx", -2, increx_command, true},
    {"lcs", -3, lcs_command, false},
};

}  // namespace

std::span<const ModelCommand> numeric_string_commands() {
  return numeric_string_table;
}

}  // namespace redoubt::sim
