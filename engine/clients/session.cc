#include "engine/clients/session.h"

#include "engine/clients/clients.h"
#include "engine/clients/fieldsets.h"
#include "engine/clients/pubsub.h"
#include "engine/clients/tracking.h"

namespace redoubt {

Session::Session(Clients& owner, uint64_t session_id, OutputPool& pool)
    : clients(owner), id(session_id), output(pool) {}

Session::~Session() {
  // The tables that these are in point to the session.
  ASSERT(wait == nullptr && watches == nullptr && subscriptions == nullptr);
}

const Address& Session::peer() const {
  return connection == nullptr ? clients.no_address() : connection->peer();
}

Address Session::local() const {
  return connection == nullptr ? Address{} : connection->local();
}

size_t Session::output_bytes() const {
  size_t bytes = output.bytes();
  if (connection != nullptr) bytes += connection->unsent_bytes();
  if (pushes != nullptr) bytes += pushes->bytes();
  if (held != nullptr) bytes += held->bytes();
  return bytes;
}

size_t Session::memory_bytes() const {
  size_t bytes = sizeof(Session) + parser.memory_bytes() + output.memory_bytes() +
                 identity.name.capacity() + stored_bytes;
  if (connection != nullptr) bytes += connection->memory_bytes();
  if (pushes != nullptr) bytes += pushes->memory_bytes();
  if (held != nullptr) bytes += held->memory_bytes();
  if (deferred != nullptr) bytes += deferred->memory_bytes();
  if (subscriptions != nullptr) bytes += subscriptions->memory_bytes();
  if (tracking != nullptr) bytes += tracking->memory_bytes();
  if (wait != nullptr) bytes += wait->memory_bytes();
  if (transaction != nullptr) bytes += transaction->memory_bytes();
  if (watches != nullptr) bytes += watches->memory_bytes();
  if (fieldsets != nullptr) bytes += fieldsets->memory_bytes();
  return bytes;
}

void Session::on_bytes(std::span<const char> bytes) {
  clients.io().on_bytes(*this, bytes);
}

void Session::on_direct(size_t bytes) {
  clients.io().on_direct(*this, bytes);
}

void Session::on_sent(size_t bytes) {
  clients.io().on_sent(*this, bytes);
}

void Session::on_end(Error) {
  clients.close(*this, false);
}

void Session::on_replies_ready(HeldReplies& ready) {
  ASSERT(&ready == held.get());
  if (!ready.take_ready(connection->queue())) held.reset();
  clients.io().flush(*this);
}

void Session::on_replies_failed(size_t behind, size_t size, std::string_view replaced) {
  clients.sink().on_replies_failed(*this, behind, size, replaced);
}

void Session::on_quiet() {
  clients.retire(*this);
}

}  // namespace redoubt
