// Expiry: removes expired keys, and expired parts of values, that no command asks for.
//
// The dict finds entries that fall due without reading others (dict.h), so a step costs next to
// nothing while nothing is due. Work is bounded by count: a step removes up to about a thousand
// keys, which takes a millisecond; if there is more, the next step follows after a pause, which is
// shorter with a larger active-expire-effort.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/settings.h"
#include "engine/insight/stats.h"
#include "engine/keyspace/key_remover.h"
#include "net/env.h"

namespace redoubt {

class Expiry {
 public:
  // All of these outlive it.
  Expiry(Env& env, KeyRemover& keys, const Settings& settings, Stats& stats);
  Expiry(const Expiry&) = delete;
  Expiry& operator=(const Expiry&) = delete;
  ~Expiry();

  // Ten times a second or so; it goes on by itself when there is more than a step may do.
  void step();
  void set_active(bool on) { active_ = on; }

 private:
  bool expire_keys(int db, size_t& budget);
  bool expire_parts(int db, size_t& budget);

  Env& env_;
  KeyRemover& keys_;
  const Settings& settings_;
  Stats& stats_;
  bool active_ = true;
  size_t next_db_ = 0;  // where the next step begins
  std::vector<uint64_t> cursors_;
  std::vector<Entry*> due_;  // kept for its memory
  std::string key_;
  Timer timer_;
};

}  // namespace redoubt
