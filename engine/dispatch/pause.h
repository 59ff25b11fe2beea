// Pause: CLIENT PAUSE. Commands that it holds are stored until it ends; while it lasts, data stands
// still, also for expiry and eviction.
#pragma once

#include <cstdint>

#include "engine/clients/session.h"
#include "engine/command/command_table.h"
#include "engine/dispatch/services.h"
#include "net/env.h"

namespace redoubt {

// What clients may not do.
enum class PauseMode : uint8_t { none, write, all };

class Pause {
 public:
  explicit Pause(const Services& services);
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  ~Pause();

  // A pause is extended, never shortened, and never weakened: as Redis has it.
  void begin(PauseMode mode, Instant until);
  // What waited is executed at the end of the turn: nothing of another client runs inside the
  // command that ends the pause.
  void end();
  PauseMode mode() const { return mode_; }
  bool active() const { return mode_ != PauseMode::none; }
  // Whether this request has to wait; `entry` is null for an unknown command.
  bool holds(const Session& session, const CommandEntry* entry) const;

 private:
  void tell_admission();

  const Services& services_;
  PauseMode mode_ = PauseMode::none;
  Timer timer_;
};

}  // namespace redoubt
