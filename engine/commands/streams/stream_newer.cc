// Streams: what came after 7.2: XDELEX and XACKDEL, which care for references of groups, and XNACK,
// which gives pending entries back to the group.
#include <limits>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/streams/stream_support.h"
#include "engine/commands/streams/stream_trim.h"

namespace redoubt {

namespace {

// What became of an id, as these commands answer it.
enum class Outcome : int { missing = -1, deleted = 1, referenced = 2 };

struct DeletionOptions {
  StreamReferences references = StreamReferences::keep;
  std::vector<StreamId> ids;
};

bool refused(Context& c, std::string_view text) {
  c.error(text);
  return false;
}

// [KEEPREF|DELREF|ACKED] IDS count id ... from an argument on. False, after an error.
bool read_deletion(Context& c, size_t first, DeletionOptions& options) {
  size_t i = first;
  bool chosen = false;
  for (; i < c.args.size() && !c.is(i, "IDS"); ++i) {
    const std::optional<StreamReferences> references = references_named(c, i);
    if (!references || chosen) return refused(c, "ERR syntax error");
    options.references = *references;
    chosen = true;
  }
  if (i + 1 >= c.args.size()) return refused(c, "ERR syntax error");
  const std::optional<int64_t> count =
      c.integer_between(i + 1, 1, std::numeric_limits<int32_t>::max(),
                        "ERR Number of IDs must be a positive integer");
  if (!count) return false;
  const size_t given = c.args.size() - i - 2;
  if (static_cast<size_t>(*count) != given) {
    return refused(c, "ERR The `numids` parameter must match the number of arguments");
  }
  return stream_ids(c, i + 2, given, options.ids);
}

Outcome delete_entry(Stream& stream, StreamId id, StreamReferences references) {
  StreamEntry entry;
  const bool there = stream.find(id, entry);
  if (there && references == StreamReferences::acknowledged && !stream.is_acknowledged(id)) {
    return Outcome::referenced;
  }
  if (there && references == StreamReferences::remove) stream.remove_references(id);
  return stream.erase(id) ? Outcome::deleted : Outcome::missing;
}

void reply_outcomes(Context& c, const std::vector<Outcome>& outcomes) {
  c.reply.array(outcomes.size());
  for (const Outcome outcome : outcomes) c.reply.integer(static_cast<int>(outcome));
}

void xdelex_command(Context& c) {
  DeletionOptions options;
  if (!read_deletion(c, 2, options)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::stream)) return;
  std::vector<Outcome> outcomes(options.ids.size(), Outcome::missing);
  bool changed = false;
  for (size_t i = 0; i < options.ids.size() && entry != nullptr; ++i) {
    outcomes[i] = delete_entry(stream_of(*entry), options.ids[i], options.references);
    changed = changed || outcomes[i] == Outcome::deleted;
  }
  if (changed) c.modified(key, 't', "xdel");
  reply_outcomes(c, outcomes);
}

// Acknowledges an entry and deletes it from the stream as far as it may be.
Outcome acknowledge_and_delete(Stream& stream, StreamGroup& group, StreamId id,
                               StreamReferences references, bool* deleted) {
  StreamPending* pending = group.pending.find(id);
  if (pending == nullptr) return Outcome::missing;
  stream.remove_pending(group, pending);
  const Outcome outcome = delete_entry(stream, id, references);
  *deleted = *deleted || outcome == Outcome::deleted;
  return outcome == Outcome::referenced ? outcome : Outcome::deleted;
}

void xackdel_command(Context& c) {
  DeletionOptions options;
  if (!read_deletion(c, 3, options)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::stream)) return;
  StreamGroup* group = entry == nullptr ? nullptr : stream_of(*entry).find_group(c.args[2]);
  std::vector<Outcome> outcomes(options.ids.size(), Outcome::missing);
  bool changed = false;
  bool deleted = false;
  for (size_t i = 0; i < options.ids.size() && group != nullptr; ++i) {
    outcomes[i] = acknowledge_and_delete(stream_of(*entry), *group, options.ids[i],
                                         options.references, &deleted);
    changed = changed || outcomes[i] != Outcome::missing;
  }
  if (deleted) {
    c.modified(key, 't', "xdel");
  } else if (changed) {
    modified_without_event(c, key);
  }
  reply_outcomes(c, outcomes);
}

// --- XNACK

enum class NackMode : uint8_t { silent, fail, fatal };

struct NackOptions {
  NackMode mode = NackMode::fail;
  std::vector<StreamId> ids;
  std::optional<int64_t> retry_count;
  bool force = false;
};

