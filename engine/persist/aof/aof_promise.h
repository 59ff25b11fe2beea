// AofPromise: what appendfsync promises, kept with the reply gate.
//
//   always    no reply leaves before its entry is on the medium. The gate is always open.
//   everysec  what was acknowledged two seconds ago is on the medium; and what was acknowledged is
//             in the file, so that the end of the process alone loses nothing. Where the page cache
//             takes a write at once, replies need not wait for it. Otherwise they wait, at most
//             for kPatience: a disk that stalls holds nobody up for longer, as long as nothing that
//             is two seconds old is missing on the medium. Then writers wait until it is there.
//   no        as everysec, without syncs and without the two seconds.
//
// After an error of a write or a sync, replies that wait become errors, and commands that write are
// refused. A write is tried again each second. A sync that has failed says that the medium may lack
// anything since the last one: only a rewritten log mends that (forgive()).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/dispatch/admission.h"
#include "engine/effects/effect_log.h"
#include "engine/effects/reply_gate.h"
#include "engine/insight/logger.h"
#include "engine/persist/aof/aof_writer.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "net/env.h"

namespace redoubt {

class AofPromise {
 public:
  static constexpr Duration kPatience = Duration::milliseconds(10);
  // While a rewrite begins: the next increment is listed by the manifest soon.
  static constexpr Duration kCutPatience = Duration::seconds(1);
  static constexpr Duration kSyncPeriod = Duration::seconds(1);
  static constexpr Duration kLossMax = Duration::seconds(2);
  static constexpr Duration kRetryPeriod = Duration::seconds(1);

  struct Surroundings {
    Env& env;
    EffectLog& effects;
    ReplyGate& gate;
    const Logger& logger;
    const PersistSettings& settings;
    std::function<void()> refusal_changed;
  };

  // All of these and the writer outlive it.
  AofPromise(const Surroundings& surroundings, AofWriter& writer);
  AofPromise(const AofPromise&) = delete;
  AofPromise& operator=(const AofPromise&) = delete;
  ~AofPromise();

  // The log is on from now on, or off. What is written and synced so far counts as kept.
  void begin();
  void end();

  // The facts have changed: the writer's, the settings, or effects were appended.
  void update();
  // The data is in a new base: what failed before does not matter any more.
  void forgive();
  // No syncs for now: a rewrite needs the disk (no-appendfsync-on-rewrite).
  void set_rewriting(bool rewriting) { rewriting_ = rewriting; }

  // Why commands that write are refused, a whole error line; empty: they are not.
  const std::string& refusal() const { return refusal_; }
  bool failed() const { return !refusal_.empty(); }
  // A sync has failed since the last rewrite.
  bool tainted() const { return tainted_ != Error::none; }
  // How often replies had to wait because a sync took too long.
  uint64_t delayed() const { return delayed_; }

 private:
  void note_times();
  void note_errors();
  void start_sync_if_due();
  void set_gate();
  void arm();
  void open_gate(uint64_t offset, bool covers_past);
  void close_gate();
  AppendFsync policy() const;
  bool overdue() const;
  bool may_fall_behind() const;
  Duration patience() const { return writer_.is_cut() ? kCutPatience : kPatience; }

  Env& env_;
  EffectLog& effects_;
  ReplyGate& gate_;
  const Logger& logger_;
  const PersistSettings& settings_;
  const std::function<void()> refusal_changed_;
  AofWriter& writer_;

  bool active_ = false;
  // For planted bugs.
  AppendFsync first_policy_ = AppendFsync::no;
  uint64_t times_opened_ = 0;
  bool rewriting_ = false;
  std::optional<ReplyGate::Source> source_;
  bool source_failed_ = false;
  Instant behind_since_ = Instant::never();    // something is not written
  Instant unsynced_since_ = Instant::never();  // something that is written is not synced
  Instant sync_began_;                         // the last one
  bool was_syncing_ = false;
  bool was_overdue_ = false;
  Error tainted_ = Error::none;
  std::string refusal_;
  uint64_t delayed_ = 0;
  Timer timer_;
};

}  // namespace redoubt
