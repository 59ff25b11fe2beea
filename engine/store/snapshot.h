// Snapshots without fork: passes over databases, each a point in time (database_passes.h).
//
//   SnapshotPass   over one database
//   Snapshot       over several, as of the same moment
//
// A pass works in steps. A step first delivers the entries that the pass keeps, so that they can be
// freed, and then goes on with the cursor. When the sink takes no more, steps do nothing; writers
// go on, and the pass keeps entries that they change, up to a limit that ends it. The sink
// serialises, so that happens in steps only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/store/database_passes.h"
#include "engine/store/snapshot_sink.h"
#include "engine/store/value_pass.h"

namespace redoubt {

struct SnapshotLimits {
  // A value of more parts or bytes is delivered in parts.
  size_t whole_parts = 64;
  size_t whole_bytes = size_t{16} * 1024;
  // The pass ends when it has to keep more bytes than this.
  size_t kept_bytes = SIZE_MAX;
};

enum class SnapshotEnd : uint8_t {
  none,           // it goes on
  complete,       // everything has been delivered
  kept_too_much,  // writers changed more than the limit allows
  cancelled,
};

class SnapshotPass {
 public:
  // Begins. The database must have room for a pass (DatabasePasses::has_room), and outlives it.
  SnapshotPass(Database& database, const SnapshotLimits& limits);
  SnapshotPass(const SnapshotPass&) = delete;
  SnapshotPass& operator=(const SnapshotPass&) = delete;
  // Cancels the pass and frees all entries that it keeps.
  ~SnapshotPass();

  // Delivers about `budget` entries or parts. The budget becomes the unused part. True when the
  // pass has ended.
  bool step(SnapshotSink& sink, size_t& budget);
  // Delivers only entries that are kept. True: none is kept now.
  bool step_kept(SnapshotSink& sink, size_t& budget);
  // Ends it before its time. release_some() frees the entries that it keeps.
  void cancel() { finish(SnapshotEnd::cancelled); }
  SnapshotEnd end() const { return end_; }
  // After the end: frees about `budget` entries that were kept. True when none is left.
  bool release_some(size_t& budget);

  Database& database() const { return database_; }
  bool keeps_entries() const { return !waiting_.empty(); }
  // A value has been begun and not ended.
  bool in_value() const { return !waiting_.empty() && waiting_.front().begun; }
  size_t kept_bytes() const { return memory_.bytes_kept(); }

 private:
  friend class DatabasePasses;

  // Something to be delivered before the cursor goes on: an entry that is kept, whole or in parts,
  // or the parts of a value that an entry still has.
  struct Waiting {
    KeptShare kept;
    Entry* header = nullptr;  // when nothing is kept: key, type and expiry as they were; owned
    std::unique_ptr<ValuePass> parts;
    bool begun = false;
  };

  bool needs(const Entry& entry, uint64_t hash) const {
    return hash >= cursor_ && !came_round_ && (entry.marks() & joined_.mark) == 0 &&
           !memory_.stopped();
  }
  bool in_parts(const Entry& entry) const;
  void keep(Shared<KeptEntry> kept);
  void open(const Entry& entry);
  bool deliver(SnapshotSink& sink, size_t& budget, Waiting& waiting);
  void release_front();
  void advance(SnapshotSink& sink, size_t& budget);
  void finish(SnapshotEnd end);

  Database& database_;
  const SnapshotLimits limits_;
  PassMemory memory_;
  DatabasePasses::Joined joined_;
  uint64_t cursor_ = 0;  // hashes below it have been visited
  bool came_round_ = false;
  std::deque<Waiting> waiting_;
  SnapshotEnd end_ = SnapshotEnd::none;
  bool detached_ = false;
};

class Snapshot {
 public:
  struct Source {
    int index;
    Database* database;
  };

  // Whether a snapshot of these databases can begin now.
  static bool can_begin(std::span<const Source> sources);
  // Begins. The databases outlive it, also those that are flushed or swapped meanwhile.
  Snapshot(std::span<const Source> sources, const SnapshotLimits& limits);

  // Delivers about `budget` entries or parts. The budget becomes the unused part. True when it has
  // ended and keeps nothing any more.
  bool step(SnapshotSink& sink, size_t& budget);
  // Ends it before its time; step() frees the entries that it keeps.
  void cancel() { fail(SnapshotEnd::cancelled); }
  // After the end: as step(), without a sink.
  bool release_some(size_t& budget);
  SnapshotEnd end() const { return end_; }

  // Whether it still needs this database.
  bool uses(const Database& database) const;
  // Bytes kept for it, and for others maybe.
  size_t kept_bytes() const;

 private:
  struct Part {
    int index;
    std::unique_ptr<SnapshotPass> pass;
  };

  bool step_part(SnapshotSink& sink, const Part& part, bool only_kept, size_t& budget);
  bool step_all(SnapshotSink& sink, size_t& budget);
  void fail(SnapshotEnd end);

  std::vector<Part> parts_;
  const size_t kept_bytes_max_;
  int selected_ = -1;
  SnapshotEnd end_ = SnapshotEnd::none;
};

}  // namespace redoubt
