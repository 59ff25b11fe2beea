#include "sim/scenario/scenario.h"

#include "net/assert.h"
#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

namespace {

constexpr Named kCheckers[] = {
    {"model", "each reply is what a naive model of the commands answers"},
    {"order", "what a connection sends is executed once, whole, in order"},
    {"replies", "clients receive what the node wrote, byte for byte, a reply for each command"},
    {"messages", "each subscriber gets what was published to its channels, once, in order"},
    {"transactions", "EXEC executes all that was queued, or nothing, for the right reason"},
    {"blocking", "who waits is served as soon as may be, first come first served, or told in time"},
    {"expiry", "no key expires before its time, and after some quiet nothing is held beyond it"},
    {"eviction", "memory is limited, and only then, and what goes is what the policy says"},
    {"pause", "while CLIENT PAUSE lasts, data stands still"},
    {"scan", "a whole walk of SCAN and its kin shows all that was there all the time"},
    {"events", "who listens to keyspace events hears of each change, and of nothing else"},
    {"tracking", "a client that tracks is told when what it has read changes"},
    {"statistics", "what INFO counts of keys is what has happened"},
    {"invariants", "within the node tables, trees, counted bytes and packed values are in order"},
    {"effects", "effects give the same wherever and whenever they are applied"},
    {"connection", "no connection fails without a fault that explains it"},
    {"process", "the node ends only when something ends it"},
    {"files", "a node starts from the file that it wrote, as it was before or after a change"},
    {"progress", "after the faults, every client is served in time"},
    {"durability",
     "after a start the node has what it promised to keep, and nothing that never was"},
    {"damage", "files that were damaged while the node was down are not taken for whole ones"},
    {"replay", "the effects of the node, applied to an empty one, give the same data"},
    {"snapshot", "a snapshot delivers what was there when it began, whatever is written meanwhile"},
    {"linearizability", "what clients saw of each key has an order that explains it"},
    {"history", "nodes that claim the same offset of the same history have the same data"},
    {"acknowledged", "WAIT and WAITAOF count only who has, or keeps, what was written"},
    {"convergence", "after the faults, a primary and its replicas become equal in time"},
    {"manners", "a replica without its primary serves as it is told, and so does a primary alone"},
    {"loss", "what was acknowledged is there in the end, but for forks that may leave it behind"},
    {"state", "in the end the node's data is the model's"},
    {"leaks", "in the end nothing is left: connections, buffers, operations, memory"},
};

std::vector<ScenarioSpec> read_builtin() {
  std::vector<ScenarioSpec> all;
  for (const ScenarioFile& file : builtin_scenarios()) {
    std::string error;
    std::optional<ScenarioSpec> spec = parse_scenario(file.name, file.text, &error);
    ASSERT(spec.has_value());  // tests/sim/spec_file_test.cc says what is wrong
    all.push_back(std::move(*spec));
  }
  return all;
}

}  // namespace

std::span<const Named> all_checkers() {
  return kCheckers;
}

std::span<const std::string_view> story_names() {
  static constexpr std::string_view kNames[] = {"config_save", "kept_data", "damaged_data",
                                                "replication"};
  return kNames;
}

const Plant* find_plant(std::string_view name) {
  for (const Plant& plant : all_plants()) {
    if (plant.name == name) return &plant;
  }
  return nullptr;
}

std::span<const ScenarioSpec> scenarios() {
  static const std::vector<ScenarioSpec> kAll = read_builtin();
  return kAll;
}

const ScenarioSpec* find_scenario(std::string_view name) {
  for (const ScenarioSpec& spec : scenarios()) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

}  // namespace redoubt::sim
