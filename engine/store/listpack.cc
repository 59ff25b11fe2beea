#include "engine/store/listpack.h"

#include <algorithm>
#include <array>

namespace redoubt {

namespace {

using namespace listpack_format;

// "-9223372036854775808" has 20 characters.
std::optional<int64_t> integer_of(std::string_view text) {
  if (text.empty() || text.size() > 20 || text[0] > '9') return std::nullopt;
  return parse_integer(text);
}

// An element on its way into a block: a head of a few bytes, then the text, then the length.
struct Encoded {
  explicit Encoded(std::string_view value) {
    const std::optional<int64_t> integer = integer_of(value);
    if (integer.has_value()) {
      set_number(*integer);
    } else {
      set_text(value);
    }
  }
  explicit Encoded(int64_t number) { set_number(number); }

  void set_text(std::string_view value) {
    text = value;
    if (value.size() < 64) {
      add(static_cast<uint8_t>(0x80 | value.size()));
    } else if (value.size() < 4096) {
      add(static_cast<uint8_t>(0xE0 | value.size() >> 8));
      add(static_cast<uint8_t>(value.size()));
    } else {
      ASSERT(value.size() <= Listpack::kLargestBytes);
      add(kText32);
      add_bytes(value.size(), 4);
    }
  }

  void set_number(int64_t number) {
    const auto bits = static_cast<uint64_t>(number);
    const auto fits = [number](int width) {
      const int64_t limit = int64_t{1} << (width - 1);
      return number >= -limit && number < limit;
    };
    if (number >= 0 && number <= 127) {
      add(static_cast<uint8_t>(number));
    } else if (fits(13)) {
      add(static_cast<uint8_t>(0xC0 | (bits >> 8 & 0x1F)));
      add(static_cast<uint8_t>(bits));
    } else if (fits(16)) {
      add(kInt16);
      add_bytes(bits, 2);
    } else if (fits(24)) {
      add(kInt24);
      add_bytes(bits, 3);
    } else if (fits(32)) {
      add(kInt32);
      add_bytes(bits, 4);
    } else {
      add(kInt64);
      add_bytes(bits, 8);
    }
  }

  void add(uint8_t byte) { head[head_size++] = byte; }
  void add_bytes(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) add(static_cast<uint8_t>(value >> (8 * i)));
  }

  size_t length() const { return head_size + text.size(); }
  size_t size() const { return length() + length_bytes(length()); }

  void write(uint8_t* to) const {
    std::memcpy(to, head.data(), head_size);
    to += head_size;
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    to += text.size();
    size_t rest = length();
    const size_t count = length_bytes(rest);
    for (size_t i = count; i-- > 0; rest >>= 7) {
      to[i] = static_cast<uint8_t>((rest & 0x7F) | (i > 0 ? 0x80 : 0));
    }
  }

  std::array<uint8_t, 9> head;
  size_t head_size = 0;
  std::string_view text;
};

// The length behind an element, which stands at `at`, is the one that it should be.
bool checked_length(const uint8_t* at, size_t length) {
  const size_t count = length_bytes(length);
  size_t rest = length;
  for (size_t i = count; i-- > 0; rest >>= 7) {
    if (at[i] != ((rest & 0x7F) | (i > 0 ? 0x80 : 0))) return false;
  }
  return true;
}

// Where the element at `at` ends; null when it is none or does not end in front of `end`.
const uint8_t* checked_element(const uint8_t* at, const uint8_t* end) {
  const auto room = static_cast<size_t>(end - at);
  if (*at > kInt64) return nullptr;
  // Bytes of the head that have to be there before its size can be read.
  const size_t head = *at == kText32 ? 5 : *at >= 0xE0 && *at < 0xF0 ? 2 : 1;
  if (head > room) return nullptr;
  const size_t length = head_and_data(at);
  const size_t size = length + length_bytes(length);
  if (size > room || !checked_length(at + length, length)) return nullptr;
  return at + size;
}

void add_to_count(uint8_t* block, size_t count) {
  const uint16_t known = load<uint16_t>(block + 4);
  if (known == kUnknownCount) return;
  store<uint16_t>(block + 4, static_cast<uint16_t>(std::min<size_t>(known + count, kUnknownCount)));
}

// After elements were removed.
void take_from_count(uint8_t* block, size_t count) {
  const uint16_t known = load<uint16_t>(block + 4);
  const size_t left = known != kUnknownCount ? known - count : Listpack::count(block);
  store<uint16_t>(block + 4, static_cast<uint16_t>(std::min<size_t>(left, kUnknownCount)));
}

void append_element(std::string& block, const Encoded& element) {
  const size_t at = block.size();
  block.resize(at + element.size());
  element.write(reinterpret_cast<uint8_t*>(block.data()) + at);
}

// Puts `added` bytes, to be written by the caller, in the place of `removed`.
uint8_t* splice(Allocator& allocator, uint8_t* block, size_t offset, size_t removed, size_t added) {
  const size_t old_bytes = Listpack::bytes(block);
  ASSERT(offset + removed < old_bytes);
  const size_t new_bytes = old_bytes - removed + added;
  ASSERT(new_bytes <= Listpack::kLargestBytes);
  const size_t tail = old_bytes - offset - removed;
  if (counted_size(new_bytes) == counted_size(old_bytes)) {
    std::memmove(block + offset + added, block + offset + removed, tail);
  } else {
    auto* moved = static_cast<uint8_t*>(allocator.allocate(new_bytes));
    std::memcpy(moved, block, offset);
    std::memcpy(moved + offset + added, block + offset + removed, tail);
    allocator.release(block, old_bytes);
    block = moved;
  }
  store<uint32_t>(block, static_cast<uint32_t>(new_bytes));
  return block;
}

uint8_t* put(Allocator& allocator, uint8_t* block, size_t offset, size_t removed,
             const Encoded& element, const uint8_t** at) {
  block = splice(allocator, block, offset, removed, element.size());
  element.write(block + offset);
  if (at != nullptr) *at = block + offset;
  return block;
}

uint8_t* insert_all(Allocator& allocator, uint8_t* block, size_t offset, const uint8_t* other) {
  const size_t size = Listpack::bytes(other) - Listpack::kEmptyBytes;
  block = splice(allocator, block, offset, 0, size);
  std::memcpy(block + offset, other + kHeaderBytes, size);
  add_to_count(block, load<uint16_t>(other + 4));
  return block;
}

}  // namespace

