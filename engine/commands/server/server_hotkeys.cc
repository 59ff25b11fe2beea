// HOTKEYS (as in Redis 8.6) and MONITOR: watching what clients do.
#include <algorithm>
#include <limits>

#include "engine/clients/session.h"
#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

void monitor_command(Context& c) {
  if (c.session.has(kSessionMonitor)) return;  // a second MONITOR has no reply in Redis either
  if (c.dispatcher().transactions().running()) {
    c.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
    return;
  }
  c.reply.ok();
  c.clients().monitors().start(c.session);
}

// --- HOTKEYS

// METRICS count [CPU] [NET]: moves behind it. False: an error was replied.
bool read_metrics(Context& c, size_t& at, HotKeysOptions& options) {
  if (at + 1 >= c.args.size() || !c.is(at, "metrics")) {
    c.error("ERR METRICS parameter is required");
    return false;
  }
  const std::optional<int64_t> count = parse_integer(c.args[at + 1]);
  if (!count || *count < 1 || *count > 2) {
    c.error("ERR METRICS count must be a number between 1 and 2");
    return false;
  }
  at += 2;
  for (int64_t i = 0; i < *count; ++i, ++at) {
    const bool cpu = at < c.args.size() && c.is(at, "cpu") && !options.cpu;
    const bool net = at < c.args.size() && c.is(at, "net") && !options.net;
    if (!cpu && !net) {
      c.error("ERR METRICS count does not match the number of metrics given");
      return false;
    }
    options.cpu = options.cpu || cpu;
    options.net = options.net || net;
  }
  return true;
}

bool read_options(Context& c, HotKeysOptions& options) {
  constexpr int64_t kLongestS = 1'000'000;
  size_t at = 2;
  if (!read_metrics(c, at, options)) return false;
  for (; at < c.args.size(); at += 2) {
    if (c.is(at, "slots")) {
      c.error("ERR SLOTS parameter cannot be used in non-cluster mode");
      return false;
    }
    if (at + 1 == c.args.size()) {
      c.syntax_error();
      return false;
    }
    std::optional<int64_t> number;
    if (c.is(at, "count")) {
      constexpr int64_t kMost = HotKeysSession::kCountMax;
      number = c.integer_between(at + 1, 1, kMost, "ERR COUNT must be between 1 and 64");
      if (number) options.count = static_cast<size_t>(*number);
    } else if (c.is(at, "duration")) {
      number =
          c.integer_between(at + 1, 1, kLongestS, "ERR DURATION must be between 1 and 1000000");
      if (number) options.until = c.env().now() + Duration::seconds(*number);
    } else if (c.is(at, "sample")) {
      number = c.integer_between(at + 1, 1, std::numeric_limits<int32_t>::max(),
                                 "ERR SAMPLE ratio must be positive");
      if (number) options.sample_ratio = static_cast<uint64_t>(*number);
    } else {
      c.syntax_error();
    }
    if (!number) return false;
  }
  return true;
}

void hotkeys_start_command(Context& c) {
  HotKeysOptions options;
  if (!read_options(c, options)) return;
  if (!c.services().instrumentation.start_hotkeys(options)) {
    c.error("ERR hotkeys collection is already in progress");
    return;
  }
  c.reply.ok();
}

void hotkeys_stop_command(Context& c) {
  const HotKeysSession* session = c.services().instrumentation.hotkeys();
  if (session == nullptr || !session->active) {
    c.reply.null();
    return;
  }
  c.services().instrumentation.stop_hotkeys();
  c.reply.ok();
}

void hotkeys_reset_command(Context& c) {
  const HotKeysSession* session = c.services().instrumentation.hotkeys();
  if (session != nullptr && session->active) {
    c.error("ERR hotkeys collection is in progress: stop it first");
    return;
  }
  c.services().instrumentation.reset_hotkeys();
  c.reply.ok();
}

void reply_keys(Context& c, std::string_view name, const HeavyHitters& sketch, size_t count,
                uint64_t unit) {
  const auto keys = sketch.top(count);
  c.reply.bulk(name);
  c.reply.array(keys.size() * 2);
  for (const auto& [key, sum] : keys) {
    c.reply.bulk(key);
    c.reply.integer(static_cast<int64_t>(sum / unit));
  }
}

