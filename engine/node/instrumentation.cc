// Noting what was executed (instrumentation.h).
#include "engine/insight/instrumentation.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/insight/monitor.h"
#include "engine/node/node_state.h"

namespace redoubt {

namespace {

bool reaches(int64_t value, int64_t threshold) {
  return threshold >= 0 && value >= threshold;
}

std::string_view latency_event(const CommandEntry& entry) {
  return (entry.row->flags & kFast) != 0 ? "fast-command" : "command";
}

}  // namespace

void Node::update_instrumentation() {
  const Settings& s = settings();
  const auto needs_all = [](int64_t threshold, int64_t shared) {
    return threshold >= 0 && threshold < shared;
  };
  const bool hotkeys = instrumentation_.hotkeys != nullptr && instrumentation_.hotkeys->active;
  instrumentation_.closely =
      hotkeys || needs_all(s.slowlog_slower_than_us, Instrumentation::kSharedSlowUs) ||
      needs_all(s.commandlog_request_larger_than, Instrumentation::kSharedBytes) ||
      needs_all(s.commandlog_reply_larger_than, Instrumentation::kSharedBytes);
  Duration limit{std::numeric_limits<int64_t>::max()};
  constexpr int64_t kLongestUs = std::numeric_limits<int64_t>::max() / 1'000'000;
  if (s.slowlog_slower_than_us >= 0) {
    limit = Duration::microseconds(std::min(s.slowlog_slower_than_us, kLongestUs));
  }
  if (s.latency_monitor_threshold_ms > 0) {
    limit = std::min(limit,
                     Duration::milliseconds(std::min(s.latency_monitor_threshold_ms, kLongestUs)));
  }
  instrumentation_.group_limit = limit;
}

// --- timing

// A call of a group that is being timed.
void Node::CallGroup::add(const Planned& planned, uint64_t weight) {
  Call& call = calls[count++];
  call.planned = &planned;
  call.weight = weight;
  total_weight += weight;
  waiting += planned.waits ? 1 : 0;
}

// Ends a group: its calls took `time` together.
void Node::note_group(CallGroup& group, Duration time) {
  CommandEntry& entry = *group.entry;
  entry.nsec += static_cast<uint64_t>(std::max(time.ns, int64_t{0}));
  const size_t count = group.count;
  const bool even = group.total_weight < count * 16;
  if (settings().latency_tracking && group.waiting < count) {
    if (entry.latency == nullptr) entry.latency = std::make_unique<LatencyHistogram>();
    if (even && group.waiting == 0) {
      entry.latency->add({time.ns / static_cast<int64_t>(count)}, count);
    } else {
      for (size_t i = 0; i < count; ++i) {
        if (!group.calls[i].planned->waits) entry.latency->add(group.share(i, time), 1);
      }
    }
  }
  if (time < instrumentation_.group_limit &&
      group.calls[count - 1].weight < Instrumentation::kHeavy && !instrumentation_.closely) {
    return;
  }
  size_t heaviest = 0;
  for (size_t i = 1; i < count; ++i) {
    if (group.calls[i].weight > group.calls[heaviest].weight) heaviest = i;
  }
  for (size_t i = 0; i < count; ++i) {
    const Planned& planned = *group.calls[i].planned;
    if (planned.waits) continue;
    const RequestBatch::Request& request = batch_.requests[planned.request];
    const std::span<const std::string_view> args(batch_.args.data() + request.first_arg,
                                                 request.arg_count);
    const Duration share = i == heaviest && group.share(i, time) < instrumentation_.group_limit
                               ? time
                               : group.share(i, time);
    note_latency(latency_event(entry), share);
    note_call(*planned.session, entry, args, share, request.bytes, planned.reply_bytes);
  }
}

void Node::note_call(Session& session, const CommandEntry& entry,
                     std::span<const std::string_view> args, Duration time, size_t request_bytes,
                     size_t reply_bytes) {
  const Settings& s = settings();
  using Kind = CommandLog::Kind;
  const auto log_if = [&](Kind kind, int64_t value, int64_t threshold, uint64_t entries_max) {
    if (!reaches(value, threshold) || (entry.row->flags & kSkipSlowlog) != 0) return;
    const std::vector<std::string_view> shown = redact_arguments(entry, args);
    instrumentation_.log.add(
        kind,
        {.id = 0,
         .unix_s = env_.wall().unix_s(),
         .value = value,
         .args = shorten_arguments(shown, s.slowlog_entry_max_argc, s.slowlog_entry_max_string_len),
         .address = session.peer().to_string(),
         .client_name = session.identity.name},
        entries_max);
  };
  log_if(Kind::slow, time.us(), s.slowlog_slower_than_us, s.slowlog_max_len);
  log_if(Kind::large_request, static_cast<int64_t>(request_bytes), s.commandlog_request_larger_than,
         s.commandlog_request_max_len);
  log_if(Kind::large_reply, static_cast<int64_t>(reply_bytes), s.commandlog_reply_larger_than,
         s.commandlog_reply_max_len);
  if (instrumentation_.hotkeys != nullptr && instrumentation_.hotkeys->active) {
    std::vector<int> indexes;
    std::vector<std::string_view> keys;
    if (find_keys(*entry.row, args, indexes)) {
      for (const int index : indexes) keys.push_back(args[static_cast<size_t>(index)]);
    }
    instrumentation_.hotkeys->add(std::move(keys), time, request_bytes + reply_bytes);
  }
}

void Node::note_latency(std::string_view event, Duration time) {
  instrumentation_.latency.note(event, time, settings().latency_monitor_threshold_ms, env_.wall());
}

// A call outside the batch: in a transaction or a script, after waiting, or of the process itself.
void Node::note_single(Session& session, CommandEntry& entry,
                       std::span<const std::string_view> args, Instant since, size_t output_before,
                       bool waited) {
  const Duration time = env_.precise_now() - since;
  entry.nsec += static_cast<uint64_t>(std::max(time.ns, int64_t{0}));
  if (settings().latency_tracking) {
    if (entry.latency == nullptr) entry.latency = std::make_unique<LatencyHistogram>();
    entry.latency->add(time, 1);
  }
  size_t request_bytes = 0;
  for (const std::string_view arg : args) request_bytes += arg.size() + 16;
  const size_t output = session.output.bytes();
  const size_t reply_bytes = output - std::min(output, output_before);
  if (instrumentation_.closely || time >= instrumentation_.group_limit ||
      request_bytes >= Instrumentation::kSharedBytes ||
      reply_bytes >= Instrumentation::kSharedBytes) {
    note_latency(waited ? "command-unblocking" : latency_event(entry), time);
    note_call(session, entry, args, time, request_bytes, reply_bytes);
  }
}

// --- HOTKEYS

bool Node::start_hotkeys(const HotKeysOptions& options) {
  if (hotkeys() != nullptr && instrumentation_.hotkeys->active) return false;
  instrumentation_.hotkeys =
      std::make_unique<HotKeysSession>(options, env_.now(), env_.wall(), started_.ns);
  const ProcessFacts facts = env_.backend().process_facts();
  instrumentation_.hotkeys->user_cpu_us = facts.user_cpu_us;
  instrumentation_.hotkeys->system_cpu_us = facts.system_cpu_us;
  update_instrumentation();
  return true;
}

const HotKeysSession* Node::hotkeys() {
  if (instrumentation_.hotkeys != nullptr && instrumentation_.hotkeys->active &&
      env_.now() >= instrumentation_.hotkeys->options.until) {
    stop_hotkeys();
  }
  return instrumentation_.hotkeys.get();
}

void Node::stop_hotkeys() {
  HotKeysSession* session = instrumentation_.hotkeys.get();
  if (session == nullptr || !session->active) return;
  const ProcessFacts facts = env_.backend().process_facts();
  session->user_cpu_us = facts.user_cpu_us - session->user_cpu_us;
  session->system_cpu_us = facts.system_cpu_us - session->system_cpu_us;
  session->active = false;
  session->stopped = std::min(env_.now(), session->options.until);
  update_instrumentation();
}

void Node::reset_hotkeys() {
  instrumentation_.hotkeys.reset();
  update_instrumentation();
}

}  // namespace redoubt
