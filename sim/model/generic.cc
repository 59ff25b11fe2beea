// The generic family: keys of any type.
#include <algorithm>
#include <limits>

#include "sim/model/call.h"
#include "sim/model/streams.h"

namespace redoubt::sim {
namespace {

ModelReply count_keys(ModelCall& call, bool erase) {
  int64_t count = 0;
  for (size_t i = 1; i < call.count(); i++) {
    const std::string_view key = call.argument(i);
    count += (erase ? call.erase(key) : call.find(key) != nullptr) ? 1 : 0;
  }
  return reply_integer(count);
}

ModelReply del_command(ModelCall& call) {
  return count_keys(call, true);
}
ModelReply exists_command(ModelCall& call) {
  return count_keys(call, false);
}

std::string_view type_name(ModelType type) {
  switch (type) {
    case ModelType::string: break;
    case ModelType::list: return "list";
    case ModelType::set: return "set";
    case ModelType::zset: return "zset";
    case ModelType::hash: return "hash";
    case ModelType::stream: return "stream";
  }
  return "string";
}

ModelReply type_command(ModelCall& call) {
  const ModelEntry* entry = call.find(call.argument(1));
  return reply_status(entry != nullptr ? type_name(entry->type) : "none");
}

// --- Deadlines -----------------------------------------------------------------------------------

struct ExpireFlags {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
};

std::optional<ModelReply> take_expire_flags(const ModelCall& call, ExpireFlags& flags) {
  for (size_t i = 3; i < call.count(); i++) {
    const std::string_view word = call.argument(i);
    if (same_word(word, "NX")) {
      flags.nx = true;
    } else if (same_word(word, "XX")) {
      flags.xx = true;
    } else if (same_word(word, "GT")) {
      flags.gt = true;
    } else if (same_word(word, "LT")) {
      flags.lt = true;
    } else {
      return reply_error("ERR Unsupported option " + std::string(word));
    }
  }
  if (flags.nx && (flags.xx || flags.gt || flags.lt)) {
    return reply_error("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (flags.gt && flags.lt) {
    return reply_error("ERR GT and LT options at the same time are not compatible");
  }
  return std::nullopt;
}

bool flags_allow(const ExpireFlags& flags, const ModelEntry& entry, int64_t deadline) {
  const bool has_deadline = entry.deadline_ms != ModelEntry::no_deadline;
  if ((flags.nx && has_deadline) || (flags.xx && !has_deadline)) {
    return false;
  }
  // No deadline counts as one that never comes.
  if (flags.gt && (!has_deadline || deadline <= entry.deadline_ms)) {
    return false;
  }
  return !(flags.lt && has_deadline && deadline >= entry.deadline_ms);
}

ModelReply expire_generic(ModelCall& call, std::string_view command, TimeUnit unit, bool absolute) {
  constexpr int64_t largest = std::numeric_limits<int64_t>::max();
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
  ExpireFlags flags;
  if (std::optional<ModelReply> error = take_expire_flags(call, flags)) {
    return *error;
  }
  std::optional<int64_t> amount = parse_integer(call.argument(2));
  if (!amount) {
    return reply_error(not_integer_text);
  }
  const int64_t scale = unit == TimeUnit::seconds ? 1000 : 1;
  const int64_t base = absolute ? 0 : call.now_ms;
  if (*amount > largest / scale || *amount < lowest / scale || *amount * scale > largest - base) {
    return invalid_expire(command);
  }
  const int64_t deadline = *amount * scale + base;
  const ModelEntry* entry = call.find(call.argument(1));
  if (entry == nullptr || !flags_allow(flags, *entry, deadline)) {
    return reply_integer(0);
  }
  call.set_deadline_or_erase(call.argument(1), deadline);
  return reply_integer(1);
}

ModelReply expire_command(ModelCall& call) {
  return expire_generic(call, "expire", TimeUnit::seconds, false);
}
ModelReply pexpire_command(ModelCall& call) {
  return expire_generic(call, "pexpire", TimeUnit::milliseconds, false);
}
ModelReply expireat_command(ModelCall& call) {
  return expire_generic(call, "expireat", TimeUnit::seconds, true);
}
ModelReply pexpireat_command(ModelCall& call) {
  return expire_generic(call, "pexpireat", TimeUnit::milliseconds, true);
}

ModelReply ttl_generic(ModelCall& call, TimeUnit unit, bool absolute) {
  const ModelEntry* entry = call.find(call.argument(1));
  if (entry == nullptr) {
    return reply_integer(-2);
  }
  if (entry->deadline_ms == ModelEntry::no_deadline) {
    return reply_integer(-1);
  }
  const int64_t ms = absolute ? entry->deadline_ms : entry->deadline_ms - call.now_ms;
  // Rounded to the nearest second, without running over for a deadline at the end of time.
  const int64_t rounded = ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);
  const int64_t value = unit == TimeUnit::seconds ? rounded : ms;
  const int64_t tolerance = call.config().ttl_tolerance_ms;
  if (tolerance == 0) {
    return reply_integer(value);
  }
  const int64_t off = unit == TimeUnit::seconds ? tolerance / 1000 + 1 : tolerance;
  const int64_t highest = std::numeric_limits<int64_t>::max();
  return reply_integer_between(value - off, value > highest - off ? highest : value + off);
}

ModelReply ttl_command(ModelCall& call) {
  return ttl_generic(call, TimeUnit::seconds, false);
}
ModelReply pttl_command(ModelCall& call) {
  return ttl_generic(call, TimeUnit::milliseconds, false);
}
ModelReply expiretime_command(ModelCall& call) {
  return ttl_generic(call, TimeUnit::seconds, true);
}
ModelReply pexpiretime_command(ModelCall& call) {
  return ttl_generic(call, TimeUnit::milliseconds, true);
}

ModelReply persist_command(ModelCall& call) {
  ModelEntry* entry = call.find(call.argument(1));
  if (entry == nullptr || entry->deadline_ms == ModelEntry::no_deadline) {
    return reply_integer(0);
  }
  entry->deadline_ms = ModelEntry::no_deadline;
  return reply_integer(1);
}

// --- Moving --------------------------------------------------------------------------------------

ModelReply rename_generic(ModelCall& call, bool only_if_new) {
  const std::string_view from = call.argument(1);
  const std::string_view to = call.argument(2);
  const ModelEntry* entry = call.find(from);
  if (entry == nullptr) {
    return reply_error("ERR no such key");
  }
  if (from == to) {
    return only_if_new ? reply_integer(0) : reply_ok();
  }
  if (only_if_new && call.find(to) != nullptr) {
    return reply_integer(0);
  }
  const ModelEntry moved = *call.find(from);
  call.create(to) = moved;
  call.erase(from);
  return only_if_new ? reply_integer(1) : reply_ok();
}

ModelReply rename_command(ModelCall& call) {
  return rename_generic(call, false);
}
ModelReply renamenx_command(ModelCall& call) {
  return rename_generic(call, true);
}

// A database's number, or the error.
std::optional<int> take_database(const ModelCall& call, std::string_view text, ModelReply& error) {
  std::optional<int> index = parse_int32(text, error);
  if (index && (*index < 0 || *index >= call.config().databases)) {
    error = reply_error("ERR DB index is out of range");
    return std::nullopt;
  }
  return index;
}

ModelReply same_object() {
  return reply_error("ERR source and destination objects are the same");
}

ModelReply move_command(ModelCall& call) {
  const std::string_view key = call.argument(1);
  ModelReply error;
  std::optional<int> target = take_database(call, call.argument(2), error);
  if (!target) {
    return error;
  }
  if (*target == call.session.database) {
    return same_object();
  }
  const ModelEntry* entry = call.find(key);
  if (entry == nullptr || call.find_in(*target, key) != nullptr) {
    return reply_integer(0);
  }
  call.database(*target)[std::string(key)] = *entry;
  call.erase(key);
  return reply_integer(1);
}

ModelReply copy_command(ModelCall& call) {
  const std::string_view from = call.argument(1);
  const std::string_view to = call.argument(2);
  int target = call.session.database;
  bool replace = false;
  for (size_t i = 3; i < call.count(); i++) {
    if (same_word(call.argument(i), "REPLACE")) {
      replace = true;
    } else if (same_word(call.argument(i), "DB") && i + 1 < call.count()) {
      ModelReply error;
      std::optional<int> index = take_database(call, call.argument(++i), error);
      if (!index) {
        return error;
      }
      target = *index;
    } else {
      return reply_error(syntax_text);
    }
  }
  if (target == call.session.database && from == to) {
    return same_object();
  }
  const ModelEntry* entry = call.find(from);
  if (entry == nullptr || (call.find_in(target, to) != nullptr && !replace)) {
    return reply_integer(0);
  }
  ModelEntry copied = *entry;
  if (copied.stream != nullptr) {
    copied.stream = std::make_shared<ModelStream>(*copied.stream);
  }
  call.database(target)[std::string(to)] = copied;
  return reply_integer(1);
}

// --- Looking around ------------------------------------------------------------------------------

// The live keys that match, in order. Expired ones are passed over and stay, as DBSIZE may see.
std::vector<std::string> live_keys(ModelCall& call, std::string_view pattern,
                                   const std::optional<std::string>& type = std::nullopt) {
  std::vector<std::string> live;
  for (const auto& [key, entry] : call.database()) {
    if (!entry.expired_at(call.now_ms) && (!type || *type == type_name(entry.type)) &&
        glob_matches(pattern, key)) {
      live.push_back(key);
    }
  }
  return live;
}

ModelReply keys_command(ModelCall& call) {
  return reply_unordered(live_keys(call, call.argument(1)));
}

ModelReply randomkey_command(ModelCall& call) {
  std::vector<std::string> choices;
  for (const std::string& key : live_keys(call, "*")) {
    choices.push_back(resp_bulk(key));
  }
  return choices.empty() ? call.null() : reply_one_of(std::move(choices));
}

ModelReply scan_command(ModelCall& call) {
  if (!is_cursor(call.argument(1))) {
    return reply_error("ERR invalid cursor");
  }
  std::string_view pattern = "*";
  std::optional<std::string> type;
  for (size_t i = 2; i < call.count(); i += 2) {
    if (i + 1 >= call.count()) {
      return reply_error(syntax_text);
    }
    const std::string_view word = call.argument(i);
    const std::string_view value = call.argument(i + 1);
    if (same_word(word, "COUNT")) {
      if (std::optional<ModelReply> error = scan_count_error(value)) {
        return *error;
      }
    } else if (same_word(word, "MATCH")) {
      pattern = value;
    } else if (same_word(word, "TYPE")) {
      type = lower(value);
    } else {
      return reply_error(syntax_text);
    }
  }
  ModelReply reply = reply_rule(ModelReply::Rule::scan_page);
  reply.choices = live_keys(call, pattern, type);
  return reply;
}

// --- OBJECT --------------------------------------------------------------------------------------

constexpr size_t embedded_bytes_max = 44;
constexpr int64_t shared_integer_end = 10000;

ModelReply encoding_of(const ModelEntry& entry) {
  if (entry.type == ModelType::stream) {
    return reply_bulk("stream");
  }
  if (entry.type == ModelType::list) {
    // Where the limit is, is the server's; 7.0 knows only one of them.
    return reply_one_of({resp_bulk("listpack"), resp_bulk("quicklist")});
  }
  if (entry.type == ModelType::set) {
    return reply_one_of(set_encodings(entry));
  }
  if (entry.type == ModelType::zset) {
    // It may have been larger before.
    return reply_one_of({resp_bulk("listpack"), resp_bulk("skiplist")});
  }
  if (entry.type == ModelType::hash) {
    return reply_one_of(hash_encodings());
  }
  const std::string raw = resp_bulk("raw");
  const std::string embedded = resp_bulk("embstr");
  if (entry.rewritten) {
    // A string that was changed in place may keep room to grow, or be packed again.
    std::vector<std::string> choices = {raw};
    if (entry.text.size() <= embedded_bytes_max) {
      choices.push_back(embedded);
    }
    if (parse_integer(entry.text)) {
      choices.push_back(resp_bulk("int"));
    }
    return reply_one_of(std::move(choices));
  }
  if (parse_integer(entry.text)) {
    return reply_bulk("int");
  }
  return reply_exact(entry.text.size() <= embedded_bytes_max ? embedded : raw);
}

ModelReply reference_count_of(const ModelEntry& entry) {
  if (entry.type != ModelType::string) {
    return reply_integer(1);
  }
  // Redis shares small integers and then says INT_MAX; a server is free not to.
  std::optional<int64_t> number = parse_integer(entry.text);
  if (number && *number >= 0 && *number < shared_integer_end) {
    return reply_one_of({resp_integer(1), resp_integer(std::numeric_limits<int>::max())});
  }
  return reply_integer(1);
}

ModelReply any_count() {
  return reply_integer_between(0, std::numeric_limits<int64_t>::max());
}

ModelReply object_help(ModelCall&) {
  constexpr std::string_view lines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
      "HELP",
      "    Prints this help.",
  };
  std::string reply = resp_header('*', std::size(lines));
  for (std::string_view line : lines) {
    reply += "+" + std::string(line) + "\r\n";
  }
  return reply_exact(std::move(reply));
}

ModelReply object_frequency(ModelCall& call) {
  if (!call.config().lfu) {
    return reply_error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
        "that when switching between policies at runtime LRU and LFU data will take some time to "
        "adjust.");
  }
  return reply_integer_between(0, 255);
}

