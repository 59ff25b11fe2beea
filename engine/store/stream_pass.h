// StreamPass: a snapshot pass over a stream: entries by block in order of id, then groups.
//
// The properties of the stream, its groups and its consumers are copied when the pass is opened: a
// few words for each. Blocks and pending entries are not: a block that changes before the pass has
// come to it is copied, one that goes is handed over, and a pending entry that changes, comes or
// goes is noted as it was. The ids that producers have sent are copied before they change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/store/stream.h"
#include "engine/store/value_pass.h"

namespace redoubt {

// A stream without an entry that passes hold. As long as this lives its bytes are among those that
// are kept for passes of the database.
class KeptStream {
 public:
  KeptStream(Database& database, Stream* stream);
  KeptStream(const KeptStream&) = delete;
  KeptStream& operator=(const KeptStream&) = delete;
  ~KeptStream();

  size_t bytes() const { return bytes_; }

  size_t owners = 0;

 private:
  Database& database_;
  Stream* stream_;
  size_t bytes_;
};

class StreamPass final : public ValuePass {
 public:
  StreamPass(PassMemory& memory, unsigned slot, const Stream& stream);
  ~StreamPass() override;

  // A block is about to change in place.
  void before_change(const StreamBlock& block);
  // A block with this first id is added.
  void added(StreamId first);
  // A block has left the stream. True: the pass has taken it over, unless it is `taken` already.
  bool removed(StreamBlock* block, bool taken);
  // A pending entry is about to change or to go; or, without one, to come.
  void before_pending(const StreamGroup& group, StreamId id, const StreamPending* pending);
  // A group has left the stream for one of its own, which is kept as long as a pass needs it.
  void group_removed(const StreamGroup& group, const Shared<KeptStream>& remains);
  // The ids that producers have sent are about to change.
  void before_idempotency_change();

  uint64_t count() const override { return facts_.length; }
  bool deliver(SnapshotSink& sink, size_t& budget) override;
  bool release_some(size_t& budget) override;

 private:
  struct Pending {
    bool there = false;
    bool owned = false;
    std::string consumer;
    int64_t delivered_ms = 0;
    uint64_t deliveries = 0;
  };
  struct Consumer {
    std::string name;
    int64_t seen_ms;
    int64_t active_ms;
  };
  struct Group {
    const StreamGroup* live;
    std::string name;
    StreamId last_id;
    int64_t entries_read;
    size_t pending;  // entries
    std::vector<Consumer> consumers;
    std::map<StreamId, Pending> touched;  // as they were, not yet delivered
    StreamId next;                        // pending entries below it are delivered
    size_t delivered = 0;
    Shared<KeptStream> remains;  // keeps `live` alive when it was removed
  };
  enum class Stage : uint8_t { facts, entries, groups, idempotency, done };

  void copy_groups();
  size_t counted_bytes() const;
  bool deliver_entries(SnapshotSink& sink, size_t& budget);
  void deliver_block(SnapshotSink& sink, size_t& budget, const StreamBlock& block);
  bool deliver_groups(SnapshotSink& sink, size_t& budget);
  void begin_group(SnapshotSink& sink, size_t& budget, const Group& group);
  bool deliver_pending(SnapshotSink& sink, size_t& budget, Group& group);
  void forget(Group& group, std::map<StreamId, Pending>::iterator at);
  void drop_block(std::map<StreamId, StreamBlock*>::iterator at);
  void drop_idempotency();
  void drop_remains(Group& group);

  const Stream& stream_;
  StreamFacts facts_;
  Stage stage_ = Stage::facts;
  ValueMemory own_;  // of copies

  StreamId next_block_;
  std::map<StreamId, StreamBlock*> blocks_;  // as they were, by first id
  std::set<StreamId> younger_;               // first ids of blocks that were not there
  uint64_t delivered_ = 0;

  std::vector<Group> groups_;
  std::map<const StreamGroup*, size_t> group_index_;  // found by address, never walked
  size_t group_ = 0;                                  // the one that comes next
  bool in_group_ = false;

  StreamIdempotency* idempotency_ = nullptr;  // the copy
  size_t table_bytes_ = 0;                    // of the copies made at opening
};

}  // namespace redoubt
