#include "engine/store/hash_type.h"

#include "net/places.h"

#include <algorithm>
#include <new>

namespace redoubt {

namespace {

// A value of more bytes lies in a Blob of its own.
constexpr size_t kLargestInline = 1024;
// No setting makes a larger block: it would be copied with each new field.
constexpr size_t kLargestBlock = size_t{1} << 30;

// An item without its deadline and value filled in.
size_t bytes_for(std::string_view name, size_t value_bytes, bool expires) {
  return sizeof(HashItem) + (expires ? 8 : 0) + short_bytes_size(name.size()) + value_bytes;
}

Blob blob_of(std::string_view bytes) {
  Blob blob;
  blob.reserve(bytes.size());
  blob.set_size(bytes.size());
  std::memcpy(blob.data(), bytes.data(), bytes.size());
  return blob;
}

size_t blob_bytes(void* block) {
  Blob blob = Blob::adopt(block);
  const size_t bytes = blob.footprint();
  blob.release();
  return bytes;
}

HashItem* make_item(Allocator& allocator, HashTable& table, std::string_view name,
                    std::string_view value, int64_t deadline_ms, Blob&& blob) {
  const bool expires = deadline_ms != kNeverExpires;
  const bool outside = value.size() > kLargestInline;
  const size_t size = bytes_for(name, outside ? 8 : short_bytes_size(value.size()), expires);
  HashItem* item = static_cast<HashItem*>(allocator.allocate(size));
  item->flags = static_cast<uint8_t>((expires ? HashItem::kExpires : 0) |
                                     (outside ? HashItem::kValueOutside : 0));
  char* to = item->bytes();
  if (expires) {
    item->set_deadline_ms(deadline_ms);
    to += 8;
  }
  to = short_bytes_put(to, name);
  if (outside) {
    Blob owned = blob && blob.size() == value.size() ? std::move(blob) : blob_of(value);
    allocator.count(owned.footprint());
    table.item_bytes += owned.footprint();
    void* block = owned.release();
    std::memcpy(to, &block, sizeof block);
  } else {
    short_bytes_put(to, value);
  }
  table.item_bytes += counted_size(size);
  return item;
}

void release_item(Allocator& allocator, HashTable& table, HashItem* item) {
  const size_t size = item->bytes_in_all();
  if (item->value_outside()) {
    Blob blob = Blob::adopt(item->outside());
    table.item_bytes -= blob.footprint();
    allocator.release(std::move(blob));
  }
  table.item_bytes -= counted_size(size);
  allocator.release(item, size);
}

// Operations of passes on fields.
struct HashPassKind {
  using Trait = HashItemTrait;

