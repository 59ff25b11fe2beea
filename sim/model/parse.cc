// How the model reads numbers, words, times and patterns, and prints floats.
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "sim/model/call.h"

namespace redoubt::sim {

ModelReply wrong_arity(std::string_view name) {
  return reply_error("ERR wrong number of arguments for '" + std::string(name) + "' command");
}

ModelReply null_array_of(const ModelCall& call) {
  return reply_exact(call.resp() == 3 ? "_\r\n" : "*-1\r\n");
}

ModelReply wait_in_vain(const ModelCall& call, ModelReply at_once) {
  if (call.session.in_transaction) {
    return at_once;
  }
  ModelReply reply = null_array_of(call);
  reply.waits = true;
  return reply;
}

// The end of a wait, as a Unix time in milliseconds, has 63 bits.
std::optional<ModelReply> bad_timeout_ms(const ModelCall& call, int64_t ms) {
  if (ms < 0) {
    return reply_error("ERR timeout is negative");
  }
  const bool fits = ms <= std::numeric_limits<int64_t>::max() - call.now_ms;
  return fits || call.config().as_redis_7_0
             ? std::nullopt
             : std::optional<ModelReply>(reply_error("ERR timeout is out of range"));
}

std::optional<ModelReply> bad_timeout(const ModelCall& call, std::string_view text) {
  const std::optional<long double> seconds = parse_float(text);
  if (!seconds) {
    return reply_error("ERR timeout is not a float or out of range");
  }
  const long double ms = std::ceil(*seconds * 1000);
  if (ms < 0x1p63L) {
    return bad_timeout_ms(call, ms < 0 ? -1 : static_cast<int64_t>(ms));
  }
  return reply_error(call.config().as_redis_7_0 ? "ERR timeout is negative"
                                                : "ERR timeout is out of range");
}

ModelReply invalid_expire(std::string_view command) {
  return reply_error("ERR invalid expire time in '" + std::string(command) + "' command");
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

bool same_word(std::string_view text, std::string_view upper_case_word) {
  if (text.size() != upper_case_word.size()) {
    return false;
  }
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (upper != upper_case_word[i]) {
      return false;
    }
  }
  return true;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  // Printing it must give the same text: this refuses "007", "-0" and the like.
  char printed[24];
  char* printed_end = std::to_chars(printed, printed + sizeof printed, number).ptr;
  if (text != std::string_view(printed, static_cast<size_t>(printed_end - printed))) {
    return std::nullopt;
  }
  return number;
}

std::optional<int> parse_int32(std::string_view text, ModelReply& error) {
  std::optional<int64_t> number = parse_integer(text);
  if (!number) {
    error = reply_error(not_integer_text);
    return std::nullopt;
  }
  if (*number < std::numeric_limits<int>::min() || *number > std::numeric_limits<int>::max()) {
    error = reply_error("ERR value is out of range, value must between -2147483648 and 2147483647");
    return std::nullopt;
  }
  return static_cast<int>(*number);
}

std::optional<long double> parse_float(std::string_view text) {
  constexpr size_t text_bytes_max = 5 * 1024;
  if (text.empty() || text.size() >= text_bytes_max) {
    return std::nullopt;
  }
  const std::string copy(text);
  if (std::isspace(static_cast<unsigned char>(copy[0])) != 0) {
    return std::nullopt;
  }
  char* end = nullptr;
  errno = 0;
  const long double number = std::strtold(copy.c_str(), &end);
  const bool out_of_range = errno == ERANGE && (std::isinf(number) || number == 0);
  if (end != copy.c_str() + copy.size() || out_of_range || std::isnan(number)) {
    return std::nullopt;
  }
  return number;
}

std::string print_float(long double number) {
  // LDBL_MAX has 4933 digits before the point.
  char buffer[5 * 1024];
  const int length = std::snprintf(buffer, sizeof buffer, "%.17Lf", number);
  std::string text(buffer, static_cast<size_t>(length));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text == "-0" ? "0" : text;
}

std::optional<ExpireOption> expire_word(std::string_view word) {
  if (same_word(word, "EX")) {
    return ExpireOption{{}, TimeUnit::seconds, false};
  }
  if (same_word(word, "PX")) {
    return ExpireOption{{}, TimeUnit::milliseconds, false};
  }
  if (same_word(word, "EXAT")) {
    return ExpireOption{{}, TimeUnit::seconds, true};
  }
  if (same_word(word, "PXAT")) {
    return ExpireOption{{}, TimeUnit::milliseconds, true};
  }
  return std::nullopt;
}

std::optional<int64_t> resolve_expire(const ExpireOption& option, int64_t now_ms,
                                      std::string_view command, ModelReply& error) {
  constexpr int64_t largest = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> amount = parse_integer(option.text);
  if (!amount) {
    error = reply_error(not_integer_text);
    return std::nullopt;
  }
  const int64_t scale = option.unit == TimeUnit::seconds ? 1000 : 1;
  const int64_t base = option.absolute ? 0 : now_ms;
  if (*amount <= 0 || *amount > largest / scale || *amount * scale > largest - base) {
    error = invalid_expire(command);
    return std::nullopt;
  }
  return *amount * scale + base;
}

namespace {

// The set of characters that a "[...]" at the front of `pattern` stands for, tested against `c`.
// Takes it off the pattern; a missing "]" counts as if it stood at the end.
bool take_class(std::string_view& pattern, char c) {
  pattern.remove_prefix(1);
  bool inverted = false;
  if (!pattern.empty() && pattern[0] == '^') {
    inverted = true;
    pattern.remove_prefix(1);
  }
  bool found = false;
  while (!pattern.empty() && pattern[0] != ']') {
    if (pattern[0] == '\\' && pattern.size() >= 2) {
      found = found || pattern[1] == c;
      pattern.remove_prefix(2);
    } else if (pattern.size() >= 3 && pattern[1] == '-') {
      const char low = std::min(pattern[0], pattern[2]);
      const char high = std::max(pattern[0], pattern[2]);
      found = found || (c >= low && c <= high);
      pattern.remove_prefix(3);
    } else {
      found = found || pattern[0] == c;
      pattern.remove_prefix(1);
    }
  }
  if (!pattern.empty()) {
    pattern.remove_prefix(1);
  }
  return found != inverted;
}

// Takes what stands for one character off the pattern, which is not empty and has no star at its
// front. Whether `c` is that character.
bool take_one(std::string_view& pattern, char c) {
  if (pattern[0] == '[') {
    return take_class(pattern, c);
  }
  const bool escaped = pattern[0] == '\\' && pattern.size() >= 2;
  const char wanted = pattern[escaped ? 1 : 0];
  const bool any = !escaped && wanted == '?';
  pattern.remove_prefix(escaped ? 2 : 1);
  return any || wanted == c;
}

// A star that has been passed takes as few characters as it can, and one more where the rest does
// not fit. Only the last one is asked for more: what those before it took is where the first fit
// was, and whatever fits behind a later one fits behind that, too. So no pattern takes longer than
// its length times the text's.
bool matches(std::string_view pattern, std::string_view text) {
  bool star = false;
  std::string_view pattern_behind;  // the last star
  std::string_view text_behind;     // what that has taken
  while (!text.empty()) {
    if (!pattern.empty() && pattern[0] == '*') {
      star = true;
      pattern.remove_prefix(1);
      pattern_behind = pattern;
      text_behind = text;
      continue;
    }
    if (!pattern.empty() && take_one(pattern, text[0])) {
      text.remove_prefix(1);
      continue;
    }
    if (!star) {
      return false;
    }
    text_behind.remove_prefix(1);
    pattern = pattern_behind;
    text = text_behind;
  }
  return pattern.find_first_not_of('*') == std::string_view::npos;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  // Redis does not try an empty text against anything but a lone "*": "**" does not match it.
  if (text.empty()) {
    return pattern.empty() || pattern == "*";
  }
  return matches(pattern, text);
}

std::string digest_of(std::string_view text) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return digits;
}

bool is_cursor(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    text.remove_prefix(1);
  }
  constexpr std::string_view largest = "18446744073709551615";
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         (text.size() < largest.size() || (text.size() == largest.size() && text <= largest));
}

std::optional<ModelReply> scan_count_error(std::string_view text) {
  const std::optional<int64_t> count = parse_integer(text);
  if (!count) {
    return reply_error(not_integer_text);
  }
  return *count < 1 ? std::optional(reply_error(syntax_text)) : std::nullopt;
}

std::optional<ModelReply> take_scan_options(const ModelCall& call, ElementScan& scan, bool values) {
  for (size_t i = 3; i < call.count(); i++) {
    const std::string_view word = call.argument(i);
    if (values && same_word(word, "NOVALUES")) {
      scan.no_values = true;
      continue;
    }
    if (i + 1 >= call.count()) {
      return reply_error(syntax_text);
    }
    const std::string_view value = call.argument(++i);
    if (same_word(word, "COUNT")) {
      if (std::optional<ModelReply> error = scan_count_error(value)) {
        return error;
      }
    } else if (same_word(word, "MATCH")) {
      scan.pattern = value;
    } else {
      return reply_error(syntax_text);
    }
  }
  return std::nullopt;
}

}  // namespace redoubt::sim
