// Every crash that a story can meet: not sampled, all of them.
//
// A story (a configuration save, a swap of snapshots, a rewrite of a log) is told once, and the
// boundaries of its host's file operations are counted: each submission, each piece, each end. Then
// it is told again for every boundary, the power fails or the process is killed exactly there, and
// the host is started from what is left; and again for everything that the disk may make of what
// was not synced at that moment: each name kept or lost, each file's length and each of its sectors
// new or old, or garbage. The story says whether what is there after the start is right.
//
//   CrashReport report = crash_everywhere(seed, options, [] { return make_unique<MyStory>(); });
//   report.failure    // the first that was wrong, in words
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sim/world.h"

namespace redoubt::sim {

// Told anew, in a new world, for every crash; the same each time.
class CrashStory {
 public:
  virtual ~CrashStory() = default;

  // Makes hosts and boots them, up to where boundaries are counted. Returns the host that crashes.
  virtual HostId begin(World& world) = 0;
  // What happens then. It returns as soon as World::halted().
  virtual void tell(World& world) = 0;
  // The host has crashed, on the way or when the story had been told to its end. Boots it and
  // returns what is wrong; empty when nothing is.
  virtual std::string check(World& world, bool to_its_end) = 0;
};

struct CrashFailure {
  uint64_t boundary = 0;  // from 1; one more than there are: behind the last
  std::string where;  // "power_loss when sync of f.tmp was submitted; that f was created is lost"
  std::string seen;
  Instant at;
};

struct CrashReport {
  uint64_t boundaries = 0;
  uint64_t crashes = 0;
  // Boundaries at which there were more ways to age than are tried.
  uint64_t cut_short = 0;
  std::optional<CrashFailure> failure;
  // With a recorder: the one that it has seen, the failure or, when there is none, the last. It was
  // told once more for that, and counts only once.
  std::optional<CrashFailure> shown;
  Duration shown_length;
  uint64_t events = 0;  // of all worlds
  FaultCounts fired;
  Duration simulated;
  std::string digest;  // of all worlds
};

CrashReport crash_everywhere(uint64_t seed, const WorldOptions& options,
                             const std::function<std::unique_ptr<CrashStory>()>& make_story);

}  // namespace redoubt::sim
