// WriteTable: for each key that was written lately, the offset of the effect log that its last
// write ends at. "Lately" is: above the offset that the gate has released.
//
// Keys are known by their hash; two keys with one hash share the later offset, so a reply waits too
// long at worst. Open addressing with linear probing; what the gate passes is taken out in the
// order of its offsets, with the entries behind it moved forward (Knuth, TAOCP 3, 6.4, algorithm
// R).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace redoubt {

class WriteTable {
 public:
  // The key was written, and the entry ends at `offset`, which is not below any before.
  void add(uint64_t key_hash, uint64_t offset);
  // The offset of its last write, 0 when it is not here.
  uint64_t find(uint64_t key_hash) const;
  // Forgets writes up to this offset.
  void release(uint64_t offset);
  void clear();

  size_t size() const { return size_; }
  size_t memory_bytes() const {
    return slots_.size() * sizeof(Slot) + order_.size() * sizeof(Slot);
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint64_t offset = 0;  // 0: empty
  };

  size_t home(uint64_t hash) const { return static_cast<size_t>(hash) & (slots_.size() - 1); }
  size_t slot_of(uint64_t hash) const;
  void erase(size_t slot);
  void grow();

  std::vector<Slot> slots_;  // a power of two, at most half full; or none
  std::deque<Slot> order_;   // each write, by offset
  size_t size_ = 0;
};

}  // namespace redoubt
