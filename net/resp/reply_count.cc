#include "net/resp/reply_count.h"

#include <charconv>
#include <cstdint>

namespace redoubt {

namespace {

// Moves `at` behind the head of a value: its line, and the bytes of a string. *more becomes the
// number of values that belong to it. False: it is incomplete.
bool skip_head(std::string_view bytes, size_t* at, uint64_t* more) {
  const size_t end = bytes.find("\r\n", *at);
  if (end == std::string_view::npos) return false;
  const char type = bytes[*at];
  int64_t number = 0;
  std::from_chars(bytes.data() + *at + 1, bytes.data() + end, number);
  *at = end + 2;
  *more = 0;
  if (number < 0) return true;  // null
  const auto size = static_cast<uint64_t>(number);
  switch (type) {
    case '$':
    case '=':
    case '!':
      if (size + 2 > bytes.size() - *at) return false;
      *at += static_cast<size_t>(size) + 2;
      break;
    case '*':
    case '~':
    case '>': *more = size; break;
    case '%': *more = size * 2; break;
    case '|': *more = size * 2 + 1; break;
    default: break;
  }
  return true;
}

}  // namespace

size_t count_replies(std::string_view bytes) {
  size_t count = 0;
  for (size_t at = 0; at < bytes.size();) {
    const bool push = bytes[at] == '>';
    for (uint64_t values = 1; values > 0; --values) {
      uint64_t more = 0;
      if (at >= bytes.size() || !skip_head(bytes, &at, &more)) return count;
      values += more;
    }
    if (!push) ++count;
  }
  return count;
}

}  // namespace redoubt
