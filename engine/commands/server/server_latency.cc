// LATENCY: what took longer than it should, and the distribution of what all commands took.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

using Event = LatencyMonitor::Event;
using Sample = LatencyMonitor::Sample;

const Event* event_of(Context& c) {
  const auto& events = c.services().instrumentation.latency().events();
  const auto found = events.find(c.args[2]);
  return found == events.end() ? nullptr : &found->second;
}

void latency_latest_command(Context& c) {
  const auto& events = c.services().instrumentation.latency().events();
  c.reply.array(events.size());
  for (const auto& [name, event] : events) {
    c.reply.array(4);
    c.reply.bulk(name);
    c.reply.integer(event.samples.back().unix_s);
    c.reply.integer(event.samples.back().ms);
    c.reply.integer(event.max_ms);
  }
}

void latency_history_command(Context& c) {
  const Event* event = event_of(c);
  c.reply.array(event == nullptr ? 0 : event->samples.size());
  if (event == nullptr) return;
  for (const Sample& sample : event->samples) {
    c.reply.array(2);
    c.reply.integer(sample.unix_s);
    c.reply.integer(sample.ms);
  }
}

void latency_reset_command(Context& c) {
  size_t count = 0;
  if (c.args.size() == 2) count = c.services().instrumentation.latency().reset_all();
  for (const std::string_view event : c.args.subspan(2))
    count += c.services().instrumentation.latency().reset(event);
  c.reply.integer(static_cast<int64_t>(count));
}

// --- GRAPH: a column a sample, up to 80 of them, twelve heights in four rows; below it how long
// ago it was, read downwards.

std::string elapsed_text(int64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 24 * 3600) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / (24 * 3600));
}

std::string graph_of(std::string_view name, const Event& event, int64_t now_s) {
  constexpr size_t kColumns = 80;
  constexpr int64_t kRows = 4;
  constexpr std::string_view kTops = "_o#";
  constexpr int64_t kHeights = kRows * static_cast<int64_t>(kTops.size());
  const auto [low, high] =
      std::minmax_element(event.samples.begin(), event.samples.end(),
                          [](const Sample& a, const Sample& b) { return a.ms < b.ms; });
  std::string text = fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n{}\n", name,
                                 high->ms, low->ms, event.max_ms, std::string(kColumns, '-'));
  const int64_t range = std::max<int64_t>(high->ms - low->ms, 1);
  std::vector<std::string> rows(kRows);
  std::vector<std::string> labels;
  for (const Sample& sample : event.samples) {
    const int64_t step =
        std::min(kHeights - 1,
                 static_cast<int64_t>(static_cast<double>(sample.ms - low->ms) /
                                      static_cast<double>(range) * static_cast<double>(kHeights)));
    const int64_t top = step / static_cast<int64_t>(kTops.size());
    for (int64_t row = 0; row < kRows; ++row) {
      const int64_t height = kRows - 1 - row;
      rows[static_cast<size_t>(row)] += height > top ? ' '
                                        : height < top
                                            ? '|'
                                            : kTops[static_cast<size_t>(step) % kTops.size()];
    }
    labels.push_back(elapsed_text(std::max<int64_t>(0, now_s - sample.unix_s)));
  }
  size_t label_rows = 0;
  for (const std::string& label : labels) label_rows = std::max(label_rows, label.size());
  rows.emplace_back(labels.size(), ' ');
  for (size_t row = 0; row < label_rows; ++row) {
    std::string line;
    for (const std::string& label : labels) line += row < label.size() ? label[row] : ' ';
    rows.push_back(line);
  }
  for (size_t from = 0; from < labels.size(); from += kColumns) {
    for (const std::string& row : rows) text += row.substr(from, kColumns) + "\n";
  }
  return text;
}

void latency_graph_command(Context& c) {
  const Event* event = event_of(c);
  if (event == nullptr) {
    c.error(fmt::format("ERR No samples available for event '{}'", c.args[2]));
    return;
  }
  c.reply.verbatim("txt", graph_of(c.args[2], *event, c.env().wall().unix_s()));
}

// --- DOCTOR

std::string event_report(std::string_view name, const Event& event, int64_t now_s) {
  int64_t sum = 0;
  for (const Sample& sample : event.samples) sum += sample.ms;
  const int64_t count = static_cast<int64_t>(event.samples.size());
  const int64_t mean = sum / count;
  int64_t deviation = 0;
  for (const Sample& sample : event.samples) deviation += std::abs(sample.ms - mean);
  const double period =
      static_cast<double>(std::max<int64_t>(1, now_s - event.samples.front().unix_s)) /
      static_cast<double>(count);
  return fmt::format(
      "{}: {} latency spikes (average {}ms, mean deviation {}ms, period {} sec). Worst all time "
      "event {}ms.\n",
      name, count, mean, deviation / count, FixedText(period, 2).view(), event.max_ms);
}

void latency_doctor_command(Context& c) {
  const auto& events = c.services().instrumentation.latency().events();
  const int64_t threshold = c.settings().latency_monitor_threshold_ms;
  if (events.empty()) {
    c.reply.verbatim(
        "txt", threshold == 0
                   ? std::string("Events are not watched: set latency-monitor-threshold to the "
                                 "milliseconds from which on they are noted.\n")
                   : fmt::format("Nothing took {} ms or longer.\n", threshold));
    return;
  }
  std::string report = "These took longer than the threshold:\n\n";
  size_t number = 0;
  const auto noted = [&](std::string_view name) { return events.find(name) != events.end(); };
  for (const auto& [name, event] : events) {
    report += fmt::format("{}. {}", ++number, event_report(name, event, c.env().wall().unix_s()));
  }
  report += "\nAdvice:\n\n";
  if (noted("command") || noted("fast-command")) {
    report += "- SLOWLOG GET says which commands are slow.\n";
  }
  if (noted("fast-command")) {
    report +=
        "- Commands that take constant time were slow: the machine may have been busy with other "
        "things, or short of memory.\n";
  }
  if (noted("expire-cycle")) {
    report += "- Many keys expire at the same time: spread their times.\n";
  }
  if (noted("eviction-cycle") || noted("eviction-del")) {
    report += "- Memory is at its limit: more of it, or fewer writes, make evictions rarer.\n";
  }
  c.reply.verbatim("txt", report);
}

