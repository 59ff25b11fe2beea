#include "net/uring/core.h"

#include "net/assert.h"

namespace redoubt {

Handle Rows::add(RowKind kind, int fd) {
  if (free_ == kNoIndex) {
    ASSERT(count_ + kPageRows <= kRowsMax);  // far beyond what descriptors allow
    pages_.push_back(std::make_unique<Row[]>(kPageRows));
    count_ += kPageRows;
    for (uint32_t index = count_; index-- > count_ - kPageRows;) {
      at(index).link = free_;
      free_ = index;
    }
  }
  const uint32_t index = free_;
  Row& row = at(index);
  ASSERT(row.kind == RowKind::free);
  free_ = row.link;
  const uint32_t generation = row.generation;
  row = Row{};
  row.generation = generation;
  row.kind = kind;
  row.fd = fd;
  return {index, generation};
}

void Rows::remove(Handle handle) {
  Row& row = at(handle.index);
  ASSERT(row.generation == handle.generation && row.kind != RowKind::free);
  ASSERT(row.in_flight == 0 && row.receiver == nullptr && row.sender == nullptr);
  row.kind = RowKind::free;
  ++row.generation;
  if (row.generation == 0) row.generation = 1;
  row.link = free_;
  free_ = handle.index;
}

void ReadyList::push(Op& op) {
  ASSERT(op.in_flight);
  op.world_next = nullptr;
  if (last_ == nullptr) {
    first_ = &op;
  } else {
    last_->world_next = &op;
  }
  last_ = &op;
}

Op* ReadyList::pop() {
  Op* op = first_;
  if (op == nullptr) return nullptr;
  first_ = op->world_next;
  if (first_ == nullptr) last_ = nullptr;
  op->world_next = nullptr;
  return op;
}

Slice next_slice(Op& op) {
  ASSERT(op.result.bytes >= op.gather_before);
  for (;; ++op.gather_next) {
    ASSERT(op.gather_next < op.gather.size());
    const Slice slice = op.gather[op.gather_next];
    const uint64_t done = op.result.bytes - op.gather_before;
    if (done < slice.size()) return slice.subspan(done);
    op.gather_before += slice.size();
  }
}

std::string absolute_path(const Core& core, std::string_view path) {
  if (!path.empty() && path.front() == '/') return std::string(path);
  return core.directory + "/" + std::string(path);
}

}  // namespace redoubt
