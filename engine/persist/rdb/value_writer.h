// RdbValueWriter: writes values of entries, in the form of one version.
#pragma once

#include "engine/persist/rdb/output.h"
#include "engine/persist/rdb/stream_writer.h"
#include "engine/store/entry.h"
#include "engine/store/snapshot_sink.h"

namespace redoubt {

class RdbValueWriter {
 public:
  // `form`: RdbForm::automatic takes whatever form a value needs.
  RdbValueWriter(RdbOutput& out, RdbForm form) : out_(out), form_(form), stream_(out) {}

  // A planted bug of simulations: the first field of a packed hash loses its deadline.
  void lose_field_deadline() { loses_deadline_ = true; }

  // The least form that holds all that has been written, as far as it is not fixed.
  RdbForm needed() const { return needed_; }

  // Which type an entry's value becomes. Returns null, or why this version cannot hold it.
  const char* choose(const Entry& entry, RdbType& type);
  // The same for a value that comes in parts. Streams: choose_stream().
  const char* choose_parts(Type type_of_value, bool deadlines, RdbType& type);
  const char* choose_stream(const StreamFacts& facts, RdbType& type);
  // Checks the deadline of a field in the same way.
  const char* check_deadline(int64_t deadline_ms);

  // The value, without type and key.
  void write(RdbType type, const Entry& entry);

  // Parts of collections. In front of them stands begin_parts().
  void begin_parts(RdbType type, uint64_t count);
  void set_member(RdbType type, std::string_view member, int64_t deadline_ms);
  void hash_field(RdbType type, std::string_view name, std::string_view value, int64_t deadline_ms);
  void zset_member(std::string_view member, double score);

  // For a stream's parts.
  RdbStreamWriter& stream() { return stream_; }

 private:
  const char* need(RdbForm form, const char* why);
  const char* choose_hash(bool small, bool deadlines, RdbType& type);
  void write_string(const Entry& entry);
  void write_list(const Entry& entry);
  void write_set(RdbType type, const Entry& entry);
  void write_hash(RdbType type, const Entry& entry);
  void write_hash_block(RdbType type, const Entry& entry);
  void write_zset(RdbType type, const Entry& entry);

  RdbOutput& out_;
  const RdbForm form_;
  RdbForm needed_ = RdbForm::redis10;
  bool loses_deadline_ = false;
  int64_t minimum_ms_ = 1;  // of the deadlines of the hash
  RdbStreamWriter stream_;
};

}  // namespace redoubt
