// The history of a run: what clients asked, when, of which node, and what they were told. Whatever
// checks a run afterwards (linearizability, lost writes, replicas, the cluster) reads it here.
//
//   const OperationId id = history.begin({.client = 3, .node = host, .call = now}, words);
//   history.finish(id, now, offset, reply);     // or give_up(), or refuse()
//
// An operation is known from its call on. It ends in one of three ways:
//   replied   the client has the whole reply: it was executed between call and return, and this is
//             what it answered;
//   unknown   the connection broke after bytes of it were sent, or the run ended: it was executed
//             after the call, or will be at any time, or never;
//   refused   it was certainly not executed, and never will be: no byte of it was sent, or the node
//             said so.
//
// Operations are numbered in the order of begin(), which is an order of call times: time does not
// go back. Replies that errors are (-OOM, -MOVED) are replies; what they mean is the reader's.
//
// A run that goes flat out records 300,000 operations a second, so that the record of one takes 48
// bytes beside its text, and the text goes into an arena where it is never moved: views of it live
// as long as the history.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "net/time.h"
#include "sim/history/arena.h"

namespace redoubt::sim {

using OperationId = uint32_t;

enum class Outcome : uint8_t {
  pending,  // not ended yet; at the end of a run the same as unknown
  replied,
  unknown,
  refused,
};

// What is known of an operation when its client sends it.
struct Call {
  uint32_t client = 0;
  uint32_t node = 0;      // the host that it was sent to
  uint16_t database = 0;  // selected on that connection, as far as that is known
  Instant call;
};

// Where an operation stands in what its node did, as far as whoever records knows that.
struct StreamPlace {
  StreamPlace(uint64_t stream_offset = 0, uint32_t order_there = 0)
      : offset(stream_offset), order(order_there) {}

  bool known() const { return offset != 0 || order != 0; }

  uint64_t
      offset;  // of the node's stream of effects behind the operation; 0: not known, or none yet
  uint32_t order;  // among the operations at this offset, from 1; 0: not known

  bool operator==(const StreamPlace&) const = default;
};

// An operation without its text, for which see History::words() and reply().
struct OperationRecord {
  Instant call;
  Instant returned = Instant::never();  // of unknown ones: when the client gave up
  uint64_t offset = 0;                  // as in StreamPlace
  uint32_t client = 0;
  uint32_t node = 0;
  uint32_t order = 0;  // as in StreamPlace
  uint16_t database = 0;
  Outcome outcome = Outcome::pending;

  StreamPlace place() const { return {offset, order}; }
  // From when on it can have no effect any more: never, as long as nobody knows.
  Instant end() const { return outcome == Outcome::replied ? returned : Instant::never(); }

 private:
  friend class History;
  Arena::Position words_at_ = 0;
  Arena::Position reply_at_ = 0;
};
static_assert(sizeof(OperationRecord) == 48);

class History {
 public:
  History() = default;
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // A client sends a command. `words` has at least one. Calls come in the order of time.
  OperationId begin(const Call& call, std::span<const std::string_view> words);

  // It was executed in this database, which is known only now.
  void in_database(OperationId id, uint16_t database) { open(id).database = database; }
  // Its reply has come, whole.
  void finish(OperationId id, Instant returned, StreamPlace place, std::string_view reply);
  // Nobody will know whether it was executed, or will be. With a place: it was executed there, says
  // whoever saw it, although its client does not know.
  void give_up(OperationId id, Instant at, StreamPlace place = {});
  // An operation that its client has given up was executed all the same, there.
  void executed_late(OperationId id, uint16_t database, StreamPlace place);
  // It was not executed and will not be.
  void refuse(OperationId id, Instant at);

  size_t size() const { return size_; }
  const OperationRecord& operator[](OperationId id) const {
    return blocks_[id / kBlockSize][id % kBlockSize];
  }
  // The words of the command, in `words`, which is emptied before.
  void words(OperationId id, std::vector<std::string_view>& words) const;
  // The reply as bytes of the protocol; empty unless it was replied to.
  std::string_view reply(OperationId id) const;

  // What was taken from the system.
  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kBlockSize = 4'096;

  // The record of an operation that has not ended.
  OperationRecord& open(OperationId id);
  OperationRecord& end_now(OperationId id, Instant at, Outcome outcome, StreamPlace place);

  std::vector<std::unique_ptr<OperationRecord[]>> blocks_;
  size_t size_ = 0;
  Instant last_call_;
  Arena text_;
};

}  // namespace redoubt::sim
