// Sets in memory, in one of four encodings:
//
//   intset              all members are integers (intset.h)
//   listpack            few and short members (listpack.h)
//   hashtable           a MemberTable whose items are a member's length and bytes
//   expiring_hashtable  the same table, and the order in which some of its members expire
//
//   item                [mark, deadline, 10 bytes] | member with its length
//
// A set begins in the smallest encoding that its first member allows, and goes to a larger one when
// a member or the number of members asks for it, never back. The first deadline of a member makes
// it an expiring_hashtable: a hashtable only gets a tree beside it then, whatever its size, and
// loses it with the last deadline. A set without deadlines pays nothing for them: the mark of an
// item that has one is a length that is never written otherwise.
//
// Nothing here knows a clock: a member that has expired is there until it is removed. The reader of
// a set gives the time.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/deadlines.h"
#include "engine/store/intset.h"
#include "engine/store/listpack.h"
#include "engine/store/member_table.h"
#include "engine/store/short_bytes.h"
#include "engine/store/type_ops.h"

namespace redoubt {

// Up to which size which encoding is used.
struct SetLimits {
  size_t intset_entries = 512;
  size_t listpack_entries = 128;
  size_t listpack_value = 64;
};

// A member as it stands in a set: a string, which points into the set, or an integer.
using SetElement = Listpack::Element;

// A member to look for, to add or to remove. It keeps its integer and its hash once computed.
class SetMember {
 public:
  explicit SetMember(std::string_view text) : text_(text) {}
  explicit SetMember(const SetElement& element) {
    if (element.is_number) {
      number_ = element.number;
      number_known_ = true;
      text_ = digits_.emplace(element.number).view();
    } else {
      text_ = element.text;
    }
  }
  SetMember(const SetMember&) = delete;
  SetMember& operator=(const SetMember&) = delete;

  std::string_view text() const { return text_; }
  // The member as an integer, when it is one in canonical form.
  const std::optional<int64_t>& number() const {
    if (!number_known_) {
      number_known_ = true;
      if (text_.size() <= 20) number_ = parse_integer(text_);
    }
    return number_;
  }
  uint64_t hash(const HashKey& hash_key) const {
    if (!hash_) hash_ = hash_key(text_);
    return *hash_;
  }

 private:
  std::string_view text_;
  std::optional<IntegerText> digits_;
  mutable std::optional<int64_t> number_;
  mutable bool number_known_ = false;
  mutable std::optional<uint64_t> hash_;
};

// An item of a table.
struct SetItem {
  // The mark of one that expires, the length 0 in two bytes, and its deadline.
  static constexpr uint8_t kMark[2] = {128, 0};
  static constexpr size_t kPrefix = sizeof kMark + sizeof(int64_t);

  uint8_t first;  // byte of the length

  const char* bytes() const { return reinterpret_cast<const char*>(this); }
  char* bytes() { return reinterpret_cast<char*>(this); }
  // A shorter item than a mark does not begin like one.
  bool expires() const { return first == kMark[0] && bytes()[1] == kMark[1]; }
  std::string_view name() const {
    if (first < 128) [[likely]]
      return {bytes() + 1, first};
    return short_bytes_get(bytes() + (expires() ? kPrefix : 0));
  }
  int64_t deadline_ms() const {
    if (!expires()) return kNeverExpires;
    int64_t deadline;
    std::memcpy(&deadline, bytes() + sizeof kMark, sizeof deadline);
    return deadline;
  }
  void set_deadline_ms(int64_t deadline) {
    std::memcpy(bytes() + sizeof kMark, &deadline, sizeof deadline);
  }
};
struct SetItemTrait {
  using Item = SetItem;
  static std::string_view key(const SetItem& item) { return item.name(); }
};
// The hashtable encoding.
struct SetTable {
  explicit SetTable(const HashKey& hash_key) : members(hash_key) {}

  MemberTable<SetItemTrait> members;
  size_t item_bytes = 0;  // as counted
  mutable PassList passes;
};
// The expiring_hashtable encoding.
struct ExpiringSet {
  ExpiringSet(Allocator& allocator, SetTable* whole) : table(whole), by_deadline(allocator) {}

