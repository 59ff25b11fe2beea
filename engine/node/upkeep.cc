#include "engine/node/upkeep.h"

#include <algorithm>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/insight/instrumentation.h"
#include "engine/keyspace/eviction.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

Upkeep::Upkeep(const Services& services, const Parts& parts)
    : services_(services),
      parts_(parts),
      expiry_(services.env, *this, services.settings, services.stats) {}

void Upkeep::cron() {
  uint64_t& peak = services_.stats.peak_memory;
  peak = std::max<uint64_t>(peak, used_memory());
  if (services_.dispatcher.suspension().active()) return;
  services_.eviction.cron();
  expiry_.step();
  services_.keys.reclaim().cron();
}

void Upkeep::measure_startup() {
  const size_t allocated = services_.env.backend().allocator_facts().allocated;
  startup_bytes_ = allocated - std::min(allocated, used_memory());
}

size_t Upkeep::used_memory() const {
  size_t bytes = services_.clients.memory_bytes() + services_.keys.snapshots().flushed_bytes() +
                 parts_.memory_bytes();
  for (const auto& database : services_.keys.databases()) bytes += database->used_bytes();
  return bytes;
}

size_t Upkeep::not_counted_for_eviction() const {
  size_t bytes =
      services_.clients.memory_not_evictable() + services_.keys.snapshots().flushed_bytes();
  for (const auto& database : services_.keys.databases()) {
    bytes += database->remains().bytes() + database->kept_bytes();
  }
  return bytes;
}

std::span<const std::unique_ptr<Database>> Upkeep::databases() const {
  return services_.keys.databases();
}

bool Upkeep::decides() const {
  return services_.keys.removal().decides();
}

void Upkeep::remove_expired(int db, std::string_view key, size_t parts_max) {
  services_.keys.removal().expire(db, key, parts_max);
}

void Upkeep::evict(int db, std::string_view key) {
  services_.keys.removal().evict(db, key);
}

size_t Upkeep::client_bytes() const {
  return services_.clients.memory_bytes() - services_.clients.memory_not_evictable();
}

void Upkeep::on_tight(bool tight) {
  services_.dispatcher.admission().set(Alert::tight_memory, tight);
}

void Upkeep::note_latency(std::string_view event, Duration time) {
  services_.instrumentation.note_latency(event, time);
}

}  // namespace redoubt
