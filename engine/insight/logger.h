// Logger: the log of a node. The world decides where lines go.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/config/settings.h"
#include "net/env.h"

namespace redoubt {

class Logger {
 public:
  // Both outlive it.
  Logger(Env& env, const Settings& settings);
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // Writes one line, unless `loglevel` leaves out what is of this level.
  void log(LogLevel level, std::string_view message) const;
  // Lines name the node a replica, or a master.
  void set_replica(bool replica) { role_ = replica ? 'S' : 'M'; }

 private:
  Env& env_;
  const Settings& settings_;
  const int64_t pid_;
  char role_ = 'M';
};

}  // namespace redoubt
