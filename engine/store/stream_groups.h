// StreamGroups: the part of a stream (stream.h) that consumer groups are: their consumers, and
// pending entries, which were delivered and are not acknowledged yet.
//
// A pending entry is one object that its group and its consumer both list in order of id
// (ordered_pages.h), so that all of XACK, XCLAIM and XPENDING are O(log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/store/ordered_pages.h"
#include "engine/store/stream_id.h"
#include "engine/store/value_pass.h"

namespace redoubt {

struct StreamConsumer;

// An entry that was delivered to a consumer and not acknowledged.
struct StreamPending {
  StreamId id;
  int64_t delivered_ms = 0;  // Unix time of the last delivery; 0: it was given back
  uint64_t deliveries = 1;
  StreamConsumer* consumer = nullptr;  // null: it was given back, and no consumer has it

  StreamId key() const { return id; }
};

// The order of pending entries in which they become idle: the longest since its delivery first.
struct OrderByDelivery {
  struct Key {
    int64_t delivered_ms;
    StreamId id;
    auto operator<=>(const Key&) const = default;
  };
  static Key key(const StreamPending& pending) { return {pending.delivered_ms, pending.id}; }
};

// Followed by the name.
struct StreamConsumer {
  int64_t seen_ms = 0;     // Unix time of its last command
  int64_t active_ms = -1;  // of the last time when it got an entry; -1: never
  OrderedPages<StreamPending> pending;
  size_t name_size = 0;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  std::string_view key() const { return name(); }
};

// The name of the consumer that has a pending entry; empty when none has.
inline std::string_view owner_of(const StreamPending& pending) {
  return pending.consumer == nullptr ? std::string_view() : pending.consumer->name();
}

// Followed by the name.
struct StreamGroup {
  static constexpr int64_t kUnknown = -1;

  explicit StreamGroup(ValueMemory& stream) : memory(stream) {}

  ValueMemory memory;  // of consumers and pending entries, not of the group itself
  StreamId last_id;    // the last one delivered
  // How many of all entries ever added have an id up to last_id, when that is known.
  int64_t entries_read = kUnknown;
  OrderedPages<StreamPending> pending;
  OrderedPages<StreamPending, OrderByDelivery> by_delivery;  // the same ones
  size_t unowned = 0;                                        // of them, those that no consumer has
  OrderedPages<StreamConsumer> consumers;
  size_t name_size = 0;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  std::string_view key() const { return name(); }
};

class StreamGroups {
 public:
  StreamGroups(const StreamGroups&) = delete;
  StreamGroups& operator=(const StreamGroups&) = delete;

  // The passes that are open on the stream.
  PassList& passes() const { return passes_; }

  const OrderedPages<StreamGroup>& groups() const { return groups_; }
  const StreamGroup* find_group(std::string_view name) const { return groups_.find(name); }
  StreamGroup* find_group(std::string_view name) { return groups_.find(name); }
  // Adds a group that does not exist yet.
  StreamGroup* add_group(std::string_view name, StreamId last_id, int64_t entries_read);
  // Adds a consumer that does not exist yet.
  StreamConsumer* add_consumer(StreamGroup& group, std::string_view name, int64_t now_ms);
  // Removes a consumer with its pending entries.
  void remove_consumer(StreamGroup& group, StreamConsumer& consumer);

  // Makes an entry pending that is not pending in this group. A null consumer: no consumer has it.
  StreamPending* add_pending(StreamGroup& group, StreamConsumer* consumer, StreamId id,
                             int64_t delivered_ms);
  void remove_pending(StreamGroup& group, StreamPending* pending);
  // Gives a pending entry, delivered at this time, to another consumer or the same, or, with null,
  // back to the group.
  void assign(StreamGroup& group, StreamPending& pending, StreamConsumer* consumer,
              int64_t delivered_ms);
  // Whether every group has read and acknowledged an entry.
  bool is_acknowledged(StreamId id) const;
  // Removes an entry from all groups' pending entries.
  void remove_references(StreamId id);

 protected:
  explicit StreamGroups(Allocator& allocator) : memory_(allocator) {}
  ~StreamGroups() = default;

  // Moves a group to another stream with the same allocator.
  void move_group(StreamGroup& group, StreamGroups& to);
  void copy_groups(const StreamGroups& from);
  // Frees about `budget` pieces of groups; true when all are freed. The budget becomes the unused
  // part.
  bool free_groups(size_t& budget);

  ValueMemory memory_;  // of the whole stream
  OrderedPages<StreamGroup> groups_;
  mutable PassList passes_;

 private:
  void before_pending(const StreamGroup& group, StreamId id, const StreamPending* pending) const;
  void copy_group(const StreamGroup& from);
  static bool free_group(StreamGroup& group, size_t& budget);
};

}  // namespace redoubt
