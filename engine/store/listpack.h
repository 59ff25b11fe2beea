// Listpack: a sequence of short strings and integers in one block of bytes, which can be walked in
// both directions. It is the form that small lists, hashes, sets, sorted sets and the blocks of
// streams have in memory as well as in RDB files, so that saving one is a copy.
//
//   total bytes   4, little-endian, with this header and the end
//   count         2, little-endian; 65535: not known, walk to find out
//   elements
//   0xFF          the end
//
// An element is an encoding with its data, then the length of both as a number that is read
// backwards: seven bits a byte, the last byte holds the lowest, and the top bit says that another
// byte stands in front.
//
//   0xxxxxxx            an integer from 0 to 127
//   10nnnnnn            a string of up to 63 bytes
//   110xxxxx +1         an integer of 13 bits, two's complement, high byte first
//   1110nnnn +1         a string of up to 4095 bytes, high byte first
//   0xF0 +4             a string of any length, which is little-endian like all that follows
//   0xF1 0xF2 0xF3 0xF4 an integer of 16, 24, 32, 64 bits
//
// A string that is an integer in canonical form is stored as one. A block that others wrote may
// hold such a string as it is, or a small integer in a large encoding; everything here looks at
// what an element says, not at how.
//
// A block comes from an Allocator with its total bytes as its size: it fills up the allocator's
// class, and moves when that changes. There is no capacity to store.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/store/allocator.h"
#include "engine/store/number.h"

namespace redoubt {

// Functions on blocks; a block is a pointer to its first byte and belongs to whoever made it. A
// place is a pointer to an element; null is "none". Places are valid until the block changes.
class Listpack {
 public:
  static constexpr size_t kHeaderBytes = 6;
  static constexpr size_t kEmptyBytes = kHeaderBytes + 1;
  // More would not fit the header, with room for one more element's overhead.
  static constexpr size_t kLargestBytes = UINT32_MAX - 16;

  // A string, which points into the block, or an integer.
  struct Element {
    std::string_view text;
    int64_t number = 0;
    bool is_number = false;
  };

  // A text to compare with many elements: whether it is an integer is found out once.
  struct Wanted {
    explicit Wanted(std::string_view bytes);
    bool is(const Element& element) const {
      return element.is_number ? number == element.number : element.text == text;
    }

    std::string_view text;
    std::optional<int64_t> number;
  };

  static uint8_t* make(Allocator& allocator);
  // A block with the bytes of one for which validate() said yes.
  static uint8_t* make(Allocator& allocator, std::span<const uint8_t> valid);
  static void free(Allocator& allocator, uint8_t* block) { allocator.release(block, bytes(block)); }
  static uint8_t* copy(Allocator& to, const uint8_t* block) {
    return make(to, {block, bytes(block)});
  }
  // The elements from `first` up to, not including, `last` (null: the end), of which there are
  // `count`, as a block of their own.
  static uint8_t* slice(Allocator& allocator, const uint8_t* block, const uint8_t* first,
                        const uint8_t* last, size_t count);

  // Checks a block of unknown origin: each byte of it is accounted for. The number of elements, or
  // nothing when it is not a listpack. Takes one pass and no memory.
  static std::optional<size_t> validate(std::span<const uint8_t> bytes);

  static size_t bytes(const uint8_t* block) { return load<uint32_t>(block); }
  static std::span<const uint8_t> span(const uint8_t* block) { return {block, bytes(block)}; }
  // Bytes as the allocator counts them.
  static size_t counted_bytes(const uint8_t* block) { return counted_size(bytes(block)); }
  // The number of elements: from the header, or by walking when there are 65535 or more.
  static size_t count(const uint8_t* block) {
    const uint16_t known = load<uint16_t>(block + 4);
    return known != kUnknownCount ? known : walked_count(block);
  }
  static bool empty(const uint8_t* block) { return block[kHeaderBytes] == kEnd; }

