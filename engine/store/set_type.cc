#include "engine/store/set_type.h"

#include "net/places.h"

#include <algorithm>
#include <new>

namespace redoubt {

namespace {

// No setting makes a larger block: it would be copied with each new member.
constexpr size_t kLargestBlock = size_t{1} << 30;
constexpr size_t kLargestIntset = size_t{1} << 27;

size_t bytes_for(std::string_view member, bool expires) {
  return (expires ? SetItem::kPrefix : 0) + short_bytes_size(member.size());
}

SetItem* make_item(Allocator& allocator, SetTable& table, std::string_view member,
                   int64_t deadline_ms = kNeverExpires) {
  const bool expires = deadline_ms != kNeverExpires;
  const size_t bytes = bytes_for(member, expires);
  SetItem* item = static_cast<SetItem*>(allocator.allocate(bytes));
  char* to = item->bytes();
  if (expires) {
    std::memcpy(to, SetItem::kMark, sizeof SetItem::kMark);
    item->set_deadline_ms(deadline_ms);
    to += SetItem::kPrefix;
  }
  short_bytes_put(to, member);
  table.item_bytes += counted_size(bytes);
  return item;
}

size_t bytes_of(const SetItem& item) {
  return bytes_for(item.name(), item.expires());
}

// Operations of passes on members.
struct SetPassKind {
  using Trait = SetItemTrait;

