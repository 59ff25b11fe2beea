// Streams: adding, deleting, trimming and reading entries.
#include <algorithm>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/streams/stream_idempotent.h"
#include "engine/commands/streams/stream_support.h"
#include "engine/commands/streams/stream_trim.h"

namespace redoubt {

namespace {

// --- XADD

struct Addition {
  StreamTrimOptions trim;
  IdempotentOptions idempotent;
  std::optional<StreamIdArgument> id;  // none: "*"
  size_t id_index = 0;
  bool no_stream = false;  // NOMKSTREAM
};

// Options in front of the id. False, after an error.
bool read_addition(Context& c, Addition& addition) {
  size_t i = 2;
  for (; i < c.args.size(); ++i) {
    if (c.args[i] == "*") break;
    StreamOptionWord word = read_trim_option(c, i, addition.trim);
    if (word == StreamOptionWord::other) {
      word = read_idempotent_option(c, i, addition.idempotent);
    }
    if (word == StreamOptionWord::failed) return false;
    if (word == StreamOptionWord::taken) continue;
    if (c.is(i, "NOMKSTREAM")) {
      addition.no_stream = true;
      continue;
    }
    addition.id = parse_stream_id_or_part(c.args[i]);
    if (!addition.id) {
      c.error("ERR Invalid stream ID specified as stream command argument");
      return false;
    }
    break;
  }
  addition.id_index = i;
  const bool id_given = addition.id && addition.id->has_seq;
  return finish_idempotent_options(c, addition.idempotent, addition.id.has_value(), id_given) &&
         finish_trim_options(c, addition.trim, false);
}

// The id of the new entry; an error is replied when there is none that is larger than the last.
std::optional<StreamId> choose_id(Context& c, const Addition& addition, StreamId last) {
  StreamId id;
  if (!addition.id) {
    const auto now = static_cast<uint64_t>(std::max<int64_t>(c.now_ms(), 0));
    id = last;
    if (now > last.ms) {
      id = {now, 0};
    } else {
      id.increment();
    }
  } else {
    id = addition.id->id;
    if (!addition.id->has_seq && last.ms == id.ms) {
      id = last;
      if (last.seq != StreamId::kMax) ++id.seq;
    }
  }
  if (id > last) return id;
  c.error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
  return std::nullopt;
}

// What the command did, with the id that was chosen and without "~".
void effect_of_addition(Context& c, const Addition& addition, const Stream& stream, StreamId id,
                        StreamId reached) {
  const bool id_chosen = !addition.id || !addition.id->has_seq;
  if (!c.effects().active() || (!id_chosen && !addition.trim.how.whole_blocks)) return;
  const StreamIdText id_text(id);
  const TrimEffect trim(addition.trim, stream, reached);
  const IdempotentEffect idempotent(c, addition.idempotent, stream);
  std::vector<std::string_view> args = {"XADD", c.args[1]};
  trim.append_to(args);
  idempotent.append_to(args);
  args.push_back(id_text.view());
  args.insert(args.end(), c.args.begin() + static_cast<std::ptrdiff_t>(addition.id_index) + 1,
              c.args.end());
  c.effect(args);
}

// False, after an error: what the new entry holds.
bool fields_ok(Context& c, const Addition& addition, std::span<const std::string_view> fields) {
  if (fields.empty() || fields.size() % 2 != 0) {
    c.error("ERR wrong number of arguments for 'xadd' command");
    return false;
  }
  if (addition.id && addition.id->has_seq && addition.id->id.is_zero()) {
    c.error("ERR The ID specified in XADD must be greater than 0-0");
    return false;
  }
  return true;
}

bool size_ok(Context& c, std::span<const std::string_view> fields) {
  size_t bytes = 0;
  for (const std::string_view each : fields) bytes += each.size();
  if (bytes <= StreamBlock::kEntryBytesMax) return true;
  c.error("ERR Elements are too large to be stored");
  return false;
}

void xadd_command(Context& c) {
  Addition addition;
  if (!read_addition(c, addition)) return;
  const std::span<const std::string_view> fields =
      c.args.subspan(std::min(addition.id_index + 1, c.args.size()));
  if (!fields_ok(c, addition, fields)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::stream)) return;
  if (entry == nullptr && addition.no_stream) {
    c.reply.null();
    return;
  }
  addition.idempotent.complete(fields);
  if (entry != nullptr && is_duplicate(c, addition.idempotent, stream_of(*entry))) return;
  const StreamId last = entry == nullptr ? StreamId() : stream_of(*entry).last_id();
  if (last == StreamId::largest()) {
    c.error("ERR The stream has exhausted the last possible ID, unable to add more items");
    return;
  }
  const std::optional<StreamId> id = choose_id(c, addition, last);
  if (!id || !size_ok(c, fields)) return;
  Stream& stream = entry == nullptr ? add_stream(c, key) : stream_of(*entry);
  stream.append(*id, fields, stream_limits(c));
  remember_message(c, addition.idempotent, stream, *id);
  reply_stream_id(c, *id);
  c.modified(key, 't', "xadd");
  StreamId reached;
  if (addition.trim.how.kind != StreamTrim::Kind::none) {
    if (stream.trim(addition.trim.how, &reached) > 0) c.announce(key, 't', "xtrim");
  }
  effect_of_addition(c, addition, stream, *id, reached);
}

// --- XTRIM

void xtrim_command(Context& c) {
  StreamTrimOptions options;
  for (size_t i = 2; i < c.args.size(); ++i) {
    const StreamOptionWord word = read_trim_option(c, i, options);
    if (word == StreamOptionWord::failed) return;
    if (word == StreamOptionWord::other) {
      c.syntax_error();
      return;
    }
  }
  if (!finish_trim_options(c, options, true)) return;
  const std::string_view key = c.args[1];
  Entry* entry = entry_or_reply_zero(c, key, Type::stream);
  if (entry == nullptr) return;
  Stream& stream = stream_of(*entry);
  StreamId reached;
  const uint64_t removed = stream.trim(options.how, &reached);
  c.env().count_work(removed / 16);
  if (removed > 0) {
    c.modified(key, 't', "xtrim");
    if (options.how.whole_blocks && c.effects().active()) {
      const TrimEffect trim(options, stream, reached);
      std::vector<std::string_view> args = {"XTRIM", key};
      trim.append_to(args);
      c.effect(args);
    }
  }
  c.reply.integer(static_cast<int64_t>(removed));
}

// --- XDEL

void xdel_command(Context& c) {
  const std::string_view key = c.args[1];
  Entry* entry = entry_or_reply_zero(c, key, Type::stream);
  if (entry == nullptr) return;
  std::vector<StreamId> ids;
  if (!stream_ids(c, 2, c.args.size() - 2, ids)) return;
  Stream& stream = stream_of(*entry);
  int64_t deleted = 0;
  for (const StreamId id : ids) deleted += stream.erase(id) ? 1 : 0;
  if (deleted > 0) c.modified(key, 't', "xdel");
  c.reply.integer(deleted);
}

// --- reading

void xlen_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::stream)) return;
  c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(stream_of(*entry).length()));
}

