// A node in a quiet world whose every reply is compared with the model's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/node/node.h"
#include "sim/checkers/replay.h"
#include "sim/model/model.h"
#include "tests/commands/quiet_world.h"

namespace redoubt {

// A command of a test, and how far the clocks move before it.
struct TestStep {
  std::vector<std::string> command;
  int64_t advance_ms = 0;
  int64_t jump_ms = 0;  // of the wall clock alone

  bool operator==(const TestStep&) const = default;
};

// RapidCheck and GoogleTest print it with these.
std::string describe_step(const TestStep& step);
void showValue(const TestStep& step, std::ostream& out);

class CheckedNode : private NodeObserver {
 public:
  // `settings` are names and values, as for CONFIG SET.
  explicit CheckedNode(std::vector<std::string_view> settings = {}, uint64_t seed = 1);
  ~CheckedNode() override;
  CheckedNode(const CheckedNode&) = delete;
  CheckedNode& operator=(const CheckedNode&) = delete;

  // Runs a step on both. Nothing when they agree, otherwise what was expected and what was said.
  std::optional<std::string> run(const TestStep& step);

  // One command on the node alone; the reply's bytes.
  std::string call(std::initializer_list<std::string_view> arguments);

  // Compares all keys, values and deadlines, and that memory returns when they are deleted.
  std::optional<std::string> compare_data();

  Node& node() { return *node_; }
  sim::ReplayChecker& replay() { return *replay_; }
  QuietWorld& world() { return world_; }
  Session& session() { return *session_; }
  uint64_t evicted() const { return evicted_; }
  uint64_t refused() const { return refused_; }

 protected:
  // What a step does to the node; the reply's bytes.
  virtual std::string execute(std::span<const std::string_view> args);

 private:
  void on_command(const Session&, int, std::span<const std::string_view>, WallTime,
                  std::string_view) override {}
  void on_evicted(int db, std::string_view key) override;
  void on_expired(int db, std::string_view key) override;
  void on_parts_expired(int db, std::string_view key,
                        std::span<const std::string_view> names) override;
  void on_session_closed(const Session&) override {}

  int64_t wall_ms() const { return world_.env.wall().unix_ms(); }
  std::optional<std::string> compare_other(int db, const std::string& key, sim::ModelType type);
  std::optional<std::string> compare_key(int db, const std::string& key,
                                         const sim::ModelEntry& entry);

  QuietWorld world_;
  sim::Model model_;
  sim::ModelSession model_session_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<sim::ReplayChecker> replay_;
  Session* session_ = nullptr;
  uint64_t steps_ = 0;
  std::string wrong_removal_;  // what the node removed without a reason
  uint64_t evicted_ = 0;
  uint64_t refused_ = 0;
};

// Plays all steps on a new node. Nothing when all is well, otherwise the failing step and why;
// `played` is then how many steps it took.
std::optional<std::string> play_steps(const std::vector<TestStep>& steps,
                                      const std::vector<std::string_view>& settings = {},
                                      size_t* played = nullptr);

// Leaves out as many steps as possible, within a bounded number of tries, while play_steps fails.
std::vector<TestStep> shrink_steps(std::vector<TestStep> steps,
                                   const std::vector<std::string_view>& settings = {});

}  // namespace redoubt
