#include "engine/persist/rdb/output.h"

#include <limits>

#include "engine/store/number.h"

namespace redoubt {

namespace {

// Numbers of no more characters than this are written as such: "-2147483648".
constexpr size_t kLongestNumber = 11;
// Shorter strings are not worth compressing, nor is less than this worth saving.
constexpr size_t kShortestCompressed = 21;
constexpr size_t kLeastSaved = 4;
// What is kept of the memory in which strings are compressed.
constexpr size_t kKeptBytes = 1024 * 1024;

template <typename T>
bool fits(int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

}  // namespace

void RdbOutput::length(uint64_t value) {
  if (value < 64) {
    u8(static_cast<uint8_t>(value));
    return;
  }
  if (value < 16384) {
    u8(static_cast<uint8_t>(0x40 | value >> 8));
    u8(static_cast<uint8_t>(value));
    return;
  }
  const bool small = value <= UINT32_MAX;
  char raw[9];
  raw[0] = static_cast<char>(small ? 0x80 : 0x81);
  const size_t width = small ? 4 : 8;
  for (size_t i = 0; i < width; ++i) {
    raw[1 + i] = static_cast<char>(value >> (8 * (width - 1 - i)));
  }
  bytes_.append(raw, 1 + width);
}

void RdbOutput::id_of_bytes(StreamId id) {
  char raw[16];
  for (size_t i = 0; i < 8; ++i) {
    raw[i] = static_cast<char>(id.ms >> (56 - 8 * i));
    raw[8 + i] = static_cast<char>(id.seq >> (56 - 8 * i));
  }
  bytes_.append(raw, sizeof raw);
}

void RdbOutput::integer(int64_t value) {
  if (fits<int8_t>(value)) {
    u8(static_cast<uint8_t>(RdbStringForm::int8));
    little(static_cast<int8_t>(value));
  } else if (fits<int16_t>(value)) {
    u8(static_cast<uint8_t>(RdbStringForm::int16));
    little(static_cast<int16_t>(value));
  } else if (fits<int32_t>(value)) {
    u8(static_cast<uint8_t>(RdbStringForm::int32));
    little(static_cast<int32_t>(value));
  } else {
    const IntegerText digits(value);
    length(digits.view().size());
    raw(digits.view());
  }
}

bool RdbOutput::number(std::string_view text) {
  if (text.empty() || text.size() > kLongestNumber || text[0] > '9') return false;
  const std::optional<int64_t> value = parse_integer(text);
  if (!value || !fits<int32_t>(*value)) return false;
  integer(*value);
  return true;
}

void RdbOutput::text(std::string_view text) {
  if (!number(text)) blob(text);
}

void RdbOutput::text(const Listpack::Element& element) {
  if (element.is_number) {
    integer(element.number);
  } else {
    text(element.text);
  }
}

void RdbOutput::blob(std::string_view bytes) {
  if (compress_ && bytes.size() >= kShortestCompressed) {
    if (compressor_ == nullptr) compressor_ = std::make_unique<LzfCompressor>();
    if (packed_.size() < bytes.size()) packed_.resize(bytes.size());
    const size_t packed = compressor_->compress(bytes, packed_.data(), bytes.size() - kLeastSaved);
    if (packed > 0) {
      u8(static_cast<uint8_t>(RdbStringForm::lzf));
      length(packed);
      length(bytes.size());
      raw(std::string_view(packed_).substr(0, packed));
    }
    if (packed_.size() > kKeptBytes) std::string().swap(packed_);
    if (packed > 0) return;
  }
  length(bytes.size());
  raw(bytes);
}

}  // namespace redoubt
