// What the files of XREAD and XREADGROUP share: options, and the streams to read from.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/commands/streams/stream_support.h"

namespace redoubt {

struct ReadOptions {
  bool by_group = false;
  uint64_t count = 0;      // of each stream; 0: all
  uint64_t total = 0;      // MAXCOUNT, of all streams; 0: all
  uint64_t bytes_max = 0;  // MAXSIZE, of all entries in the reply; 0: no limit
  bool waits = false;
  Instant deadline;
  bool no_ack = false;
  std::optional<int64_t> claim_idle_ms;  // CLAIM
  size_t group_index = 0;                // of the group's name; the consumer's is behind it
  size_t first_key = 0;
  size_t streams = 0;

  // What each stream gives depends on what those in front of it gave, or on pending entries.
  bool limited() const { return total != 0 || bytes_max != 0 || claim_idle_ms.has_value(); }
};

// One of the streams to read from.
struct ReadSource {
  std::string_view key;
  const Stream* stream = nullptr;  // null: there is none
  Stream* changing = nullptr;      // the same, when it is read by a group
  StreamGroup* group = nullptr;    // of `changing`
  StreamId after;                  // entries behind this one
  bool is_new = false;             // ">": those that the group has not read
  bool is_last = false;            // "$"
  bool served = false;
};

// The consumer that reads by a group, made when there is none.
StreamConsumer& reading_consumer(Context& c, const ReadOptions& options, const ReadSource& source);
// A new entry becomes pending for a consumer.
void deliver(Context& c, const ReadSource& source, StreamConsumer& consumer, StreamId id);
// A pending entry was delivered once more; its count stops at what a reply can say.
void count_delivery(StreamPending& pending);

// Serves a command whose options are limited(). False: nothing was found, and no reply is written.
bool serve_limited(Context& c, const ReadOptions& options, const std::vector<ReadSource>& sources);
// When the first pending entry will have been idle for long enough; never(), when none will.
Instant next_claim(const Context& c, const ReadOptions& options,
                   const std::vector<ReadSource>& sources);

}  // namespace redoubt
