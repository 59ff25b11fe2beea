#include "net/uring/buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "net/assert.h"

namespace redoubt {
namespace {

// Turns between two looks at whether there are too many buffers.
constexpr uint32_t kTurnsToAge = 4096;

void* reserve(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

BufferPool::~BufferPool() {
  if (memory_ != nullptr) munmap(memory_, size_t{count_max_} * size_);
  if (ring_ != nullptr) munmap(ring_, size_t{count_max_} * sizeof(io_uring_buf));
}

bool BufferPool::open(Ring& ring, uint32_t size, uint32_t count, uint32_t count_max,
                      std::string* why) {
  ASSERT(memory_ == nullptr);
  ASSERT(std::has_single_bit(count) && std::has_single_bit(count_max));
  ASSERT(count <= count_max && count_max <= kCountMax);
  size_ = size;
  count_min_ = count;
  target_ = count;
  count_max_ = count_max;
  memory_ = static_cast<std::byte*>(reserve(size_t{count_max} * size_));
  ring_ = static_cast<io_uring_buf_ring*>(reserve(size_t{count_max} * sizeof(io_uring_buf)));
  if (memory_ == nullptr || ring_ == nullptr) {
    *why = "not enough memory for receive buffers";
    return false;
  }
  infos_.resize(count_max);
  io_uring_buf_ring_init(ring_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring_);
  registration.ring_entries = count_max;
  registration.bgid = kGroup;
  const int result = io_uring_register_buf_ring(ring.raw(), &registration, 0);
  if (result < 0) {
    *why = std::string("io_uring takes no ring of receive buffers (") + strerror(-result) +
           "). Linux 6.1 or newer is required";
    return false;
  }
  while (count_ < count) add(count_++);
  return true;
}

void BufferPool::add(uint32_t id) {
  io_uring_buf_ring_add(ring_, data(id), size_, static_cast<uint16_t>(id),
                        static_cast<int>(count_max_ - 1), 0);
  io_uring_buf_ring_advance(ring_, 1);
  ++available_;
}

void BufferPool::filled(uint32_t id, uint32_t size) {
  ASSERT(id < count_ && !infos_[id].out && available_ > 0);
  infos_[id] = {0, size, kNoIndex, true};
  --available_;
  available_low_ = std::min(available_low_, available_);
}

Chunk BufferPool::chunk(uint32_t id) const {
  ASSERT(id < infos_.size() && infos_[id].out);
  return {data(id) + infos_[id].offset, infos_[id].size, id};
}

size_t BufferPool::copy_out(uint32_t id, std::span<std::byte> into) {
  ASSERT(id < infos_.size() && infos_[id].out);
  Info& info = infos_[id];
  const auto size = static_cast<uint32_t>(std::min<size_t>(info.size, into.size()));
  std::memcpy(into.data(), data(id) + info.offset, size);
  info.offset += size;
  info.size -= size;
  return size;
}

void BufferPool::recycle(uint32_t id) {
  ASSERT(id < infos_.size() && infos_[id].out);
  infos_[id].out = false;
  if (is_spilled(id)) {
    spilled_[id - count_max_].reset();
    spilled_free_.push_back(id);
  } else if (available_ < target_) {
    add(id);
  } else {
    park(id);
  }
}

void BufferPool::park(uint32_t id) {
  madvise(data(id), size_, MADV_DONTNEED);
  parked_.push_back(id);
}

bool BufferPool::grow() {
  if (target_ == count_max_) return false;
  for (uint32_t more = target_; more > 0; --more) {
    if (parked_.empty()) {
      // Every buffer is in circulation or parked, and no more than the target are in circulation.
      if (count_ == count_max_) break;
      add(count_++);
    } else {
      add(parked_.back());
      parked_.pop_back();
    }
  }
  target_ *= 2;
  turns_ = 0;
  available_low_ = 0;
  return true;
}

void BufferPool::age() {
  if (++turns_ < kTurnsToAge) return;
  // At most this many were out at once. What is too many is parked as it comes back.
  const uint32_t used = target_ - std::min(target_, available_low_);
  if (target_ > count_min_ && used <= target_ / 4) target_ /= 2;
  turns_ = 0;
  available_low_ = available_;
}

uint32_t BufferPool::spill(uint32_t id) {
  if (is_spilled(id)) return id;
  uint32_t slot = count_max_ + static_cast<uint32_t>(spilled_.size());
  if (!spilled_free_.empty()) {
    slot = spilled_free_.back();
    spilled_free_.pop_back();
  } else if (spilled_.size() < kSpilledMax) {
    spilled_.emplace_back();
    infos_.emplace_back();
  } else {
    return id;
  }
  const Chunk whole = chunk(id);
  auto& memory = spilled_[slot - count_max_];
  memory = std::make_unique<std::byte[]>(whole.size);
  std::memcpy(memory.get(), whole.data, whole.size);
  infos_[slot] = {0, whole.size, infos_[id].next, true};
  recycle(id);
  return slot;
}

}  // namespace redoubt
