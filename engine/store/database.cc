#include "engine/store/database.h"

#include <algorithm>
#include <limits>

#include "net/places.h"

namespace redoubt {

namespace {

// Up to this size Redis answers "embstr".
constexpr size_t kLargestEmbstr = 44;

constexpr size_t kLargestDoubling = 1024 * 1024;

// From here on a string is freed by another thread even when nobody asked for that: it would take
// longer than a slice does.
constexpr size_t kTooSlowToFree = 8 * 1024 * 1024;

// A value of more allocations or bytes than this is freed in slices, and one of many that are
// removed together when they have more.
constexpr size_t kFreedAtOnce = 256;
constexpr size_t kBytesFreedAtOnce = 1024 * 1024;
constexpr size_t kFreedTogether = 4096;

// Giving so many bytes back takes about as long as freeing one small piece.
constexpr size_t kBytesPerAllocation = 4096;
// Of what waits to be freed, a slice frees as much on top as values came meanwhile, which took as
// long to make, up to this for each: so what is replaced again and again is freed as fast as it
// comes. Values that only go add nothing.
constexpr size_t kPaidByOne = 16'000;

// While it lives, large pieces that are released go to the garbage.
class LargeToGarbage {
 public:
  LargeToGarbage(Allocator& allocator, Garbage* garbage) : allocator_(allocator) {
    allocator_.set_garbage(garbage);
  }
  LargeToGarbage(const LargeToGarbage&) = delete;
  LargeToGarbage& operator=(const LargeToGarbage&) = delete;
  ~LargeToGarbage() { allocator_.set_garbage(nullptr); }

