#include "sim/scenarios/single_plants.h"

#include <vector>

namespace redoubt::sim {

namespace {

constexpr Plant kRows[] = {
    {"lost_write", "model", "now and then the node forgets a key"},
    {"wrong_ttl", "model", "now and then the node changes a deadline"},
    {"lost_command", "order", "a command is lost on its way to the node"},
    {"dropped_reply", "replies", "a reply is lost on its way to a client"},
    {"swapped_replies", "replies", "two replies arrive in the wrong order"},
    {"early_expiry", "expiry", "the node expires a key that lives"},
    {"stray_eviction", "eviction", "the node evicts without being told to"},
    {"hang_up", "connection", "the node closes a connection for no reason"},
    {"exit", "process", "the node ends for no reason"},
    {"deaf_node", "progress", "after the faults the node stands still"},
    {"no_handles", "progress", "after the faults the node accepts no connection"},
    {"late_loss", "state", "the node forgets a key that nobody asks for again"},
    {"kept_connection", "leaks", "a connection is never closed"},
};

// Between two strikes, so that what follows one can be seen.
constexpr uint64_t kCommandsBetween = 500;

using Words = std::vector<std::string_view>;

}  // namespace

std::span<const Plant> SinglePlants::rows() {
  return kRows;
}

void SinglePlants::strike(Node& node, SingleChecker& checker) {
  if (checker.commands() < last_ + kCommandsBetween) return;
  last_ = checker.commands();
  if (is("exit")) return node.env().backend().request_exit(3);
  if (is("hang_up") && node.first_session() != nullptr) {
    return node.close_session(*node.first_session(), false);
  }
  if (is("stray_eviction")) {
    const std::string limit = std::to_string(node.used_memory() / 2);
    const Words pairs = {"maxmemory", limit, "maxmemory-policy",
                         checker.model().config().lfu ? "allkeys-lfu" : "allkeys-lru"};
    std::string error;
    ASSERT(node.config().set(pairs, &error));
    return node.settings_changed();
  }
  if (is("lost_write") || is("wrong_ttl") || is("early_expiry")) change_data(node, checker);
}

void SinglePlants::strike_late(Node& node, SingleChecker& checker) {
  if (is("late_loss")) change_data(node, checker);
}

// In each database, the first key that can be changed.
void SinglePlants::change_data(Node& node, SingleChecker& checker) {
  const int64_t now_ms = node.env().wall().unix_ms();
  Session& session = node.make_local_session();
  for (int db = 0; db < checker.model().config().databases; ++db) {
    const std::string number = std::to_string(db);
    node.execute(session, Words{"SELECT", number});
    for (const auto& [name, entry] : checker.model().database(db)) {
      if (entry.expired_at(now_ms)) continue;
      const std::string key = name;  // what follows may remove the entry
      if (is("wrong_ttl")) {
        if (entry.deadline_ms == ModelEntry::no_deadline) continue;
        const std::string later = std::to_string(entry.deadline_ms + 5'000);
        node.execute(session, Words{"PEXPIREAT", key, later});
      } else if (is("early_expiry")) {
        node.expire_key(db, key, node.database(db).hash(key));
      } else {
        node.execute(session, Words{"DEL", key});
      }
      break;
    }
  }
  node.drop_local_session(session);
}

}  // namespace redoubt::sim
