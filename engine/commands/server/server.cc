// Commands on the node as a whole: DBSIZE, FLUSHALL, SWAPDB, TIME, SHUTDOWN, LOLWUT.
#include <algorithm>
#include <string>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/context.h"
#include "engine/node/node.h"
#include "engine/node/version.h"

namespace redoubt {

namespace {

void dbsize_command(Context& c) {
  c.reply.integer(static_cast<int64_t>(c.db().size()));
}

// [ASYNC | SYNC]: whether to free in the background; an error reply otherwise.
std::optional<bool> flush_mode(Context& c) {
  if (c.args.size() == 1) return c.settings().lazyfree_lazy_user_flush;
  if (c.args.size() == 2 && c.is(1, "async")) return true;
  if (c.args.size() == 2 && c.is(1, "sync")) return false;
  c.syntax_error();
  return std::nullopt;
}

void flush(Context& c, int db) {
  const std::optional<bool> lazy = flush_mode(c);
  if (!lazy) return;
  c.modified_all(c.keys().flush(db, *lazy));
  c.reply.ok();
}

void flushdb_command(Context& c) {
  flush(c, c.db_index());
}

void flushall_command(Context& c) {
  flush(c, -1);
}

void swapdb_command(Context& c) {
  const std::optional<int> first = int_argument(c, 1, "ERR invalid first DB index");
  if (!first) return;
  const std::optional<int> second = int_argument(c, 2, "ERR invalid second DB index");
  if (!second) return;
  const auto exists = [&](int db) { return db >= 0 && db < c.keys().count(); };
  if (!exists(*first) || !exists(*second)) {
    c.error("ERR DB index is out of range");
    return;
  }
  c.keys().swap(*first, *second);
  c.modified_all(1);
  c.reply.ok();
}

void time_command(Context& c) {
  const int64_t now_us = c.env().wall().unix_us;
  c.reply.array(2);
  c.reply.bulk_integer(now_us / 1'000'000);
  c.reply.bulk_integer(now_us % 1'000'000);
}

// --- SHUTDOWN

struct ShutdownOptions {
  bool nosave = false;
  bool save = false;
  bool now = false;
  bool force = false;
  bool safe = false;
  bool abort = false;

  bool contradict() const {
    return (abort && (nosave || save || now || force || safe)) || (nosave && save) ||
           (safe && force);
  }
};

std::optional<ShutdownOptions> shutdown_options(Context& c) {
  ShutdownOptions options;
  for (size_t i = 1; i < c.args.size(); ++i) {
    if (c.is(i, "nosave")) {
      options.nosave = true;
    } else if (c.is(i, "save")) {
      options.save = true;
    } else if (c.is(i, "now")) {
      options.now = true;
    } else if (c.is(i, "force")) {
      options.force = true;
    } else if (c.is(i, "safe")) {
      options.safe = true;
    } else if (c.is(i, "abort")) {
      options.abort = true;
    } else {
      c.syntax_error();
      return std::nullopt;
    }
  }
  if (!options.contradict()) return options;
  c.syntax_error();
  return std::nullopt;
}

// There is no reply: the connection closes; or an error, when the data could not be kept. SAFE
// asks for nothing here, as there is no cluster.
void shutdown_command(Context& c) {
  const std::optional<ShutdownOptions> options = shutdown_options(c);
  if (!options) return;
  if (options->abort) {
    if (c.node().abort_stop()) return c.reply.ok();
    c.error("ERR No shutdown in progress.");
    return;
  }
  using Saving = StopRequest::Saving;
  // The script that is suspended would have to end first.
  if (c.dispatcher().suspension().active() && !options->nosave) {
    c.error(c.dispatcher().admission().busy_error());
    return;
  }
  StopRequest request{.reason = "User requested shutdown...",
                      .saving = options->save     ? Saving::yes
                                : options->nosave ? Saving::no
                                                  : Saving::if_configured,
                      .now = options->now,
                      .force = options->force};
  Node& node = c.node();
  if (node.stopping()) {
    c.error("ERR A shutdown is in progress already");
    return;
  }
  if (!c.dispatcher().may_block(c.session)) return node.stop(std::move(request));
  const DeferredReply reply = c.defer();
  node.stop(std::move(request), [&dispatcher = c.dispatcher(), reply] {
    dispatcher.finish_deferred(reply, "ERR Errors trying to SHUTDOWN. Check logs.");
  });
}

// --- LOLWUT: a redoubt at night. Stars and towers are drawn from the node's random numbers;
// VERSION says how many towers.

constexpr size_t kPictureWidth = 64;
constexpr size_t kPictureHeight = 13;
constexpr size_t kWallTop = 8;
constexpr size_t kTowerWidth = 7;

class Picture {
 public:
  Picture() : rows_(kPictureHeight, std::string(kPictureWidth, ' ')) {}