 private:
  Allocator& allocator_;
};

Blob copied(std::string_view bytes, size_t capacity) {
  Blob blob;
  blob.reserve(std::max(capacity, bytes.size()));
  blob.set_size(bytes.size());
  if (!bytes.empty()) std::memcpy(blob.data(), bytes.data(), bytes.size());
  return blob;
}

}  // namespace

Database::Database(const HashKey& hash_key, Garbage* garbage)
    : dict_(allocator_, hash_key), garbage_(garbage) {}

Database::~Database() {
  garbage_ = nullptr;  // we may be in another thread
  allocator_.regions().set_wish(nullptr);
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  size_t budget = kAll;
  free_some(budget);
  dict_.for_each([&](Entry& entry) {
    if (entry.layout() == Layout::outside) {
      void* value = entry.outside();
      budget = kAll;
      ops_of(entry).free_some(allocator_, entry.encoding(), value, budget);
    }
    Entry::release(allocator_, &entry);
  });
}

void Database::parts_expiry_changed(std::string_view key, int64_t before_ms, int64_t after_ms) {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  if (before_ms == after_ms) return;
  // A node of the tree, as counted.
  const size_t bytes = counted_size(sizeof(std::pair<int64_t, std::string>) + 32 + key.size());
  if (before_ms != kNever && parts_expiry_.erase({before_ms, std::string(key)}) > 0) {
    allocator_.discount(bytes);
  }
  if (after_ms != kNever && parts_expiry_.emplace(after_ms, key).second) allocator_.count(bytes);
}

// A value came to its key, or goes.
void Database::follow_parts(const Entry& entry, bool there) {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  const TypeOps& ops = ops_of(entry);
  if (ops.next_expiry == nullptr) return;
  const int64_t next = ops.next_expiry(entry);
  if (next == kNever) return;
  parts_expiry_changed(entry.key(), there ? kNever : next, there ? next : kNever);
}

void Database::free_value(Entry& entry, bool lazy) {
  if (entry.layout() != Layout::outside) return;
  follow_parts(entry, false);
  const TypeOps& ops = ops_of(entry);
  void* value = entry.outside();
  const size_t bytes = ops.outside_bytes(entry);
  if (entry.type() != Type::string) {
    discard(entry.type(), entry.encoding(), value, ops.free_effort(entry), bytes);
  } else if (garbage_ != nullptr &&
             garbage_->takes(bytes, lazy ? Garbage::kSlowToFree : kTooSlowToFree)) {
    allocator_.discount(bytes);
    garbage_->add(Blob::adopt(value));
  } else {
    allocator_.release(Blob::adopt(value));
  }
}

void Database::discard(Type type, Encoding encoding, void* value, size_t effort, size_t bytes) {
  size_t budget = kFreedAtOnce;
  freed_together_ += effort;
  const bool little = effort <= kFreedAtOnce && bytes <= kBytesFreedAtOnce;
  if (little && freed_together_ <= kFreedTogether && !REDOUBT_UNLUCKY(free_later)) {
    const LargeToGarbage scope(allocator_, garbage_);
    if (ops_of(type).free_some(allocator_, encoding, value, budget)) return;
    bytes = 0;
  }
  discard(type, encoding, value, bytes);
}

void Database::discard(Type type, Encoding encoding, void* value, size_t bytes) {
  remains_bytes_ += bytes;
  remains_.push_back({type, encoding, value});
  if (garbage_ != nullptr) garbage_->note_remains();
}

bool Database::free_some(size_t& budget) {
  // Few enough that the bytes of so many do not matter.
  constexpr size_t kStep = 64;
  const LargeToGarbage scope(allocator_, garbage_);
  freed_together_ = 0;
  const size_t paid = std::exchange(paid_, 0);
  budget = budget > SIZE_MAX - paid ? SIZE_MAX : budget + paid;
  const size_t before = used_bytes();
  while (!remains_.empty() && budget > 0) {
    Remains& next = remains_.front();
    const size_t step = std::min(budget, kStep);
    const size_t bytes = used_bytes();
    size_t left = step;
    const bool done = ops_of(next.type).free_some(allocator_, next.encoding, next.value, left);
    budget -= std::min(budget, step - left + (bytes - used_bytes()) / kBytesPerAllocation);
    if (done) remains_.pop_front();
  }
  remains_bytes_ -= std::min(remains_bytes_, before - used_bytes());
  if (!remains_.empty()) return false;
  remains_bytes_ = 0;
  return true;
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
  made->set_version(version_);
  if (!at) {
    made->set_fine_access(access_for_new_);
    dict_.insert(made, hash);
    follow_parts(*made, true);
    pay_for(*made);
    return made;
  }
  Entry* old = at.entry();
  made->set_fine_access(old->fine_access());
  dict_.replace(at, made);
  free_value(*old, lazy_replace_);
  Entry::release(allocator_, old);
  follow_parts(*made, true);
  pay_for(*made);
  return made;
}

// A value of many parts came while others wait to be freed.
void Database::pay_for(const Entry& made) {
  if (remains_.empty() || made.layout() != Layout::outside || made.type() == Type::string) return;
  paid_ += std::min(ops_of(made).free_effort(made), kPaidByOne);
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
    // Classes are charged by rounded size, which is what fits_in_place compares.
    if (key_log_ != nullptr) [[unlikely]]
      note(key, old, Type::string);
    old->set_embedded(value);
    old->set_encoding(encoding);
    old->set_version(version_);
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
    old->set_integer(value);
    old->set_version(version_);
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

std::span<char> Database::string_for_update(std::string_view key, uint64_t hash, size_t size) {
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
  entry->set_encoding(Encoding::raw);
  entry->set_version(version_);
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
  entry->set_outside(blob.release());
  return bytes;
}

std::optional<int64_t> Database::integer_value(const Entry& entry) {
  switch (entry.layout()) {
    case Layout::integer: return entry.integer();
    case Layout::embedded: return parse_integer(entry.embedded());
    case Layout::outside: break;
  }
  return parse_integer(Blob::view_of(entry.outside()));
}

size_t Database::string_size(const Entry& entry) {
  StringScratch scratch;
  return string_value(entry, scratch).size();
}

Entry* Database::set_expiry(std::string_view key, uint64_t hash, std::optional<int64_t> expiry_ms) {
  const Dict::Place at = dict_.find(key, hash);
  ASSERT(at);
  Entry* entry = at.entry();
  entry->set_version(version_);
  if (entry->has_expiry() && expiry_ms) {
    entry->set_expiry_ms(*expiry_ms);
    dict_.note_expiry(at);
    return entry;
  }
  if (entry->has_expiry() == expiry_ms.has_value()) return entry;
  Entry* made = Entry::with_expiry(allocator_, entry, expiry_ms);
  dict_.replace(at, made);
  Entry::release(allocator_, entry);
  return made;
}

bool Database::erase(std::string_view key, uint64_t hash, bool lazy) {
  const Dict::Place at = dict_.find(key, hash);
  if (!at) return false;
  Entry* entry = dict_.erase(at, hash);
  free_value(*entry, lazy);
  Entry::release(allocator_, entry);
  return true;
}

void Database::rename(std::string_view key, uint64_t hash, std::string_view new_key,
                      uint64_t new_hash) {
  const Dict::Place at = dict_.find(key, hash);
  ASSERT(at && !dict_.find(new_key, new_hash));
  Entry* old = dict_.erase(at, hash);
  if (key_log_ != nullptr) [[unlikely]]
    note(new_key, nullptr, old->type());
  follow_parts(*old, false);
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
  made->set_version(version_);
  dict_.insert(made, new_hash);
  follow_parts(*made, true);
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

size_t Database::memory_usage(const Entry& entry) {
  constexpr size_t kTableShare = 11;  // 64 bytes for 7 entries at 85%
  return counted_size(entry.footprint()) + ops_of(entry).outside_bytes(entry) + kTableShare;
}

void Database::digest_of(const Entry& entry, Digest& digest) {
  digest.add(ops_of(entry).name);
  ops_of(entry).digest(entry, digest);
  digest.add(entry.has_expiry() ? entry.expiry_ms() : int64_t{-1});
}

void Database::digest(Digest& digest, int database_index) const {
  dict_.for_each([&](Entry& entry) {
    digest.add(int64_t{database_index});
    digest.add(entry.key());
    digest_of(entry, digest);
    digest.end_element();
  });
}

}  // namespace redoubt
