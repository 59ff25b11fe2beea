// The hash family. A field whose deadline is over is a missing field; it stays in the entry until
// somebody meets it, or until it is told that the node has removed it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/model/call.h"
#include "sim/model/part_deadlines.h"

namespace redoubt::sim {
namespace {

using Fields = SortedMap<ModelField>;

constexpr int64_t none = ModelEntry::no_deadline;

bool live(const ModelCall& call, const ModelField& field) {
  return field.deadline_ms == none || field.deadline_ms >= call.now_ms;
}

// The fields of a key, expired ones included; none, with an error, when it holds something else.
Fields all_fields(ModelCall& call, std::string_view key, std::optional<ModelReply>& error) {
  const ModelEntry* entry = call.find(key, ModelType::hash, error);
  return entry != nullptr ? entry->hash : Fields();
}

Fields live_fields(ModelCall& call, std::string_view key, std::optional<ModelReply>& error) {
  Fields fields = all_fields(call, key, error);
  erase_if(fields, [&](const auto& field) { return !live(call, field.second); });
  return fields;
}

// Puts these fields under the key. Expired ones that are there stay, unless they are set anew.
void put_hash(ModelCall& call, std::string_view key, Fields fields) {
  if (const ModelEntry* old = call.find(key)) {
    for (const auto& [name, field] : old->hash) {
      if (!live(call, field)) {
        fields.emplace(name, field);
      }
    }
  }
  if (fields.empty()) {
    call.erase(key);
    return;
  }
  call.remake(key, ModelType::hash, true).hash = std::move(fields);
}

// --- Writing -------------------------------------------------------------------------------------

ModelReply set_pairs(ModelCall& call, std::string_view name) {
  if (call.count() % 2 != 0) {
    return wrong_arity(name);
  }
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const size_t before = fields.size();
  for (size_t i = 2; i < call.count(); i += 2) {
    fields[std::string(call.argument(i))] = {std::string(call.argument(i + 1)), none};
  }
  put_hash(call, call.argument(1), fields);
  return name == "hmset" ? reply_ok() : reply_integer(static_cast<int64_t>(fields.size() - before));
}

ModelReply hset_command(ModelCall& call) {
  return set_pairs(call, "hset");
}
ModelReply hmset_command(ModelCall& call) {
  return set_pairs(call, "hmset");
}

ModelReply hsetnx_command(ModelCall& call) {
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (fields.contains(call.argument(2))) {
    return reply_integer(0);
  }
  fields[std::string(call.argument(2))] = {std::string(call.argument(3)), none};
  put_hash(call, call.argument(1), fields);
  return reply_integer(1);
}

ModelReply hdel_command(ModelCall& call) {
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  int64_t removed = 0;
  for (size_t i = 2; i < call.count(); i++) {
    removed += static_cast<int64_t>(fields.erase(std::string(call.argument(i))));
  }
  if (removed > 0) {
    put_hash(call, call.argument(1), fields);
  }
  return reply_integer(removed);
}

ModelReply hincrby_command(ModelCall& call) {
  const std::optional<int64_t> increment = parse_integer(call.argument(3));
  if (!increment) {
    return reply_error(not_integer_text);
  }
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const auto found = fields.find(call.argument(2));
  const std::optional<int64_t> old =
      found == fields.end() ? std::optional<int64_t>(0) : parse_integer(found->second.value);
  if (!old) {
    return reply_error("ERR hash value is not an integer");
  }
  const int64_t largest = std::numeric_limits<int64_t>::max();
  const int64_t lowest = std::numeric_limits<int64_t>::min();
  if (*increment > 0 ? *old > largest - *increment : *old < lowest - *increment) {
    return reply_error("ERR increment or decrement would overflow");
  }
  fields[std::string(call.argument(2))].value = std::to_string(*old + *increment);
  put_hash(call, call.argument(1), fields);
  return reply_integer(*old + *increment);
}

ModelReply hincrbyfloat_command(ModelCall& call) {
  const std::optional<long double> increment = parse_float(call.argument(3));
  if (!increment) {
    return reply_error(not_float_text);
  }
  if (!std::isfinite(*increment)) {
    return reply_error("ERR value is NaN or Infinity");
  }
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const auto found = fields.find(call.argument(2));
  const std::optional<long double> old =
      found == fields.end() ? std::optional<long double>(0) : parse_float(found->second.value);
  if (!old) {
    return reply_error("ERR hash value is not a float");
  }
  if (!std::isfinite(*old + *increment)) {
    return reply_error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = print_float(*old + *increment);
  fields[std::string(call.argument(2))].value = text;
  put_hash(call, call.argument(1), fields);
  return reply_bulk(text);
}

// --- Reading -------------------------------------------------------------------------------------

std::string value_or_null(const ModelCall& call, const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found != fields.end() ? resp_bulk(found->second.value) : resp_null(call.resp());
}

ModelReply hget_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  return error ? *error : reply_exact(value_or_null(call, fields, call.argument(2)));
}

// The values of the fields at arguments [first, end).
ModelReply reply_values(const ModelCall& call, const Fields& fields, size_t first, size_t end) {
  std::string reply = resp_header('*', end - first);
  for (size_t i = first; i < end; i++) {
    reply += value_or_null(call, fields, call.argument(i));
  }
  return reply_exact(std::move(reply));
}

ModelReply hmget_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  return error ? *error : reply_values(call, fields, 2, call.count());
}

ModelReply hexists_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  return error ? *error : reply_integer(fields.contains(call.argument(2)) ? 1 : 0);
}

