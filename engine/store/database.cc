#include "engine/store/database.h"

#include <algorithm>
#include <limits>

#include "engine/store/string_type.h"
#include "net/assert.h"

namespace redoubt {

namespace {

// Up to this size Redis answers "embstr".
constexpr size_t kLargestEmbstr = 44;

constexpr size_t kLargestDoubling = 1024 * 1024;

Blob copied(std::string_view bytes, size_t capacity) {
  Blob blob;
  blob.reserve(std::max(capacity, bytes.size()));
  blob.set_size(bytes.size());
  if (!bytes.empty()) std::memcpy(blob.data(), bytes.data(), bytes.size());
  return blob;
}

}  // namespace

Database::Database(const HashKey& hash_key, Garbage* garbage)
    : dict_(allocator_, hash_key), remains_(allocator_, garbage) {}

Database::~Database() {
  ASSERT(!passes_.any());
  allocator_.regions().set_wish(nullptr);
  remains_.free_all();  // another thread may be executing this
  dict_.for_each([&](Entry& entry) {
    if (entry.layout() == Layout::outside) {
      void* value = entry.outside();
      size_t budget = std::numeric_limits<size_t>::max();
      ops_of(entry).free_some(allocator_, entry.encoding(), value, budget);
    }
    Entry::release(allocator_, &entry);
  });
}

// Frees an entry that has left the table, unless passes need it.
void Database::drop(Entry* entry, uint64_t hash, bool lazy) {
  expiring_parts_.remove(*entry);
  if (passes_.any() && passes_.take(entry, hash)) [[unlikely]]
    return;
  remains_.free_value(*entry, lazy);
  Entry::release(allocator_, entry);
}

void Database::note(std::string_view key, const Entry* old, Type type) {
  KeyLog::Note& note = key_log_->notes.emplace_back();
  note.database = this;
  note.key.assign(key);
  note.created = old == nullptr;
  note.type_changed = old != nullptr && old->type() != type;
}

// Makes the entry and puts it into the place, which is empty for a new key. An access clock
// survives.
Entry* Database::put(Dict::Place at, uint64_t hash, Entry::Parts parts) {
  if (key_log_ != nullptr) [[unlikely]]
    note(parts.key, at ? at.entry() : nullptr, parts.type);
  Entry* made = Entry::make(allocator_, parts);
  if (passes_.any()) [[unlikely]]
    passes_.added(*made, hash);
  if (!at) {
    made->set_fine_access(access_for_new_);
    dict_.insert(made, hash);
    expiring_parts_.add(*made);
    remains_.note_added(*made);
    return made;
  }
  Entry* old = at.entry();
  made->set_fine_access(old->fine_access());
  dict_.replace(at, made);
  drop(old, hash, lazy_replace_);
  expiring_parts_.add(*made);
  remains_.note_added(*made);
  return made;
}

namespace {

std::optional<int64_t> resolve(NewExpiry expiry, const Entry* old) {
  switch (expiry.kind) {
    case NewExpiry::Kind::none: return std::nullopt;
    case NewExpiry::Kind::at: return expiry.at_ms;
    case NewExpiry::Kind::keep: break;
  }
  if (old == nullptr || !old->has_expiry()) return std::nullopt;
  return old->expiry_ms();
}

}  // namespace

void Database::set_string(std::string_view key, uint64_t hash, std::string_view value,
                          NewExpiry expiry, Blob&& blob) {
  if (value.size() <= 20) {
    if (const std::optional<int64_t> integer = parse_integer(value)) {
      set_integer(key, hash, *integer, expiry);
      return;
    }
  }
  set_text(key, hash, value, expiry, std::move(blob));
}

void Database::set_text(std::string_view key, uint64_t hash, std::string_view value,
                        NewExpiry expiry, Blob&& blob) {
  const Dict::Place at = dict_.find(key, hash);
  Entry* old = at ? at.entry() : nullptr;
  const std::optional<int64_t> expiry_ms = resolve(expiry, old);
  const Encoding encoding = value.size() <= kLargestEmbstr ? Encoding::embstr : Encoding::raw;
  // The common overwrite: same allocation, no expiry gained or lost.
  if (old != nullptr && old->fits_in_place(value.size()) &&
      old->has_expiry() == expiry_ms.has_value()) {
    // Memory is counted by the size of the class, and fits_in_place() compares that size.
    if (key_log_ != nullptr) [[unlikely]]
      note(key, old, Type::string);
    before_change(*old, hash);
    old->set_embedded(value);
    old->set_encoding(encoding);
    if (expiry_ms) {
      old->set_expiry_ms(*expiry_ms);
      dict_.note_expiry(at);
    }
    return;
  }
  Entry::Parts parts{.key = key,
                     .type = Type::string,
                     .encoding = encoding,
                     .layout = Layout::embedded,
                     .value = value,
                     .integer = 0,
                     .pointer = nullptr,
                     .expiry_ms = expiry_ms};
  if (value.size() > Entry::kLargestEmbedded) {
    Blob owned = blob ? std::move(blob) : copied(value, value.size());
    ASSERT(owned.size() == value.size());
    allocator_.count(owned.footprint());
    parts.layout = Layout::outside;
    parts.value = {};
    parts.pointer = owned.release();
  }
  put(at, hash, parts);
}

void Database::set_integer(std::string_view key, uint64_t hash, int64_t value, NewExpiry expiry) {
  const Dict::Place at = dict_.find(key, hash);
  Entry* old = at ? at.entry() : nullptr;
  const std::optional<int64_t> expiry_ms = resolve(expiry, old);
  if (old != nullptr && old->layout() == Layout::integer &&
      old->has_expiry() == expiry_ms.has_value()) {
    if (key_log_ != nullptr) [[unlikely]]
      note(key, old, Type::string);
    before_change(*old, hash);
    old->set_integer(value);
    if (expiry_ms) {
      old->set_expiry_ms(*expiry_ms);
      dict_.note_expiry(at);
    }
    return;
  }
  put(at, hash,
      {.key = key,
       .type = Type::string,
       .encoding = Encoding::integer,
       .layout = Layout::integer,
       .value = {},
       .integer = value,
       .pointer = nullptr,
       .expiry_ms = expiry_ms});
}

std::span<char> Database::string_for_update(std::string_view key, uint64_t hash, size_t size,
                                            ByteRange changed) {
  Dict::Place at = dict_.find(key, hash);
  StringScratch scratch;
  const std::string_view old_value = at ? string_value(*at.entry(), scratch) : std::string_view{};
  if (!at || at.entry()->layout() != Layout::outside) {
    // Growing values are grown again as a rule, so from here on the bytes live in a Blob with room.
    const size_t final_size = std::max(size, old_value.size());
    Blob blob = copied(old_value, final_size);
    blob.set_size(final_size);
    std::memset(blob.data() + old_value.size(), 0, final_size - old_value.size());
    allocator_.count(blob.footprint());
    put(at, hash,
        {.key = key,
         .type = Type::string,
         .encoding = Encoding::raw,
         .layout = Layout::outside,
         .value = {},
         .integer = 0,
         .pointer = blob.release(),
         .expiry_ms = resolve(NewExpiry::keep(), at ? at.entry() : nullptr)});
    at = dict_.find(key, hash);
  }
  Entry* entry = at.entry();
  if (passes_.any()) [[unlikely]] {
    passes_.before_change(*entry, hash);
    passes_.before_bytes_change(entry->outside(), changed.from, changed.size);
  }
  entry->set_encoding(Encoding::raw);
  Blob blob = Blob::adopt(entry->outside());
  if (size > blob.size()) {
    allocator_.discount(blob.footprint());
    if (size > blob.capacity()) blob.reserve(size + std::min(size, kLargestDoubling));
    allocator_.count(blob.footprint());
    const size_t before = blob.size();
    blob.set_size(size);
    std::memset(blob.data() + before, 0, size - before);
  }
  const std::span<char> bytes(blob.data(), blob.size());
  void* moved_to = blob.release();
  if (passes_.any()) [[unlikely]]
    passes_.bytes_moved(entry->outside(), moved_to);
  entry->set_outside(moved_to);
  return bytes;
}

Entry* Database::set_expiry(std::string_view key, uint64_t hash, std::optional<int64_t> expiry_ms) {
  const Dict::Place at = dict_.find(key, hash);
  ASSERT(at);
  Entry* entry = at.entry();
  if (entry->has_expiry() == expiry_ms.has_value() && !expiry_ms) return entry;
  before_change(*entry, hash);
  if (entry->has_expiry() && expiry_ms) {
    entry->set_expiry_ms(*expiry_ms);
    dict_.note_expiry(at);
    return entry;
  }
  Entry* made = Entry::with_expiry(allocator_, entry, expiry_ms);
  dict_.replace(at, made);
  Entry::release(allocator_, entry);
  return made;
}

bool Database::erase(std::string_view key, uint64_t hash, bool lazy) {
  const Dict::Place at = dict_.find(key, hash);
  if (!at) return false;
  Entry* entry = dict_.erase(at, hash);
  drop(entry, hash, lazy);
  return true;
}

void Database::rename(std::string_view key, uint64_t hash, std::string_view new_key,
                      uint64_t new_hash) {
  const Dict::Place at = dict_.find(key, hash);
  ASSERT(at && !dict_.find(new_key, new_hash));
  // The value goes on under the new key, so a pass that needs the old one opens it or copies it.
  before_change(*at.entry(), hash);
  Entry* old = dict_.erase(at, hash);
  if (key_log_ != nullptr) [[unlikely]]
    note(new_key, nullptr, old->type());
  expiring_parts_.remove(*old);
  const Layout layout = old->layout();
  Entry* made = Entry::make(
      allocator_, {.key = new_key,
                   .type = old->type(),
                   .encoding = old->encoding(),
                   .layout = layout,
                   .value = layout == Layout::embedded ? old->embedded() : std::string_view{},
                   .integer = layout == Layout::integer ? old->integer() : 0,
                   .pointer = layout == Layout::outside ? old->outside() : nullptr,
                   .expiry_ms = resolve(NewExpiry::keep(), old)});
  made->set_fine_access(old->fine_access());
  if (passes_.any()) [[unlikely]]
    passes_.added(*made, new_hash);
  dict_.insert(made, new_hash);
  expiring_parts_.add(*made);
  Entry::release(allocator_, old);
}

Entry* Database::insert_value(std::string_view key, uint64_t hash, Type type, Encoding encoding,
                              void* value, std::optional<int64_t> expiry_ms) {
  return replace_value(key, hash, type, encoding, value,
                       expiry_ms ? NewExpiry::at(*expiry_ms) : NewExpiry::none());
}

Entry* Database::replace_value(std::string_view key, uint64_t hash, Type type, Encoding encoding,
                               void* value, NewExpiry expiry) {
  const Dict::Place at = dict_.find(key, hash);
  return put(at, hash,
             {.key = key,
              .type = type,
              .encoding = encoding,
              .layout = Layout::outside,
              .value = {},
              .integer = 0,
              .pointer = value,
              .expiry_ms = resolve(expiry, at ? at.entry() : nullptr)});
}

void Database::insert_copy(const Entry& entry, std::string_view key, uint64_t hash,
                           std::optional<int64_t> expiry_ms) {
  const Layout layout = entry.layout();
  put({}, hash,
      {.key = key,
       .type = entry.type(),
       .encoding = entry.encoding(),
       .layout = layout,
       .value = layout == Layout::embedded ? entry.embedded() : std::string_view{},
       .integer = layout == Layout::integer ? entry.integer() : 0,
       .pointer = layout == Layout::outside ? ops_of(entry).copy(allocator_, entry) : nullptr,
       .expiry_ms = expiry_ms});
}

void Database::release_kept(Entry* entry) {
  remains_.free_value(*entry, true);
  Entry::release(allocator_, entry);
}

void Database::digest(Digest& digest, int database_index) const {
  dict_.for_each([&](Entry& entry) {
    digest.add(int64_t{database_index});
    digest.add(entry.key());
    digest_entry(entry, digest);
    digest.end_element();
  });
}

}  // namespace redoubt
