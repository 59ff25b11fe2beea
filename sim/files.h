// File operations of one machine: when each is carried out, and what goes wrong with it. What they
// do is in disk.h.
//
// Operations in flight at the same time are carried out in any order, and a read or write perhaps
// in pieces between which others come: whoever wants an order waits for one before submitting the
// next. That is what io_uring gives, too.
#pragma once

#include <optional>
#include <vector>

#include "sim/core.h"
#include "sim/disk.h"

namespace redoubt::sim {

class SimBackend;
struct Row;

// The boundaries of a file operation: between these, nothing of it happens.
enum class IoEdge : uint8_t {
  submitted,
  begun,  // a piece of it, or a sync whose bytes are on their way
  carried_out,
};

class IoObserver {
 public:
  virtual ~IoObserver() = default;
  // Within the event that comes to the boundary; `op` has its result if it was carried out.
  virtual void at_boundary(const Op& op, IoEdge edge) = 0;
};

class Files {
 public:
  Files(Core& core, Host& host, Disk& disk);

  void start(uint32_t slot);
  // The time of an operation, or of a piece of it, has come.
  void step(uint32_t slot);
  void close(uint32_t index) { open_[index].inode = nullptr; }
  // The process is gone: what it was just writing may have got half way.
  void abandon(uint32_t slot);
  // The process is gone, and its files with it. The kernel ends the syncs that it had begun, unless
  // the power is gone too.
  void end_life(bool power_loss);

  // Nothing is carried out while it stands still.
  void set_stalled(bool stalled);
  void set_full(bool full) { full_ = full; }
  // How long at most an operation of this life has taken so far.
  Duration longest_stall() const;
  // Right after the operation or piece of one of this number that is carried out from now on,
  // `event` comes, unless this life has ended.
  void arm(uint32_t operations, const Event& event) {
    armed_ = operations;
    armed_event_ = event;
  }
  // Is told of every boundary, in all lives; null for nobody. Not owned.
  void set_observer(IoObserver* observer) { observer_ = observer; }
  // A planted bug: operations of this kind do nothing and say that all is well. For syncs.
  void skip(OpKind kind) { skipped_ = kind; }

 private:
  struct OpenFile {
    InodeRef inode;
    bool read = false;
    bool write = false;
    bool lock = false;
  };
  // A prompt write that was carried out when it was submitted, and is told of later.
  struct Prompted {
    uint32_t slot;
    Error error;
  };
  struct Sync {
    uint32_t slot;
    InodeRef inode;
    Inode::Snapshot snapshot;
    uint64_t names_mark;
    bool saved = false;
  };
  struct Started {
    uint32_t slot;
    uint32_t generation;
    Instant at;
  };

  void schedule(uint32_t slot, int64_t bytes, int64_t extra_ns = 0);
  void push_step(uint32_t slot, uint32_t generation, Instant at);
  OpenFile* file(const Op& op);
  void try_promptly(uint32_t slot);
  void end_operation(uint32_t slot);
  Error carry_out(uint32_t slot, Op& op, bool& again);
  Error open(Op& op);
  Error read(uint32_t slot, Op& op, bool& again);
  Error write(uint32_t slot, Op& op, bool& again);
  Error write_some(uint32_t slot, Op& op, bool& again);
  static void write_piece(Inode& inode, const Op& op, uint64_t from, uint64_t size);
  Error sync(uint32_t slot, Op& op, bool& again);
  Error begin_sync(uint32_t slot, Op& op);
  void save(Sync& sync);
  Error truncate(Op& op);
  Error list(Op& op);
  uint64_t piece_of(uint64_t left);

  Core& core_;
  Host& host_;
  Disk& disk_;
  std::vector<OpenFile> open_;
  std::vector<Sync> syncs_;
  std::vector<Prompted> prompted_;
  std::vector<Started> started_;  // writes and syncs in flight
  Duration longest_;
  std::vector<std::pair<uint32_t, uint32_t>> held_;  // slot and generation, while stalled
  uint32_t armed_ = 0;                               // operations to go
  Event armed_event_;
  IoObserver* observer_ = nullptr;
  std::optional<OpKind> skipped_;
  bool stalled_ = false;
  bool full_ = false;
};

}  // namespace redoubt::sim