// RETRYCOUNT and FORCE, from an argument on. False, after an error.
bool read_nack_options(Context& c, size_t first, NackOptions& options) {
  for (size_t i = first; i < c.args.size(); ++i) {
    if (c.is(i, "FORCE")) {
      options.force = true;
    } else if (c.is(i, "RETRYCOUNT") && i + 1 < c.args.size()) {
      options.retry_count = c.integer_between(++i, 0, std::numeric_limits<int64_t>::max(),
                                              "ERR Invalid RETRYCOUNT option argument for XNACK");
      if (!options.retry_count) return false;
    } else {
      return refused(c, "ERR syntax error");
    }
  }
  return true;
}

bool read_nack(Context& c, NackOptions& options) {
  if (c.is(3, "SILENT")) {
    options.mode = NackMode::silent;
  } else if (c.is(3, "FATAL")) {
    options.mode = NackMode::fatal;
  } else if (!c.is(3, "FAIL")) {
    return refused(c, "ERR syntax error");
  }
  if (!c.is(4, "IDS")) return refused(c, "ERR syntax error");
  const std::optional<int64_t> count = c.integer_between(
      5, 1, std::numeric_limits<int32_t>::max(), "ERR Number of IDs must be a positive integer");
  if (!count) return false;
  const auto ids = static_cast<size_t>(*count);
  if (ids > c.args.size() - 6) {
    return refused(c, "ERR The `numids` parameter must match the number of arguments");
  }
  return stream_ids(c, 6, ids, options.ids) && read_nack_options(c, 6 + ids, options);
}

// Whether the entry was given back.
bool give_back(Stream& stream, StreamGroup& group, StreamId id, const NackOptions& options) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  StreamPending* pending = group.pending.find(id);
  StreamEntry entry;
  if (pending != nullptr) {
    stream.assign(group, *pending, nullptr, 0);
    if (options.mode == NackMode::silent && pending->deliveries > 0) --pending->deliveries;
  } else if (options.force && stream.find(id, entry)) {
    pending = stream.add_pending(group, nullptr, id, 0);
    pending->deliveries = 0;
  } else {
    return false;
  }
  if (options.mode == NackMode::fatal) pending->deliveries = kMost;
  if (options.retry_count) pending->deliveries = static_cast<uint64_t>(*options.retry_count);
  return true;
}

void xnack_command(Context& c) {
  NackOptions options;
  if (!read_nack(c, options)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::stream)) return;
  StreamGroup* group = entry == nullptr ? nullptr : stream_of(*entry).find_group(c.args[2]);
  if (group == nullptr) {
    error_no_group(c, key, c.args[2]);
    return;
  }
  int64_t released = 0;
  for (const StreamId id : options.ids) {
    released += give_back(stream_of(*entry), *group, id, options) ? 1 : 0;
  }
  if (released > 0) modified_without_event(c, key);
  c.reply.integer(released);
}

// What XDELEX and XACKDEL have in common.
constexpr Command deletion_row(Command row) {
  row.flags = kWrite | kFast;
  row.categories = kCatStream;
  row.keys = {keys_at(kKeyRW | kKeyDelete, 1)};
  row.since = "8.2.0";
  row.group = "stream";
  row.complexity = "O(1) for each ID";
  return row;
}

constexpr Command stream_newer_rows[] = {
    deletion_row(
        {.name = "xackdel",
         .arity = -6,
         .summary = "Acknowledges entries of a consumer group and deletes them from the stream.",
         .arguments =
             "key:key group:string [condition:<keepref(KEEPREF)|delref(DELREF)|acked(ACKED)>] "
             "ids:{numids:integer id:string...}(IDS)",
         .handler = xackdel_command}),
    deletion_row(
        {.name = "xdelex",
         .arity = -5,
         .summary = "Deletes entries from a stream, with a choice of what becomes of references.",
         .arguments = "key:key [condition:<keepref(KEEPREF)|delref(DELREF)|acked(ACKED)>] "
                      "ids:{numids:integer id:string...}(IDS)",
         .handler = xdelex_command}),
    {.name = "xnack",
     .arity = -7,
     .flags = kWrite | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "8.8.0",
     .group = "stream",
     .complexity = "O(1) for each ID",
     .summary = "Gives pending entries back to the consumer group, for others to claim at once.",
     .arguments = "key:key group:string mode:<silent(SILENT)|fail(FAIL)|fatal(FATAL)> "
                  "ids:{numids:integer id:string...}(IDS) [count:integer(RETRYCOUNT)] "
                  "[force(FORCE)]",
     .handler = xnack_command},
};

}  // namespace

std::span<const Command> stream_newer_commands() {
  return stream_newer_rows;
}

}  // namespace redoubt
