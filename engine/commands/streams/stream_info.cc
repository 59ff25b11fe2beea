// Streams: XINFO.
#include <algorithm>

#include "engine/commands/families.h"
#include "engine/commands/streams/stream_support.h"
#include "engine/dispatch/help.h"
#include "engine/store/stream_progress.h"

namespace redoubt {

namespace {

// The stream of argument 2; null after an error.
const Stream* existing_stream(Context& c) {
  const Entry* entry = c.read(c.args[2]);
  if (entry == nullptr) {
    c.error("ERR no such key");
    return nullptr;
  }
  return c.wrong_type(entry, Type::stream) ? nullptr : &stream_of(*entry);
}

void field(Context& c, std::string_view name, int64_t value) {
  c.reply.bulk(name);
  c.reply.integer(value);
}

void field(Context& c, std::string_view name, size_t value) {
  field(c, name, static_cast<int64_t>(value));
}

void field(Context& c, std::string_view name, StreamId id) {
  c.reply.bulk(name);
  reply_stream_id(c, id);
}

void field(Context& c, std::string_view name, std::optional<int64_t> value) {
  c.reply.bulk(name);
  value ? c.reply.integer(*value) : c.reply.null();
}

// What both forms of XINFO STREAM begin with: so many fields.
size_t outline_fields(const Stream& stream) {
  return stream.idempotency() == nullptr ? 7 : 13;
}

void reply_outline(Context& c, const Stream& stream) {
  field(c, "length", stream.length());
  field(c, "radix-tree-keys", stream.block_count());
  field(c, "radix-tree-nodes", stream.radix_nodes());
  field(c, "last-generated-id", stream.last_id());
  field(c, "max-deleted-entry-id", stream.max_deleted_id());
  field(c, "entries-added", stream.entries_added());
  field(c, "recorded-first-entry-id", stream.first_id());
  const StreamIdempotency* idempotency = stream.idempotency();
  if (idempotency == nullptr) return;
  field(c, "idmp-duration", idempotency->limits().duration_s);
  field(c, "idmp-maxsize", idempotency->limits().maxsize);
  field(c, "pids-tracked", idempotency->producers());
  field(c, "iids-tracked", idempotency->records());
  field(c, "iids-added", idempotency->made());
  field(c, "iids-duplicates", idempotency->duplicates());
}

std::optional<int64_t> entries_read(const StreamGroup& group) {
  if (group.entries_read == StreamGroup::kUnknown) return std::nullopt;
  return group.entries_read;
}

// The pending entries of a group or of a consumer, up to `count` of them; a count of 0: all.
template <typename PendingList>
void reply_pending(Context& c, const PendingList& list, uint64_t count, bool with_consumer) {
  const size_t shown = count == 0 ? list.size() : std::min<size_t>(list.size(), count);
  c.env().count_work(shown);
  c.reply.array(shown);
  auto place = list.first();
  for (size_t i = 0; i < shown; ++i, place = list.next(place)) {
    const StreamPending* pending = list.at(place);
    c.reply.array(with_consumer ? 4 : 3);
    reply_stream_id(c, pending->id);
    if (with_consumer) c.reply.bulk(owner_of(*pending));
    c.reply.integer(pending->delivered_ms);
    c.reply.integer(static_cast<int64_t>(pending->deliveries));
  }
}

void reply_consumer_in_full(Context& c, const StreamConsumer& consumer, uint64_t count) {
  c.reply.map(5);
  c.reply.bulk("name");
  c.reply.bulk(consumer.name());
  field(c, "seen-time", consumer.seen_ms);
  field(c, "active-time", consumer.active_ms);
  field(c, "pel-count", consumer.pending.size());
  c.reply.bulk("pending");
  reply_pending(c, consumer.pending, count, false);
}

void reply_group_in_full(Context& c, const Stream& stream, const StreamGroup& group,
                         uint64_t count) {
  c.reply.map(group.unowned > 0 ? 8 : 7);
  c.reply.bulk("name");
  c.reply.bulk(group.name());
  field(c, "last-delivered-id", group.last_id);
  field(c, "entries-read", entries_read(group));
  field(c, "lag", StreamProgress(stream).lag(group));
  field(c, "pel-count", group.pending.size());
  c.reply.bulk("pending");
  reply_pending(c, group.pending, count, true);
  c.reply.bulk("consumers");
  c.reply.array(group.consumers.size());
  for (auto place = group.consumers.first();
       const StreamConsumer* consumer = group.consumers.at(place);
       place = group.consumers.next(place)) {
    reply_consumer_in_full(c, *consumer, count);
  }
  if (group.unowned > 0) field(c, "nacked-count", group.unowned);
}

void reply_in_full(Context& c, const Stream& stream, uint64_t count) {
  c.reply.map(outline_fields(stream) + 2);
  reply_outline(c, stream);
  c.reply.bulk("entries");
  reply_stream_range(c, stream, {}, StreamId::largest(), count, false);
  c.reply.bulk("groups");
  const auto& groups = stream.groups();
  c.reply.array(groups.size());
  for (auto place = groups.first(); const StreamGroup* group = groups.at(place);
       place = groups.next(place)) {
    reply_group_in_full(c, stream, *group, count);
  }
}

void reply_edge(Context& c, std::string_view name, const Stream& stream, bool last) {
  c.reply.bulk(name);
  StreamCursor cursor(stream, {}, StreamId::largest(), last);
  StreamEntry entry;
  if (cursor.next(entry)) {
    reply_stream_entry(c, entry);
  } else {
    c.reply.null();
  }
}

// FULL [COUNT n]. False, after an error.
bool read_full(Context& c, bool* full, uint64_t* count) {
  const size_t given = c.args.size() - 3;
  *full = given > 0;
  if (given == 0) return true;
  if ((given != 1 && given != 3) || !c.is(3, "FULL") || (given == 3 && !c.is(4, "COUNT"))) {
    error_subcommand_syntax(c);
    return false;
  }
  if (given == 1) return true;
  const std::optional<int64_t> number = c.integer(5);
  if (!number) return false;
  if (*number >= 0) *count = static_cast<uint64_t>(*number);
  return true;
}

void xinfo_stream_command(Context& c) {
  const Stream* stream = existing_stream(c);
  if (stream == nullptr) return;
  bool full = false;
  uint64_t count = 10;
  if (!read_full(c, &full, &count)) return;
  if (full) {
    reply_in_full(c, *stream, count);
    return;
  }
  c.reply.map(outline_fields(*stream) + 3);
  reply_outline(c, *stream);
  field(c, "groups", stream->groups().size());
  reply_edge(c, "first-entry", *stream, false);
  reply_edge(c, "last-entry", *stream, true);
}

void xinfo_groups_command(Context& c) {
  const Stream* stream = existing_stream(c);
  if (stream == nullptr) return;
  const auto& groups = stream->groups();
  c.reply.array(groups.size());
  for (auto place = groups.first(); const StreamGroup* group = groups.at(place);
       place = groups.next(place)) {
    c.reply.map(6);
    c.reply.bulk("name");
    c.reply.bulk(group->name());
    field(c, "consumers", group->consumers.size());
    field(c, "pending", group->pending.size());
    field(c, "last-delivered-id", group->last_id);
    field(c, "entries-read", entries_read(*group));
    field(c, "lag", StreamProgress(*stream).lag(*group));
  }
}

void xinfo_consumers_command(Context& c) {
  const Stream* stream = existing_stream(c);
  if (stream == nullptr) return;
  const StreamGroup* group = stream->find_group(c.args[3]);
  if (group == nullptr) {
    error_no_group_for_key(c, c.args[2], c.args[3]);
    return;
  }
  const auto& consumers = group->consumers;
  c.reply.array(consumers.size());
  for (auto place = consumers.first(); const StreamConsumer* consumer = consumers.at(place);
       place = consumers.next(place)) {
    c.reply.map(4);
    c.reply.bulk("name");
    c.reply.bulk(consumer->name());
    field(c, "pending", consumer->pending.size());
    field(c, "idle", std::max<int64_t>(c.now_ms() - consumer->seen_ms, 0));
    const bool active = consumer->active_ms >= 0;
    field(c, "inactive",
          active ? std::max<int64_t>(c.now_ms() - consumer->active_ms, 0) : int64_t{-1});
  }
}

void xinfo_help_command(Context& c) {
  constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    Show consumers of <groupname>.",
      "GROUPS <key>",
      "    Show the stream consumer groups.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Show information about the stream.",
  };
  reply_help(c, kLines);
}

// What the subcommands have in common, but HELP.
constexpr Command look_row(Command row) {
  row.flags = kReadOnly;
  row.categories = kCatStream;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 2)};
  row.since = "5.0.0";
  row.group = "stream";
  row.complexity = "O(1)";
  return row;
}

