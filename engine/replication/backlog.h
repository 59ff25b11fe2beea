// Backlog: the last bytes of the stream of effects, kept for replicas that come back.
//
// It is a reader of the log that stays behind by repl-backlog-size. So the bytes exist once: what a
// slow replica still needs is there for the others, too.
#pragma once

#include <cstdint>

#include "engine/effects/effect_log.h"

namespace redoubt {

class Backlog final : private EffectReader {
 public:
  explicit Backlog(EffectLog& effects) : effects_(effects) {}

  // Keeps the bytes from now on. Not inside a group of effects.
  void start() {
    if (!attached()) effects_.attach(*this);
  }
  void stop() {
    if (attached()) effects_.detach(*this);
  }
  bool active() const { return attached(); }
  void set_size(uint64_t bytes) { size_ = bytes; }
  // Offsets of the first byte that a replica can continue with, and behind the last.
  uint64_t first() const { return effects_.first_offset(); }
  uint64_t end() const { return effects_.end_offset(); }

 private:
  void on_entry(const EffectEntry& /*entry*/) override {
    // In large steps: whole segments are freed.
    if (unread() >= size_ + EffectLog::kSegmentBytes) take(unread() - size_);
  }

  EffectLog& effects_;
  uint64_t size_ = uint64_t{1} << 20;
};

}  // namespace redoubt
