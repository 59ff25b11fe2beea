// The string family without its arithmetic.
#include <algorithm>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

// --- Options of SET, GETEX and MSETEX ------------------------------------------------------------

enum class Condition : uint8_t { none, nx, xx, ifeq, ifne, ifdeq, ifdne };

struct SetOptions {
  Condition condition = Condition::none;
  std::string_view operand;  // of IFEQ and its three relatives
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;
  std::optional<ExpireOption> expire;
};

enum class OptionSet : uint8_t { set, getex, msetex };

Condition condition_word(std::string_view word) {
  constexpr std::pair<std::string_view, Condition> words[] = {
      {"NX", Condition::nx},     {"XX", Condition::xx},       {"IFEQ", Condition::ifeq},
      {"IFNE", Condition::ifne}, {"IFDEQ", Condition::ifdeq}, {"IFDNE", Condition::ifdne}};
  for (const auto& [text, condition] : words) {
    if (same_word(word, text)) {
      return condition;
    }
  }
  return Condition::none;
}

bool takes_operand(Condition condition) {
  return condition != Condition::none && condition != Condition::nx && condition != Condition::xx;
}

bool same_expire_word(const ExpireOption& a, const ExpireOption& b) {
  return a.unit == b.unit && a.absolute == b.absolute;
}

// One option word at `i`; moves `i` past it and its value. False: a syntax error.
bool take_option(const ModelCall& call, OptionSet set, size_t& i, SetOptions& options) {
  const std::string_view word = call.argument(i++);
  const bool has_next = i < call.count();
  if (std::optional<ExpireOption> expire = expire_word(word)) {
    const bool conflict = options.keep_ttl || options.persist ||
                          (options.expire && !same_expire_word(*options.expire, *expire));
    if (conflict || !has_next) {
      return false;
    }
    expire->text = call.argument(i++);
    options.expire = expire;
    return true;
  }
  if (same_word(word, "PERSIST") && set == OptionSet::getex) {
    options.persist = true;
    return !options.expire;
  }
  if (same_word(word, "KEEPTTL") && set != OptionSet::getex) {
    options.keep_ttl = true;
    return !options.expire;
  }
  if (same_word(word, "GET") && set == OptionSet::set) {
    options.get = true;
    return true;
  }
  const Condition condition = condition_word(word);
  const bool allowed =
      set == OptionSet::set || (set == OptionSet::msetex && !takes_operand(condition));
  if (condition == Condition::none || !allowed ||
      (options.condition != Condition::none && options.condition != condition)) {
    return false;
  }
  options.condition = condition;
  if (takes_operand(condition)) {
    if (!has_next) {
      return false;
    }
    options.operand = call.argument(i++);
  }
  return true;
}

std::optional<SetOptions> take_options(const ModelCall& call, OptionSet set, size_t from) {
  SetOptions options;
  for (size_t i = from; i < call.count();) {
    if (!take_option(call, set, i, options)) {
      return std::nullopt;
    }
  }
  return options;
}

constexpr size_t digest_digits = 16;

ModelReply bad_digest() {
  return reply_error("ERR must be exactly 16 hexadecimal characters");
}

bool same_digest(const std::string& text, std::string_view digest) {
  return digest_of(text) == lower(digest);
}

// Whether the value of an existing string meets IFEQ, IFNE, IFDEQ or IFDNE.
bool value_meets(Condition condition, const std::string& text, std::string_view operand) {
  switch (condition) {
    case Condition::ifeq: return text == operand;
    case Condition::ifne: return text != operand;
    case Condition::ifdeq: return same_digest(text, operand);
    case Condition::ifdne: return !same_digest(text, operand);
    default: return true;
  }
}

bool is_digest_condition(Condition condition) {
  return condition == Condition::ifdeq || condition == Condition::ifdne;
}

bool entry_meets(const SetOptions& options, const ModelEntry* entry) {
  switch (options.condition) {
    case Condition::none: return true;
    case Condition::nx: return entry == nullptr;
    case Condition::xx: return entry != nullptr;
    case Condition::ifeq:
    case Condition::ifdeq:
      return entry != nullptr && value_meets(options.condition, entry->text, options.operand);
    case Condition::ifne:
    case Condition::ifdne:
      return entry == nullptr || value_meets(options.condition, entry->text, options.operand);
  }
  return false;
}