  static size_t bytes(const HashItem& item) {
    return counted_size(item.bytes_in_all()) +
           (item.value_outside() ? blob_bytes(item.outside()) : 0);
  }
  static HashItem* copy(Allocator& allocator, const HashItem& item) {
    const size_t bytes = item.bytes_in_all();
    auto* made = static_cast<HashItem*>(std::memcpy(allocator.allocate(bytes), &item, bytes));
    if (!item.value_outside()) return made;
    Blob value = blob_of(item.value());
    allocator.count(value.footprint());
    void* block = value.release();
    std::memcpy(const_cast<char*>(made->value_place()), &block, sizeof block);
    return made;
  }
  static void release(Allocator& allocator, HashItem* item) {
    if (item->value_outside()) {
      const size_t bytes = item->bytes_in_all();
      allocator.release(Blob::adopt(item->outside()));
      allocator.release(item, bytes);
      return;
    }
    allocator.release(item, item->bytes_in_all());
  }
  static void deliver(SnapshotSink& sink, const HashItem& item) {
    sink.hash_field(item.name(), item.value(), item.deadline_ms());
  }
};

// An item that has left the table is a pass's, or goes.
void give_up_item(Allocator& allocator, HashTable& table, HashItem* item, uint64_t hash) {
  if (!table.passes.empty()) [[unlikely]] {
    const size_t bytes = HashPassKind::bytes(*item);
    if (take_item<HashPassKind>(table.passes, item, hash)) {
      table.item_bytes -= bytes;
      return;
    }
  }
  release_item(allocator, table, item);
}

HashTable* make_table(Allocator& allocator, const HashKey& hash_key) {
  return new (allocator.allocate(sizeof(HashTable))) HashTable(allocator, hash_key);
}

// Of a listpackex: 0 stands for none.
int64_t deadline_from(int64_t stored) {
  return stored == 0 ? kNeverExpires : stored;
}
int64_t deadline_to_store(int64_t deadline_ms) {
  return deadline_ms == kNeverExpires ? 0 : deadline_ms;
}

}  // namespace

size_t HashItem::bytes_in_all() const {
  const char* value_at = value_place();
  const size_t value_bytes =
      value_outside() ? 8 : short_bytes_size(short_bytes_get(value_at).size());
  return sizeof(HashItem) + static_cast<size_t>(value_at - bytes()) + value_bytes;
}

// --- looking

size_t HashView::size() const {
  return encoding_ == Encoding::hashtable ? table().fields.size()
                                          : Listpack::count(block()) / width();
}

std::optional<HashField> HashView::find(std::string_view name) const {
  if (encoding_ == Encoding::hashtable) return find(name, table().fields.hash(name));
  const uint8_t* at = Listpack::find(block(), Listpack::first(block()), name, width() - 1);
  if (at == nullptr) return std::nullopt;
  return field_at(at);
}

std::optional<HashField> HashView::find(std::string_view name, uint64_t hash) const {
  if (encoding_ != Encoding::hashtable) return find(name);
  const HashItem* item = table().fields.find(name, hash);
  if (item == nullptr) return std::nullopt;
  return field_of(*item);
}

int64_t HashView::earliest_ms() const {
  if (encoding_ == Encoding::listpack) return kNeverExpires;
  if (encoding_ == Encoding::listpackex) {
    return static_cast<const ExpiringListpack*>(value_)->earliest_ms;
  }
  return table().by_deadline.earliest_ms();
}

HashField HashView::random(Random& random) const {
  if (encoding_ == Encoding::hashtable) return field_of(*table().fields.random(random));
  const size_t index = random.below(size()) * width();
  return field_at(Listpack::seek(block(), static_cast<int64_t>(index)));
}

// --- changing

HashEditor::HashEditor(Allocator& allocator, const HashKey& hash_key, const HashLimits& limits)
    : allocator_(allocator),
      hash_key_(hash_key),
      limits_(limits),
      encoding_(Encoding::listpack),
      value_(Listpack::make(allocator)) {}

HashEditor::HashEditor(Allocator& allocator, const HashKey& hash_key, const HashLimits& limits,
                       Entry& entry)
    : allocator_(allocator),
      hash_key_(hash_key),
      limits_(limits),
      encoding_(entry.encoding()),
      value_(entry.outside()) {}

void HashEditor::set_block(uint8_t* block) {
  if (encoding_ == Encoding::listpackex) {
    expiring().block = block;
  } else {
    value_ = block;
  }
}

const uint8_t* HashEditor::find_in_block(std::string_view name) const {
  return Listpack::find(block(), Listpack::first(block()), name, view().width() - 1);
}

// Of a field in a listpackex.
void HashEditor::deadline_changed(int64_t before_ms, int64_t after_ms) {
  int64_t& earliest = expiring().earliest_ms;
  if (after_ms <= earliest) {
    earliest = after_ms;
  } else if (before_ms == earliest) {
    earliest = kNeverExpires;
    view().for_each(
        [&](const HashField& field) { earliest = std::min(earliest, field.deadline_ms); });
  }
}

// Replaces value and deadline of the field at a place.
void HashEditor::set_in_block(const uint8_t* at, std::string_view value, int64_t deadline_ms) {
  uint8_t* bytes = block();
  const uint8_t* place = Listpack::next(bytes, at);
  bytes = Listpack::replace(allocator_, bytes, place, value, &place);
  if (encoding_ == Encoding::listpack) {
    set_block(bytes);
    return;
  }
  place = Listpack::next(bytes, place);
  const int64_t before_ms = deadline_from(Listpack::get(place).number);
  set_block(Listpack::replace(allocator_, bytes, place, deadline_to_store(deadline_ms)));
  deadline_changed(before_ms, deadline_ms);
}

void HashEditor::append(std::string_view name, std::string_view value, int64_t deadline_ms) {
  uint8_t* bytes = Listpack::append(allocator_, block(), name);
  bytes = Listpack::append(allocator_, bytes, value);
  if (encoding_ == Encoding::listpackex) {
    bytes = Listpack::append(allocator_, bytes, deadline_to_store(deadline_ms));
    expiring().earliest_ms = std::min(expiring().earliest_ms, deadline_ms);
  }
  set_block(bytes);
}

bool HashEditor::set(std::string_view name, std::string_view value, int64_t deadline_ms,
                     Blob&& blob) {
  if (encoding_ != Encoding::hashtable) {
    const bool too_long = std::max(name.size(), value.size()) > limits_.listpack_value ||
                          name.size() + value.size() > kLargestBlock ||
                          Listpack::bytes(block()) > kLargestBlock;
    if (too_long) {
      to_table();
    } else if (deadline_ms != kNeverExpires && encoding_ == Encoding::listpack) {
      to_expiring();
    }
  }
  if (encoding_ == Encoding::hashtable) {
    return set_in_table(name, value, deadline_ms, std::move(blob));
  }
  const uint8_t* at = find_in_block(name);
  if (at != nullptr) {
    set_in_block(at, value, deadline_ms);
  } else {
    append(name, value, deadline_ms);
    if (size() > limits_.listpack_entries) to_table();
  }
  return at == nullptr;
}

// Whether a value takes as much memory as the one there is.
bool HashEditor::can_overwrite(const HashItem& item, std::string_view value) {
  if (item.value_outside() || value.size() > kLargestInline) return false;
  const std::string_view old = item.value();
  const size_t before = item.bytes_in_all();
  const size_t after = before - short_bytes_size(old.size()) + short_bytes_size(value.size());
  return counted_size(before) == counted_size(after);
}

// Writes such a value over the old one. False: it is not one.
bool HashEditor::overwrite(HashItem& item, std::string_view value) {
  if (!can_overwrite(item, value)) return false;
  short_bytes_put(const_cast<char*>(item.value_place()), value);
  return true;
}

bool HashEditor::set_in_table(std::string_view name, std::string_view value, int64_t deadline_ms,
                              Blob&& blob) {
  HashTable& all = table();
  const uint64_t hash = hash_key_(name);
  HashItem* old = all.fields.find(name, hash);
  if (!all.passes.empty()) [[unlikely]] {
    if (old == nullptr) {
      before_item_insert<HashPassKind>(all.passes, name, hash);
    } else if (old->deadline_ms() == deadline_ms && can_overwrite(*old, value)) {
      before_item_change<HashPassKind>(all.passes, *old, hash);
    }
  }
  if (old != nullptr && old->deadline_ms() == deadline_ms && overwrite(*old, value)) return false;
  HashItem* item = make_item(allocator_, all, name, value, deadline_ms, std::move(blob));
  if (old == nullptr) {
    all.fields.insert(allocator_, item, hash);
  } else {
    all.fields.replace(old, item, hash);
    if (old->expires()) all.by_deadline.erase(old);
    give_up_item(allocator_, all, old, hash);
  }
  if (item->expires()) all.by_deadline.insert(item);
  return old == nullptr;
}

void HashEditor::set_deadline(std::string_view name, int64_t deadline_ms) {
  if (deadline_ms != kNeverExpires && encoding_ == Encoding::listpack) to_expiring();
  if (encoding_ == Encoding::listpack) return;
  if (encoding_ == Encoding::listpackex) {
    uint8_t* bytes = block();
    const uint8_t* place = Listpack::next(bytes, Listpack::next(bytes, find_in_block(name)));
    const int64_t before_ms = deadline_from(Listpack::get(place).number);
    set_block(Listpack::replace(allocator_, bytes, place, deadline_to_store(deadline_ms)));
    deadline_changed(before_ms, deadline_ms);
    return;
  }
  HashTable& all = table();
  const uint64_t hash = hash_key_(name);
  HashItem* old = all.fields.find(name, hash);
  ASSERT(old != nullptr);
  if (old->deadline_ms() == deadline_ms) return;
  // It changes in place, or its value does, which may lie outside and go to another item.
  if (!all.passes.empty()) [[unlikely]]
    before_item_change<HashPassKind>(all.passes, *old, hash);
  if (old->expires()) all.by_deadline.erase(old);
  if (old->expires() && deadline_ms != kNeverExpires) {
    old->set_deadline_ms(deadline_ms);
    all.by_deadline.insert(old);
    return;
  }
  // The value changes hands, if it lies outside.
  Blob blob;
  if (old->value_outside()) {
    blob = Blob::adopt(old->outside());
    allocator_.discount(blob.footprint());
    all.item_bytes -= blob.footprint();
  }
  const size_t old_bytes = old->bytes_in_all();
  const std::string_view value = blob ? blob.view() : old->value();
  HashItem* item = make_item(allocator_, all, old->name(), value, deadline_ms, std::move(blob));
  all.fields.replace(old, item, hash);
  all.item_bytes -= counted_size(old_bytes);
  allocator_.release(old, old_bytes);
  if (item->expires()) all.by_deadline.insert(item);
}

bool HashEditor::remove(std::string_view name) {
  if (encoding_ != Encoding::hashtable) {
    const uint8_t* at = find_in_block(name);
    if (at == nullptr) return false;
    int64_t before_ms = kNeverExpires;
    if (encoding_ == Encoding::listpackex) before_ms = view().find(name)->deadline_ms;
    set_block(Listpack::erase(allocator_, block(), at, view().width()));
    if (before_ms != kNeverExpires) deadline_changed(before_ms, kNeverExpires);
    return true;
  }
  HashTable& all = table();
  const uint64_t hash = hash_key_(name);
  HashItem* item = all.fields.erase(allocator_, name, hash);
  if (item == nullptr) return false;
  if (item->expires()) all.by_deadline.erase(item);
  give_up_item(allocator_, all, item, hash);
  return true;
}

void HashEditor::to_expiring() {
  REDOUBT_REACHED(hash_with_deadlines);
  uint8_t* old = block();
  uint8_t* bytes = Listpack::make(allocator_);
  std::optional<IntegerText> digits;
  for (const uint8_t* at = Listpack::first(old); at != nullptr;) {
    for (int i = 0; i < 2; ++i, at = Listpack::next(old, at)) {
      bytes = Listpack::append(allocator_, bytes, Listpack::text(at, digits));
    }
    bytes = Listpack::append(allocator_, bytes, int64_t{0});
  }
  Listpack::free(allocator_, old);
  value_ =
      new (allocator_.allocate(sizeof(ExpiringListpack))) ExpiringListpack{bytes, kNeverExpires};
  encoding_ = Encoding::listpackex;
}

void HashEditor::to_table() {
  REDOUBT_REACHED(hash_to_table);
  HashTable* all = make_table(allocator_, hash_key_);
  std::optional<IntegerText> name_digits;
  std::optional<IntegerText> value_digits;
  const auto text = [](const Listpack::Element& element, std::optional<IntegerText>& digits) {
    return element.is_number ? digits.emplace(element.number).view() : element.text;
  };
  view().for_each([&](const HashField& field) {
    const std::string_view name = text(field.name, name_digits);
    HashItem* item =
        make_item(allocator_, *all, name, text(field.value, value_digits), field.deadline_ms, {});
    all->fields.insert(allocator_, item, hash_key_(name));
    if (item->expires()) all->by_deadline.insert(item);
  });
  discard();
  encoding_ = Encoding::hashtable;
  value_ = all;
}

void HashEditor::discard() {
  size_t budget = SIZE_MAX;
  free_some_hash(allocator_, encoding_, value_, budget);
}

// --- the row of operations

bool free_some_hash(Allocator& allocator, Encoding encoding, void*& value, size_t& budget) {
  if (encoding != Encoding::hashtable) {
    uint8_t* block = static_cast<uint8_t*>(value);
    if (encoding == Encoding::listpackex) {
      ExpiringListpack* expiring = static_cast<ExpiringListpack*>(value);
      block = expiring->block;
      allocator.release(expiring, sizeof *expiring);
    }
    Listpack::free(allocator, block);
    budget -= budget > 0 ? 1 : 0;
    return true;
  }
  HashTable* table = static_cast<HashTable*>(value);
  // The tree first: it looks at items.
  if (!table->by_deadline.clear_some(budget)) return false;
  const bool done = table->fields.clear_some(
      allocator, budget, [&](HashItem* item) { release_item(allocator, *table, item); });
  if (!done) return false;
  ASSERT(table->passes.empty());
  table->~HashTable();
  allocator.release(table, sizeof(HashTable));
  return true;
}

size_t hash_outside_bytes(const Entry& entry) {
  const HashView hash(entry);
  switch (entry.encoding()) {
    case Encoding::listpack: return Listpack::counted_bytes(hash.block());
    case Encoding::listpackex:
      return counted_size(sizeof(ExpiringListpack)) + Listpack::counted_bytes(hash.block());
    default: break;
  }
  const HashTable& table = hash.table();
  return counted_size(sizeof(HashTable)) + table.fields.table_bytes() + table.by_deadline.bytes() +
         table.item_bytes;
}

size_t hash_free_effort(const Entry& entry) {
  return entry.encoding() == Encoding::hashtable ? HashView(entry).size() : 1;
}

void* copy_hash(Allocator& to, const Entry& entry) {
  const HashView hash(entry);
  switch (entry.encoding()) {
    case Encoding::listpack: return Listpack::copy(to, hash.block());
    case Encoding::listpackex:
      return new (to.allocate(sizeof(ExpiringListpack)))
          ExpiringListpack{Listpack::copy(to, hash.block()), hash.earliest_ms()};
    default: break;
  }
  const HashTable& from = hash.table();
  HashTable* table = make_table(to, from.fields.hash_key());
  table->fields.copy_from(to, from.fields, [&](const HashItem& item) {
    return make_item(to, *table, item.name(), item.value(), item.deadline_ms(), {});
  });
  table->fields.for_each([&](HashItem& item) {
    if (item.expires()) table->by_deadline.insert(&item);
  });
  return table;
}

void digest_hash(const Entry& entry, Digest& digest) {
  Digest fields;
  const auto add = [&fields](const Listpack::Element& element) {
    fields.add(element.is_number ? IntegerText(element.number).view() : element.text);
  };
  HashView(entry).for_each([&](const HashField& field) {
    add(field.name);
    add(field.value);
    fields.add(field.deadline_ms);
    fields.end_element();
  });
  digest.add(fields.hex());
}

size_t hash_length(const Entry& entry) {
  return HashView(entry).size();
}

PassList* hash_passes(const Entry& entry) {
  return entry.encoding() == Encoding::hashtable
             ? &static_cast<const HashTable*>(entry.outside())->passes
             : nullptr;
}

std::unique_ptr<ValuePass> open_hash_pass(PassMemory& memory, unsigned slot, const Entry& entry) {
  return std::make_unique<TablePass<HashPassKind>>(memory, *hash_passes(entry), slot,
                                                   HashView(entry).table().fields,
                                                   !HashView(entry).table().by_deadline.empty());
}

int64_t hash_next_expiry(const Entry& entry) {
  return HashView(entry).earliest_ms();
}

void remove_expired_fields(Allocator& allocator, const HashKey& hash_key, Entry& entry,
                           int64_t now_ms, size_t most, std::vector<std::string>& names) {
  HashView(entry).for_each_due(now_ms, most, [&](const HashField& field) {
    names.emplace_back(field.name.is_number ? IntegerText(field.name.number).view()
                                            : field.name.text);
  });
  const HashLimits limits;
  HashEditor editor(allocator, hash_key, limits, entry);
  for (const std::string& name : names) editor.remove(name);
  editor.store(entry);
}

}  // namespace redoubt
