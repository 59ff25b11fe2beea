// MULTI and its kin. How a transaction runs is engine/dispatch/transactions.h.
#include "engine/clients/transaction.h"
#include "engine/clients/session.h"
#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"

namespace redoubt {

namespace {

void multi_command(Context& c) {
  if (c.session.has(kSessionMulti)) {
    c.error("ERR MULTI calls can not be nested");
    return;
  }
  c.dispatcher().transactions().begin(c.session);
  c.reply.ok();
}

void exec_command(Context& c) {
  if (!c.session.has(kSessionMulti)) {
    c.error("ERR EXEC without MULTI");
    return;
  }
  c.dispatcher().transactions().execute(c);
}

void discard_command(Context& c) {
  if (!c.session.has(kSessionMulti)) {
    c.error("ERR DISCARD without MULTI");
    return;
  }
  c.dispatcher().transactions().discard(c.session);
  c.reply.ok();
}

void watch_command(Context& c) {
  if (c.session.has(kSessionMulti)) {
    c.error("ERR WATCH inside MULTI is not allowed");
    return;
  }
  for (const std::string_view key : c.args.subspan(1))
    c.dispatcher().transactions().watch(c.session, key);
  c.env().count_work(c.args.size());
  c.reply.ok();
}

void unwatch_command(Context& c) {
  c.dispatcher().transactions().unwatch(c.session);
  c.reply.ok();
}

constexpr uint32_t kAtOnce = kNoScript | kLoading | kStale | kFast | kAllowBusy | kNotQueued;

constexpr Command kRows[] = {
    {.name = "discard",
     .arity = 1,
     .flags = kAtOnce | kEndsMulti,
     .categories = kCatTransaction,
     .since = "2.0.0",
     .group = "transactions",
     .complexity = "O(N), when N is the number of queued commands",
     .summary = "Discard all commands issued after MULTI",
     .handler = discard_command},
    {.name = "exec",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kSkipSlowlog | kNotQueued | kRunsQueued,
     .categories = kCatTransaction,
     .since = "1.2.0",
     .group = "transactions",
     .complexity = "Depends on commands in the transaction",
     .summary = "Execute all commands issued after MULTI",
     .handler = exec_command},
    {.name = "multi",
     .arity = 1,
     .flags = kAtOnce,
     .categories = kCatTransaction,
     .since = "1.2.0",
     .group = "transactions",
     .complexity = "O(1)",
     .summary = "Mark the start of a transaction block",
     .handler = multi_command},
    {.name = "unwatch",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy,
     .categories = kCatTransaction,
     .since = "2.2.0",
     .group = "transactions",
     .complexity = "O(1)",
     .summary = "Forget about all watched keys",
     .handler = unwatch_command},
    {.name = "watch",
     .arity = -2,
     .flags = kAtOnce,
     .categories = kCatTransaction,
     .keys = {keys_at(kKeyRO, 1, -1)},
     .since = "2.2.0",
     .group = "transactions",
     .complexity = "O(1) for every key.",
     .summary = "Watch the given keys to determine execution of the MULTI/EXEC block",
     .arguments = "key:key...",
     .handler = watch_command},
};

}  // namespace

std::span<const Command> transaction_commands() {
  return kRows;
}

}  // namespace redoubt
