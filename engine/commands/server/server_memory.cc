// MEMORY: what keys and the node take, as counted.
#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"
#include "engine/node/node_info.h"

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
  c.reply.integer(static_cast<int64_t>(entry_bytes(*entry)));
}

// The fields of MEMORY STATS, collected: how many there are stands in front of them.
class StatsReply {
 public:
  void number(std::string_view name, uint64_t value) {
    add(name, [=](ReplyWriter& reply) { reply.integer(static_cast<int64_t>(value)); });
  }
  void signed_number(std::string_view name, uint64_t a, uint64_t b) {
    const int64_t difference = static_cast<int64_t>(a) - static_cast<int64_t>(b);
    add(name, [=](ReplyWriter& reply) { reply.integer(difference); });
  }
  void real(std::string_view name, double value) {
    add(name, [=](ReplyWriter& reply) { reply.real(value); });
  }
  void add(std::string_view name, std::function<void(ReplyWriter&)> write) {
    fields_.emplace_back(name, std::move(write));
  }
  void write(ReplyWriter& reply) const {
    reply.map(fields_.size());
    for (const auto& [name, write_value] : fields_) {
      reply.bulk(name);
      write_value(reply);
    }
  }

 private:
  std::vector<std::pair<std::string, std::function<void(ReplyWriter&)>>> fields_;
};

void add_databases(Context& c, StatsReply& out) {
  for (int i = 0; i < c.keys().count(); ++i) {
    const Database& database = c.keys().database(i);
    if (database.size() == 0) continue;
    const uint64_t table_bytes = database.dict().table_bytes();
    out.add(fmt::format("db.{}", i), [=](ReplyWriter& reply) {
      StatsReply fields;
      fields.number("overhead.hashtable.main", table_bytes);
      fields.number("overhead.hashtable.expires", 0);  // expiries are in the entries
      fields.write(reply);
    });
  }
}

void add_allocator(const NodeInfo& info, StatsReply& out) {
  const AllocatorFacts& allocator = info.allocator();
  if (allocator.name.empty()) return;
  out.number("allocator.allocated", allocator.allocated);
  out.number("allocator.active", allocator.active);
  out.number("allocator.resident", allocator.resident);
  out.real("allocator-fragmentation.ratio", ratio(allocator.active, allocator.allocated));
  out.signed_number("allocator-fragmentation.bytes", allocator.active, allocator.allocated);
  out.real("allocator-rss.ratio", ratio(allocator.resident, allocator.active));
  out.signed_number("allocator-rss.bytes", allocator.resident, allocator.active);
}

void memory_stats_command(Context& c) {
  NodeInfo& info = c.node().info();
  info.refresh();
  const MemoryUse& use = info.memory();
  const uint64_t resident = info.process().resident_bytes;
  StatsReply out;
  out.number("peak.allocated", use.peak);
  out.number("total.allocated", use.used);
  out.number("startup.allocated", use.startup);
  out.number("replication.backlog", c.effects().memory_bytes());
  out.number("clients.normal", c.clients().limits().memory_bytes());
  add_databases(c, out);
  out.number("overhead.total", use.overhead);
  out.number("keys.count", use.keys);
  out.number("keys.bytes-per-key", use.keys == 0 ? 0 : use.net() / use.keys);
  out.number("dataset.bytes", use.dataset());
  out.real("dataset.percentage", 100 * ratio(use.dataset(), use.net()));
  out.real("peak.percentage", 100 * ratio(use.used, use.peak));
  add_allocator(info, out);
  out.real("fragmentation", ratio(resident, use.used));
  out.signed_number("fragmentation.bytes", resident, use.used);
  out.write(c.reply);
}

// What looks unusual; empty when nothing does.
std::string diagnosis(const NodeInfo& info) {
  const MemoryUse& use = info.memory();
  const uint64_t resident = info.process().resident_bytes;
  std::string report;
  if (use.peak > use.used / 2 * 3) {
    report += fmt::format(
        " * Peak memory: {} bytes were in use once, {} are now. The allocator may still hold the "
        "difference.\n",
        use.peak, use.used);
  }
  constexpr uint64_t kProgram = 16 << 20;  // what a process takes beside what it allocates
  if (resident > use.used / 5 * 7 + kProgram) {
    report += fmt::format(
        " * High resident memory: the process takes {} bytes for {} bytes that are counted.\n",
        resident, use.used);
  }
  if (use.clients > use.used / 2) {
    report +=
        fmt::format(" * Connections take more than half of the memory: {} bytes.\n", use.clients);
  }
  return report;
}

void memory_doctor_command(Context& c) {
  NodeInfo& info = c.node().info();
  info.refresh();
  constexpr uint64_t kSmall = 5 << 20;
  std::string report;
  if (info.memory().net() < kSmall) {
    report = "There is too little data in this instance to say anything about its memory.\n";
  } else {
    report = diagnosis(info);
    if (report.empty()) report = "Nothing about the memory of this instance looks unusual.\n";
  }
  c.reply.verbatim("txt", report);
}

// What the allocators of the databases count, and behind it the report of the one that they get
// large memory from.
void memory_malloc_stats_command(Context& c) {
  NodeInfo& info = c.node().info();
  info.refresh();
  std::string text = fmt::format("counted: {} bytes, {} of them since the start\n",
                                 info.memory().used, info.memory().net());
  for (int i = 0; i < c.keys().count(); ++i) {
    const Database& database = c.keys().database(i);
    if (database.size() == 0) continue;
    text += fmt::format("db{}: keys {}, used {}, slabs {}, table {} in {} slots\n", i,
                        database.size(), database.used_bytes(), database.slab_bytes(),
                        database.dict().table_bytes(), database.dict().slot_count());
  }
  text += c.env().backend().allocator_report();
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
