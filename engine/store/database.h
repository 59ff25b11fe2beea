// Database: one keyspace. Memory and bytes only: it knows expiry times but no clock, and tells
// nobody of changes; engine/node does that.
//
// Each database has its own allocator, so that a flushed one can be handed to a background job
// whole.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/store/dict.h"
#include "engine/store/number.h"
#include "engine/store/type_ops.h"

namespace redoubt {

// What a write does to the expiry of a key.
struct NewExpiry {
  enum class Kind : uint8_t { none, keep, at };
  Kind kind = Kind::none;
  int64_t at_ms = 0;

  static NewExpiry none() { return {}; }
  static NewExpiry keep() { return {Kind::keep, 0}; }
  static NewExpiry at(int64_t unix_ms) { return {Kind::at, unix_ms}; }
};

// The bytes of a string value. Integers are written out into `scratch`, which the view may point
// to.
class StringScratch {
 public:
  std::string_view text_of(int64_t value) {
    text_.emplace(value);
    return text_->view();
  }

 private:
  std::optional<IntegerText> text_;
};

// Values on their way to be freed by a background job.
class Garbage {
 public:
  bool empty() const { return blobs_.empty(); }
  size_t bytes() const { return bytes_; }
  size_t count() const { return blobs_.size(); }
  void add(Blob blob) {
    bytes_ += blob.footprint();
    blobs_.push_back(std::move(blob));
  }

 private:
  std::vector<Blob> blobs_;
  size_t bytes_ = 0;
};

class Database {
 public:
  explicit Database(const HashKey& hash_key);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  size_t size() const { return dict_.size(); }
  size_t expiring() const { return dict_.expiring(); }
  // Bytes of everything in it, as counted.
  size_t used_bytes() const { return allocator_.used_bytes(); }
  size_t slab_bytes() const { return allocator_.slab_bytes(); }
  const Dict& dict() const { return dict_; }
  Dict& dict() { return dict_; }
  uint64_t hash(std::string_view key) const { return dict_.hash(key); }

  // The entry of a key, expired or not; null when there is none. Valid until the next write.
  Entry* find(std::string_view key, uint64_t hash) const {
    const Dict::Place at = dict_.find(key, hash);
    return at ? at.entry() : nullptr;
  }

  // Sets a key to a string, whatever it was. Integers in canonical form are stored as such. `blob`,
  // when it holds the value's bytes already, is taken over instead of copying. `value` may point
  // into the value that is replaced.
  void set_string(std::string_view key, uint64_t hash, std::string_view value, NewExpiry expiry,
                  Blob&& blob = {});
  // The same without looking for an integer: OBJECT ENCODING says embstr or raw.
  void set_text(std::string_view key, uint64_t hash, std::string_view value, NewExpiry expiry,
                Blob&& blob = {});
  // The same for an integer; in place when the key holds one.
  void set_integer(std::string_view key, uint64_t hash, int64_t value, NewExpiry expiry);
  // The bytes of a string for changing them in place, at least `size` of them: a missing key is
  // created, a shorter value is extended with zero bytes. The encoding becomes raw. Valid until the
  // next write.
  std::span<char> string_for_update(std::string_view key, uint64_t hash, size_t size);

  // The bytes of a string value; valid until the next write or use of the scratch.
  static std::string_view string_value(const Entry& entry, StringScratch& scratch) {
    switch (entry.layout()) {
      case Layout::embedded: return entry.embedded();
      case Layout::integer: return scratch.text_of(entry.integer());
      case Layout::outside: break;
    }
    return Blob::view_of(entry.outside());
  }
  // The value as an integer, when it is one in canonical form.
  static std::optional<int64_t> integer_value(const Entry& entry);
  static size_t string_size(const Entry& entry);

  // Sets or clears the expiry of a key that exists. Returns its entry, which may have moved.
  Entry* set_expiry(std::string_view key, uint64_t hash, std::optional<int64_t> expiry_ms);

  // Removes a key. A value that is slow to free goes to `garbage` when there is one. False: not
  // there.
  bool erase(std::string_view key, uint64_t hash, Garbage* garbage = nullptr);

  // Gives an entry another key, which does not exist. Value, expiry and access clock stay.
  void rename(std::string_view key, uint64_t hash, std::string_view new_key, uint64_t new_hash);

  // Adds a copy of an entry (of this or another database) under a key that does not exist.
  void insert_copy(const Entry& entry, std::string_view key, uint64_t hash,
                   std::optional<int64_t> expiry_ms);

  // Bytes of one entry, as counted, with its value and its share of the table.
  static size_t memory_usage(const Entry& entry);

  // What new entries get as access clock and as version.
  void set_access_for_new(uint32_t clock) { access_for_new_ = clock; }
  void set_version(uint8_t version) { version_ = version; }

  void digest(Digest& digest, int database_index) const;
  static void digest_of(const Entry& entry, Digest& digest);

 private:
  void put(Dict::Place at, uint64_t hash, Entry::Parts parts);
  void free_value(Entry& entry, Garbage* garbage);

  Allocator allocator_;
  Dict dict_;
  uint32_t access_for_new_ = 0;
  uint8_t version_ = 0;
};

}  // namespace redoubt
