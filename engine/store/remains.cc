#include "engine/store/remains.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "net/places.h"

namespace redoubt {

namespace {

// From here on a string is freed by another thread even without `lazy`: it would take longer than a
// slice does.
constexpr size_t kTooSlowToFree = 8 * 1024 * 1024;

// A value of more allocations or bytes than this is freed in slices, and one of many that are
// removed together when they have more.
constexpr size_t kFreedAtOnce = 256;
constexpr size_t kBytesFreedAtOnce = 1024 * 1024;
constexpr size_t kFreedTogether = 4096;

// Giving so many bytes back takes about as long as freeing one small piece.
constexpr size_t kBytesPerAllocation = 4096;
// The allocations that a new value adds to the next slice, at most. So values that are replaced
// again and again are freed as fast as they come, and values that only go add nothing.
constexpr size_t kExtraMax = 16'000;

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

}  // namespace

void Remains::free_outside(Entry& entry, bool lazy) {
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

void Remains::discard(Type type, Encoding encoding, void* value, size_t effort, size_t bytes) {
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

void Remains::discard(Type type, Encoding encoding, void* value, size_t bytes) {
  bytes_ += bytes;
  values_.push_back({type, encoding, value});
  if (garbage_ != nullptr) garbage_->note_remains();
}

void Remains::lengthen_slice(const Entry& entry) {
  if (entry.type() == Type::string) return;
  extra_ += std::min(ops_of(entry).free_effort(entry), kExtraMax);
}

bool Remains::free_some(size_t& budget) {
  // Few enough that the bytes of so many do not matter.
  constexpr size_t kStep = 64;
  const LargeToGarbage scope(allocator_, garbage_);
  freed_together_ = 0;
  const size_t extra = std::exchange(extra_, 0);
  budget = budget > SIZE_MAX - extra ? SIZE_MAX : budget + extra;
  const size_t before = allocator_.used_bytes();
  while (!values_.empty() && budget > 0) {
    Value& next = values_.front();
    const size_t step = std::min(budget, kStep);
    const size_t bytes = allocator_.used_bytes();
    size_t left = step;
    const bool done = ops_of(next.type).free_some(allocator_, next.encoding, next.value, left);
    const size_t freed = bytes - allocator_.used_bytes();
    budget -= std::min(budget, step - left + freed / kBytesPerAllocation);
    if (done) values_.pop_front();
  }
  bytes_ -= std::min(bytes_, before - allocator_.used_bytes());
  if (!values_.empty()) return false;
  bytes_ = 0;
  return true;
}

void Remains::free_all() {
  garbage_ = nullptr;
  size_t budget = std::numeric_limits<size_t>::max();
  free_some(budget);
  ASSERT(values_.empty());
}

}  // namespace redoubt
