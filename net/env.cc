#include "net/env.h"

namespace redoubt {

std::string Address::to_string() const {
  const std::string suffix = ":" + std::to_string(port);
  if (!unix_socket && host.find(':') != std::string::npos) return "[" + host + "]" + suffix;
  return host + suffix;
}

Env::Env(Backend& backend) : backend_(backend), now_(backend.now()), wall_(backend.wall()) {}

void Env::request(TurnHook& hook) {
  if (hook.requested) return;
  hook.requested = true;
  hook.next = nullptr;
  *hooks_tail_ = &hook;
  hooks_tail_ = &hook.next;
}

void Env::withdraw(TurnHook& hook) {
  if (!hook.requested) return;
  TurnHook** link = &hooks_;
  while (*link != &hook) link = &(*link)->next;
  *link = hook.next;
  if (hooks_tail_ == &hook.next) hooks_tail_ = link;
  hook.requested = false;
}

void Env::begin_turn() {
  now_ = backend_.now();
  wall_ = backend_.wall();
  timers_.fire_due(now_);
}

void Env::end_turn() {
  while (hooks_ != nullptr) {
    TurnHook& hook = *hooks_;
    hooks_ = hook.next;
    if (hooks_ == nullptr) hooks_tail_ = &hooks_;
    hook.requested = false;
    hook.run(hook);
  }
}

}  // namespace redoubt
