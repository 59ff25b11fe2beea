// A client of the scenario `single`: connects, sends pipelines of random commands, waits for the
// replies, breaks off now and then, and begins again.
#pragma once

#include "sim/model/generator.h"
#include "sim/scenarios/single_bursts.h"
#include "sim/scenarios/single_connection.h"

namespace redoubt::sim {

// What the clients of a run have in common.
struct ClientPlan {
  Address server;
  GeneratorConfig generator;
  int64_t pipeline_max = 16;
  int64_t think_us = 0;             // between pipelines, on average
  int64_t hang_up_ppm = 1'000;      // after a pipeline, or in the middle of one
  int64_t connection_ppm = 10'000;  // commands of the connection family
  int64_t inline_ppm = 0;           // inline commands
  std::string password;             // empty: none is asked for
  BurstPlan bursts;
  bool mutes = true;  // CLIENT REPLY OFF and SKIP: not where a refusal (OOM) could go unseen
  Duration patience = Duration::seconds(5);
  // The load is over when so many commands were sent. Clients then wait for the farewell: each
  // connects anew, is served once, and stops.
  uint64_t commands_max = 0;
  uint64_t commands_sent = 0;
  bool farewell = false;
  uint32_t active = 0;  // clients that have not stopped yet
  bool load_is_over() const { return commands_sent >= commands_max; }

  // Planted bugs, on the client's side of the wire.
  bool lose_command = false;
  bool drop_reply = false;
  bool swap_replies = false;
  bool keep_connection = false;
  bool drop_message = false;
  bool swap_messages = false;
};

class SingleClient final : public SingleConnection {
 public:
  SingleClient(Env& env, ClientPlan& plan, SingleChecker& checker, uint32_t number, Random random);

 private:
  void on_connected() override;
  void on_sent() override;
  void on_received() override;
  void on_timer() override;
  bool wants_connection() const override { return plan_.farewell || !plan_.load_is_over(); }
  std::string_view incoming(std::string_view bytes) override;

  void begin_pipeline();
  void add(std::initializer_list<std::string_view> arguments);
  void add(std::span<const std::string_view> arguments);
  bool add_burst();
  void add_generated(int64_t now_ms);
  void add_connection_command();
  void add_quiet_connection_command();
  void add_rare_connection_command();
  void add_publish();
  void add_kill();
  void add_unblock();
  void after_pipeline();
  bool goes_on() const { return plan_.farewell ? last_connection_ : !plan_.load_is_over(); }
  Slice outgoing();

  CommandGenerator generator_;
  SingleBursts bursts_;
  bool waiting_ = false;        // for replies
  uint64_t published_ = 0;      // messages, which carry their number
  bool breaks_off_ = false;     // this pipeline is left half way
  bool vanishes_ = false;       // a command of it may wait for ever: then the client goes
  bool authenticated_ = false;  // or on its way to be
  enum class Replies : uint8_t { on, off, skip } replies_ = Replies::on;
};

}  // namespace redoubt::sim