ModelReply hstrlen_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  const auto found = fields.find(call.argument(2));
  const size_t size = found != fields.end() ? found->second.value.size() : 0;
  return error ? *error : reply_integer(static_cast<int64_t>(size));
}

ModelReply hlen_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = all_fields(call, call.argument(1), error);
  return error ? *error : reply_integer(static_cast<int64_t>(fields.size()));
}

// Each field as RESP, with its value or without, alone or in an array of its own.
std::vector<std::string> as_choices(const Fields& fields, bool values, bool nested) {
  std::vector<std::string> out;
  for (const auto& [name, field] : fields) {
    out.push_back(nested ? resp_header('*', 2) : std::string());
    out.back() += resp_bulk(name);
    if (values) {
      out.back() += resp_bulk(field.value);
    }
  }
  return out;
}

ModelReply hgetall_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  return error ? *error
               : reply_some(as_choices(fields, true, false), fields.size(),
                            call.resp() == 3 ? '%' : '*', 2);
}

ModelReply hkeys_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  return error ? *error : reply_some(as_choices(fields, false, false), fields.size(), '*');
}

ModelReply hvals_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  std::vector<std::string> values;
  for (const auto& [name, field] : fields) {
    values.push_back(field.value);
  }
  ModelReply reply = reply_unordered(std::move(values));
  reply.bytes.assign(1, '*');
  return error ? *error : reply;
}

ModelReply hscan_command(ModelCall& call) {
  ElementScan scan;
  if (!is_cursor(call.argument(2))) {
    return reply_error("ERR invalid cursor");
  }
  std::optional<ModelReply> error;
  const Fields fields = all_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (fields.empty()) {
    return reply_exact("*2\r\n$1\r\n0\r\n*0\r\n");
  }
  if (std::optional<ModelReply> wrong = take_scan_options(call, scan, true)) {
    return *wrong;
  }
  ModelReply reply = reply_rule(ModelReply::Rule::scan_page);
  reply.width = scan.no_values ? 1 : 2;
  for (const auto& [name, field] : fields) {
    if (live(call, field) && glob_matches(scan.pattern, name)) {
      reply.choices.push_back(scan.no_values ? name : resp_bulk(name) + resp_bulk(field.value));
    }
  }
  return reply;
}

ModelReply hrandfield_command(ModelCall& call) {
  std::optional<int64_t> count;
  bool values = false;
  if (call.count() > 2) {
    count = parse_integer(call.argument(2));
    if (!count) {
      return reply_error(not_integer_text);
    }
    if (*count == std::numeric_limits<int64_t>::min()) {
      return reply_error(
          "ERR value is out of range, value must between -9223372036854775807 and "
          "9223372036854775807");
    }
    values = call.count() > 3;
    if (call.count() > 4 || (values && !same_word(call.argument(3), "WITHVALUES"))) {
      return reply_error(syntax_text);
    }
    const int64_t half = std::numeric_limits<int64_t>::max() / 2;
    if (values && (*count < -half || *count > half)) {
      return reply_error("ERR value is out of range");
    }
  }
  std::optional<ModelReply> error;
  const Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (!count) {
    return fields.empty() ? call.null() : reply_one_of(as_choices(fields, false, false));
  }
  if (*count < -draws_max && !fields.empty()) {
    return reply_error("ERR value is out of range");
  }
  const bool nested = values && call.resp() == 3;
  const size_t width = values && !nested ? 2 : 1;
  std::vector<std::string> choices = as_choices(fields, values, nested);
  if (*count < 0) {
    return reply_draws(std::move(choices), fields.empty() ? 0 : static_cast<size_t>(-*count),
                       width);
  }
  return reply_some(std::move(choices), std::min(static_cast<size_t>(*count), fields.size()), '*',
                    width);
}

// --- Deadlines of fields -------------------------------------------------------------------------

