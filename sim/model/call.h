// Inside the model: one command being executed, and the functions that the families share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/model/model.h"

namespace redoubt::sim {

struct ModelCall {
  Model& model;
  ModelSession& session;
  ModelArguments arguments;
  int64_t now_ms;

  size_t count() const { return arguments.size(); }
  std::string_view argument(size_t index) const { return arguments[index]; }
  int resp() const { return session.resp; }
  const ModelConfig& config() const { return model.config_; }
  ModelReply null() const { return reply_null(session.resp); }

  Model::Database& database() { return database(session.database); }
  Model::Database& database(int index) { return model.databases_[static_cast<size_t>(index)]; }
  void swap_databases(int a, int b) { database(a).swap(database(b)); }

  // The live entry or nullptr. An expired one is dropped here.
  ModelEntry* find(std::string_view key) { return find_in(session.database, key); }
  ModelEntry* find_in(int database_index, std::string_view key);

  // The live entry of this type. Null when there is none, with `error` when it is of another type.
  ModelEntry* find(std::string_view key, ModelType type, std::optional<ModelReply>& error);

  // The live entry of any type, created (as an empty string without a deadline) when missing.
  ModelEntry& create(std::string_view key);

  // Replaces whatever was there. Keeps the deadline only if told to.
  ModelEntry& set(std::string_view key, std::string text, bool keep_deadline = false);

  // The same for an empty value of any type.
  ModelEntry& remake(std::string_view key, ModelType type, bool keep_deadline);

  bool erase(std::string_view key);

  // For EXPIRE, GETEX and INCREX: a deadline that is not in the future removes the key at once.
  void set_deadline_or_erase(std::string_view key, int64_t deadline_ms);
};

using ModelHandler = ModelReply (*)(ModelCall& call);

// The error texts that several commands share.
inline constexpr std::string_view wrong_type_text =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view not_integer_text = "ERR value is not an integer or out of range";
inline constexpr std::string_view not_float_text = "ERR value is not a valid float";
inline constexpr std::string_view syntax_text = "ERR syntax error";
inline constexpr std::string_view too_long_text =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

// The null array.
ModelReply null_array_of(const ModelCall& call);
// What a command that may wait replies when it has found nothing: `at_once` where nothing waits.
ModelReply wait_in_vain(const ModelCall& call, ModelReply at_once);
// The error of a time-out in seconds, if it is a wrong one.
std::optional<ModelReply> bad_timeout(const ModelCall& call, std::string_view text);
std::optional<ModelReply> bad_timeout_ms(const ModelCall& call, int64_t ms);

ModelReply wrong_arity(std::string_view name);
ModelReply invalid_expire(std::string_view command);

std::string lower(std::string_view text);
bool same_word(std::string_view text, std::string_view upper_case_word);

// An integer as Redis wants it: exactly as it would print it. No spaces, no plus, no leading zero.
std::optional<int64_t> parse_integer(std::string_view text);
// One that fits 32 bits; `error` is set when not.
std::optional<int> parse_int32(std::string_view text, ModelReply& error);
// A long double as INCRBYFLOAT reads it; infinity is allowed, NaN is not.
std::optional<long double> parse_float(std::string_view text);
// As INCRBYFLOAT prints it: 17 decimals, trailing zeros cut.
std::string print_float(long double number);

enum class TimeUnit : uint8_t { seconds, milliseconds };

// The expire time of SET and its relatives: how it was given, and what it means.
struct ExpireOption {
  std::string_view text;
  TimeUnit unit = TimeUnit::milliseconds;
  bool absolute = false;
};
// The deadline in milliseconds, or the error of `command`.
std::optional<int64_t> resolve_expire(const ExpireOption& option, int64_t now_ms,
                                      std::string_view command, ModelReply& error);
// Recognises EX, PX, EXAT and PXAT.
std::optional<ExpireOption> expire_word(std::string_view word);

// glob-style patterns of KEYS and SCAN.
bool glob_matches(std::string_view pattern, std::string_view text);

// What SCAN and its relatives take for a cursor.
bool is_cursor(std::string_view text);
// The options of SSCAN, HSCAN and ZSCAN, from argument 3 on.
struct ElementScan {
  std::string_view pattern = "*";
  bool no_values = false;
};
// What is wrong with COUNT's value.
std::optional<ModelReply> scan_count_error(std::string_view text);
std::optional<ModelReply> take_scan_options(const ModelCall& call, ElementScan& scan, bool values);

// Elements that one command draws at random, with repetition.
inline constexpr int64_t draws_max = int64_t{1} << 24;

// XXH3 of a string as 16 hexadecimal digits.
std::string digest_of(std::string_view text);

struct ModelCommand {
  std::string_view name;  // lower case
  int arity;              // counts the name; negative: at least
  ModelHandler handler;
  bool denied_when_out_of_memory;
};

// The families. Each answers with its rows.
std::span<const ModelCommand> string_commands();
std::span<const ModelCommand> numeric_string_commands();
std::span<const ModelCommand> bitmap_commands();
std::span<const ModelCommand> generic_commands();
std::span<const ModelCommand> list_commands();
std::span<const ModelCommand> sort_commands();
std::span<const ModelCommand> server_commands();
std::span<const ModelCommand> set_commands();
std::span<const ModelCommand> zset_commands();
std::span<const ModelCommand> zset_combination_commands();
std::span<const ModelCommand> geo_commands();
std::span<const ModelCommand> hash_commands();
std::span<const ModelCommand> hash_import_commands();

// What a server chose, once it has replied.
void learn_popped(ModelCall& call, std::string_view reply);

// The members of a set that have not expired.
SortedSet live_members(const ModelCall& call, const ModelEntry& entry);

// What OBJECT ENCODING may say of a set, or of a hash.
std::vector<std::string> set_encodings(const ModelEntry& entry);
std::vector<std::string> hash_encodings();
std::span<const ModelCommand> stream_commands();
std::span<const ModelCommand> stream_group_commands();
std::span<const ModelCommand> stream_idempotent_commands();
std::span<const ModelCommand> stream_newer_commands();
std::span<const ModelCommand> stream_pending_commands();
std::span<const ModelCommand> hyperloglog_commands();

}  // namespace redoubt::sim
