#include "sim/crash_points.h"

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

  // The next sequence. False when there is none.
  bool next() {
    at_ = 0;
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

class Crashes {
 public:
  Crashes(uint64_t seed, const WorldOptions& options,
          const std::function<std::unique_ptr<CrashStory>()>& make_story)
      : seed_(seed), options_(options), make_story_(make_story) {}

  CrashReport run();

 private:
  // One telling with a crash at this boundary, or to its end. False: something was wrong.
  bool tell(uint64_t boundary, StopKind kind, AllWays& ways);

  const uint64_t seed_;
  const WorldOptions& options_;
  const std::function<std::unique_ptr<CrashStory>()>& make_story_;
  CrashReport report_;
  Digest digest_;
};

bool Crashes::tell(uint64_t boundary, StopKind kind, AllWays& ways) {
  World world(seed_, options_);
  const std::unique_ptr<CrashStory> story = make_story_();
  const HostId host = story->begin(world);
  Counter counter(world, boundary);
  world.host(host).files().set_observer(&counter);
  story->tell(world);
  world.host(host).files().set_observer(nullptr);
  if (boundary == 0) report_.boundaries = counter.count();
  const bool to_its_end = boundary == 0 || boundary > report_.boundaries;
  ASSERT(counter.count() == (to_its_end ? report_.boundaries : boundary));
  const Instant at = world.now();
  world.host(host).disk().set_ageing(&ways);
  world.crash(host, kind);
  world.host(host).disk().set_ageing(nullptr);
  const std::string problem = story->check(world, to_its_end);
  ++report_.crashes;
  report_.events += world.event_count();
  for (size_t i = 0; i < kFaultCount; ++i) report_.fired.fired[i] += world.fired().fired[i];
  report_.simulated = report_.simulated + (world.now() - Instant());
  digest_.add_bytes(as_slice(world.digest_text()));
  if (problem.empty()) return true;
  const std::string how = kind == StopKind::kill ? "kill when " : "power loss when ";
  report_.failure = {boundary, how + (to_its_end ? "it was over" : counter.where()) + ways.text(),
                     problem, at};
  return false;
}

CrashReport Crashes::run() {
  AllWays none;
  bool right = tell(0, StopKind::kill, none);
  for (uint64_t boundary = 1; right && boundary <= report_.boundaries + 1; ++boundary) {
    for (const StopKind kind : {StopKind::kill, StopKind::power_loss}) {
      AllWays ways;
      uint64_t tried = 0;
      do {
        right = tell(boundary, kind, ways);
      } while (right && ++tried < kWaysMax && ways.next());
      if (tried == kWaysMax) ++report_.cut_short;
      if (!right) break;
    }
  }
  report_.digest = digest_.text();
  return report_;
}

}  // namespace

CrashReport crash_everywhere(uint64_t seed, const WorldOptions& options,
                             const std::function<std::unique_ptr<CrashStory>()>& make_story) {
  return Crashes(seed, options, make_story).run();
}

}  // namespace redoubt::sim
