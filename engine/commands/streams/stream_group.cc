// Streams: consumer groups. XGROUP, XACK.
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/streams/stream_support.h"
#include "engine/dispatch/help.h"
#include "engine/store/stream_progress.h"

namespace redoubt {

namespace {

// --- what the subcommands of XGROUP have in common

// The stream of argument 2. False, after an error: it has another type.
bool find_stream(Context& c, Stream** stream) {
  Entry* entry = c.write(c.args[2]);
  if (c.wrong_type(entry, Type::stream)) return false;
  *stream = entry == nullptr ? nullptr : &stream_of(*entry);
  return true;
}

void error_key_required(Context& c) {
  c.error(
      "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
      "use the MKSTREAM option to create an empty stream automatically.");
}

// The stream, which must exist; null after an error.
Stream* required_stream(Context& c) {
  Stream* stream = nullptr;
  if (!find_stream(c, &stream)) return nullptr;
  if (stream == nullptr) error_key_required(c);
  return stream;
}

// The stream and its group of argument 3; false after an error.
bool required_group(Context& c, Stream** stream, StreamGroup** group) {
  *stream = required_stream(c);
  if (*stream == nullptr) return false;
  *group = (*stream)->find_group(c.args[3]);
  if (*group == nullptr) error_no_group_for_key(c, c.args[2], c.args[3]);
  return *group != nullptr;
}

struct GroupOptions {
  bool make_stream = false;
  int64_t entries_read = StreamGroup::kUnknown;
};

// MKSTREAM and ENTRIESREAD, from argument 5 on. False, after an error.
bool read_group_options(Context& c, bool may_make_stream, GroupOptions& options) {
  for (size_t i = 5; i < c.args.size(); ++i) {
    if (may_make_stream && c.is(i, "MKSTREAM")) {
      options.make_stream = true;
    } else if (c.is(i, "ENTRIESREAD") && i + 1 < c.args.size()) {
      const std::optional<int64_t> count = c.integer(++i);
      if (!count) return false;
      if (*count < 0 && *count != StreamGroup::kUnknown) {
        c.error("ERR value for ENTRIESREAD must be positive or -1");
        return false;
      }
      options.entries_read = *count;
    } else {
      error_subcommand_syntax(c);
      return false;
    }
  }
  return true;
}

// --- XGROUP

void xgroup_create_command(Context& c) {
  GroupOptions options;
  if (!read_group_options(c, true, options)) return;
  Stream* stream = nullptr;
  if (!find_stream(c, &stream)) return;
  if (stream == nullptr && !options.make_stream) {
    error_key_required(c);
    return;
  }
  if (c.args.size() > 8) {
    error_subcommand_syntax(c);
    return;
  }
  StreamId id = stream == nullptr ? StreamId() : stream->last_id();
  if (c.args[4] != "$") {
    const std::optional<StreamId> given = stream_id(c, 4);
    if (!given) return;
    id = *given;
  }
  const std::string_view key = c.args[2];
  if (stream == nullptr) stream = &add_stream(c, key);
  if (stream->find_group(c.args[3]) != nullptr) {
    c.error("BUSYGROUP Consumer Group name already exists");
    return;
  }
  StreamGroup* group = stream->add_group(c.args[3], {}, StreamGroup::kUnknown);
  StreamProgress(*stream).set_position(*group, id, options.entries_read);
  c.modified(key, 't', "xgroup-create");
  c.reply.ok();
}

void xgroup_setid_command(Context& c) {
  GroupOptions options;
  if (!read_group_options(c, false, options)) return;
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
  if (!required_group(c, &stream, &group)) return;
  if (c.args.size() != 5 && c.args.size() != 7) {
    error_subcommand_syntax(c);
    return;
  }
  StreamId id = stream->last_id();
  if (c.args[4] != "$") {
    const std::optional<StreamId> given = stream_id_or_edge(c, 4);
    if (!given) return;
    id = *given;
  }
  StreamProgress(*stream).set_position(*group, id, options.entries_read);
  c.modified(c.args[2], 't', "xgroup-setid");
  c.reply.ok();
}

void xgroup_destroy_command(Context& c) {
  Stream* stream = required_stream(c);
  if (stream == nullptr) return;
  StreamGroup* group = stream->find_group(c.args[3]);
  if (group != nullptr) {
    Stream* remains = stream->remove_group(*group);
    if (remains != nullptr) {
      c.db().remains().discard(Type::stream, Encoding::stream, remains, remains->pieces(),
                               remains->bytes());
    }
    c.modified(c.args[2], 't', "xgroup-destroy");
  }
  c.reply.integer(group != nullptr ? 1 : 0);
}

void xgroup_createconsumer_command(Context& c) {
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
  if (!required_group(c, &stream, &group)) return;
  const bool is_new = group->consumers.find(c.args[4]) == nullptr;
  if (is_new) {
    stream->add_consumer(*group, c.args[4], c.now_ms());
    c.modified(c.args[2], 't', "xgroup-createconsumer");
  }
  c.reply.integer(is_new ? 1 : 0);
}

void xgroup_delconsumer_command(Context& c) {
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
  if (!required_group(c, &stream, &group)) return;
  StreamConsumer* consumer = group->consumers.find(c.args[4]);
  size_t pending = 0;
  if (consumer != nullptr) {
    pending = consumer->pending.size();
    c.env().count_work(pending);
    stream->remove_consumer(*group, *consumer);
    c.modified(c.args[2], 't', "xgroup-delconsumer");
  }
  c.reply.integer(static_cast<int64_t>(pending));
}

void xgroup_help_command(Context& c) {
  constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Create a new consumer group. Options are:",
      "    * MKSTREAM",
      "      Create the empty stream if it does not exist.",
      "    * ENTRIESREAD entries_read",
      "      Set the group's entries_read counter (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Create a new consumer in the specified group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove the specified consumer.",
      "DESTROY <key> <groupname>",
      "    Remove the specified group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the current group ID and entries_read counter.",
  };
  reply_help(c, kLines);
}

// --- XACK

void xack_command(Context& c) {
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::stream)) return;
  StreamGroup* group = entry == nullptr ? nullptr : stream_of(*entry).find_group(c.args[2]);
  if (group == nullptr) {
    c.reply.integer(0);
    return;
  }
  std::vector<StreamId> ids;
  if (!stream_ids(c, 3, c.args.size() - 3, ids)) return;
  int64_t acknowledged = 0;
  for (const StreamId id : ids) {
    StreamPending* pending = group->pending.find(id);
    if (pending == nullptr) continue;
    stream_of(*entry).remove_pending(*group, pending);
    ++acknowledged;
  }
  if (acknowledged > 0) modified_without_event(c, key);
  c.reply.integer(acknowledged);
}

