#include "sim/report/escape.h"

namespace redoubt::sim {

namespace {

constexpr char kHex[] = "0123456789abcdef";

// What people read instead of this byte; empty when it stands for itself.
std::string_view readable(char c, char (&buffer)[4]) {
  switch (c) {
    case '\r': return "\\r";
    case '\n': return "\\n";
    case '\t': return "\\t";
    default: break;
  }
  if (c >= ' ' && c <= '~') return {};
  const auto byte = static_cast<unsigned char>(c);
  buffer[0] = '\\';
  buffer[1] = 'x';
  buffer[2] = kHex[byte >> 4];
  buffer[3] = kHex[byte & 15];
  return {buffer, 4};
}

}  // namespace

void append_json(std::string& out, std::string_view bytes, TextKind kind) {
  out += '"';
  const auto put = [&](char c) {
    switch (c) {
      case '\\': out += "\\\\"; return;
      case '"':
      case '<':
      case '>':
      case '&':
      case '\'':
        out += "\\u00";
        out += kHex[static_cast<unsigned char>(c) >> 4];
        out += kHex[static_cast<unsigned char>(c) & 15];
        return;
      default: out += c;
    }
  };
  for (const char c : bytes) {
    char buffer[4];
    const std::string_view shown = readable(c, buffer);
    if (shown.empty()) put(c);
    if (c == '\\' && kind == TextKind::raw) put(c);
    for (const char other : shown) put(other);
  }
  out += '"';
}

void append_html(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    char buffer[4];
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: {
        const std::string_view shown = readable(c, buffer);
        if (shown.empty()) {
          out += c;
        } else {
          out += shown;
        }
      }
    }
  }
}

}  // namespace redoubt::sim
