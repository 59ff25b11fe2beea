#include "engine/commands/streams/stream_support.h"

#include <string>

#include "engine/commands/arguments.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr std::string_view kInvalidId =
    "ERR Invalid stream ID specified as stream command argument";
constexpr size_t kLongestId = 127;

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// As strtoull() reads it, which is what the reference does with all that is not canonical: blanks
// and a sign in front, leading zeros; a minus counts down from 2^64. But -5 alone is refused.
std::optional<uint64_t> parse_id_number(std::string_view text) {
  if (const std::optional<int64_t> number = parse_integer(text)) {
    if (*number < 0) return std::nullopt;
    return static_cast<uint64_t>(*number);
  }
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (number > (StreamId::kMax - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  return negative ? ~number + 1 : number;
}

std::optional<StreamIdArgument> parse(std::string_view text, uint64_t missing_seq,
                                      bool allow_part) {
  if (text.size() > kLongestId) return std::nullopt;
  text = text.substr(0, text.find('\0'));
  const size_t dash = text.find('-');
  const std::optional<uint64_t> ms = parse_id_number(text.substr(0, dash));
  if (!ms) return std::nullopt;
  if (dash == std::string_view::npos) return StreamIdArgument{{*ms, missing_seq}, true};
  const std::string_view rest = text.substr(dash + 1);
  if (allow_part && rest == "*") return StreamIdArgument{{*ms, 0}, false};
  const std::optional<uint64_t> seq = parse_id_number(rest);
  if (!seq) return std::nullopt;
  return StreamIdArgument{{*ms, *seq}, true};
}

// "-" or "+", and what behind a zero byte is not seen.
std::optional<StreamId> edge(std::string_view text) {
  if (text.size() > kLongestId) return std::nullopt;
  text = text.substr(0, text.find('\0'));
  if (text == "-") return StreamId();
  if (text == "+") return StreamId::largest();
  return std::nullopt;
}

std::optional<StreamId> or_error(Context& c, std::optional<StreamId> id) {
  if (!id) c.error(kInvalidId);
  return id;
}

bool is_exclusive(std::string_view text) {
  return text.size() > 1 && text[0] == '(';
}

}  // namespace

std::optional<StreamId> parse_stream_id(std::string_view text, uint64_t missing_seq) {
  const std::optional<StreamIdArgument> read = parse(text, missing_seq, false);
  if (!read) return std::nullopt;
  return read->id;
}

std::optional<StreamIdArgument> parse_stream_id_or_part(std::string_view text) {
  return parse(text, 0, true);
}

std::optional<StreamId> stream_id(Context& c, size_t index, uint64_t missing_seq) {
  return or_error(c, parse_stream_id(c.args[index], missing_seq));
}

std::optional<StreamId> stream_id_or_edge(Context& c, size_t index, uint64_t missing_seq) {
  if (const std::optional<StreamId> id = edge(c.args[index])) return id;
  return stream_id(c, index, missing_seq);
}

bool stream_ids(Context& c, size_t first, size_t count, std::vector<StreamId>& ids) {
  ids.reserve(count);
  for (size_t i = first; i < first + count; ++i) {
    const std::optional<StreamId> id = stream_id(c, i);
    if (!id) return false;
    ids.push_back(*id);
  }
  return true;
}

std::optional<StreamId> range_start(Context& c, size_t index) {
  if (!is_exclusive(c.args[index])) return stream_id_or_edge(c, index, 0);
  std::optional<StreamId> id = or_error(c, parse_stream_id(c.args[index].substr(1), 0));
  if (!id || id->increment()) return id;
  c.error("ERR invalid start ID for the interval");
  return std::nullopt;
}

std::optional<StreamId> range_end(Context& c, size_t index) {
  if (!is_exclusive(c.args[index])) return stream_id_or_edge(c, index, StreamId::kMax);
  std::optional<StreamId> id =
      or_error(c, parse_stream_id(c.args[index].substr(1), StreamId::kMax));
  if (!id || id->decrement()) return id;
  c.error("ERR invalid end ID for the interval");
  return std::nullopt;
}

std::string_view shown_name(std::string_view name) {
  return name.substr(0, name.find('\0')).substr(0, kShownArgument);
}

void error_no_group(Context& c, std::string_view key, std::string_view group) {
  c.error("NOGROUP No such key '" + std::string(shown_name(key)) + "' or consumer group '" +
          std::string(shown_name(group)) + "'");
}

void error_no_group_for_key(Context& c, std::string_view key, std::string_view group) {
  c.error("NOGROUP No such consumer group '" + std::string(shown_name(group)) + "' for key name '" +
          std::string(shown_name(key)) + "'");
}

void error_subcommand_syntax(Context& c) {
  c.error("ERR unknown subcommand or wrong number of arguments for '" +
          std::string(shown_name(c.args[1])) + "'. Try " + to_upper(shown_name(c.args[0])) +
          " HELP.");
}

// --- replies

void reply_stream_id(Context& c, StreamId id) {
  c.reply.bulk(StreamIdText(id).view());
}

void reply_stream_entry(Context& c, const StreamEntry& entry) {
  c.reply.array(2);
  reply_stream_entry_parts(c, entry);
}

void reply_stream_entry_parts(Context& c, const StreamEntry& entry) {
  reply_stream_id(c, entry.id);
  c.reply.array(size_t{entry.field_count} * 2);
  entry.for_each_field([&](std::string_view field, std::string_view value) {
    c.reply.bulk(field);
    c.reply.bulk(value);
  });
}

void reply_stream_range(Context& c, const Stream& stream, StreamId start, StreamId end,
                        uint64_t count, bool reverse) {
  const uint64_t found = stream.count_between(start, end, count);
  c.env().count_work(found);
  c.reply.array(found);
  StreamCursor cursor(stream, start, end, reverse);
  StreamEntry entry;
  for (uint64_t i = 0; i < found && cursor.next(entry); ++i) reply_stream_entry(c, entry);
}

// --- changes

Stream& add_stream(Context& c, std::string_view key) {
  Stream* stream = Stream::make(c.db().allocator());
  c.db().insert_value(key, c.hash(key), Type::stream, Encoding::stream, stream);
  return *stream;
}

StreamConsumer& consumer_for(Context& c, Stream& stream, StreamGroup& group, std::string_view key,
                             std::string_view name) {
  StreamConsumer* consumer = group.consumers.find(name);
  if (consumer == nullptr) {
    consumer = stream.add_consumer(group, name, c.now_ms());
    c.modified(key, 't', "xgroup-createconsumer");
    c.effect({"XGROUP", "CREATECONSUMER", key, group.name(), name});
  }
  consumer->seen_ms = c.now_ms();
  return *consumer;
}

void effect_of_claim(Context& c, std::string_view key, const StreamGroup& group,
                     const StreamPending& pending) {
  if (!c.effects().active()) return;
  c.effect({"XCLAIM", key, group.name(), owner_of(pending), "0", StreamIdText(pending.id).view(),
            "TIME", IntegerText(pending.delivered_ms).view(), "RETRYCOUNT",
            IntegerText(static_cast<int64_t>(pending.deliveries)).view(), "FORCE", "JUSTID",
            "LASTID", StreamIdText(group.last_id).view()});
}

void effect_of_reading(Context& c, std::string_view key, const StreamGroup& group) {
  if (!c.effects().active()) return;
  c.effect({"XGROUP", "SETID", key, group.name(), StreamIdText(group.last_id).view(), "ENTRIESREAD",
            IntegerText(group.entries_read).view()});
}

void effect_of_removal(Context& c, std::string_view key, const StreamGroup& group, StreamId id) {
  if (!c.effects().active()) return;
  c.effect({"XACK", key, group.name(), StreamIdText(id).view()});
}

}  // namespace redoubt
