#include "engine/store/value_pass.h"

#include "engine/store/database.h"

namespace redoubt {

Allocator& PassMemory::allocator() {
  return database_.allocator();
}

KeptEntry::KeptEntry(Database& database, size_t& total, Entry* entry)
    : database_(database),
      total_(total),
      entry_(entry),
      bytes_(counted_size(entry->footprint()) + ops_of(*entry).outside_bytes(*entry)) {
  total_ += bytes_;
}

KeptEntry::~KeptEntry() {
  ASSERT(bytes_ <= total_);
  total_ -= bytes_;
  database_.release_kept(entry_);
}

ValuePass::ValuePass(PassMemory& memory, PassList& list, unsigned slot)
    : memory_(memory), list_(&list), next_(list.first), slot_(slot) {
  list.first = this;
}

ValuePass::~ValuePass() {
  leave();
}

void ValuePass::leave() {
  if (list_ == nullptr) return;
  ValuePass** at = &list_->first;
  while (*at != this) {
    ASSERT(*at != nullptr);
    at = &(*at)->next_;
  }
  *at = next_;
  list_ = nullptr;
  next_ = nullptr;
}

}  // namespace redoubt
