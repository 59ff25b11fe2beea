#include "sim/scenario/damaged_data.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/node/node.h"
#include "net/text.h"
#include "sim/node_process.h"
#include "sim/scenario/data_story.h"
#include "sim/scenario/plants.h"
#include "sim/world.h"

namespace redoubt::sim {

namespace {

constexpr uint64_t kDamagesPerRun = 16;
constexpr Duration kStoryLength = Duration::seconds(20);
constexpr Duration kStartLength = Duration::seconds(2);
constexpr std::string_view kLogDirectory = "appendonlydir";
constexpr std::string_view kManifest = "appendonlydir/appendonly.aof.manifest";
constexpr std::string_view kSnapshot = "dump.rdb";

DataStory draw_story(uint64_t seed) {
  Random random(seed, "damaged data");
  DataStory story;
  int number = 0;
  const auto writes = [&] {
    add_writes(story, random, number);
    add_writes(story, random, number);
  };
  story.writes_are_kept = true;
  story.arguments = {"--save",
                     "",
                     "--appendonly",
                     "yes",
                     "--appendfsync",
                     "always",
                     "--auto-aof-rewrite-percentage",
                     "0"};
  switch (seed % 3) {
    case 0:
      story.name = "log";
      writes();
      story.steps.push_back({DataStep::Kind::other, {{"BGREWRITEAOF"}}, "+"});
      story.steps.push_back({DataStep::Kind::other, {{"BLPOP", "nothing", "0.5"}}, "*-1"});
      writes();
      writes();
      break;
    case 1: {
      // Enough data that the rewrite lasts longer than the story: there are two increments.
      story.name = "rewrite";
      DataWords many = {"MSET"};
      for (int i = 0; i < 64; ++i) {
        std::string value(64'000, '\0');
        for (char& byte : value) byte = static_cast<char>(random.below(256));
        many.push_back("m" + std::to_string(i));
        many.push_back(std::move(value));
      }
      writes();
      story.steps.push_back(write_step(std::move(many)));
      writes();
      story.steps.push_back({DataStep::Kind::other, {{"BGREWRITEAOF"}}, "+"});
      writes();
      break;
    }
    default:
      story.name = "snapshot";
      story.arguments = {"--save", "", "--appendonly", "no"};
      writes();
      writes();
      story.steps.push_back({DataStep::Kind::promise, {{"SAVE"}}, "+OK"});
      break;
  }
  return story;
}

// What one world has come to.
struct Damage {
  std::string where;    // "bit 3 of byte 511 of dump.rdb is another one"
  std::string problem;  // empty: it was found, or did not matter
  bool refused = false;
  bool two_increments = false;
  Instant at;
};

class DamagedData {
 public:
  DamagedData(uint64_t seed, uint64_t number, const WorldOptions& options, const DataStory& story,
              const Plants& plants)
      : random_(seed, "damage", number), world_(seed, options), story_(story), plants_(plants) {}

  Damage run();
  const World& world() const { return world_; }

 private:
  struct File {
    std::string path;
    std::string contents;
    bool may_end_early = false;
  };

  std::string tell();
  std::vector<File> files();
  void damage(const File& file);
  std::string check(bool may_end_early);

  Random random_;
  World world_;
  const DataStory& story_;
  const Plants& plants_;
  HostId host_ = 0;
  Node* node_ = nullptr;
  size_t acknowledged_ = 0;
  Damage result_;
};

// Returns what went wrong before there was any damage.
std::string DamagedData::tell() {
  host_ = world_.add_host({.name = "node", .faultable = true}, [this](Env& env) {
    NodeStart start;
    start.arguments = {"--bind",           "0.0.0.0", "--port", std::to_string(kNodePort),
                       "--protected-mode", "no"};
    start.arguments.insert(start.arguments.end(), story_.arguments.begin(), story_.arguments.end());
    start.made = [this](Node& node) { plants_.plant_in(node); };
    start.ready = [this](Node& node) { node_ = &node; };
    return std::make_unique<NodeProcess>(env, start);
  });
  world_.boot(host_);
  world_.run_for(kStartLength);
  if (node_ == nullptr) return "the node does not start";
  const Address node = Address::tcp(world_.host(host_).address(), kNodePort);
  world_.boot(world_.add_host({.name = "client"}, [this, node](Env& env) {
    return make_teller(env, node, &story_, &acknowledged_);
  }));
  const Instant end = world_.now() + kStoryLength;
  while (acknowledged_ < story_.steps.size() && world_.now() < end && world_.step(end)) {
  }
  if (acknowledged_ < story_.steps.size()) return "the story does not come to its end";
  world_.crash(host_, StopKind::kill);
  node_ = nullptr;
  return {};
}

// Those that a start loads and that can tell of damage: not the manifest, which is Redis' and has
// nothing to check it by.
std::vector<DamagedData::File> DamagedData::files() {
  Disk& disk = world_.host(host_).disk();
  std::vector<File> files;
  if (Expected<std::string> snapshot = disk.contents(kSnapshot)) {
    files.push_back({std::string(kSnapshot), std::move(*snapshot)});
    return files;
  }
  Expected<std::string> manifest = disk.contents(kManifest);
  ASSERT(manifest.ok());  // the log is on
  std::string_view rest = *manifest;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    // "file NAME seq N type b"
    if (!line.starts_with("file ") || line.ends_with(" h")) continue;
    const std::string_view name = line.substr(5, line.find(' ', 5) - 5);
    std::string path = std::string(kLogDirectory) + "/" + std::string(name);
    Expected<std::string> contents = disk.contents(path);
    ASSERT(contents.ok());
    files.push_back({std::move(path), std::move(*contents)});
  }
  // The last one that has entries may end early.
  size_t increments = 0;
  for (const File& file : files) increments += file.path.ends_with(".incr.aof") ? 1 : 0;
  result_.two_increments = increments > 1;
  for (size_t i = files.size(); i-- > 0;) {
    files[i].may_end_early = files[i].path.ends_with(".incr.aof");
    if (files[i].contents.find("\n*") != std::string::npos) break;
  }
  return files;
}

void DamagedData::damage(const File& file) {
  Expected<InodeRef> inode = world_.host(host_).disk().find(file.path);
  ASSERT(inode.ok());
  const uint64_t at = random_.below(file.contents.size());
  if (random_.below(3) == 0) {
    (*inode)->truncate(at);
    result_.where = file.path + " ends at byte " + std::to_string(at) + " of " +
                    std::to_string(file.contents.size());
  } else {
    const uint64_t bit = random_.below(8);
    const auto byte = static_cast<std::byte>(static_cast<uint8_t>(file.contents[at]) ^ (1U << bit));
    (*inode)->write(at, Slice(&byte, 1));
    result_.where = "bit " + std::to_string(bit) + " of byte " + std::to_string(at) + " of " +
                    file.path + " is another one";
  }
  world_.note(host_, at, result_.where);
}

std::string DamagedData::check(bool may_end_early) {
  world_.boot(host_);
  world_.run_for(kStartLength);
  result_.refused = node_ == nullptr;
  if (result_.refused) return {};
  std::optional<std::string> difference;
  struct Look {
    DamagedData* run;
    size_t least;
    std::optional<std::string>* difference;
  } look = {this, may_end_early ? 0 : story_.steps.size(), &difference};
  world_.visit(
      host_,
      [](Host&, void* pointer) {
        const Look& in = *static_cast<Look*>(pointer);
        const DataStory& story = in.run->story_;
        *in.difference = compare_with_steps(*in.run->node_, story, in.least, story.steps.size());
      },
      &look);
  if (!difference) return {};
  return "the node starts, and its data is " +
         std::string(may_end_early ? "that of no state before: " : "another one: ") + *difference;
}

Damage DamagedData::run() {
  result_.problem = tell();
  if (result_.problem.empty()) {
    const std::vector<File> all = files();
    std::vector<const File*> some;
    for (const File& file : all) {
      if (!file.contents.empty()) some.push_back(&file);
    }
    ASSERT(!some.empty());
    const File& file = *some[random_.below(some.size())];
    damage(file);
    result_.problem = check(file.may_end_early);
  }
  result_.at = world_.now();
  return std::move(result_);
}

}  // namespace

RunResult damage_data(const ScenarioSpec& spec, const RunOptions& options) {
  const DataStory story = draw_story(options.seed);
  const Plants plants(options.plant);
  WorldOptions world;
  for (const std::string& fault : options.faults) {
    const std::string error = set_fault(world.faults, fault);
    ASSERT(error.empty());  // the caller has looked
  }
  PlacesOfRun places(options.seed, Unlucky{});
  RunResult result;
  Digest digest;
  size_t refused = 0;
  size_t with_two = 0;
  for (uint64_t number = 0; number < kDamagesPerRun && !result.violation; ++number) {
    WorldOptions own = world;
    own.trace = options.trace;
    own.sink = options.sink;
    own.recorder = number == 0 ? options.recorder : nullptr;
    DamagedData one(options.seed, number, own, story, plants);
    const Damage damage = one.run();
    digest.add_bytes(as_slice(one.world().digest_text()));
    result.events += one.world().event_count();
    result.simulated = result.simulated + (one.world().now() - Instant());
    for (size_t i = 0; i < kFaultCount; ++i) {
      result.fired.fired[i] += one.world().fired().fired[i];
    }
    ++result.commands;
    refused += damage.refused ? 1 : 0;
    with_two += damage.two_increments ? 1 : 0;
    if (damage.problem.empty()) continue;
    result.violation = {"damage", damage.at, "node",
                        "a node whose files are damaged refuses to start, or has its data",
                        "story \"" + story.name + "\", damage " + std::to_string(number + 1) +
                            ", " + damage.where + ": " + damage.problem};
  }
  result.digest = digest.text();
  result.faults = world.faults;
  result.marks = places.marks();
  result.drawn = "story=" + story.name + " damages=" + std::to_string(result.commands) +
                 " refused=" + std::to_string(refused) +
                 " with_two_increments=" + std::to_string(with_two);
  if (options.recorder != nullptr) {
    result.recorded = result.simulated;
  }
  result.fixed = spec;
  result.fixed.seed = options.seed;
  result.fixed.plant = options.plant;
  result.fixed.script.emplace();
  result.fixed.strikes.emplace();
  result.fixed.windows.emplace();
  if (result.violation) result.fixed.fails = "damage";
  return result;
}

}  // namespace redoubt::sim
