// RdbWriter: takes what a snapshot delivers and makes an RDB file of it.
//
// Bytes collect in a buffer that the owner takes in pieces; while it does not, the writer takes
// nothing more, and the snapshot waits. When the snapshot is complete, the owner calls finish(),
// takes the rest, and, with RdbForm::automatic, puts magic() in the place of the first 9 bytes: the
// checksum is that of the file with them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/persist/rdb/output.h"
#include "engine/persist/rdb/value_writer.h"
#include "engine/store/snapshot_sink.h"

namespace redoubt {

// What is written of how keys are used: seconds since a key was used last, or the counter of an LFU
// policy.
enum class RdbUse : uint8_t { none, idle_s, frequency };

struct RdbWriterOptions {
  struct DatabaseSize {
    int index = 0;
    uint64_t keys = 0;
    uint64_t expiring = 0;
  };

  RdbForm form = RdbForm::redis10;
  bool compress = true;
  bool checksum = true;
  // Bugs that a simulation plants.
  bool drops_deadlines = false;
  bool loses_field_deadline = false;
  // In this order.
  std::vector<std::pair<std::string, std::string>> aux = {};
  // Sources of libraries.
  std::vector<std::string> functions = {};
  // Of the databases, as of the beginning of the snapshot.
  std::vector<DatabaseSize> sizes = {};
  RdbUse use = RdbUse::none;
  // The use of an entry, or of the header of one; with another use than none.
  std::function<uint64_t(const Entry&)> use_of = {};
  // While so many bytes wait, no more is taken.
  size_t waiting_bytes_max = size_t{1} << 20;
};

class RdbWriter final : public SnapshotSink {
 public:
  // Writes what stands in front of all keys.
  explicit RdbWriter(RdbWriterOptions options);

  // Bytes that wait to be taken.
  size_t waiting_bytes() const { return out_.bytes().size(); }
  // Takes them.
  std::string take();
  // Gives a string back whose bytes are no longer needed, so that its memory is used again.
  void recycle(std::string taken) { spare_ = std::move(taken); }
  // The snapshot is complete: writes the end.
  void finish();

  // Why the file cannot be written; empty while nothing is wrong. Nothing more is written then, and
  // the snapshot is to be cancelled.
  const std::string& error() const { return error_; }
  // How the file has to begin; final after finish().
  std::string_view magic() const;
  // Bytes written so far, taken or not.
  uint64_t bytes() const { return taken_bytes_ + out_.bytes().size(); }
  uint64_t keys() const { return keys_; }

  bool takes_more() override {
    return out_.bytes().size() < options_.waiting_bytes_max || !error_.empty();
  }
  void database(int index) override;
  void entry(const Entry& entry) override;
  void expect_deadlines() override { deadlines_ = true; }
  void begin_value(const Entry& header, uint64_t count) override;
  void end_value() override;
  void string_bytes(std::string_view bytes) override;
  void list_element(std::string_view text) override;
  void set_member(std::string_view member, int64_t deadline_ms) override;
  void hash_field(std::string_view name, std::string_view value, int64_t deadline_ms) override;
  void zset_member(std::string_view member, double score) override;
  void stream_facts(const StreamFacts& facts) override;
  void stream_block(const StreamBlock& block) override;
  void stream_entry(const StreamEntry& entry) override;
  void stream_group(const StreamGroupFacts& group) override;
  void stream_consumer(const StreamConsumerFacts& consumer) override;
  void stream_pending(const StreamPendingFacts& pending) override;
  void stream_idempotency(const StreamIdempotency& idempotency) override;

 private:
  bool good() const { return error_.empty(); }
  void write_head();
  void write_attributes(const Entry& entry);
  void refuse(std::string_view key, const char* why);

  const RdbWriterOptions options_;
  RdbOutput out_;
  RdbValueWriter values_;
  std::string spare_;
  std::string error_;
  uint64_t taken_bytes_ = 0;
  uint64_t crc_ = 0;  // of the bytes that were taken
  uint64_t keys_ = 0;
  int database_ = 0;
  std::vector<bool> sized_;  // whether the size of a database was written, by place in the options

  // Of the value whose parts come.
  bool deadlines_ = false;
  RdbType type_ = RdbType::string;
  std::string key_;
};

}  // namespace redoubt
