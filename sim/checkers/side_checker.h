// A checker that follows the node beside the comparison of replies: it is told of each command
// twice, before the model has executed it and after, and of what the node does on its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "engine/node/node.h"
#include "sim/model/model.h"

namespace redoubt::sim {

// A command that the node has executed. The views hold during the call.
struct CheckedCommand {
  uint64_t session = 0;
  int database = 0;  // when it began
  std::span<const std::string_view> args;
  std::string_view reply;    // empty when it was suppressed
  bool within_exec = false;  // EXEC itself is told behind the commands that it ran
  int resp = 2;              // the protocol of the connection, after the command
  bool others_wait = false;  // for keys
  bool waited = false;       // it had begun to wait some time ago
  bool undoable = false;     // part of a transaction with rollback
  bool failed() const { return reply.starts_with('-'); }
};

class SideChecker {
 public:
  // Says what is wrong: the checker's name, what was expected, what was seen.
  using Report = std::function<void(std::string_view, std::string, std::string)>;

  SideChecker(const Model& model, Report report) : model_(model), report_(std::move(report)) {}
  virtual ~SideChecker() = default;
  SideChecker(const SideChecker&) = delete;
  SideChecker& operator=(const SideChecker&) = delete;

  virtual void node_started(Node& node) { node_ = &node; }
  // The node is gone, and what it knew.
  virtual void node_ended() { node_ = nullptr; }
  // The model is as it was before the command, then as it is after it.
  virtual void began(const CheckedCommand&) {}
  virtual void done(const CheckedCommand&) {}
  // A command of the session begins to wait; done() comes when it is through.
  virtual void waits(uint64_t /*session*/, std::span<const std::string_view> /*args*/) {}
  virtual void effect(std::span<const std::string_view> /*words*/) {}
  // The model still has the key.
  virtual void evicted(int /*database*/, std::string_view /*key*/) {}
  virtual void expired(int /*database*/, std::string_view /*key*/) {}
  virtual void parts_expired(int /*database*/, std::string_view /*key*/) {}
  // A message to a session that it did not ask for with its command.
  virtual void pushed(uint64_t /*session*/, std::string_view /*message*/) {}
  virtual void session_closed(uint64_t /*session*/) {}
  virtual void turn_ended() {}

 protected:
  void report(std::string_view checker, std::string expected, std::string seen) const {
    report_(checker, std::move(expected), std::move(seen));
  }
  const ModelEntry* held(int database, std::string_view key) const {
    const Model::Database& keys = model_.database(database);
    const auto found = keys.find(key);
    return found == keys.end() ? nullptr : &found->second;
  }

  const Model& model_;
  Node* node_ = nullptr;

 private:
  const Report report_;
};

}  // namespace redoubt::sim