  void sky(Random& random) {
    for (size_t y = 0; y < kWallTop; ++y) {
      for (char& place : rows_[y]) {
        if (random.one_in(24)) place = ".+*'"[random.below(4)];
      }
    }
  }
  // A block of masonry from `top` down to the ground, with battlements.
  void block(size_t left, size_t width, size_t top) {
    for (size_t x = 0; x < width; ++x) {
      rows_[top][left + x] = x % 2 == 0 ? '_' : ' ';
      rows_[top + 1][left + x] = x % 2 == 0 ? '#' : '_';
      for (size_t y = top + 2; y < kPictureHeight; ++y) {
        rows_[y][left + x] = x == 0 || x + 1 == width ? '|' : (x + y) % 4 == 0 ? '_' : ' ';
      }
    }
  }
  void tower(size_t left, size_t top) {
    block(left, kTowerWidth, top);
    const size_t middle = left + kTowerWidth / 2;
    rows_[top - 1][middle] = '|';
    rows_[top - 2][middle] = '|';
    rows_[top - 2][middle + 1] = '>';
    rows_[top + 3][middle] = 'o';
  }
  void gate() {
    const size_t middle = kPictureWidth / 2;
    rows_[kPictureHeight - 2].replace(middle - 2, 4, ".--.");
    rows_[kPictureHeight - 1].replace(middle - 2, 4, "|##|");
  }
  std::string text() const {
    std::string all;
    for (const std::string& row : rows_) all += row + "\n";
    return all;
  }

 private:
  std::vector<std::string> rows_;
};

void lolwut_command(Context& c) {
  int64_t towers = 3;
  if (c.args.size() >= 3 && c.is(1, "version")) {
    const std::optional<int64_t> version = c.integer(2);
    if (!version) return;
    towers = std::clamp<int64_t>(*version, 1, 7);
  }
  Picture picture;
  Random& random = c.random();
  picture.sky(random);
  picture.block(0, kPictureWidth - 1, kWallTop);
  const size_t distance = kPictureWidth / static_cast<size_t>(towers);
  for (size_t i = 0; i < static_cast<size_t>(towers); ++i) {
    picture.tower(i * distance + (distance - kTowerWidth) / 2, 2 + random.below(5));
  }
  picture.gate();
  c.reply.verbatim("txt", picture.text() + "\nRedoubt ver. " + std::string(kRedoubtVersion) +
                              ", Redis ver. " + c.settings().reported_redis_version + "\n");
}

// What FLUSHDB and FLUSHALL have in common.
constexpr Command flush_row(Command row) {
  row.arity = -1;
  row.flags = kWrite;
  row.categories = kCatKeyspace | kCatDangerous;
  row.since = "1.0.0";
  row.group = "server";
  row.tips = kAllShardsSucceed;
  row.arguments = "[async:<async(ASYNC)@4.0.0|sync(SYNC)@6.2.0>]";
  row.history =
      "4.0.0: Added the `ASYNC` flushing mode modifier.\n"
      "6.2.0: Added the `SYNC` flushing mode modifier.";
  return row;
}

constexpr Command server_rows[] = {
    {.name = "dbsize",
     .arity = 1,
     .flags = kReadOnly | kFast,
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Return the number of keys in the selected database",
     .tips = "request_policy:all_shards response_policy:agg_sum",
     .handler = dbsize_command},
    flush_row({.name = "flushall",
               .complexity = "O(N) where N is the total number of keys in all databases",
               .summary = "Remove all keys from all databases",
               .handler = flushall_command}),
    flush_row({.name = "flushdb",
               .complexity = "O(N) where N is the number of keys in the selected database",
               .summary = "Remove all keys from the current database",
               .handler = flushdb_command}),
    {.name = "lolwut",
     .arity = -1,
     .flags = kReadOnly | kFast,
     .since = "5.0.0",
     .group = "server",
     .summary = "Display some computer art and the Redis version",
     .arguments = "[version:integer(VERSION)]",
     .handler = lolwut_command},
    {.name = "shutdown",
     .arity = -1,
     .flags = kAdmin | kNoScript | kLoading | kStale | kNoMulti | kAllowBusy,
     .since = "1.0.0",
     .group = "server",
     .complexity =
         "O(N) when saving, where N is the total number of keys in all databases when saving data, "
         "otherwise O(1)",
     .summary = "Synchronously save the dataset to disk and then shut down the server",
     .arguments = "[nosave_save:<nosave(NOSAVE)|save(SAVE)>] [now(NOW)@7.0.0] [force(FORCE)@7.0.0] "
                  "[abort(ABORT)@7.0.0]",
     .history = "7.0.0: Added the `NOW`, `FORCE` and `ABORT` modifiers.",
     .handler = shutdown_command},
    {.name = "swapdb",
     .arity = 3,
     .flags = kWrite | kFast,
     .categories = kCatKeyspace | kCatDangerous,
     .since = "4.0.0",
     .group = "server",
     .complexity =
         "O(N) where N is the count of clients watching or blocking on keys from both databases.",
     .summary = "Swaps two Redis databases",
     .arguments = "index1:integer index2:integer",
     .handler = swapdb_command},
    {.name = "time",
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .since = "2.6.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Return the current server time",
     .tips = "nondeterministic_output",
     .handler = time_command},
};

}  // namespace

std::span<const Command> server_commands() {
  return server_rows;
}

}  // namespace redoubt
