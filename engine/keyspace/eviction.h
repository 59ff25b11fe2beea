// Eviction: memory stays below maxmemory.
//
// A command that may need memory is let in when there is room for its data. When there is not, keys
// are evicted, as many as maxmemory-eviction-tenacity allows for one command; eviction then goes on
// between commands, a slice a turn. Meanwhile commands are let in as long as memory is at most a
// thirty-second above the limit; beyond, and when nothing can be evicted, they are refused.
//
// Nothing of this costs a command anything while there is enough room. When memory is summed, each
// database gets a mark on its allocator, and clients get one too, so that the sum stays below the
// limit while all of them are below their marks. A command that lifts a database above its mark, or
// clients that have come above theirs when a turn begins, have the sum taken anew. Only when little
// room is left, memory is tight (KeyRemover::on_tight), and each command that may need memory asks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/config/settings.h"
#include "engine/keyspace/access_clock.h"
#include "engine/keyspace/key_remover.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

class Eviction {
 public:
  // All of these outlive it.
  Eviction(Env& env, KeyRemover& keys, AccessClock& clock, Random& random,
           const Settings& settings);
  Eviction(const Eviction&) = delete;
  Eviction& operator=(const Eviction&) = delete;
  ~Eviction();

  void settings_changed();
  // Whether there is a limit.
  bool limited() const { return settings_.maxmemory > 0; }
  // A turn begins whose largest request has so many bytes. Only when limited().
  void begin_turn(size_t largest_request) {
    cut_short_ = false;
    if (tight_ || largest_request > request_mark_ || keys_.client_bytes() > client_mark_) {
      measure(largest_request);
    }
  }
  // Makes room for a command that brings so many bytes, as far as one command may. False: it is to
  // be refused.
  bool admit(size_t bytes);
  // A database is above its mark.
  void above_mark() { measure(0); }
  // Ten times a second.
  void cron();

 private:
  enum class Outcome : uint8_t { enough, unfinished, impossible };
  struct Candidate {
    uint64_t score = 0;  // larger goes first
    int db = 0;
    std::string key;
  };
  // The limits of one slice.
  struct Slice {
    Duration time;
    size_t keys;
  };
  static constexpr size_t kPoolSize = 16;

  Database& database(int db) { return *keys_.databases()[static_cast<size_t>(db)]; }
  size_t measure(size_t largest_request);
  void set_tight(bool tight);
  void set_marks(size_t room);
  Slice slice() const;
  Outcome evict_until(size_t target, Slice slice);
  void go_on();
  bool evict_one();
  bool evict_random(bool only_expiring);
  void sample_into_pool(int db, bool only_expiring);

  Env& env_;
  KeyRemover& keys_;
  AccessClock& clock_;
  Random& random_;
  const Settings& settings_;
  bool tight_ = false;
  size_t request_mark_ = 0;  // a larger request needs a closer look
  size_t client_mark_ = 0;   // bytes of clients above which memory is summed anew
  bool cut_short_ = false;   // in this turn a slice ended before there was room
  // The candidates seen so far, ascending by score; `pool_count_` in use. Sampling keeps finding
  // better ones, so the approximation of LRU and LFU improves with each round (the idea is Redis
  // 3.0's).
  std::array<Candidate, kPoolSize> pool_;
  size_t pool_count_ = 0;
  int random_db_ = 0;
  Timer timer_;
};

}  // namespace redoubt
