// Client-side caching: messages to clients about keys that have changed.
//
// A client in the default mode is remembered for the keys that its read-only commands name; when
// one of them changes, the client gets one message and is forgotten for this key. Keys are
// remembered by name, not by database, as Redis does. The table is bounded by
// tracking-table-max-keys: beyond it, the clients of the oldest key get a message as if it had
// changed.
//
// A client in broadcasting mode (BCAST) names prefixes instead, and gets one message a turn with
// all keys that begin with one of them and have changed in the turn.
//
// A message goes to the client itself as a push of RESP3, or (REDIRECT) to another connection: as a
// push, or in RESP2 as a message of the channel __redis__:invalidate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/command/command.h"
#include "engine/keyspace/key_listener.h"

namespace redoubt {

class Clients;
class Session;

// The options of CLIENT TRACKING ON, and the state of a session that tracks.
struct TrackingOptions {
  bool broadcast = false;
  bool opt_in = false;
  bool opt_out = false;
  bool no_loop = false;   // no messages about its own changes
  uint64_t redirect = 0;  // the session that gets the messages; 0: this one
  std::vector<std::string> prefixes;
};

struct TrackingState {
  TrackingOptions options;              // without its prefixes
  std::set<std::string_view> prefixes;  // all that were given; the table's own texts
  bool caching = false;                 // CLIENT CACHING YES or NO was the command before
  bool broken_redirect = false;

  // Without the prefixes, which count as part of the table.
  size_t memory_bytes() const { return sizeof *this; }
};

class Tracking final : public KeyListener {
 public:
  explicit Tracking(Clients& clients) : clients_(clients) {}
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  // Whether any client tracks.
  bool active() const { return !sessions_.empty(); }

  // Switches tracking on, or to other options of the same mode; prefixes are added to those that
  // the session has.
  void enable(Session& session, TrackingOptions options);
  void disable(Session& session);
  // The connection is gone.
  void session_closed(Session& session);

  // A read-only command of a session that tracks was executed.
  void remember_keys(Session& session, const Command& row, std::span<const std::string_view> args);
  void on_key_changed(int db, std::string_view key) override;
  // All keys may have changed.
  void on_flushed() override;
  // Sends the changes of this turn to clients in broadcasting mode.
  void broadcast();
  // Whether there are such changes.
  bool broadcast_due() const { return !due_.empty(); }
  // Frees superfluous tables in slices; ten times a second.
  void clean();
  // Keeps the table within tracking-table-max-keys.
  void enforce_limit();

  // As INFO shows them.
  size_t session_count() const { return sessions_.size(); }
  size_t key_count() const { return table_.size(); }
  size_t item_count() const { return items_; }
  size_t prefix_count() const { return prefixes_.size(); }
  // Bytes of the table and of the prefixes, as counted.
  size_t memory_bytes() const { return table_bytes_ + prefix_bytes_; }

 private:
  // A key of the table, on a list from the oldest to the newest.
  struct TrackedKey {
    const std::string* key = nullptr;
    std::vector<uint64_t> sessions;  // ascending
    TrackedKey* older = nullptr;
    TrackedKey* newer = nullptr;
  };
  using Table = std::map<std::string, TrackedKey, std::less<>>;
  struct Prefix {
    std::map<uint64_t, Session*> sessions;
    std::map<std::string, uint64_t, std::less<>> changed;  // key -> the session that changed it
  };

  void remember(std::string_view key, uint64_t session);
  void note_for_broadcast(std::string_view key);
  void tell_and_forget(Table::iterator found, bool spare_current);
  Table::iterator unlink(Table::iterator found);
  void broadcast_prefix(Prefix& prefix);
  void join_prefix(Session& session, std::string&& text);
  void leave_prefixes(Session& session);
  // Sends "invalidate" with `keys`, an encoded array; empty for the null that means all keys.
  void tell(Session& session, std::string_view keys);
  static size_t bytes_of(const TrackedKey& tracked);

  Clients& clients_;
  std::map<uint64_t, Session*> sessions_;   // those that track
  std::map<uint64_t, Session*> redirects_;  // those that get messages of others, while they live
  Table table_;
  TrackedKey* oldest_ = nullptr;
  TrackedKey* newest_ = nullptr;
  size_t items_ = 0;
  size_t table_bytes_ = 0;
  size_t prefix_bytes_ = 0;
  std::vector<Table> garbage_;  // tables of the past, to be freed in slices
  std::map<std::string, Prefix, std::less<>> prefixes_;
  std::map<size_t, size_t> prefix_lengths_;  // length -> how many prefixes have it
  std::map<std::string_view, Prefix*> due_;  // those with changed keys
};

}  // namespace redoubt
