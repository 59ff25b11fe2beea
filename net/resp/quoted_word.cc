#include "net/resp/quoted_word.h"

namespace redoubt {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

}  // namespace

bool read_quoted_word(std::string_view line, size_t& at, char quote, std::string& word) {
  while (at < line.size()) {
    const char c = line[at++];
    if (c == quote) return true;
    const bool literal = c != '\\' || at == line.size() || (quote == '\'' && line[at] != '\'');
    if (literal) {
      word += c;
      continue;
    }
    const bool hex = line[at] == 'x' && at + 2 < line.size() && hex_digit(line[at + 1]) >= 0 &&
                     hex_digit(line[at + 2]) >= 0;
    if (hex) {
      word += static_cast<char>(hex_digit(line[at + 1]) * 16 + hex_digit(line[at + 2]));
      at += 3;
    } else {
      word += unescaped(line[at++]);
    }
  }
  return false;
}

}  // namespace redoubt