// --- SET and its shorter forms -------------------------------------------------------------------

// A deadline that has passed leaves no key at all; 7.0 keeps it until it is looked at.
void set_with_deadline(ModelCall& call, std::string_view key, std::string_view value, bool keep_ttl,
                       std::optional<int64_t> deadline) {
  ModelEntry& entry = call.set(key, std::string(value), keep_ttl);
  if (deadline && *deadline < call.now_ms && !call.config().as_redis_7_0) {
    call.erase(key);
  } else if (deadline) {
    entry.deadline_ms = *deadline;
  }
}

ModelReply set_generic(ModelCall& call, std::string_view value, const SetOptions& options,
                       std::string_view command) {
  const std::string_view key = call.argument(1);
  std::optional<int64_t> deadline;
  if (options.expire) {
    ModelReply error;
    deadline = resolve_expire(*options.expire, call.now_ms, command, error);
    if (!deadline) {
      return error;
    }
  }
  ModelEntry* entry = call.find(key);
  if (entry != nullptr && entry->type != ModelType::string &&
      (options.get || takes_operand(options.condition))) {
    return reply_error(wrong_type_text);
  }
  if (entry != nullptr && is_digest_condition(options.condition) &&
      options.operand.size() != digest_digits) {
    return bad_digest();
  }
  const bool happens = entry_meets(options, entry);
  ModelReply reply = happens && !options.get ? reply_ok() : call.null();
  if (options.get && entry != nullptr) {
    reply = reply_bulk(entry->text);
  }
  if (happens) {
    set_with_deadline(call, key, value, options.keep_ttl, deadline);
  }
  return reply;
}

ModelReply set_command(ModelCall& call) {
  std::optional<SetOptions> options = take_options(call, OptionSet::set, 3);
  return options ? set_generic(call, call.argument(2), *options, "set") : reply_error(syntax_text);
}

ModelReply setex_command(ModelCall& call) {
  SetOptions options;
  options.expire = ExpireOption{call.argument(2), TimeUnit::seconds, false};
  return set_generic(call, call.argument(3), options, "setex");
}

ModelReply psetex_command(ModelCall& call) {
  SetOptions options;
  options.expire = ExpireOption{call.argument(2), TimeUnit::milliseconds, false};
  return set_generic(call, call.argument(3), options, "psetex");
}

ModelReply setnx_command(ModelCall& call) {
  if (call.find(call.argument(1)) != nullptr) {
    return reply_integer(0);
  }
  call.set(call.argument(1), std::string(call.argument(2)));
  return reply_integer(1);
}

// --- Reading -------------------------------------------------------------------------------------

// The string at `key`: nullptr when missing; `error` is set when it is of another type.
ModelEntry* find_string(ModelCall& call, std::string_view key, std::optional<ModelReply>& error) {
  ModelEntry* entry = call.find(key);
  if (entry != nullptr && entry->type != ModelType::string) {
    error = reply_error(wrong_type_text);
  }
  return entry;
}

ModelReply get_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  return entry != nullptr ? reply_bulk(entry->text) : call.null();
}

ModelReply getset_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  ModelReply reply = entry != nullptr ? reply_bulk(entry->text) : call.null();
  call.set(call.argument(1), std::string(call.argument(2)));
  return reply;
}

ModelReply getdel_command(ModelCall& call) {
  ModelReply reply = get_command(call);
  if (reply.bytes[0] != '-') {
    call.erase(call.argument(1));
  }
  return reply;
}