// Has `work(parts)` look at the fields of a key, and puts what it left under the key.
template <typename Work>
ModelReply with_deadlines(ModelCall& call, Work&& work) {
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  PartDeadlines parts;
  for (const auto& [name, field] : fields) {
    parts[name] = field.deadline_ms;
  }
  const PartDeadlines before = parts;
  ModelReply reply = work(parts);
  if (parts != before) {
    erase_if(fields, [&](const auto& field) { return !parts.contains(field.first); });
    for (auto& [name, field] : fields) {
      field.deadline_ms = parts[name];
    }
    put_hash(call, call.argument(1), fields);
  }
  return reply;
}

template <bool absolute, bool seconds>
ModelReply expire_command(ModelCall& call) {
  return with_deadlines(call, [&](PartDeadlines& parts) {
    return expire_parts(call, field_texts, absolute, seconds, parts);
  });
}

template <bool absolute, bool seconds>
ModelReply deadlines_command(ModelCall& call) {
  return with_deadlines(call, [&](const PartDeadlines& parts) {
    return show_part_deadlines(call, field_texts, absolute, seconds, parts);
  });
}

ModelReply hpersist_command(ModelCall& call) {
  return with_deadlines(
      call, [&](PartDeadlines& parts) { return persist_parts(call, field_texts, parts); });
}

// --- Redis 8.0 -----------------------------------------------------------------------------------

ModelReply hgetdel_command(ModelCall& call) {
  if (std::optional<ModelReply> wrong =
          check_parts(call, 2, field_texts, field_texts.not_positive)) {
    return *wrong;
  }
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  std::string reply = resp_header('*', call.count() - 4);
  for (size_t i = 4; i < call.count(); i++) {
    reply += value_or_null(call, fields, call.argument(i));
    fields.erase(std::string(call.argument(i)));
  }
  if (call.find(call.argument(1)) != nullptr) {
    put_hash(call, call.argument(1), fields);
  }
  return reply_exact(std::move(reply));
}

struct FieldOptions {
  std::optional<ExpireOption> expire;
  bool persist = false;
  bool keep_ttl = false;
  bool fnx = false;
  bool fxx = false;
  bool nx = false;
  bool xx = false;
  size_t first = 0;
  size_t end = 0;
};

// The options of HGETEX, or of HSETEX with pairs; the error, if there is one.
std::optional<ModelReply> take_options(const ModelCall& call, bool pairs, FieldOptions& options) {
  const ModelReply both = reply_error(
      pairs ? "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
            : "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified");
  for (size_t i = 2; i < call.count(); i++) {
    const std::string word = lower(call.argument(i));
    const bool has_expiry = options.expire || options.persist || options.keep_ttl;
    if (word == "fields") {
      if (options.first != 0) {
        return reply_error("ERR multiple FIELDS argument");
      }
      if (i + 1 >= call.count()) {
        return reply_error("ERR missing FIELDS argument");
      }
      const std::optional<int64_t> count = parse_integer(call.argument(i + 1));
      if (!count || *count < 1 || *count > std::numeric_limits<int32_t>::max()) {
        return reply_error("ERR invalid number of fields");
      }
      options.first = i + 2;
      options.end = options.first + static_cast<size_t>(*count) * (pairs ? 2 : 1);
      if (options.end > call.count()) {
        return reply_error("ERR wrong number of arguments");
      }
      i = options.end - 1;
    } else if (pairs && (word == "fnx" || word == "fxx" || word == "nx" || word == "xx")) {
      options.fnx = options.fnx || word == "fnx";
      options.fxx = options.fxx || word == "fxx";
      options.nx = options.nx || word == "nx";
      options.xx = options.xx || word == "xx";
      if (options.fnx && options.fxx) {
        return reply_error("ERR Only one of FXX or FNX arguments can be specified");
      }
      if (options.nx && options.xx) {
        return reply_error("ERR Only one of NX or XX arguments can be specified");
      }
    } else if (std::optional<ExpireOption> expire = expire_word(call.argument(i))) {
      if (has_expiry) {
        return both;
      }
      if (++i >= call.count()) {
        return reply_error("ERR missing expire time");
      }
      expire->text = call.argument(i);
      options.expire = expire;
    } else if (word == (pairs ? "keepttl" : "persist")) {
      if (has_expiry) {
        return both;
      }
      (pairs ? options.keep_ttl : options.persist) = true;
    } else {
      return reply_error("ERR unknown argument: " + std::string(call.argument(i).substr(0, 128)));
    }
  }
  if (options.first == 0) {
    return reply_error("ERR missing FIELDS argument");
  }
  return std::nullopt;
}

