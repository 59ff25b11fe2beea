#include "sim/scenario/kept_data.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/node/node.h"
#include "engine/persist/persist.h"
#include "sim/crash_points.h"
#include "sim/node_process.h"
#include "sim/scenario/data_story.h"
#include "sim/scenario/plants.h"

namespace redoubt::sim {

namespace {

constexpr Duration kKeptStoryLength = Duration::seconds(20);

DataStory draw_kept_story(uint64_t seed) {
  Random random(seed, "kept data");
  DataStory story;
  story.in_pieces = random.below(3) == 0;
  int number = 0;
  const auto writes = [&] { add_writes(story, random, number); };
  const DataWords log = {"--save",
                         "",
                         "--appendonly",
                         "yes",
                         "--appendfsync",
                         "always",
                         "--auto-aof-rewrite-percentage",
                         "0"};
  const DataWords no_log = {"--save", "", "--appendonly", "no"};
  switch (seed % 4) {
    case 0:
      story.name = "rewrite";
      story.arguments = story.again = log;
      story.writes_are_kept = true;
      for (int i = 0; i < 2; ++i) {
        writes();
        story.steps.push_back({DataStep::Kind::other, {{"BGREWRITEAOF"}}, "+"});
        writes();
        // Until it is over, and beyond.
        story.steps.push_back({DataStep::Kind::other, {{"BLPOP", "nothing", "0.5"}}, "*-1"});
      }
      writes();
      break;
    case 1:
      story.name = "save";
      story.arguments = story.again = no_log;
      for (int i = 0; i < 3; ++i) {
        writes();
        story.steps.push_back({DataStep::Kind::promise, {{"SAVE"}}, "+OK"});
      }
      writes();
      break;
    case 2:
      story.name = "switch on";
      story.arguments = no_log;
      story.again = log;
      writes();
      story.steps.push_back(
          {DataStep::Kind::other, {{"CONFIG", "SET", "appendonly", "yes"}}, "+OK"});
      writes();
      story.steps.push_back({DataStep::Kind::promise, {{"WAITAOF", "1", "0", "0"}}, "*2\r\n:1"});
      writes();
      story.steps.push_back({DataStep::Kind::promise, {{"WAITAOF", "1", "0", "0"}}, "*2\r\n:1"});
      break;
    default:
      story.name = "switch off and on";
      story.arguments = story.again = log;
      writes();
      story.steps.push_back({DataStep::Kind::promise, {{"WAITAOF", "1", "0", "0"}}, "*2\r\n:1"});
      story.steps.push_back(
          {DataStep::Kind::other, {{"CONFIG", "SET", "appendonly", "no"}}, "+OK"});
      writes();
      story.steps.push_back(
          {DataStep::Kind::other, {{"CONFIG", "SET", "appendonly", "yes"}}, "+OK"});
      story.steps.push_back({DataStep::Kind::promise, {{"WAITAOF", "1", "0", "0"}}, "*2\r\n:1"});
      writes();
      story.steps.push_back({DataStep::Kind::promise, {{"WAITAOF", "1", "0", "0"}}, "*2\r\n:1"});
      break;
  }
  return story;
}

class KeptData final : public CrashStory {
 public:
  KeptData(const DataStory& story, const Plants& plants) : story_(story), plants_(plants) {}

  HostId begin(World& world) override;
  void tell(World& world) override;
  std::string check(World& world, bool to_its_end) override;

 private:
  std::string compare(World& world);
  size_t promised() const;

