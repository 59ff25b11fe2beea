// Stream: entries by id in blocks (stream_block.h), consumer groups with what was delivered and not
// acknowledged yet, and what producers sent (stream_idempotency.h).
//
// A pending entry is one object that its group and its consumer both list in order of id
// (ordered_pages.h), so that all of XACK, XCLAIM and XPENDING are O(log n). What a stream takes is
// counted by ValueMemory, which also knows how many pieces there are to free.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "engine/store/digest.h"
#include "engine/store/ordered_pages.h"
#include "engine/store/snapshot_sink.h"
#include "engine/store/stream_block.h"
#include "engine/store/stream_id.h"
#include "engine/store/stream_idempotency.h"
#include "engine/store/value_pass.h"

namespace redoubt {

struct StreamConsumer;

// An entry that was delivered to a consumer and not acknowledged.
struct StreamPending {
  StreamId id;
  int64_t delivered_ms = 0;  // Unix time of the last delivery; 0: it was given back
  uint64_t deliveries = 1;
  StreamConsumer* consumer = nullptr;  // null: it was given back, and nobody has it

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
  int64_t seen_ms = 0;     // Unix time of its last attempt to do something
  int64_t active_ms = -1;  // of the last time when it got something; -1: never
  OrderedPages<StreamPending> pending;
  size_t name_size = 0;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  std::string_view key() const { return name(); }
};

// The name of who has a pending entry; empty when nobody has.
inline std::string_view owner_of(const StreamPending& pending) {
  return pending.consumer == nullptr ? std::string_view() : pending.consumer->name();
}

// Followed by the name.
struct StreamGroup {
  static constexpr int64_t kUnknown = -1;

  explicit StreamGroup(ValueMemory& stream) : memory(stream) {}

  ValueMemory memory;  // of what the group holds, without itself
  StreamId last_id;    // the last one delivered
  // How many of all entries ever added have an id up to last_id, when that is known.
  int64_t entries_read = kUnknown;
  OrderedPages<StreamPending> pending;
  OrderedPages<StreamPending, OrderByDelivery> by_delivery;  // the same ones
  size_t unowned = 0;                                        // of them, those that nobody has
  OrderedPages<StreamConsumer> consumers;
  size_t name_size = 0;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  std::string_view key() const { return name(); }
};

// What trimming does with entries that groups still refer to.
enum class StreamReferences : uint8_t {
  keep,          // the entry goes, the references stay
  remove,        // the references go too
  acknowledged,  // an entry goes only when every group has read and acknowledged it
};

struct StreamTrim {
  enum class Kind : uint8_t { none, length, id };
  Kind kind = Kind::none;
  bool whole_blocks = false;  // "~"
  uint64_t length = 0;
  StreamId id;
  uint64_t limit = 0;  // entries at most; 0: no limit
  StreamReferences references = StreamReferences::keep;
};

class Stream {
 public:
  explicit Stream(Allocator& allocator) : memory_(allocator) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  static Stream* make(Allocator& allocator);
  static Stream* copy(Allocator& to, const Stream& from);
  // Frees about `budget` pieces; true when everything is, the stream itself included.
  static bool free_some(Stream* stream, size_t& budget);

  size_t bytes() const { return memory_.bytes() + counted_size(sizeof(Stream)); }
  size_t pieces() const { return memory_.pieces() + 1; }

  // --- entries

  uint64_t length() const { return length_; }
  StreamId first_id() const { return first_id_; }  // 0-0 when there is none
  StreamId last_id() const { return last_id_; }    // of the last one ever added
  StreamId max_deleted_id() const { return max_deleted_id_; }
  uint64_t entries_added() const { return entries_added_; }
  // Sets what XSETID sets: the last id, how many entries were ever added and the largest id that
  // was deleted. What groups have not read stays the same; how far they have read follows from
  // that.
  void set_counts(StreamId last_id, uint64_t entries_added, StreamId max_deleted_id);

  // Adds an entry; its id is larger than last_id(). `fields` are names and values in turn.
  void append(StreamId id, std::span<const std::string_view> fields, const StreamLimits& limits);
  // The same in a new block.
  void append_block(StreamId id, std::span<const std::string_view> fields);
  // The same in the last block, which has room for it; `same_names`: its names are known to be
  // those of the block's first entry.
  void append_to_block(StreamId id, std::span<const std::string_view> fields, bool same_names);
  // Bytes of the last block.
  size_t last_block_bytes() const { return blocks_.empty() ? 0 : blocks_.back()->size; }
  // Deletes an entry; false when it is not there.
  bool erase(StreamId id);
  bool find(StreamId id, StreamEntry& entry) const;
  // How many entries there are from `start` to `end`, both included, at most `most` (0: no limit).
  uint64_t count_between(StreamId start, StreamId end, uint64_t most) const;
  // The largest id of an entry that is there; 0-0 when there is none.
  StreamId last_entry_id() const;
  // Removes the oldest entries; returns how many.
  // `reached` becomes the first one that was not looked at, or largest().
  uint64_t trim(const StreamTrim& how, StreamId* reached);

