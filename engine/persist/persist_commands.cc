// SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE and WAITAOF.
#include <array>
#include <limits>

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

// WAITAOF numlocal numreplicas timeout. There are no replicas to wait for.
void waitaof_command(Context& c) {
  // How often it is looked.
  constexpr Duration kPeriod = Duration::milliseconds(5);
  const std::optional<int64_t> local =
      c.integer_between(1, 0, 1, "ERR value is out of range, value must between 0 and 1");
  if (!local) return;
  const std::optional<int64_t> replicas = c.integer_between(
      2, 0, std::numeric_limits<int64_t>::max(), "ERR value is out of range, must be positive");
  if (!replicas) return;
  const std::optional<Instant> deadline = c.timeout_ms(3);
  if (!deadline) return;
  const Aof& aof = c.part<Persistence>().aof();
  if (*local > 0 && aof.state() == Aof::State::off) {
    c.error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    return;
  }
  const bool kept = aof.state() == Aof::State::on && !aof.promise().failed() &&
                    c.written_offset() <= aof.writer().synced();
  const BlockReply now = kept ? BlockReply::one_and_zero : BlockReply::two_zeros;
  if (*replicas == 0 && (kept || *local == 0)) {
    write_block_reply(c.reply, now);
    return;
  }
  c.wait_until(*deadline, now, c.env().now() + kPeriod);
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
    Command{.name = "waitaof",
            .arity = 4,
            .flags = kNoScript | kBlocking,
            .categories = kCatConnection,
            .since = "7.2.0",
            .group = "generic",
            .complexity = "O(1)",
            .summary = "Waits until what the connection wrote is in the append-only file of this "
                       "server, of so many replicas, or of both.",
            .tips = "request_policy:all_shards response_policy:agg_min",
            .arguments = "numlocal:integer numreplicas:integer timeout:integer",
            .handler = waitaof_command},
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
