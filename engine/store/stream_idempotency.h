// StreamIdempotency: records of a stream about its producers' messages, so that a message that is
// sent twice is added once (XADD IDMP).
//
// A record says which entry a producer's message became. It is forgotten when the producer has sent
// `maxsize` newer ones, and counts as forgotten `duration` after it was made. Nothing here knows a
// clock: the caller gives the time, and records that are too old are removed when another one is
// made, a few at a time. So the records of a stream follow from the records that were made and
// their times alone, and a replica that makes the same ones has the same.
//
// Records are numbered. Each producer has its own in the order of their ids and in that of their
// numbers; producers stand in the order of their names and in that of their oldest record, so that
// the oldest of all is found at once.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/store/digest.h"
#include "engine/store/ordered_pages.h"
#include "engine/store/stream_id.h"

namespace redoubt {

// How long records are kept, and how many of each producer.
struct IdempotencyLimits {
  static constexpr int64_t kDurationMax = 86'400;
  static constexpr int64_t kRecordsMax = 10'000;

  int64_t duration_s = 100;
  int64_t maxsize = 100;

  bool operator==(const IdempotencyLimits&) const = default;
};

// A message that became an entry. Followed by its idempotent id.
struct IdempotentRecord {
  StreamId entry;
  int64_t made_ms = 0;  // Unix time
  uint64_t number = 0;  // counts all records of the stream
  size_t id_size = 0;

  std::string_view id() const { return {reinterpret_cast<const char*>(this + 1), id_size}; }
  std::string_view key() const { return id(); }
};

struct OrderByNumber {
  static uint64_t key(const IdempotentRecord& record) { return record.number; }
};

// Followed by the name. It has a record at least.
struct IdempotentProducer {
  OrderedPages<IdempotentRecord> by_id;
  OrderedPages<IdempotentRecord, OrderByNumber> by_age;
  size_t name_size = 0;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  std::string_view key() const { return name(); }
};

struct OrderByOldest {
  static uint64_t key(const IdempotentProducer& producer) {
    return producer.by_age.front()->number;
  }
};

class StreamIdempotency {
 public:
  // Records that are too old and are removed when one is made.
  static constexpr size_t kForgottenAtOnce = 16;

  static StreamIdempotency* make(ValueMemory& stream, const IdempotencyLimits& limits);
  static StreamIdempotency* copy(ValueMemory& stream, const StreamIdempotency& from);
  // Frees about `budget` pieces; true when everything is, the object itself included.
  static bool free_some(ValueMemory& stream, StreamIdempotency* object, size_t& budget);

  StreamIdempotency(const StreamIdempotency&) = delete;
  StreamIdempotency& operator=(const StreamIdempotency&) = delete;

  const IdempotencyLimits& limits() const { return limits_; }
  void set_limits(const IdempotencyLimits& limits) { limits_ = limits; }

  // The record of a message; null when there is none that counts at this time.
  const IdempotentRecord* find(std::string_view producer, std::string_view id,
                               int64_t now_ms) const;
  // Makes a record, in place of one that the message has.
  void record(std::string_view producer, std::string_view id, StreamId entry, int64_t now_ms);
  // Puts a record back that has been saved. Records come in order of their numbers. False, and
  // nothing changes, when the producer has one with this id, or the number is not a new one.
  bool restore(std::string_view producer, std::string_view id, StreamId entry, int64_t made_ms,
               uint64_t number);
  // Calls visit(const IdempotentProducer&) for all, in order of their names.
  template <typename Visit>
  void for_each_producer(Visit&& visit) const {
    for (auto place = by_name_.first(); const IdempotentProducer* producer = by_name_.at(place);
         place = by_name_.next(place)) {
      visit(*producer);
    }
  }

  size_t producers() const { return by_name_.size(); }
  size_t records() const { return records_; }
  // Records that were ever made. The next one gets this number.
  uint64_t made() const { return made_; }
  void set_made(uint64_t count) { made_ = count; }
  // Messages that were not added again. Says nothing about the data, so replicas do not know it.
  uint64_t duplicates() const { return duplicates_; }
  void set_duplicates(uint64_t count) { duplicates_ = count; }

  // Its memory becomes that of another stream.
  void move_to(ValueMemory& from, ValueMemory& to);

  void digest(Digest& digest) const;

 private:
  StreamIdempotency(ValueMemory& stream, const IdempotencyLimits& limits)
      : memory_(stream), limits_(limits) {}

  bool counts(const IdempotentRecord& record, int64_t now_ms) const;
  IdempotentProducer* add_producer(std::string_view name);
  void add(IdempotentProducer& producer, std::string_view id, StreamId entry, int64_t made_ms,
           uint64_t number);
  void remove(IdempotentProducer& producer, IdempotentRecord& record);
  void forget_old(int64_t now_ms);
  void free_record(IdempotentRecord* record);
  void free_producer(IdempotentProducer* producer);

  ValueMemory memory_;  // of the records, not of this object
  IdempotencyLimits limits_;
  uint64_t made_ = 0;
  uint64_t duplicates_ = 0;
  size_t records_ = 0;
  OrderedPages<IdempotentProducer> by_name_;
  OrderedPages<IdempotentProducer, OrderByOldest> by_oldest_;
};

}  // namespace redoubt
