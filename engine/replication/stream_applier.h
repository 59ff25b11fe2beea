// StreamApplier: applies a primary's stream of effects, and passes it on.
//
// A command is applied as a whole, MULTI with everything up to its EXEC. Only then do its bytes
// count as applied, and go, unchanged, to this node's own log: to its file and its replicas. So
// offset, log and data agree at each boundary, and what came of an entry whose end never came is
// forgotten.
//
// SELECT is kept until the command behind it: the two are one entry, as this server itself writes
// them, and an offset never lies between them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/dispatch/applier.h"
#include "engine/dispatch/services.h"
#include "engine/effects/effect_log.h"
#include "engine/persist/aof/aof_parser.h"
#include "engine/replication/replication_settings.h"

namespace redoubt {

class StreamApplierOwner {
 public:
  // The primary wants to know the offset; what was applied is in the log.
  virtual void on_getack() = 0;
  // A command of the stream could not be applied, and the node is to end for it.
  virtual void on_divergence(std::string_view why) = 0;

 protected:
  ~StreamApplierOwner() = default;
};

class StreamApplier {
 public:
  // All of these outlive it.
  StreamApplier(const Services& services, const ReplicationSettings& settings,
                StreamApplierOwner& owner);

  // The stream goes on at the end of the effect log.
  // `peer` is for MONITOR.
  void begin(std::string peer);
  // Nothing more comes of it. Not within feed().
  void end();
  // The next bytes of it. False: they are no stream of effects, and problem() says why; nothing
  // more can be applied.
  bool feed(std::string_view bytes);
  const std::string& problem() const { return problem_; }
  // Bytes of the last entry, if it was PING or the like.
  uint64_t last_control_bytes() const { return last_control_bytes_; }
  // Bytes that are there of an entry that is not whole.
  uint64_t incomplete_bytes() const { return parser_.fed() - entry_begin_; }
  size_t memory_bytes() const { return parser_.memory_bytes(); }

 private:
  bool take_command();
  void apply_entry();
  void apply_commands();
  void apply_one(std::span<const std::string_view> words);
  void end_entry(EntryKind kind, int db);
  bool refuse(std::string_view why);

  const Services& services_;
  const ReplicationSettings& settings_;
  StreamApplierOwner& owner_;
  std::optional<Applier> applier_;  // while there is a stream: it has a session
  AofParser parser_;
  uint64_t entry_begin_ = 0;
  bool in_multi_ = false;
  bool unknown_ = false;  // a command of the entry is not known here
  uint64_t last_control_bytes_ = 0;
  std::vector<AofParser::Place> args_;  // of the commands of the entry
  std::vector<size_t> counts_;
  uint64_t told_ = 0;  // lines of the log about commands that failed
  std::string problem_;
};

}  // namespace redoubt
