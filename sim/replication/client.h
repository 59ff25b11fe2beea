// A client of nodes that replicate each other: writes to the node that is the primary as far as an
// operator knows, or reads from any of them. It is one of three kinds:
//
//   traffic   random commands of all families, in pipelines and transactions
//   appender  appends growing numbers to a list of its own, and asks WAIT and WAITAOF now and then:
//             what it was acknowledged has to be there in the end
//   reader    random commands to any node; a replica answers those that write with an error
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/task.h"
#include "net/timed_stream.h"
#include "sim/model/generator.h"
#include "sim/model/resp_value.h"
#include "sim/process.h"
#include "sim/random.h"
#include "sim/replication/history_checker.h"

namespace redoubt::sim {

// What the clients have in common.
struct ReplicationLoad {
  // The address of the primary; of the reader's next node.
  std::function<std::string()> primary;
  std::function<std::string(Random&)> any;
  HistoryChecker* checker = nullptr;
  GeneratorConfig generator;
  int64_t pipeline_max = 8;
  int64_t think_us = 10'000;
  int64_t transaction_ppm = 0;  // of pipelines
  int64_t newer_ppm = 0;        // of commands: one that some nodes do not know
  int64_t acks_ppm = 0;         // of appends: WAIT or WAITAOF follows
  int64_t hang_up_ppm = 0;      // of pipelines: the connection ends behind it
  uint64_t commands_max = 0;
  uint64_t commands_sent = 0;
  bool over = false;
  bool load_is_over() const { return over || commands_sent >= commands_max; }
};

class ReplicationClient final : public Process {
 public:
  enum class Kind : uint8_t { traffic, appender, reader };

  ReplicationClient(Env& env, ReplicationLoad& plan, Kind kind, uint32_t number, Random random);

  // The name of an appender's list.
  static std::string list_name(uint32_t number) { return "appended:" + std::to_string(number); }

 private:
  Task<Error> run();
  Task<Error> talk();
  void add(std::initializer_list<std::string_view> words);
  void add(std::span<const std::string_view> words);
  void make_pipeline();
  void make_appends();
  Task<Error> take_replies();

  Env& env_;
  ReplicationLoad& plan_;
  const Kind kind_;
  const uint32_t number_;
  Random random_;
  CommandGenerator generator_;
  TimedStream stream_;
  std::string pipeline_;
  size_t replies_due_ = 0;
  uint64_t appended_ = 0;        // the last number that was sent
  std::vector<uint64_t> asked_;  // by reply: the number that it acknowledges; 0: none
  Task<Error> task_;
};

}  // namespace redoubt::sim
