#include "engine/store/database_passes.h"

#include <algorithm>
#include <bit>

#include "engine/store/database.h"
#include "engine/store/snapshot.h"
#include "engine/store/string_pass.h"
#include "net/places.h"

namespace redoubt {

// Calls visit(pass, slot) for passes that have neither this entry as it is nor are older.
template <typename Visit>
void DatabasePasses::for_each_needing(const Entry& entry, uint64_t hash, Visit&& visit) {
  for (size_t slot = 0; slot < kMost; ++slot) {
    SnapshotPass* pass = passes_[slot];
    if (pass != nullptr && pass->needs(entry, hash)) visit(*pass, joined_[slot].mark);
  }
}

// The passes on the parts of its value; null when it has none.
PassList* DatabasePasses::passes_of(const Entry& entry) {
  if (entry.layout() != Layout::outside) return nullptr;
  if (entry.type() == Type::string) return strings_.empty() ? nullptr : &strings_;
  return ops_of(entry).passes(entry);
}

void DatabasePasses::before_change(const Entry& entry, uint64_t hash) {
  Shared<KeptEntry> copy;
  for_each_needing(entry, hash, [&](SnapshotPass& pass, uint8_t mark) {
    REDOUBT_REACHED(snapshot_kept);
    if (pass.in_parts(entry)) {
      pass.open(entry);
    } else {
      if (!copy) {
        copy =
            Shared(new KeptEntry(database_, kept_bytes_, copy_entry(database_.allocator(), entry)));
      }
      pass.keep(copy);
    }
    entry.set_marks(entry.marks() | mark);
  });
}

void DatabasePasses::before_bytes_change(const void* block, size_t from, size_t size) {
  for_each_pass<StringPass>(strings_, [&](StringPass& pass) {
    if (pass.is_of(block)) pass.before_change(from, size);
  });
}

void DatabasePasses::bytes_moved(const void* block, const void* moved_to) {
  for_each_pass<StringPass>(strings_, [&](StringPass& pass) {
    if (pass.is_of(block)) pass.moved(moved_to);
  });
}

void DatabasePasses::added(const Entry& entry, uint64_t hash) {
  for_each_needing(entry, hash,
                   [&](SnapshotPass&, uint8_t mark) { entry.set_marks(entry.marks() | mark); });
}

bool DatabasePasses::take(Entry* entry, uint64_t hash) {
  Shared<KeptEntry> kept;
  const auto share = [&] {
    if (!kept) kept = Shared(new KeptEntry(database_, kept_bytes_, entry));
    return kept;
  };
  // First the passes that are open on the value, without those that are opened below.
  PassList* list = passes_of(*entry);
  for (ValuePass* pass = list == nullptr ? nullptr : list->first; pass != nullptr;) {
    ValuePass* next = pass->next();
    const bool is_of = list != &strings_ || static_cast<StringPass*>(pass)->is_of(entry->outside());
    if (is_of && pass->finished()) {
      pass->leave();
    } else if (is_of) {
      pass->hold(KeptShare(pass->memory(), share()));
    }
    pass = next;
  }
  for_each_needing(*entry, hash, [&](SnapshotPass& pass, uint8_t) { pass.keep(share()); });
  return static_cast<bool>(kept);
}

bool DatabasePasses::has_room() const {
  const bool slot = std::count(passes_.begin(), passes_.end(), nullptr) > 0;
  return slot && static_cast<uint8_t>(used_ | stale_) != 0xff;
}

DatabasePasses::Joined DatabasePasses::join(SnapshotPass& pass) {
  ASSERT(has_room());
  const size_t slot = passes_[0] == nullptr ? 0 : 1;
  const int bit = std::countr_one(static_cast<uint8_t>(used_ | stale_));
  const auto mark = static_cast<uint8_t>(1 << bit);
  passes_[slot] = &pass;
  joined_[slot] = {static_cast<unsigned>(slot), mark};
  to_clear_[slot] = stale_;
  used_ |= mark;
  ++attached_;
  return joined_[slot];
}

// No entry has these marks any more.
void DatabasePasses::cleared(uint8_t marks) {
  stale_ = static_cast<uint8_t>(stale_ & ~marks);
  for (uint8_t& to_clear : to_clear_) to_clear = static_cast<uint8_t>(to_clear & ~marks);
}

void DatabasePasses::leave(const Joined& joined, bool came_round, uint64_t cursor) {
  ASSERT(passes_[joined.slot] != nullptr && (used_ & joined.mark) != 0);
  passes_[joined.slot] = nullptr;
  used_ = static_cast<uint8_t>(used_ & ~joined.mark);
  const uint8_t to_clear = std::exchange(to_clear_[joined.slot], uint8_t{0});
  if (came_round) {
    cleared(to_clear);
    return;
  }
  clear_at_ = stale_ == 0 ? cursor : std::min(clear_at_, cursor);
  stale_ |= joined.mark;
}

bool DatabasePasses::clear_marks(size_t& budget) {
  while (stale_ != 0) {
    if (budget == 0) return false;
    database_.dict().prefetch_scan(clear_at_ >> 16);
    const uint64_t next = database_.dict().scan(clear_at_ >> 16, [&](Entry& entry) {
      entry.set_marks(static_cast<uint8_t>(entry.marks() & ~stale_));
      budget -= budget > 0 ? 1 : 0;
    });
    budget -= budget > 0 ? 1 : 0;  // buckets may be empty
    clear_at_ = next << 16;
    if (next == Dict::kCursorEnd) cleared(stale_);
  }
  return true;
}

}  // namespace redoubt
