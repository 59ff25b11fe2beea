// Reading from streams, alone and in groups.
#include <algorithm>
#include <limits>

#include "sim/model/streams.h"

namespace redoubt::sim {
namespace model_streams {
namespace {

// As an error shows a name: up to a zero byte, in one line.
std::string shown(std::string_view name) {
  std::string out(name.substr(0, name.find('\0')));
  for (char& c : out) {
    c = c == '\r' || c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

ModelReply no_group(std::string_view key, std::string_view group) {
  return reply_error("NOGROUP No such key '" + shown(key) + "' or consumer group '" + shown(group) +
                     "'");
}

namespace {

// --- How far a group has read --------------------------------------------------------------------

// Whether entries behind the id may have been deleted from the middle.
bool deleted_behind(const ModelStream& stream, Id id) {
  return !stream.entries.empty() && stream.max_deleted > id &&
         first_of(stream) <= stream.max_deleted;
}

int64_t entries_behind(const ModelStream& stream, Id id) {
  return std::distance(stream.entries.upper_bound(id), stream.entries.end());
}

int64_t read_up_to(const ModelStream& stream, Id id) {
  const auto there = static_cast<int64_t>(stream.entries.size());
  if (id > stream.last) {
    return -1;
  }
  if (there == 0 || id == stream.last) {
    return stream.added;
  }
  const bool whole = stream.max_deleted == Id() || stream.max_deleted < first_of(stream);
  if (whole && id <= first_of(stream)) {
    return stream.added - there + (id == first_of(stream) ? 1 : 0);
  }
  return -1;
}

// Whether each entry that was added behind the group is there, and it knows how many it has read.
bool knows_position(const ModelStream& stream, const Group& group) {
  return group.entries_read != -1 && stream.added < std::numeric_limits<int64_t>::max() &&
         group.last >= first_of(stream) && !deleted_behind(stream, group.last);
}

}  // namespace

Group* find_group(ModelStream* stream, std::string_view name) {
  if (stream == nullptr) {
    return nullptr;
  }
  auto found = stream->groups.find(name);
  return found == stream->groups.end() ? nullptr : &found->second;
}

void read_on(const ModelStream& stream, Group& group, Id id) {
  const bool known = knows_position(stream, group) && id <= stream.last;
  const int64_t more = entries_behind(stream, group.last) - entries_behind(stream, id);
  group.entries_read = known ? group.entries_read + more : read_up_to(stream, id);
  group.last = id;
}

void set_counts(ModelStream& stream, Id last, int64_t added, Id max_deleted) {
  const bool same =
      last >= stream.last && added == stream.added && max_deleted == stream.max_deleted;
  for (auto& [name, group] : stream.groups) {
    if (!same) {
      const bool stays = knows_position(stream, group) && group.last <= last;
      group.entries_read = stays ? added - (stream.added - group.entries_read) : -1;
    }
  }
  stream.last = last;
  stream.added = added;
  stream.max_deleted = max_deleted;
  for (auto& [name, group] : stream.groups) {
    if (!same && group.entries_read == -1) {
      group.entries_read = read_up_to(stream, group.last);
    }
  }
}

namespace {

// XGROUP says how far a group has read. The number counts only as far as the stream agrees.
void set_position(const ModelStream& stream, Group& group, Id id, int64_t entries_read) {
  const auto there = static_cast<int64_t>(stream.entries.size());
  group.last = id;
  group.entries_read = -1;
  if (entries_read == -1 || id > stream.last) {
    return;
  }
  if (deleted_behind(stream, id)) {
    group.entries_read = std::min(entries_read, stream.added);
  } else if (there == 0 || id < first_of(stream)) {
    group.entries_read = std::min(entries_read, stream.added - there);
  } else {
    group.entries_read = stream.added - entries_behind(stream, id);
  }
}

// Exact, or null when the counts that a server keeps do not tell.
std::string lag_text(const ModelCall& call, const ModelStream& stream, const Group& group) {
  const int64_t behind = entries_behind(stream, group.last);
  if (behind == 0) {
    return resp_integer(0);
  }
  const bool told = !deleted_behind(stream, group.last) &&
                    (group.last < first_of(stream) || knows_position(stream, group) ||
                     read_up_to(stream, group.last) != -1);
  return told ? resp_integer(behind) : resp_null(call.resp());
}

// --- XREAD and XREADGROUP ------------------------------------------------------------------------

std::optional<ModelReply> take_option(const ModelCall& call, size_t& i, Reading& reading) {
  const size_t more = call.count() - i - 1;
  const std::string_view word = call.argument(i);
  const auto only_groups = [](std::string_view name) {
    return reply_error("ERR The " + std::string(name) +
                       " option is only supported by XREADGROUP. You called XREAD instead.");
  };
  if (same_word(word, "COUNT") && more > 0) {
    std::optional<int64_t> count = parse_integer(call.argument(++i));
    if (!count) {
      return reply_error(not_integer_text);
    }
    reading.count = std::max<int64_t>(*count, 0);
    return std::nullopt;
  }
  if (more > 0 && (same_word(word, "MAXCOUNT") || same_word(word, "MAXSIZE"))) {
    const bool entries = same_word(word, "MAXCOUNT");
    std::optional<int64_t> limit = parse_integer(call.argument(++i));
    if (!limit || *limit < 1) {
      return reply_error(entries ? "ERR MAXCOUNT must be a positive integer"
                                 : "ERR MAXSIZE must be a positive integer");
    }
    (entries ? reading.entries_max : reading.bytes_max) = *limit;
    return std::nullopt;
  }
  if (same_word(word, "CLAIM") && more > 0) {
    if (!reading.by_group) {
      return only_groups("CLAIM");
    }
    reading.claim = parse_integer(call.argument(++i));
    if (!reading.claim || *reading.claim < 0) {
      return reply_error(reading.claim ? "ERR min-idle-time must be a positive integer"
                                       : "ERR min-idle-time is not an integer");
    }
    return std::nullopt;
  }
  if (same_word(word, "BLOCK") && more > 0) {
    std::optional<int64_t> ms = parse_integer(call.argument(++i));
    if (!ms) {
      return reply_error("ERR timeout is not an integer or out of range");
    }
    reading.waits = true;
    return bad_timeout_ms(call, *ms);
  }
  if (same_word(word, "GROUP") && more >= 2) {
    reading.group = call.argument(i + 1);
    reading.consumer = call.argument(i + 2);
    i += 2;
    return reading.by_group ? std::nullopt : std::optional<ModelReply>(only_groups("GROUP"));
  }
  if (same_word(word, "NOACK")) {
    reading.no_ack = true;
    return reading.by_group ? std::nullopt : std::optional<ModelReply>(only_groups("NOACK"));
  }
  return reply_error(syntax_text);
}

std::optional<ModelReply> take_reading(const ModelCall& call, Reading& reading) {
  bool has_group = false;
  for (size_t i = 1; i < call.count() && reading.first == 0; i++) {
    if (same_word(call.argument(i), "STREAMS") && i + 1 < call.count()) {
      reading.first = i + 1;
      reading.streams = (call.count() - reading.first) / 2;
      if ((call.count() - reading.first) % 2 != 0 && call.config().as_redis_7_0) {
        return reply_error(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
            "specified.");
      }
      if ((call.count() - reading.first) % 2 != 0) {
        return reply_error(
            reading.by_group ? "ERR Unbalanced 'xreadgroup' list of streams: for each stream key "
                               "an ID or '>' must be specified."
                             : "ERR Unbalanced 'xread' list of streams: for each stream key an ID "
                               "or '$' must be specified.");
      }
    } else {
      has_group = has_group || same_word(call.argument(i), "GROUP");
      if (std::optional<ModelReply> error = take_option(call, i, reading)) {
        return error;
      }
    }
  }
  if (reading.first == 0) {
    return reply_error(syntax_text);
  }
  if (reading.by_group && !has_group) {
    return reply_error("ERR Missing GROUP option for XREADGROUP");
  }
  if (reading.entries_max > 0 && reading.count > reading.entries_max) {
    return reply_error("ERR MAXCOUNT must be greater than or equal to COUNT");
  }
  return std::nullopt;
}

std::optional<ModelReply> take_position(const ModelCall& call, std::string_view text,
                                        const Reading& reading, Source& source) {
  const bool edge = text == "$" || (text == "+" && !call.config().as_redis_7_0);
  if (edge && reading.by_group) {
    const std::string name(text);
    return reply_error("ERR The " + name +
                       " ID is meaningless in the context of XREADGROUP: you want to read the "
                       "history of this consumer by specifying a proper ID, or use the > ID to get "
                       "new messages. The " +
                       name + " ID would just return an empty result set.");
  }
  if (edge) {
    if (source.stream != nullptr) {
      source.after = source.stream->last;
      if (text == "+" && !source.stream->entries.empty()) {
        source.after = source.stream->entries.rbegin()->first;
        step_down(source.after);
      }
    }
    return std::nullopt;
  }
  if (text == ">") {
    source.fresh = true;
    return reading.by_group
               ? std::nullopt
               : std::optional<ModelReply>(reply_error(
                     "ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
                     "<group> <consumer> option."));
  }
  std::optional<Id> id = parse_id(text, 0);
  if (!id) {
    return reply_error(bad_id_text);
  }
  source.after = *id;
  source.fresh = reading.by_group && *id == largest_id;
  return std::nullopt;
}

std::optional<ModelReply> take_sources(ModelCall& call, const Reading& reading,
                                       std::vector<Source>& sources) {
  for (size_t i = 0; i < reading.streams; i++) {
    Source source;
    source.key = call.argument(reading.first + i);
    if (!find_stream(call, source.key, source.stream)) {
      return reply_error(wrong_type_text);
    }
    if (reading.by_group) {
      source.group = find_group(source.stream, reading.group);
      if (source.group == nullptr) {
        return reply_error("NOGROUP No such key '" + shown(source.key) + "' or consumer group '" +
                           shown(reading.group) + "' in XREADGROUP with GROUP option");
      }
    }
    const std::string_view position = call.argument(reading.first + reading.streams + i);
    if (std::optional<ModelReply> error = take_position(call, position, reading, source)) {
      return error;
    }
    sources.push_back(source);
  }
  return std::nullopt;
}

// Whether this stream may give one more.
bool has_room(const Reading& reading, const std::vector<std::string>& given) {
  return !reading.full && (reading.count == 0 || given.size() < static_cast<size_t>(reading.count));
}

std::vector<std::string> history(const ModelCall& call, const Source& source, Reading& reading) {
  std::vector<std::string> out;
  for (auto& [id, pending] : source.group->pending) {
    if (id <= source.after || !pending.owned || pending.consumer != reading.consumer ||
        !has_room(reading, out)) {
      continue;
    }
    auto entry = source.stream->entries.find(id);
    const bool there = entry != source.stream->entries.end();
    const std::string text = there
                                 ? entry_text(id, entry->second)
                                 : resp_header('*', 2) + resp_bulk(id_text(id)) + null_array(call);
    if (admit(reading, text, out) && there) {
      pending.delivered_ms = call.now_ms;
      count_delivery(pending);
    }
  }
  return out;
}

std::vector<std::string> fresh(const ModelCall& call, const Source& source, Reading& reading) {
  std::vector<std::string> out;
  if (reading.claim) {
    claim_idle(call, source, reading, out);
  }
  for (const auto& [id, entry] : source.stream->entries) {
    if (id <= source.group->last || !has_room(reading, out)) {
      continue;
    }
    const std::string text = reading.claim ? claimed_text(id, entry, 0, 0) : entry_text(id, entry);
    if (!admit(reading, text, out)) {
      continue;
    }
    read_on(*source.stream, *source.group, id);
    if (!reading.no_ack) {
      source.group->pending[id] = {std::string(reading.consumer), call.now_ms};
    }
  }
  return out;
}

// Nothing: there is nothing to give.
std::optional<std::vector<std::string>> serve(ModelCall& call, const Source& source,
                                              Reading& reading) {
  if (source.group != nullptr) {
    source.group->consumers.insert(std::string(reading.consumer));
  }
  if (source.stream == nullptr || reading.full) {
    return std::nullopt;
  }
  std::vector<std::string> given;
  if (source.group != nullptr && !source.fresh) {
    given = history(call, source, reading);
    return given.empty() && reading.full ? std::nullopt : std::optional(given);
  }
  if (source.group != nullptr) {
    given = fresh(call, source, reading);
  } else if (Id start = source.after; step_up(start)) {
    for (const std::string& text : entries_between(*source.stream, start, largest_id)) {
      if (has_room(reading, given)) {
        admit(reading, text, given);
      }
    }
  }
  return given.empty() ? std::nullopt : std::optional(given);
}

ModelReply read(ModelCall& call, bool by_group) {
  Reading reading;
  reading.by_group = by_group;
  std::vector<Source> sources;
  std::optional<ModelReply> error = take_reading(call, reading);
  if (!error) {
    error = take_sources(call, reading, sources);
  }
  if (error) {
    return *error;
  }
  std::string served;
  size_t count = 0;
  for (const Source& source : sources) {
    std::optional<std::vector<std::string>> entries = serve(call, source, reading);
    if (entries) {
      count++;
      served += call.resp() == 3 ? "" : resp_header('*', 2);
      served += resp_bulk(source.key) + list_text(*entries);
    }
  }
  if (count == 0) {
    return reading.waits ? wait_in_vain(call, null_array_of(call)) : null_array_of(call);
  }
  return reply_exact(resp_header(call.resp() == 3 ? '%' : '*', count) + served);
}

ModelReply xread_command(ModelCall& call) {
  return read(call, false);
}
ModelReply xreadgroup_command(ModelCall& call) {
  return read(call, true);
}

// --- XGROUP --------------------------------------------------------------------------------------

ModelReply bad_subcommand(const ModelCall& call) {
  return reply_error("ERR unknown subcommand or wrong number of arguments for '" +
                     std::string(call.argument(1)) + "'. Try XGROUP HELP.");
}

struct NewGroup {
  bool make_stream = false;
  int64_t entries_read = -1;
};

std::optional<ModelReply> take_group_options(const ModelCall& call, bool creates, NewGroup& group) {
  for (size_t i = 5; i < call.count(); i++) {
    if (creates && same_word(call.argument(i), "MKSTREAM")) {
      group.make_stream = true;
    } else if (same_word(call.argument(i), "ENTRIESREAD") && i + 1 < call.count()) {
      std::optional<int64_t> count = parse_integer(call.argument(++i));
      if (!count) {
        return reply_error(not_integer_text);
      }
      if (*count < -1) {
        return reply_error("ERR value for ENTRIESREAD must be positive or -1");
      }
      group.entries_read = *count;
    } else {
      return bad_subcommand(call);
    }
  }
  return std::nullopt;
}

ModelReply create_group(ModelCall& call, ModelStream* stream, const NewGroup& options) {
  if (call.count() > 8) {
    return bad_subcommand(call);
  }
  std::optional<Id> id = stream == nullptr ? Id() : stream->last;
  if (call.argument(4) != "$") {
    id = parse_id(call.argument(4), 0);
  }
  if (!id) {
    return reply_error(bad_id_text);
  }
  if (stream == nullptr) {
    stream = &create_stream(call, call.argument(2));
  }
  if (find_group(stream, call.argument(3)) != nullptr) {
    return reply_error("BUSYGROUP Consumer Group name already exists");
  }
  Group& group = stream->groups[std::string(call.argument(3))];
  set_position(*stream, group, *id, options.entries_read);
  return reply_ok();
}

ModelReply set_group_id(const ModelCall& call, const ModelStream& stream, Group& group,
                        const NewGroup& options) {
  if (call.count() != 5 && call.count() != 7) {
    return bad_subcommand(call);
  }
  std::optional<Id> id =
      call.argument(4) == "$" ? stream.last : parse_id_or_edge(call.argument(4), 0);
  if (!id) {
    return reply_error(bad_id_text);
  }
  set_position(stream, group, *id, options.entries_read);
  return reply_ok();
}

ModelReply delete_consumer(const ModelCall& call, Group& group) {
  int64_t pending = 0;
  group.consumers.erase(std::string(call.argument(4)));
  std::erase_if(group.pending, [&](const auto& each) {
    const bool his = each.second.owned && each.second.consumer == call.argument(4);
    pending += his ? 1 : 0;
    return his;
  });
  return reply_integer(pending);
}

ModelReply xgroup_command(ModelCall& call) {
  const bool create = same_word(call.argument(1), "CREATE");
  const bool set_id = same_word(call.argument(1), "SETID");
  const bool destroy = same_word(call.argument(1), "DESTROY");
  const bool leave = same_word(call.argument(1), "DELCONSUMER");
  if (!create && !set_id && !destroy && !leave) {
    return reply_rule(ModelReply::Rule::anything);
  }
  if (create || set_id ? call.count() < 5 : call.count() != (destroy ? 4U : 5U)) {
    return wrong_arity("xgroup|" + lower(call.argument(1)));
  }
  NewGroup options;
  if (create || set_id) {
    if (std::optional<ModelReply> error = take_group_options(call, create, options)) {
      return *error;
    }
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(2), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr && !options.make_stream) {
    return reply_error(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
        "use the MKSTREAM option to create an empty stream automatically.");
  }
  if (create) {
    return create_group(call, stream, options);
  }
  Group* group = find_group(stream, call.argument(3));
  if (destroy) {
    return reply_integer(static_cast<int64_t>(stream->groups.erase(std::string(call.argument(3)))));
  }
  if (group == nullptr) {
    return reply_error("NOGROUP No such consumer group '" + shown(call.argument(3)) +
                       "' for key name '" + shown(call.argument(2)) + "'");
  }
  return set_id ? set_group_id(call, *stream, *group, options) : delete_consumer(call, *group);
}

// --- XINFO ---------------------------------------------------------------------------------------

std::string group_text(const ModelCall& call, const ModelStream& stream, const std::string& name,
                       const Group& group) {
  std::string out = call.resp() == 3 ? resp_header('%', 6) : resp_header('*', 12);
  const auto number = [](size_t n) { return resp_integer(static_cast<int64_t>(n)); };
  out += resp_bulk("name") + resp_bulk(name);
  out += resp_bulk("consumers") + number(group.consumers.size());
  out += resp_bulk("pending") + number(group.pending.size());
  out += resp_bulk("last-delivered-id") + resp_bulk(id_text(group.last));
  out += resp_bulk("entries-read");
  out += group.entries_read == -1 ? resp_null(call.resp()) : resp_integer(group.entries_read);
  return out + resp_bulk("lag") + lag_text(call, stream, group);
}

ModelReply xinfo_command(ModelCall& call) {
  if (!same_word(call.argument(1), "GROUPS")) {
    return reply_rule(ModelReply::Rule::anything);
  }
  if (call.count() != 3) {
    return wrong_arity("xinfo|groups");
  }
  if (call.find(call.argument(2)) == nullptr) {
    return reply_error("ERR no such key");
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(2), stream)) {
    return reply_error(wrong_type_text);
  }
  if (call.config().as_redis_7_0) {  // which makes consumers later
    return reply_rule(ModelReply::Rule::not_error);
  }
  std::vector<std::string> groups;
  groups.reserve(stream->groups.size());
  for (const auto& [name, group] : stream->groups) {
    groups.push_back(group_text(call, *stream, name, group));
  }
  return reply_exact(list_text(groups));
}

constexpr ModelCommand stream_group_table[] = {
    {"xgroup", -2, xgroup_command, true},
    {"xinfo", -2, xinfo_command, false},
    {"xread", -4, xread_command, false},
    {"xreadgroup", -7, xreadgroup_command, false},
};

}  // namespace
}  // namespace model_streams

std::span<const ModelCommand> stream_group_commands() {
  return model_streams::stream_group_table;
}

}  // namespace redoubt::sim
