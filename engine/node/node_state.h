// The parts of a Node that only its own files see.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "engine/node/node.h"

namespace redoubt {

// A request of the batch and what was found out about it before it executes.
struct Node::Planned {
  Session* session = nullptr;
  CommandEntry* entry = nullptr;      // null: unknown
  CommandEntry* container = nullptr;  // of an unknown subcommand
  uint64_t hash = 0;                  // of the first key
  size_t reply_bytes = 0;             // that the call wrote
  uint32_t request = 0;               // index into batch_.requests, with in_batch

  bool in_batch = false;   // false: it was stored, or is the process's own
  bool malformed = false;  // an error of the parser stands here, no request
  bool called = false;     // its handler ran
  bool waits = false;      // for keys: it is noted when it is served
};

// Consecutive calls of one command that share a reading of the clock (instrumentation.h).
struct Node::CallGroup {
  struct Call {
    const Planned* planned;
    uint64_t weight;
  };

  CommandEntry* entry = nullptr;
  size_t count = 0;
  uint64_t total_weight = 0;
  size_t waiting = 0;  // of them, those that wait for keys
  std::array<Call, Instrumentation::kSharedReading> calls;

  void add(const Planned& planned, uint64_t weight);
  // What a call took of the group's time, as far as is known.
  Duration share(size_t index, Duration time) const {
    const double part =
        static_cast<double>(calls[index].weight) / static_cast<double>(total_weight);
    return {static_cast<int64_t>(static_cast<double>(time.ns) * part)};
  }
};

// While it lives, `session` executes a command: messages to it wait for the reply.
class Node::Execution {
 public:
  Execution(Node& node, Session& session)
      : node_(node),
        session_(session),
        outer_(node.clients_.current()),
        nested_(session.executing) {
    node.clients_.set_current(&session);
    session.executing = true;
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution() {
    session_.executing = nested_;
    if (node_.clients_.messages().any_late() || node_.keyspace_.events().has_notes()) [[unlikely]] {
      node_.keyspace_.events().emit_notes();
      node_.clients_.messages().release_late(session_, outer_ == nullptr);
    }
    node_.clients_.set_current(outer_);
  }

 private:
  Node& node_;
  Session& session_;
  Session* outer_;
  bool nested_;
};

}  // namespace redoubt
