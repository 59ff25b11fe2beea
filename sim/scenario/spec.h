// What a scenario file says: who takes part, what they do, how the nodes are configured, what goes
// wrong, who watches, and how long. What it leaves open is drawn from the seed, each number from a
// stream of its own, so that a new one leaves the others as they were.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/faults.h"
#include "sim/load/script.h"
#include "sim/places.h"
#include "sim/scenario/choice.h"
#include "sim/strikes.h"

namespace redoubt::sim {

// X(table of the file, name, what it is when the file does not say, least, most, description)
// clang-format off
#define REDOUBT_SIM_NUMBERS(X)                                                                     \
  X(topology, nodes, "1", 1, 16,                                                                   \
    "independent nodes, each with clients of its own")                                             \
  X(topology, clients, "1..12", 0, 10'000,                                                         \
    "clients of each node")                                                                        \
  X(topology, subscribers, "0", 0, 1'000,                                                          \
    "clients that only read what is published")                                                    \
  X(topology, listeners, "0", 0, 100,                                                              \
    "clients that listen to keyspace events, which are then on")                                   \
  X(topology, hostile, "0", 0, 1'000,                                                              \
    "clients that send broken, half or endless requests")                                          \
  X(topology, operators, "0", 0, 1,                                                                \
    "clients that change the configuration and write it to its file")                              \
  X(topology, replicas, "0", 0, 15,                                                                \
    "of the node, or of each other, where the story is \"replication\"")                             \
  X(topology, password, "0", 0, 1,                                                                 \
    "1: the nodes ask for a password")                                                             \
  X(workload, commands, "30000", 0, 1'000'000'000,                                                 \
    "that the clients of a node send together")                                                    \
  X(workload, seconds, "1..60 log", 0, 1'000'000,                                                  \
    "over which they are spread; 0: as fast as it goes")                                           \
  X(workload, pipeline, "8..512 log", 1, 100'000,                                                  \
    "commands that a client sends at once, at most")                                               \
  X(workload, keys, "4..400 log", 1, 1'000'000,                                                    \
    "how many names of keys there are")                                                            \
  X(workload, zipf, "0", 0, 1,                                                                     \
    "1: the n-th key is met 1/n as often as the first")                                            \
  X(workload, value_bytes, "10..1000 log", 1, 1'000'000,                                           \
    "of most values, at most")                                                                     \
  X(workload, ttl_ms, "10..100000 log", 1, 1'000'000'000,                                          \
    "of most deadlines, at most")                                                                  \
  X(workload, deadline_per_mille, "0..300", 0, 1'000,                                              \
    "of writes that set a deadline too")                                                           \
  X(workload, wait_ms, "1..50 log", 1, 100'000,                                                    \
    "that commands may wait, at most")                                                             \
  X(workload, transaction_ppm, "100..40000 log", 0, 1'000'000,                                     \
    "of commands: a transaction begins")                                                           \
  X(workload, queue_ppm, "100..200000 log", 0, 1'000'000,                                          \
    "of commands: traffic of queues, with waiting")                                                \
  X(workload, queue_wait_ms, "1..100 log", 1, 100'000,                                             \
    "that those of queues may wait, at most")                                                      \
  X(workload, connection_ppm, "100..50000 log", 0, 1'000'000,                                      \
    "of commands: CLIENT, HELLO, PUBLISH and their like")                                          \
  X(workload, growth_per_mille, "0", 0, 1'000,                                                     \
    "of commands: bulk ones that make values and the keyspace large, and small again")             \
  X(workload, ladder_per_mille, "0..100", 0, 1'000,                                                \
    "of values: at the edge of what a way to store them takes")                                    \
  X(workload, table_ppm, "0 | 1000..60000 log", 0, 1'000'000,                                      \
    "of commands: any of the table, with any of its options")                                      \
  X(workload, unknown_ppm, "0 | 10..3000 log", 0, 1'000'000,                                       \
    "of commands: unknown or malformed ones")                                                      \
  X(workload, tracking_ppm, "0 | 0 | 100..10000 log", 0, 1'000'000,                                \
    "of commands: CLIENT TRACKING and its kin")                                                    \
  X(workload, walk_ppm, "0 | 1000..200000 log", 0, 1'000'000,                                      \
    "of pipelines: a walk over keys or elements begins, and then goes on")                         \
  X(workload, settings_ppm, "0 | 0 | 10..1000 log", 0, 1'000'000,                                  \
    "of commands: CONFIG SET of what may change at any time")                                      \
  X(workload, pause_ppm, "0 | 0 | 100..5000 log", 0, 1'000'000,                                    \
    "of commands: CLIENT PAUSE, or its end")                                                       \
  X(workload, quiet_ppm, "0 | 1000..20000 log", 0, 1'000'000,                                      \
    "of commands: on keys of their own, whose idle times and frequencies are known")               \
  X(workload, inline_ppm, "0 | 100..500000 log", 0, 1'000'000,                                     \
    "of commands: sent as inline commands")                                                        \
  X(workload, hang_up_ppm, "0 | 100..20000 log", 0, 1'000'000,                                     \
    "of pipelines: the client goes, in the middle or after")                                       \
  X(workload, rewrite_ppm, "0", 0, 1'000'000,                                                      \
    "of the looks between steps: the log is rewritten")                                            \
  X(workload, save_ppm, "0", 0, 1'000'000,                                                         \
    "of the looks between steps: a snapshot is saved")                                             \
  X(workload, switch_ppm, "0", 0, 1'000'000,                                                       \
    "of the looks between steps: the log is switched off or on")                                   \
  X(workload, roles_ppm, "0", 0, 1'000'000,                                                        \
    "of the looks between steps: an operator changes who follows whom")                            \
  X(workload, failover_percent, "0", 0, 100,                                                       \
    "of these: by FAILOVER")                                                                       \
  X(workload, links_ppm, "0", 0, 1'000'000,                                                        \
    "of the looks: an operator ends links with CLIENT KILL")                                       \
  X(workload, replica_settings_ppm, "0", 0, 1'000'000,                                             \
    "of the looks: CONFIG SET of what concerns replication")                                       \
  X(workload, cuts_ppm, "0", 0, 1'000'000,                                                         \
    "of turns that leave half a snapshot or half an entry with a replica: its link ends")          \
  X(workload, ballast_bytes, "0", 0, 10'000'000,                                                   \
    "of data that a primary without any begins with")                                              \
  X(workload, newer_ppm, "0", 0, 1'000'000,                                                        \
    "of commands: one that some of the nodes do not know")                                         \
  X(workload, acks_ppm, "0", 0, 1'000'000,                                                         \
    "of appends: WAIT or WAITAOF follows")                                                         \
  X(workload, upkeep_percent, "0", 0, 100,                                                         \
    "of an operator's changes: saves, rewrites, the log on or off, and what keeps data")           \
  X(workload, registers_ppm, "0", 0, 1'000'000,                                                    \
    "of commands: simple ones on keys of their own, for linearizability")                          \
  X(workload, registers, "4", 1, 1'000,                                                            \
    "how many such keys there are")                                                                \
  X(workload, history, "0", 0, 10'000'000,                                                         \
    "operations that are kept and checked for linearizability, at most; 0: none")                  \
  X(workload, slow_readers_percent, "0", 0, 100,                                                   \
    "of clients: those that read slowly")                                                          \
  X(workload, read_pause_us, "1000..100000 log", 1, 100'000'000,                                   \
    "that they wait between two reads, on average")                                                \
  X(memory, spare_bytes, "0", 0, int64_t{1} << 40,                                                 \
    "maxmemory above what an empty node takes; 0: no limit")                                       \
  X(length, seconds, "600", 1, 10'000'000,                                                         \
    "of load, at most")                                                                            \
  X(length, least_ms, "0", 0, 1'000'000'000,                                                       \
    "of load, at least")                                                                           \
  X(length, quiet_seconds, "60", 1, 100'000,                                                       \
    "after the faults, until everybody is served")                                                 \
  X(length, liveness, "0", 0, 1,                                                                   \
    "1: first a majority of the nodes is healed and has to serve, the rest stays as it is")
// clang-format on

struct ScenarioNumbers {
#define X(table, name, ...) int64_t table##_##name = 0;
  REDOUBT_SIM_NUMBERS(X)
#undef X
};

struct NumberRow {
  std::string_view table;
  std::string_view name;
  int64_t ScenarioNumbers::* field;
  std::string_view initial;
  int64_t least;
  int64_t most;
  std::string_view description;
};

std::span<const NumberRow> number_rows();

#define X(...) +1
constexpr size_t kNumberCount = 0 REDOUBT_SIM_NUMBERS(X);
#undef X

// A fault with what it is drawn from.
struct FaultChoice {
  const FaultRow* row = nullptr;
  Choice choice;
};

struct ScenarioSpec {
  ScenarioSpec();

  std::string name;
  std::string description;
  // Empty: nodes under load. Otherwise what is told instead, of story_names().
  std::string story;
  std::array<Choice, kNumberCount> numbers;  // in the order of number_rows()
  // Commands of families: name and weight. Empty: all of them, as the generator has it.
  std::vector<std::pair<std::string, int64_t>> families;
  // Directives of the nodes.
  std::vector<std::pair<std::string, Choice>> config;
  // Faults of which each is on in a quarter of the runs, and those that have a range of their own.
  std::vector<const FaultRow*> swarm;
  std::vector<FaultChoice> faults;
  // Places in the code that are unlucky, in so many cases of a million; nothing: drawn.
  std::optional<Unlucky> unlucky;
  // Empty: all of them.
  std::vector<std::string> checkers;

  // A run that is fixed: a failure that was recorded.
  std::optional<uint64_t> seed;
  std::string plant;
  std::string fails;   // the checker that has to find something
  std::string digest;  // of that run
  std::optional<Script> script;
  std::optional<std::vector<FaultStrike>> strikes;  // of timed faults
  std::optional<std::vector<FaultWindow>> windows;  // in which other faults are on

  Choice& number(int64_t ScenarioNumbers::* field);
};

}  // namespace redoubt::sim