ModelReply getex_command(ModelCall& call) {
  const std::string_view key = call.argument(1);
  std::optional<SetOptions> options = take_options(call, OptionSet::getex, 2);
  if (!options) {
    return reply_error(syntax_text);
  }
  std::optional<ModelReply> wrong_type;
  ModelEntry* entry = find_string(call, key, wrong_type);
  if (entry == nullptr || wrong_type) {
    return wrong_type ? *wrong_type : call.null();
  }
  ModelReply reply = reply_bulk(entry->text);
  if (options->expire) {
    ModelReply error;
    std::optional<int64_t> deadline = resolve_expire(*options->expire, call.now_ms, "getex", error);
    if (!deadline) {
      return error;
    }
    call.set_deadline_or_erase(key, *deadline);
  } else if (options->persist) {
    entry->deadline_ms = ModelEntry::no_deadline;
  }
  return reply;
}

ModelReply strlen_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  return reply_integer(entry != nullptr ? static_cast<int64_t>(entry->text.size()) : 0);
}

ModelReply getrange_command(ModelCall& call) {
  std::optional<int64_t> start = parse_integer(call.argument(2));
  std::optional<int64_t> end = parse_integer(call.argument(3));
  if (!start || !end) {
    return reply_error(not_integer_text);
  }
  std::optional<ModelReply> error;
  const ModelEntry* entry = find_string(call, call.argument(1), error);
  if (entry == nullptr || error) {
    return error ? *error : reply_bulk("");
  }
  const auto size = static_cast<int64_t>(entry->text.size());
  // Two negative indexes in the wrong order are empty even where both are cut to the first byte.
  if (*start < 0 && *end < 0 && *start > *end) {
    return reply_bulk("");
  }
  const int64_t first = std::max<int64_t>(*start < 0 ? size + *start : *start, 0);
  const int64_t last = std::min(std::max<int64_t>(*end < 0 ? size + *end : *end, 0), size - 1);
  if (first > last) {
    return reply_bulk("");
  }
  return reply_bulk(std::string_view(entry->text)
                        .substr(static_cast<size_t>(first), static_cast<size_t>(last - first + 1)));
}

// --- Changing in place ---------------------------------------------------------------------------

ModelReply append_command(ModelCall& call) {
  std::optional<ModelReply> error;
  ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const std::string_view tail = call.argument(2);
  if (entry == nullptr) {
    call.set(call.argument(1), std::string(tail));
    return reply_integer(static_cast<int64_t>(tail.size()));
  }
  if (static_cast<int64_t>(entry->text.size() + tail.size()) > call.config().bulk_bytes_max) {
    return reply_error(too_long_text);
  }
  entry->text += tail;
  entry->rewritten = true;
  return reply_integer(static_cast<int64_t>(entry->text.size()));
}

ModelReply setrange_command(ModelCall& call) {
  std::optional<int64_t> offset = parse_integer(call.argument(2));
  if (!offset) {
    return reply_error(not_integer_text);
  }
  if (*offset < 0) {
    return reply_error("ERR offset is out of range");
  }
  std::optional<ModelReply> error;
  ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const std::string_view value = call.argument(3);
  const size_t old_size = entry != nullptr ? entry->text.size() : 0;
  if (value.empty()) {
    return reply_integer(static_cast<int64_t>(old_size));
  }
  const int64_t largest = call.config().bulk_bytes_max;
  if (*offset > largest || *offset + static_cast<int64_t>(value.size()) > largest) {
    return reply_error(too_long_text);
  }
  ModelEntry& target = call.create(call.argument(1));
  const auto begin = static_cast<size_t>(*offset);
  target.text.resize(std::max(old_size, begin + value.size()), '\0');
  target.text.replace(begin, value.size(), value);
  target.rewritten = true;
  return reply_integer(static_cast<int64_t>(target.text.size()));
}

// --- Several keys --------------------------------------------------------------------------------

ModelReply mget_command(ModelCall& call) {
  std::string reply = resp_header('*', call.count() - 1);
  for (size_t i = 1; i < call.count(); i++) {
    const ModelEntry* entry = call.find(call.argument(i));
    const bool is_string = entry != nullptr && entry->type == ModelType::string;
    reply += is_string ? resp_bulk(entry->text) : resp_null(call.resp());
  }
  return reply_exact(std::move(reply));
}

ModelReply mset_command(ModelCall& call) {
  if (call.count() % 2 == 0) {
    return wrong_arity("mset");
  }
  for (size_t i = 1; i < call.count(); i += 2) {
    call.set(call.argument(i), std::string(call.argument(i + 1)));
  }
  return reply_ok();
}

