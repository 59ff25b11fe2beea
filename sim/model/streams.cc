// The stream family: entries in a map by id, groups with their pending entries in maps too.
#include "sim/model/streams.h"

#include <algorithm>
#include <limits>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace model_streams {

std::string id_text(Id id) {
  return std::to_string(id.first) + "-" + std::to_string(id.second);
}

bool step_up(Id& id) {
  if (id == largest_id) {
    return false;
  }
  id = id.second == most ? Id{id.first + 1, 0} : Id{id.first, id.second + 1};
  return true;
}

bool step_down(Id& id) {
  if (id == Id()) {
    return false;
  }
  id = id.second == 0 ? Id{id.first - 1, most} : Id{id.first, id.second - 1};
  return true;
}

// --- Ids -----------------------------------------------------------------------------------------

namespace {

// As strtoull: blanks, a sign, digits. A number that is canonical and negative is refused.
std::optional<uint64_t> parse_part(std::string_view text) {
  if (std::optional<int64_t> number = parse_integer(text)) {
    return *number < 0 ? std::nullopt : std::optional<uint64_t>(static_cast<uint64_t>(*number));
  }
  size_t i = 0;
  while (i < text.size() && (text[i] == ' ' || (text[i] >= 9 && text[i] <= 13))) {
    i++;
  }
  const bool minus = i < text.size() && text[i] == '-';
  i += i < text.size() && (text[i] == '-' || text[i] == '+') ? 1 : 0;
  if (i == text.size()) {
    return std::nullopt;
  }
  __extension__ using Wide = unsigned __int128;
  Wide number = 0;
  for (; i < text.size(); i++) {
    if (text[i] < '0' || text[i] > '9') {
      return std::nullopt;
    }
    number = number * 10 + static_cast<unsigned>(text[i] - '0');
    if (number > most) {
      return std::nullopt;
    }
  }
  const auto value = static_cast<uint64_t>(number);
  return minus ? 0 - value : value;
}

std::string_view shortened(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

}  // namespace

std::optional<Id> parse_id(std::string_view text, uint64_t missing, bool* chosen_seq) {
  if (text.size() > 127) {
    return std::nullopt;
  }
  text = shortened(text);
  const size_t dash = text.find('-');
  std::optional<uint64_t> ms = parse_part(text.substr(0, dash));
  if (!ms) {
    return std::nullopt;
  }
  if (dash == std::string_view::npos) {
    return Id{*ms, missing};
  }
  if (chosen_seq != nullptr && text.substr(dash + 1) == "*") {
    *chosen_seq = true;
    return Id{*ms, 0};
  }
  std::optional<uint64_t> seq = parse_part(text.substr(dash + 1));
  return seq ? std::optional<Id>(Id{*ms, *seq}) : std::nullopt;
}

std::optional<Id> parse_id_or_edge(std::string_view text, uint64_t missing) {
  if (text.size() <= 127 && shortened(text) == "-") {
    return Id();
  }
  if (text.size() <= 127 && shortened(text) == "+") {
    return largest_id;
  }
  return parse_id(text, missing);
}

// One end of a range, or the error.
std::optional<Id> parse_end(std::string_view text, bool is_start, ModelReply& error) {
  const bool excluded = text.size() > 1 && text[0] == '(';
  const uint64_t missing = is_start ? 0 : most;
  std::optional<Id> id =
      excluded ? parse_id(text.substr(1), missing) : parse_id_or_edge(text, missing);
  if (!id) {
    error = reply_error(bad_id_text);
  } else if (excluded && !(is_start ? step_up(*id) : step_down(*id))) {
    error = reply_error(is_start ? "ERR invalid start ID for the interval"
                                 : "ERR invalid end ID for the interval");
    id.reset();
  }
  return id;
}

std::optional<std::vector<Id>> parse_ids(const ModelCall& call, size_t first) {
  std::vector<Id> ids;
  for (size_t i = first; i < call.count(); i++) {
    std::optional<Id> id = parse_id(call.argument(i), 0);
    if (!id) {
      return std::nullopt;
    }
    ids.push_back(*id);
  }
  return ids;
}

// --- Streams -------------------------------------------------------------------------------------

// False: the key holds something else. `stream` stays null when there is no key.
bool find_stream(ModelCall& call, std::string_view key, ModelStream*& stream) {
  ModelEntry* entry = call.find(key);
  if (entry == nullptr) {
    return true;
  }
  stream = entry->stream.get();
  return entry->type == ModelType::stream;
}

ModelStream& create_stream(ModelCall& call, std::string_view key) {
  ModelEntry& entry = call.create(key);
  entry.type = ModelType::stream;
  entry.stream = std::make_shared<ModelStream>();
  return *entry.stream;
}

Id first_of(const ModelStream& stream) {
  return stream.entries.empty() ? Id() : stream.entries.begin()->first;
}

namespace {

void erase_entry(ModelStream& stream, std::map<Id, ModelStreamEntry>::iterator at) {
  const size_t node = at->second.node;
  stream.entries.erase(at);
  const bool node_is_used =
      std::any_of(stream.entries.begin(), stream.entries.end(),
                  [&](const auto& entry) { return entry.second.node == node; });
  if (!node_is_used) {
    stream.nodes.erase(node);
  }
}

}  // namespace

bool delete_entry(ModelStream& stream, Id id) {
  auto at = stream.entries.find(id);
  if (at == stream.entries.end()) {
    return false;
  }
  erase_entry(stream, at);
  stream.max_deleted = std::max(stream.max_deleted, id);
  return true;
}

static void add_entry(ModelStream& stream, Id id, std::vector<std::string> fields,
                      int64_t node_entries_max) {
  const auto entries_max = static_cast<size_t>(node_entries_max);
  if (stream.nodes.empty() || stream.nodes.rbegin()->second.entries >= entries_max) {
    const size_t number = stream.nodes.empty() ? 0 : stream.nodes.rbegin()->first + 1;
    stream.nodes[number] = {};
  }
  auto& [number, node] = *stream.nodes.rbegin();
  node.entries++;
  node.last = id;
  stream.entries[id] = {std::move(fields), number};
  stream.last = id;
  if (stream.added < std::numeric_limits<int64_t>::max()) {
    stream.added++;
  }
}

std::string entry_text(Id id, const ModelStreamEntry& entry) {
  std::string out = resp_header('*', 2) + resp_bulk(id_text(id));
  out += resp_header('*', entry.fields.size());
  for (const std::string& field : entry.fields) {
    out += resp_bulk(field);
  }
  return out;
}

std::string list_text(const std::vector<std::string>& elements) {
  std::string out = resp_header('*', elements.size());
  for (const std::string& element : elements) {
    out += element;
  }
  return out;
}

std::string null_array(const ModelCall& call) {
  return call.resp() == 3 ? "_\r\n" : "*-1\r\n";
}

namespace {

// --- Trimming ------------------------------------------------------------------------------------

struct Trim {
  enum class Kind : uint8_t { none, length, id };
  Kind kind = Kind::none;
  bool about = false;
  int64_t length = 0;
  Id id;
  int64_t limit = 0;
  bool limit_given = false;
  std::string references;  // KEEPREF, DELREF or ACKED
};

std::optional<ModelReply> take_threshold(const ModelCall& call, size_t& i, Trim& trim) {
  const bool by_length = same_word(call.argument(i), "MAXLEN");
  if (trim.kind != Trim::Kind::none) {
    return reply_error(
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
  }
  const std::string_view next = call.argument(++i);
  const bool marked = i + 1 < call.count() && (next == "~" || next == "=");
  trim.about = marked && next == "~";
  i += marked ? 1 : 0;
  trim.kind = by_length ? Trim::Kind::length : Trim::Kind::id;
  if (by_length) {
    std::optional<int64_t> length = parse_integer(call.argument(i));
    if (!length) {
      return reply_error(not_integer_text);
    }
    if (*length < 0) {
      return reply_error("ERR The MAXLEN argument must be >= 0.");
    }
    trim.length = *length;
    return std::nullopt;
  }
  std::optional<Id> id = parse_id(call.argument(i), 0);
  if (!id) {
    return reply_error(bad_id_text);
  }
  trim.id = *id;
  return std::nullopt;
}

// True: the argument is an option of trimming; `error` says whether it is a good one.
bool take_trim_option(const ModelCall& call, size_t& i, Trim& trim,
                      std::optional<ModelReply>& error) {
  const bool more = i + 1 < call.count();
  if (more && (same_word(call.argument(i), "MAXLEN") || same_word(call.argument(i), "MINID"))) {
    error = take_threshold(call, i, trim);
    return true;
  }
  if (more && same_word(call.argument(i), "LIMIT")) {
    std::optional<int64_t> limit = parse_integer(call.argument(++i));
    if (!limit) {
      error = reply_error(not_integer_text);
    } else if (*limit < 0) {
      error = reply_error("ERR The LIMIT argument must be >= 0.");
    } else {
      trim.limit = *limit;
      trim.limit_given = true;
    }
    return true;
  }
  for (const std::string_view word : {"KEEPREF", "DELREF", "ACKED"}) {
    if (same_word(call.argument(i), word)) {
      if (!trim.references.empty()) {
        error = reply_error(syntax_text);
      }
      trim.references = std::string(word);
      return true;
    }
  }
  return false;
}

std::optional<ModelReply> check_trim(const ModelCall& call, Trim& trim, bool required) {
  if (trim.limit != 0 && trim.kind == Trim::Kind::none) {
    return reply_error(
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  }
  if (required && trim.kind == Trim::Kind::none) {
    return reply_error("ERR syntax error, XTRIM must be called with a trimming strategy");
  }
  if (trim.limit_given && !trim.about) {
    return reply_error("ERR syntax error, LIMIT cannot be used without the special ~ option");
  }
  if (!trim.limit_given && trim.about) {
    trim.limit = 100 * call.config().stream_node_entries_max;
  }
  return std::nullopt;
}

bool is_needed(const ModelStream& stream, Id id) {
  return std::any_of(stream.groups.begin(), stream.groups.end(), [&](const auto& group) {
    return id > group.second.last || group.second.pending.contains(id);
  });
}

// The same as below, but what a group needs stays. Nodes are looked at as far as they would go.
int64_t trim_acknowledged(ModelStream& stream, const Trim& trim) {
  const auto length = [&] { return static_cast<int64_t>(stream.entries.size()); };
  const int64_t before = length();
  int64_t seen = 0;
  Id removed;
  const std::map<size_t, ModelStreamNode> nodes = stream.nodes;
  for (const auto& [number, node] : nodes) {
    std::vector<Id> ids;
    for (const auto& [id, entry] : stream.entries) {
      if (entry.node == number) {
        ids.push_back(id);
      }
    }
    const auto in_node = static_cast<int64_t>(ids.size());
    const bool whole =
        trim.kind == Trim::Kind::length ? length() - in_node >= trim.length : node.last < trim.id;
    seen += in_node;
    if ((trim.kind == Trim::Kind::length && length() <= trim.length) ||
        (trim.limit != 0 && seen > trim.limit) || (!whole && trim.about)) {
      break;
    }
    for (Id id : ids) {
      const bool enough = trim.kind == Trim::Kind::length ? length() <= trim.length : id >= trim.id;
      if (!enough && !is_needed(stream, id)) {
        erase_entry(stream, stream.entries.find(id));
        removed = id;
      }
    }
  }
  if (!stream.entries.empty() && removed > first_of(stream)) {
    stream.max_deleted = std::max(stream.max_deleted, removed);
  }
  return before - length();
}

// Whole nodes first, then single entries where that is asked for.
int64_t trim_stream(ModelStream& stream, const Trim& trim) {
  if (trim.references == "ACKED" && trim.kind != Trim::Kind::none) {
    return trim_acknowledged(stream, trim);
  }
  const auto length = [&] { return static_cast<int64_t>(stream.entries.size()); };
  const int64_t before = length();
  while (trim.kind != Trim::Kind::none && !stream.entries.empty()) {
    if (trim.kind == Trim::Kind::length && length() <= trim.length) {
      break;
    }
    const size_t number = stream.entries.begin()->second.node;
    const auto in_node = std::count_if(stream.entries.begin(), stream.entries.end(),
                                       [&](const auto& e) { return e.second.node == number; });
    if (trim.limit != 0 && before - length() + in_node > trim.limit) {
      break;
    }
    const bool whole = trim.kind == Trim::Kind::length ? length() - in_node >= trim.length
                                                       : stream.nodes[number].last < trim.id;
    if (!whole && trim.about) {
      break;
    }
    for (auto left = in_node; left > 0; left--) {
      const bool enough = trim.kind == Trim::Kind::length
                              ? length() <= trim.length
                              : stream.entries.begin()->first >= trim.id;
      if (!whole && enough) {
        return before - length();
      }
      for (auto& [name, group] : stream.groups) {
        if (trim.references == "DELREF") {
          group.pending.erase(stream.entries.begin()->first);
        }
      }
      erase_entry(stream, stream.entries.begin());
    }
  }
  return before - length();
}

// --- XADD and its like ---------------------------------------------------------------------------

struct Addition {
  Trim trim;
  Message message;
  bool no_stream = false;
  bool choose_id = true;
  bool choose_seq = false;
  Id id;
  size_t fields_at = 0;
};

std::optional<ModelReply> take_addition(const ModelCall& call, Addition& add) {
  size_t i = 2;
  for (; i < call.count() && call.argument(i) != "*"; i++) {
    std::optional<ModelReply> error;
    if (take_trim_option(call, i, add.trim, error) || take_message(call, i, add.message, error)) {
      if (error) {
        return error;
      }
    } else if (same_word(call.argument(i), "NOMKSTREAM")) {
      add.no_stream = true;
    } else {
      std::optional<Id> id = parse_id(call.argument(i), 0, &add.choose_seq);
      if (!id) {
        return reply_error(bad_id_text);
      }
      add.id = *id;
      add.choose_id = false;
      break;
    }
  }
  add.fields_at = i + 1;
  if (add.message.given && !add.choose_id) {
    return reply_error("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs");
  }
  complete_message(call, add.fields_at, add.message);
  if (std::optional<ModelReply> error = check_trim(call, add.trim, false)) {
    return error;
  }
  if (add.fields_at + 2 > call.count() || (call.count() - add.fields_at) % 2 != 0) {
    return wrong_arity("xadd");
  }
  if (!add.choose_id && !add.choose_seq && add.id == Id()) {
    return reply_error("ERR The ID specified in XADD must be greater than 0-0");
  }
  return std::nullopt;
}

ModelReply xadd_command(ModelCall& call) {
  Addition add;
  if (std::optional<ModelReply> error = take_addition(call, add)) {
    return *error;
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr && add.no_stream) {
    return call.null();
  }
  if (std::optional<Id> entry = entry_of(call, stream, add.message)) {
    return reply_bulk(id_text(*entry));
  }
  const Id last = stream == nullptr ? Id() : stream->last;
  if (last == largest_id) {
    return reply_error(
        "ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  Id id = add.id;
  if (add.choose_id) {
    id = {static_cast<uint64_t>(call.now_ms), 0};
    if (id <= last) {
      id = last;
      step_up(id);
    }
  } else if (add.choose_seq && last.first == id.first) {
    id = {last.first, last.second == most ? most : last.second + 1};
  }
  if (id <= last) {
    return reply_error(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  }
  if (stream == nullptr) {
    stream = &create_stream(call, call.argument(1));
  }
  std::vector<std::string> fields(call.arguments.begin() + static_cast<ptrdiff_t>(add.fields_at),
                                  call.arguments.end());
  add_entry(*stream, id, std::move(fields), call.config().stream_node_entries_max);
  remember(call, *stream, add.message, id);
  trim_stream(*stream, add.trim);
  return reply_bulk(id_text(id));
}

ModelReply xtrim_command(ModelCall& call) {
  Trim trim;
  for (size_t i = 2; i < call.count(); i++) {
    std::optional<ModelReply> error;
    if (!take_trim_option(call, i, trim, error)) {
      return reply_error(syntax_text);
    }
    if (error) {
      return *error;
    }
  }
  if (std::optional<ModelReply> error = check_trim(call, trim, true)) {
    return *error;
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  return reply_integer(stream == nullptr ? 0 : trim_stream(*stream, trim));
}

ModelReply xdel_command(ModelCall& call) {
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr) {
    return reply_integer(0);
  }
  std::optional<std::vector<Id>> ids = parse_ids(call, 2);
  if (!ids) {
    return reply_error(bad_id_text);
  }
  int64_t deleted = 0;
  for (Id id : *ids) {
    deleted += delete_entry(*stream, id) ? 1 : 0;
  }
  return reply_integer(deleted);
}

ModelReply xlen_command(ModelCall& call) {
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  return reply_integer(stream == nullptr ? 0 : static_cast<int64_t>(stream->entries.size()));
}

}  // namespace

std::vector<std::string> entries_between(const ModelStream& stream, Id start, Id end) {
  std::vector<std::string> out;
  for (const auto& [id, entry] : stream.entries) {
    if (id >= start && id <= end) {
      out.push_back(entry_text(id, entry));
    }
  }
  return out;
}

void keep_first(std::vector<std::string>& elements, int64_t count) {
  if (count > 0 && static_cast<uint64_t>(count) < elements.size()) {
    elements.resize(static_cast<size_t>(count));
  }
}

namespace {

ModelReply range(ModelCall& call, bool reverse) {
  ModelReply error;
  std::optional<Id> start = parse_end(call.argument(reverse ? 3 : 2), true, error);
  if (!start) {
    return error;
  }
  std::optional<Id> end = parse_end(call.argument(reverse ? 2 : 3), false, error);
  if (!end) {
    return error;
  }
  std::optional<int64_t> count = -1;
  for (size_t i = 4; i < call.count(); i += 2) {
    if (!same_word(call.argument(i), "COUNT") || i + 1 == call.count()) {
      return reply_error(syntax_text);
    }
    count = parse_integer(call.argument(i + 1));
    if (!count) {
      return reply_error(not_integer_text);
    }
    count = std::max<int64_t>(*count, 0);
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr) {
    return reply_exact(list_text({}));
  }
  if (count == 0) {
    return reply_exact(null_array(call));
  }
  std::vector<std::string> entries = entries_between(*stream, *start, *end);
  if (reverse) {
    std::reverse(entries.begin(), entries.end());
  }
  keep_first(entries, *count);
  return reply_exact(list_text(entries));
}

ModelReply xrange_command(ModelCall& call) {
  return range(call, false);
}
ModelReply xrevrange_command(ModelCall& call) {
  return range(call, true);
}

ModelReply xsetid_command(ModelCall& call) {
  std::optional<Id> id = parse_id(call.argument(2), 0);
  if (!id) {
    return reply_error(bad_id_text);
  }
  std::optional<int64_t> added;
  Id deleted;
  for (size_t i = 3; i < call.count(); i += 2) {
    const bool more = i + 1 < call.count();
    if (more && same_word(call.argument(i), "ENTRIESADDED")) {
      added = parse_integer(call.argument(i + 1));
      if (!added) {
        return reply_error(not_integer_text);
      }
      if (*added < 0) {
        return reply_error("ERR entries_added must be positive");
      }
    } else if (more && same_word(call.argument(i), "MAXDELETEDID")) {
      std::optional<Id> given = parse_id(call.argument(i + 1), 0);
      if (!given) {
        return reply_error(bad_id_text);
      }
      deleted = *given;
      if (*id < deleted) {
        return reply_error(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      return reply_error(syntax_text);
    }
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr) {
    return reply_error("ERR no such key");
  }
  if (*id < stream->max_deleted && !call.config().as_redis_7_0) {
    return reply_error(
        "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  if (!stream->entries.empty() && *id < stream->entries.rbegin()->first) {
    return reply_error("ERR The ID specified in XSETID is smaller than the target stream top item");
  }
  if (!stream->entries.empty() && added && *added < static_cast<int64_t>(stream->entries.size())) {
    return reply_error(
        "ERR The entries_added specified in XSETID is smaller than the target stream length");
  }
  set_counts(*stream, *id, added.value_or(stream->added),
             deleted == Id() ? stream->max_deleted : deleted);
  return reply_ok();
}

constexpr ModelCommand stream_table[] = {
    {"xadd", -5, xadd_command, true},
    {"xdel", -3, xdel_command, false},
    {"xlen", 2, xlen_command, false},
    {"xrange", -4, xrange_command, false},
    {"xrevrange", -4, xrevrange_command, false},
    {"xsetid", -3, xsetid_command, true},
    {"xtrim", -4, xtrim_command, false},
};

}  // namespace
}  // namespace model_streams

std::span<const ModelCommand> stream_commands() {
  return model_streams::stream_table;
}

}  // namespace redoubt::sim
