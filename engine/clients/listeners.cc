#include "engine/clients/listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/places.h"

namespace redoubt {

namespace {

// After running out of file descriptors, connections wait in the kernel's backlog this long.
constexpr Duration kAcceptRetry = Duration::milliseconds(100);

}  // namespace

ListenerSet::~ListenerSet() {
  for (const auto& listener : all_) env_.disarm(listener->retry);
}

Expected<Handle> ListenerSet::open(const Address& address, const ListenOptions& options,
                                   AcceptHandler& handler) {
  Expected<Handle> handle = env_.backend().listen(address, options.backlog, options.mode);
  if (!handle) return handle.error();
  Listener& listener = *all_.emplace_back(std::make_unique<Listener>());
  listener.owner = this;
  listener.handler = &handler;
  listener.handle = *handle;
  listener.address = address.unix_socket ? address : env_.backend().local_address(*handle);
  ++open_count_;
  accept_next(listener);
  return *handle;
}

int ListenerSet::tcp_port() const {
  for (const auto& listener : all_) {
    if (!listener->closed && !listener->address.unix_socket) return listener->address.port;
  }
  return 0;
}

void ListenerSet::accept_next(Listener& listener) {
  Op& op = listener.accept;
  op.kind = OpKind::accept;
  op.handle = listener.handle;
  op.owner = &listener;
  op.result = {};
  op.on_done = [](Op& done) {
    Listener& from = *static_cast<Listener*>(done.owner);
    from.owner->on_accepted(from);
  };
  env_.submit(op);
}

void ListenerSet::on_accepted(Listener& listener) {
  Op& op = listener.accept;
  if (listener.closed) {
    if (op.result.ok()) env_.close(op.result.handle);
    forget(listener);
    return;
  }
  if (!op.result.ok()) {
    if (op.result.error == Error::cancelled) return;
    REDOUBT_REACHED(accept_failed);
    logger_.log(LogLevel::warning,
                fmt::format("accepting a connection failed: {}", describe(op.result.error)));
    listener.retry.owner = &listener;
    listener.retry.on_fire = [](Timer& timer) {
      Listener& from = *static_cast<Listener*>(timer.owner);
      from.owner->accept_next(from);
    };
    env_.arm_in(listener.retry, kAcceptRetry);
    return;
  }
  listener.telling = true;
  listener.handler->on_accepted(op.result.handle, std::move(op.address));
  listener.telling = false;
  // The handler may have closed the listener.
  listener.closed ? forget(listener) : accept_next(listener);
}

void ListenerSet::close(Listener& listener) {
  if (listener.closed) return;
  listener.closed = true;
  --open_count_;
  env_.disarm(listener.retry);
  env_.close(listener.handle);
}

void ListenerSet::close(Handle handle) {
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [&](const auto& each) { return each->handle == handle; });
  ASSERT(found != all_.end());
  Listener& listener = **found;
  close(listener);
  if (listener.at_rest()) forget(listener);
}

void ListenerSet::close_all() {
  for (const auto& listener : all_) close(*listener);
  std::erase_if(all_, [](const auto& each) { return each->at_rest(); });
}

void ListenerSet::forget(const Listener& listener) {
  ASSERT(listener.closed && listener.at_rest());
  std::erase_if(all_, [&](const auto& each) { return each.get() == &listener; });
}

}  // namespace redoubt
