// Hashes in memory, in one of three encodings:
//
//   listpack    few and short fields: field, value, field, value ... (listpack.h)
//   listpackex  the same when some fields expire: field, value, deadline, field ...; the deadline
//   is
//               an integer, 0 for none
//   hashtable   a MemberTable whose items are a field, its value and its deadline in one piece
//
//   item        flags | [deadline, 8 bytes] | field with its length | value with its length
//               a large value lies in a Blob, and its pointer (8 bytes) in its place
//
// The deadlines of a table are in order (deadlines.h); a small hash is walked. A hash knows its
// first deadline, and keeps a field that has expired until it is removed.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "engine/store/deadlines.h"
#include "engine/store/listpack.h"
#include "engine/store/member_table.h"
#include "engine/store/short_bytes.h"
#include "engine/store/type_ops.h"

namespace redoubt {

// Up to which size a hash is a listpack.
struct HashLimits {
  size_t listpack_entries = 512;
  size_t listpack_value = 64;
};

// An item of the hashtable encoding.
struct HashItem {
  static constexpr uint8_t kExpires = 1;
  static constexpr uint8_t kValueOutside = 2;

  uint8_t flags;

  bool expires() const { return (flags & kExpires) != 0; }
  bool value_outside() const { return (flags & kValueOutside) != 0; }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  int64_t deadline_ms() const {
    if (!expires()) return kNeverExpires;
    int64_t deadline;
    std::memcpy(&deadline, bytes(), sizeof deadline);
    return deadline;
  }
  void set_deadline_ms(int64_t deadline) { std::memcpy(bytes(), &deadline, sizeof deadline); }
  std::string_view name() const { return short_bytes_get(bytes() + (expires() ? 8 : 0)); }
  const char* value_place() const {
    const std::string_view field = name();
    return field.data() + field.size();
  }
  void* outside() const {
    void* block;
    std::memcpy(&block, value_place(), sizeof block);
    return block;
  }
  std::string_view value() const {
    return value_outside() ? Blob::view_of(outside()) : short_bytes_get(value_place());
  }
  size_t bytes_in_all() const;
};

struct HashItemTrait {
  using Item = HashItem;
  static std::string_view key(const HashItem& item) { return item.name(); }
};
struct HashTable {
  HashTable(Allocator& allocator, const HashKey& hash_key)
      : fields(hash_key), by_deadline(allocator) {}

  MemberTable<HashItemTrait> fields;
  Deadlines<HashItem> by_deadline;  // the fields that expire
  size_t item_bytes = 0;            // as counted
  mutable PassList passes;
};

// The listpackex encoding: the block and its first deadline.
struct ExpiringListpack {
  uint8_t* block;
  int64_t earliest_ms;  // the first deadline
};

// A field as it stands in a hash. The views point into the hash.
struct HashField {
  Listpack::Element name;
  Listpack::Element value;
  int64_t deadline_ms = kNeverExpires;
};

// A hash that is looked at. Valid until the hash changes.
class HashView {
 public:
  HashView(Encoding encoding, const void* value) : encoding_(encoding), value_(value) {}
  explicit HashView(const Entry& entry) : HashView(entry.encoding(), entry.outside()) {}

  Encoding encoding() const { return encoding_; }
  // Fields, expired ones included.
  size_t size() const;
  std::optional<HashField> find(std::string_view name) const;
  // The same when the hash of the name is known.
  std::optional<HashField> find(std::string_view name, uint64_t hash) const;
  void prefetch(uint64_t hash) const;
  // The first deadline; kNeverExpires when no field expires.
  int64_t earliest_ms() const;
  // The fields that have expired at `now_ms`, at most `most` of them, the earliest first (in a
  // small hash: in order of the block). Calls visit(HashField).
  template <typename Visit>
  void for_each_due(int64_t now_ms, size_t most, Visit&& visit) const;

  // Calls visit(HashField) for all fields until it returns false.
  template <typename Visit>
  void for_each_while(Visit&& visit) const;
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for_each_while([&](const HashField& field) {
      visit(field);
      return true;
    });
  }
  // As MemberTable::scan; a small hash is visited whole.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const;
  // A field, each with the same probability, expired or not. The hash is not empty.
  HashField random(Random& random) const;

  const uint8_t* block() const {
    return encoding_ == Encoding::listpackex ? static_cast<const ExpiringListpack*>(value_)->block
                                             : static_cast<const uint8_t*>(value_);
  }
  const HashTable& table() const { return *static_cast<const HashTable*>(value_); }
  // Elements of the block that a field takes.
  size_t width() const { return encoding_ == Encoding::listpackex ? 3 : 2; }

 private:
  HashField field_at(const uint8_t* at) const { return take_field(block(), at); }
  // The field at a place, which moves behind it.
  HashField take_field(const uint8_t* bytes, const uint8_t*& at) const;
  static HashField field_of(const HashItem& item) {
    return {Listpack::Element{item.name()}, Listpack::Element{item.value()}, item.deadline_ms()};
  }

  Encoding encoding_;
  const void* value_;
};

// A hash that is changed. It owns nothing: the value is that of an entry, which store() updates, or
// a new one on its way into an entry.
class HashEditor {
 public:
  // A new hash.
  HashEditor(Allocator& allocator, const HashKey& hash_key, const HashLimits& limits);
  // The hash of an entry.
  HashEditor(Allocator& allocator, const HashKey& hash_key, const HashLimits& limits, Entry& entry);