ModelReply msetnx_command(ModelCall& call) {
  if (call.count() % 2 == 0) {
    return wrong_arity("msetnx");
  }
  for (size_t i = 1; i < call.count(); i += 2) {
    if (call.find(call.argument(i)) != nullptr) {
      return reply_integer(0);
    }
  }
  mset_command(call);
  return reply_integer(1);
}

ModelReply msetex_command(ModelCall& call) {
  constexpr int64_t keys_max = 2147483647;
  std::optional<int64_t> keys = parse_integer(call.argument(1));
  if (!keys || *keys < 1 || *keys > keys_max) {
    return reply_error("ERR invalid numkeys value");
  }
  const auto pairs_end = 2 + 2 * static_cast<size_t>(*keys);
  if (pairs_end > call.count()) {
    return reply_error("ERR wrong number of key-value pairs");
  }
  std::optional<SetOptions> options = take_options(call, OptionSet::msetex, pairs_end);
  if (!options) {
    return reply_error(syntax_text);
  }
  std::optional<int64_t> deadline;
  if (options->expire) {
    ModelReply error;
    deadline = resolve_expire(*options->expire, call.now_ms, "msetex", error);
    if (!deadline) {
      return error;
    }
  }
  for (size_t i = 2; i < pairs_end; i += 2) {
    if (!entry_meets(*options, call.find(call.argument(i)))) {
      return reply_integer(0);
    }
  }
  for (size_t i = 2; i < pairs_end; i += 2) {
    set_with_deadline(call, call.argument(i), call.argument(i + 1), options->keep_ttl, deadline);
  }
  return reply_integer(1);
}

// --- Digests and conditional deletion ------------------------------------------------------------

ModelReply digest_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  return entry != nullptr ? reply_bulk(digest_of(entry->text)) : call.null();
}

ModelReply delifeq_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelEntry* entry = find_string(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const bool equal = entry != nullptr && entry->text == call.argument(2);
  return reply_integer(equal && call.erase(call.argument(1)) ? 1 : 0);
}

ModelReply delex_command(ModelCall& call) {
  if (call.count() != 2 && call.count() != 4) {
    return wrong_arity("delex");
  }
  const std::string_view key = call.argument(1);
  const ModelEntry* entry = call.find(key);
  if (entry == nullptr) {
    return reply_integer(0);
  }
  if (call.count() == 4) {
    if (entry->type != ModelType::string) {
      return reply_error("ERR Key should be of string type if conditions are specified");
    }
    const Condition condition = condition_word(call.argument(2));
    if (!takes_operand(condition)) {
      return reply_error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
    }
    const std::string_view operand = call.argument(3);
    if (is_digest_condition(condition) && operand.size() != digest_digits) {
      return bad_digest();
    }
    if (!value_meets(condition, entry->text, operand)) {
      return reply_integer(0);
    }
  }
  call.erase(key);
  return reply_integer(1);
}

constexpr ModelCommand string_table[] = {
    {"append", 3, append_command, true},    {"delex", -2, delex_command, false},
    {"delifeq", 3, delifeq_command, false}, {"digest", 2, digest_command, false},
    {"get", 2, get_command, false},         {"getdel", 2, getdel_command, false},
    {"getex", -2, getex_command, false},    {"getrange", 4, getrange_command, false},
    {"getset", 3, getset_command, true},    {"mget", -2, mget_command, false},
    {"mset", -3, mset_command, true},       {"msetex", -4, msetex_command, true},
    {"msetnx", -3, msetnx_command, true},   {"psetex", 4, psetex_command, true},
    {"set", -3, set_command, true},         {"setex", 4, setex_command, true},
    {"setnx", 3, setnx_command, true},      {"setrange", 4, setrange_command, true},
    {"strlen", 2, strlen_command, false},   {"substr", 4, getrange_command, false},
};

}  // namespace

std::span<const ModelCommand> string_commands() {
  return string_table;
}

}  // namespace redoubt::sim
