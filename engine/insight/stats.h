// What a node counts about itself, as INFO shows it. Reset by CONFIG RESETSTAT.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace redoubt {

class InfoRegistry;

// A rate over the last 16 samples (of 100 ms each).
class RateMeter {
 public:
  // `total` is the running count, `elapsed_ns` the time since the last sample.
  void sample(uint64_t total, int64_t elapsed_ns);
  uint64_t per_second() const;

 private:
  static constexpr size_t kSamples = 16;
  std::array<uint64_t, kSamples> rates_{};
  size_t next_ = 0;
  uint64_t last_total_ = 0;
};

// The largest value of the last eight seconds, from values that are noted now and then.
class RecentMaximum {
 public:
  // `second` is a count of seconds that does not go back.
  void note(int64_t second, uint64_t value);
  // As of `second`.
  uint64_t value(int64_t second) const;

 private:
  static constexpr size_t kSeconds = 8;
  struct Slot {
    int64_t second = -1;
    uint64_t value = 0;
  };
  std::array<Slot, kSeconds> slots_{};
};

struct Stats {
  // Counts an error reply by its code, the first word.
  void count_error(std::string_view text);

  uint64_t connections_received = 0;
  uint64_t commands_processed = 0;
  uint64_t net_input_bytes = 0;
  uint64_t net_output_bytes = 0;
  uint64_t rejected_connections = 0;
  uint64_t expired_keys = 0;
  uint64_t expired_parts = 0;
  uint64_t expire_cycle_time_cap = 0;  // rounds that ended by their bound on work
  double expired_stale_percent = 0;
  uint64_t expire_cycle_ns = 0;  // spent on removing what expires and nobody asks for
  uint64_t evicted_keys = 0;
  uint64_t evicted_clients = 0;
  uint64_t keyspace_hits = 0;
  uint64_t keyspace_misses = 0;
  uint64_t lazyfreed_objects = 0;
  uint64_t output_limit_disconnections = 0;
  uint64_t query_limit_disconnections = 0;
  uint64_t unexpected_errors = 0;
  uint64_t error_replies = 0;
  uint64_t reads_processed = 0;
  uint64_t writes_processed = 0;
  uint64_t denied_auth = 0;
  uint64_t transactions_rolled_back = 0;
  uint64_t peak_memory = 0;
  std::map<std::string, uint64_t, std::less<>> errors;  // by code, as INFO errorstats; bounded
  RateMeter commands_rate;
  RateMeter input_rate;
  RateMeter output_rate;
  RateMeter loop_turns_rate;
  RateMeter loop_busy_rate;  // nanoseconds
  // What the loop had done (Env::turns, Env::busy_time) when these counts began.
  uint64_t loop_turns_before = 0;
  uint64_t loop_busy_before_ns = 0;
};

// Registers the rows of INFO about them; `stats` outlives the registry.
void register_stats(InfoRegistry& registry, Stats& stats);

}  // namespace redoubt