  Encoding encoding() const { return encoding_; }
  void* value() const { return value_; }
  HashView view() const { return {encoding_, value_}; }
  size_t size() const { return view().size(); }

  // Goes to the hashtable when so many fields, or one with this text, would be too much for a small
  // hash: before set() of several fields at once, as Redis does.
  void expect_fields(size_t count) {
    if (encoding_ != Encoding::hashtable && count > limits_.listpack_entries) to_table();
  }
  void expect(std::string_view text) {
    if (encoding_ != Encoding::hashtable && text.size() > limits_.listpack_value) to_table();
  }
  // Sets a field, with this deadline. True when it is new. `blob`, when it holds the value's bytes,
  // may be taken over. The arguments must not point into the hash.
  bool set(std::string_view name, std::string_view value, int64_t deadline_ms, Blob&& blob = {});
  // Changes the deadline of a field that is there.
  void set_deadline(std::string_view name, int64_t deadline_ms);
  // False: it is not there. `name` may point into the hash.
  bool remove(std::string_view name);

  // Puts the value into its entry again.
  void store(Entry& entry) const {
    entry.set_outside(value_);
    entry.set_encoding(encoding_);
  }
  // Frees a hash that has no entry.
  void discard();

 private:
  uint8_t* block() const { return const_cast<uint8_t*>(view().block()); }
  void set_block(uint8_t* block);
  HashTable& table() const { return *static_cast<HashTable*>(value_); }
  ExpiringListpack& expiring() const { return *static_cast<ExpiringListpack*>(value_); }
  const uint8_t* find_in_block(std::string_view name) const;
  void deadline_changed(int64_t before_ms, int64_t after_ms);
  void set_in_block(const uint8_t* at, std::string_view value, int64_t deadline_ms);
  void append(std::string_view name, std::string_view value, int64_t deadline_ms);
  bool set_in_table(std::string_view name, std::string_view value, int64_t deadline_ms,
                    Blob&& blob);
  static bool can_overwrite(const HashItem& item, std::string_view value);
  static bool overwrite(HashItem& item, std::string_view value);
  void to_expiring();
  void to_table();

  Allocator& allocator_;
  const HashKey& hash_key_;
  const HashLimits& limits_;
  Encoding encoding_;
  void* value_;
};

bool free_some_hash(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t hash_outside_bytes(const Entry& entry);
size_t hash_free_effort(const Entry& entry);
void* copy_hash(Allocator& to, const Entry& entry);
void digest_hash(const Entry& entry, Digest& digest);
size_t hash_length(const Entry& entry);
PassList* hash_passes(const Entry& entry);
std::unique_ptr<ValuePass> open_hash_pass(PassMemory& memory, unsigned slot, const Entry& entry);
int64_t hash_next_expiry(const Entry& entry);
void remove_expired_fields(Allocator& allocator, const HashKey& hash_key, Entry& entry,
                           int64_t now_ms, size_t most, std::vector<std::string>& names);

inline constexpr TypeOps kHashOps = {
    .name = "hash",
    .free_some = free_some_hash,
    .outside_bytes = hash_outside_bytes,
    .free_effort = hash_free_effort,
    .copy = copy_hash,
    .digest = digest_hash,
    .length = hash_length,
    .passes = hash_passes,
    .open_pass = open_hash_pass,
    .next_expiry = hash_next_expiry,
    .remove_expired = remove_expired_fields,
};

inline HashField HashView::take_field(const uint8_t* bytes, const uint8_t*& at) const {
  HashField field;
  field.name = Listpack::get(at);
  at = Listpack::next(bytes, at);
  field.value = Listpack::get(at);
  at = Listpack::next(bytes, at);
  if (encoding_ == Encoding::listpackex) {
    // 0 stands for none.
    const int64_t deadline = Listpack::get(at).number;
    if (deadline != 0) field.deadline_ms = deadline;
    at = Listpack::next(bytes, at);
  }
  return field;
}

template <typename Visit>
void HashView::for_each_due(int64_t now_ms, size_t most, Visit&& visit) const {
  if (encoding_ == Encoding::hashtable) {
    table().by_deadline.for_each_due(now_ms, most,
                                     [&](const HashItem& item) { visit(field_of(item)); });
    return;
  }
  if (encoding_ != Encoding::listpackex || most == 0) return;
  for_each_while([&](const HashField& field) {
    if (field.deadline_ms < now_ms) {
      visit(field);
      --most;
    }
    return most > 0;
  });
}

template <typename Visit>
void HashView::for_each_while(Visit&& visit) const {
  if (encoding_ == Encoding::hashtable) {
    table().fields.for_each_while([&](const HashItem& item) { return visit(field_of(item)); });
    return;
  }
  const uint8_t* bytes = block();
  for (const uint8_t* at = Listpack::first(bytes); at != nullptr;) {
    if (!visit(take_field(bytes, at))) return;
  }
}

template <typename Visit>
uint64_t HashView::scan(uint64_t cursor, Visit&& visit) const {
  if (encoding_ == Encoding::hashtable) {
    return table().fields.scan(cursor, [&](const HashItem& item) { visit(field_of(item)); });
  }
  for_each(visit);
  return MemberBlocks::kCursorEnd;
}

}  // namespace redoubt
