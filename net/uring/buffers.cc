#include "net/uring/buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "net/assert.h"

namespace redoubt {
namespace {

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
}

Chunk BufferPool::chunk(uint32_t id) const {
  ASSERT(id < count_ && infos_[id].out);
  return {data(id) + infos_[id].offset, infos_[id].size, id};
}

size_t BufferPool::copy_out(uint32_t id, std::span<std::byte> into) {
  ASSERT(id < count_ && infos_[id].out);
  Info& info = infos_[id];
  const auto size = static_cast<uint32_t>(std::min<size_t>(info.size, into.size()));
  std::memcpy(into.data(), data(id) + info.offset, size);
  info.offset += size;
  info.size -= size;
  return size;
}

void BufferPool::recycle(uint32_t id) {
  ASSERT(id < count_ && infos_[id].out);
  infos_[id].out = false;
  add(id);
}

bool BufferPool::grow() {
  if (count_ == count_max_) return false;
  const uint32_t wanted = count_ * 2;
  while (count_ < wanted) add(count_++);
  return true;
}

}  // namespace redoubt
