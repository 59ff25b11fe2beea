#include "engine/dispatch/pause.h"

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

Pause::Pause(const Services& services) : services_(services) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<Pause*>(timer.owner)->end(); };
}

Pause::~Pause() {
  services_.env.disarm(timer_);
}

void Pause::tell_admission() {
  Admission& admission = services_.dispatcher.admission();
  admission.set(Alert::pause_all, mode_ == PauseMode::all);
  admission.set(Alert::pause_writes, mode_ == PauseMode::write);
  services_.keys.removal().set_decides(!active());
}

void Pause::begin(PauseMode mode, Instant until) {
  ASSERT(mode != PauseMode::none);
  if (!active() || mode == PauseMode::all) mode_ = mode;
  tell_admission();
  if (!timer_.armed() || until > timer_.deadline) services_.env.arm(timer_, until);
}

void Pause::end() {
  if (!active()) return;
  ASSERT(!services_.keys.removal().decides());
  services_.env.disarm(timer_);
  mode_ = PauseMode::none;
  tell_admission();
  services_.dispatcher.stored().wake_all();
}

bool Pause::holds(const Session& session, const CommandEntry* entry) const {
  switch (mode_) {
    case PauseMode::none: return false;
    case PauseMode::all: return true;
    case PauseMode::write: break;
  }
  if (entry == nullptr) return false;
  const bool runs_queued = (entry->row->flags & kRunsQueued) != 0 && session.transaction != nullptr;
  const uint32_t flags = runs_queued ? session.transaction->command_flags : entry->row->flags;
  return (flags & (kWrite | kMayReplicate)) != 0;
}

}  // namespace redoubt
