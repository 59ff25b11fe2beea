// Streams: XREAD and XREADGROUP, which may wait for entries.
#include <algorithm>
#include <iterator>
#include <limits>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/streams/stream_read.h"
#include "engine/store/stream_progress.h"
#include "net/text.h"

namespace redoubt {

namespace {

// --- arguments

// False, after an error.
bool read_streams(Context& c, size_t index, ReadOptions& options) {
  options.first_key = index + 1;
  const size_t left = c.args.size() - options.first_key;
  options.streams = left / 2;
  if (left % 2 == 0) return true;
  c.error(options.by_group ? "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an "
                             "ID or '>' must be specified."
                           : "ERR Unbalanced 'xread' list of streams: for each stream key an ID or "
                             "'$' must be specified.");
  return false;
}

// MAXCOUNT and MAXSIZE, which begin with 1.
bool read_limit(Context& c, size_t index, std::string_view word, uint64_t& limit) {
  const std::string message = "ERR " + std::string(word) + " must be a positive integer";
  const std::optional<int64_t> number =
      c.integer_between(index, 1, std::numeric_limits<int64_t>::max(), message);
  if (number) limit = static_cast<uint64_t>(*number);
  return number.has_value();
}

bool read_claim_idle(Context& c, size_t index, ReadOptions& options) {
  options.claim_idle_ms = c.integer(index, "ERR min-idle-time is not an integer");
  if (!options.claim_idle_ms) return false;
  if (*options.claim_idle_ms >= 0) return true;
  c.error("ERR min-idle-time must be a positive integer");
  return false;
}

bool read_count(Context& c, size_t index, ReadOptions& options) {
  const std::optional<int64_t> count = c.integer(index);
  if (!count) return false;
  options.count = static_cast<uint64_t>(std::max<int64_t>(*count, 0));
  return true;
}

bool read_deadline(Context& c, size_t index, ReadOptions& options) {
  const std::optional<Instant> deadline = c.timeout_ms(index);
  if (!deadline) return false;
  options.waits = true;
  options.deadline = *deadline;
  return true;
}

// False, after an error: GROUP and NOACK are for XREADGROUP.
bool group_option_ok(Context& c, const ReadOptions& options, std::string_view word) {
  if (options.by_group) return true;
  c.error("ERR The " + std::string(word) +
          " option is only supported by XREADGROUP. You called XREAD instead.");
  return false;
}

// One option; `index` moves to its last argument.
bool read_option(Context& c, size_t& index, ReadOptions& options) {
  const size_t more = c.args.size() - index - 1;
  if (c.is(index, "BLOCK") && more > 0) return read_deadline(c, ++index, options);
  if (c.is(index, "COUNT") && more > 0) return read_count(c, ++index, options);
  if (c.is(index, "MAXCOUNT") && more > 0) {
    return read_limit(c, ++index, "MAXCOUNT", options.total);
  }
  if (c.is(index, "MAXSIZE") && more > 0) {
    return read_limit(c, ++index, "MAXSIZE", options.bytes_max);
  }
  if (c.is(index, "CLAIM") && more > 0) {
    return group_option_ok(c, options, "CLAIM") && read_claim_idle(c, ++index, options);
  }
  if (c.is(index, "GROUP") && more >= 2) {
    if (!group_option_ok(c, options, "GROUP")) return false;
    options.group_index = index + 1;
    index += 2;
    return true;
  }
  if (c.is(index, "NOACK")) {
    options.no_ack = true;
    return group_option_ok(c, options, "NOACK");
  }
  c.syntax_error();
  return false;
}

bool read_options(Context& c, ReadOptions& options) {
  for (size_t i = 1; i < c.args.size() && options.first_key == 0; ++i) {
    if (c.is(i, "STREAMS") && i + 1 < c.args.size()) {
      if (!read_streams(c, i, options)) return false;
    } else if (!read_option(c, i, options)) {
      return false;
    }
  }
  if (options.first_key == 0) {
    c.syntax_error();
    return false;
  }
  if (options.by_group && options.group_index == 0) {
    c.error("ERR Missing GROUP option for XREADGROUP");
    return false;
  }
  if (options.total != 0 && options.count > options.total) {
    c.error("ERR MAXCOUNT must be greater than or equal to COUNT");
    return false;
  }
  return true;
}

// --- where to read from

bool find_group(Context& c, const ReadOptions& options, const Entry* entry, ReadSource& source) {
  const std::string_view name = c.args[options.group_index];
  if (source.stream != nullptr && source.stream->find_group(name) != nullptr) {
    source.changing = &stream_of(c.write(source.key, *entry));
    source.group = source.changing->find_group(name);
  }
  if (source.group != nullptr) return true;
  c.error("NOGROUP No such key '" + std::string(shown_name(source.key)) + "' or consumer group '" +
          std::string(shown_name(name)) + "' in XREADGROUP with GROUP option");
  return false;
}

bool read_position(Context& c, const ReadOptions& options, size_t index, ReadSource& source) {
  const std::string_view text = c.args[index];
  if (text == "$" || text == "+") {
    if (options.by_group) {
      const std::string name(text);
      c.error("ERR The " + name +
              " ID is meaningless in the context of XREADGROUP: you want to read the history of "
              "this consumer by specifying a proper ID, or use the > ID to get new messages. The " +
              name + " ID would just return an empty result set.");
      return false;
    }
    source.is_last = text == "$";
    if (source.stream != nullptr) {
      source.after = source.stream->last_id();
      if (text == "+" && source.stream->length() > 0) {
        source.after = source.stream->last_entry_id();
        source.after.decrement();
      }
    }
    return true;
  }
  if (text == ">") {
    source.is_new = true;
    if (options.by_group) return true;
    c.error(
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
        "<consumer> option.");
    return false;
  }
  const std::optional<StreamId> id = stream_id(c, index);
  if (!id) return false;
  source.after = *id;
  source.is_new = options.by_group && *id == StreamId::largest();
  return true;
}

bool find_sources(Context& c, const ReadOptions& options, std::vector<ReadSource>& sources) {
  for (size_t i = 0; i < options.streams; ++i) {
    ReadSource source;
    source.key = c.args[options.first_key + i];
    const Entry* entry = c.read(source.key);
    if (c.wrong_type(entry, Type::stream)) return false;
    if (entry != nullptr) source.stream = &stream_of(*entry);
    if (options.by_group && !find_group(c, options, entry, source)) return false;
    if (!read_position(c, options, options.first_key + options.streams + i, source)) return false;
    sources.push_back(source);
  }
  return true;
}

// Where a group will be when what comes before this source was delivered: it may be named twice.
StreamId position_of(const std::vector<ReadSource>& sources, size_t index, uint64_t count) {
  const ReadSource& source = sources[index];
  StreamId position = source.group->last_id;
  for (size_t i = 0; i < index; ++i) {
    if (sources[i].group != source.group || !sources[i].is_new || !sources[i].served) continue;
    StreamId start = position;
    if (!start.increment()) continue;
    StreamCursor cursor(*source.stream, start, StreamId::largest(), false);
    StreamEntry entry;
    for (uint64_t n = 0; (count == 0 || n < count) && cursor.next(entry); ++n) position = entry.id;
  }
  return position;
}

// Which sources have something to give; returns how many.
size_t choose_served(std::vector<ReadSource>& sources, const ReadOptions& options) {
  size_t served = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    ReadSource& source = sources[i];
    if (source.stream == nullptr) continue;
    if (source.group != nullptr && !source.is_new) {
      source.served = true;
    } else if (source.stream->length() > 0) {
      if (source.group != nullptr) source.after = position_of(sources, i, options.count);
      source.served = source.stream->last_entry_id() > source.after;
    }
    served += source.served ? 1 : 0;
  }
  return served;
}

// --- serving

// Entries that were delivered to the consumer before and not acknowledged. That they are delivered
// again is an effect, as the counts and times of deliveries are data, but not a change of the key.
void reply_history(Context& c, const ReadSource& source, StreamConsumer& consumer, uint64_t count) {
  StreamId start = source.after;
  start.increment();
  const auto first = consumer.pending.lower_bound(start);
  uint64_t found = 0;
  for (auto place = first; consumer.pending.at(place) != nullptr && (count == 0 || found < count);
       place = consumer.pending.next(place)) {
    ++found;
  }
  c.env().count_work(found);
  c.reply.array(found);
  auto place = first;
  for (uint64_t i = 0; i < found; ++i, place = consumer.pending.next(place)) {
    StreamPending* pending = consumer.pending.at(place);
    StreamEntry entry;
    if (!source.stream->find(pending->id, entry)) {
      c.reply.array(2);
      reply_stream_id(c, pending->id);
      c.reply.null_array();
      continue;
    }
    reply_stream_entry(c, entry);
    source.changing->assign(*source.group, *pending, &consumer, c.now_ms());
    count_delivery(*pending);
    effect_of_claim(c, source.key, *source.group, *pending);
  }
}

// Entries that the group has not read.
void reply_new(Context& c, const ReadSource& source, StreamConsumer& consumer,
               const ReadOptions& options) {
  StreamId start = source.group->last_id;
  start.increment();
  const StreamId end = StreamId::largest();
  const uint64_t found = source.stream->count_between(start, end, options.count);
  c.env().count_work(found);
  c.reply.array(found);
  StreamCursor cursor(*source.stream, start, end, false);
  StreamEntry entry;
  for (uint64_t i = 0; i < found && cursor.next(entry); ++i) {
    StreamProgress(*source.changing).advance(*source.group, entry.id);
    reply_stream_entry(c, entry);
    if (!options.no_ack) deliver(c, source, consumer, entry.id);
  }
  modified_without_event(c, source.key);
  effect_of_reading(c, source.key, *source.group);
}

void reply_source(Context& c, const ReadSource& source, StreamConsumer* consumer,
                  const ReadOptions& options) {
  if (!c.reply.resp3()) c.reply.array(2);
  c.reply.bulk(source.key);
  if (source.group == nullptr) {
    StreamId start = source.after;
    start.increment();
    reply_stream_range(c, *source.stream, start, StreamId::largest(), options.count, false);
  } else if (source.is_new) {
    reply_new(c, source, *consumer, options);
  } else {
    reply_history(c, source, *consumer, options.count);
  }
}

// What comes after "$" now comes after this id when the command is executed again.
void wait_for_entries(Context& c, const ReadOptions& options,
                      const std::vector<ReadSource>& sources) {
  std::vector<std::string_view> again(c.args.begin(), c.args.end());
  std::vector<StreamIdText> ids;
  ids.reserve(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].is_last) continue;
    ids.emplace_back(sources[i].after);
    again[options.first_key + options.streams + i] = ids.back().view();
  }
  c.block(Type::stream, options.first_key, options.first_key + options.streams, options.deadline,
          BlockReply::null_array,
          options.by_group ? BlockMode::while_key_exists : BlockMode::until_served, again,
          next_claim(c, options, sources));
}

