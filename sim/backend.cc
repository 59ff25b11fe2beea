#include "sim/backend.h"

#include <algorithm>

#include "sim/host.h"
#include "sim/network.h"

#if defined(__SANITIZE_ADDRESS__)
#define REDOUBT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REDOUBT_ASAN 1
#endif
#endif
#ifdef REDOUBT_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace redoubt::sim {

namespace {

// A cancelled operation that the fault io_cancel_late holds back waits about so long.
constexpr int64_t kLateCancelNs = 1'000'000;
// And one of which io_cancel_missed lets nobody know has so long to complete.
constexpr Duration kMissedCancel = Duration::milliseconds(100);
// Names and background jobs take about so long.
constexpr int64_t kResolveNs = 300'000;
constexpr int64_t kBackgroundNs = 200'000;

RowType row_type(OpKind kind) {
  if (kind == OpKind::accept) return RowType::listener;
  if (kind == OpKind::receive || kind == OpKind::send) return RowType::stream;
  return RowType::file;
}

}  // namespace

SimBackend::SimBackend(Core& core, Host& host, Network& network, Files& files)
    : core_(core),
      host_(host),
      network_(network),
      files_(files),
      entropy_(core.run_seed, "entropy", host.id()),
      random_(core.run_seed, "kernel", host.id()) {}

Instant SimBackend::now() {
  return host_.clock().monotonic(host_.local_now());
}

WallTime SimBackend::wall() {
  return host_.clock().wall(host_.local_now());
}

Expected<Handle> SimBackend::listen(const Address& address, int backlog, uint32_t) {
  if (host_.dying()) return Error::cancelled;
  if (!has_room()) return Error::too_many_files;
  const auto listener = network_.listen(host_.id(), address, backlog);
  if (!listener) return listener.error();
  return open_row(RowType::listener, listener.value(), 0);
}

Address SimBackend::local_address(Handle handle) {
  const Row* row = find(handle);
  if (row == nullptr) return {};
  if (row->type == RowType::listener) return network_.listener_address(row->index);
  if (row->type == RowType::stream) return network_.stream_address(row->index, row->side);
  return {};
}

void SimBackend::submit(Op& op) {
  if (host_.dying()) {
    op.in_flight = false;
    return;
  }
  uint32_t slot = free_slot_;
  if (slot == kNone) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    free_slot_ = slots_[slot].next_free;
  }
  Slot& entry = slots_[slot];
  entry.op = &op;
  entry.state = SlotState::pending;
  entry.missed = false;
  entry.progress = 0;
  ++in_flight_;
  op.world = slot;
  op.result.error = Error::none;
  op.result.bytes = 0;
  op.result.handle = {};
  op.result.chunk = {};
  start(slot);
}

void SimBackend::start(uint32_t slot) {
  Op& op = *slots_[slot].op;
  const Row* row = nullptr;
  if (uses_handle(op.kind)) {
    row = find(op.handle);
    if (row == nullptr) return finish(slot, Error::cancelled);
    if (row->type != row_type(op.kind)) return finish(slot, Error::invalid);
  }
  switch (op.kind) {
    case OpKind::accept: return network_.start_accept(host_.id(), slot, row->index);
    case OpKind::connect: return network_.start_connect(host_.id(), slot);
    case OpKind::receive: return network_.start_receive(host_.id(), slot, row->index, row->side);
    case OpKind::send: return network_.start_send(host_.id(), slot, row->index, row->side);
    case OpKind::resolve:
    case OpKind::background: {
      const int64_t mean = op.kind == OpKind::resolve ? kResolveNs : kBackgroundNs;
      return step_in(slot, Duration{1 + random_.exponential(mean)});
    }
    default: return files_.start(slot);
  }
}

void SimBackend::step_in(uint32_t slot, Duration wait) {
  Event event;
  event.at = host_.local_now() + wait;
  event.kind = EventKind::op_step;
  event.index = slot;
  event.generation = slots_[slot].generation;
  event.extra = host_.id();
  core_.events.push(event);
}

void SimBackend::step(uint32_t slot) {
  Op& op = *slots_[slot].op;
  switch (op.kind) {
    case OpKind::resolve: return resolve(slot);
    case OpKind::background: op.work(op); return finish(slot);
    case OpKind::accept:
    case OpKind::connect:
    case OpKind::receive:
    case OpKind::send:
      // Cancelled some time ago; it has not completed in the meantime.
      if (network_.withdraw(host_.id(), slot, op)) finish(slot, Error::cancelled);
      return;
    default: return files_.step(slot);
  }
}

void SimBackend::resolve(uint32_t slot) {
  Op& op = *slots_[slot].op;
  op.result.names.clear();
  const std::string_view name = op.path;
  if (name == "localhost") op.result.names = {"127.0.0.1"};
  for (const auto& host : core_.hosts) {
    if (name == host->name() || name == host->address()) op.result.names = {host->address()};
    if (name == host->address6()) op.result.names = {host->address6()};
  }
  if (name.starts_with("127.") || name == "::1") op.result.names = {std::string(name)};
  finish(slot, op.result.names.empty() ? Error::not_found : Error::none);
}

