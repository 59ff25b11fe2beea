// Who has to be told that keys have changed: listeners to keyspace events, and clients that track
// (CLIENT TRACKING). Which keys a command has changed says the model, by comparing them before and
// after it.
//
// Events: a key that has changed has at least one; the one that the command is known for, and one
// that says so when the key is gone. No event is about a key that the command did not name and that
// nothing removed. Each comes by key and by event.
//
// Tracking: a client that has read a key is told once when it changes; one in broadcasting mode of
// each key that begins with one of its prefixes; with NOLOOP not of its own changes. Whoever was
// told of a key is not told again before it has named the key again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/checkers/side_checker.h"

namespace redoubt::sim {

// Finds out which keys a command has changed.
class KeyChangeFinder {
 public:
  struct Change {
    int database = 0;
    std::string key;
    bool was_there = false;
    bool is_there = false;
  };

  explicit KeyChangeFinder(const Model& model) : model_(model) {}
  void began(const CheckedCommand& command);
  // What the command changed of what it names.
  std::vector<Change> done(const CheckedCommand& command);

 private:
  struct Before {
    int database;
    std::string key;
    std::optional<ModelEntry> entry;
  };
  const Model& model_;
  std::vector<Before> before_;
};

// A command that may change any key of a database: its keys are not compared.
bool changes_databases(std::span<const std::string_view> args);

class KeyEventChecker final : public SideChecker {
 public:
  KeyEventChecker(const Model& model, Report report)
      : SideChecker(model, std::move(report)), finder_(model) {}
  void node_ended() override;
  void began(const CheckedCommand& command) override;
  void done(const CheckedCommand& command) override;
  void evicted(int database, std::string_view key) override { removed(database, key, "evicted"); }
  void expired(int database, std::string_view key) override { removed(database, key, "expired"); }
  void parts_expired(int database, std::string_view key) override;
  void pushed(uint64_t session, std::string_view message) override;
  void session_closed(uint64_t session) override { listeners_.erase(session); }

  // True: the message is about a key, and no other checker's.
  static bool is_event(std::string_view message);

 private:
  using Place = std::pair<int, std::string>;
  void removed(int database, std::string_view key, std::string_view event);
  bool wants_all() const;
  // `complete`: it was listening when the command began.
  void check_events(const CheckedCommand& command);
  bool has_event(const Place& place, std::string_view event) const;

  KeyChangeFinder finder_;
  // Of listeners to everything: since when, by commands; and what one of them has heard.
  std::set<uint64_t> listeners_;
  std::map<Place, std::vector<std::string>> heard_;  // by key
  std::map<Place, std::vector<std::string>> heard_by_event_;
  std::set<Place> removed_;
  // Of the commands of a transaction.
  std::vector<KeyChangeFinder::Change> changes_;
  std::vector<std::pair<Place, std::string>> wanted_;
  std::set<std::string, std::less<>> named_;
  bool uncertain_ = false;
};

class TrackingChecker final : public SideChecker {
 public:
  TrackingChecker(const Model& model, Report report)
      : SideChecker(model, std::move(report)), finder_(model) {}
  void node_ended() override;
  void began(const CheckedCommand& command) override;
  void done(const CheckedCommand& command) override;
  void evicted(int database, std::string_view key) override { gone(database, key); }
  void expired(int database, std::string_view key) override { gone(database, key); }
  void parts_expired(int database, std::string_view key) override { gone(database, key); }
  void pushed(uint64_t session, std::string_view message) override;
  void session_closed(uint64_t session) override;
  void waits(uint64_t session, std::span<const std::string_view> args) override;
  void turn_ended() override;

  static bool is_invalidation(std::string_view message);

 private:
  struct Tracker {
    bool broadcast = false;
    bool opt_in = false;
    bool opt_out = false;
    bool no_loop = false;
    bool caching = false;
    uint64_t redirect = 0;
    std::set<std::string, std::less<>> prefixes;
  };
  void switch_tracking(const CheckedCommand& command);
  void remember_keys(const CheckedCommand& command);
  void changed(std::string_view key, uint64_t by);
  void gone(int database, std::string_view key);
  void owe(uint64_t to, std::string_view key);
  void settle();
  void forget(uint64_t session);
  void note_named(uint64_t session, std::span<const std::string_view> args);
  void note_told(uint64_t session, const std::string& key);
  bool is_target(uint64_t session) const;
  bool may_overflow() const;
  void check_superfluous();

  KeyChangeFinder finder_;
  std::map<uint64_t, Tracker> trackers_;
  std::map<std::string, std::set<uint64_t>, std::less<>> remembered_;
  // Messages that are owed: to whom, and the key, or nothing for all keys.
  using Debt = std::pair<uint64_t, std::optional<std::string>>;
  // Nothing is owed to the session any more.
  void forgive(uint64_t session);
  void stop_tracking(uint64_t session);
  // What the node knows of the session.
  void copy_tracker(uint64_t id);

  int unclear_turns_ = 0;  // somebody has switched tracking: messages of before are on their way
  std::set<Debt> owed_;
  std::set<Debt> owed_by_broadcast_;
  std::set<Debt> broadcast_last_turn_;
  std::set<Debt> seen_;
  std::set<Debt> seen_without_loop_;  // of them, by clients with NOLOOP
  std::set<uint64_t> in_multi_;
  std::set<uint64_t> resp3_;                   // sessions that speak it
  std::set<std::string, std::less<>> others_;  // keys that something else has changed
  std::map<std::string, std::set<uint64_t>, std::less<>> changers_;  // in this turn
  // Who may be remembered for a key: whoever named it while its reads counted.
  // A message ends it, until the key is named again.
  std::map<std::string, std::set<uint64_t>, std::less<>> named_by_;
  std::set<Debt> named_now_;    // in this turn
  std::set<Debt> superfluous_;  // messages of keys that nobody had named
};

}  // namespace redoubt::sim
