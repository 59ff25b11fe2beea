// SnapshotDigest: the consumer that checks passes. The entries of a pass give the digest that
// Database::digest() gave when the pass began.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/store/digest.h"
#include "engine/store/snapshot_sink.h"

namespace redoubt {

class SnapshotDigest final : public SnapshotSink {
 public:
  // The next calls of takes_more() are true, so many of them.
  void set_room(uint64_t room) { room_ = room; }
  const Digest& digest() const { return digest_; }
  uint64_t entries() const { return entries_; }

  bool takes_more() override { return room_ > 0 && room_-- > 0; }
  void database(int index) override { database_ = index; }
  void entry(const Entry& entry) override;
  void begin_value(const Entry& header, uint64_t count) override;
  void end_value() override;
  void string_bytes(std::string_view bytes) override;
  void list_element(std::string_view text) override;
  void set_member(std::string_view member, int64_t deadline_ms) override;
  void hash_field(std::string_view name, std::string_view value, int64_t deadline_ms) override;
  void zset_member(std::string_view member, double score) override;
  void stream_facts(const StreamFacts& facts) override;
  void stream_entry(const StreamEntry& entry) override;
  void stream_group(const StreamGroupFacts& group) override;
  void stream_consumer(const StreamConsumerFacts& consumer) override;
  void stream_pending(const StreamPendingFacts& pending) override;
  void stream_idempotency(const StreamIdempotency& idempotency) override;

 private:
  void begin_entry(const Entry& entry);
  void add(StreamId id);

  uint64_t room_ = UINT64_MAX;
  Digest digest_;
  int database_ = 0;
  uint64_t entries_ = 0;

  // Of the value whose parts come.
  Type type_ = Type::string;
  int64_t expiry_ms_ = -1;
  std::string bytes_;
  Digest members_;
  std::vector<std::pair<double, std::string>> scored_;
};

}  // namespace redoubt
