#include "net/env.h"

namespace redoubt {

void discard_result(Backend& backend, Op& op) {
  if (op.result.chunk) backend.give_back(op.result.chunk);
  if (op.result.handle) backend.close(op.result.handle);
  op.result.chunk = {};
  op.result.handle = {};
  op.result.bytes = 0;
  op.result.error = Error::cancelled;
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
  ++turns_;
  if (resting_) busy_since_ = now_;
  resting_ = false;
  timers_.fire_due(now_);
}

void Env::rest(Instant now) {
  if (resting_) return;
  resting_ = true;
  if (now > busy_since_) busy_.ns += (now - busy_since_).ns;
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
