// A stream as the model has it.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/model/call.h"

namespace redoubt::sim {

using ModelStreamId = std::pair<uint64_t, uint64_t>;

struct ModelStreamEntry {
  std::vector<std::string> fields;  // names and values in turn
  size_t node = 0;                  // which group of up to 100 entries it belongs to
};

// How many entries a node ever had, and the id of the last of them.
struct ModelStreamNode {
  size_t entries = 0;
  ModelStreamId last;
};

struct ModelStreamPending {
  std::string consumer;
  int64_t delivered_ms = 0;
  int64_t deliveries = 1;
  bool owned = true;  // false: it was given back
};

struct ModelStreamGroup {
  ModelStreamId last;
  int64_t entries_read = -1;  // -1: unknown
  std::map<ModelStreamId, ModelStreamPending> pending;
  std::set<std::string, std::less<>> consumers;
};

// A message that a producer sent, and the entry that it became.
struct ModelIdempotentRecord {
  std::string producer;
  std::string id;
  ModelStreamId entry;
  int64_t made_ms = 0;
};

struct ModelIdempotency {
  int64_t duration_s = 100;
  int64_t maxsize = 100;
  std::vector<ModelIdempotentRecord> records;  // the oldest first
};

struct ModelStream {
  std::map<ModelStreamId, ModelStreamEntry> entries;
  std::map<size_t, ModelStreamNode> nodes;  // those with entries that are there
  ModelStreamId last;
  ModelStreamId max_deleted;
  int64_t added = 0;
  std::map<std::string, ModelStreamGroup, std::less<>> groups;
  std::optional<ModelIdempotency> idempotency;
};

// What the files of the family share.
namespace model_streams {

using Id = ModelStreamId;
using Group = ModelStreamGroup;

constexpr uint64_t most = std::numeric_limits<uint64_t>::max();
constexpr Id largest_id = {most, most};
constexpr std::string_view bad_id_text =
    "ERR Invalid stream ID specified as stream command argument";

std::string id_text(Id id);
bool step_up(Id& id);
bool step_down(Id& id);
// "5-1", or "5" for 5-`missing`; with `chosen_seq` also "5-*", which sets it.
std::optional<Id> parse_id(std::string_view text, uint64_t missing, bool* chosen_seq = nullptr);
// The same with "-" and "+".
std::optional<Id> parse_id_or_edge(std::string_view text, uint64_t missing);
// One end of a range, or the error.
std::optional<Id> parse_end(std::string_view text, bool is_start, ModelReply& error);
std::optional<std::vector<Id>> parse_ids(const ModelCall& call, size_t first);

// False: the key holds something else. `stream` stays null when there is no key.
bool find_stream(ModelCall& call, std::string_view key, ModelStream*& stream);
ModelStream& create_stream(ModelCall& call, std::string_view key);
// Null: there is no such group.
Group* find_group(ModelStream* stream, std::string_view name);
ModelReply no_group(std::string_view key, std::string_view group);
Id first_of(const ModelStream& stream);
bool delete_entry(ModelStream& stream, Id id);

std::string entry_text(Id id, const ModelStreamEntry& entry);
std::string list_text(const std::vector<std::string>& elements);
std::string null_array(const ModelCall& call);
// The first `count`, when that is not 0.
void keep_first(std::vector<std::string>& elements, int64_t count);
std::vector<std::string> entries_between(const ModelStream& stream, Id start, Id end);

void read_on(const ModelStream& stream, Group& group, Id id);
// What XSETID sets, and what that makes of how far groups have read.
void set_counts(ModelStream& stream, Id last, int64_t added, Id max_deleted);
void count_delivery(ModelStreamPending& pending);

// IDMP or IDMPAUTO of XADD.
struct Message {
  bool given = false;
  bool automatic = false;
  std::string producer;
  std::string id;
};

// True: the argument is such an option; `error` says whether it is a good one.
bool take_message(const ModelCall& call, size_t& i, Message& message,
                  std::optional<ModelReply>& error);
// IDMPAUTO, once it is known where the fields are.
void complete_message(const ModelCall& call, size_t fields_at, Message& message);
// The entry that the message is already.
std::optional<Id> entry_of(const ModelCall& call, ModelStream* stream, const Message& message);
void remember(const ModelCall& call, ModelStream& stream, const Message& message, Id entry);

// XREAD or XREADGROUP, and how much of what it may give was given.
struct Reading {
  bool by_group = false;
  int64_t count = 0;
  int64_t entries_max = 0;
  int64_t bytes_max = 0;
  std::optional<int64_t> claim;
  bool no_ack = false;
  bool waits = false;
  std::string_view group;
  std::string_view consumer;
  size_t first = 0;  // of the keys
  size_t streams = 0;

  int64_t entries = 0;
  int64_t bytes = 0;
  bool full = false;
};

struct Source {
  std::string_view key;
  ModelStream* stream = nullptr;
  Group* group = nullptr;
  Id after;
  bool fresh = false;  // ">"
};

// Adds an entry to what is given, unless that would be too much.
bool admit(Reading& reading, const std::string& text, std::vector<std::string>& given);
// With the time since its last delivery, and how many there were.
std::string claimed_text(Id id, const ModelStreamEntry& entry, int64_t idle, int64_t deliveries);
// Gives the consumer what has been idle for long enough.
void claim_idle(const ModelCall& call, const Source& source, Reading& reading,
                std::vector<std::string>& given);

}  // namespace model_streams

}  // namespace redoubt::sim