ModelReply object_idle_time(ModelCall& call) {
  if (call.config().lfu) {
    return reply_error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
        "switching between policies at runtime LRU and LFU data will take some time to adjust.");
  }
  return any_count();
}

ModelReply object_command(ModelCall& call) {
  const std::string name = lower(call.argument(1));
  const bool with_key =
      name == "encoding" || name == "refcount" || name == "freq" || name == "idletime";
  if (!with_key && name != "help") {
    return reply_error("ERR unknown subcommand '" + std::string(call.argument(1).substr(0, 128)) +
                       "'. Try OBJECT HELP.");
  }
  if (call.count() != (with_key ? 3U : 2U)) {
    return wrong_arity("object|" + name);
  }
  if (!with_key) {
    return object_help(call);
  }
  const ModelEntry* entry = call.find(call.argument(2));
  if (entry == nullptr) {
    return call.null();
  }
  if (name == "encoding") {
    return encoding_of(*entry);
  }
  if (name == "refcount") {
    return reference_count_of(*entry);
  }
  return name == "freq" ? object_frequency(call) : object_idle_time(call);
}

constexpr ModelCommand generic_table[] = {
    {"copy", -3, copy_command, true},
    {"del", -2, del_command, false},
    {"exists", -2, exists_command, false},
    {"expire", -3, expire_command, false},
    {"expireat", -3, expireat_command, false},
    {"expiretime", 2, expiretime_command, false},
    {"keys", 2, keys_command, false},
    {"move", 3, move_command, false},
    {"object", -2, object_command, false},
    {"persist", 2, persist_command, false},
    {"pexpire", -3, pexpire_command, false},
    {"pexpireat", -3, pexpireat_command, false},
    {"pexpiretime", 2, pexpiretime_command, false},
    {"pttl", 2, pttl_command, false},
    {"randomkey", 1, randomkey_command, false},
    {"rename", 3, rename_command, false},
    {"renamenx", 3, renamenx_command, false},
    {"scan", -2, scan_command, false},
    {"touch", -2, exists_command, false},
    {"ttl", 2, ttl_command, false},
    {"type", 2, type_command, false},
    {"unlink", -2, del_command, false},
};

}  // namespace

std::span<const ModelCommand> generic_commands() {
  return generic_table;
}

}  // namespace redoubt::sim
