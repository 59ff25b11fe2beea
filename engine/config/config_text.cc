#include "engine/config/config_text.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "engine/store/number.h"
#include "net/resp/quoted_word.h"
#include "net/text.h"

namespace redoubt {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' || c == '\0';
}

void append_escaped(std::string& text, char c) {
  switch (c) {
    case '\n': text += "\\n"; return;
    case '\r': text += "\\r"; return;
    case '\t': text += "\\t"; return;
    case '\b': text += "\\b"; return;
    case '\a': text += "\\a"; return;
    case '"':
    case '\\':
      text += '\\';
      text += c;
      return;
    default: break;
  }
  if (c >= ' ' && c <= '~') {
    text += c;
  } else {
    text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
}

std::string in_quotes(std::string_view word) {
  std::string text = "\"";
  for (const char c : word) append_escaped(text, c);
  text += '"';
  return text;
}

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr std::array<Unit, 8> kUnits = {{{"", 1},
                                         {"b", 1},
                                         {"k", 1000},
                                         {"kb", 1024},
                                         {"m", 1000 * 1000},
                                         {"mb", 1024 * 1024},
                                         {"g", 1000 * 1000 * 1000},
                                         {"gb", 1024 * 1024 * 1024}}};

}  // namespace

bool split_words(std::string_view line, std::vector<std::string>* words) {
  words->clear();
  size_t at = 0;
  for (;;) {
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size()) return true;
    std::string word;
    while (at < line.size() && !is_blank(line[at])) {
      const char c = line[at++];
      if (c == '"' || c == '\'') {
        if (!read_quoted_word(line, at, c, word)) return false;
        if (at < line.size() && !is_blank(line[at])) return false;
        break;
      }
      word += c;
    }
    words->push_back(std::move(word));
  }
}

std::string join_words(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) {
    if (&word != words.data()) text += ' ';
    text += word;
  }
  return text;
}

std::string_view trim(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

std::string quote_word(std::string_view word) {
  bool plain = !word.empty() && word.front() != '#';
  for (const char c : word) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\') plain = false;
  }
  return plain ? std::string(word) : in_quotes(word);
}

std::string quote_for_message(std::string_view word) {
  constexpr size_t kShown = 120;
  if (word.size() <= kShown) return in_quotes(word);
  return in_quotes(word.substr(0, kShown)) + "...";
}

std::optional<uint64_t> parse_size(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits == 0) return std::nullopt;
  uint64_t number = 0;
  for (const char c : text.substr(0, digits)) {
    if (__builtin_mul_overflow(number, uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<uint64_t>(c - '0'), &number)) {
      return std::nullopt;
    }
  }
  for (const Unit& unit : kUnits) {
    if (!equal_ignoring_case(text.substr(digits), unit.name)) continue;
    if (__builtin_mul_overflow(number, unit.factor, &number)) return std::nullopt;
    return number;
  }
  return std::nullopt;
}

std::string size_text(uint64_t bytes) {
  constexpr uint64_t kGb = uint64_t{1} << 30;
  constexpr uint64_t kMb = uint64_t{1} << 20;
  constexpr uint64_t kKb = uint64_t{1} << 10;
  if (bytes != 0 && bytes % kGb == 0) return fmt::format("{}gb", bytes / kGb);
  if (bytes != 0 && bytes % kMb == 0) return fmt::format("{}mb", bytes / kMb);
  if (bytes != 0 && bytes % kKb == 0) return fmt::format("{}kb", bytes / kKb);
  return fmt::format("{}", bytes);
}

}  // namespace redoubt
