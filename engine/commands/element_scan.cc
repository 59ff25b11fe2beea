#include "engine/commands/element_scan.h"

#include "net/text.h"

namespace redoubt {

std::optional<uint64_t> parse_cursor(std::string_view text) {
  const bool negative = text.starts_with('-');
  const bool sign = negative || text.starts_with('+');
  if (sign) text.remove_prefix(1);
  if (text.empty()) return sign ? std::nullopt : std::optional<uint64_t>(0);
  uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(digit - '0'), &value)) {
      return std::nullopt;
    }
  }
  return negative ? 0 - value : value;
}

bool scan_matches(std::string_view pattern, std::string_view text) {
  if (pattern == "*") return true;
  return text.empty() ? pattern.empty() : glob_matches(pattern, text);
}

bool read_scan_cursor(Context& c, ElementScan& scan) {
  const std::optional<uint64_t> cursor = parse_cursor(c.args[2]);
  if (!cursor) {
    c.error("ERR invalid cursor");
    return false;
  }
  scan.cursor = *cursor;
  return true;
}

bool read_scan_options(Context& c, ElementScan& scan, bool values) {
  for (size_t i = 3; i < c.args.size(); ++i) {
    const bool has_value = i + 1 < c.args.size();
    if (has_value && c.is(i, "count")) {
      const std::optional<int64_t> count = c.integer(++i);
      if (!count) return false;
      if (*count < 1) {
        c.syntax_error();
        return false;
      }
      scan.count = static_cast<uint64_t>(*count);
    } else if (has_value && c.is(i, "match")) {
      scan.pattern = c.args[++i];
    } else if (values && c.is(i, "novalues")) {
      scan.no_values = true;
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

}  // namespace redoubt