constexpr Command xinfo_subcommands[] = {
    look_row({.name = "consumers",
              .arity = 4,
              .summary = "List the consumers in a consumer group",
              .tips = "nondeterministic_output",
              .arguments = "key:key groupname:string",
              .handler = xinfo_consumers_command}),
    look_row({.name = "groups",
              .arity = 3,
              .summary = "List the consumer groups of a stream",
              .arguments = "key:key",
              .history = "7.0.0: Added the `entries-read` and `lag` fields",
              .handler = xinfo_groups_command}),
    help_row({.categories = kCatStream,
              .since = "5.0.0",
              .group = "stream",
              .handler = xinfo_help_command}),
    look_row({.name = "stream",
              .arity = -3,
              .summary = "Get information about a stream",
              .arguments = "key:key [full:{[count:integer(COUNT)]}(FULL)]",
              .history = "6.0.0: Added the `FULL` modifier.\n7.0.0: Added the "
                         "`max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, "
                         "`entries-read` and `lag` fields",
              .handler = xinfo_stream_command}),
};

constexpr Command stream_info_rows[] = {
    {.name = "xinfo",
     .arity = -2,
     .since = "5.0.0",
     .group = "stream",
     .complexity = "Depends on subcommand.",
     .summary = "A container for stream introspection commands",
     .subcommands = xinfo_subcommands},
};

}  // namespace

std::span<const Command> stream_info_commands() {
  return stream_info_rows;
}

}  // namespace redoubt