void reply_range(Context& c, bool reverse) {
  const std::optional<StreamId> start = range_start(c, reverse ? 3 : 2);
  if (!start) return;
  const std::optional<StreamId> end = range_end(c, reverse ? 2 : 3);
  if (!end) return;
  int64_t count = -1;
  for (size_t i = 4; i < c.args.size(); i += 2) {
    if (!c.is(i, "COUNT") || i + 1 == c.args.size()) {
      c.syntax_error();
      return;
    }
    const std::optional<int64_t> number = c.integer(i + 1);
    if (!number) return;
    count = std::max<int64_t>(*number, 0);
  }
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::stream)) return;
  if (entry == nullptr) {
    c.reply.array(0);
  } else if (count == 0) {
    c.reply.null_array();
  } else {
    reply_stream_range(c, stream_of(*entry), *start, *end,
                       static_cast<uint64_t>(std::max<int64_t>(count, 0)), reverse);
  }
}

void xrange_command(Context& c) {
  reply_range(c, false);
}

void xrevrange_command(Context& c) {
  reply_range(c, true);
}

// --- XSETID

struct NewIds {
  StreamId last;
  std::optional<int64_t> entries_added;
  StreamId max_deleted;
};

// False, after an error.
bool read_new_ids(Context& c, NewIds& ids) {
  const std::optional<StreamId> last = stream_id(c, 2);
  if (!last) return false;
  ids.last = *last;
  for (size_t i = 3; i < c.args.size(); i += 2) {
    const bool has_value = i + 1 < c.args.size();
    if (has_value && c.is(i, "ENTRIESADDED")) {
      ids.entries_added = c.integer(i + 1);
      if (!ids.entries_added) return false;
      if (*ids.entries_added < 0) {
        c.error("ERR entries_added must be positive");
        return false;
      }
    } else if (has_value && c.is(i, "MAXDELETEDID")) {
      const std::optional<StreamId> id = stream_id(c, i + 1);
      if (!id) return false;
      ids.max_deleted = *id;
      if (ids.last < ids.max_deleted) {
        c.error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
        return false;
      }
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

std::string_view problem_of(const NewIds& ids, const Stream& stream) {
  if (ids.last < stream.max_deleted_id()) {
    return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
  }
  if (stream.length() == 0) return {};
  if (ids.last < stream.last_entry_id()) {
    return "ERR The ID specified in XSETID is smaller than the target stream top item";
  }
  if (ids.entries_added && stream.length() > static_cast<uint64_t>(*ids.entries_added)) {
    return "ERR The entries_added specified in XSETID is smaller than the target stream length";
  }
  return {};
}

void xsetid_command(Context& c) {
  NewIds ids;
  if (!read_new_ids(c, ids)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::stream)) return;
  if (entry == nullptr) {
    c.error("ERR no such key");
    return;
  }
  Stream& stream = stream_of(*entry);
  if (const std::string_view problem = problem_of(ids, stream); !problem.empty()) {
    c.error(problem);
    return;
  }
  stream.set_counts(
      ids.last,
      ids.entries_added ? static_cast<uint64_t>(*ids.entries_added) : stream.entries_added(),
      ids.max_deleted.is_zero() ? stream.max_deleted_id() : ids.max_deleted);
  c.modified(key, 't', "xsetid");
  c.reply.ok();
}

// What XRANGE and XREVRANGE have in common.
constexpr Command range_row(Command row) {
  row.arity = -4;
  row.flags = kReadOnly;
  row.categories = kCatStream;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.since = "5.0.0";
  row.group = "stream";
  row.history = "6.2.0: Added exclusive ranges.";
  return row;
}

constexpr Command stream_rows[] = {
    {.name = "xadd",
     .arity = -5,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatStream,
     .keys = {noted(keys_at(kKeyRW | kKeyUpdate, 1),
                    "UPDATE instead of INSERT because of the optional trimming feature")},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1) when adding a new entry, O(N) when trimming where N being the "
                   "number of entries evicted.",
     .summary = "Appends a new entry to a stream",
     .tips = "nondeterministic_output",
     .arguments = "key:key [nomkstream(NOMKSTREAM)@6.2.0] "
                  "[trim:{strategy:<maxlen(MAXLEN)|minid(MINID)@6.2.0> "
                  "[operator:<equal(=)|approximately(~)>] threshold:string "
                  "[count:integer(LIMIT)@6.2.0]}] id_or_auto:<auto_id(*)|id:string> "
                  "field_value:{field:string value:string}...",
     .history = "6.2.0: Added the `NOMKSTREAM` option, `MINID` trimming strategy and the "
                "`LIMIT` option.\n7.0.0: Added support for the `<ms>-*` explicit ID "
                "form.",
     .handler = xadd_command},
    {.name = "xdel",
     .arity = -3,
     .flags = kWrite | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1) for each single item to delete in the stream, regardless of the "
                   "stream size.",
     .summary = "Removes the specified entries from the stream. Returns the number of "
                "items actually deleted, that may be different from the number of IDs "
                "passed in case certain IDs do not exist.",
     .arguments = "key:key id:string...",
     .handler = xdel_command},
    {.name = "xlen",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "Return the number of entries in a stream",
     .arguments = "key:key",
     .handler = xlen_command},
    range_row({.name = "xrange",
               .complexity =
                   "O(N) with N being the number of elements being returned. If N is "
                   "constant (e.g. always asking for the first 10 elements with COUNT), you "
                   "can consider it O(1).",
               .summary = "Return a range of elements in a stream, with IDs matching the specified "
                          "IDs interval",
               .arguments = "key:key start:string end:string [count:integer(COUNT)]",
               .handler = xrange_command}),
    range_row({.name = "xrevrange",
               .complexity = "O(N) with N being the number of elements returned. If N is constant "
                             "(e.g. always asking for the first 10 elements with COUNT), you can "
                             "consider it O(1).",
               .summary = "Return a range of elements in a stream, with IDs matching the specified "
                          "IDs interval, in reverse order (from greater to smaller IDs) compared "
                          "to XRANGE",
               .arguments = "key:key end:string start:string [count:integer(COUNT)]",
               .handler = xrevrange_command}),
    {.name = "xsetid",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "An internal command for replicating stream values",
     .arguments = "key:key last-id:string [entries_added:integer(ENTRIESADDED)@7.0.0] "
                  "[max_deleted_entry_id:string(MAXDELETEDID)@7.0.0]",
     .history = "7.0.0: Added the `entries_added` and `max_deleted_entry_id` arguments.",
     .handler = xsetid_command},
    {.name = "xtrim",
     .arity = -4,
     .flags = kWrite,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(N), with N being the number of evicted entries. Constant times are "
                   "very small however, since entries are organized in macro nodes "
                   "containing multiple entries that can be released with a single "
                   "deallocation.",
     .summary = "Trims the stream to (approximately if '~' is passed) a certain size",
     .tips = "nondeterministic_output",
     .arguments = "key:key trim:{strategy:<maxlen(MAXLEN)|minid(MINID)@6.2.0> "
                  "[operator:<equal(=)|approximately(~)>] threshold:string "
                  "[count:integer(LIMIT)@6.2.0]}",
     .history = "6.2.0: Added the `MINID` trimming strategy and the `LIMIT` option.",
     .handler = xtrim_command},
};

}  // namespace

std::span<const Command> stream_commands() {
  return stream_rows;
}

}  // namespace redoubt