void hotkeys_get_command(Context& c) {
  const HotKeysSession* session = c.services().instrumentation.hotkeys();
  if (session == nullptr) {
    c.reply.null();
    return;
  }
  const auto number = [&](std::string_view name, uint64_t value) {
    c.reply.bulk(name);
    c.reply.integer(static_cast<int64_t>(value));
  };
  const HotKeysOptions& options = session->options;
  uint64_t user_us = session->user_cpu_us;
  uint64_t system_us = session->system_cpu_us;
  if (session->active) {
    const ProcessFacts facts = c.env().backend().process_facts();
    user_us = facts.user_cpu_us - user_us;
    system_us = facts.system_cpu_us - system_us;
  }
  const Instant end = session->active ? c.env().now() : session->stopped;
  c.reply.array(1);
  c.reply.map(7 + (options.cpu ? 3u : 0u) + (options.net ? 2u : 0u));
  number("tracking-active", session->active ? 1 : 0);
  number("sample-ratio", options.sample_ratio);
  c.reply.bulk("selected-slots");
  c.reply.array(1);
  c.reply.array(2);
  c.reply.integer(0);
  c.reply.integer(16383);
  number("all-commands-all-slots-us", session->all_ns / 1000);
  number("net-bytes-all-commands-all-slots", session->all_bytes);
  number("collection-start-time-unix-ms", static_cast<uint64_t>(session->started_wall.unix_ms()));
  number("collection-duration-ms", static_cast<uint64_t>((end - session->started).ms()));
  if (options.cpu) {
    number("total-cpu-time-user-ms", user_us / 1000);
    number("total-cpu-time-sys-ms", system_us / 1000);
  }
  if (options.net) number("total-net-bytes", session->all_bytes);
  if (options.cpu) reply_keys(c, "by-cpu-time-us", session->by_time, options.count, 1000);
  if (options.net) reply_keys(c, "by-net-bytes", session->by_bytes, options.count, 1);
}

void hotkeys_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]",
      "    Begin to measure which keys take most time, most bytes of the network, or both: the",
      "    first <k> (default: 10), looking at one command of <ratio>.",
      "STOP",
      "    End measuring; the results stay.",
      "GET",
      "    Return the results.",
      "RESET",
      "    Forget the results.",
  };
  reply_help(c, lines);
}

constexpr uint32_t kMonitoringFlags = kAdmin | kNoScript;

// What the subcommands have in common, but HELP.
constexpr Command hotkeys_row(Command row) {
  row.flags = kMonitoringFlags;
  row.since = "8.6.0";
  row.group = "server";
  return row;
}

constexpr Command hotkeys_subcommands[] = {
    hotkeys_row({.name = "get",
                 .arity = 2,
                 .complexity = "O(K) where K is the number of hotkeys returned.",
                 .summary =
                     "Returns lists of top K hotkeys depending on metrics chosen in HOTKEYS START "
                     "command.",
                 .tips = "nondeterministic_output request_policy:special response_policy:special",
                 .handler = hotkeys_get_command}),
    help_row({.since = "8.6.0", .group = "server", .handler = hotkeys_help_command}),
    hotkeys_row({.name = "reset",
                 .arity = 2,
                 .complexity = "O(1)",
                 .summary = "Release the resources used for hotkey tracking.",
                 .tips = "request_policy:special",
                 .handler = hotkeys_reset_command}),
    hotkeys_row({.name = "start",
                 .arity = -5,
                 .complexity = "O(1)",
                 .summary = "Starts hotkeys tracking.",
                 .tips = "request_policy:special",
                 .arguments =
                     "metrics:{count:integer [cpu(CPU)] [net(NET)]}(METRICS) "
                     "[k:integer(COUNT)] [seconds:integer(DURATION)] [ratio:integer(SAMPLE)] "
                     "[slots:{count:integer slot:integer...}(SLOTS)]",
                 .handler = hotkeys_start_command}),
    hotkeys_row({.name = "stop",
                 .arity = 2,
                 .complexity = "O(1)",
                 .summary = "Stops hotkeys tracking.",
                 .tips = "request_policy:special",
                 .handler = hotkeys_stop_command}),
};

constexpr Command watching_rows[] = {
    {.name = "hotkeys",
     .arity = -2,
     .since = "8.6.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for hotkeys tracking commands.",
     .subcommands = hotkeys_subcommands},
    {.name = "monitor",
     .arity = 1,
     .flags = kAdmin | kNoScript | kLoading | kStale,
     .since = "1.0.0",
     .group = "server",
     .summary = "Listen for all requests received by the server in real time",
     .handler = monitor_command},
};

}  // namespace

std::span<const Command> watching_commands() {
  return watching_rows;
}

}  // namespace redoubt
