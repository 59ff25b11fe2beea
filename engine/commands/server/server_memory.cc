// MEMORY: what keys and the node take, as counted.
#include <fmt/format.h>

#include <algorithm>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/help.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/server/info.h"
#include "engine/dispatch/context.h"
#include "engine/node/node.h"

namespace redoubt {

namespace {

// [SAMPLES count]: values are counted whole, so there is nothing to sample.
void memory_usage_command(Context& c) {
  for (size_t i = 3; i < c.args.size(); i += 2) {
    if (!c.is(i, "samples") || i + 1 == c.args.size()) {
      c.syntax_error();
      return;
    }
    const std::optional<int64_t> samples = c.integer(i + 1);
    if (!samples) return;
    if (*samples < 0) {
      c.syntax_error();
      return;
    }
  }
  const Entry* entry = c.db().find(c.args[2], c.hash(c.args[2]));
  if (entry == nullptr) {
    c.reply.null();
    return;
  }
  c.reply.integer(static_cast<int64_t>(Database::memory_usage(*entry)));
}

double percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

class StatsReply {
 public:
  explicit StatsReply(ReplyWriter& reply) : reply_(reply) {}
  void number(std::string_view name, uint64_t value) {
    reply_.bulk(name);
    reply_.integer(static_cast<int64_t>(value));
  }
  void real(std::string_view name, double value) {
    reply_.bulk(name);
    reply_.real(value);
  }

 private:
  ReplyWriter& reply_;
};

void reply_databases(Context& c) {
  for (int i = 0; i < c.keys().count(); ++i) {
    const Database& database = c.keys().database(i);
    if (database.size() == 0) continue;
    c.reply.bulk(fmt::format("db.{}", i));
    c.reply.map(2);
    StatsReply out(c.reply);
    out.number("overhead.hashtable.main", database.dict().table_bytes());
    out.number("overhead.hashtable.expires", 0);  // expiries are in the entries
  }
}

void memory_stats_command(Context& c) {
  const MemoryUse use = memory_use(c.node());
  const uint64_t rss = c.env().backend().process_facts().resident_bytes;
  const uint64_t dataset = use.used - use.overhead;
  size_t databases = 0;
  for (int i = 0; i < c.keys().count(); ++i) {
    databases += c.keys().database(i).size() > 0 ? 1 : 0;
  }
  c.reply.map(27 + databases);
  StatsReply out(c.reply);
  out.number("peak.allocated", use.peak);
  out.number("total.allocated", use.used);
  out.number("startup.allocated", 0);
  out.number("replication.backlog", 0);
  out.number("clients.slaves", 0);
  out.number("clients.normal", use.clients);
  out.number("cluster.links", 0);
  out.number("aof.buffer", 0);
  out.number("lua.caches", 0);
  out.number("functions.caches", 0);
  reply_databases(c);
  out.number("overhead.total", use.overhead);
  out.number("keys.count", use.keys);
  out.number("keys.bytes-per-key", use.keys == 0 ? 0 : use.used / use.keys);
  out.number("dataset.bytes", dataset);
  out.real("dataset.percentage", percent(dataset, use.used));
  out.real("peak.percentage", percent(use.used, use.peak));
  out.number("allocator.allocated", use.used);
  out.number("allocator.active", use.used);
  out.number("allocator.resident", rss);
  out.real("allocator-fragmentation.ratio", 1);
  out.number("allocator-fragmentation.bytes", 0);
  out.real("allocator-rss.ratio", percent(rss, use.used) / 100);
  out.number("allocator-rss.bytes", rss - std::min(rss, use.used));
  out.real("rss-overhead.ratio", 1);
  out.number("rss-overhead.bytes", 0);
  out.real("fragmentation", percent(rss, use.used) / 100);
  out.number("fragmentation.bytes", rss - std::min(rss, use.used));
}

void memory_doctor_command(Context& c) {
  const MemoryUse use = memory_use(c.node());
  const uint64_t rss = c.env().backend().process_facts().resident_bytes;
  constexpr uint64_t kSmall = 5 << 20;
  std::string report;
  if (use.used < kSmall) {
    report = "There is too little data in this instance to say anything about its memory.\n";
  } else {
    if (use.peak > use.used / 2 * 3) {
      report += fmt::format(
          " * Peak memory: {} bytes were in use once, {} are now. The allocator may still hold "
          "the difference.\n",
          use.peak, use.used);
    }
    if (rss > use.used / 5 * 7) {
      report += fmt::format(
          " * High resident memory: the process takes {} bytes for {} bytes that are counted.\n",
          rss, use.used);
    }
    if (use.clients > use.used / 2) {
      report +=
          fmt::format(" * Connections take more than half of the memory: {} bytes.\n", use.clients);
    }
    if (report.empty()) report = "Nothing about the memory of this instance looks unusual.\n";
  }
  c.reply.verbatim("txt", report);
}

void memory_malloc_stats_command(Context& c) {
  std::string text;
  for (int i = 0; i < c.keys().count(); ++i) {
    const Database& database = c.keys().database(i);
    if (database.size() == 0) continue;
    text += fmt::format("db{}: keys {}, used {}, slabs {}, table {} in {} slots\n", i,
                        database.size(), database.used_bytes(), database.slab_bytes(),
                        database.dict().table_bytes(), database.dict().slot_count());
  }
  c.reply.verbatim("txt", text);
}

// Slabs that become empty are given back at once, so there is nothing to do.
void memory_purge_command(Context& c) {
  c.reply.ok();
}

void memory_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "DOCTOR",
      "    Return what looks unusual about the memory in use.",
      "MALLOC-STATS",
      "    Return what the allocators of the databases count.",
      "PURGE",
      "    Give back what is not in use.",
      "STATS",
      "    Return who takes how much memory.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return the bytes that <key> and its value take. Values are counted whole.",
  };
  reply_help(c, lines);
}

constexpr Command memory_subcommands[] = {
    {.name = "doctor",
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Outputs memory problems report",
     .tips = kOfAllShards,
     .handler = memory_doctor_command},
    help_row({.since = "4.0.0", .group = "server", .handler = memory_help_command}),
    {.name = "malloc-stats",
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on how much memory is allocated, could be slow",
     .summary = "Show allocator internal stats",
     .tips = kOfAllShards,
     .handler = memory_malloc_stats_command},
    {.name = "purge",
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on how much memory is allocated, could be slow",
     .summary = "Ask the allocator to release memory",
     .tips = kAllShardsSucceed,
     .handler = memory_purge_command},
    {.name = "stats",
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Show memory usage details",
     .tips = kOfAllShards,
     .handler = memory_stats_command},
    {.name = "usage",
     .arity = -3,
     .flags = kReadOnly,
     .keys = {keys_at(kKeyRO, 2)},
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of samples.",
     .summary = "Estimate the memory usage of a key",
     .arguments = "key:key [count:integer(SAMPLES)]",
     .handler = memory_usage_command},
};

constexpr Command memory_rows[] = {
    {.name = "memory",
     .arity = -2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for memory diagnostics commands",
     .subcommands = memory_subcommands},
};

}  // namespace

std::span<const Command> memory_commands() {
  return memory_rows;
}

}  // namespace redoubt
