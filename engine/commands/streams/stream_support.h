// What the commands of streams share: ids as clients write them, replies, effects.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/dispatch/context.h"
#include "engine/store/stream_type.h"

namespace redoubt {

// An id as a command's argument.
struct StreamIdArgument {
  StreamId id;
  bool has_seq = true;  // false: "5-*", and the sequence number is to be chosen
};

// "5-1", or "5", which means 5-`missing_seq`. Numbers are read as strtoull reads them. Nothing when
// the text is no id.
std::optional<StreamId> parse_stream_id(std::string_view text, uint64_t missing_seq);
// The same with "5-*".
std::optional<StreamIdArgument> parse_stream_id_or_part(std::string_view text);

// An argument as an id; replies with an error when it is none.
std::optional<StreamId> stream_id(Context& c, size_t index, uint64_t missing_seq = 0);
// The same with "-" and "+" for the smallest and the largest.
std::optional<StreamId> stream_id_or_edge(Context& c, size_t index, uint64_t missing_seq = 0);
// The ids of the arguments from `first` on, `count` of them. False, after an error.
bool stream_ids(Context& c, size_t first, size_t count, std::vector<StreamId>& ids);
// One end of a range, which "(" in front excludes.
std::optional<StreamId> range_start(Context& c, size_t index);
std::optional<StreamId> range_end(Context& c, size_t index);

// What an error repeats of a name: what is in front of a zero byte, and not too much.
std::string_view shown_name(std::string_view name);
void error_no_group(Context& c, std::string_view key, std::string_view group);
void error_no_group_for_key(Context& c, std::string_view key, std::string_view group);
// "unknown subcommand or wrong number of arguments", about argument 1.
void error_subcommand_syntax(Context& c);

// --- replies

void reply_stream_id(Context& c, StreamId id);
void reply_stream_entry(Context& c, const StreamEntry& entry);
// The two parts of an entry, id and fields, of an array that the caller began.
void reply_stream_entry_parts(Context& c, const StreamEntry& entry);
// The entries from `start` to `end`, at most `count`; 0: all.
void reply_stream_range(Context& c, const Stream& stream, StreamId start, StreamId end,
                        uint64_t count, bool reverse);

// --- changes

// The stream of a key that a command creates when it is missing.
Stream& add_stream(Context& c, std::string_view key);

// A change that has no keyspace event.
inline void modified_without_event(Context& c, std::string_view key) {
  c.modified(key, '\0', {});
}

// The consumer of this name, made when there is none; seen now.
StreamConsumer& consumer_for(Context& c, Stream& stream, StreamGroup& group, std::string_view key,
                             std::string_view name);

// The effects that say the same as a delivery, for this entry of the pending ones; as reading on by
// a group; as removing from the pending entries.
void effect_of_claim(Context& c, std::string_view key, const StreamGroup& group,
                     const StreamPending& pending);
void effect_of_reading(Context& c, std::string_view key, const StreamGroup& group);
void effect_of_removal(Context& c, std::string_view key, const StreamGroup& group, StreamId id);

}  // namespace redoubt
