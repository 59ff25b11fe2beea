// The stream of effects: what changed data, in the deterministic form of the command, as
// RESP. AOF, replicas, migration and the checkers are its consumers; nothing else propagates.
//
// While nobody consumes it, nothing is encoded and the offset stands still.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt {

class EffectConsumer {
 public:
  virtual ~EffectConsumer() = default;
  // An entry: one whole command, or a whole transaction from MULTI to EXEC, with a SELECT in front
  // when the database changed. `end_offset` is
  // the stream's offset behind it. The bytes are valid during the call.
  virtual void on_effect(std::string_view bytes, uint64_t end_offset) = 0;
};

class EffectStream {
 public:
  bool active() const { return !consumers_.empty(); }
  uint64_t offset() const { return offset_; }

  void add_consumer(EffectConsumer& consumer);
  void remove_consumer(EffectConsumer& consumer);

  // Appends a command that was executed in database `db`. Does nothing while nobody consumes.
  void append(int db, std::span<const std::string_view> args);

  // What is appended between begin() and commit() becomes one entry, in MULTI and EXEC unless it is
  // one command, or nothing after abandon().
  void begin();
  void commit();
  void abandon();
  // Between begin() and its end.
  bool is_open() const { return open_; }

 private:
  void publish(std::string_view entry);

  std::vector<EffectConsumer*> consumers_;
  uint64_t offset_ = 0;
  int db_ = -1;  // the database that the consumers have selected
  std::string encoded_;

  bool open_ = false;  // since begin()
  int db_before_ = -1;
  size_t group_count_ = 0;
  size_t group_start_ = 0;  // in encoded_: behind the SELECT in front of all
};

}  // namespace redoubt