  size_t block_count() const { return blocks_.size(); }
  // What a snapshot says of it beside its parts.
  StreamFacts facts() const;
  // How many nodes a radix tree of the blocks' first ids has, as Redis would hold them.
  size_t radix_nodes() const;

  // --- groups

  // The passes that are open on it.
  PassList& passes() const { return passes_; }
  // The block with the first id that is not less; null when there is none.
  const StreamBlock* block_at_or_after(StreamId first) const {
    return blocks_.at(blocks_.lower_bound(first));
  }

  const OrderedPages<StreamGroup>& groups() const { return groups_; }
  const StreamGroup* find_group(std::string_view name) const { return groups_.find(name); }
  StreamGroup* find_group(std::string_view name) { return groups_.find(name); }
  // A group that does not exist yet.
  StreamGroup* add_group(std::string_view name, StreamId last_id, int64_t entries_read);
  // Removes a group. It is in the stream that is returned, which is to be freed; null when a pass
  // has taken that over.
  Stream* remove_group(StreamGroup& group);
  StreamConsumer* add_consumer(StreamGroup& group, std::string_view name, int64_t now_ms);
  void remove_consumer(StreamGroup& group, StreamConsumer& consumer);

  // Makes an entry pending; it is not pending in this group. A null consumer: nobody has it.
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

  // The group has read the entry of this id, the next one behind its last.
  void advance(StreamGroup& group, StreamId id) const;
  // The last id of the group becomes a larger one, whatever is between the two.
  void advance_over(StreamGroup& group, StreamId id) const;
  // The last id of the group becomes this one, the `entries_read`-th entry ever added, or kUnknown.
  // A number that the stream contradicts is not believed.
  void set_position(StreamGroup& group, StreamId id, int64_t entries_read) const;
  // How many entries were added up to this one, from the first ever; kUnknown when deletions hide
  // it.
  int64_t entries_up_to(StreamId id) const;
  // How many entries the group has not read; nothing when that cannot be told.
  std::optional<int64_t> lag(const StreamGroup& group) const;

  // --- what producers sent

  // Null until it is needed for the first time.
  StreamIdempotency* idempotency() const { return idempotency_; }
  // The same, made with these limits when there is none.
  StreamIdempotency& need_idempotency(const IdempotencyLimits& limits);
  // Begins anew with other limits; the counts go on. What was remembered is in the stream that is
  // returned, which is to be freed.
  Stream* restart_idempotency(const IdempotencyLimits& limits);

  void digest(Digest& digest) const;

 private:
  friend class StreamCursor;

  // Counts are shown, and travel, as signed numbers: one that has reached this stays.
  static constexpr auto kCountMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

  OrderedPages<StreamBlock>::Place block_of(StreamId id) const;
  OrderedPages<StreamBlock>::Place drop_block(OrderedPages<StreamBlock>::Place place);
  uint64_t trim_block(OrderedPages<StreamBlock>::Place place, const StreamTrim& how,
                      StreamId* last_removed);
  uint64_t trim_blocks(const StreamTrim& how);
  uint64_t trim_acknowledged(const StreamTrim& how, StreamId* reached);
  bool goes_whole(const StreamBlock& block, const StreamTrim& how) const;
  void remove_references(const StreamBlock& block);
  void find_first_id();
  bool may_miss_entries_after(StreamId id) const;
  bool knows_position(const StreamGroup& group) const;
  void count_added(StreamId id);
  int64_t checked_position(const StreamGroup& group, StreamId id, int64_t entries_read) const;
  void before_change(const StreamBlock& block) const;
  void before_pending(const StreamGroup& group, StreamId id, const StreamPending* pending) const;
  void before_idempotency_change() const;
  void insert_block(StreamBlock* block);
  void copy_group(const StreamGroup& from);
  static bool free_group(StreamGroup& group, size_t& budget);

  ValueMemory memory_;
  uint64_t length_ = 0;
  StreamId first_id_;
  StreamId last_id_;
  StreamId max_deleted_id_;
  uint64_t entries_added_ = 0;
  OrderedPages<StreamBlock> blocks_;
  OrderedPages<StreamGroup> groups_;
  StreamIdempotency* idempotency_ = nullptr;
  mutable PassList passes_;
};

// The live entries from `start` to `end`, both included, in order or in reverse. Valid until the
// stream changes.
class StreamCursor {
 public:
  StreamCursor(const Stream& stream, StreamId start, StreamId end, bool reverse);
  // False at the end.
  bool next(StreamEntry& entry);

 private:
  bool next_in_block(StreamEntry& entry) const;

  const Stream& stream_;
  StreamId start_;
  StreamId end_;
  bool reverse_;
  OrderedPages<StreamBlock>::Place place_;
  const StreamBlock* block_ = nullptr;
  mutable uint32_t offset_ = 0;
};

}  // namespace redoubt
