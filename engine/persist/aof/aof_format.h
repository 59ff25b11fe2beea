// What stands in an append-only file beside commands: annotations, lines that begin with '#'. Redis
// passes over all of them.
//
//   #H:<history id>:<offset>[:<end>]
//                                what follows begins at this offset of that history; the first line
//                                of an increment, and where the history changes. The last entry in
//                                front ends at <end> when that is less: what lies between is for no
//                                file, such as PING
//   #R:<checksum>:<offset>       the entry that follows has this checksum and ends at this offset;
//                                8 and 16 hexadecimal digits
//   #P:<checksum>:<offset>       the same of an entry of a primary's stream that has commands which
//                                this node did not know: it passed over them
//   #S:<offset>                  what comes before this offset was on the medium when this line was
//                                written; 16 hexadecimal digits
//   #TS:<seconds>                what follows was executed at this time (aof-timestamp-enabled)
//
// An entry is one command, or MULTI, commands, EXEC, with SELECT in front where the database
// changes: what EffectLog commits at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redoubt {

// Longer lines are no annotations: Redis reads no more at a time.
inline constexpr size_t kAnnotationMax = 120;

// The checksum of an entry that ends at `end_offset`: the low half of its XXH3 hash with the offset
// as seed.
uint32_t entry_checksum(std::string_view entry, uint64_t end_offset);

// Appends an entry with the mark in front.
template <typename AppendEntry>
void append_marked_entry(std::string& out, uint64_t end_offset, bool partly_known,
                         AppendEntry&& append_entry);
void append_history_line(std::string& out, std::string_view history_id, uint64_t offset,
                         uint64_t effects_end);
void append_synced_line(std::string& out, uint64_t offset);
void append_time_line(std::string& out, int64_t unix_s);
// SELECT in front of the first entry of a file, within its mark: the stream has selected the
// database before, and the offsets do not count it.
void append_select(std::string& out, int db);

struct EntryMark {
  uint32_t checksum;
  uint64_t end_offset;
  bool partly_known;
};
struct HistoryLine {
  std::string_view id;
  uint64_t offset;
  uint64_t effects_end;
};

// A line without its end. Nothing: it is another annotation.
std::optional<EntryMark> parse_entry_mark(std::string_view line);
std::optional<HistoryLine> parse_history_line(std::string_view line);
std::optional<uint64_t> parse_synced_line(std::string_view line);
std::optional<int64_t> parse_time_line(std::string_view line);

// Whether whole lines within these bytes say that what comes before some offset above `offset` was
// on the medium: then damage before it did not come from a crash.
bool says_synced_above(std::string_view bytes, uint64_t offset);

// --- details

inline constexpr size_t kEntryMarkBytes = 3 + 8 + 1 + 16 + 2;
void write_entry_mark(char* to, const EntryMark& mark);

template <typename AppendEntry>
void append_marked_entry(std::string& out, uint64_t end_offset, bool partly_known,
                         AppendEntry&& append_entry) {
  const size_t mark = out.size();
  out.append(kEntryMarkBytes, ' ');
  append_entry(out);
  const std::string_view entry = std::string_view(out).substr(mark + kEntryMarkBytes);
  write_entry_mark(out.data() + mark,
                   {entry_checksum(entry, end_offset), end_offset, partly_known});
}

}  // namespace redoubt
