#include "engine/dispatch/call_timing.h"

#include <algorithm>
#include <vector>

#include "engine/insight/monitor.h"

namespace redoubt {

namespace {

bool reaches(int64_t value, int64_t threshold) {
  return threshold >= 0 && value >= threshold;
}

std::string_view latency_event(const CommandEntry& entry) {
  return (entry.row->flags & kFast) != 0 ? "fast-command" : "command";
}

LatencyHistogram& histogram(CommandEntry& entry) {
  if (entry.latency == nullptr) entry.latency = std::make_unique<LatencyHistogram>();
  return *entry.latency;
}

}  // namespace

void CallTiming::note_group() {
  ASSERT(entry_ != nullptr && count_ <= calls_.size());
  const Instant now = env_.precise_now();
  const Duration time = now - std::exchange(since_, now);
  const size_t count = std::exchange(count_, 0);
  const size_t waiting = std::exchange(waiting_, 0);
  CommandEntry& entry = *entry_;
  entry.nsec += static_cast<uint64_t>(std::max(time.ns, int64_t{0}));
  const bool even = total_weight_ < count * 16;
  if (settings_.latency_tracking && waiting < count) {
    LatencyHistogram& latency = histogram(entry);
    if (even && waiting == 0) {
      latency.add({time.ns / static_cast<int64_t>(count)}, count);
    } else {
      for (size_t i = 0; i < count; ++i) {
        if (!calls_[i].planned->waits) latency.add(share(i, time), 1);
      }
    }
  }
  if (time >= instrumentation_.group_limit() ||
      calls_[count - 1].weight >= Instrumentation::kHeavy || instrumentation_.closely()) {
    size_t heaviest = 0;
    for (size_t i = 1; i < count; ++i) {
      if (calls_[i].weight > calls_[heaviest].weight) heaviest = i;
    }
    for (size_t i = 0; i < count; ++i) {
      const Planned& planned = *calls_[i].planned;
      if (planned.waits) continue;
      Duration own = share(i, time);
      if (i == heaviest && own < instrumentation_.group_limit()) own = time;
      instrumentation_.note_latency(latency_event(entry), own);
      note_call(*planned.session, entry, batch_.args(planned), own, batch_.bytes(planned),
                planned.reply_bytes);
    }
  }
  total_weight_ = 0;
}

void CallTiming::note_call(Session& session, const CommandEntry& entry,
                           std::span<const std::string_view> args, Duration time,
                           size_t request_bytes, size_t reply_bytes) {
  const Settings& s = settings_;
  using Kind = CommandLog::Kind;
  const auto log_if = [&](Kind kind, int64_t value, int64_t threshold, uint64_t entries_max) {
    if (!reaches(value, threshold) || (entry.row->flags & kSkipSlowlog) != 0) return;
    const std::vector<std::string_view> shown = redact_arguments(entry, args);
    instrumentation_.log().add(
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
  HotKeysSession* hotkeys = instrumentation_.counting();
  if (hotkeys == nullptr) return;
  std::vector<int> indexes;
  std::vector<std::string_view> keys;
  if (find_keys(*entry.row, args, indexes)) {
    for (const int index : indexes) keys.push_back(args[static_cast<size_t>(index)]);
  }
  hotkeys->add(std::move(keys), time, request_bytes + reply_bytes);
}

void CallTiming::note_single(Session& session, CommandEntry& entry,
                             std::span<const std::string_view> args, Instant since,
                             size_t output_before, bool waited) {
  const Duration time = env_.precise_now() - since;
  entry.nsec += static_cast<uint64_t>(std::max(time.ns, int64_t{0}));
  if (settings_.latency_tracking) histogram(entry).add(time, 1);
  size_t request_bytes = 0;
  for (const std::string_view arg : args) request_bytes += arg.size() + 16;
  const size_t output = session.output.bytes();
  const size_t reply_bytes = output - std::min(output, output_before);
  if (instrumentation_.closely() || time >= instrumentation_.group_limit() ||
      request_bytes >= Instrumentation::kSharedBytes ||
      reply_bytes >= Instrumentation::kSharedBytes) {
    instrumentation_.note_latency(waited ? "command-unblocking" : latency_event(entry), time);
    note_call(session, entry, args, time, request_bytes, reply_bytes);
  }
}

}  // namespace redoubt