Listpack::Wanted::Wanted(std::string_view bytes) : text(bytes), number(integer_of(bytes)) {}

uint8_t* Listpack::make(Allocator& allocator) {
  auto* block = static_cast<uint8_t*>(allocator.allocate(kEmptyBytes));
  store<uint32_t>(block, kEmptyBytes);
  store<uint16_t>(block + 4, 0);
  block[kHeaderBytes] = kEnd;
  return block;
}

uint8_t* Listpack::make(Allocator& allocator, std::span<const uint8_t> valid) {
  ASSERT(valid.size() >= kEmptyBytes && bytes(valid.data()) == valid.size());
  auto* block = static_cast<uint8_t*>(allocator.allocate(valid.size()));
  std::memcpy(block, valid.data(), valid.size());
  return block;
}

uint8_t* Listpack::slice(Allocator& allocator, const uint8_t* block, const uint8_t* first,
                         const uint8_t* last, size_t count) {
  const uint8_t* stop = last != nullptr ? last : end(block);
  ASSERT(first >= block + kHeaderBytes && first <= stop);
  const auto size = static_cast<size_t>(stop - first);
  auto* made = static_cast<uint8_t*>(allocator.allocate(kEmptyBytes + size));
  store<uint32_t>(made, static_cast<uint32_t>(kEmptyBytes + size));
  store<uint16_t>(made + 4, static_cast<uint16_t>(std::min<size_t>(count, kUnknownCount)));
  std::memcpy(made + kHeaderBytes, first, size);
  made[kHeaderBytes + size] = kEnd;
  return made;
}

std::optional<size_t> Listpack::validate(std::span<const uint8_t> bytes) {
  if (bytes.size() < kEmptyBytes || load<uint32_t>(bytes.data()) != bytes.size() ||
      bytes.back() != kEnd) {
    return std::nullopt;
  }
  const uint8_t* end = bytes.data() + bytes.size() - 1;
  const uint8_t* at = bytes.data() + kHeaderBytes;
  size_t count = 0;
  for (; at != end; ++count) {
    at = checked_element(at, end);
    if (at == nullptr) return std::nullopt;
  }
  const uint16_t told = load<uint16_t>(bytes.data() + 4);
  if (told != kUnknownCount && told != count) return std::nullopt;
  return count;
}

size_t Listpack::walked_count(const uint8_t* block) {
  size_t count = 0;
  for (const uint8_t* at = first(block); at != nullptr; at = next(block, at)) ++count;
  return count;
}

const uint8_t* Listpack::seek(const uint8_t* block, int64_t index) {
  const auto size = static_cast<int64_t>(count(block));
  if (index < 0) index += size;
  if (index < 0 || index >= size) return nullptr;
  const uint8_t* at;
  if (index <= size / 2) {
    at = block + kHeaderBytes;
    for (int64_t i = 0; i < index; ++i) at += whole(at);
  } else {
    at = end(block);
    for (int64_t i = size; i > index; --i) at = previous(block, at);
  }
  return at;
}

