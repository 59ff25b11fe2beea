// Snapshots: the snapshots that a node takes, stepped between turns.
//
// Two at a time, each for a consumer. A database that is flushed while a snapshot needs it lives
// here until no snapshot does.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/keyspace/reclaim.h"
#include "engine/store/database.h"
#include "engine/store/snapshot.h"
#include "net/env.h"

namespace redoubt {

// The receiver of a snapshot. snapshot_ended() is the last call; it does not come when the node
// ends.
class SnapshotConsumer {
 public:
  virtual ~SnapshotConsumer() = default;
  virtual SnapshotSink& sink() = 0;
  virtual void snapshot_ended(SnapshotEnd end) = 0;
};

class Snapshots {
 public:
  // Flushed databases that no snapshot needs any more go to `reclaim`. All of these outlive this.
  Snapshots(Env& env, Reclaim& reclaim, const std::vector<std::unique_ptr<Database>>& databases);
  Snapshots(const Snapshots&) = delete;
  Snapshots& operator=(const Snapshots&) = delete;
  ~Snapshots();

  // Whether a snapshot of all databases can begin now. False: two run already, or marks of aborted
  // ones are still being cleared, in the background.
  bool can_begin() const;
  // Begins a snapshot of the databases as they are now. The consumer outlives it. False: two run
  // already, or marks of aborted ones are still being cleared.
  bool begin(std::span<const Snapshot::Source> sources, const SnapshotLimits& limits,
             SnapshotConsumer& consumer);
  // Ends the snapshot of a consumer, with a call of snapshot_ended().
  void cancel(SnapshotConsumer& consumer);
  size_t running() const { return runs_.size(); }
  // Goes on with all of them now, each by about `budget` entries or parts; returns how many it was.
  size_t step(size_t budget);

  // A database is flushed: it is kept when a snapshot needs it, or comes back.
  std::unique_ptr<Database> keep_flushed(std::unique_ptr<Database> database);
  // Bytes of those that are kept.
  size_t flushed_bytes() const;

 private:
  struct Run {
    std::unique_ptr<Snapshot> snapshot;
    SnapshotConsumer* consumer;
    bool told;
  };

  bool clear_marks();
  void on_timer();
  void step_run(Run& run, size_t& budget);
  void drop_ended();

  Env& env_;
  Reclaim& reclaim_;
  const std::vector<std::unique_ptr<Database>>& databases_;
  Timer timer_;
  std::deque<Run> runs_;  // its elements do not move
  std::vector<std::unique_ptr<Database>> flushed_;
};

}  // namespace redoubt
