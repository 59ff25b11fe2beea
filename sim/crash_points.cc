#include "sim/crash_points.h"

#include <algorithm>
#include <vector>

namespace redoubt::sim {

namespace {

// The ways in which the disk may age at one boundary.
constexpr uint64_t kWaysMax = 20'000;

// Goes through all sequences of choices, the last one first, as a counter whose digits have a base
// each and are known only when somebody asks for them.
class AllWays final : public Ageing {
 public:
  size_t choose(size_t count, std::string_view what) override {
    if (at_ == digits_.size()) digits_.push_back({0, count, {}});
    Digit& digit = digits_[at_++];
    ASSERT(digit.count == count);  // the story is the same each time
    if (digit.value > 0) digit.what = what;
    return digit.value;
  }

  // The same sequence once more.
  void begin_again() { at_ = 0; }

  // The next sequence. False when there is none.
  bool next() {
    begin_again();
    while (!digits_.empty() && digits_.back().value + 1 == digits_.back().count) digits_.pop_back();
    if (digits_.empty()) return false;
    ++digits_.back().value;
    return true;
  }

  std::string text() const {
    std::string text;
    for (const Digit& digit : digits_) {
      if (digit.value == 0) continue;
      text += "; " + digit.what;
      if (digit.count > 2) text += " (" + std::to_string(digit.value) + ")";
    }
    return text;
  }

 private:
  struct Digit {
    size_t value;
    size_t count;
    std::string what;
  };

  std::vector<Digit> digits_;
  size_t at_ = 0;
};

// Counts boundaries and ends the story at one of them.
class Counter final : public IoObserver {
 public:
  Counter(World& world, uint64_t stop_at) : world_(world), stop_at_(stop_at) {}

  void at_boundary(const Op& op, IoEdge edge) override {
    if (++count_ != stop_at_) return;
    const char* const edges[] = {"was submitted", "had begun", "was carried out"};
    where_ = std::string(op_kind_name(op.kind)) + (op.path.empty() ? "" : " of ") +
             std::string(op.path) + " " + edges[static_cast<size_t>(edge)];
    world_.halt();
  }
  uint64_t count() const { return count_; }
  const std::string& where() const { return where_; }

 private:
  World& world_;
  const uint64_t stop_at_;
  uint64_t count_ = 0;
  std::string where_;
};

struct Crash {
  uint64_t boundary;  // 0: none, to the end and to count them
  StopKind kind;
  AllWays ways;
};

// A story that was told once.
struct Telling {
  std::string where;
  Instant at;  // of the crash
  std::string problem;
  uint64_t boundaries = 0;  // that were met
  uint64_t events = 0;
  FaultCounts fired;
  Duration length;
  std::string digest;
};

class Crashes {
 public:
  Crashes(uint64_t seed, const WorldOptions& options,
          const std::function<std::unique_ptr<CrashStory>()>& make_story)
      : seed_(seed), options_(options), make_story_(make_story) {}

  CrashReport run();

 private:
  Telling tell(const WorldOptions& options, Crash& crash) const;
  // Tells it and takes note. False: something was wrong.
  bool meet(Crash& crash);
  void show(Crash& crash);

  const uint64_t seed_;
  const WorldOptions& options_;
  const std::function<std::unique_ptr<CrashStory>()>& make_story_;
  CrashReport report_;
  Digest digest_;
  std::optional<Crash> last_;  // for who wants to see it
};

Telling Crashes::tell(const WorldOptions& options, Crash& crash) const {
  World world(seed_, options);
  const std::unique_ptr<CrashStory> story = make_story_();
  const HostId host = story->begin(world);
  Counter counter(world, crash.boundary);
  world.host(host).files().set_observer(&counter);
  story->tell(world);
  world.host(host).files().set_observer(nullptr);
  const bool to_its_end = crash.boundary == 0 || crash.boundary > report_.boundaries;
  Telling told;
  told.boundaries = counter.count();
  told.at = world.now();
  world.host(host).disk().set_ageing(&crash.ways);
  world.crash(host, crash.kind);
  world.host(host).disk().set_ageing(nullptr);
  const std::string how = crash.kind == StopKind::kill ? "kill when " : "power loss when ";
  told.where = how + (to_its_end ? "it was over" : counter.where()) + crash.ways.text();
  if (world.recorder() != nullptr) world.recorder()->remark(host, told.where);
  told.problem = story->check(world, to_its_end);
  told.events = world.event_count();
  told.fired = world.fired();
  told.length = world.now() - Instant();
  told.digest = world.digest_text();
  return told;
}

bool Crashes::meet(Crash& crash) {
  WorldOptions unseen = options_;
  unseen.recorder = nullptr;
  const Telling told = tell(unseen, crash);
  if (crash.boundary == 0) report_.boundaries = told.boundaries;
  // An event that meets the boundary may meet others behind it.
  ASSERT(told.boundaries >= std::min(crash.boundary, report_.boundaries));
  ++report_.crashes;
  report_.events += told.events;
  for (size_t i = 0; i < kFaultCount; ++i) report_.fired.fired[i] += told.fired.fired[i];
  report_.simulated = report_.simulated + told.length;
  digest_.add_bytes(as_slice(told.digest));
  if (options_.recorder != nullptr) last_ = crash;
  if (told.problem.empty()) return true;
  report_.failure = {crash.boundary, told.where, told.problem, told.at};
  return false;
}

// Once more, for the recorder only.
void Crashes::show(Crash& crash) {
  WorldOptions seen = options_;
  seen.trace = nullptr;
  seen.sink = nullptr;
  crash.ways.begin_again();
  const Telling told = tell(seen, crash);
  report_.shown = {crash.boundary, told.where, told.problem, told.at};
  report_.shown_length = told.length;
}

CrashReport Crashes::run() {
  Crash none{0, StopKind::kill, {}};
  bool right = meet(none);
  for (uint64_t boundary = 1; right && boundary <= report_.boundaries + 1; ++boundary) {
    for (const StopKind kind : {StopKind::kill, StopKind::power_loss}) {
      Crash crash{boundary, kind, {}};
      uint64_t tried = 0;
      do {
        right = meet(crash);
      } while (right && ++tried < kWaysMax && crash.ways.next());
      if (tried == kWaysMax) ++report_.cut_short;
      if (!right) break;
    }
  }
  if (last_) show(*last_);
  report_.digest = digest_.text();
  return report_;
}

}  // namespace

CrashReport crash_everywhere(uint64_t seed, const WorldOptions& options,
                             const std::function<std::unique_ptr<CrashStory>()>& make_story) {
  return Crashes(seed, options, make_story).run();
}

}  // namespace redoubt::sim