std::optional<int64_t> Listpack::integer(const uint8_t* at) {
  const Element element = get(at);
  if (element.is_number) return element.number;
  return integer_of(element.text);
}

size_t Listpack::text_size(const uint8_t* at) {
  const Element element = get(at);
  return element.is_number ? IntegerText(element.number).view().size() : element.text.size();
}

const uint8_t* Listpack::find(const uint8_t* block, const uint8_t* from, std::string_view text,
                              size_t skip) {
  const Wanted wanted(text);
  for (const uint8_t* at = from; at != nullptr; at = next(block, at)) {
    if (wanted.is(get(at))) return at;
    for (size_t i = 0; i < skip; ++i) {
      at = next(block, at);
      if (at == nullptr) return nullptr;
    }
  }
  return nullptr;
}

size_t Listpack::element_bytes(std::string_view text) {
  return Encoded(text).size();
}

size_t Listpack::element_bytes(int64_t number) {
  return Encoded(number).size();
}

void Listpack::append_encoded(std::string& block, std::string_view text) {
  append_element(block, Encoded(text));
}

void Listpack::append_encoded(std::string& block, int64_t number) {
  append_element(block, Encoded(number));
}

void Listpack::finish_encoded(std::string& block, size_t count) {
  block += static_cast<char>(kEnd);
  ASSERT(block.size() >= kEmptyBytes && block.size() <= kLargestBytes);
  auto* bytes = reinterpret_cast<uint8_t*>(block.data());
  store<uint32_t>(bytes, static_cast<uint32_t>(block.size()));
  store<uint16_t>(bytes + 4, static_cast<uint16_t>(std::min<size_t>(count, kUnknownCount)));
}

uint8_t* Listpack::insert(Allocator& allocator, uint8_t* block, const uint8_t* before,
                          std::string_view text, const uint8_t** at) {
  const auto offset = static_cast<size_t>((before != nullptr ? before : end(block)) - block);
  block = put(allocator, block, offset, 0, Encoded(text), at);
  add_to_count(block, 1);
  return block;
}

uint8_t* Listpack::insert(Allocator& allocator, uint8_t* block, const uint8_t* before,
                          int64_t number, const uint8_t** at) {
  const auto offset = static_cast<size_t>((before != nullptr ? before : end(block)) - block);
  block = put(allocator, block, offset, 0, Encoded(number), at);
  add_to_count(block, 1);
  return block;
}

uint8_t* Listpack::replace(Allocator& allocator, uint8_t* block, const uint8_t* place,
                           std::string_view text, const uint8_t** at) {
  return put(allocator, block, static_cast<size_t>(place - block), whole(place), Encoded(text), at);
}

uint8_t* Listpack::replace(Allocator& allocator, uint8_t* block, const uint8_t* place,
                           int64_t number, const uint8_t** at) {
  return put(allocator, block, static_cast<size_t>(place - block), whole(place), Encoded(number),
             at);
}

uint8_t* Listpack::erase(Allocator& allocator, uint8_t* block, const uint8_t* place, size_t count,
                         const uint8_t** next) {
  const uint8_t* stop = place;
  size_t erased = 0;
  for (; erased < count && *stop != kEnd; ++erased) stop += whole(stop);
  const auto offset = static_cast<size_t>(place - block);
  block = splice(allocator, block, offset, static_cast<size_t>(stop - place), 0);
  take_from_count(block, erased);
  if (next != nullptr) *next = or_none(block + offset);
  return block;
}

uint8_t* Listpack::remove(Allocator& allocator, uint8_t* block, const Wanted& wanted, size_t skip,
                          size_t limit, size_t* removed) {
  *removed = 0;
  uint8_t* to = nullptr;  // where the next element that stays goes; null while all have stayed
  uint8_t* at = block + kHeaderBytes;
  while (*at != kEnd) {
    const size_t size = whole(at);
    if (*removed < limit && wanted.is(get(at)) && (skip == 0 || skip-- == 0)) {
      ++*removed;
      if (to == nullptr) to = at;
    } else if (to != nullptr) {
      std::memmove(to, at, size);
      to += size;
    }
    at += size;
  }
  if (to == nullptr) return block;
  const auto offset = static_cast<size_t>(to - block);
  block = splice(allocator, block, offset, static_cast<size_t>(at - to), 0);
  take_from_count(block, *removed);
  return block;
}

uint8_t* Listpack::append_all(Allocator& allocator, uint8_t* block, const uint8_t* other) {
  return insert_all(allocator, block, bytes(block) - 1, other);
}

uint8_t* Listpack::prepend_all(Allocator& allocator, uint8_t* block, const uint8_t* other) {
  return insert_all(allocator, block, kHeaderBytes, other);
}

}  // namespace redoubt
