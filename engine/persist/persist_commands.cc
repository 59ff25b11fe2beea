// SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE.
#include <array>

#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/node/node.h"
#include "engine/persist/dump_commands.h"
#include "engine/persist/persist.h"

namespace redoubt {

namespace {

// Nothing else is held up meanwhile: the snapshot is of this moment, and only who asked waits.
void save_command(Context& c) {
  Saver& saver = c.part<Persistence>().saver();
  if (saver.saving()) {
    c.error("ERR Background save already in progress");
    return;
  }
  if (!c.dispatcher().may_block(c.session)) {
    c.error("ERR SAVE waits for the disk, which is not possible here. Use BGSAVE");
    return;
  }
  const DeferredReply reply = c.defer();
  saver.save([&dispatcher = c.dispatcher(), reply](std::string_view error) {
    dispatcher.finish_deferred(reply, error.empty() ? std::string() : "ERR " + std::string(error));
  });
}

void bgsave_command(Context& c) {
  Saver& saver = c.part<Persistence>().saver();
  bool schedule = false;
  if (c.args.size() == 2 && c.is(1, "schedule")) {
    schedule = true;
  } else if (c.args.size() == 2 && c.is(1, "cancel")) {
    if (!saver.cancel()) {
      c.error("ERR Background saving is currently not in progress or scheduled");
      return;
    }
    c.reply.simple("Background saving cancelled");
    return;
  } else if (c.args.size() > 1) {
    c.syntax_error();
    return;
  }
  if (saver.saving()) {
    c.error("ERR Background save already in progress");
    return;
  }
  const bool busy = !c.keys().snapshots().can_begin();
  // A transaction is still under way: what it does belongs together.
  if ((busy && schedule) || c.dispatcher().transactions().running()) {
    saver.schedule();
    c.reply.simple("Background saving scheduled");
    return;
  }
  if (busy) {
    c.error(
        "ERR Two snapshots are being written already: can't BGSAVE right now. Use BGSAVE SCHEDULE "
        "in "
        "order to schedule a BGSAVE whenever possible.");
    return;
  }
  saver.save();
  c.reply.simple("Background saving started");
}

void bgrewriteaof_command(Context& c) {
  Aof& aof = c.part<Persistence>().aof();
  if (aof.rewriting()) {
    c.error("ERR Background append only file rewriting already in progress");
    return;
  }
  if (c.dispatcher().transactions().running() || !c.keys().snapshots().can_begin()) {
    aof.schedule_rewrite();
    c.reply.simple("Background append only file rewriting scheduled");
    return;
  }
  aof.schedule_rewrite();
  c.reply.simple("Background append only file rewriting started");
}

void lastsave_command(Context& c) {
  c.reply.integer(c.part<Persistence>().saver().facts().last_save_unix_s);
}

constexpr std::array kRows = {
    Command{.name = "bgrewriteaof",
            .arity = 1,
            .flags = kAdmin | kNoScript | kNoAsyncLoading,
            .since = "1.0.0",
            .group = "server",
            .complexity = "O(1)",
            .summary = "Asynchronously rewrite the append-only file",
            .handler = bgrewriteaof_command},
    Command{.name = "bgsave",
            .arity = -1,
            .flags = kAdmin | kNoScript | kNoAsyncLoading,
            .since = "1.0.0",
            .group = "server",
            .complexity = "O(1)",
            .summary = "Asynchronously save the dataset to disk",
            .arguments = "[schedule(SCHEDULE)@3.2.2]",
            .history = "3.2.2: Added the `SCHEDULE` option.",
            .handler = bgsave_command},
    Command{.name = "lastsave",
            .arity = 1,
            .flags = kLoading | kStale | kFast,
            .categories = kCatAdmin | kCatDangerous,
            .since = "1.0.0",
            .group = "server",
            .complexity = "O(1)",
            .summary = "Get the UNIX time stamp of the last successful save to disk",
            .tips = "nondeterministic_output",
            .handler = lastsave_command},
    Command{.name = "save",
            .arity = 1,
            .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti,
            .since = "1.0.0",
            .group = "server",
            .complexity = "O(N) where N is the total number of keys in all databases",
            .summary = "Synchronously save the dataset to disk",
            .handler = save_command},
};

}  // namespace

constexpr std::array<Command, kPersistCommandCount> kPersistCommands = [] {
  std::array<Command, kPersistCommandCount> rows{};
  static_assert(kPersistCommandCount == kRows.size() + kDumpRows.size());
  size_t at = 0;
  for (const Command& row : kRows) rows[at++] = row;
  for (const Command& row : kDumpRows) rows[at++] = row;
  return rows;
}();

}  // namespace redoubt