// The deadline asked for, or `none`; the error, if there is one.
std::optional<ModelReply> take_deadline(const ModelCall& call, const FieldOptions& options,
                                        std::string_view name, int64_t& deadline) {
  deadline = none;
  if (!options.expire) {
    return std::nullopt;
  }
  const std::optional<int64_t> given = parse_integer(options.expire->text);
  if (!given) {
    return reply_error(not_integer_text);
  }
  std::optional<int64_t> at;
  if (*given > 0) {
    at = part_deadline(*given, options.expire->absolute ? 0 : call.now_ms,
                       options.expire->unit == TimeUnit::seconds);
  }
  if (!at) {
    return invalid_expire(name);
  }
  deadline = *at;
  return std::nullopt;
}

ModelReply hgetex_command(ModelCall& call) {
  FieldOptions options;
  int64_t deadline = none;
  if (std::optional<ModelReply> wrong = take_options(call, false, options)) {
    return *wrong;
  }
  if (std::optional<ModelReply> wrong = take_deadline(call, options, "hgetex", deadline)) {
    return *wrong;
  }
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  std::string reply = resp_header('*', options.end - options.first);
  for (size_t i = options.first; i < options.end; i++) {
    reply += value_or_null(call, fields, call.argument(i));
    const auto found = fields.find(call.argument(i));
    if (found == fields.end() || (!options.expire && !options.persist)) {
      continue;
    }
    if (options.expire && deadline <= call.now_ms) {
      fields.erase(found);
    } else {
      found->second.deadline_ms = deadline;
    }
  }
  if (call.find(call.argument(1)) != nullptr) {
    put_hash(call, call.argument(1), fields);
  }
  return reply_exact(std::move(reply));
}

ModelReply hsetex_command(ModelCall& call) {
  FieldOptions options;
  int64_t deadline = none;
  if (std::optional<ModelReply> wrong = take_options(call, true, options)) {
    return *wrong;
  }
  if (std::optional<ModelReply> wrong = take_deadline(call, options, "hsetex", deadline)) {
    return *wrong;
  }
  std::optional<ModelReply> error;
  Fields fields = live_fields(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const bool exists = call.find(call.argument(1)) != nullptr;
  bool refused = (options.nx && exists) || (options.xx && !exists);
  for (size_t i = options.first; i < options.end; i += 2) {
    const bool there = fields.contains(call.argument(i));
    refused = refused || (options.fnx && there) || (options.fxx && !there);
  }
  if (refused) {
    return reply_integer(0);
  }
  for (size_t i = options.first; i < options.end; i += 2) {
    ModelField& field = fields[std::string(call.argument(i))];
    field.value = call.argument(i + 1);
    if (!options.keep_ttl) {
      field.deadline_ms = deadline;
    }
  }
  for (size_t i = options.first; i < options.end && options.expire; i += 2) {
    if (deadline <= call.now_ms) {
      fields.erase(std::string(call.argument(i)));
    }
  }
  put_hash(call, call.argument(1), fields);
  return reply_integer(1);
}

constexpr ModelCommand hash_table[] = {
    {"hdel", -3, hdel_command, false},
    {"hexists", 3, hexists_command, false},
    {"hexpire", -6, expire_command<false, true>, true},
    {"hexpireat", -6, expire_command<true, true>, true},
    {"hexpiretime", -5, deadlines_command<true, true>, false},
    {"hget", 3, hget_command, false},
    {"hgetall", 2, hgetall_command, false},
    {"hgetdel", -5, hgetdel_command, false},
    {"hgetex", -5, hgetex_command, false},
    {"hincrby", 4, hincrby_command, true},
    {"hincrbyfloat", 4, hincrbyfloat_command, true},
    {"hkeys", 2, hkeys_command, false},
    {"hlen", 2, hlen_command, false},
    {"hmget", -3, hmget_command, false},
    {"hmset", -4, hmset_command, true},
    {"hpersist", -5, hpersist_command, false},
    {"hpexpire", -6, expire_command<false, false>, true},
    {"hpexpireat", -6, expire_command<true, false>, true},
    {"hpexpiretime", -5, deadlines_command<true, false>, false},
    {"hpttl", -5, deadlines_command<false, false>, false},
    {"hrandfield", -2, hrandfield_command, false},
    {"hscan", -3, hscan_command, false},
    {"hset", -4, hset_command, true},
    {"hsetex", -6, hsetex_command, true},
    {"hsetnx", 4, hsetnx_command, true},
    {"hstrlen", 3, hstrlen_command, false},
    {"httl", -5, deadlines_command<false, true>, false},
    {"hvals", 2, hvals_command, false},
};

}  // namespace

std::span<const ModelCommand> hash_commands() {
  return hash_table;
}

// What OBJECT ENCODING may say: the hash may have been larger, or may have had deadlines, before.
std::vector<std::string> hash_encodings() {
  return {resp_bulk("listpack"), resp_bulk("listpackex"), resp_bulk("hashtable")};
}

}  // namespace redoubt::sim