// False: there is nothing to give, and no reply is written.
bool serve(Context& c, const ReadOptions& options, std::vector<ReadSource>& sources) {
  const size_t served = choose_served(sources, options);
  if (served > 0) c.reply.resp3() ? c.reply.map(served) : c.reply.array(served);
  for (const ReadSource& source : sources) {
    StreamConsumer* consumer = nullptr;
    if (source.group != nullptr) consumer = &reading_consumer(c, options, source);
    if (source.served) reply_source(c, source, consumer, options);
  }
  return served > 0;
}

void read_command(Context& c, bool by_group) {
  ReadOptions options;
  options.by_group = by_group;
  std::vector<ReadSource> sources;
  if (!read_options(c, options) || !find_sources(c, options, sources)) return;
  if (options.limited() ? serve_limited(c, options, sources) : serve(c, options, sources)) return;
  if (options.waits) {
    wait_for_entries(c, options, sources);
  } else {
    c.reply.null_array();
  }
}

void xread_command(Context& c) {
  read_command(c, false);
}

void xreadgroup_command(Context& c) {
  read_command(c, true);
}

// --- keys

bool has_value(std::string_view option) {
  constexpr std::string_view kOptions[] = {"BLOCK", "COUNT", "MAXCOUNT", "MAXSIZE", "CLAIM"};
  return std::any_of(std::begin(kOptions), std::end(kOptions),
                     [option](std::string_view word) { return equal_ignoring_case(option, word); });
}