  static size_t bytes(const SetItem& item) { return counted_size(bytes_of(item)); }
  static SetItem* copy(Allocator& allocator, const SetItem& item) {
    const size_t bytes = bytes_of(item);
    return static_cast<SetItem*>(std::memcpy(allocator.allocate(bytes), &item, bytes));
  }
  static void release(Allocator& allocator, SetItem* item) {
    allocator.release(item, bytes_of(*item));
  }
  static void deliver(SnapshotSink& sink, const SetItem& item) {
    sink.set_member(item.name(), item.deadline_ms());
  }
};

void release_item(Allocator& allocator, SetTable& table, SetItem* item) {
  table.item_bytes -= counted_size(bytes_of(*item));
  SetPassKind::release(allocator, item);
}

// An item that has left the table is a pass's, or goes.
void give_up_item(Allocator& allocator, SetTable& table, SetItem* item, uint64_t hash) {
  if (!table.passes.empty()) [[unlikely]] {
    const size_t bytes = SetPassKind::bytes(*item);
    if (take_item<SetPassKind>(table.passes, item, hash)) {
      table.item_bytes -= bytes;
      return;
    }
  }
  release_item(allocator, table, item);
}

// A new member of the table.
void insert_item(Allocator& allocator, SetTable& table, std::string_view member, uint64_t hash) {
  if (!table.passes.empty()) [[unlikely]]
    before_item_insert<SetPassKind>(table.passes, member, hash);
  table.members.insert(allocator, make_item(allocator, table, member), hash);
}

SetTable* make_table(Allocator& allocator, const HashKey& hash_key) {
  return new (allocator.allocate(sizeof(SetTable))) SetTable(hash_key);
}

void copy_items(Allocator& allocator, SetTable& to, const SetTable& from) {
  to.members.copy_from(allocator, from.members, [&](const SetItem& item) {
    return make_item(allocator, to, item.name(), item.deadline_ms());
  });
}

}  // namespace

// --- looking

size_t SetView::size() const {
  switch (encoding_) {
    case Encoding::intset: return Intset::count(block());
    case Encoding::listpack: return Listpack::count(block());
    case Encoding::hashtable: return table().size();
    default: return table().size() - hidden();
  }
}

bool SetView::contains(const SetMember& member) const {
  switch (encoding_) {
    case Encoding::intset: return member.number() && Intset::contains(block(), *member.number());
    case Encoding::listpack:
      return Listpack::find(block(), Listpack::first(block()), member.text()) != nullptr;
    case Encoding::hashtable: return find_item(member) != nullptr;
    default: break;
  }
  const SetItem* item = find_item(member);
  return item != nullptr && shows(*item);
}

std::optional<SetPart> SetView::find(const SetMember& member) const {
  if (!may_expire()) return contains(member) ? std::optional(SetPart{}) : std::nullopt;
  const SetItem* item = find_item(member);
  if (item == nullptr || !shows(*item)) return std::nullopt;
  return SetPart{item->deadline_ms()};
}

SetElement SetView::random(Random& random) const {
  const size_t count = size();
  ASSERT(count > 0);
  switch (encoding_) {
    case Encoding::intset: return {{}, Intset::at(block(), random.below(count)), true};
    case Encoding::listpack:
      return Listpack::get(Listpack::seek(block(), static_cast<int64_t>(random.below(count))));
    case Encoding::hashtable: return {table().random(random)->name()};
    default: break;
  }
  // So many are there for each that is shown, at most, where draws are repeated until one is shown.
  constexpr size_t kWalkFrom = 8;
  if (table().size() / kWalkFrom < count) {
    for (;;) {
      const SetItem& item = *table().random(random);
      if (shows(item)) return {item.name()};
    }
  }
  SetElement chosen;
  size_t left = random.below(count);
  for_each_while([&](const SetElement& element) {
    chosen = element;
    return left-- > 0;
  });
  return chosen;
}

// --- changing

SetEditor::SetEditor(Allocator& allocator, const HashKey& hash_key, const SetLimits& limits)
    : allocator_(allocator), hash_key_(hash_key), limits_(limits) {
  make(Encoding::intset);
}

SetEditor::SetEditor(Allocator& allocator, const HashKey& hash_key, const SetLimits& limits,
                     const SetMember& first, size_t expected)
    : allocator_(allocator), hash_key_(hash_key), limits_(limits) {
  if (expected <= limits_.intset_entries && first.number()) {
    make(Encoding::intset);
  } else {
    make(expected <= limits_.listpack_entries ? Encoding::listpack : Encoding::hashtable);
  }
}

SetEditor::SetEditor(Allocator& allocator, const HashKey& hash_key, const SetLimits& limits,
                     Entry& entry, size_t expected)
    : allocator_(allocator),
      hash_key_(hash_key),
      limits_(limits),
      encoding_(entry.encoding()),
      value_(entry.outside()) {
  const bool too_many = (encoding_ == Encoding::intset && expected > limits_.intset_entries) ||
                        (encoding_ == Encoding::listpack && expected > limits_.listpack_entries);
  if (too_many) to_table();
}

void SetEditor::make(Encoding encoding) {
  encoding_ = encoding;
  switch (encoding) {
    case Encoding::intset: value_ = Intset::make(allocator_); return;
    case Encoding::listpack: value_ = Listpack::make(allocator_); return;
    default: value_ = make_table(allocator_, hash_key_);
  }
}

bool SetEditor::fits_listpack(size_t members, size_t bytes, size_t member_size) const {
  return members <= limits_.listpack_entries && member_size <= limits_.listpack_value &&
         member_size < kLargestBlock - std::min(kLargestBlock, bytes);
}

bool SetEditor::add(const SetMember& member) {
  switch (encoding_) {
    case Encoding::intset: return add_to_intset(member);
    case Encoding::listpack: return add_to_listpack(member);
    default: return add_to_table(member);
  }
}

bool SetEditor::add_to_intset(const SetMember& member) {
  uint8_t* integers = block();
  const size_t count = Intset::count(integers);
  if (member.number()) {
    if (!Intset::insert(allocator_, integers, *member.number())) return false;
    value_ = integers;
    if (count + 1 > std::min(limits_.intset_entries, kLargestIntset)) to_table();
    return true;
  }
  size_t longest = member.text().size();
  if (count > 0) {
    for (const size_t end : {size_t{0}, count - 1}) {
      longest = std::max(longest, IntegerText(Intset::at(integers, end)).view().size());
    }
  }
  // An integer takes no more than 11 bytes there.
  if (fits_listpack(count + 1, count * 11 + member.text().size(), longest)) {
    to_listpack();
  } else {
    to_table();
  }
  insert_new(member);
  return true;
}

bool SetEditor::add_to_listpack(const SetMember& member) {
  if (view().contains(member)) return false;
  const size_t size = member.text().size();
  if (!fits_listpack(Listpack::count(block()) + 1, Listpack::bytes(block()), size)) to_table();
  insert_new(member);
  return true;
}

bool SetEditor::add_to_table(const SetMember& member) {
  SetTable& all = table();
  const uint64_t hash = member.hash(hash_key_);
  if (all.members.find(member.text(), hash) != nullptr) return false;
  insert_item(allocator_, all, member.text(), hash);
  return true;
}

// The encoding has been chosen, and the member is not there.
void SetEditor::insert_new(const SetMember& member) {
  if (encoding_ == Encoding::listpack) {
    value_ = Listpack::append(allocator_, block(), member.text());
    return;
  }
  insert_item(allocator_, table(), member.text(), member.hash(hash_key_));
}

void SetEditor::to_listpack() {
  REDOUBT_REACHED(integers_to_listpack);
  uint8_t* integers = block();
  uint8_t* packed = Listpack::make(allocator_);
  for (size_t i = 0, count = Intset::count(integers); i < count; ++i) {
    packed = Listpack::append(allocator_, packed, Intset::at(integers, i));
  }
  Intset::free(allocator_, integers);
  encoding_ = Encoding::listpack;
  value_ = packed;
}

void SetEditor::to_table() {
  REDOUBT_REACHED(set_to_table);
  SetTable* all = make_table(allocator_, hash_key_);
  view().for_each([&](const SetElement& element) {
    const SetMember member(element);
    all->members.insert(allocator_, make_item(allocator_, *all, member.text()),
                        member.hash(hash_key_));
  });
  discard();
  encoding_ = Encoding::hashtable;
  value_ = all;
}

void SetEditor::copy_table(const SetTable& from) {
  ASSERT(size() == 0);
  discard();
  make(Encoding::hashtable);
  copy_items(allocator_, table(), from);
}

// The first member gets a deadline.
void SetEditor::begin_deadlines() {
  ASSERT(encoding_ == Encoding::hashtable);
  value_ = new (allocator_.allocate(sizeof(ExpiringSet))) ExpiringSet(allocator_, &table());
  encoding_ = Encoding::expiring_hashtable;
}

// The last one has lost it.
void SetEditor::end_deadlines() {
  ExpiringSet* whole = &expiring();
  ASSERT(whole->by_deadline.empty());
  value_ = whole->table;
  encoding_ = Encoding::hashtable;
  whole->~ExpiringSet();
  allocator_.release(whole, sizeof(ExpiringSet));
}

void SetEditor::set_deadline(std::string_view member, int64_t deadline_ms) {
  const bool expires = deadline_ms != kNeverExpires;
  const bool has_table = encoding_ == Encoding::hashtable || view().may_expire();
  if (!has_table) {
    if (!expires) return;
    const std::string name(member);
    to_table();
    set_deadline(name, deadline_ms);
    return;
  }
  SetTable& all = table();
  const uint64_t hash = hash_key_(member);
  SetItem* old = all.members.find(member, hash);
  ASSERT(old != nullptr);
  if (old->deadline_ms() == deadline_ms) return;
  if (old->expires()) expiring().by_deadline.erase(old);
  if (old->expires() && expires) {
    if (!all.passes.empty()) [[unlikely]]
      before_item_change<SetPassKind>(all.passes, *old, hash);
    old->set_deadline_ms(deadline_ms);
    expiring().by_deadline.insert(old);
    return;
  }
  SetItem* item = make_item(allocator_, all, old->name(), deadline_ms);
  all.members.replace(old, item, hash);
  give_up_item(allocator_, all, old, hash);
  if (expires) {
    if (encoding_ == Encoding::hashtable) begin_deadlines();
    expiring().by_deadline.insert(item);
  } else if (expiring().by_deadline.empty()) {
    end_deadlines();
  }
}

bool SetEditor::remove(const SetMember& member) {
  switch (encoding_) {
    case Encoding::intset: {
      if (!member.number()) return false;
      uint8_t* integers = block();
      const bool removed = Intset::erase(allocator_, integers, *member.number());
      value_ = integers;
      return removed;
    }
    case Encoding::listpack: {
      const uint8_t* at = Listpack::find(block(), Listpack::first(block()), member.text());
      if (at == nullptr) return false;
      value_ = Listpack::erase(allocator_, block(), at, 1);
      return true;
    }
    default: break;
  }
  SetTable& all = table();
  const uint64_t hash = member.hash(hash_key_);
  SetItem* item = all.members.erase(allocator_, member.text(), hash);
  if (item == nullptr) return false;
  if (encoding_ == Encoding::expiring_hashtable && item->expires()) {
    expiring().by_deadline.erase(item);
    if (expiring().by_deadline.empty()) end_deadlines();
  }
  give_up_item(allocator_, all, item, hash);
  return true;
}

void SetEditor::discard() {
  size_t budget = SIZE_MAX;
  free_some_set(allocator_, encoding_, value_, budget);
}

// --- the row of operations

bool free_some_set(Allocator& allocator, Encoding encoding, void*& value, size_t& budget) {
  if (encoding == Encoding::intset || encoding == Encoding::listpack) {
    uint8_t* block = static_cast<uint8_t*>(value);
    encoding == Encoding::intset ? Intset::free(allocator, block)
                                 : Listpack::free(allocator, block);
    budget -= budget > 0 ? 1 : 0;
    return true;
  }
  ExpiringSet* expiring =
      encoding == Encoding::expiring_hashtable ? static_cast<ExpiringSet*>(value) : nullptr;
  // The order first: it looks at items.
  if (expiring != nullptr && !expiring->by_deadline.clear_some(budget)) return false;
  SetTable* table = expiring != nullptr ? expiring->table : static_cast<SetTable*>(value);
  const bool done = table->members.clear_some(
      allocator, budget, [&](SetItem* item) { release_item(allocator, *table, item); });
  if (!done) return false;
  ASSERT(table->passes.empty());
  table->~SetTable();
  allocator.release(table, sizeof(SetTable));
  if (expiring != nullptr) {
    expiring->~ExpiringSet();
    allocator.release(expiring, sizeof(ExpiringSet));
  }
  return true;
}

size_t set_outside_bytes(const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::intset:
      return Intset::counted_bytes(static_cast<const uint8_t*>(entry.outside()));
    case Encoding::listpack:
      return Listpack::counted_bytes(static_cast<const uint8_t*>(entry.outside()));
    default: break;
  }
  const SetTable& table = SetView(entry).whole_table();
  const size_t bytes =
      counted_size(sizeof(SetTable)) + table.members.table_bytes() + table.item_bytes;
  if (entry.encoding() == Encoding::hashtable) return bytes;
  const auto& expiring = *static_cast<const ExpiringSet*>(entry.outside());
  return bytes + counted_size(sizeof(ExpiringSet)) + expiring.by_deadline.bytes();
}

