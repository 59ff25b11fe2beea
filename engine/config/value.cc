// Values of single words, and what is not supported.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/config/config_text.h"
#include "engine/config/directive.h"
#include "engine/store/number.h"
#include "net/assert.h"
#include "net/text.h"

namespace redoubt {

namespace {

// The next item of "a|b|c"; false at the end.
bool next_choice(std::string_view& choices, std::string_view* choice) {
  if (choices.data() == nullptr) return false;
  const size_t bar = choices.find('|');
  *choice = choices.substr(0, bar);
  choices = bar == std::string_view::npos ? std::string_view() : choices.substr(bar + 1);
  return true;
}

std::string listed(std::string_view choices, bool quoted) {
  std::string text;
  std::string_view choice;
  while (next_choice(choices, &choice)) {
    if (!text.empty()) text += ", ";
    text += quoted ? fmt::format("\"{}\"", choice) : std::string(choice);
  }
  return text;
}

void between(const Directive& row, std::string_view what, DirectiveProblem* problem) {
  problem->reply = fmt::format("argument must be between {} and {} inclusive", row.low, row.high);
  problem->expected =
      row.is_unsigned
          ? fmt::format("{} between 0 and {}", what, std::numeric_limits<uint64_t>::max())
          : fmt::format("{} between {} and {}", what, row.low, row.high);
}

bool parse_boolean(std::string_view word, DirectiveValue* value, DirectiveProblem* problem) {
  const bool yes = equal_ignoring_case(word, "yes");
  if (!yes && !equal_ignoring_case(word, "no")) {
    *problem = {"argument must be 'yes' or 'no'", "yes or no"};
    return false;
  }
  value->number = yes ? 1 : 0;
  value->text = yes ? "yes" : "no";
  return true;
}

bool parse_whole_number(const Directive& row, std::string_view word, DirectiveValue* value,
                        DirectiveProblem* problem) {
  between(row, "an integer", problem);
  const std::optional<int64_t> number = parse_integer(word);
  if (!number) {
    problem->reply = "argument couldn't be parsed into an integer";
    return false;
  }
  if (*number < row.low || *number > row.high) return false;
  value->number =
      row.highest_used == 0 ? *number : std::clamp(*number, row.lowest_used, row.highest_used);
  value->text = fmt::format("{}", value->number);
  return true;
}

bool parse_octal(const Directive& row, std::string_view word, DirectiveValue* value,
                 DirectiveProblem* problem) {
  *problem = {"argument couldn't be parsed as an octal number",
              fmt::format("an octal number between 0 and {:o}", row.high)};
  if (word.empty()) return false;
  int64_t number = 0;
  for (const char c : word) {
    if (c < '0' || c > '7') return false;
    number = number * 8 + (c - '0');
    if (number > row.high) {
      problem->reply = fmt::format("argument must be between 0 and {:o} inclusive", row.high);
      return false;
    }
  }
  value->number = number;
  value->text = fmt::format("{:o}", number);
  return true;
}

bool parse_memory(const Directive& row, std::string_view word, DirectiveValue* value,
                  DirectiveProblem* problem) {
  between(row, "a size (such as 1048576, 1024kb or 1mb)", problem);
  const std::optional<uint64_t> bytes = parse_size(word);
  if (!bytes) {
    problem->reply = "argument must be a memory value";
    return false;
  }
  const bool in_range =
      *bytes >= static_cast<uint64_t>(row.low) && *bytes <= static_cast<uint64_t>(row.high);
  if (!in_range && !row.is_unsigned) return false;
  value->number = static_cast<int64_t>(*bytes);
  value->text = fmt::format("{}", *bytes);
  return true;
}

bool parse_memory_or_percent(const Directive& row, std::string_view word, DirectiveValue* value,
                             DirectiveProblem* problem) {
  if (!word.ends_with('%')) {
    if (parse_memory(row, word, value, problem)) return true;
    *problem = {"argument must be a memory or percent value",
                "a size (such as 1mb) or a percentage (such as 5%)"};
    return false;
  }
  const std::optional<int64_t> percent = parse_integer(word.substr(0, word.size() - 1));
  *problem = {"argument must be a memory or percent value", "a percentage between 0% and 100%"};
  if (!percent || *percent < 0) return false;
  if (*percent > 100) {
    problem->reply = "percentage argument must be less or equal to 100";
    return false;
  }
  value->number = -*percent;
  value->text = fmt::format("{}%", *percent);
  return true;
}

bool parse_choice(const Directive& row, std::string_view word, DirectiveValue* value,
                  DirectiveProblem* problem) {
  std::string_view choices = row.choices;
  std::string_view choice;
  for (int64_t index = 0; next_choice(choices, &choice); ++index) {
    if (!equal_ignoring_case(word, choice)) continue;
    value->number = index;
    value->text = choice;
    return true;
  }
  problem->reply = "argument(s) must be one of the following: " + listed(row.choices, false);
  problem->expected = "one of " + listed(row.choices, false);
  return false;
}

bool parse_file_name(const Directive& row, std::string_view word, DirectiveValue* value,
                     DirectiveProblem* problem) {
  *problem = {fmt::format("{} can't be a path, just a filename", row.name),
              "a file name without a path"};
  if (word.empty() || word.find('/') != std::string_view::npos) return false;
  value->text = word;
  return true;
}

bool parse_host_name(std::string_view word, DirectiveValue* value, DirectiveProblem* problem) {
  constexpr size_t kLengthMax = 255;
  *problem = {"Hostnames must be less than 256 characters", "at most 255 characters"};
  if (word.size() > kLengthMax) return false;
  *problem = {"Hostnames may only contain alphanumeric characters, hyphens or dots",
              "letters, digits, hyphens and dots"};
  for (const char c : word) {
    const char lower = to_lower(c);
    const bool good =
        (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!good) return false;
  }
  value->text = word;
  return true;
}

bool parse_word(const Directive& row, std::string_view word, DirectiveValue* value,
                DirectiveProblem* problem) {
  switch (row.kind) {
    case Directive::Kind::boolean: return parse_boolean(word, value, problem);
    case Directive::Kind::integer: return parse_whole_number(row, word, value, problem);
    case Directive::Kind::octal: return parse_octal(row, word, value, problem);
    case Directive::Kind::memory: return parse_memory(row, word, value, problem);
    case Directive::Kind::memory_or_percent:
      return parse_memory_or_percent(row, word, value, problem);
    case Directive::Kind::choice: return parse_choice(row, word, value, problem);
    case Directive::Kind::file_name: return parse_file_name(row, word, value, problem);
    case Directive::Kind::host_name: return parse_host_name(word, value, problem);
    case Directive::Kind::text:
      if (row.parse != nullptr) {
        const std::string one(word);
        return row.parse(row, {}, std::span<const std::string>(&one, 1), value, problem);
      }
      value->text = word;
      return true;
    case Directive::Kind::list:
    case Directive::Kind::line: break;
  }
  ASSERT(false);
  return false;
}

}  // namespace

bool is_supported(const Directive& row, std::string_view text) {
  if (!row.is_limited) return true;
  std::string_view choices = row.supported;
  std::string_view choice;
  while (next_choice(choices, &choice)) {
    if (text == choice) return true;
  }
  return false;
}

std::string supported_values(const Directive& row) {
  return listed(row.supported, true);
}

bool parse_directive(const Directive& row, std::string_view current,
                     std::span<const std::string> words, DirectiveValue* value,
                     DirectiveProblem* problem) {
  ASSERT(row.kind != Directive::Kind::line);
  if (row.kind == Directive::Kind::list) {
    // A list may stand in one pair of quotes.
    std::vector<std::string> split;
    if (words.size() == 1) words = split = directive_words(row, words[0]);
    if (!row.parse(row, current, words, value, problem)) return false;
  } else if (words.size() != 1) {
    *problem = {"wrong number of arguments", fmt::format("one value, not {}", words.size())};
    return false;
  } else if (!parse_word(row, words[0], value, problem)) {
    return false;
  }
  return true;
}

std::vector<std::string> directive_words(const Directive& row, std::string_view value) {
  std::vector<std::string> words;
  if (row.kind == Directive::Kind::list) {
    for (size_t at = 0; at < value.size();) {
      const size_t end = std::min(value.find(' ', at), value.size());
      if (end > at) words.emplace_back(value.substr(at, end - at));
      at = end + 1;
    }
    if (!words.empty()) return words;
  }
  words.emplace_back(value);
  return words;
}

}  // namespace redoubt
