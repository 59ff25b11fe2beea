// The checker of durability: what a node has after a start is a state that it was in before, and
// not one from before what it had promised to keep.
//
// All effects of a life of the node are kept with their offsets. A node that starts says which
// offset of which history its data is (History::second_id and second_offset); the effects up to
// there, applied to nothing, must give its data. That offset must not be below what was promised:
//
//   always     everything that was acknowledged to a client
//   everysec   what was acknowledged two seconds before the power failed, or before the disk
//   stalled
//              meanwhile; after the end of the process alone all that was acknowledged, unless the
//              disk stalled
//   snapshots  what the last save had that a client was told of
//
// Then the node is emptied, so that each life begins with nothing and the model agrees.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/node/node.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "net/time.h"
#include "sim/checkers/replay.h"
#include "sim/process.h"

namespace redoubt::sim {

class DurabilityChecker final : private EffectConsumer {
 public:
  DurabilityChecker() = default;
  ~DurabilityChecker() override;
  DurabilityChecker(const DurabilityChecker&) = delete;
  DurabilityChecker& operator=(const DurabilityChecker&) = delete;

  // A life begins: compares what was loaded, and empties the node. What is wrong, in words.
  std::optional<std::string> node_started(Node& node);
  // A client was told of the state behind this offset of the life's effects.
  void acknowledged(uint64_t offset, Instant now);
  // The life is over. `stalled`: how long at most an operation of the disk was held up.
  void node_ended(StopKind kind, Instant now, Duration stalled);
  uint64_t starts() const { return starts_; }

 private:
  struct Applied {
    std::string bytes;
    uint64_t end;
  };
  struct Told {
    Instant at;
    uint64_t offset;
  };

  void on_effect(std::string_view bytes, uint64_t end_offset) override;
  std::optional<std::string> compare(Node& node);
  uint64_t promised() const;

  Node* node_ = nullptr;
  uint64_t starts_ = 0;

  // Of the life, or the last one.
  bool keeps_log_ = false;
  bool saves_at_stop_ = false;
  AppendFsync fsync_ = AppendFsync::everysec;
  std::string history_id_;
  uint64_t begin_ = 0;         // the node was empty here
  uint64_t loaded_ = 0;        // and had loaded this, before it was emptied
  std::string loaded_digest_;  // what that was
  std::deque<Applied> effects_;
  std::deque<Told> told_;  // offsets only grow
  uint64_t told_last_ = 0;
  bool over_ = false;
  StopKind kind_ = StopKind::exit;
  Instant ended_;
  Duration stalled_;
};

}  // namespace redoubt::sim