// The first half of what follows STREAMS, which is the last option. Words in front of it that are
// no options do not matter.
bool keys_behind_streams(std::span<const std::string_view> args, std::vector<int>& indexes) {
  for (size_t i = 1; i < args.size(); ++i) {
    if (equal_ignoring_case(args[i], "GROUP")) {
      i += 2;
    } else if (has_value(args[i])) {
      ++i;
    } else if (equal_ignoring_case(args[i], "STREAMS")) {
      const size_t left = args.size() - i - 1;
      if (left < 2) return false;
      for (size_t k = 0; k < left / 2; ++k) indexes.push_back(static_cast<int>(i + 1 + k));
      return true;
    }
  }
  return false;
}

constexpr KeySpec behind_streams(uint32_t flags, int from) {
  return {.flags = flags,
          .begin = KeySpec::Begin::keyword,
          .index = from,
          .keyword = "STREAMS",
          .find = KeySpec::Find::range,
          .last_or_keynum = -1,
          .step = 1,
          .limit_or_first = 2,
          .notes = {}};
}

constexpr Command stream_read_rows[] = {
    {.name = "xread",
     .arity = -4,
     .flags = kReadOnly | kBlocking | kMovableKeys,
     .categories = kCatStream,
     .keys = {behind_streams(kKeyRO | kKeyAccess, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "For each stream mentioned: O(N) with N being the number of elements "
                   "being returned, it means that XREAD-ing with a fixed COUNT is O(1). "
                   "Note that when the BLOCK option is used, XADD will pay O(M) time in "
                   "order to serve the M clients blocked on the stream getting new data.",
     .summary = "Return never seen elements in multiple streams, with IDs greater than "
                "the ones reported by the caller for each stream. Can block.",
     .arguments = "[count:integer(COUNT)] [milliseconds:integer(BLOCK)] "
                  "streams:{key:key... id:string...}(STREAMS)",
     .handler = xread_command,
     .find_keys = keys_behind_streams},
    {.name = "xreadgroup",
     .arity = -7,
     .flags = kWrite | kBlocking | kMovableKeys,
     .categories = kCatStream,
     .keys = {behind_streams(kKeyRO | kKeyAccess, 4)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "For each stream mentioned: O(M) with M being the number of elements "
                   "returned. If M is constant (e.g. always asking for the first 10 "
                   "elements with COUNT), you can consider it O(1). On the other side when "
                   "XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N "
                   "clients blocked on the stream getting new data.",
     .summary = "Return new entries from a stream using a consumer group, or access the "
                "history of the pending entries for a given consumer. Can block.",
     .arguments = "group_consumer:{group:string consumer:string}(GROUP) "
                  "[count:integer(COUNT)] [milliseconds:integer(BLOCK)] [noack(NOACK)] "
                  "streams:{key:key... id:string...}(STREAMS)",
     .handler = xreadgroup_command,
     .find_keys = keys_behind_streams},
};

}  // namespace

StreamConsumer& reading_consumer(Context& c, const ReadOptions& options, const ReadSource& source) {
  return consumer_for(c, *source.changing, *source.group, source.key,
                      c.args[options.group_index + 1]);
}

void deliver(Context& c, const ReadSource& source, StreamConsumer& consumer, StreamId id) {
  StreamPending* pending = source.group->pending.find(id);
  if (pending == nullptr) {
    pending = source.changing->add_pending(*source.group, &consumer, id, c.now_ms());
  } else {
    // XGROUP SETID went back in the stream.
    source.changing->assign(*source.group, *pending, &consumer, c.now_ms());
  }
  pending->deliveries = 1;
  consumer.active_ms = c.now_ms();
  effect_of_claim(c, source.key, *source.group, *pending);
}

void count_delivery(StreamPending& pending) {
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (pending.deliveries < kMax) ++pending.deliveries;
}

std::span<const Command> stream_read_commands() {
  return stream_read_rows;
}

}  // namespace redoubt
