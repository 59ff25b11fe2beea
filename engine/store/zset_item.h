// ZsetItem: a member of a big sorted set and its score, in one piece of memory.
//
//   byte 0    form of the score (low 2 bits), length of the member (high 6 bits; 63: more)
//   score     4 bytes for a number that is exactly an int32 or a float, otherwise 8
//   [length]  4 bytes, when the length in byte 0 is "more"
//   member
//
// Most scores are small integers or counters: a member of 9 bytes then takes 16 bytes, not 24.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "engine/store/allocator.h"

namespace redoubt {

class ZsetItem {
 public:
  static ZsetItem* make(Allocator& allocator, std::string_view member, double score) {
    const Form form = form_of(score);
    const bool is_long = member.size() >= kLongMember;
    void* piece = allocator.allocate(bytes_for(form, member.size()));
    auto* item = new (piece) ZsetItem;
    item->head_ = static_cast<uint8_t>(form | (is_long ? kLongMember : member.size()) << 2);
    item->put_score(score);
    char* at = item->bytes() + score_bytes(form);
    if (is_long) {
      const uint32_t length = static_cast<uint32_t>(member.size());
      std::memcpy(at, &length, sizeof length);
      at += sizeof length;
    }
    if (!member.empty()) std::memcpy(at, member.data(), member.size());
    return item;
  }
  static void release(Allocator& allocator, ZsetItem* item) {
    allocator.release(item, item->footprint());
  }

  double score() const {
    switch (form()) {
      case kInt32: return load<int32_t>();
      case kFloat: return static_cast<double>(load<float>());
      default: return load<double>();
    }
  }
  std::string_view member() const {
    const char* at = bytes() + score_bytes(form());
    const size_t length = head_ >> 2;
    if (length != kLongMember) return {at, length};
    uint32_t long_length;
    std::memcpy(&long_length, at, sizeof long_length);
    return {at + sizeof long_length, long_length};
  }

  // Whether set_score() can take this score: one that needs as much room.
  bool fits(double score) const { return score_bytes(form_of(score)) == score_bytes(form()); }
  void set_score(double score) {
    head_ = static_cast<uint8_t>((head_ & ~3u) | form_of(score));
    put_score(score);
  }

  // The size asked of the allocator.
  size_t footprint() const { return bytes_for(form(), member().size()); }

  // Scores as numbers whose order is that of the scores. -0 and 0 are the same score.
  static uint64_t prefix_of(double score) {
    const uint64_t bits = std::bit_cast<uint64_t>(score + 0.0);
    return bits >> 63 != 0 ? ~bits : bits | uint64_t{1} << 63;
  }

 private:
  enum Form : uint8_t { kDouble = 0, kInt32 = 1, kFloat = 2 };
  static constexpr size_t kLongMember = 63;

  ZsetItem() = default;

  static Form form_of(double score) {
    if (score >= -2147483648.0 && score <= 2147483647.0 &&
        score == static_cast<double>(static_cast<int32_t>(score))) {
      return kInt32;  // -0 too, which becomes 0
    }
    const double magnitude = std::fabs(score);
    const bool in_range = magnitude <= 3.0e38 || std::isinf(score);
    return in_range && static_cast<double>(static_cast<float>(score)) == score ? kFloat : kDouble;
  }
  static size_t score_bytes(Form form) { return form == kDouble ? 8 : 4; }
  static size_t bytes_for(Form form, size_t member_size) {
    return 1 + score_bytes(form) + (member_size >= kLongMember ? 4 : 0) + member_size;
  }

  Form form() const { return static_cast<Form>(head_ & 3); }
  char* bytes() { return reinterpret_cast<char*>(this) + 1; }
  const char* bytes() const { return reinterpret_cast<const char*>(this) + 1; }
  template <typename T>
  T load() const {
    T value;
    std::memcpy(&value, bytes(), sizeof value);
    return value;
  }
  template <typename T>
  void store(T value) {
    std::memcpy(bytes(), &value, sizeof value);
  }
  void put_score(double score) {
    switch (form()) {
      case kInt32: store(static_cast<int32_t>(score)); break;
      case kFloat: store(static_cast<float>(score)); break;
      default: store(score);
    }
  }

  uint8_t head_;
};

// The order of a sorted set: by score, then by the member's bytes.
struct ZsetOrder {
  static uint64_t prefix(const ZsetItem& item) { return ZsetItem::prefix_of(item.score()); }
  static bool less(const ZsetItem& a, const ZsetItem& b) {
    const uint64_t first = prefix(a);
    const uint64_t second = prefix(b);
    return first != second ? first < second : a.member() < b.member();
  }
};

struct ZsetTrait {
  using Item = ZsetItem;
  static std::string_view key(const ZsetItem& item) { return item.member(); }
};

}  // namespace redoubt
