#include "engine/insight/instrumentation.h"

#include <algorithm>

namespace redoubt {

Instrumentation::Instrumentation(Env& env, const Settings& settings)
    : env_(env), settings_(settings), started_(env.now()) {}

void Instrumentation::settings_changed() {
  const auto needs_all = [](int64_t threshold, int64_t shared) {
    return threshold >= 0 && threshold < shared;
  };
  closely_ = counting() != nullptr || needs_all(settings_.slowlog_slower_than_us, kSharedSlowUs) ||
             needs_all(settings_.commandlog_request_larger_than, kSharedBytes) ||
             needs_all(settings_.commandlog_reply_larger_than, kSharedBytes);
  group_limit_ = {std::numeric_limits<int64_t>::max()};
  constexpr int64_t kLongestUs = std::numeric_limits<int64_t>::max() / 1'000'000;
  if (settings_.slowlog_slower_than_us >= 0) {
    group_limit_ = Duration::microseconds(std::min(settings_.slowlog_slower_than_us, kLongestUs));
  }
  if (settings_.latency_monitor_threshold_ms > 0) {
    const int64_t ms = std::min(settings_.latency_monitor_threshold_ms, kLongestUs);
    group_limit_ = std::min(group_limit_, Duration::milliseconds(ms));
  }
}

bool Instrumentation::start_hotkeys(const HotKeysOptions& options) {
  if (hotkeys() != nullptr && hotkeys_->active) return false;
  hotkeys_ = std::make_unique<HotKeysSession>(options, env_.now(), env_.wall(), started_.ns);
  const ProcessFacts facts = env_.backend().process_facts();
  hotkeys_->user_cpu_us = facts.user_cpu_us;
  hotkeys_->system_cpu_us = facts.system_cpu_us;
  settings_changed();
  return true;
}

const HotKeysSession* Instrumentation::hotkeys() {
  if (counting() != nullptr && env_.now() >= hotkeys_->options.until) stop_hotkeys();
  return hotkeys_.get();
}

void Instrumentation::stop_hotkeys() {
  HotKeysSession* session = counting();
  if (session == nullptr) return;
  const ProcessFacts facts = env_.backend().process_facts();
  session->user_cpu_us = facts.user_cpu_us - session->user_cpu_us;
  session->system_cpu_us = facts.system_cpu_us - session->system_cpu_us;
  session->active = false;
  session->stopped = std::min(env_.now(), session->options.until);
  settings_changed();
}

void Instrumentation::reset_hotkeys() {
  hotkeys_.reset();
  settings_changed();
}

}  // namespace redoubt