// --- HISTOGRAM

void collect(const CommandEntry& entry, std::vector<const CommandEntry*>& out) {
  if (entry.latency != nullptr) out.push_back(&entry);
  for (const CommandEntry* sub : entry.subcommands) {
    if (sub->latency != nullptr) out.push_back(sub);
  }
}

// A command by its name, a subcommand by "container|name".
const CommandEntry* find_command(const CommandTable& table, std::string_view name) {
  const size_t bar = name.find('|');
  const std::string_view words[] = {name.substr(0, bar),
                                    bar == name.npos ? std::string_view{} : name.substr(bar + 1)};
  if (bar == name.npos) return table.find(name);
  CommandEntry* container = nullptr;
  const CommandEntry* entry = table.resolve(words, &container);
  return entry != nullptr && entry->container != nullptr ? entry : nullptr;
}

void latency_histogram_command(Context& c) {
  std::vector<const CommandEntry*> entries;
  if (c.args.size() == 2) {
    for (const CommandEntry* entry : c.commands().all()) collect(*entry, entries);
  }
  for (const std::string_view name : c.args.subspan(2)) {
    if (const CommandEntry* entry = find_command(c.commands(), name)) {
      collect(*entry, entries);
    }
  }
  c.reply.map(entries.size());
  for (const CommandEntry* entry : entries) {
    std::vector<std::pair<uint64_t, uint64_t>> steps;
    entry->latency->for_each_doubling(
        [&](uint64_t usec, uint64_t calls) { steps.emplace_back(usec, calls); });
    c.reply.bulk(entry->name);
    c.reply.map(2);
    c.reply.bulk("calls");
    c.reply.integer(static_cast<int64_t>(entry->latency->count()));
    c.reply.bulk("histogram_usec");
    c.reply.map(steps.size());
    for (const auto& [usec, calls] : steps) {
      c.reply.integer(static_cast<int64_t>(usec));
      c.reply.integer(static_cast<int64_t>(calls));
    }
  }
  c.env().count_work(entries.size() * 16);
}

void latency_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "DOCTOR",
      "    Return what can be said about the events that were noted.",
      "GRAPH <event>",
      "    Return the samples of an event as a picture of characters.",
      "HISTORY <event>",
      "    Return the samples of an event: Unix time and milliseconds.",
      "LATEST",
      "    Return the newest sample of each event, and the largest.",
      "RESET [<event> ...]",
      "    Forget these events, or all.",
      "HISTOGRAM [<command> ...]",
      "    Return how many calls of these commands, or of all, took no longer than 1, 2, 4, 8, 16,",
      "    33 ... microseconds.",
  };
  reply_help(c, lines);
}

constexpr uint32_t kLatencyFlags = kAdmin | kNoScript | kLoading | kStale;
constexpr std::string_view kTips =
    "nondeterministic_output request_policy:all_nodes response_policy:special";

// What the subcommands have in common, but HELP.
constexpr Command latency_row(Command row) {
  row.flags = kLatencyFlags;
  row.group = "server";
  return row;
}

constexpr Command latency_subcommands[] = {
    latency_row({.name = "doctor",
                 .arity = 2,
                 .since = "2.8.13",
                 .complexity = "O(1)",
                 .summary = "Return a human readable latency analysis report.",
                 .tips = kTips,
                 .handler = latency_doctor_command}),
    latency_row({.name = "graph",
                 .arity = 3,
                 .since = "2.8.13",
                 .complexity = "O(1)",
                 .summary = "Return a latency graph for the event.",
                 .tips = kTips,
                 .arguments = "event:string",
                 .handler = latency_graph_command}),
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Show helpful text about the different subcommands.",
     .handler = latency_help_command},
    latency_row(
        {.name = "histogram",
         .arity = -2,
         .since = "7.0.0",
         .complexity = "O(N) where N is the number of commands with latency information being "
                       "retrieved.",
         .summary =
             "Return the cumulative distribution of latencies of a subset of commands or all.",
         .tips = kTips,
         .arguments = "[command:string...]",
         .handler = latency_histogram_command}),
    latency_row({.name = "history",
                 .arity = 3,
                 .since = "2.8.13",
                 .complexity = "O(1)",
                 .summary = "Return timestamp-latency samples for the event.",
                 .tips = kTips,
                 .arguments = "event:string",
                 .handler = latency_history_command}),
    latency_row({.name = "latest",
                 .arity = 2,
                 .since = "2.8.13",
                 .complexity = "O(1)",
                 .summary = "Return the latest latency samples for all events.",
                 .tips = kTips,
                 .handler = latency_latest_command}),
    latency_row({.name = "reset",
                 .arity = -2,
                 .since = "2.8.13",
                 .complexity = "O(1)",
                 .summary = "Reset latency data for one or more events.",
                 .tips = kAllNodesSucceed,
                 .arguments = "[event:string...]",
                 .handler = latency_reset_command}),
};

constexpr Command latency_rows[] = {
    {.name = "latency",
     .arity = -2,
     .since = "2.8.13",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for latency diagnostics commands",
     .subcommands = latency_subcommands},
};

}  // namespace

std::span<const Command> latency_commands() {
  return latency_rows;
}

}  // namespace redoubt
