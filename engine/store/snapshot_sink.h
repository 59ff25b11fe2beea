// SnapshotSink: the receiver of the entries that a snapshot pass delivers.
//
// A small value comes whole, with its entry. A big one comes in parts, so that no step of a pass
// takes long: begin_value(), as many parts as it announced, end_value(); nothing else comes in
// between. Entries come in any order, and so do the parts of a hash, a set and a sorted set; those
// of a string, a list and a stream come in their order.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/store/entry.h"
#include "engine/store/stream_id.h"

namespace redoubt {

class StreamEntry;
struct StreamBlock;
class StreamIdempotency;

// Properties of a stream besides its entries.
struct StreamFacts {
  StreamId first_id;
  StreamId last_id;
  StreamId max_deleted_id;
  uint64_t entries_added = 0;
  uint64_t length = 0;
  size_t groups = 0;
  size_t blocks = 0;         // how many times stream_block() will be called
  size_t unowned = 0;        // pending entries that no consumer has, in all groups
  bool idempotency = false;  // whether stream_idempotency() will be called
};

struct StreamGroupFacts {
  std::string_view name;
  StreamId last_id;
  int64_t entries_read = 0;
  size_t consumers = 0;
  size_t pending = 0;
};

struct StreamConsumerFacts {
  std::string_view name;
  int64_t seen_ms = 0;
  int64_t active_ms = 0;
};

struct StreamPendingFacts {
  StreamId id;
  bool owned = false;  // false: it was given back, and `consumer` is empty
  std::string_view consumer;
  int64_t delivered_ms = 0;
  uint64_t deliveries = 0;
};

// All views are valid until the call returns. A sink must not change the database.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;

  // Whether it takes more now. It may be given up to 28 entries or 127 parts, those of one bucket,
  // or a part of 64 KB, beyond the one after which it takes no more.
  virtual bool takes_more() = 0;
  // The next entries are those of the database that had this index when the snapshot began.
  virtual void database(int index) = 0;

  // A whole entry as it was.
  virtual void entry(const Entry& entry) = 0;

  // A value that comes in parts. Of the header only key, type, encoding and expiry may be read. The
  // count is that of bytes, elements, members, fields, or entries of a stream.
  virtual void begin_value(const Entry& header, uint64_t count) = 0;
  virtual void end_value() = 0;
  // Called in front of begin_value() when fields of the hash, or members of the set, have
  // deadlines.
  virtual void expect_deadlines() {}

  virtual void string_bytes(std::string_view bytes) = 0;
  virtual void list_element(std::string_view text) = 0;
  // A deadline is Unix time in ms, or kNeverExpires (deadlines.h).
  virtual void set_member(std::string_view member, int64_t deadline_ms) = 0;
  virtual void hash_field(std::string_view name, std::string_view value, int64_t deadline_ms) = 0;
  virtual void zset_member(std::string_view member, double score) = 0;

  // A stream: its facts, its entries in order of id, each group with its consumers in order of name
  // and its pending entries in order of id, and the ids that producers have sent, if any.
  virtual void stream_facts(const StreamFacts& facts) = 0;
  // The next entries, `block.live` of them and at least one, stand in this block.
  virtual void stream_block(const StreamBlock& /*block*/) {}
  virtual void stream_entry(const StreamEntry& entry) = 0;
  virtual void stream_group(const StreamGroupFacts& group) = 0;
  virtual void stream_consumer(const StreamConsumerFacts& consumer) = 0;
  virtual void stream_pending(const StreamPendingFacts& pending) = 0;
  virtual void stream_idempotency(const StreamIdempotency& idempotency) = 0;
};

}  // namespace redoubt
