// Directives whose value has several words, or rules of its own.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/config/config_text.h"
#include "engine/config/directive.h"
#include "engine/config/event_classes.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

// One empty word stands for an empty list.
bool is_empty_list(std::span<const std::string> words) {
  return words.size() == 1 && words[0].empty();
}

}  // namespace

bool parse_bind(const Directive&, std::string_view, std::span<const std::string> words,
                DirectiveValue* value, DirectiveProblem* problem) {
  constexpr size_t kAddressesMax = 16;
  if (is_empty_list(words)) return true;
  *problem = {"Too many bind addresses specified.",
              fmt::format("between 1 and {} addresses", kAddressesMax)};
  if (words.empty() || words.size() > kAddressesMax) return false;
  for (const std::string& word : words) {
    if (word.find_first_of(" \t\r\n") != std::string::npos || word.empty() || word == "-") {
      *problem = {"Invalid bind address.", "addresses such as 127.0.0.1, ::1, -::1 or *"};
      return false;
    }
  }
  value->words.assign(words.begin(), words.end());
  value->text = join_words(words);
  return true;
}

bool parse_output_limits(const Directive& row, std::string_view current,
                         std::span<const std::string> words, DirectiveValue* value,
                         DirectiveProblem* problem) {
  *problem = {"Wrong number of arguments in buffer limit configuration.",
              "<class> <hard limit> <soft limit> <soft seconds>"};
  std::vector<std::string> limits = directive_words(row, current);
  if (is_empty_list(words)) words = {};  // CONFIG SET to "" changes nothing
  if (words.size() % 4 != 0) return false;
  for (size_t i = 0; i < words.size(); i += 4) {
    const bool replica = equal_ignoring_case(words[i], "replica");
    const std::string_view client_class = replica ? std::string_view("slave") : words[i];
    size_t at = 0;
    while (at < limits.size() && !equal_ignoring_case(limits[at], client_class)) at += 4;
    if (at >= limits.size()) {
      *problem = {"Invalid client class specified in buffer limit configuration.",
                  "a client class: normal, replica or pubsub"};
      return false;
    }
    const std::optional<uint64_t> hard = parse_size(words[i + 1]);
    const std::optional<uint64_t> soft = parse_size(words[i + 2]);
    const std::optional<int64_t> seconds = parse_integer(words[i + 3]);
    if (!hard || !soft || std::max(*hard, *soft) > directive::kMax || !seconds || *seconds < 0) {
      *problem = {"Error in hard, soft or soft_seconds setting in buffer limit configuration.",
                  "two sizes (such as 64mb) and a number of seconds behind the class"};
      return false;
    }
    limits[at + 1] = fmt::format("{}", *hard);
    limits[at + 2] = fmt::format("{}", *soft);
    limits[at + 3] = fmt::format("{}", *seconds);
  }
  value->text = join_words(limits);
  value->words = std::move(limits);
  return true;
}

bool parse_save(const Directive&, std::string_view, std::span<const std::string> words,
                DirectiveValue* value, DirectiveProblem* problem) {
  if (is_empty_list(words)) return true;
  *problem = {"Invalid save parameters", "\"\", or pairs of <seconds> <changes>"};
  if (words.empty() || words.size() % 2 != 0) return false;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::optional<int64_t> seconds = parse_integer(words[i]);
    const std::optional<int64_t> changes = parse_integer(words[i + 1]);
    if (!seconds || !changes || *seconds < 1 || *changes < 0) return false;
  }
  value->words.assign(words.begin(), words.end());
  value->text = join_words(words);
  return true;
}

bool parse_events(const Directive&, std::string_view, std::span<const std::string> words,
                  DirectiveValue* value, DirectiveProblem* problem) {
  *problem = {"Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
              "one word of characters out of Ag$lshzxeKEtmdnoc"};
  if (words.size() != 1) return false;
  const std::optional<uint32_t> classes = event_classes(words[0]);
  if (!classes) return false;
  value->text = event_classes_text(*classes);
  return true;
}

bool parse_percentiles(const Directive&, std::string_view, std::span<const std::string> words,
                       DirectiveValue* value, DirectiveProblem* problem) {
  constexpr size_t kPercentilesMax = 32;
  if (is_empty_list(words)) return true;
  *problem = {"Invalid latency-tracking-info-percentiles parameters",
              fmt::format("at most {} numbers between 0 and 100", kPercentilesMax)};
  if (words.empty() || words.size() > kPercentilesMax) return false;
  for (const std::string& word : words) {
    const std::optional<double> percentile = parse_double(word);
    if (!percentile) return false;
    if (*percentile < 0 || *percentile > 100) {
      problem->reply =
          "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
      return false;
    }
    value->words.emplace_back(DoubleText(*percentile).view());
  }
  value->text = join_words(value->words);
  return true;
}