  SetTable* table;
  Deadlines<SetItem> by_deadline;
};

// Properties of a member besides its text.
struct SetPart {
  int64_t deadline_ms = kNeverExpires;
};

// A set that is looked at, from a time on: members that expired before it are not there. Valid
// until the set changes.
class SetView {
 public:
  // Before any deadline.
  static constexpr int64_t kBeforeAll = std::numeric_limits<int64_t>::min();

  SetView(Encoding encoding, const void* value, int64_t now_ms = kBeforeAll)
      : encoding_(encoding), value_(value), now_ms_(now_ms) {}
  explicit SetView(const Entry& entry, int64_t now_ms = kBeforeAll)
      : SetView(entry.encoding(), entry.outside(), now_ms) {}

  Encoding encoding() const { return encoding_; }
  size_t size() const;
  bool contains(const SetMember& member) const;
  std::optional<SetPart> find(const SetMember& member) const;
  std::optional<SetPart> find(std::string_view member) const { return find(SetMember(member)); }

  // Whether members may have deadlines.
  bool may_expire() const { return encoding_ == Encoding::expiring_hashtable; }
  // The first deadline; kNeverExpires when no member expires.
  int64_t earliest_ms() const {
    return may_expire() ? expiring().by_deadline.earliest_ms() : kNeverExpires;
  }
  // How many members this view does not show because they have expired.
  size_t hidden() const { return may_expire() ? expiring().by_deadline.due(now_ms_) : 0; }
  // The members that had expired before `now_ms`, at most `most` of them, the earliest first. Calls
  // visit(const SetItem&).
  template <typename Visit>
  void for_each_due(int64_t now_ms, size_t most, Visit&& visit) const {
    if (may_expire()) expiring().by_deadline.for_each_due(now_ms, most, visit);
  }

  // With one of the encodings that have a table.
  const SetTable& whole_table() const {
    return may_expire() ? *expiring().table : *static_cast<const SetTable*>(value_);
  }
  const MemberTable<SetItemTrait>& table() const { return whole_table().members; }

  // Calls visit(SetElement) for all members until it returns false; integers ascend.
  template <typename Visit>
  void for_each_while(Visit&& visit) const;
  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (encoding_ == Encoding::hashtable) {
      table().for_each([&](const SetItem& item) { visit(SetElement{SetItemTrait::key(item)}); });
      return;
    }
    for_each_while([&](const SetElement& element) {
      visit(element);
      return true;
    });
  }
  // As MemberTable::scan; the encodings without a table are visited whole.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const;
  // A member, each with the same probability; size() is not 0. Walks where few of the members that
  // are there are shown.
  SetElement random(Random& random) const;
  // Visits `count` different members, fewer than there are, each choice being as likely as any
  // other. Takes one walk over the set.
  template <typename Visit>
  void sample(Random& random, size_t count, Visit&& visit) const;

 private:
  const uint8_t* block() const { return static_cast<const uint8_t*>(value_); }
  const ExpiringSet& expiring() const { return *static_cast<const ExpiringSet*>(value_); }
  const SetItem* find_item(const SetMember& member) const {
    return table().find(member.text(), member.hash(table().hash_key()));
  }
  bool shows(const SetItem& item) const { return item.deadline_ms() >= now_ms_; }

  Encoding encoding_;
  const void* value_;
  int64_t now_ms_;
};

// A set that is changed. It owns nothing: the value is that of an entry, which store() updates, or
// a new one on its way into an entry.
class SetEditor {
 public:
  // A new set for `first` and so many members in all.
  SetEditor(Allocator& allocator, const HashKey& hash_key, const SetLimits& limits,
            const SetMember& first, size_t expected);
  // A new set that is an intset to begin with.
  SetEditor(Allocator& allocator, const HashKey& hash_key, const SetLimits& limits);
  // The set of an entry, to which so many members may be added.
  SetEditor(Allocator& allocator, const HashKey& hash_key, const SetLimits& limits, Entry& entry,
            size_t expected);

  Encoding encoding() const { return encoding_; }
  void* value() const { return value_; }
  SetView view() const { return {encoding_, value_}; }
  size_t size() const { return view().size(); }

