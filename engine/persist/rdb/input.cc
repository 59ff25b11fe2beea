#include "engine/persist/rdb/input.h"

#include <cmath>
#include <limits>

#include "engine/persist/rdb/lzf.h"

namespace redoubt {

namespace {

constexpr uint8_t kFormBits = 0xC0;
constexpr uint8_t kLength32 = 0x80;
constexpr uint8_t kLength64 = 0x81;
// Instead of the length of a number's text.
constexpr uint8_t kNotANumber = 253;
constexpr uint8_t kInfinite = 254;
constexpr uint8_t kMinusInfinite = 255;

}  // namespace

uint64_t RdbInput::length() {
  if (!has(1)) return 0;
  const uint8_t first = *at_;
  switch (first >> 6) {
    case 0: return take_bytes(1)[0];
    case 1: {
      if (!has(2)) return 0;
      const uint8_t* from = take_bytes(2);
      return uint64_t{from[0] & 63u} << 8 | from[1];
    }
    case 2: {
      if (first != kLength32 && first != kLength64) break;
      const size_t width = first == kLength32 ? 4 : 8;
      if (!has(1 + width)) return 0;
      const uint8_t* from = take_bytes(1 + width);
      uint64_t value = 0;
      for (size_t i = 1; i <= width; ++i) value = value << 8 | from[i];
      return value;
    }
    default: break;
  }
  fail("a byte that begins no length");
  return 0;
}

StreamId RdbInput::id_of_bytes() {
  if (!has(16)) return {};
  const uint8_t* from = take_bytes(16);
  StreamId id;
  for (size_t i = 0; i < 8; ++i) {
    id.ms = id.ms << 8 | from[i];
    id.seq = id.seq << 8 | from[8 + i];
  }
  return id;
}

void RdbInput::skip_text() {
  if (!has(1)) return;
  const uint8_t first = *at_;
  uint64_t size = 0;
  if ((first & kFormBits) != kFormBits) {
    size = length();
  } else {
    take_bytes(1);
    switch (static_cast<RdbStringForm>(first)) {
      case RdbStringForm::int8: size = 1; break;
      case RdbStringForm::int16: size = 2; break;
      case RdbStringForm::int32: size = 4; break;
      case RdbStringForm::lzf: {
        size = length();
        const uint64_t unpacked = length();
        if (good() && (unpacked == 0 || unpacked / kLzfExpansionMax > size)) {
          fail("a compressed string that claims to be longer than it can be");
        }
        if (unpacked > kLongestText) fail("a string that is too long");
        break;
      }
      default: fail("an unknown form of string");
    }
  }
  if (size > kLongestText) fail("a string that is too long");
  skip(size);
}

void RdbInput::text(RdbText& text) {
  if (!has(1)) return;
  if ((*at_ & kFormBits) != kFormBits) {
    const uint64_t size = length();
    if (size > kLongestText) fail("a string that is too long");
    text.view_ = bytes(size);
    return;
  }
  RdbInput whole = *this;
  whole.skip_text();
  if (!take_failure(whole)) return;
  const auto form = static_cast<RdbStringForm>(u8());
  switch (form) {
    case RdbStringForm::int8: text.digits_.emplace(little<int8_t>()); break;
    case RdbStringForm::int16: text.digits_.emplace(little<int16_t>()); break;
    case RdbStringForm::int32: text.digits_.emplace(little<int32_t>()); break;
    default: unpack(text); return;
  }
  text.view_ = text.digits_->view();
}

// All of it is there.
void RdbInput::unpack(RdbText& text) {
  const uint64_t packed_size = length();
  const uint64_t size = length();
  const std::string_view packed = bytes(packed_size);
  text.unpacked_.resize(size);
  text.view_ = text.unpacked_;
  if (!lzf_decompress(packed, text.unpacked_.data(), size)) {
    fail("a compressed string that cannot be unpacked");
  }
}

void RdbInput::skip_text_score() {
  const uint8_t size = u8();
  if (size < kNotANumber) skip(size);
}

double RdbInput::text_score() {
  const uint8_t size = u8();
  if (size == kInfinite) return std::numeric_limits<double>::infinity();
  if (size == kMinusInfinite) return -std::numeric_limits<double>::infinity();
  if (size == kNotANumber) {
    fail("a score that is not a number");
    return 0;
  }
  const std::string_view digits = bytes(size);
  if (!good()) return 0;
  const std::optional<double> score = parse_double(digits);
  if (!score) fail("a score that is not a number");
  return score.value_or(0);
}

}  // namespace redoubt