  const DataStory& story_;
  const Plants& plants_;
  HostId host_ = 0;
  Node* node_ = nullptr;
  bool again_ = false;
  size_t acknowledged_ = 0;
};

HostId KeptData::begin(World& world) {
  host_ = world.add_host({.name = "node", .faultable = true}, [this](Env& env) {
    NodeStart start;
    start.arguments = {"--bind",           "0.0.0.0", "--port", std::to_string(kNodePort),
                       "--protected-mode", "no"};
    const DataWords& more = again_ ? story_.again : story_.arguments;
    start.arguments.insert(start.arguments.end(), more.begin(), more.end());
    start.made = [this](Node& node) { plants_.plant_in(node); };
    start.ready = [this](Node& node) { node_ = &node; };
    return std::make_unique<NodeProcess>(env, start);
  });
  if (const auto skipped = plants_.skipped_sync()) world.host(host_).files().skip(*skipped);
  world.boot(host_);
  world.run_for(Duration::seconds(2));
  again_ = true;
  return host_;
}

void KeptData::tell(World& world) {
  if (node_ == nullptr) return;
  const Address node = Address::tcp(world.host(host_).address(), kNodePort);
  size_t* const acknowledged = &acknowledged_;
  const DataStory* const story = &story_;
  world.boot(world.add_host({.name = "client"},
                            [=](Env& env) { return make_teller(env, node, story, acknowledged); }));
  world.run_until(world.now() + kKeptStoryLength);
}

// How many steps must be kept.
size_t KeptData::promised() const {
  if (story_.writes_are_kept) return acknowledged_;
  for (size_t i = acknowledged_; i-- > 0;) {
    if (story_.steps[i].kind == DataStep::Kind::promise) return i + 1;
  }
  return 0;
}

std::string KeptData::compare(World& world) {
  std::string wrong;
  struct Look {
    KeptData* story;
    std::string* wrong;
  } look = {this, &wrong};
  world.visit(
      host_,
      [](Host&, void* pointer) {
        const Look& in = *static_cast<Look*>(pointer);
        const KeptData& kept = *in.story;
        const size_t most = std::min(kept.acknowledged_ + 1, kept.story_.steps.size());
        const auto difference = compare_with_steps(*kept.node_, kept.story_, kept.promised(), most);
        if (!difference) return;
        *in.wrong = "acknowledged were " + std::to_string(kept.acknowledged_) +
                    " steps, of which " + std::to_string(kept.promised()) +
                    " must be kept; but the data is that of no state since then: " + *difference;
      },
      &look);
  return wrong;
}

std::string KeptData::check(World& world, bool to_its_end) {
  if (to_its_end && acknowledged_ < story_.steps.size()) {
    return "step " + std::to_string(acknowledged_ + 1) + " of " +
           std::to_string(story_.steps.size()) + " is not acknowledged";
  }
  node_ = nullptr;
  world.boot(host_);
  world.run_for(Duration::seconds(2));
  if (node_ == nullptr || !world.host(host_).running()) {
    const auto& lines = world.host(host_).log_lines();
    return "the node does not start: " + (lines.empty() ? "not a word" : lines.back());
  }
  return compare(world);
}

}  // namespace

RunResult keep_data_everywhere(const ScenarioSpec& spec, const RunOptions& options) {
  const DataStory story = draw_kept_story(options.seed);
  const Plants plants(options.plant);
  WorldOptions world;
  world.faults.disk_split = story.in_pieces ? 1'000'000 : 0;
  world.trace = options.trace;
  world.sink = options.sink;
  world.recorder = options.recorder;
  for (const std::string& fault : options.faults) {
    const std::string error = set_fault(world.faults, fault);
    ASSERT(error.empty());  // the caller has looked
  }
  PlacesOfRun places(options.seed, Unlucky{});
  const CrashReport report = crash_everywhere(
      options.seed, world, [&] { return std::make_unique<KeptData>(story, plants); });
  RunResult result;
  result.digest = report.digest;
  result.events = report.events;
  result.simulated = report.simulated;
  result.commands = report.crashes;
  result.faults = world.faults;
  result.fired = report.fired;
  result.marks = places.marks();
  result.drawn = "story=" + story.name + " steps=" + std::to_string(story.steps.size()) +
                 " boundaries=" + std::to_string(report.boundaries) +
                 " crashes=" + std::to_string(report.crashes);
  if (report.cut_short > 0) {
    result.remarks.push_back(std::to_string(report.cut_short) +
                             " boundaries had more ways to age than were tried");
  }
  if (report.shown) {
    result.recorded = report.shown_length;
    result.remarks.push_back("recorded is the crash at boundary " +
                             std::to_string(report.shown->boundary) + ": " + report.shown->where);
  }
  result.fixed = spec;
  result.fixed.seed = options.seed;
  result.fixed.plant = options.plant;
  result.fixed.script.emplace();
  result.fixed.strikes.emplace();
  result.fixed.windows.emplace();
  if (!report.failure) return result;
  const CrashFailure& failure = *report.failure;
  result.violation = {"durability", failure.at, "node",
                      "the node starts with what it promised to keep after every crash",
                      "story \"" + story.name + "\", boundary " + std::to_string(failure.boundary) +
                          " of " + std::to_string(report.boundaries) + ", " + failure.where + ": " +
                          failure.seen};
  result.fixed.fails = "durability";
  return result;
}

}  // namespace redoubt::sim
