// RdbStreamWriter: writes a stream as it is delivered (SnapshotSink), in the form that
// RdbStreamParser describes.
//
// A node is written when its last entry has come. The ids of each consumer's pending entries stand
// behind those of the whole group, so they are held until the group ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/persist/rdb/output.h"
#include "engine/store/snapshot_sink.h"
#include "engine/store/stream.h"

namespace redoubt {

class RdbStreamWriter {
 public:
  explicit RdbStreamWriter(RdbOutput& out) : out_(out) {}

  // The stream begins; type and key have been written.
  void begin(RdbType type, const StreamFacts& facts);
  void block(const StreamBlock& block);
  void entry(const StreamEntry& entry);
  void group(const StreamGroupFacts& group);
  void consumer(const StreamConsumerFacts& consumer);
  void pending(const StreamPendingFacts& pending);
  void idempotency(const StreamIdempotency& idempotency);
  void end();

  // A whole stream.
  void write(RdbType type, const Stream& stream);

 private:
  struct Consumer {
    std::string name;
    int64_t seen_ms;
    int64_t active_ms;
    std::vector<StreamId> pending;
  };

  void end_node();
  void end_entries();
  void end_group();
  void add(int64_t number);
  void add(std::string_view text);

  RdbOutput& out_;
  RdbType type_ = RdbType::stream3;
  StreamFacts facts_;
  bool entries_open_ = false;
  bool group_open_ = false;
  size_t groups_written_ = 0;
  bool idempotency_written_ = false;

  // The node whose entries come.
  std::string node_;  // its listpack
  size_t elements_ = 0;
  size_t entries_left_ = 0;
  StreamId master_;

  // The group whose pending entries come.
  std::vector<Consumer> consumers_;
  size_t pending_left_ = 0;
  std::vector<StreamId> unowned_;
};

}  // namespace redoubt
