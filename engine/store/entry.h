// Entry: a key, its value and its expiry in one allocation.
//
//   byte  0      type (low 4 bits), encoding (high 4 bits)
//   byte  1      flags; the lowest four bits of the access stamp
//   bytes 2..4   access stamp: a time, or a time and a counter (engine/keyspace/access_clock.h)
//   byte  5      marks, one bit a snapshot pass: the pass has this entry as it was, or the entry is
//                younger than the pass (database_passes.h)
//   byte  6      key length, or 255: a 4-byte length follows
//   byte  7      length of an embedded value
//   [8 bytes]    expiry, Unix time in ms, when kHasExpiry
//   [4 bytes]    key length, when byte 6 is 255
//   key bytes
//   payload      embedded bytes; or an integer of 8 bytes; or a pointer of 8 bytes, not aligned
//
// So a key of 16 bytes with a value of 32 takes 56 bytes, and 64 with an expiry. An entry that
// gains or loses its expiry, or whose payload changes size, moves to another allocation; the dict's
// slot is then rewritten. There is no second table for expiries.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "engine/store/allocator.h"

namespace redoubt {

// The type of a value. The numbers are indexes into the table of TypeOps (type_ops.h).
enum class Type : uint8_t { string, list, set, zset, hash, stream };
inline constexpr size_t kTypeCount = 6;

// The encodings that OBJECT ENCODING names. Clients know the names, not the layouts.
enum class Encoding : uint8_t {
  raw,
  integer,
  embstr,
  listpack,
  quicklist,
  intset,
  hashtable,
  skiplist,
  stream,
  listpackex,
  expiring_hashtable  // of a set some of whose members expire
};

// Where the payload is.
enum class Layout : uint8_t { embedded = 0, integer = 1, outside = 2 };

class Entry {
 public:
  static constexpr size_t kLargestEmbedded = 255;

  // The contents of a new entry. With Layout::embedded `value` is copied; with outside, `pointer`
  // is taken over (a Blob's block for strings).
  struct Parts {
    std::string_view key;
    Type type = Type::string;
    Encoding encoding = Encoding::raw;
    Layout layout = Layout::embedded;
    std::string_view value;
    int64_t integer = 0;
    void* pointer = nullptr;
    std::optional<int64_t> expiry_ms;
  };

  static Entry* make(Allocator& allocator, const Parts& parts);
  // Frees the allocation of the entry, not the value outside of it.
  static void release(Allocator& allocator, Entry* entry) {
    allocator.release(entry, entry->footprint());
  }
  // The same key and payload with another expiry, in a new allocation; the caller releases the old
  // one. An outside payload changes hands. Access clock and marks are kept.
  static Entry* with_expiry(Allocator& allocator, Entry* entry, std::optional<int64_t> expiry_ms);

  Type type() const { return static_cast<Type>(type_encoding_ & 15); }
  Encoding encoding() const { return static_cast<Encoding>(type_encoding_ >> 4); }
  void set_encoding(Encoding encoding) {
    type_encoding_ = static_cast<uint8_t>((type_encoding_ & 15) | static_cast<int>(encoding) << 4);
  }
  Layout layout() const { return static_cast<Layout>(flags_ & kLayoutMask); }

  std::string_view key() const {
    const char* at = bytes() + expiry_bytes();
    if (key_length_ != kLongKey) return {at, key_length_};
    uint32_t length;
    std::memcpy(&length, at, sizeof length);
    return {at + sizeof length, length};
  }

  bool has_expiry() const { return (flags_ & kHasExpiry) != 0; }
  // Unix time in ms. Only with has_expiry().
  int64_t expiry_ms() const {
    int64_t expiry;
    std::memcpy(&expiry, bytes(), sizeof expiry);
    return expiry;
  }
  // Changes an expiry in place. Only with has_expiry().
  void set_expiry_ms(int64_t expiry) { std::memcpy(bytes(), &expiry, sizeof expiry); }

  std::string_view embedded() const { return {payload(), value_length_}; }
  // Overwrites an embedded value with one of a size for which fits_in_place() is true.
  void set_embedded(std::string_view value);
  int64_t integer() const {
    int64_t value;
    std::memcpy(&value, payload(), sizeof value);
    return value;
  }
  void set_integer(int64_t value) { std::memcpy(payload(), &value, sizeof value); }
  // The value outside of the entry. It may be changed only where the entry may be changed.
  const void* outside() const {
    const void* pointer;
    std::memcpy(&pointer, payload(), sizeof pointer);
    return pointer;
  }
  void* outside() { return const_cast<void*>(static_cast<const Entry*>(this)->outside()); }
  void set_outside(void* pointer) { std::memcpy(payload(), &pointer, sizeof pointer); }

  // True when an embedded value of this size needs the same allocation as the one there is.
  bool fits_in_place(size_t value_size) const;

  // The access clock is no part of the value: a look-up sets it through a const entry.
  uint32_t access() const {
    return static_cast<uint32_t>(access_[0] | access_[1] << 8 | access_[2] << 16);
  }
  void set_access(uint32_t clock) const {
    access_[0] = static_cast<uint8_t>(clock);
    access_[1] = static_cast<uint8_t>(clock >> 8);
    access_[2] = static_cast<uint8_t>(clock >> 16);
  }
  // The access stamp with its lowest four bits.
  uint32_t fine_access() const {
    return access() << kFractionBits | (flags_ & kFractionMask) >> kFractionShift;
  }
  void set_fine_access(uint32_t clock) const {
    set_access(clock >> kFractionBits);
    flags_ =
        static_cast<uint8_t>((flags_ & ~kFractionMask) | (clock << kFractionShift & kFractionMask));
  }
  static constexpr int kFractionBits = 4;
  static constexpr int kFineAccessBits = 24 + kFractionBits;

  // Marks are no part of the value either.
  uint8_t marks() const { return marks_; }
  void set_marks(uint8_t marks) const { marks_ = marks; }

  // The size asked of the allocator.
  size_t footprint() const;

 private:
  static constexpr uint8_t kLayoutMask = 3;
  static constexpr uint8_t kHasExpiry = 4;
  static constexpr int kFractionShift = 3;
  static constexpr uint8_t kFractionMask = 15 << kFractionShift;
  static constexpr uint8_t kLongKey = 255;

  size_t expiry_bytes() const { return has_expiry() ? sizeof(int64_t) : 0; }
  size_t payload_size() const { return layout() == Layout::embedded ? value_length_ : 8; }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  const char* payload() const {
    const std::string_view k = key();
    return k.data() + k.size();
  }
  char* payload() { return const_cast<char*>(static_cast<const Entry*>(this)->payload()); }

  uint8_t type_encoding_;
  mutable uint8_t flags_;  // for the access clock's bits of it
  mutable uint8_t access_[3];
  mutable uint8_t marks_;
  uint8_t key_length_;
  uint8_t value_length_;
};

static_assert(sizeof(Entry) == 8);

}  // namespace redoubt
