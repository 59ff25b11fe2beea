#include "engine/persist/rdb/blobs.h"

#include <cstring>

#include "engine/store/intset.h"

namespace redoubt {

namespace {

template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::span<const uint8_t> span_of(std::string_view bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// --- ziplist
//
//   total bytes, 4; offset of the last entry, 4; count, 2 (65535: not known); entries; 0xFF
//   entry: bytes of the one before it, 1 or 0xFE and 4; encoding; data

constexpr size_t kZiplistHeader = 10;
constexpr uint8_t kEnd = 0xFF;
constexpr uint8_t kLong = 0xFE;
constexpr uint16_t kUnknownCount = UINT16_MAX;
enum : uint8_t { kInt16 = 0xC0, kInt32 = 0xD0, kInt64 = 0xE0, kInt24 = 0xF0, kInt8 = 0xFE };

// What the bytes behind the first field of a ziplist's entry say.
struct ZiplistHead {
  size_t head = 0;  // bytes of the encoding; 0: it is none
  size_t data = 0;  // bytes behind it
  bool is_number = false;
  int64_t number = 0;  // of those that stand in the encoding
};

// At most `room` bytes are looked at.
ZiplistHead ziplist_head(const uint8_t* at, size_t room) {
  if (room == 0) return {};
  const uint8_t first = *at;
  switch (first >> 6) {
    case 0: return {1, size_t{first & 63u}};
    case 1: return room < 2 ? ZiplistHead{} : ZiplistHead{2, size_t{first & 63u} << 8 | at[1]};
    case 2:
      if (first != 0x80 || room < 5) return {};
      return {5, size_t{at[1]} << 24 | size_t{at[2]} << 16 | size_t{at[3]} << 8 | at[4]};
    default: break;
  }
  switch (first) {
    case kInt8: return {1, 1, true};
    case kInt16: return {1, 2, true};
    case kInt24: return {1, 3, true};
    case kInt32: return {1, 4, true};
    case kInt64: return {1, 8, true};
    default: break;
  }
  if (first > kInt24 && first < kInt8) return {1, 0, true, (first & 15) - 1};
  return {};
}

int64_t ziplist_number(const ZiplistHead& head, const uint8_t* data) {
  switch (head.data) {
    case 0: return head.number;
    case 1: return load<int8_t>(data);
    case 2: return load<int16_t>(data);
    case 3: {
      const int64_t value = data[0] | data[1] << 8 | data[2] << 16;
      return value >= 1 << 23 ? value - (1 << 24) : value;
    }
    case 4: return load<int32_t>(data);
    default: return load<int64_t>(data);
  }
}

// Where the entry at `at` ends; null when it is none or does not end in front of `end`.
const uint8_t* ziplist_entry_end(const uint8_t* at, const uint8_t* end, size_t before) {
  auto room = static_cast<size_t>(end - at);
  const size_t field = *at < kLong ? 1 : 5;
  if (*at == kEnd || room < field) return nullptr;
  if ((field == 1 ? *at : load<uint32_t>(at + 1)) != before) return nullptr;
  room -= field;
  const ZiplistHead head = ziplist_head(at + field, room);
  if (head.head == 0 || head.data > room - head.head) return nullptr;
  return at + field + head.head + head.data;
}

std::optional<size_t> ziplist_count(std::string_view bytes) {
  const auto* from = reinterpret_cast<const uint8_t*>(bytes.data());
  if (bytes.size() <= kZiplistHeader || load<uint32_t>(from) != bytes.size()) return std::nullopt;
  const uint8_t* const end = from + bytes.size() - 1;
  const uint8_t* at = from + kZiplistHeader;
  const uint8_t* last = at;
  size_t count = 0;
  for (size_t before = 0; at < end; ++count) {
    const uint8_t* next = ziplist_entry_end(at, end, before);
    if (next == nullptr) return std::nullopt;
    before = static_cast<size_t>(next - at);
    last = at;
    at = next;
  }
  const auto told = load<uint16_t>(from + 8);
  if (*end != kEnd || load<uint32_t>(from + 4) != static_cast<size_t>(last - from) ||
      (told != kUnknownCount && told != count)) {
    return std::nullopt;
  }
  return count;
}

Listpack::Element ziplist_next(const uint8_t*& at) {
  at += *at < kLong ? 1 : 5;
  const ZiplistHead head = ziplist_head(at, SIZE_MAX);
  const uint8_t* data = at + head.head;
  at = data + head.data;
  if (head.is_number) return {{}, ziplist_number(head, data), true};
  return {{reinterpret_cast<const char*>(data), head.data}};
}

// --- zipmap
//
//   count, 1 (254 or more: not known); pairs; 0xFF
//   pair: length, 1 or 0xFE and 4; name; length; bytes that are free behind the value, 1; value

// Bytes of a length at a place, and the length; {0, 0} when there is none.
struct ZipmapLength {
  size_t bytes = 0;
  size_t length = 0;
};

ZipmapLength zipmap_length(const uint8_t* at, size_t room) {
  if (room < 1 || *at == kEnd || (*at == kLong && room < 5)) return {};
  return *at < kLong ? ZipmapLength{1, *at} : ZipmapLength{5, load<uint32_t>(at + 1)};
}

// Where a name or value at `at` ends; null when it does not end in front of `end`.
const uint8_t* zipmap_text_end(const uint8_t* at, const uint8_t* end, bool value) {
  auto room = static_cast<size_t>(end - at);
  const ZipmapLength length = zipmap_length(at, room);
  if (length.bytes == 0) return nullptr;
  room -= length.bytes;
  at += length.bytes;
  size_t after = length.length;
  if (value) {
    if (room == 0) return nullptr;
    after += size_t{1} + *at;
  }
  return after <= room ? at + after : nullptr;
}

std::optional<size_t> zipmap_count(std::string_view bytes) {
  const auto* from = reinterpret_cast<const uint8_t*>(bytes.data());
  if (bytes.size() < 2) return std::nullopt;
  const uint8_t* const end = from + bytes.size() - 1;
  const uint8_t* at = from + 1;
  size_t count = 0;
  for (; at < end; ++count) {
    at = zipmap_text_end(at, end, false);
    if (at == nullptr) return std::nullopt;
    at = zipmap_text_end(at, end, true);
    if (at == nullptr) return std::nullopt;
  }
  if (*end != kEnd || (*from < kLong && *from != count)) return std::nullopt;
  return 2 * count;
}

Listpack::Element zipmap_next(const uint8_t*& at, bool value) {
  const ZipmapLength length = zipmap_length(at, SIZE_MAX);
  at += length.bytes;
  const size_t free = value ? *at++ : 0;
  const std::string_view text(reinterpret_cast<const char*>(at), length.length);
  at += length.length + free;
  return {text};
}

// --- intset

std::optional<size_t> intset_count(std::string_view bytes) {
  const std::span<const uint8_t> block = span_of(bytes);
  if (Intset::validate(block)) return Intset::count(block.data());
  // An empty one, which Intset does not know.
  if (block.size() != Intset::kHeaderBytes || Intset::count(block.data()) != 0) return std::nullopt;
  const size_t width = Intset::width(block.data());
  if (width != 2 && width != 4 && width != 8) return std::nullopt;
  return 0;
}

Listpack::Element intset_next(const uint8_t*& at, size_t width) {
  const uint8_t* from = at;
  at += width;
  if (width == 2) return {{}, load<int16_t>(from), true};
  return {{}, width == 4 ? load<int32_t>(from) : load<int64_t>(from), true};
}

}  // namespace

std::optional<RdbBlob> RdbBlob::checked(RdbBlobKind kind, std::string_view bytes) {
  const auto* from = reinterpret_cast<const uint8_t*>(bytes.data());
  std::optional<size_t> count;
  size_t header = 0;
  switch (kind) {
    case RdbBlobKind::listpack:
      count = Listpack::validate(span_of(bytes));
      header = Listpack::kHeaderBytes;
      break;
    case RdbBlobKind::ziplist:
      count = ziplist_count(bytes);
      header = kZiplistHeader;
      break;
    case RdbBlobKind::zipmap:
      count = zipmap_count(bytes);
      header = 1;
      break;
    case RdbBlobKind::intset:
      count = intset_count(bytes);
      header = Intset::kHeaderBytes;
      break;
  }
  if (!count) return std::nullopt;
  RdbBlob blob(kind, from + header, *count);
  if (kind == RdbBlobKind::intset) blob.width_ = Intset::width(from);
  return blob;
}

Listpack::Element RdbBlob::next() {
  switch (kind_) {
    case RdbBlobKind::listpack: {
      const Listpack::Element element = Listpack::get(at_);
      const uint8_t* next = Listpack::next(nullptr, at_);
      at_ = next;
      return element;
    }
    case RdbBlobKind::ziplist: return ziplist_next(at_);
    case RdbBlobKind::zipmap: at_value_ = !at_value_; return zipmap_next(at_, !at_value_);
    case RdbBlobKind::intset: break;
  }
  return intset_next(at_, width_);
}

}  // namespace redoubt
