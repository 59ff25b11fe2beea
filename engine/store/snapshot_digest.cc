#include "engine/store/snapshot_digest.h"

#include <algorithm>
#include <bit>

#include "engine/store/database.h"
#include "engine/store/deadlines.h"
#include "engine/store/stream.h"
#include "net/assert.h"

namespace redoubt {

void SnapshotDigest::begin_entry(const Entry& entry) {
  ++entries_;
  digest_.add(int64_t{database_});
  digest_.add(entry.key());
}

void SnapshotDigest::entry(const Entry& entry) {
  begin_entry(entry);
  digest_entry(entry, digest_);
  digest_.end_element();
}

void SnapshotDigest::begin_value(const Entry& header, uint64_t count) {
  begin_entry(header);
  digest_.add(ops_of(header).name);
  type_ = header.type();
  expiry_ms_ = header.has_expiry() ? header.expiry_ms() : -1;
  if (type_ == Type::list || type_ == Type::zset) digest_.add(static_cast<int64_t>(count));
}

void SnapshotDigest::end_value() {
  switch (type_) {
    case Type::string:
      digest_.add(bytes_);
      bytes_.clear();
      break;
    case Type::set:
    case Type::hash:
      digest_.add(members_.hex());
      members_ = {};
      break;
    case Type::zset:
      std::sort(scored_.begin(), scored_.end());
      for (const auto& [score, member] : scored_) {
        digest_.add(member);
        digest_.add(std::bit_cast<int64_t>(score + 0.0));
      }
      scored_.clear();
      break;
    case Type::list:
    case Type::stream: break;
  }
  digest_.add(expiry_ms_);
  digest_.end_element();
}

void SnapshotDigest::string_bytes(std::string_view bytes) {
  bytes_ += bytes;
}

void SnapshotDigest::list_element(std::string_view text) {
  digest_.add(text);
}

void SnapshotDigest::set_member(std::string_view member, int64_t deadline_ms) {
  members_.add(member);
  if (deadline_ms != kNeverExpires) members_.add(deadline_ms);
  members_.end_element();
}

void SnapshotDigest::hash_field(std::string_view name, std::string_view value,
                                int64_t deadline_ms) {
  members_.add(name);
  members_.add(value);
  members_.add(deadline_ms);
  members_.end_element();
}

void SnapshotDigest::zset_member(std::string_view member, double score) {
  scored_.emplace_back(score, member);
}

void SnapshotDigest::add(StreamId id) {
  digest_.add(static_cast<int64_t>(id.ms));
  digest_.add(static_cast<int64_t>(id.seq));
}

void SnapshotDigest::stream_facts(const StreamFacts& facts) {
  add(facts.last_id);
  add(facts.max_deleted_id);
  digest_.add(static_cast<int64_t>(facts.entries_added));
  digest_.add(static_cast<int64_t>(facts.length));
}

void SnapshotDigest::stream_entry(const StreamEntry& entry) {
  add(entry.id);
  entry.for_each_field([&](std::string_view field, std::string_view value) {
    digest_.add(field);
    digest_.add(value);
  });
}

void SnapshotDigest::stream_group(const StreamGroupFacts& group) {
  digest_.add(group.name);
  add(group.last_id);
  digest_.add(group.entries_read);
}

void SnapshotDigest::stream_consumer(const StreamConsumerFacts& consumer) {
  digest_.add(consumer.name);
}

void SnapshotDigest::stream_pending(const StreamPendingFacts& pending) {
  add(pending.id);
  digest_.add(int64_t{pending.owned});
  digest_.add(pending.consumer);
  digest_.add(pending.delivered_ms);
  digest_.add(static_cast<int64_t>(pending.deliveries));
}

void SnapshotDigest::stream_idempotency(const StreamIdempotency& idempotency) {
  idempotency.digest(digest_);
}

}  // namespace redoubt
