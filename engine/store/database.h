// Database: one keyspace. Memory and bytes only: it knows expiry times but no clock, and tells
// nobody of changes; engine/node does that.
//
// Each database has its own allocator, so that a flushed one can be handed to a background job
// whole.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/database_passes.h"
#include "engine/store/dict.h"
#include "engine/store/garbage.h"
#include "engine/store/key_log.h"
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

class Database {
 public:
  // What takes long to free goes to `garbage`, if there is one.
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
  // The same for changing its value: the only way to a value that changes, besides the functions
  // below that replace or remove one. To be asked for right before the change.
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
  // Which bytes of a string will be changed.
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

  // Removes a key. False: not there. A value of many parts is kept for free_some(); a large string
  // is freed in the background when `lazy`, and a very large one always.
  bool erase(std::string_view key, uint64_t hash, bool lazy = false);

  // Frees a value that no entry holds; one of many parts is kept for free_some().
  void discard(Type type, Encoding encoding, void* value, size_t effort, size_t bytes);

  // Values that are replaced are freed like those that are erased with `lazy`.
  void set_lazy_replace(bool lazy) { lazy_replace_ = lazy; }

  // Takes over what a write has cut off a value, to be freed by free_some().
  void discard(Type type, Encoding encoding, void* value, size_t bytes);

  // Frees some of what removed values have left, about `budget` allocations, or as many pages, and
  // as much on top as came with new values since the last time. The budget becomes what was not
  // used. True when nothing is left.
  bool free_some(size_t& budget);
  // What waits for free_some(): values, and about how many bytes.
  size_t remains() const { return remains_.size(); }
  size_t remains_bytes() const { return remains_bytes_; }

  // The first deadline of the parts of a value (fields of a hash) was another one before it was
  // changed in place. Values that come, go or change their key are followed by themselves.
  void parts_expiry_changed(std::string_view key, int64_t before_ms, int64_t after_ms);
  // How many keys have values with parts that expire.
  size_t with_expiring_parts() const { return parts_expiry_.size(); }
  // The key whose value has the part that expires first, if that is before `now_ms`.
  std::optional<std::string_view> first_with_expired_parts(int64_t now_ms) const {
    if (parts_expiry_.empty() || parts_expiry_.begin()->first >= now_ms) return std::nullopt;
    return parts_expiry_.begin()->second;
  }

  // Gives an entry another key, which does not exist. Value, expiry and access clock stay.
  void rename(std::string_view key, uint64_t hash, std::string_view new_key, uint64_t new_hash);

  // Adds a copy of an entry (of this or another database) under a key that does not exist.
  void insert_copy(const Entry& entry, std::string_view key, uint64_t hash,
                   std::optional<int64_t> expiry_ms);

  // Bytes of one entry, as counted, with its value and its share of the table.
  static size_t memory_usage(const Entry& entry);

  // What new entries get as access clock (in eighths).
  void set_access_for_new(uint32_t clock) { access_for_new_ = clock; }
  // Where new keys and replaced values are noted; null: nowhere. Outlives this.
  void set_key_log(KeyLog* log) { key_log_ = log; }

  // The snapshot passes that run on it.
  DatabasePasses& passes() { return passes_; }
  const DatabasePasses& passes() const { return passes_; }
  // Bytes that are kept for them alone. They are part of used_bytes(); evicting keys would not make
  // them fewer.
  size_t kept_bytes() const { return passes_.kept_bytes(); }
  // For passes: a copy of an entry and its value; one of the entry alone, which shares the value.
  // The caller owns the copy.
  Entry* copy_of(const Entry& entry);
  Entry* header_of(const Entry& entry);
  // Frees an entry that passes have kept, with its value.
  void release_kept(Entry* entry);

  void digest(Digest& digest, int database_index) const;
  static void digest_of(const Entry& entry, Digest& digest);

 private:
  void pay_for(const Entry& made);
  Entry* put(Dict::Place at, uint64_t hash, Entry::Parts parts);
  void note(std::string_view key, const Entry* old, Type type);
  void before_change(const Entry& entry, uint64_t hash) {
    if (passes_.any()) [[unlikely]]
      passes_.before_change(entry, hash);
  }
  void drop(Entry* entry, uint64_t hash, bool lazy);
  void free_value(Entry& entry, bool lazy);

  void follow_parts(const Entry& entry, bool there);

  Allocator allocator_;
  Dict dict_;
  uint32_t access_for_new_ = 0;
  KeyLog* key_log_ = nullptr;
  bool lazy_replace_ = false;

  // A removed value that is freed in slices.
  struct Remains {
    Type type;
    Encoding encoding;
    void* value;
  };
  std::deque<Remains> remains_;
  size_t remains_bytes_ = 0;
  size_t paid_ = 0;            // allocations that the next slice frees on top
  size_t freed_together_ = 0;  // allocations freed at once since the last slice

  // Values with parts that expire, by the first deadline.
  std::set<std::pair<int64_t, std::string>> parts_expiry_;
  Garbage* garbage_;
  DatabasePasses passes_{*this};
};

}  // namespace redoubt
