#include "engine/clients/clients_info.h"

#include "engine/clients/clients.h"
#include "engine/insight/info_registry.h"

namespace redoubt {

namespace {

int64_t second_of(Clients& clients) {
  return (clients.env().now() - Instant{}).s();
}

constexpr InfoRow kConnected[] = {
    gauge<Clients>("connected_clients", [](const Clients& c) { return c.sessions().count(); }),
    gauge<Clients>("maxclients", [](const Clients& c) { return c.settings().maxclients; }),
    gauge<Clients>("client_recent_max_input_buffer",
                   [](Clients& c) { return c.limits().recent_input().value(second_of(c)); }),
    gauge<Clients>("client_recent_max_output_buffer",
                   [](Clients& c) { return c.limits().recent_output().value(second_of(c)); }),
};

constexpr InfoRow kListening[] = {
    gauge<Clients>("tracking_clients", [](Clients& c) { return c.tracking().session_count(); }),
    gauge<Clients>("pubsub_clients", [](Clients& c) { return c.pubsub().session_count(); }),
};

constexpr InfoRow kMemory[] = {
    gauge<Clients>("mem_clients_normal",
                   [](const Clients& c) { return c.limits().memory_bytes(); }),
};

constexpr InfoRow kChannelsAndTracking[] = {
    gauge<Clients>("pubsub_channels",
                   [](Clients& c) { return c.pubsub().of(ChannelKind::channel).size(); }),
    gauge<Clients>("pubsub_patterns",
                   [](Clients& c) { return c.pubsub().of(ChannelKind::pattern).size(); }),
    gauge<Clients>("pubsubshard_channels",
                   [](Clients& c) { return c.pubsub().of(ChannelKind::shard).size(); }),
    gauge<Clients>("tracking_total_keys", [](Clients& c) { return c.tracking().key_count(); }),
    gauge<Clients>("tracking_total_items", [](Clients& c) { return c.tracking().item_count(); }),
    gauge<Clients>("tracking_total_prefixes",
                   [](Clients& c) { return c.tracking().prefix_count(); }),
};

}  // namespace

void register_clients(InfoRegistry& registry, Clients& clients) {
  registry.add(
      {.section = InfoSection::clients, .place = 0, .rows = kConnected, .owner = &clients});
  registry.add(
      {.section = InfoSection::clients, .place = 20, .rows = kListening, .owner = &clients});
  registry.add({.section = InfoSection::memory, .place = 20, .rows = kMemory, .owner = &clients});
  registry.add({.section = InfoSection::stats,
                .place = 10,
                .rows = kChannelsAndTracking,
                .owner = &clients});
}

}  // namespace redoubt
