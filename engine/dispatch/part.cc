#include "engine/dispatch/part.h"

namespace redoubt {

void Parts::make(std::span<const PartKind* const> kinds, Node& node) {
  ASSERT(all_.empty());
  for (const PartKind* kind : kinds) {
    ASSERT(kind->make != nullptr && find(*kind) == nullptr);
    all_.push_back({kind, kind->make(node)});
  }
}

Part* Parts::find(const PartKind& kind) const {
  for (const Made& made : all_) {
    if (made.kind == &kind) return made.part.get();
  }
  return nullptr;
}

Task<Error> Parts::start() {
  ASSERT(started_ == 0);
  for (; started_ < all_.size(); ++started_) {
    const Error error = co_await all_[started_].part->start();
    if (error != Error::none) co_return error;
  }
  co_return Error::none;
}

void Parts::abort_stop() {
  for (const Made& made : all_) made.part->abort_stop();
}

Task<Error> Parts::before_stop(const StopRequest& request) {
  Error first = Error::none;
  for (size_t i = started_; i-- > 0;) {
    const Error error = co_await all_[i].part->before_stop(request);
    if (first == Error::none) first = error;
  }
  co_return first;
}

void Parts::settings_changed() {
  for (const Made& made : all_) made.part->settings_changed();
}

void Parts::cron() {
  for (const Made& made : all_) made.part->cron();
}

void Parts::register_info(InfoRegistry& registry) {
  for (const Made& made : all_) made.part->register_info(registry);
}

void Parts::end() {
  while (!all_.empty()) all_.pop_back();
}

size_t Parts::memory_bytes() const {
  size_t bytes = 0;
  for (const Made& made : all_) bytes += made.part->memory_bytes();
  return bytes;
}

}  // namespace redoubt
