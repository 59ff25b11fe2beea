// Applier: applies effects that come from elsewhere, a file or a primary.
//
// They are trusted to be effects: only commands that write are applied, without admission, and
// nothing expires meanwhile, because the stream says itself what has expired. Nobody is answered.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/clients/session.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class Applier {
 public:
  // What the services refer to outlives it.
  explicit Applier(const Services& services);
  Applier(const Applier&) = delete;
  Applier& operator=(const Applier&) = delete;
  ~Applier();

  enum class Outcome : uint8_t {
    applied,
    failed,      // the command was executed and answered with an error
    no_command,  // it has no such name, wrong arguments, or is not one that an effect may be
  };

  // Between these nothing expires, and nothing else may execute. What is applied within is one
  // entry of this node's own stream of effects.
  void begin();
  void end();
  // Applies one command: its name and arguments. SELECT holds for those behind it. After another
  // outcome than `applied`, error() says why.
  Outcome apply(std::span<const std::string_view> args);
  const std::string& error() const { return error_; }
  // MONITOR shows what is applied, as of this peer. Empty, at first: nobody sees it.
  void set_source(std::string peer) { source_ = std::move(peer); }
  // The database that is selected.
  int db() const { return session_.db; }
  void select(int db) { session_.db = db; }

 private:
  const Services& services_;
  Session& session_;
  std::string error_;
  std::string source_;
  // Of the statistics, which are about what clients read.
  uint64_t hits_before_ = 0;
  uint64_t misses_before_ = 0;
};

}  // namespace redoubt