  // False: it is there already, and stays as it is.
  bool add(const SetMember& member);
  // False: it is not there.
  bool remove(const SetMember& member);
  bool remove(std::string_view member) { return remove(SetMember(member)); }
  // Changes the deadline of a member that is there. `member` may point into the set.
  void set_deadline(std::string_view member, int64_t deadline_ms);
  // Makes this set, which is new and empty, equal to another one of the hashtable encoding, in
  // which nothing expires.
  void copy_table(const SetTable& from);
  // Puts the value into its entry again.
  void store(Entry& entry) const {
    entry.set_outside(value_);
    entry.set_encoding(encoding_);
  }
  // Frees a set that has no entry.
  void discard();

 private:
  uint8_t* block() const { return static_cast<uint8_t*>(value_); }
  ExpiringSet& expiring() const { return *static_cast<ExpiringSet*>(value_); }
  SetTable& table() const {
    return encoding_ == Encoding::expiring_hashtable ? *expiring().table
                                                     : *static_cast<SetTable*>(value_);
  }
  bool fits_listpack(size_t members, size_t bytes, size_t member_size) const;
  bool add_to_intset(const SetMember& member);
  bool add_to_listpack(const SetMember& member);
  bool add_to_table(const SetMember& member);
  void insert_new(const SetMember& member);
  void to_listpack();
  void to_table();
  void begin_deadlines();
  void end_deadlines();
  void make(Encoding encoding);

  Allocator& allocator_;
  const HashKey& hash_key_;
  const SetLimits& limits_;
  Encoding encoding_;
  void* value_;
};

bool free_some_set(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t set_outside_bytes(const Entry& entry);
size_t set_free_effort(const Entry& entry);
void* copy_set(Allocator& to, const Entry& entry);
void digest_set(const Entry& entry, Digest& digest);
size_t set_length(const Entry& entry);
PassList* set_passes(const Entry& entry);
std::unique_ptr<ValuePass> open_set_pass(PassMemory& memory, unsigned slot, const Entry& entry);
int64_t set_next_expiry(const Entry& entry);
void remove_expired_members(Allocator& allocator, const HashKey& hash_key, Entry& entry,
                            int64_t now_ms, size_t most, std::vector<std::string>& names);

inline constexpr TypeOps kSetOps = {
    .name = "set",
    .free_some = free_some_set,
    .outside_bytes = set_outside_bytes,
    .free_effort = set_free_effort,
    .copy = copy_set,
    .digest = digest_set,
    .length = set_length,
    .passes = set_passes,
    .open_pass = open_set_pass,
    .next_expiry = set_next_expiry,
    .remove_expired = remove_expired_members,
};

template <typename Visit>
void SetView::for_each_while(Visit&& visit) const {
  switch (encoding_) {
    case Encoding::intset:
      for (size_t i = 0, count = Intset::count(block()); i < count; ++i) {
        if (!visit(SetElement{{}, Intset::at(block(), i), true})) return;
      }
      return;
    case Encoding::listpack:
      for (const uint8_t* at = Listpack::first(block()); at != nullptr;
           at = Listpack::next(block(), at)) {
        if (!visit(Listpack::get(at))) return;
      }
      return;
    default: break;
  }
  table().for_each_while([&](const SetItem& item) {
    return !shows(item) || visit(SetElement{SetItemTrait::key(item)});
  });
}

template <typename Visit>
uint64_t SetView::scan(uint64_t cursor, Visit&& visit) const {
  if (encoding_ == Encoding::hashtable || may_expire()) {
    return table().scan(cursor, [&](const SetItem& item) {
      if (shows(item)) visit(SetElement{SetItemTrait::key(item)});
    });
  }
  for_each(visit);
  return MemberBlocks::kCursorEnd;
}

template <typename Visit>
void SetView::sample(Random& random, size_t count, Visit&& visit) const {
  size_t left = size();
  for_each_while([&](const SetElement& element) {
    if (count > 0 && random.below(left) < count) {
      visit(element);
      --count;
    }
    --left;
    return count > 0;
  });
}

}  // namespace redoubt