size_t set_free_effort(const Entry& entry) {
  const Encoding encoding = entry.encoding();
  const bool table = encoding != Encoding::intset && encoding != Encoding::listpack;
  return table ? SetView(entry).size() : 1;
}

void* copy_set(Allocator& to, const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::intset:
      return Intset::make(to, Intset::span(static_cast<const uint8_t*>(entry.outside())));
    case Encoding::listpack:
      return Listpack::copy(to, static_cast<const uint8_t*>(entry.outside()));
    default: break;
  }
  const SetTable& from = SetView(entry).whole_table();
  SetTable* table = make_table(to, from.members.hash_key());
  copy_items(to, *table, from);
  if (entry.encoding() == Encoding::hashtable) return table;
  auto* expiring = new (to.allocate(sizeof(ExpiringSet))) ExpiringSet(to, table);
  table->members.for_each([&](SetItem& item) {
    if (item.expires()) expiring->by_deadline.insert(&item);
  });
  return expiring;
}

void digest_set(const Entry& entry, Digest& digest) {
  Digest members;
  const SetView set(entry);
  set.for_each([&](const SetElement& element) {
    const SetMember member(element);
    members.add(member.text());
    if (set.may_expire()) {
      const int64_t deadline_ms = set.find(member)->deadline_ms;
      if (deadline_ms != kNeverExpires) members.add(deadline_ms);
    }
    members.end_element();
  });
  digest.add(members.hex());
}

size_t set_length(const Entry& entry) {
  return SetView(entry).size();
}

PassList* set_passes(const Entry& entry) {
  const bool small = entry.encoding() == Encoding::intset || entry.encoding() == Encoding::listpack;
  return small ? nullptr : &SetView(entry).whole_table().passes;
}

std::unique_ptr<ValuePass> open_set_pass(PassMemory& memory, unsigned slot, const Entry& entry) {
  return std::make_unique<TablePass<SetPassKind>>(
      memory, *set_passes(entry), slot, SetView(entry).table(), SetView(entry).may_expire());
}

int64_t set_next_expiry(const Entry& entry) {
  return SetView(entry).earliest_ms();
}

void remove_expired_members(Allocator& allocator, const HashKey& hash_key, Entry& entry,
                            int64_t now_ms, size_t most, std::vector<std::string>& names) {
  SetView(entry).for_each_due(now_ms, most,
                              [&](const SetItem& item) { names.emplace_back(item.name()); });
  const SetLimits limits;
  SetEditor set(allocator, hash_key, limits, entry, 0);
  for (const std::string& name : names) set.remove(SetMember(name));
  set.store(entry);
}

}  // namespace redoubt
