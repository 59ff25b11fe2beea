// AofEntries: the entries of an append-only file, from pieces of it.
//
// An entry is what has to be applied as a whole: one command, or those of a MULTI with its EXEC.
// One that has a mark begins behind it, has its checksum, and may begin with SELECT.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/persist/aof/aof_format.h"
#include "engine/persist/aof/aof_parser.h"

namespace redoubt {

class AofEntries {
 public:
  enum class Item : uint8_t {
    need_more,  // the file goes on, or ends: then begin() is behind the last whole entry
    entry,      // a whole entry: for_each_command()
    time,       // what follows was executed at time_s()
    damaged,    // problem()
  };

  // `first` is the place in the file of the first byte that is fed.
  explicit AofEntries(uint64_t first = 0) : parser_(first), begin_(first), commands_(first) {}

  // Room for more bytes of the file, then how many there are.
  char* room(size_t size) { return parser_.room(size); }
  void took(size_t size) { parser_.took(size); }
  uint64_t fed() const { return parser_.fed(); }
  size_t memory_bytes() const { return parser_.memory_bytes(); }

  // Reads up to the next item. An entry is valid until the next call.
  Item next();
  // Where the entry that was read or is being read begins, with its annotations.
  uint64_t begin() const { return begin_; }
  // Where the last item ends.
  uint64_t end() const { return parser_.at(); }
  // What is wrong; with `need_more` at the end of the file why that is no end.
  const std::string& problem() const { return problem_; }
  std::string_view incomplete() const {
    return in_multi_ ? "a transaction has no end" : "an entry has no end";
  }
  int64_t time_s() const { return time_s_; }

  // The history that the entries belong to, empty when the file has not said; and the offset behind
  // the last whole entry.
  const std::string& history_id() const { return history_id_; }
  uint64_t offset() const { return offset_; }
  void set_history(std::string_view id, uint64_t offset);
  // Whether this file itself has said so far where in which history it is, as ours begin.
  bool has_history_line() const { return has_history_line_; }
  // The offset behind the entry that was read, which is not part of offset() until next().
  uint64_t entry_end_offset() const { return entry_end_; }
  // Whether it had a checksum.
  bool marked() const { return mark_.has_value(); }
  // Whether the node that wrote it passed over the commands that it did not know.
  bool partly_known() const { return mark_ && mark_->partly_known; }

  // A planted bug of simulations.
  void ignore_checksums() { ignores_checksums_ = true; }

  size_t command_count() const { return counts_.size(); }
  // Calls visit(words) for its commands in order; false ends it.
  template <typename Visit>
  void for_each_command(Visit&& visit) const {
    std::vector<std::string_view> words;
    size_t at = 0;
    for (const size_t count : counts_) {
      words.clear();
      for (size_t i = 0; i < count; ++i) words.push_back(parser_.view(args_[at++]));
      if (!visit(std::span<const std::string_view>(words))) return;
    }
  }

 private:
  enum class Step : uint8_t { goes_on, whole, time, damaged };

  void begin_entry();
  Step take_annotation();
  Step take_command();
  Step end_entry();
  Step fail(std::string text);

  AofParser parser_;
  uint64_t begin_;
  uint64_t commands_;  // where the first command of the entry begins
  std::optional<EntryMark> mark_;
  bool in_multi_ = false;
  bool whole_ = false;  // the entry was handed out
  std::vector<AofParser::Place> args_;
  std::vector<size_t> counts_;  // of arguments, for each command
  uint64_t entry_end_ = 0;

  int64_t time_s_ = 0;
  std::string history_id_;
  uint64_t offset_ = 0;
  bool has_history_line_ = false;
  bool ignores_checksums_ = false;
  uint64_t gap_to_ = 0;  // an increment begins here, beyond offset_
  std::string problem_;
};

}  // namespace redoubt