  static const uint8_t* first(const uint8_t* block) { return or_none(block + kHeaderBytes); }
  static const uint8_t* last(const uint8_t* block) { return previous(block, end(block)); }
  static const uint8_t* next(const uint8_t* block, const uint8_t* at);
  static const uint8_t* previous(const uint8_t* block, const uint8_t* at);
  // The element at an index, negative from the end; null when there is none. Walks from the nearer
  // end.
  static const uint8_t* seek(const uint8_t* block, int64_t index);
  // The end, which is no element.
  static const uint8_t* end(const uint8_t* block) { return block + bytes(block) - 1; }

  static Element get(const uint8_t* at);
  // The bytes of an element; an integer's are written into `scratch`.
  static std::string_view text(const uint8_t* at, std::optional<IntegerText>& scratch);
  // The element as an integer, when it is one in canonical form.
  static std::optional<int64_t> integer(const uint8_t* at);
  static size_t text_size(const uint8_t* at);
  static bool equal(const uint8_t* at, std::string_view text) { return Wanted(text).is(get(at)); }
  // The first element from `from` on (null: none) with this text, of those at `from` and then after
  // every `skip` others.
  static const uint8_t* find(const uint8_t* block, const uint8_t* from, std::string_view text,
                             size_t skip = 0);

  // Bytes that an element with this text takes in a block.
  static size_t element_bytes(std::string_view text);
  static size_t element_bytes(int64_t number);

  // A block that is written from front to back into a string: kHeaderBytes of any content,
  // elements, and at the end, when `count` elements have been added, header and end.
  static void append_encoded(std::string& block, std::string_view text);
  static void append_encoded(std::string& block, int64_t number);
  static void finish_encoded(std::string& block, size_t count);

  // Changing. The block may move: they return where it is, and in *at the element's new place. Text
  // must not point into the block. What would become larger than kLargestBytes must not be asked
  // for. `before` null: at the end.
  static uint8_t* insert(Allocator& allocator, uint8_t* block, const uint8_t* before,
                         std::string_view text, const uint8_t** at = nullptr);
  static uint8_t* insert(Allocator& allocator, uint8_t* block, const uint8_t* before,
                         int64_t number, const uint8_t** at = nullptr);
  static uint8_t* append(Allocator& allocator, uint8_t* block, std::string_view text) {
    return insert(allocator, block, nullptr, text);
  }
  static uint8_t* append(Allocator& allocator, uint8_t* block, int64_t number) {
    return insert(allocator, block, nullptr, number);
  }
  static uint8_t* prepend(Allocator& allocator, uint8_t* block, std::string_view text) {
    return insert(allocator, block, block + kHeaderBytes, text);
  }
  static uint8_t* replace(Allocator& allocator, uint8_t* block, const uint8_t* place,
                          std::string_view text, const uint8_t** at = nullptr);
  static uint8_t* replace(Allocator& allocator, uint8_t* block, const uint8_t* place,
                          int64_t number, const uint8_t** at = nullptr);
  // Removes `count` elements from a place on, or as many as there are. *next is what then stands at
  // the place, null at the end.
  static uint8_t* erase(Allocator& allocator, uint8_t* block, const uint8_t* place, size_t count,
                        const uint8_t** next = nullptr);
  // Removes the elements that are equal to `wanted`, without the first `skip` of them, at most
  // `limit`. Takes one pass. *removed says how many there were.
  static uint8_t* remove(Allocator& allocator, uint8_t* block, const Wanted& wanted, size_t skip,
                         size_t limit, size_t* removed);
  // Adds all elements of another block at the end, or in front.
  static uint8_t* append_all(Allocator& allocator, uint8_t* block, const uint8_t* other);
  static uint8_t* prepend_all(Allocator& allocator, uint8_t* block, const uint8_t* other);

 private:
  static constexpr uint8_t kEnd = 0xFF;
  static constexpr uint16_t kUnknownCount = UINT16_MAX;
  enum : uint8_t { kText32 = 0xF0, kInt16 = 0xF1, kInt24 = 0xF2, kInt32 = 0xF3, kInt64 = 0xF4 };

  // An element on its way into a block: a head of a few bytes, then the text, then the length.
  struct Encoded;