bool parse_oom_scores(const Directive&, std::string_view, std::span<const std::string> words,
                      DirectiveValue* value, DirectiveProblem* problem) {
  *problem = {"wrong number of arguments", "three integers between -2000 and 2000"};
  if (words.size() != 3) return false;
  for (const std::string& word : words) {
    const std::optional<int64_t> score = parse_integer(word);
    if (score && *score >= -2000 && *score <= 2000) continue;
    problem->reply = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    return false;
  }
  value->words.assign(words.begin(), words.end());
  value->text = join_words(words);
  return true;
}

bool parse_shutdown_options(const Directive& row, std::string_view,
                            std::span<const std::string> words, DirectiveValue* value,
                            DirectiveProblem* problem) {
  constexpr std::array<std::string_view, 5> kOptions = {"default", "save", "nosave", "now",
                                                        "force"};
  std::array<bool, kOptions.size()> given{};
  for (const std::string& word : words) {
    size_t index = 0;
    while (index < kOptions.size() && !equal_ignoring_case(word, kOptions[index])) ++index;
    if (index == kOptions.size()) {
      *problem = {"argument(s) must be one of the following: default, save, nosave, now, force",
                  "words out of default, save, nosave, now, force"};
      return false;
    }
    given[index] = true;
  }
  if (given[1] && given[2]) {
    *problem = {"shutdown options SAVE and NOSAVE can't be used simultaneously",
                "only one of save and nosave"};
    return false;
  }
  for (size_t i = 1; i < kOptions.size(); ++i) {
    if (given[i]) value->words.emplace_back(kOptions[i]);
  }
  value->text = value->words.empty() ? std::string(row.initial) : join_words(value->words);
  return true;
}

bool parse_version(const Directive&, std::string_view, std::span<const std::string> words,
                   DirectiveValue* value, DirectiveProblem* problem) {
  *problem = {"argument must be a version such as 7.4.0", "a version such as 7.4.0"};
  if (words.size() != 1) return false;
  int numbers = 0;
  for (size_t at = 0; at <= words[0].size(); ++numbers) {
    const size_t end = std::min(words[0].find('.', at), words[0].size());
    const std::optional<int64_t> number = parse_integer(words[0].substr(at, end - at));
    if (!number || *number < 0 || *number > 255) return false;
    at = end + 1;
  }
  if (numbers != 3) return false;
  value->text = words[0];
  return true;
}

// "0-7:2,8": ranges of processors with a step, separated by commas.
bool parse_cpus(const Directive&, std::string_view, std::span<const std::string> words,
                DirectiveValue* value, DirectiveProblem* problem) {
  constexpr int64_t kCpusMax = 4096;
  if (is_empty_list(words)) return true;
  *problem = {"argument must be a list of processors such as 0-7:2,8",
              "a list of processors such as 0-7:2,8"};
  if (words.size() != 1) return false;
  const std::string& text = words[0];
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string range = text.substr(at, end - at);
    const size_t colon = std::min(range.find(':'), range.size());
    const size_t dash = std::min(range.find('-'), colon);
    const auto number = [&](size_t from, size_t to) {
      const std::optional<int64_t> parsed = parse_integer(range.substr(from, to - from));
      return parsed && *parsed >= 0 && *parsed < kCpusMax ? *parsed : int64_t{-1};
    };
    const int64_t first = number(0, dash);
    const int64_t last = dash == colon ? first : number(dash + 1, colon);
    const int64_t step = colon == range.size() ? 1 : number(colon + 1, range.size());
    if (first < 0 || last < first || step < 1) return false;
    at = end + 1;
  }
  value->text = text;
  return true;
}

bool parse_title(const Directive&, std::string_view, std::span<const std::string> words,
                 DirectiveValue* value, DirectiveProblem* problem) {
  constexpr std::array<std::string_view, 7> kFields = {
      "title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"};
  *problem = {"template format is invalid or contains unknown variables",
              "text with fields out of {title}, {listen-addr}, {server-mode}, {port}, {tls-port}, "
              "{unixsocket}, {config-file}"};
  const std::string text = join_words(words);
  for (size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
    const size_t end = text.find('}', at);
    if (end == std::string::npos) return false;
    const std::string_view field = std::string_view(text).substr(at + 1, end - at - 1);
    if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) return false;
  }
  value->text = text;
  return true;
}

bool parse_replicaof(const Directive&, std::string_view, std::span<const std::string> words,
                     DirectiveValue* value, DirectiveProblem* problem) {
  *problem = {"wrong number of arguments", "<host> <port>, or \"no one\""};
  if (is_empty_list(words)) return true;
  if (words.size() != 2) return false;
  if (equal_ignoring_case(words[0], "no") && equal_ignoring_case(words[1], "one")) return true;
  const std::optional<int64_t> port = parse_integer(words[1]);
  if (!port || *port < 0 || *port > 65535) {
    *problem = {"Invalid master port", "a port between 0 and 65535 behind the host"};
    return false;
  }
  value->text = join_words(words);
  return true;
}

}  // namespace redoubt