constexpr Command xgroup_subcommands[] = {
    {.name = "create",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyInsert, 2)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "Create a consumer group.",
     .arguments = "key:key groupname:string id:<id:string|new_id($)> [mkstream(MKSTREAM)] "
                  "[entries_read:integer(ENTRIESREAD)]",
     .history = "7.0.0: Added the `entries_read` named argument.",
     .handler = xgroup_create_command},
    {.name = "createconsumer",
     .arity = 5,
     .flags = kWrite | kDenyOom,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyInsert, 2)},
     .since = "6.2.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "Create a consumer in a consumer group.",
     .arguments = "key:key groupname:string consumername:string",
     .handler = xgroup_createconsumer_command},
    {.name = "delconsumer",
     .arity = 5,
     .flags = kWrite,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyDelete, 2)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "Delete a consumer from a consumer group.",
     .arguments = "key:key groupname:string consumername:string",
     .handler = xgroup_delconsumer_command},
    {.name = "destroy",
     .arity = 4,
     .flags = kWrite,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyDelete, 2)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(N) where N is the number of entries in the group's pending entries "
                   "list (PEL).",
     .summary = "Destroy a consumer group.",
     .arguments = "key:key groupname:string",
     .handler = xgroup_destroy_command},
    help_row({.categories = kCatStream,
              .since = "5.0.0",
              .group = "stream",
              .handler = xgroup_help_command}),
    {.name = "setid",
     .arity = -5,
     .flags = kWrite,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 2)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "Set a consumer group to an arbitrary last delivered ID value.",
     .arguments = "key:key groupname:string id:<id:string|new_id($)> "
                  "[entries_read:integer(ENTRIESREAD)]",
     .history = "7.0.0: Added the optional `entries_read` argument.",
     .handler = xgroup_setid_command},
};

constexpr Command stream_group_rows[] = {
    {.name = "xack",
     .arity = -4,
     .flags = kWrite | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1) for each message ID processed.",
     .summary = "Marks a pending message as correctly processed, effectively removing it "
                "from the pending entries list of the consumer group. Return value of "
                "the command is the number of messages successfully acknowledged, that "
                "is, the IDs we were actually able to resolve in the PEL.",
     .arguments = "key:key group:string id:string...",
     .handler = xack_command},

    {.name = "xgroup",
     .arity = -2,
     .since = "5.0.0",
     .group = "stream",
     .complexity = "Depends on subcommand.",
     .summary = "A container for consumer groups commands",
     .subcommands = xgroup_subcommands},
};

}  // namespace

std::span<const Command> stream_group_commands() {
  return stream_group_rows;
}

}  // namespace redoubt
