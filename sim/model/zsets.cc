// The sorted set family.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>

#include "sim/model/zsets.h"

namespace redoubt::sim {

// --- What geo uses too ---------------------------------------------------------------------------

namespace {

// What C's strtod() reads, with the sign in front; the whole text. Beyond the range it is infinite
// or 0, and `beyond` is set.
std::optional<double> read_number(std::string_view text, bool& beyond) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  std::string digits(hexadecimal ? text.substr(2) : text);
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') {
    return std::nullopt;
  }
  double number = 0;
  const auto format = hexadecimal ? std::chars_format::hex : std::chars_format::general;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, format);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument ||
      std::isnan(number)) {
    return std::nullopt;
  }
  const std::string mantissa = digits.substr(0, digits.find_first_of("eE"));
  const bool zero = mantissa.find_first_of("123456789") == std::string::npos;
  beyond = error == std::errc::result_out_of_range || (number == 0 && !zero && !hexadecimal);
  if (error == std::errc::result_out_of_range) {
    const bool small =
        digits.find("e-") != std::string::npos || digits.find("E-") != std::string::npos;
    number = small ? 0 : std::numeric_limits<double>::infinity();
  }
  return negative ? -number : number;
}

}  // namespace

std::optional<double> parse_score(std::string_view text) {
  bool beyond = false;
  const std::optional<double> number = read_number(text, beyond);
  return number && !beyond ? std::optional(*number + 0.0) : std::nullopt;  // there is no -0
}

namespace {

// The digits of a number with the fewest of them that reads back as the same.
std::string shortest_digits(double magnitude, int& exponent) {
  char text[64];
  for (int digits = 0; digits < 17; digits++) {
    std::snprintf(text, sizeof text, "%.*e", digits, magnitude);
    bool beyond = false;
    if (read_number(text, beyond) == magnitude) {
      break;
    }
  }
  const std::string all = text;
  const size_t e = all.find('e');
  exponent = std::atoi(all.c_str() + e + 1);
  std::string digits = all.substr(0, e);
  std::erase(digits, '.');
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
  }
  return digits;
}

std::string print_shortest(double magnitude) {
  int exponent = 0;  // of the first digit
  const std::string digits = shortest_digits(magnitude, exponent);
  const int count = static_cast<int>(digits.size());
  const int last = exponent - count + 1;  // power of ten of the last digit
  if (last >= 0 && exponent < count + 7) {
    return digits + std::string(static_cast<size_t>(last), '0');
  }
  if (last < 0 && (last > -7 || std::abs(exponent) < 4)) {
    if (exponent < 0) {
      return "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
    }
    const auto whole = static_cast<size_t>(exponent + 1);
    return digits.substr(0, whole) + "." + digits.substr(whole);
  }
  std::string out = digits.substr(0, 1);
  out += count > 1 ? "." + digits.substr(1) : "";
  out += exponent < 0 ? "e-" : "e+";
  return out + std::to_string(std::abs(exponent));
}

}  // namespace

std::string print_score(const ModelCall& call, double score) {
  if (std::isinf(score)) {
    return score > 0 ? "inf" : "-inf";
  }
  if (std::fabs(score) < 4503599627370496.0 && score == std::trunc(score)) {
    return std::to_string(static_cast<int64_t>(score));
  }
  if (call.config().as_redis_7_0) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", score);
    return text;
  }
  return (score < 0 ? "-" : "") + print_shortest(std::fabs(score));
}

std::string resp_double(const ModelCall& call, double score) {
  const std::string text = print_score(call, score);
  return call.resp() == 3 ? "," + text + "\r\n" : resp_bulk(text);
}

const ModelZset* find_zset(ModelCall& call, std::string_view key,
                           std::optional<ModelReply>& error) {
  const ModelEntry* entry = call.find(key, ModelType::zset, error);
  return entry != nullptr ? &entry->zset : nullptr;
}

void put_zset(ModelCall& call, std::string_view key, const ModelZset& members, bool keep_deadline) {
  if (members.empty()) {
    call.erase(key);
    return;
  }
  call.remake(key, ModelType::zset, keep_deadline).zset = members;
}

