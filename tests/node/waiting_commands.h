// Commands that wait for strings, for tests of what waiting is. They change data as the blocking
// commands of lists do.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "engine/store/string_type.h"

namespace redoubt {

// WAITGET key [key ...] timeout: the first key that holds a string, and its value; it is removed.
// WAITHERE ... is the same, and is executed again too when a key goes: it then says "gone".
inline void wait_and_take(Context& c, BlockMode mode) {
  const std::optional<Instant> deadline = c.timeout(c.args.size() - 1);
  if (!deadline) return;
  for (size_t i = 1; i + 1 < c.args.size(); ++i) {
    const Entry* entry = c.touch(c.args[i]);
    if (mode == BlockMode::while_key_exists && entry == nullptr) {
      c.error("GONE no such key");
      return;
    }
    if (entry == nullptr) continue;
    if (c.wrong_type(entry, Type::string)) return;
    if (mode == BlockMode::while_key_exists && string_length(*entry) == 0) continue;
    StringScratch scratch;
    c.reply.array(2);
    c.reply.bulk(c.args[i]);
    c.reply.bulk(string_value(*entry, scratch));
    const std::string key(c.args[i]);
    c.keys().erase(c.db_index(), key, c.hash(key), false);
    c.modified(key, 'g', "del");
    c.effect({"DEL", key});
    return;
  }
  c.block(Type::string, 1, c.args.size() - 1, *deadline, BlockReply::null_array, mode);
}

inline void waitget_command(Context& c) {
  wait_and_take(c, BlockMode::until_served);
}

inline void waithere_command(Context& c) {
  wait_and_take(c, BlockMode::while_key_exists);
}

// WAITMOVE from to timeout: the value goes to another key.
inline void waitmove_command(Context& c) {
  const std::optional<Instant> deadline = c.timeout(3);
  if (!deadline) return;
  const Entry* entry = c.touch(c.args[1]);
  if (entry == nullptr) {
    c.block(Type::string, 1, 2, *deadline, BlockReply::null);
    return;
  }
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  const std::string value(string_value(*entry, scratch));
  c.keys().erase(c.db_index(), c.args[1], c.hash(c.args[1]), false);
  c.modified(c.args[1], 'g', "del");
  c.db().set_string(c.args[2], c.hash(c.args[2]), value, NewExpiry::none());
  c.modified(c.args[2], '$', "set");
  c.effect({"DEL", c.args[1]});
  c.effect({"SET", c.args[2], value});
  c.reply.bulk(value);
}

// WAITASK period timeout: no key; the command looks again each `period` ms whether the key "asked"
// is there.
inline void waitask_command(Context& c) {
  const std::optional<Instant> deadline = c.timeout_ms(2);
  if (!deadline) return;
  const std::optional<int64_t> period_ms = c.integer(1);
  if (!period_ms) return;
  if (c.peek("asked") != nullptr) {
    c.reply.simple("ASKED");
    return;
  }
  c.wait_until(*deadline, BlockReply::two_numbers, {},
               c.env().now() + Duration::milliseconds(*period_ms));
}

inline constexpr Command kWaitingCommands[] = {
    {.name = "waitask",
     .arity = 3,
     .flags = kBlocking,
     .group = "test",
     .handler = waitask_command},
    {.name = "waitget",
     .arity = -3,
     .flags = kWrite | kBlocking,
     .keys = {keys_at(kKeyRW, 1, -2)},
     .group = "test",
     .handler = waitget_command},
    {.name = "waithere",
     .arity = -3,
     .flags = kWrite | kBlocking,
     .keys = {keys_at(kKeyRW, 1, -2)},
     .group = "test",
     .handler = waithere_command},
    {.name = "waitmove",
     .arity = 4,
     .flags = kWrite | kBlocking,
     .keys = {keys_at(kKeyRW, 1, 1)},
     .group = "test",
     .handler = waitmove_command},
};

inline std::vector<std::span<const Command>> families_that_wait() {
  std::vector<std::span<const Command>> families = all_families();
  families.push_back(kWaitingCommands);
  return families;
}

}  // namespace redoubt
