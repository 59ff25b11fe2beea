// Whole walks of SCAN, HSCAN, SSCAN and ZSCAN: whatever is there from the beginning of a walk to
// its end has to come at least once, however much is added and removed meanwhile. And draws at
// random: over many of the same collection, each element has to come about as often as any other.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/checkers/side_checker.h"

namespace redoubt::sim {

class ScanChecker final : public SideChecker {
 public:
  using SideChecker::SideChecker;
  void node_ended() override { walks_.clear(); }
  void done(const CheckedCommand& command) override;
  void evicted(int database, std::string_view key) override { removed(database, key); }
  void expired(int database, std::string_view key) override { removed(database, key); }
  void parts_expired(int database, std::string_view key) override { part_removed(database, key); }
  void session_closed(uint64_t session) override { walks_.erase(session); }

  // How the walk of a session goes on: the words of its next command; nothing without a walk.
  std::vector<std::string> next_words(uint64_t session) const;
  // A planted bug: what comes in a page is overlooked now and then.
  void overlook_one_in(uint64_t pages) { overlooked_ = pages; }

 private:
  struct Walk {
    std::vector<std::string> words;  // of the command; words[cursor_at] is the cursor
    size_t cursor_at = 1;
    int database = 0;
    std::set<std::string, std::less<>> steady;  // there since the beginning, and not seen yet
    uint64_t pages = 0;
  };
  void begin_walk(const CheckedCommand& command);
  void take_page(Walk& walk, const CheckedCommand& command);
  void removed(int database, std::string_view key);
  void part_removed(int database, std::string_view key);
  void keep_steady(Walk& walk, const CheckedCommand& command);
  std::set<std::string, std::less<>> elements(int database, std::string_view key) const;

  std::map<uint64_t, Walk> walks_;
  uint64_t overlooked_ = 0;
  uint64_t pages_ = 0;
};

// Draws from a small collection of the node, chosen by a number, until each element has to have
// come; what is uneven, or nothing.
std::string check_draws(Node& node, uint64_t chosen);

}  // namespace redoubt::sim
