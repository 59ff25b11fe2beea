// What the clients of a node have in common: what they do, how often, and how far they have come.
#pragma once

#include <set>
#include <string>

#include "net/op.h"
#include "sim/load/bursts.h"
#include "sim/load/recording.h"
#include "sim/load/script.h"
#include "sim/model/generator.h"

namespace redoubt::sim {

struct LoadPlan {
  Address server;
  uint32_t node = 0;  // its number
  uint32_t clients = 0;
  GeneratorConfig generator;
  int64_t pipeline_max = 16;
  int64_t think_us = 0;             // between pipelines, on average
  int64_t hang_up_ppm = 1'000;      // after a pipeline, or in the middle of one
  int64_t connection_ppm = 10'000;  // commands of the connection family
  int64_t inline_ppm = 0;           // inline commands
  int64_t table_ppm = 0;            // commands of the table, with any options
  int64_t unknown_ppm = 0;          // unknown and malformed ones
  int64_t tracking_ppm = 0;         // CLIENT TRACKING and its kin
  int64_t walk_ppm = 0;             // of pipelines: a walk of SCAN or its kin begins
  int64_t settings_ppm = 0;         // CONFIG SET
  int64_t pause_ppm = 0;            // CLIENT PAUSE and UNPAUSE
  int64_t quiet_ppm = 0;            // keys whose idle times are known
  int64_t upkeep_percent = 0;       // of an operator's changes: how data is kept
  bool evicts = false;              // there is a limit of memory
  std::string password;             // empty: none is asked for
  BurstPlan bursts;
  bool mutes = true;  // CLIENT REPLY OFF and SKIP: not where a refusal (OOM) could go unseen
  Duration patience = Duration::seconds(5);
  int64_t registers_ppm = 0;  // simple commands on keys of their own
  uint64_t registers = 1;
  int64_t slow_readers_percent = 0;
  int64_t read_pause_us = 0;  // of slow readers, on average
  uint32_t slow_readers() const {
    return static_cast<uint32_t>(clients * slow_readers_percent / 100);
  }
  // Played instead of what the generator makes, step by step; not owned.
  const Script* script = nullptr;
  // What is sent is written down here; not owned.
  Recording* record = nullptr;
  // The load is over when so many commands were sent. Clients then wait for the farewell: each
  // connects anew, is served once, and stops.
  uint64_t commands_max = 0;
  uint64_t commands_sent = 0;
  bool farewell = false;
  std::set<uint32_t> active;  // numbers of clients that have not stopped yet
  size_t steps_left = 0;      // of the script's load
  bool all_is_sent() const { return commands_sent >= commands_max; }
  bool load_is_over() const { return script != nullptr ? steps_left == 0 : all_is_sent(); }

  // When a planted bug may show: in the middle of the load, or at once in what was cut down to it.
  bool may_strike() const { return script != nullptr || commands_sent >= commands_max / 4; }

  // Planted bugs, on the client's side of the wire.
  bool lose_command = false;
  bool drop_reply = false;
  bool swap_replies = false;
  bool keep_connection = false;
  bool drop_message = false;
  bool swap_messages = false;
};

}  // namespace redoubt::sim