void SimBackend::cancel(Op& op) {
  if (host_.dying() || !op.in_flight) return;
  const auto slot = static_cast<uint32_t>(op.world);
  ASSERT(slot < slots_.size() && slots_[slot].op == &op);
  if (slots_[slot].state != SlotState::pending) return;
  const bool stream_op = op.kind == OpKind::accept || op.kind == OpKind::connect ||
                         op.kind == OpKind::receive || op.kind == OpKind::send;
  if (!stream_op) return;  // it ends by itself, soon
  const int64_t missed_ppm = core_.level(Fault::io_cancel_missed, host_.id());
  if (missed_ppm > 0 && host_.fault_random(Fault::io_cancel_missed).chance(missed_ppm)) {
    slots_[slot].missed = true;  // counted when it completes
    return step_in(slot, kMissedCancel);
  }
  if (core_.happens(Fault::io_cancel_late, host_.id())) {
    Random& random = host_.fault_random(Fault::io_cancel_late);
    return step_in(slot, Duration{1 + random.exponential(kLateCancelNs)});
  }
  if (network_.withdraw(host_.id(), slot, op)) finish(slot, Error::cancelled);
}

void SimBackend::abandon(Op& op) {
  ASSERT(op.kind == OpKind::background);
  const auto slot = static_cast<uint32_t>(op.world);
  ASSERT(slot < slots_.size() && slots_[slot].op == &op);
  std::erase(ready_, slot);
  ASSERT(std::find(delivering_.begin(), delivering_.end(), slot) == delivering_.end());
  free_slot(slot);
}

void SimBackend::close(Handle handle) {
  if (host_.dying() || find(handle) == nullptr) return;
  close_row(handle.index, false, false);
}

void SimBackend::close_row(uint32_t index, bool forgotten, bool power_loss) {
  const Row row = rows_[index];
  // Dead at once: what completes from here on learns that.
  rows_[index].type = RowType::none;
  ++rows_[index].generation;
  free_rows_.push_back(index);
  --live_rows_;
  switch (row.type) {
    case RowType::listener: return network_.close_listener(row.index, forgotten);
    case RowType::stream:
      if (power_loss) return network_.vanish(row.index, row.side);
      return network_.close_stream(row.index, row.side, forgotten);
    case RowType::file: return files_.close(row.index);
    case RowType::none: ASSERT(false);
  }
}

void SimBackend::set_keepalive(Handle handle, int idle_s) {
  const Row* row = find(handle);
  if (row == nullptr || row->type != RowType::stream) return;
  network_.set_keepalive(row->index, row->side, idle_s);
}

void SimBackend::stall(Duration duration) {
  host_.add_stall(duration);
}

void SimBackend::log(Level, std::string_view line) {
  host_.keep_log(line);
}

ProcessFacts SimBackend::process_facts() {
  ProcessFacts facts;
  facts.pid = 1'000 + static_cast<int64_t>(host_.id());
  facts.resident_bytes = uint64_t{64} << 20;
  facts.os = "Simulated x86_64";
  facts.total_memory_bytes = uint64_t{1} << 34;
  facts.executable = "/usr/bin/redoubt-server";
  return facts;
}

void SimBackend::request_exit(int status) {
  host_.exit_with(status);
}

Op* SimBackend::op(uint32_t slot, uint32_t generation) {
  const Slot& entry = slots_[slot];
  return entry.generation == generation && entry.state != SlotState::free ? entry.op : nullptr;
}

Op& SimBackend::op(uint32_t slot) {
  ASSERT(slots_[slot].op != nullptr);
  return *slots_[slot].op;
}

