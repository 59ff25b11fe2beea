#include "engine/persist/aof/aof_promise.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/places.h"

namespace redoubt {

AofPromise::AofPromise(const Surroundings& surroundings, AofWriter& writer)
    : env_(surroundings.env),
      effects_(surroundings.effects),
      gate_(surroundings.gate),
      logger_(surroundings.logger),
      settings_(surroundings.settings),
      refusal_changed_(surroundings.refusal_changed),
      writer_(writer) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<AofPromise*>(timer.owner)->update(); };
}

AofPromise::~AofPromise() {
  env_.disarm(timer_);
}

AppendFsync AofPromise::policy() const {
  return kSimulation && settings_.plants->policy_kept ? first_policy_ : settings_.append_fsync;
}

void AofPromise::begin() {
  ASSERT(!active_ && writer_.is_open());
  active_ = true;
  first_policy_ = settings_.append_fsync;
  behind_since_ = unsynced_since_ = Instant::never();
  sync_began_ = env_.now();
  was_syncing_ = was_overdue_ = false;
  tainted_ = Error::none;
  refusal_.clear();
  update();
}

void AofPromise::end() {
  if (!active_) return;
  active_ = false;
  env_.disarm(timer_);
  close_gate();
  refusal_.clear();
  tainted_ = Error::none;
}

void AofPromise::forgive() {
  tainted_ = Error::none;
  update();
}

void AofPromise::update() {
  if (!active_) return;
  note_times();
  note_errors();
  start_sync_if_due();
  set_gate();
  arm();
}

void AofPromise::note_times() {
  const Instant now = env_.now();
  // What waited to be written is as old as that when it is.
  const Instant oldest_written = std::min(now, behind_since_);
  if (writer_.written() >= effects_.end_offset()) {
    behind_since_ = Instant::never();
  } else if (behind_since_ == Instant::never()) {
    behind_since_ = now;
  }
  // A sync that is over leaves what was written after its beginning.
  if (was_syncing_ && !writer_.syncing()) unsynced_since_ = sync_began_;
  was_syncing_ = writer_.syncing();
  if (writer_.synced() >= writer_.written()) {
    unsynced_since_ = Instant::never();
  } else if (unsynced_since_ == Instant::never()) {
    unsynced_since_ = oldest_written;
  } else {
    unsynced_since_ = std::min(unsynced_since_, oldest_written);
  }
}

void AofPromise::note_errors() {
  if (writer_.sync_error() != Error::none && tainted_ == Error::none) {
    tainted_ = writer_.sync_error();
  }
  const bool writing_fails = writer_.write_error() != Error::none;
  const Error error = writing_fails ? writer_.write_error() : tainted_;
  std::string refusal;
  if (error != Error::none) {
    refusal = fmt::format("MISCONF Errors {} the AOF file: {}",
                          writing_fails ? "writing to" : "syncing", describe(error));
  }
  if (refusal == refusal_) return;
  refusal_ = refusal;
  refusal_changed_();
  if (refusal_.empty()) {
    logger_.log(LogLevel::warning, "The AOF is written again. Commands that write are let in.");
  } else if (writing_fails) {
    logger_.log(
        LogLevel::warning,
        fmt::format("Error writing to the AOF file: {}. Commands that write are refused; the "
                    "write is tried again each second.",
                    describe(error)));
  } else {
    logger_.log(
        LogLevel::warning,
        fmt::format("Error syncing the AOF file: {}. The medium may lack what was written "
                    "since the last sync. Commands that write are refused until the AOF has "
                    "been rewritten.",
                    describe(error)));
  }
}

void AofPromise::start_sync_if_due() {
  if (writer_.syncing() || writer_.synced() >= writer_.written()) return;
  const Instant now = env_.now();
  switch (policy()) {
    case AppendFsync::no:
      // A file that is left is synced, whatever the policy.
      if (!writer_.is_cut()) return;
      break;
    case AppendFsync::everysec:
      if (writer_.is_cut()) break;
      if (rewriting_ && settings_.no_fsync_on_rewrite) return;
      if (now < std::min(sync_began_, unsynced_since_) + kSyncPeriod) return;
      break;
    case AppendFsync::always: break;
  }
  sync_began_ = now;
  writer_.sync();
  was_syncing_ = writer_.syncing();
}

// Something that was acknowledged two seconds ago may be missing on the medium.
bool AofPromise::overdue() const {
  if (policy() != AppendFsync::everysec) return false;
  if (rewriting_ && settings_.no_fsync_on_rewrite) return false;
  const Instant oldest = std::min(unsynced_since_, behind_since_);
  return oldest != Instant::never() && env_.now() >= oldest + kLossMax;
}

// The next write will not be done at once. The gate opens before there is one, so that it knows the
// keys that are written, and other replies of the same turn do not wait.
bool AofPromise::may_fall_behind() const {
  return writer_.syncing() || writer_.writing() || writer_.is_cut();
}

void AofPromise::set_gate() {
  if (failed()) {
    if (!source_) open_gate(writer_.synced(), false);
    if (!source_failed_) gate_.fail(*source_, refusal_);
    source_failed_ = true;
    return;
  }
  if (policy() == AppendFsync::always) {
    if (!source_) open_gate(writer_.synced(), true);
    if (source_failed_) {
      source_failed_ = false;
      gate_.recover(*source_, writer_.synced());
    } else {
      gate_.release(*source_, writer_.synced());
    }
    return;
  }
  const bool late = overdue();
  if (late && !was_overdue_) {
    ++delayed_;
    logger_.log(
        LogLevel::notice,
        "Asynchronous AOF fsync is taking too long (disk is busy?). Replies to commands that "
        "write wait for it.");
  }
  was_overdue_ = late;
  const bool behind = behind_since_ != Instant::never();
  const bool given_up = behind && env_.now() >= behind_since_ + patience();
  const bool waits = (behind || may_fall_behind()) && !given_up;
  if (!late && !waits) return close_gate();
  const uint64_t kept = late ? writer_.synced() : writer_.written();
  if (source_failed_) close_gate();
  if (!source_) return open_gate(kept, false);
  gate_.release(*source_, kept);
}

void AofPromise::open_gate(uint64_t offset, bool covers_past) {
  const bool wide = kSimulation && settings_.plants->gate_reopened_wide && ++times_opened_ > 1;
  source_ = gate_.open_source("aof", wide ? effects_.end_offset() : offset, covers_past);
  source_failed_ = false;
}

void AofPromise::close_gate() {
  if (source_) gate_.close_source(*source_);
  source_.reset();
  source_failed_ = false;
}

// The next moment at which time alone changes something.
void AofPromise::arm() {
  const Instant now = env_.now();
  Instant next = Instant::never();
  const auto at = [&](Instant moment) {
    if (moment > now) next = std::min(next, moment);
  };
  if (behind_since_ != Instant::never()) {
    at(behind_since_ + patience());
    at(behind_since_ + kLossMax);
  }
  if (policy() == AppendFsync::everysec && unsynced_since_ != Instant::never()) {
    at(unsynced_since_ + kLossMax);
    if (!writer_.syncing()) at(std::min(sync_began_, unsynced_since_) + kSyncPeriod);
  }
  env_.disarm(timer_);
  if (next != Instant::never()) env_.arm(timer_, next);
}

}  // namespace redoubt
