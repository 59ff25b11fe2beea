// RdbStreamParser: reads a stream in steps.
//
//   nodes: an id and a listpack each, in which stand: count of entries, of deleted ones, names of
//   the
//          first entry's fields; then each entry (see entry() in the .cc)
//   length, last id, [first id, largest deleted id, entries ever added]
//   groups: name, last id, [entries read], pending entries, consumers with the ids of theirs,
//           [pending entries that nobody has]
//   [what producers sent]
//
// A node becomes a block, so that trimming with "~" goes on as it would have. Groups must agree
// with themselves: a pending entry has one consumer, one that is there.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/persist/rdb/blobs.h"
#include "engine/persist/rdb/format.h"
#include "engine/persist/rdb/step.h"
#include "engine/persist/rdb/value.h"
#include "engine/store/stream.h"

namespace redoubt {

class RdbStreamParser {
 public:
  // As RdbValueParser's.
  void begin(RdbType type, Allocator& allocator);
  RdbStep run(RdbInput& in, size_t& budget);
  RdbValue take() { return std::move(value_); }
  void reset();

 private:
  enum class State : uint8_t {
    node_count,
    node,
    entries,
    facts,
    group_count,
    group,
    pending,
    consumer_count,
    consumer,
    consumer_ids,
    unowned_count,
    unowned,
    group_end,
    idempotency,
    producer,
    record,
    idempotency_end,
    done
  };

  bool has_counts() const { return type_ != RdbType::stream; }
  bool has_active() const { return type_ != RdbType::stream && type_ != RdbType::stream2; }
  bool has_unowned() const { return type_ == RdbType::stream5 || type_ == RdbType::stream_redoubt; }
  bool has_idempotency() const { return has_unowned() || type_ == RdbType::stream4; }
  bool is_ours() const { return type_ == RdbType::stream_redoubt; }

  RdbStep run_once(RdbInput& in, size_t& budget);
  RdbStep run_node(RdbInput& in, size_t& budget);
  RdbStep run_entries(RdbInput& in, size_t& budget);
  RdbStep run_facts(RdbInput& in);
  RdbStep run_group(RdbInput& in, size_t& budget);
  RdbStep run_pending(RdbInput& in, size_t& budget);
  RdbStep run_consumer(RdbInput& in, size_t& budget);
  RdbStep run_consumer_ids(RdbInput& in, size_t& budget);
  RdbStep run_unowned_count(RdbInput& in);
  RdbStep run_unowned(RdbInput& in, size_t& budget);
  RdbStep run_idempotency(RdbInput& in);
  RdbStep run_producer(RdbInput& in, size_t& budget);
  RdbStep run_record(RdbInput& in, size_t& budget);
  RdbStep run_idempotency_end(RdbInput& in);

  bool take_number(int64_t& number);
  bool take_text(std::string_view& text, std::deque<IntegerText>& digits);
  const char* begin_node();
  const char* entry(size_t& bytes);
  const char* take_fields(bool same_names);
  void append(StreamId id, bool same_names, size_t bytes);
  const char* restore(std::string_view producer, std::string_view id, StreamId entry,
                      int64_t made_ms, uint64_t number);

  RdbType type_ = RdbType::stream;
  State state_ = State::done;
  RdbValue value_;
  Stream* stream_ = nullptr;  // that of value_

  uint64_t nodes_left_ = 0;
  uint64_t groups_left_ = 0;
  uint64_t left_ = 0;  // of what is read now
  RdbText text_;

  // The node whose entries are read.
  std::string block_bytes_;
  std::optional<RdbBlob> block_;
  size_t elements_left_ = 0;
  StreamId master_;
  int64_t live_left_ = 0;
  int64_t deleted_left_ = 0;
  std::vector<std::string_view> names_;
  std::deque<IntegerText> name_digits_;
  std::vector<std::string_view> fields_;  // names and values in turn
  std::deque<IntegerText> field_digits_;
  bool block_begun_ = false;
  bool block_has_names_ = false;  // its first entry has the names of the node

  StreamGroup* group_ = nullptr;
  uint64_t consumers_left_ = 0;
  StreamConsumer* consumer_ = nullptr;

  IdempotencyLimits limits_;
  uint64_t ids_made_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t producers_left_ = 0;
  std::string producer_;
  std::vector<std::string> producers_;  // of our own form
};

}  // namespace redoubt
