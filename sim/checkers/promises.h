// Promises of the node that no reply shows: that data stands still while CLIENT PAUSE lasts, that
// memory beyond maxmemory is refused, that what it counts is what has happened, and that eviction
// takes what it should.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "sim/checkers/side_checker.h"
#include "sim/random.h"

namespace redoubt::sim {

// While CLIENT PAUSE lasts nothing changes data, and with ALL nothing is executed.
class PauseChecker final : public SideChecker {
 public:
  using SideChecker::SideChecker;
  void node_ended() override;
  void began(const CheckedCommand& command) override;
  void done(const CheckedCommand& command) override;
  void effect(std::span<const std::string_view> words) override;

 private:
  enum class Mode : uint8_t { none, write, all };
  bool holds() const;

  Mode mode_ = Mode::none;
  Instant until_;
  // What the command under way, or its transaction, has begun or ended itself does not bind it.
  bool changed_within_ = false;
};

// What INFO counts of keys: hits and misses of simple reads, expired and evicted keys.
class StatisticsChecker final : public SideChecker {
 public:
  using SideChecker::SideChecker;
  void node_started(Node& node) override;
  void began(const CheckedCommand& command) override;
  void done(const CheckedCommand& command) override;
  void turn_ended() override { begin_anew(); }
  // The command has met a value of which parts had expired, perhaps all.
  void parts_expired(int, std::string_view) override { unseen_ = true; }
  void evicted(int, std::string_view) override { ++evicted_; }
  void expired(int, std::string_view) override { ++expired_; }
  // Somebody else has asked the node for keys.
  void begin_anew();

 private:
  void check_info(std::string_view reply, int64_t now_ms);

  uint64_t expired_ = 0;
  uint64_t evicted_ = 0;
  uint64_t hits_ = 0;  // as the node had counted before this command
  uint64_t misses_ = 0;
  int64_t expected_hits_ = -1;  // of this command; -1: not known
  int64_t expected_misses_ = 0;
  bool unseen_ = false;  // something was looked for that no command told of
};

// When and how often keys were used, as OBJECT IDLETIME and OBJECT FREQ say. It follows the keys
// that only Asides::quiet() names.
class AccessChecker final : public SideChecker {
 public:
  using SideChecker::SideChecker;
  void node_started(Node& node) override;
  void began(const CheckedCommand& command) override;
  void done(const CheckedCommand& command) override;
  void evicted(int database, std::string_view key) override {
    uses_.erase({database, std::string(key)});
  }
  void turn_ended() override;

 private:
  using Place = std::pair<int, std::string>;
  struct Use {
    Instant last;
    // Bounds of the counter of an LFU policy at that time.
    int64_t least = 0;
    int64_t most = 0;
  };
  Duration cron_period() const;
  Use decayed(const Use& use, Instant now) const;
  void used(const CheckedCommand& command, const Place& place);
  void check_idle(const CheckedCommand& command, const Use& use);
  void check_frequency(const CheckedCommand& command, const Use& use);

  std::map<Place, Use> uses_;
  EvictionPolicy policy_ = EvictionPolicy::noeviction;
  bool was_there_ = false;  // the key, before the command
  Instant last_turn_;
  Instant unsure_until_;  // the node stood still, and its clock may be late
};

// Victims of volatile policies had a deadline; those of the policies that rank are, over a run,
// worse than the keys that stay; and what noeviction cannot hold is refused.
class EvictionChecker final : public SideChecker {
 public:
  EvictionChecker(const Model& model, Report report, Random random)
      : SideChecker(model, std::move(report)), random_(random) {}
  void node_started(Node& node) override;
  void done(const CheckedCommand& command) override;
  void evicted(int database, std::string_view key) override;
  void session_closed(uint64_t session) override { queued_denied_.erase(session); }
  void turn_ended() override;

 private:
  using Place = std::pair<int, std::string>;
  struct Use {
    Instant last;
    uint64_t count = 0;
  };
  bool is_denied(const CheckedCommand& command);
  int compare(const Use& victim, const ModelEntry& entry, const Use& other_use,
              const ModelEntry& other) const;
  void check_rank(const Place& victim, const ModelEntry& entry);
  uint64_t limit_now() const;

  Random random_;
  std::map<Place, Use> uses_;
  EvictionPolicy policy_ = EvictionPolicy::noeviction;
  int64_t offset_ms_ = 0;     // of the wall clock from the other one
  uint64_t compared_ = 0;     // victims with all other keys
  uint64_t comparisons_ = 0;  // in which the two keys differ enough
  uint64_t better_ = 0;       // of these, where the other key should have gone rather
  // Memory was far over the limit behind the last turn and behind each command since.
  bool over_since_turn_ = false;
  // Sessions whose transaction has a command that is denied when memory is used up.
  std::set<uint64_t> queued_denied_;
  bool far_over() const;
};

}  // namespace redoubt::sim
