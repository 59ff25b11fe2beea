// The door of a simulated machine: its table of handles, its operations in flight and the buffers
// that it lends. What an operation does is in network.h and files.h; when its result is ready they
// call finish(), and the host delivers it in its next turn.
//
// An operation in flight has a slot. Everybody but the slot refers to the operation by slot index
// and generation, so that a crash can forget all operations at once: nothing touches them again.
#pragma once

#include <memory>
#include <vector>

#include "net/backend.h"
#include "sim/core.h"

namespace redoubt::sim {

class Network;
class Files;
class Host;

enum class RowType : uint8_t { none, listener, stream, file };

// A row of the table of handles.
struct Row {
  RowType type = RowType::none;
  uint8_t side = 0;         // stream: which side of its connection
  uint32_t generation = 0;  // odd numbers are live
  uint32_t index = 0;       // listener, connection or open file
};

class SimBackend final : public Backend {
 public:
  SimBackend(Core& core, Host& host, Network& network, Files& files);

  Instant now() override;
  WallTime wall() override;
  uint64_t entropy() override { return entropy_.next(); }
  Expected<Handle> listen(const Address& address, int backlog, uint32_t mode) override;
  Address local_address(Handle handle) override;
  void submit(Op& op) override;
  void cancel(Op& op) override;
  void abandon(Op& op) override;
  void close(Handle handle) override;
  void give_back(Chunk chunk) override;
  size_t receive_buffer_bytes() override { return lent_ * core_.options.chunk_bytes; }
  void set_keepalive(Handle handle, int idle_s) override;
  void stall(Duration duration) override;
  void log(Level level, std::string_view line) override;
  ProcessFacts process_facts() override;
  void request_exit(int status) override;

  // Operations. op() is null when the slot's operation has ended or was forgotten.
  Op* op(uint32_t slot, uint32_t generation);
  Op& op(uint32_t slot);
  uint32_t generation(uint32_t slot) const { return slots_[slot].generation; }
  uint64_t& progress(uint32_t slot) { return slots_[slot].progress; }
  // The result of a pending operation stands; it will be delivered.
  void finish(uint32_t slot, Error error = Error::none);
  // The time has come to hand it to its owner.
  void make_ready(uint32_t slot, uint32_t generation);
  // The time has come to carry it out, or a part of it, or to end it since it was cancelled.
  void step(uint32_t slot);
  size_t ready_count() const { return ready_.size(); }
  // Hands everything that is ready to its owners.
  void deliver();
  size_t in_flight_count() const { return in_flight_; }

  // Handles.
  // Whether one more can be opened.
  bool has_room();
  Handle open_row(RowType type, uint32_t index, uint8_t side);
  Row* find(Handle handle);
  size_t open_count() const { return live_rows_; }

  // Chunks: null data when none is left. The caller's bytes go in at once.
  Chunk lend(uint32_t size);
  void wait_for_chunk(Handle stream) { chunk_waiters_.push_back(stream); }
  size_t lent_count() const { return lent_; }
  uint64_t draws() const { return entropy_.draws() + random_.draws(); }

  // The end of a life: forgets all operations, takes all chunks back, closes all handles.
  void end_life(bool power_loss);

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  enum class SlotState : uint8_t { free, pending, finished };
  struct Slot {
    Op* op = nullptr;
    SlotState state = SlotState::free;
    uint32_t generation = 0;
    uint32_t next_free = kNone;
    bool missed = false;  // it was cancelled, and does not know
    uint64_t progress = 0;
  };

  void start(uint32_t slot);
  void resolve(uint32_t slot);
  void hand_over(uint32_t slot);
  // The slot's turn to be stepped comes in so much time.
  void step_in(uint32_t slot, Duration wait);
  // What a result carried, whose owner learns only that its handle is dead.
  void free_slot(uint32_t slot);
  void close_row(uint32_t index, bool forgotten, bool power_loss);
  void clear_chunks();

  Core& core_;
  Host& host_;
  Network& network_;
  Files& files_;
  Random entropy_;
  Random random_;  // of what its kernel does without faults

  std::vector<Slot> slots_;
  uint32_t free_slot_ = kNone;
  size_t in_flight_ = 0;
  std::vector<uint32_t> ready_;
  std::vector<uint32_t> delivering_;

  std::vector<Row> rows_;
  std::vector<uint32_t> free_rows_;
  size_t live_rows_ = 0;

  struct Buffer {
    std::unique_ptr<std::byte[]> bytes;
    bool lent = false;
  };
  std::vector<Buffer> buffers_;
  std::vector<uint32_t> free_buffers_;
  std::vector<Handle> chunk_waiters_;
  size_t lent_ = 0;
};

}  // namespace redoubt::sim
