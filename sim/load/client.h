// A client: connects, sends pipelines of random commands, or those of a script, waits for the
// replies, breaks off now and then, and begins again.
#pragma once

#include <memory>

#include "sim/load/asides.h"
#include "sim/load/bursts.h"
#include "sim/load/connection.h"
#include "sim/load/table_commands.h"

namespace redoubt::sim {

class LoadClient final : public LoadConnection {
 public:
  LoadClient(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number, Random random);

 private:
  void on_connected() override;
  void on_sent() override;
  void on_received() override;
  void on_timer() override;
  bool wants_connection() const override { return plan_.farewell || has_work(); }
  std::string_view incoming(std::string_view bytes) override;

  void begin_pipeline();
  void add_authentication();
  void add_generated_pipeline();
  Duration before_step() const;
  void add_scripted_step();
  void find_step();
  bool has_step() const;
  bool next_step_enters() const;
  void record_step();
  void add(std::initializer_list<std::string_view> arguments);
  void add(std::span<const std::string_view> arguments);
  bool add_burst();
  void add_generated(int64_t now_ms);
  bool add_aside(int64_t now_ms);
  void add_walk();
  void add_register_command();
  void add_connection_command();
  void add_quiet_connection_command();
  void add_rare_connection_command();
  void add_publish();
  void add_kill();
  void add_unblock();
  void after_pipeline();
  bool has_work() const {
    return !plan_.all_is_sent() && (plan_.script == nullptr || step_ != nullptr);
  }
  bool goes_on() const { return plan_.farewell ? last_connection_ : has_work(); }
  Slice outgoing();

  CommandGenerator generator_;
  Bursts bursts_;
  Asides asides_;
  std::unique_ptr<TableCommands> table_;  // made when it is needed
  const ScriptStep* step_ = nullptr;      // of the script, the next one
  size_t recorded_ = 0;  // of the script that is recorded, the last step's number + 1
  // What is being sent, and since when, for the script that is recorded.
  Instant began_;
  std::vector<std::vector<std::string>> words_;
  std::vector<uint8_t> inline_forms_;
  bool inline_form_ = false;    // of the scripted command
  bool hangs_up_ = false;       // after the replies
  bool waiting_ = false;        // for replies
  uint64_t published_ = 0;      // messages, which carry their number
  size_t cut_ = 0;              // this pipeline is left half way, after so many bytes; or 0
  bool vanishes_ = false;       // a command of it may wait for ever: then the client goes
  bool resp3_ = false;          // asked for; messages of tracking can come
  bool authenticated_ = false;  // or on its way to be
  enum class Replies : uint8_t { on, off, skip } replies_ = Replies::on;
};

}  // namespace redoubt::sim
