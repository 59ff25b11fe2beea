#include "engine/keyspace/keyspace_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "engine/insight/info_registry.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

namespace {

constexpr InfoRow kWatching[] = {
    gauge<Keyspace>("watching_clients",
                    [](const Keyspace& k) { return k.feed().watched().clients(); }),
};

constexpr InfoRow kWatched[] = {
    gauge<Keyspace>("total_watched_keys",
                    [](const Keyspace& k) { return k.feed().watched().keys(); }),
};

constexpr InfoRow kFreeing[] = {
    gauge<Keyspace>("lazyfree_pending_objects",
                    [](const Keyspace& k) { return k.reclaim().objects(); }),
};

// The mean time to live of a few keys. Its random numbers are its own, so that looking at a node
// does not change what the node does.
int64_t average_ttl_ms(Keyspace& keyspace, const Database& database) {
  Entry* sampled[32];
  Random random(database.size());
  const size_t count = database.dict().sample(random, true, sampled, std::size(sampled));
  const int64_t now_ms = keyspace.env().wall().unix_ms();
  int64_t sum = 0;
  int64_t live = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t ttl = sampled[i]->expiry_ms() - now_ms;
    if (ttl < 0) continue;
    sum += std::min(ttl, int64_t{1} << 56);
    ++live;
  }
  return live == 0 ? 0 : sum / live;
}

void write_keyspace(void* owner, InfoWriter& out) {
  Keyspace& keyspace = *static_cast<Keyspace*>(owner);
  for (int i = 0; i < keyspace.count(); ++i) {
    const Database& database = keyspace.database(i);
    if (database.size() == 0) continue;
    out.field(fmt::format("db{}", i),
              fmt::format("keys={},expires={},avg_ttl={},subexpiry={}", database.size(),
                          database.expiring(), average_ttl_ms(keyspace, database),
                          database.expiring_parts().count()));
  }
}

// How many keys have how many elements (bytes, for strings), by power of two. Looked at when asked
// for: all keys of a small database, a sample of a large one, whose counts are then scaled.
void write_key_sizes(Keyspace& keyspace, int index, InfoWriter& out) {
  constexpr size_t kLookedAt = 20'000;
  constexpr std::string_view kNames[] = {"strings_sizes", "lists_items", "sets_items",
                                         "zsets_items", "hashes_items"};
  constexpr std::string_view kUnits[] = {"", "K", "M", "G", "T", "P", "E"};
  const Database& database = keyspace.database(index);
  std::array<std::array<uint64_t, 64>, std::size(kNames)> counts{};
  uint64_t seen = 0;
  const auto look = [&](const Entry& entry) {
    ++seen;
    const size_t type = static_cast<size_t>(entry.type());
    if (type >= counts.size()) return;
    const uint64_t length = ops_of(entry).length(entry);
    ++counts[type][static_cast<size_t>(std::bit_width(length))];
  };
  if (database.size() <= kLookedAt) {
    database.dict().for_each(look);
  } else {
    // Its random numbers are its own, so that looking at a node does not change what it does.
    Random random(database.size());
    Entry* sampled[64];
    for (size_t round = 0; round < kLookedAt && seen < kLookedAt; ++round) {
      const size_t count = database.dict().sample(random, false, sampled, std::size(sampled));
      for (size_t i = 0; i < count; ++i) look(*sampled[i]);
    }
  }
  keyspace.env().count_work(seen);
  for (size_t type = 0; type < counts.size(); ++type) {
    std::string line;
    for (size_t bits = 0; bits < counts[type].size(); ++bits) {
      if (counts[type][bits] == 0) continue;
      const uint64_t count = static_cast<uint64_t>(static_cast<double>(counts[type][bits]) *
                                                   ratio(database.size(), seen));
      const uint64_t low = bits == 0 ? 0 : uint64_t{1} << (bits - 1);
      const size_t unit = bits == 0 ? 0 : (bits - 1) / 10;
      line += fmt::format("{}{}{}={}", line.empty() ? "" : ",", low >> (unit * 10), kUnits[unit],
                          std::max<uint64_t>(count, 1));
    }
    if (!line.empty()) out.field(fmt::format("db{}_distrib_{}", index, kNames[type]), line);
  }
}

void write_keysizes(void* owner, InfoWriter& out) {
  Keyspace& keyspace = *static_cast<Keyspace*>(owner);
  for (int i = 0; i < keyspace.count(); ++i) {
    if (keyspace.database(i).size() > 0) write_key_sizes(keyspace, i, out);
  }
}

}  // namespace

void register_keyspace(InfoRegistry& registry, Keyspace& keyspace) {
  registry.add(
      {.section = InfoSection::clients, .place = 30, .rows = kWatching, .owner = &keyspace});
  registry.add(
      {.section = InfoSection::clients, .place = 50, .rows = kWatched, .owner = &keyspace});
  registry.add({.section = InfoSection::memory, .place = 40, .rows = kFreeing, .owner = &keyspace});
  registry.add({.section = InfoSection::keyspace, .owner = &keyspace, .write = write_keyspace});
  registry.add({.section = InfoSection::keysizes, .owner = &keyspace, .write = write_keysizes});
}

}  // namespace redoubt