ScoredMembers in_order(const ModelZset& members) {
  ScoredMembers out(members.begin(), members.end());
  std::sort(out.begin(), out.end(), [](const ScoredMember& a, const ScoredMember& b) {
    return a.second != b.second ? a.second < b.second : a.first < b.first;
  });
  return out;
}

std::string resp_pair(const ModelCall& call, const ScoredMember& member) {
  return resp_bulk(member.first) + resp_double(call, member.second);
}

std::string resp_members(const ModelCall& call, const ScoredMembers& members, bool scores) {
  const bool nested = scores && call.resp() == 3;
  std::string out = resp_header('*', scores && !nested ? members.size() * 2 : members.size());
  for (const ScoredMember& member : members) {
    out += nested ? "*2\r\n" : "";
    out += scores ? resp_pair(call, member) : resp_bulk(member.first);
  }
  return out;
}

namespace {

// --- ZADD ----------------------------------------------------------------------------------------

struct AddFlags {
  bool nx = false, xx = false, gt = false, lt = false, ch = false, incr = false;
};

std::optional<ModelReply> check_flags(const AddFlags& flags, size_t rest) {
  if (rest == 0 || rest % 2 != 0) {
    return reply_error(syntax_text);
  }
  if (flags.nx && flags.xx) {
    return reply_error("ERR XX and NX options at the same time are not compatible");
  }
  if ((flags.nx && (flags.gt || flags.lt)) || (flags.gt && flags.lt)) {
    return reply_error("ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  if (flags.incr && rest > 2) {
    return reply_error("ERR INCR option supports a single increment-element pair");
  }
  return std::nullopt;
}

ModelReply add(ModelCall& call, const AddFlags& flags, size_t first) {
  if (std::optional<ModelReply> error = check_flags(flags, call.count() - first)) {
    return *error;
  }
  for (size_t i = first; i < call.count(); i += 2) {
    if (!parse_score(call.argument(i))) {
      return reply_error(not_float_text);
    }
  }
  std::optional<ModelReply> error;
  const ModelZset* found = find_zset(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  ModelZset members = found != nullptr ? *found : ModelZset();
  int64_t added = 0;
  int64_t updated = 0;
  std::optional<double> result;
  for (size_t i = first; i < call.count(); i += 2) {
    double score = *parse_score(call.argument(i));
    const std::string member(call.argument(i + 1));
    const auto at = members.find(member);
    if (at == members.end() ? flags.xx : flags.nx) {
      continue;
    }
    if (at == members.end()) {
      members[member] = score;
      added++;
      result = score;
      continue;
    }
    score += flags.incr ? at->second : 0;
    if (std::isnan(score)) {
      return reply_error("ERR resulting score is not a number (NaN)");
    }
    if ((flags.gt && score <= at->second) || (flags.lt && score >= at->second)) {
      continue;
    }
    updated += score != at->second ? 1 : 0;
    at->second = score;
    result = score;
  }
  if (added + updated > 0) {
    put_zset(call, call.argument(1), members, true);
  }
  if (flags.incr) {
    return result ? reply_exact(resp_double(call, *result)) : call.null();
  }
  return reply_integer(flags.ch ? added + updated : added);
}

ModelReply zadd_command(ModelCall& call) {
  AddFlags flags;
  size_t i = 2;
  for (; i < call.count(); i++) {
    const std::string word = lower(call.argument(i));
    bool* flag = word == "nx"     ? &flags.nx
                 : word == "xx"   ? &flags.xx
                 : word == "gt"   ? &flags.gt
                 : word == "lt"   ? &flags.lt
                 : word == "ch"   ? &flags.ch
                 : word == "incr" ? &flags.incr
                                  : nullptr;
    if (flag == nullptr) {
      break;
    }
    *flag = true;
  }
  return add(call, flags, i);
}

ModelReply zincrby_command(ModelCall& call) {
  AddFlags flags;
  flags.incr = true;
  return add(call, flags, 2);
}

// --- Members -------------------------------------------------------------------------------------

ModelReply zrem_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelZset* found = find_zset(call, call.argument(1), error);
  if (found == nullptr) {
    return error ? *error : reply_integer(0);
  }
  ModelZset members = *found;
  for (size_t i = 2; i < call.count(); i++) {
    members.erase(std::string(call.argument(i)));
  }
  const size_t removed = found->size() - members.size();
  put_zset(call, call.argument(1), members, true);
  return reply_integer(static_cast<int64_t>(removed));
}

// Looks at a set that may be missing.
ModelReply look(ModelCall& call, const std::function<ModelReply(const ModelZset&)>& answer) {
  static const ModelZset none;
  std::optional<ModelReply> error;
  const ModelZset* found = find_zset(call, call.argument(1), error);
  return error ? *error : answer(found != nullptr ? *found : none);
}

ModelReply zcard_command(ModelCall& call) {
  return look(call, [](const ModelZset& members) {
    return reply_integer(static_cast<int64_t>(members.size()));
  });
}

std::string score_or_null(const ModelCall& call, const ModelZset& members,
                          std::string_view member) {
  const auto at = members.find(member);
  return at != members.end() ? resp_double(call, at->second) : resp_null(call.resp());
}

ModelReply zscore_command(ModelCall& call) {
  return look(call, [&](const ModelZset& members) {
    return reply_exact(score_or_null(call, members, call.argument(2)));
  });
}

ModelReply zmscore_command(ModelCall& call) {
  return look(call, [&](const ModelZset& members) {
    std::string out = resp_header('*', call.count() - 2);
    for (size_t i = 2; i < call.count(); i++) {
      out += score_or_null(call, members, call.argument(i));
    }
    return reply_exact(out);
  });
}

ModelReply rank(ModelCall& call, bool reverse) {
  const std::string name = lower(call.argument(0));
  const bool scored = call.count() > 3;
  if (call.count() > 4 || (scored && call.config().as_redis_7_0)) {
    return wrong_arity(name);
  }
  if (scored && !same_word(call.argument(3), "WITHSCORE")) {
    return reply_error(syntax_text);
  }
  return look(call, [&](const ModelZset& members) {
    ScoredMembers sorted = in_order(members);
    if (reverse) {
      std::reverse(sorted.begin(), sorted.end());
    }
    for (size_t i = 0; i < sorted.size(); i++) {
      if (sorted[i].first == call.argument(2)) {
        const std::string number = resp_integer(static_cast<int64_t>(i));
        return reply_exact(scored ? "*2\r\n" + number + resp_double(call, sorted[i].second)
                                  : number);
      }
    }
    return scored && call.resp() == 2 ? reply_exact("*-1\r\n") : call.null();
  });
}

ModelReply zrank_command(ModelCall& call) {
  return rank(call, false);
}
ModelReply zrevrank_command(ModelCall& call) {
  return rank(call, true);
}

ModelReply zrandmember_command(ModelCall& call) {
  constexpr int64_t largest = std::numeric_limits<int64_t>::max();
  const bool scores = call.count() > 3;
  std::optional<int64_t> count;
  if (call.count() > 2) {
    count = parse_integer(call.argument(2));
    if (!count) {
      return reply_error(not_integer_text);
    }
    if (*count < -largest) {
      return reply_error(
          "ERR value is out of range, value must between -9223372036854775807 and "
          "9223372036854775807");
    }
    if (call.count() > 4 || (scores && !same_word(call.argument(3), "WITHSCORES"))) {
      return reply_error(syntax_text);
    }
    if (scores && (*count < -largest / 2 || *count > largest / 2)) {
      return reply_error("ERR value is out of range");
    }
  }
  return look(call, [&](const ModelZset& members) {
    std::vector<std::string> choices;
    const bool nested = scores && call.resp() == 3;
    for (const ScoredMember& member : ScoredMembers(members.begin(), members.end())) {
      choices.push_back((nested ? "*2\r\n" : "") +
                        (scores ? resp_pair(call, member) : resp_bulk(member.first)));
    }
    if (!count) {
      return members.empty() ? call.null() : reply_one_of(choices);
    }
    const size_t width = scores && !nested ? 2 : 1;
    const size_t size = choices.size();
    if (*count < -draws_max && size > 0) {
      return reply_error("ERR value is out of range");
    }
    if (*count < 0) {
      return reply_draws(std::move(choices), size == 0 ? 0 : static_cast<size_t>(-*count), width);
    }
    return reply_some(std::move(choices), std::min(static_cast<size_t>(*count), size), '*', width);
  });
}

ModelReply zscan_command(ModelCall& call) {
  ElementScan scan;
  if (!is_cursor(call.argument(2))) {
    return reply_error("ERR invalid cursor");
  }
  std::optional<ModelReply> error;
  const ModelZset* members = find_zset(call, call.argument(1), error);
  if (members == nullptr) {
    return error ? *error : reply_exact("*2\r\n$1\r\n0\r\n*0\r\n");
  }
  if (std::optional<ModelReply> wrong = take_scan_options(call, scan, false)) {
    return *wrong;
  }
  // 7.0 writes large whole scores of a small set without an exponent here.
  if (call.config().as_redis_7_0) {
    return reply_rule(ModelReply::Rule::not_error);
  }
  ModelReply reply = reply_rule(ModelReply::Rule::scan_page);
  reply.width = 2;
  for (const auto& [member, score] : *members) {
    if (glob_matches(scan.pattern, member)) {
      reply.choices.push_back(resp_bulk(member) + resp_bulk(print_score(call, score)));
    }
  }
  return reply;
}

// --- Ranges --------------------------------------------------------------------------------------

enum class By : uint8_t { unsaid, rank, score, member };

struct Range {
  By by = By::unsaid;
  bool reverse = false;
  bool fixed_direction = false;
  bool scores = false;
  int64_t offset = 0;
  int64_t limit = -1;
  std::string_view from;
  std::string_view to;
};

// Bounds may have white space in front, be nothing at all, and end at a zero byte.
std::optional<double> parse_bound(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  const std::string_view whole = text;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text[0])) != 0) {
    text.remove_prefix(1);
  }
  bool beyond = false;
  return whole.empty() ? std::optional(0.0) : read_number(text, beyond);
}