void SimBackend::finish(uint32_t slot, Error error) {
  Slot& entry = slots_[slot];
  ASSERT(entry.state == SlotState::pending);
  entry.state = SlotState::finished;
  entry.op->result.error = error;
  if (entry.missed && error == Error::none) core_.count(Fault::io_cancel_missed, host_.id());
  int64_t wait = host_.in_turn() ? core_.options.kernel_ns : 0;
  if (core_.happens(Fault::io_late, host_.id())) {
    wait += host_.fault_random(Fault::io_late).exponential(core_.faults.io_late_us * 1'000);
  }
  if (wait == 0) return make_ready(slot, entry.generation);
  Event event;
  event.at = host_.local_now() + Duration{wait};
  event.kind = EventKind::op_done;
  event.index = slot;
  event.generation = entry.generation;
  event.extra = host_.id();
  core_.events.push(event);
}

void SimBackend::make_ready(uint32_t slot, uint32_t generation) {
  if (op(slot, generation) == nullptr) return;
  ready_.push_back(slot);
  host_.make_due();
}

void SimBackend::deliver() {
  delivering_.clear();
  std::swap(delivering_, ready_);
  if (delivering_.size() > 1 && core_.happens(Fault::io_reorder, host_.id())) {
    Random& random = host_.fault_random(Fault::io_reorder);
    for (size_t left = delivering_.size(); left > 1; --left) {
      std::swap(delivering_[left - 1], delivering_[random.below(left)]);
    }
  }
  for (const uint32_t slot : delivering_) hand_over(slot);
}

void SimBackend::hand_over(uint32_t slot) {
  Op& op = *slots_[slot].op;
  ASSERT(slots_[slot].state == SlotState::finished);
  free_slot(slot);
  if (uses_handle(op.kind) && find(op.handle) == nullptr) discard_result(*this, op);
  core_.record(What::done, host_.id(),
               static_cast<uint64_t>(op.kind) | (static_cast<uint64_t>(op.result.error) << 8),
               op.result.bytes);
  complete(op);
}

void SimBackend::free_slot(uint32_t slot) {
  Slot& entry = slots_[slot];
  entry.op = nullptr;
  entry.state = SlotState::free;
  ++entry.generation;
  entry.next_free = free_slot_;
  free_slot_ = slot;
  --in_flight_;
}

Handle SimBackend::open_row(RowType type, uint32_t index, uint8_t side) {
  uint32_t row = 0;
  if (free_rows_.empty()) {
    row = static_cast<uint32_t>(rows_.size());
    rows_.emplace_back();
  } else {
    row = free_rows_.back();
    free_rows_.pop_back();
  }
  rows_[row].type = type;
  rows_[row].side = side;
  rows_[row].index = index;
  ++rows_[row].generation;
  ++live_rows_;
  return {row, rows_[row].generation};
}

Row* SimBackend::find(Handle handle) {
  if (!handle || handle.index >= rows_.size()) return nullptr;
  Row& row = rows_[handle.index];
  return row.generation == handle.generation && row.type != RowType::none ? &row : nullptr;
}

bool SimBackend::has_room() {
  if (live_rows_ >= core_.options.handles_max) return false;
  const int64_t few = core_.level(Fault::io_few_handles, host_.id());
  if (few == 0 || live_rows_ < static_cast<size_t>(few)) return true;
  core_.count(Fault::io_few_handles, host_.id());
  return false;
}

Chunk SimBackend::lend(uint32_t size) {
  const int64_t few = core_.level(Fault::io_few_chunks, host_.id());
  const size_t count = few > 0 ? static_cast<size_t>(few) : core_.options.chunk_count;
  if (lent_ >= count) {
    if (few > 0) core_.count(Fault::io_few_chunks, host_.id());
    return {};
  }
  if (free_buffers_.empty()) {
    free_buffers_.push_back(static_cast<uint32_t>(buffers_.size()));
    buffers_.push_back({std::make_unique<std::byte[]>(core_.options.chunk_bytes), false});
    ASAN_POISON_MEMORY_REGION(buffers_.back().bytes.get(), core_.options.chunk_bytes);
  }
  const uint32_t id = free_buffers_.back();
  free_buffers_.pop_back();
  buffers_[id].lent = true;
  ++lent_;
  ASAN_UNPOISON_MEMORY_REGION(buffers_[id].bytes.get(), size);
  return {buffers_[id].bytes.get(), size, id};
}

void SimBackend::give_back(Chunk chunk) {
  if (host_.dying()) return;
  ASSERT(chunk.id < buffers_.size() && buffers_[chunk.id].lent);
  ASSERT(chunk.data == buffers_[chunk.id].bytes.get());
  buffers_[chunk.id].lent = false;
  ASAN_POISON_MEMORY_REGION(chunk.data, core_.options.chunk_bytes);
  free_buffers_.push_back(chunk.id);
  --lent_;
  if (chunk_waiters_.empty()) return;
  const Handle waiter = chunk_waiters_.front();
  chunk_waiters_.erase(chunk_waiters_.begin());
  if (const Row* row = find(waiter); row != nullptr) {
    network_.chunk_available(row->index, row->side);
  }
}

void SimBackend::clear_chunks() {
  free_buffers_.clear();
  for (uint32_t id = 0; id < buffers_.size(); ++id) {
    buffers_[id].lent = false;
    ASAN_POISON_MEMORY_REGION(buffers_[id].bytes.get(), core_.options.chunk_bytes);
    free_buffers_.push_back(id);
  }
  lent_ = 0;
  chunk_waiters_.clear();
}

void SimBackend::end_life(bool power_loss) {
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].state == SlotState::free) continue;
    if (slots_[slot].state == SlotState::pending && !power_loss) files_.abandon(slot);
    slots_[slot].op->in_flight = false;
    free_slot(slot);
  }
  ready_.clear();
  network_.forget_connects(host_.id(), power_loss);
  for (uint32_t index = 0; index < rows_.size(); ++index) {
    if (rows_[index].type != RowType::none) close_row(index, true, power_loss);
  }
  files_.end_life(power_loss);
  clear_chunks();
}

}  // namespace redoubt::sim
