// Listpack: a sequence of short strings and integers in one block of bytes, which can be walked in
// both directions. It is the form that small lists, hashes, sets, sorted sets and the blocks of
// streams have in memory as well as in RDB files, so that saving one is a copy. The bytes are in
// listpack_format.h describes the bytes.
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
#include "engine/store/listpack_format.h"
#include "engine/store/number.h"

namespace redoubt {

// Functions on blocks; a block is a pointer to its first byte, and its maker owns it. A place is a
// pointer to an element; null is "none". Places are valid until the block changes.
class Listpack {
 public:
  static constexpr size_t kHeaderBytes = listpack_format::kHeaderBytes;
  static constexpr size_t kEmptyBytes = kHeaderBytes + 1;
  // More would not fit the header, with room for one more element's overhead.
  static constexpr size_t kLargestBytes = UINT32_MAX - 16;

  // A string, which points into the block, or an integer.
  struct Element {
    std::string_view text;
    int64_t number = 0;
    bool is_number = false;
  };

  // A text to compare with many elements: it is parsed as an integer only once.
  struct Wanted {
    explicit Wanted(std::string_view bytes);
    bool is(const Element& element) const {
      return element.is_number ? number == element.number : element.text == text;
    }

    std::string_view text;
    std::optional<int64_t> number;
  };

  static uint8_t* make(Allocator& allocator);
  // A block with these bytes, which validate() has accepted.
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

  static size_t bytes(const uint8_t* block) { return listpack_format::load<uint32_t>(block); }
  static std::span<const uint8_t> span(const uint8_t* block) { return {block, bytes(block)}; }
  // Bytes as the allocator counts them.
  static size_t counted_bytes(const uint8_t* block) { return counted_size(bytes(block)); }
  // The number of elements: from the header, or by walking when there are 65535 or more.
  static size_t count(const uint8_t* block) {
    const uint16_t known = listpack_format::load<uint16_t>(block + 4);
    return known != listpack_format::kUnknownCount ? known : walked_count(block);
  }
  static bool empty(const uint8_t* block) { return block[kHeaderBytes] == listpack_format::kEnd; }

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

  // Changes. The block may move: they return it, and in *at the element's new place. Text must not
  // point into the block, and the block must not become larger than kLargestBytes. `before` null:
  // at the end.
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
  // Removes `count` elements from a place on, or as many as there are. *next becomes the element
  // that is then at the place, null at the end.
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
  static const uint8_t* or_none(const uint8_t* at) {
    return *at == listpack_format::kEnd ? nullptr : at;
  }
  static size_t walked_count(const uint8_t* block);
};

inline const uint8_t* Listpack::next(const uint8_t* /*block*/, const uint8_t* at) {
  return or_none(at + listpack_format::whole(at));
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
  using namespace listpack_format;
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