using Test = std::function<bool(const ScoredMember&)>;

std::optional<Test> score_test(std::string_view min, std::string_view max) {
  const bool min_out = min.substr(0, 1) == "(";
  const bool max_out = max.substr(0, 1) == "(";
  const std::optional<double> low = parse_bound(min.substr(min_out ? 1 : 0));
  const std::optional<double> high = parse_bound(max.substr(max_out ? 1 : 0));
  if (!low || !high) {
    return std::nullopt;
  }
  return [=](const ScoredMember& member) {
    return (min_out ? member.second > *low : member.second >= *low) &&
           (max_out ? member.second < *high : member.second <= *high);
  };
}

bool is_lex_bound(std::string_view text) {
  if (text.substr(0, 1) == "-" || text.substr(0, 1) == "+") {
    return text.size() == 1 || text[1] == '\0';
  }
  return text.substr(0, 1) == "(" || text.substr(0, 1) == "[";
}

std::optional<Test> lex_test(std::string_view min_text, std::string_view max_text) {
  if (!is_lex_bound(min_text) || !is_lex_bound(max_text)) {
    return std::nullopt;
  }
  return [min = std::string(min_text), max = std::string(max_text)](const ScoredMember& member) {
    const bool above = min[0] == '-' || (min[0] == '(' && member.first > min.substr(1)) ||
                       (min[0] == '[' && member.first >= min.substr(1));
    const bool below = max[0] == '+' || (max[0] == '(' && member.first < max.substr(1)) ||
                       (max[0] == '[' && member.first <= max.substr(1));
    return above && below;
  };
}

