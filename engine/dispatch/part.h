// Part: a capability of a node that has a room of its own: persistence, scripts, replication.
//
// A part brings what belongs to it: its commands, its directives, its rows of INFO, and what it
// does when the node starts, ticks and stops. The node knows parts only by this interface; who
// assembles a node says which it has (server/assembly). A command reaches the part that it belongs
// to by Context::part<P>().
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/command/command.h"
#include "engine/config/directive.h"
#include "net/task.h"

namespace redoubt {

class InfoRegistry;
class Node;

// How a node is to stop.
struct StopRequest {
  enum class Saving : uint8_t { if_configured, yes, no };

  std::string reason;  // for the log
  Saving saving = Saving::if_configured;
  bool now = false;    // without waiting for replicas
  bool force = false;  // also when something that has to be done before has failed
};

class Part {
 public:
  Part() = default;
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  virtual ~Part() = default;

  // What has to be done before clients are served, such as loading data: they are answered LOADING
  // meanwhile. Another result than Error::none ends the process; the part has logged why.
  virtual Task<Error> start() { co_return Error::none; }
  // What has to be done before the process ends in order; only after start(). After an error, which
  // the part has logged, the node does not stop, unless it is forced to. `request` is valid until
  // the task is done.
  virtual Task<Error> before_stop(const StopRequest& /*request*/) { co_return Error::none; }
  // before_stop() is to end soon, with Error::cancelled if it can.
  virtual void abort_stop() {}
  // Settings have changed.
  virtual void settings_changed() {}
  // `hz` times a second.
  virtual void cron() {}
  // Adds its rows of INFO. Once, when the node is made.
  virtual void register_info(InfoRegistry& registry) { static_cast<void>(registry); }
  // Bytes that the part holds, as counted by used_memory.
  virtual size_t memory_bytes() const { return 0; }
};

// What is known of a part before there is a node. Of static storage; its address is the part's
// identity.
struct PartKind {
  std::string_view name;
  std::span<const Command> commands{};
  std::span<const Directive> directives{};
  std::unique_ptr<Part> (*make)(Node& node) = nullptr;
};

// The parts of a node, in the order in which they start.
class Parts {
 public:
  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  // Makes a part of each kind.
  void make(std::span<const PartKind* const> kinds, Node& node);
  // Null: the node has no such part.
  Part* find(const PartKind& kind) const;

  // Starts one after another. Error::none when all have started.
  Task<Error> start();
  // Those that have started, the last one first. The first error.
  Task<Error> before_stop(const StopRequest& request);
  void abort_stop();
  void settings_changed();
  void cron();
  void register_info(InfoRegistry& registry);
  size_t memory_bytes() const;
  // Destroys them, the last one first: what they refer to is there until then.
  void end();
  bool empty() const { return all_.empty(); }

 private:
  struct Made {
    const PartKind* kind;
    std::unique_ptr<Part> part;
  };
  std::vector<Made> all_;
  size_t started_ = 0;  // of them, from the first on
};

}  // namespace redoubt
