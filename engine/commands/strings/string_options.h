// Options that several commands of the string family share: when a key expires, on what condition
// it is written, and the helpers that carry both out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/dispatch/context.h"

namespace redoubt {

enum class ExpiryKind : uint8_t {
  none,
  seconds,            // EX
  milliseconds,       // PX
  unix_seconds,       // EXAT
  unix_milliseconds,  // PXAT
  keep,               // KEEPTTL
  persist,            // PERSIST
};

struct ExpiryOption {
  ExpiryKind kind = ExpiryKind::none;
  size_t value_index = 0;  // the argument with the time, for the first four

  bool has_time() const {
    return kind >= ExpiryKind::seconds && kind <= ExpiryKind::unix_milliseconds;
  }
};

// What an attempt to read an option found at an argument.
enum class OptionWord : uint8_t {
  other,  // not one of these words
  taken,  // read, with its value
  wrong,  // without its value, or against an earlier option: a syntax error
};

// Reads one of the expiry words at argument `index`; `index` moves to its value. The same word may
// come again, and the last value counts.
OptionWord read_expiry(const Context& c, size_t& index, ExpiryOption& option);

// The deadline in Unix time that a time given by argument `index` means. An error is replied when
// it is no integer, not positive, or too far away.
std::optional<int64_t> deadline_ms(Context& c, ExpiryKind kind, size_t index);
inline std::optional<int64_t> deadline_ms(Context& c, const ExpiryOption& option) {
  return deadline_ms(c, option.kind, option.value_index);
}

enum class ConditionKind : uint8_t { none, nx, xx, ifeq, ifne, ifdeq, ifdne };

struct Condition {
  ConditionKind kind = ConditionKind::none;
  std::string_view operand;  // the value or digest to compare with

  bool compares() const { return kind >= ConditionKind::ifeq; }
  bool compares_digest() const { return kind >= ConditionKind::ifdeq; }
};

ConditionKind condition_of(std::string_view word);

// Replies with an error when the operand is a digest of a wrong length. For a key that exists.
bool digest_operand_ok(Context& c, const Condition& condition);
// Whether the key may be written. The entry is null, or a string if the condition compares.
bool condition_met(const Condition& condition, const Entry* entry);

// XXH3 of a string as 16 hexadecimal digits.
std::array<char, 16> digest_text(std::string_view bytes);

// The Blob of an argument when it is worth taking over, otherwise an empty one.
Blob large_blob(Context& c, size_t index);
// The same for the value of a name and value pair, where pairs go on to argument `end`: empty when
// a later pair replaces that value, because the arguments have to stay readable until the command's
// effect is written.
Blob pair_blob(Context& c, size_t value_index, size_t end);

// Sets a key to an argument, with its event. The effect is left to the caller.
void put_string(Context& c, std::string_view key, size_t value_index, NewExpiry expiry);

// Calls visit(index, hash) for the keys at arguments first, first + step ... below end. Their lines
// are fetched some keys ahead.
template <typename Visit>
void for_each_key(Context& c, size_t first, size_t end, size_t step, Visit&& visit) {
  constexpr size_t kAhead = 32;
  std::array<uint64_t, kAhead> hashes;
  const Dict& dict = c.db().dict();
  for (size_t from = first; from < end; from += kAhead * step) {
    const size_t to = end - from > kAhead * step ? from + kAhead * step : end;
    size_t count = 0;
    for (size_t i = from; i < to; i += step) {
      hashes[count] = c.hash(c.args[i]);
      dict.prefetch_bucket(hashes[count++]);
    }
    for (size_t k = 0; k < count; ++k) dict.prefetch_entry(hashes[k]);
    for (size_t k = 0; k < count; ++k) visit(from + k * step, hashes[k]);
  }
  c.env().count_work((end - first) / step);
}

// Sets the keys at arguments first, first + 2 ... below end to the arguments behind them.
void put_pairs(Context& c, size_t first, size_t end, NewExpiry expiry);
// Whether one of these keys exists.
bool any_exists(Context& c, size_t first, size_t end, size_t step);

// Replies with the string of an entry, or null.
void reply_string(Context& c, const Entry* entry);

// Removes a key that is there, with its effect and its event.
void remove_key(Context& c, std::string_view key, bool lazy);

}  // namespace redoubt