std::optional<ModelReply> take_range_options(const ModelCall& call, size_t from, bool stores,
                                             Range& range) {
  for (size_t i = from; i < call.count(); i++) {
    const std::string_view word = call.argument(i);
    if (!stores && same_word(word, "WITHSCORES")) {
      range.scores = true;
    } else if (same_word(word, "LIMIT") && i + 2 < call.count()) {
      const std::optional<int64_t> offset = parse_integer(call.argument(i + 1));
      const std::optional<int64_t> limit = parse_integer(call.argument(i + 2));
      if (!offset || !limit) {
        return reply_error(not_integer_text);
      }
      range.offset = *offset;
      range.limit = *limit;
      i += 2;
    } else if (!range.fixed_direction && !range.reverse && same_word(word, "REV")) {
      range.reverse = true;
    } else if (range.by == By::unsaid && same_word(word, "BYLEX")) {
      range.by = By::member;
    } else if (range.by == By::unsaid && same_word(word, "BYSCORE")) {
      range.by = By::score;
    } else {
      return reply_error(syntax_text);
    }
  }
  range.by = range.by == By::unsaid ? By::rank : range.by;
  if (range.limit != -1 && range.by == By::rank) {
    return reply_error(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
  }
  if (range.scores && range.by == By::member) {
    return reply_error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
  }
  return std::nullopt;
}

ScoredMembers by_index(const ScoredMembers& sorted, int64_t start, int64_t stop) {
  const auto size = static_cast<int64_t>(sorted.size());
  start = std::max<int64_t>(start < 0 ? start + size : start, 0);
  stop = std::min(stop < 0 ? stop + size : stop, size - 1);
  if (start > stop) {
    return {};
  }
  return {sorted.begin() + start, sorted.begin() + stop + 1};
}

// The members of a range in the order in which they are answered. The range's bounds are checked
// before the key is looked at.
struct Selection {
  std::optional<ModelReply> error;
  ScoredMembers members;
};
Selection select(ModelCall& call, std::string_view key, const Range& range) {
  std::optional<Test> test;
  std::optional<int64_t> start;
  std::optional<int64_t> stop;
  const std::string_view low = range.reverse ? range.to : range.from;
  const std::string_view high = range.reverse ? range.from : range.to;
  if (range.by == By::rank) {
    start = parse_integer(range.from);
    stop = parse_integer(range.to);
    if (!start || !stop) {
      return {reply_error(not_integer_text), {}};
    }
  } else {
    const bool by_score = range.by == By::score;
    test = by_score ? score_test(low, high) : lex_test(low, high);
    if (!test) {
      return {reply_error(by_score ? "ERR min or max is not a float"
                                   : "ERR min or max not valid string range item"),
              {}};
    }
  }
  Selection out;
  const ModelZset* found = find_zset(call, key, out.error);
  if (found == nullptr) {
    return out;
  }
  ScoredMembers sorted = in_order(*found);
  if (range.reverse) {
    std::reverse(sorted.begin(), sorted.end());
  }
  if (range.by == By::rank) {
    out.members = by_index(sorted, *start, *stop);
    return out;
  }
  std::erase_if(sorted, [&](const ScoredMember& member) { return !(*test)(member); });
  const auto size = static_cast<int64_t>(sorted.size());
  if (range.offset < 0 || range.offset >= size) {
    return out;
  }
  const int64_t rest = size - range.offset;
  const int64_t count = range.limit < 0 ? rest : std::min(rest, range.limit);
  out.members.assign(sorted.begin() + range.offset, sorted.begin() + range.offset + count);
  return out;
}

ModelReply show_range(ModelCall& call, Range range) {
  if (std::optional<ModelReply> error = take_range_options(call, 4, false, range)) {
    return *error;
  }
  range.from = call.argument(2);
  range.to = call.argument(3);
  const Selection selection = select(call, call.argument(1), range);
  return selection.error ? *selection.error
                         : reply_exact(resp_members(call, selection.members, range.scores));
}

ModelReply zrange_command(ModelCall& call) {
  return show_range(call, {});
}
template <By by, bool reverse>
ModelReply old_range_command(ModelCall& call) {
  Range range;
  range.by = by;
  range.reverse = reverse;
  range.fixed_direction = true;
  return show_range(call, range);
}

ModelReply zrangestore_command(ModelCall& call) {
  Range range;
  if (std::optional<ModelReply> error = take_range_options(call, 5, true, range)) {
    return *error;
  }
  range.from = call.argument(3);
  range.to = call.argument(4);
  const Selection selection = select(call, call.argument(2), range);
  if (selection.error) {
    return *selection.error;
  }
  put_zset(call, call.argument(1), {selection.members.begin(), selection.members.end()}, false);
  return reply_integer(static_cast<int64_t>(selection.members.size()));
}

// The key of argument 1, from argument 2 to argument 3.
Selection select_between(ModelCall& call, By by) {
  Range range;
  range.by = by;
  range.from = call.argument(2);
  range.to = call.argument(3);
  return select(call, call.argument(1), range);
}

template <By by>
ModelReply count_command(ModelCall& call) {
  const Selection selection = select_between(call, by);
  return selection.error ? *selection.error
                         : reply_integer(static_cast<int64_t>(selection.members.size()));
}

ModelReply remove_members(ModelCall& call, std::string_view key, const ScoredMembers& gone) {
  std::optional<ModelReply> error;
  const ModelZset* found = find_zset(call, key, error);
  ModelZset members = found != nullptr ? *found : ModelZset();
  for (const ScoredMember& member : gone) {
    members.erase(member.first);
  }
  if (!gone.empty()) {
    put_zset(call, key, members, true);
  }
  return reply_integer(static_cast<int64_t>(gone.size()));
}

template <By by>
ModelReply remove_command(ModelCall& call) {
  const Selection selection = select_between(call, by);
  return selection.error ? *selection.error
                         : remove_members(call, call.argument(1), selection.members);
}

// --- Pops ----------------------------------------------------------------------------------------

ScoredMembers take_ends(ModelCall& call, std::string_view key, bool highest, int64_t count) {
  std::optional<ModelReply> error;
  ScoredMembers sorted = in_order(*find_zset(call, key, error));
  if (highest) {
    std::reverse(sorted.begin(), sorted.end());
  }
  sorted.resize(std::min(sorted.size(), static_cast<size_t>(count)));
  remove_members(call, key, sorted);
  return sorted;
}

ModelReply pop(ModelCall& call, bool highest) {
  if (call.count() > 3) {
    return reply_error(syntax_text);
  }
  int64_t count = 1;
  if (call.count() == 3) {
    const std::optional<int64_t> given = parse_integer(call.argument(2));
    if (!given || *given < 0) {
      return reply_error("ERR value is out of range, must be positive");
    }
    count = *given;
  }
  std::optional<ModelReply> error;
  const ModelZset* found = find_zset(call, call.argument(1), error);
  if (found == nullptr) {
    return error ? *error : reply_exact("*0\r\n");
  }
  const ScoredMembers popped = take_ends(call, call.argument(1), highest, count);
  if (call.count() == 2) {
    return reply_exact("*2\r\n" + resp_pair(call, popped[0]));
  }
  return reply_exact(resp_members(call, popped, true));
}

ModelReply zpopmin_command(ModelCall& call) {
  return pop(call, false);
}
ModelReply zpopmax_command(ModelCall& call) {
  return pop(call, true);
}

ModelReply bzpop(ModelCall& call, bool highest) {
  const size_t last = call.count() - 1;
  if (std::optional<ModelReply> error = bad_timeout(call, call.argument(last))) {
    return *error;
  }
  for (size_t i = 1; i < last; i++) {
    std::optional<ModelReply> error;
    const std::string key(call.argument(i));
    if (find_zset(call, key, error) != nullptr) {
      const ScoredMembers popped = take_ends(call, key, highest, 1);
      return reply_exact("*3\r\n" + resp_bulk(key) + resp_pair(call, popped[0]));
    }
    if (error) {
      return *error;
    }
  }
  return wait_in_vain(call, null_array_of(call));
}

ModelReply bzpopmin_command(ModelCall& call) {
  return bzpop(call, false);
}
ModelReply bzpopmax_command(ModelCall& call) {
  return bzpop(call, true);
}

// The number of keys is argument `at`, and in front of it there is a time-out or none.
ModelReply mpop(ModelCall& call, size_t at) {
  const std::optional<int64_t> keys = parse_integer(call.argument(at));
  if (!keys || *keys < 1) {
    return reply_error("ERR numkeys should be greater than 0");
  }
  if (static_cast<uint64_t>(*keys) + at + 1 >= call.count()) {
    return reply_error(syntax_text);
  }
  const size_t where = at + 1 + static_cast<size_t>(*keys);
  const bool highest = same_word(call.argument(where), "MAX");
  if (!highest && !same_word(call.argument(where), "MIN")) {
    return reply_error(syntax_text);
  }
  int64_t count = 1;
  if (call.count() > where + 1) {
    if (call.count() < where + 3 || !same_word(call.argument(where + 1), "COUNT")) {
      return reply_error(syntax_text);
    }
    const std::optional<int64_t> given = parse_integer(call.argument(where + 2));
    if (!given || *given < 1) {
      return reply_error("ERR count should be greater than 0");
    }
    if (call.count() > where + 3) {
      return reply_error(syntax_text);
    }
    count = *given;
  }
  if (at == 2) {
    if (std::optional<ModelReply> error = bad_timeout(call, call.argument(1))) {
      return *error;
    }
  }
  for (size_t i = at + 1; i < where; i++) {
    std::optional<ModelReply> error;
    const std::string key(call.argument(i));
    if (find_zset(call, key, error) != nullptr) {
      std::string out = "*2\r\n" + resp_bulk(key);
      const ScoredMembers popped = take_ends(call, key, highest, count);
      out += resp_header('*', popped.size());
      for (const ScoredMember& member : popped) {
        out += "*2\r\n" + resp_pair(call, member);
      }
      return reply_exact(out);
    }
    if (error) {
      return *error;
    }
  }
  return at == 2 ? wait_in_vain(call, null_array_of(call)) : null_array_of(call);
}

ModelReply zmpop_command(ModelCall& call) {
  return mpop(call, 1);
}
ModelReply bzmpop_command(ModelCall& call) {
  return mpop(call, 2);
}

constexpr ModelCommand zset_table[] = {
    {"bzmpop", -5, bzmpop_command, false},
    {"bzpopmax", -3, bzpopmax_command, false},
    {"bzpopmin", -3, bzpopmin_command, false},
    {"zadd", -4, zadd_command, true},
    {"zcard", 2, zcard_command, false},
    {"zcount", 4, count_command<By::score>, false},
    {"zincrby", 4, zincrby_command, true},
    {"zlexcount", 4, count_command<By::member>, false},
    {"zmpop", -4, zmpop_command, false},
    {"zmscore", -3, zmscore_command, false},
    {"zpopmax", -2, zpopmax_command, false},
    {"zpopmin", -2, zpopmin_command, false},
    {"zrandmember", -2, zrandmember_command, false},
    {"zrange", -4, zrange_command, false},
    {"zrangebylex", -4, old_range_command<By::member, false>, false},
    {"zrangebyscore", -4, old_range_command<By::score, false>, false},
    {"zrangestore", -5, zrangestore_command, true},
    {"zrank", -3, zrank_command, false},
    {"zrem", -3, zrem_command, false},
    {"zremrangebylex", 4, remove_command<By::member>, false},
    {"zremrangebyrank", 4, remove_command<By::rank>, false},
    {"zremrangebyscore", 4, remove_command<By::score>, false},
    {"zrevrange", -4, old_range_command<By::rank, true>, false},
    {"zrevrangebylex", -4, old_range_command<By::member, true>, false},
    {"zrevrangebyscore", -4, old_range_command<By::score, true>, false},
    {"zrevrank", -3, zrevrank_command, false},
    {"zscan", -3, zscan_command, false},
    {"zscore", 3, zscore_command, false},
};

}  // namespace

std::span<const ModelCommand> zset_commands() {
  return zset_table;
}

}  // namespace redoubt::sim
