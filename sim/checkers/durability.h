// The checker of durability: what a node has after a start is a state that it was in before, and
// not one from before what it had promised to keep.
//
// All effects of a life of the node are kept with their offsets. A node that starts says which
// offset of which history its data is (History::second_id and second_offset); the effects up to
// there, applied to nothing, must give its data. That offset must not be below what was promised.
// What a reply promises is the weakest of what was promised from the moment at which its command
// was executed until the client had it: settings change meanwhile.
//
//   synced     (always) it is kept, whatever happens
//   soon       (everysec) it is kept when the power fails two seconds later, and the time that the
//              disk stalled; and as `written`
//   written    (no; everysec while a rewrite has the disk, or after a sync that failed) it is kept
//              when the process alone ends, unless the disk stalled
//   nothing    (the log is off, or begins)
//
// A node that loads a snapshot and no log has to have what the last save had that succeeded.
//
// Then the node is emptied, so that each life begins with nothing and the model agrees.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  // Settings, and what is kept, may have changed.
  void look(Instant now);
  // The life is over. `stalled`: how long at most an operation of the disk was held up.
  // `sync_failed`: in this life or before.
  void node_ended(StopKind kind, Instant now, Duration stalled, bool sync_failed);
  uint64_t starts() const { return starts_; }

 private:
  enum class Promise : uint8_t { nothing, written, soon, synced };
  struct Applied {
    std::string bytes;
    uint64_t end;
    Instant at;
    bool control = false;  // nothing of it is kept
  };
  // A reply that promised `soon`, as long as that lasted.
  struct Told {
    Instant at;
    uint64_t offset;
    Instant until;
  };
  struct Era {
    Instant since;
    Promise promise;
  };

  void on_effect(std::string_view bytes, uint64_t end_offset) override;
  void on_control(std::string_view bytes, uint64_t end_offset) override;
  std::optional<std::string> compare(Node& node);
  // Keys by their database and name.
  struct LoadedKey {
    std::string digest;
    std::optional<int64_t> deadline_ms;
  };
  using Loaded = std::map<std::pair<int, std::string>, LoadedKey>;

  static Loaded keys_of(Node& node);
  std::optional<std::string> compare_with_loaded(Node& node, bool by_log) const;
  uint64_t promised(bool by_log) const;
  Promise promise_now() const;
  Promise weakest_since(Instant at) const;
  void note_saves();

  Node* node_ = nullptr;
  uint64_t starts_ = 0;

  // Of the life, or the last one.
  bool saves_at_stop_ = false;
  uint64_t begin_ = 0;        // the node was empty here
  uint64_t loaded_ = 0;       // and had loaded this, before it was emptied
  Loaded loaded_keys_;        // what that was
  int64_t loaded_at_ms_ = 0;  // by the wall clock
  std::deque<Applied> effects_;
  Instant looked_at_;
  std::vector<Era> eras_;   // of promises, never empty during a life
  std::deque<Told> told_;   // offsets only grow
  uint64_t told_last_ = 0;  // of all replies
  uint64_t written_ = 0;    // kept when the process ends
  uint64_t synced_ = 0;     // kept whatever happens
  bool saving_ = false;
  uint64_t saves_ = 0;
  uint64_t save_begins_ = 0;  // the snapshot that is being saved has this, at least
  uint64_t saved_ = 0;
  uint64_t last_end_ = 0;  // of the effects, at the end of the last turn
  bool over_ = false;
  bool sync_failed_ = false;
  StopKind kind_ = StopKind::exit;
  Instant ended_;
  Duration stalled_;
};

}  // namespace redoubt::sim
