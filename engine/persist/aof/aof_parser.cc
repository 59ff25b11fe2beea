#include "engine/persist/aof/aof_parser.h"

#include <fmt/format.h>

#include <charconv>

#include "engine/persist/aof/aof_format.h"
#include "net/assert.h"

namespace redoubt {

namespace {

// What a command has at most, as in requests.
constexpr int64_t kArgumentsMax = 1024 * 1024;
constexpr int64_t kArgumentBytesMax = (int64_t{4} << 30) - (1 << 20);
// Longer than the longest number with its type and line end.
constexpr size_t kNumberLineMax = 32;
// Bytes in front of what is kept are moved out of the way when they are so many.
constexpr size_t kSlackMax = 1 << 20;

}  // namespace

char* AofParser::room(size_t size) {
  filled_ = buffer_.size();
  buffer_.resize(filled_ + size);
  return buffer_.data() + filled_;
}

void AofParser::keep_from(uint64_t place) {
  ASSERT(place >= base_ && place <= fed());
  const size_t slack = static_cast<size_t>(place - base_);
  if (slack < kSlackMax && slack < buffer_.size()) return;
  buffer_.erase(0, slack);
  base_ = place;
}

AofParser::Item AofParser::fail(uint64_t at, std::string_view what) {
  problem_ = fmt::format("{} at byte {}", what, at);
  return Item::malformed;
}

AofParser::Item AofParser::next() {
  if (at_ == fed()) return Item::need_more;
  const char first = bytes(at_, at_ + 1)[0];
  if (first == '#') return read_annotation();
  if (first == '*') return read_command();
  return fail(at_, "neither a command nor an annotation begins");
}

AofParser::Item AofParser::read_annotation() {
  const std::string_view rest = bytes(at_, fed());
  const size_t end = rest.substr(0, kAnnotationMax).find('\n');
  if (end == std::string_view::npos) {
    if (rest.size() < kAnnotationMax) return Item::need_more;
    return fail(at_, "an annotation without an end begins");
  }
  line_ = rest.substr(0, end);
  if (line_.ends_with('\r')) line_.remove_suffix(1);
  at_ += end + 1;
  return Item::annotation;
}

AofParser::Number AofParser::read_number(char type, uint64_t* at, int64_t* value) {
  const std::string_view rest = bytes(*at, fed());
  if (rest.empty()) return Number::need_more;
  if (rest[0] != type) return Number::bad;
  const size_t end = rest.substr(0, kNumberLineMax).find('\n');
  if (end == std::string_view::npos) {
    return rest.size() < kNumberLineMax ? Number::need_more : Number::bad;
  }
  if (end < 3 || rest[end - 1] != '\r') return Number::bad;
  const char* last = rest.data() + end - 1;
  const auto [stop, error] = std::from_chars(rest.data() + 1, last, *value);
  if (error != std::errc() || stop != last) return Number::bad;
  *at += end + 1;
  return Number::good;
}

AofParser::Item AofParser::read_command() {
  if (args_left_ == 0) {
    uint64_t at = at_;
    int64_t count = 0;
    switch (read_number('*', &at, &count)) {
      case Number::need_more: return Item::need_more;
      case Number::bad: return fail(at, "a broken count of arguments stands");
      case Number::good: break;
    }
    if (count < 1 || count > kArgumentsMax) return fail(at_, "a command with a wrong count begins");
    args_.clear();
    args_left_ = count;
    resume_at_ = at;
  }
  for (; args_left_ > 0; --args_left_) {
    uint64_t at = resume_at_;
    int64_t size = 0;
    switch (read_number('$', &at, &size)) {
      case Number::need_more: return Item::need_more;
      case Number::bad: return fail(at, "a broken length of an argument stands");
      case Number::good: break;
    }
    if (size < 0 || size > kArgumentBytesMax) return fail(at, "a wrong length of an argument ends");
    const auto length = static_cast<size_t>(size);
    if (fed() - at < length + 2) return Item::need_more;
    if (bytes(at + length, at + length + 2) != "\r\n") {
      return fail(at + length, "an argument without an end stands");
    }
    args_.push_back({at, length});
    resume_at_ = at + length + 2;
  }
  at_ = resume_at_;
  return Item::command;
}

}  // namespace redoubt
