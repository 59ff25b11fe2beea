// Database: one keyspace. Memory and bytes only: it knows expiry times but no clock, and reports no
// changes; engine/keyspace does that.
//
// Each database has its own allocator, so that another thread can free a flushed one as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/store/database_passes.h"
#include "engine/store/dict.h"
#include "engine/store/expiring_parts.h"
#include "engine/store/garbage.h"
#include "engine/store/key_log.h"
#include "engine/store/remains.h"
#include "engine/store/type_ops.h"

namespace redoubt {

// The expiry of a key after a write.
struct NewExpiry {
  enum class Kind : uint8_t { none, keep, at };
  Kind kind = Kind::none;
  int64_t at_ms = 0;

  static NewExpiry none() { return {}; }
  static NewExpiry keep() { return {Kind::keep, 0}; }
  static NewExpiry at(int64_t unix_ms) { return {Kind::at, unix_ms}; }
};

class Database {
 public:
  // Large pieces of memory that are slow to free go to `garbage`, if there is one.
  explicit Database(const HashKey& hash_key, Garbage* garbage = nullptr);
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
  // Where values come from and are freed to.
  Allocator& allocator() { return allocator_; }

  // The entry of a key, expired or not; null when there is none. Valid until the next write.
  const Entry* find(std::string_view key, uint64_t hash) const {
    const Dict::Place at = dict_.find(key, hash);
    return at ? at.entry() : nullptr;
  }
  // The same for changing its value in place, right after this call. Nothing else gives access to a
  // value that changes, except the functions below that replace or remove one.
  Entry* write(std::string_view key, uint64_t hash) {
    const Entry* entry = find(key, hash);
    return entry == nullptr ? nullptr : &write(*entry, hash);
  }
  // The same for an entry of this database that was found already. `hash` is that of its key.
  Entry& write(const Entry& entry, uint64_t hash) {
    before_change(entry, hash);
    return const_cast<Entry&>(entry);
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
  // The bytes of a string that will be changed.
  struct ByteRange {
    size_t from = 0;
    size_t size = SIZE_MAX;
  };
  // The bytes of a string for changing some of them in place, at least `size` of them in all: a
  // missing key is created, a shorter value is extended with zero bytes. The encoding becomes raw.
  // Valid until the next write.
  std::span<char> string_for_update(std::string_view key, uint64_t hash, size_t size,
                                    ByteRange changed);
  std::span<char> string_for_update(std::string_view key, uint64_t hash, size_t size) {
    return string_for_update(key, hash, size, ByteRange{});
  }

  // Adds a value of another type under a key that does not exist. `value` comes from allocator()
  // and is taken over.
  Entry* insert_value(std::string_view key, uint64_t hash, Type type, Encoding encoding,
                      void* value, std::optional<int64_t> expiry_ms = {});
  // The same whatever the key was.
  Entry* replace_value(std::string_view key, uint64_t hash, Type type, Encoding encoding,
                       void* value, NewExpiry expiry);

  // Sets or clears the expiry of a key that exists. Returns its entry, which may have moved.
  Entry* set_expiry(std::string_view key, uint64_t hash, std::optional<int64_t> expiry_ms);

  // Removes a key. False: not there. A value of many parts is kept in remains(); a large string is
  // freed in the background when `lazy`, and a very large one always.
  bool erase(std::string_view key, uint64_t hash, bool lazy = false);

  // Values that are replaced are freed like those that are erased with `lazy`.
  void set_lazy_replace(bool lazy) { lazy_replace_ = lazy; }

  // Gives an entry another key, which does not exist. Value, expiry and access clock stay.
  void rename(std::string_view key, uint64_t hash, std::string_view new_key, uint64_t new_hash);

  // Adds a copy of an entry (of this or another database) under a key that does not exist.
  void insert_copy(const Entry& entry, std::string_view key, uint64_t hash,
                   std::optional<int64_t> expiry_ms);

  // Removed values that are freed in slices.
  Remains& remains() { return remains_; }
  const Remains& remains() const { return remains_; }
  // Keys whose values have parts that expire. The database keeps it up to date when values come, go
  // or change their key; commands that change a value in place report changed deadlines.
  ExpiringParts& expiring_parts() { return expiring_parts_; }
  const ExpiringParts& expiring_parts() const { return expiring_parts_; }

  // The access clock of new entries (in eighths).
  void set_access_for_new(uint32_t clock) { access_for_new_ = clock; }
  // Where new keys and replaced values are noted; null: nowhere. Outlives this.
  void set_key_log(KeyLog* log) { key_log_ = log; }

  // The snapshot passes that run on it.
  DatabasePasses& passes() { return passes_; }
  const DatabasePasses& passes() const { return passes_; }
  // Bytes that are kept for the passes alone. They are part of used_bytes(); evicting keys does not
  // free them.
  size_t kept_bytes() const { return passes_.kept_bytes(); }
  // Frees an entry that passes have kept, with its value.
  void release_kept(Entry* entry);

  void digest(Digest& digest, int database_index) const;

 private:
  Entry* put(Dict::Place at, uint64_t hash, Entry::Parts parts);
  void note(std::string_view key, const Entry* old, Type type);
  void before_change(const Entry& entry, uint64_t hash) {
    if (passes_.any()) [[unlikely]]
      passes_.before_change(entry, hash);
  }
  void drop(Entry* entry, uint64_t hash, bool lazy);

  Allocator allocator_;
  Dict dict_;
  uint32_t access_for_new_ = 0;
  KeyLog* key_log_ = nullptr;
  bool lazy_replace_ = false;
  Remains remains_;
  ExpiringParts expiring_parts_{allocator_};
  DatabasePasses passes_{*this};
};

}  // namespace redoubt
