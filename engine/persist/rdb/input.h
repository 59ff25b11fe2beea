// RdbInput: reads the parts of an RDB file from the bytes that are there.
//
// A read of what is not all there yet says how many bytes are missing; one of what cannot be says
// why. From then on nothing moves. So an item is read through a copy: it is there as a whole, or
// the original still stands in front of it.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/persist/rdb/format.h"
#include "engine/store/number.h"
#include "engine/store/stream_id.h"

namespace redoubt {

// What is wrong with a file or payload.
struct RdbError {
  uint64_t offset = 0;  // of the item in which it was found
  std::string text;
};

// A string as it was read. The view is valid until the next one is read into this, and no longer
// than the input's bytes.
class RdbText {
 public:
  RdbText() = default;
  RdbText(const RdbText&) = delete;
  RdbText& operator=(const RdbText&) = delete;

  std::string_view view() const { return view_; }
  // The bytes, which go out of the input then, as an owned string.
  std::string take() {
    if (view_.data() == unpacked_.data()) return std::move(unpacked_);
    return std::string(view_);
  }

 private:
  friend class RdbInput;

  std::string_view view_;
  std::optional<IntegerText> digits_;
  std::string unpacked_;
};

class RdbInput {
 public:
  // No string is longer, compressed or not.
  static constexpr uint64_t kLongestText = UINT32_MAX - (uint32_t{1} << 16);

  RdbInput(std::span<const uint8_t> bytes, uint64_t offset)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), offset_(offset) {}

  bool good() const { return missing_ == 0 && fault_ == nullptr; }
  // How many bytes more the read needed at least; 0 when it did not fail for that.
  uint64_t missing() const { return missing_; }
  // Why a read failed; null when it did not, or for missing bytes.
  const char* fault() const { return fault_; }
  void fail(const char* why) {
    if (good()) fault_ = why;
  }

  // Of the next byte, in the file.
  uint64_t offset() const { return offset_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  // Takes over where an item that was read through a copy has ended; or, when it could not be read,
  // why. False then.
  bool take(const RdbInput& item) {
    if (!take_failure(item)) return false;
    *this = item;
    return true;
  }
  // The same without moving on.
  bool take_failure(const RdbInput& item) {
    missing_ = item.missing_;
    fault_ = item.fault_;
    return good();
  }

  uint8_t u8() { return has(1) ? take_bytes(1)[0] : uint8_t{0}; }
  template <typename T>
  T little() {
    T value{};
    if (has(sizeof value)) std::memcpy(&value, take_bytes(sizeof value), sizeof value);
    return value;
  }
  // A number in the form of a length.
  uint64_t length();
  StreamId id_of_lengths() {
    const uint64_t ms = length();
    return {ms, length()};
  }
  // 16 bytes, high ones first.
  StreamId id_of_bytes();
  std::string_view bytes(uint64_t count) {
    if (!has(count)) return {};
    return {reinterpret_cast<const char*>(take_bytes(count)), count};
  }
  void skip(uint64_t count) {
    if (has(count)) take_bytes(count);
  }

  // A string. skip_text() only passes over it: so it can be found out whether all parts of an item
  // are there before one of them is unpacked.
  void text(RdbText& text);
  void skip_text();
  // A number of a sorted set of old: its text behind its length. Not a number is refused.
  double text_score();
  void skip_text_score();

 private:
  bool has(uint64_t count) {
    if (!good()) return false;
    if (count <= left()) return true;
    missing_ = count - left();
    return false;
  }
  const uint8_t* take_bytes(uint64_t count) {
    const uint8_t* from = at_;
    at_ += count;
    offset_ += count;
    return from;
  }
  void unpack(RdbText& text);

  const uint8_t* at_;
  const uint8_t* end_;
  uint64_t offset_;
  uint64_t missing_ = 0;
  const char* fault_ = nullptr;
};

}  // namespace redoubt
