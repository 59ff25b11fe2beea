#include "engine/effects/write_table.h"

#include "net/assert.h"

namespace redoubt {

// The slot that holds the hash, or the empty one where it belongs.
size_t WriteTable::slot_of(uint64_t hash) const {
  size_t slot = home(hash);
  while (slots_[slot].offset != 0 && slots_[slot].hash != hash) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

void WriteTable::add(uint64_t key_hash, uint64_t offset) {
  ASSERT(offset > 0 && (order_.empty() || order_.back().offset <= offset));
  if ((size_ + 1) * 2 > slots_.size()) grow();
  Slot& slot = slots_[slot_of(key_hash)];
  if (slot.offset == offset) return;
  if (slot.offset == 0) ++size_;
  slot = {key_hash, offset};
  order_.push_back(slot);
}

uint64_t WriteTable::find(uint64_t key_hash) const {
  return size_ == 0 ? 0 : slots_[slot_of(key_hash)].offset;
}

void WriteTable::release(uint64_t offset) {
  while (!order_.empty() && order_.front().offset <= offset) {
    const size_t slot = slot_of(order_.front().hash);
    // Unless it was written again.
    if (slots_[slot].offset == order_.front().offset) erase(slot);
    order_.pop_front();
  }
  if (size_ == 0) slots_.clear();
}

void WriteTable::erase(size_t slot) {
  const size_t mask = slots_.size() - 1;
  slots_[slot] = {};
  --size_;
  for (size_t next = (slot + 1) & mask; slots_[next].offset != 0; next = (next + 1) & mask) {
    // It may move into the hole unless its home lies behind the hole.
    const size_t distance = (next - home(slots_[next].hash)) & mask;
    if (distance < ((next - slot) & mask)) continue;
    slots_[slot] = slots_[next];
    slots_[next] = {};
    slot = next;
  }
}

void WriteTable::grow() {
  constexpr size_t kFirst = 64;
  std::vector<Slot> old(slots_.empty() ? kFirst : slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.offset != 0) slots_[slot_of(slot.hash)] = slot;
  }
}

void WriteTable::clear() {
  slots_.clear();
  order_.clear();
  size_ = 0;
}

}  // namespace redoubt