  template <typename T>
  static T load(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  template <typename T>
  static void store(uint8_t* to, T value) {
    std::memcpy(to, &value, sizeof value);
  }
  static const uint8_t* or_none(const uint8_t* at) { return *at == kEnd ? nullptr : at; }

  static size_t head_and_data(const uint8_t* at);
  static size_t length_bytes(size_t length);
  static size_t whole(const uint8_t* at) {
    const size_t size = head_and_data(at);
    return size + length_bytes(size);
  }
  static const uint8_t* checked_element(const uint8_t* at, const uint8_t* end);
  static bool checked_length(const uint8_t* at, size_t length);

  static void append_encoded(std::string& block, const Encoded& element);
  static size_t walked_count(const uint8_t* block);
  static void add_to_count(uint8_t* block, size_t count);
  static void take_from_count(uint8_t* block, size_t count);
  static uint8_t* splice(Allocator& allocator, uint8_t* block, size_t offset, size_t removed,
                         size_t added);
  static uint8_t* put(Allocator& allocator, uint8_t* block, size_t offset, size_t removed,
                      const Encoded& element, const uint8_t** at);
  static uint8_t* insert_all(Allocator& allocator, uint8_t* block, size_t offset,
                             const uint8_t* other);
};

// Bytes of an element without the length behind it.
inline size_t Listpack::head_and_data(const uint8_t* at) {
  const uint8_t head = *at;
  if (head < 0x80) return 1;
  if (head < 0xC0) return 1 + size_t{head & 0x3Fu};
  if (head < 0xE0) return 2;
  if (head < 0xF0) return 2 + (size_t{head & 0x0Fu} << 8 | at[1]);
  switch (head) {
    case kText32: return 5 + size_t{load<uint32_t>(at + 1)};
    case kInt16: return 3;
    case kInt24: return 4;
    case kInt32: return 5;
    default: break;
  }
  ASSERT(head == kInt64);
  return 9;
}

// Bytes that the length itself takes. The limits are one lower than they could be from the second
// on: that is the format.
inline size_t Listpack::length_bytes(size_t length) {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

inline const uint8_t* Listpack::next(const uint8_t* /*block*/, const uint8_t* at) {
  return or_none(at + whole(at));
}

inline const uint8_t* Listpack::previous(const uint8_t* block, const uint8_t* at) {
  if (at == block + kHeaderBytes) return nullptr;
  size_t length = 0;
  const uint8_t* byte = at - 1;
  for (int shift = 0;; shift += 7, --byte) {
    length |= size_t{*byte & 0x7Fu} << shift;
    if ((*byte & 0x80) == 0) break;
  }
  return byte - length;
}

inline Listpack::Element Listpack::get(const uint8_t* at) {
  const uint8_t head = *at;
  const char* data = reinterpret_cast<const char*>(at);
  if (head < 0x80) return {{}, head, true};
  if (head < 0xC0) return {{data + 1, size_t{head & 0x3Fu}}};
  if (head < 0xE0) {
    const int64_t value = (head & 0x1F) << 8 | at[1];
    return {{}, value >= 4096 ? value - 8192 : value, true};
  }
  if (head < 0xF0) return {{data + 2, size_t{head & 0x0Fu} << 8 | at[1]}};
  switch (head) {
    case kText32: return {{data + 5, load<uint32_t>(at + 1)}};
    case kInt16: return {{}, load<int16_t>(at + 1), true};
    case kInt24: {
      const int64_t value = at[1] | at[2] << 8 | at[3] << 16;
      return {{}, value >= 1 << 23 ? value - (1 << 24) : value, true};
    }
    case kInt32: return {{}, load<int32_t>(at + 1), true};
    default: break;
  }
  ASSERT(head == kInt64);
  return {{}, load<int64_t>(at + 1), true};
}

inline std::string_view Listpack::text(const uint8_t* at, std::optional<IntegerText>& scratch) {
  const Element element = get(at);
  if (!element.is_number) return element.text;
  return scratch.emplace(element.number).view();
}

}  // namespace redoubt
