#include "sim/scenario/plants.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/persist/persist.h"
#include "sim/places.h"

namespace redoubt::sim {

namespace {

constexpr Plant kPlantRows[] = {
    {"lost_write", "model", "now and then the node forgets a key"},
    {"wrong_ttl", "model", "now and then the node changes a deadline"},
    {"lost_command", "order", "a command is lost on its way to the node"},
    {"dropped_reply", "replies", "a reply is lost on its way to a client"},
    {"lost_message", "messages", "a message is lost on its way to a subscriber"},
    {"swapped_messages", "messages", "two messages arrive in the wrong order"},
    {"lost_subscription", "messages", "the node forgets that somebody has subscribed"},
    {"swapped_replies", "replies", "two replies arrive in the wrong order"},
    {"blind_exec", "transactions", "EXEC runs although a watched key was changed"},
    {"blind_watch", "transactions", "a watched key that expires is no reason to fail"},
    {"torn_rollback", "model", "a transaction that is undone leaves one of its keys behind"},
    {"last_come", "blocking", "of two that wait for the same, the later one is served first"},
    {"deaf_waiter", "blocking", "who waits for a key is not told that it is there"},
    {"early_timeout", "blocking", "a command that waits gives up before its time"},
    {"early_expiry", "expiry", "the node expires a key that lives"},
    {"stray_eviction", "eviction", "the node evicts without being told to"},
    {"hang_up", "connection", "the node closes a connection for no reason"},
    {"exit", "process", "the node ends for no reason"},
    {"deaf_node", "progress", "after the faults the node stands still"},
    {"waits_for_all", "progress", "nodes serve only while all others are up", "several"},
    {"no_handles", "progress", "after the faults the node accepts no connection"},
    {"lost_effect", "replay", "now and then an effect is lost on its way"},
    {"missed_entry", "snapshot", "a snapshot takes an entry for one that it has delivered"},
    {"forgotten_file", "files", "after a crash the configuration file is gone", "power"},
    {"unsynced_file", "files", "a file gets its name before its bytes are on the medium",
     "config_save"},
    {"unsynced_names", "files", "a new file is acknowledged before its name is on the medium",
     "config_save"},
    {"forgotten_write", "linearizability", "now and then the node forgets a key", "registers"},
    {"unlucky_loss", "model", "a removed value that is kept for the slices takes a key with it"},
    {"late_loss", "state", "the node forgets, or makes up, a key that nobody asks for again"},
    {"kept_connection", "leaks", "a connection is never closed"},
    {"busy_pause", "pause", "during CLIENT PAUSE the node changes data"},
    {"blind_scan", "scan", "now and then what a page of a walk shows is overlooked"},
    {"stray_event", "events", "an event comes of a key that nothing has happened to"},
    {"deaf_tracker", "tracking", "the node forgets who tracks keys"},
    {"wrong_count", "statistics", "the node counts a key as expired that is not"},
    {"lost_bytes", "invariants", "the node counts bytes that nothing takes"},
    {"relative_effect", "effects", "an effect says a time from now on"},
    {"manifest_before_base", "durability", "the manifest lists a base that is not written yet",
     "kept_data"},
    {"unsynced_directory", "durability", "a new increment's name is not on the medium",
     "kept_data"},
    {"history_removed_early", "durability", "old files go before the manifest leaves them out",
     "kept_data"},
    {"unsynced_rename", "durability", "a saved snapshot's name is not on the medium", "kept_data"},
    {"unsynced_log", "durability", "a sync of the log does nothing and says that all is well",
     "rewrite"},
    {"deaf_to_sync", "durability", "the result of a sync of the log is not looked at", "full_disk"},
    {"kept_id", "loss", "a promotion goes on under the same history id", "resync"},
    {"kept_id_at_restart", "history", "so does a primary that comes back with less", "wait"},
    {"deaf_to_new_id", "convergence", "a replica passes over the new id in +CONTINUE", "resync"},
    {"any_history", "history", "a partial resynchronisation is granted whatever the id", "resync"},
    {"unbounded_second_id", "loss", "and beyond the fork of a history", "resync"},
    {"ignored_offset", "history", "the offset of +FULLRESYNC is taken for 0", "replica"},
    {"skipped_byte", "convergence", "the backlog is read from one byte further", "replica"},
    {"lost_database", "history", "a resynchronisation selects database 0", "replica"},
    {"uncounted_control", "history", "a replica does not count PING and its like", "replica"},
    {"late_join", "history", "the stream of a replica begins behind its snapshot", "resync"},
    {"early_start", "convergence", "a snapshot's offset is that of a moment before", "replica"},
    {"left_data", "history", "a full synchronisation leaves old data", "replica"},
    {"dropped_lapsed", "history", "a snapshot is loaded without keys that have expired", "replica"},
    {"deciding_replica", "history", "a replica expires keys by itself", "replica"},
    {"writable_replica", "history", "a replica takes writes", "replica"},
    {"given_up_link", "convergence", "a link that has ended is not made anew", "replica"},
    {"endless_patience", "convergence", "silence is no reason to end a link", "replica"},
    {"generous_wait", "acknowledged", "WAIT counts all that are connected", "wait"},
    {"double_wait", "acknowledged", "WAIT counts a replica twice", "wait"},
    {"early_waitaof", "acknowledged", "WAITAOF counts what is not on the medium", "wait"},
    {"hasty_failover", "loss", "FAILOVER hands over at once", "failover_manual"},
    {"half_entry", "history", "what has come of a transaction is applied when the link ends",
     "resync"},
    {"kept_half", "convergence", "half a transaction goes on with what the next link brings",
     "resync"},
    {"counted_first", "history", "a transaction counts before it is applied", "replica"},
    {"unkept_unknown", "history", "a transaction with an unknown command is in no log", "replica"},
    {"unnoted_unknown", "convergence", "it is in the log as if all of it were known", "replica"},
    {"half_snapshot", "history", "a snapshot that fails leaves half of it, under its name",
     "resync"},
    {"cut_snapshot", "history", "the end of the link is taken for the end of the snapshot",
     "resync"},
    {"lost_stream_db", "history", "a snapshot of a replica does not say which database is selected",
     "resync"},
    {"early_ack", "acknowledged", "a replica acknowledges a snapshot that it has not loaded",
     "wait"},
    {"early_fack", "acknowledged", "a replica says that its medium has what it has applied",
     "wait"},
    {"served_stale", "manners", "replica-serve-stale-data no is passed over", "replica"},
    {"self_counted", "acknowledged", "WAITAOF counts the primary as one of its replicas", "wait"},
    {"counted_laggard", "manners", "min-replicas-to-write counts replicas that say nothing",
     "replica"},
    {"deaf_to_write", "durability", "the result of a write of the log is not looked at",
     "full_disk"},
    {"early_acknowledgement", "durability", "what is on its way to the log counts as written",
     "rewrite"},
    {"reopened_gate", "durability", "when the gate closes for the second time, it stays open",
     "power"},
    {"deaf_to_policy", "durability", "the log keeps the policy of its beginning", "power"},
    {"lost_increment", "durability", "a rewrite behind one that failed forgets an increment",
     "full_disk"},
    {"reused_increment", "durability", "a rewrite behind one that failed takes its increment again",
     "full_disk"},
    {"unwritten_removal", "durability", "a removed key is not removed in the log", "rewrite"},
    {"missing_select", "durability", "an increment does not say which database it begins in",
     "rewrite"},
    {"dropped_ttl", "durability", "a rewritten log has keys without their deadlines", "rewrite"},
    {"lost_field_deadline", "durability", "a snapshot has a field without its deadline", "rewrite"},
    {"missed_change", "durability", "a rewrite misses what it has not come to yet", "rewrite"},
    {"half_transaction", "durability", "a transaction without an end is loaded", "kept_data"},
    {"kept_tail", "progress", "the log goes on behind half an entry", "power"},
    {"ignored_checksum", "damage", "an entry of the log is loaded though it is damaged",
     "damaged_data"},
    {"damaged_snapshot", "damage", "a snapshot is loaded though it is damaged", "damaged_data"},
    {"tail_in_the_middle", "damage", "a file of the log that ends early is followed by the next",
     "damaged_data"},
    {"crash", "crash", "the process dies when there are a hash and a list"},
};

// Between two strikes, so that what follows one can be seen.
constexpr uint64_t kCommandsBetween = 500;

using Words = std::vector<std::string_view>;

}  // namespace

std::span<const Plant> all_plants() {
  return kPlantRows;
}

bool Plants::is_about_waiting() const {
  return is("last_come") || is("deaf_waiter") || is("early_timeout");
}

bool Plants::is_about_transactions() const {
  return is("blind_exec") || is("blind_watch") || is("torn_rollback");
}

bool Plants::is_about_messages() const {
  return is("lost_message") || is("swapped_messages") || is("lost_subscription");
}

bool Plants::is_about_files() const {
  return is("forgotten_file") || skipped_sync();
}

std::optional<OpKind> Plants::skipped_sync() const {
  if (is("unsynced_file")) return OpKind::sync;
  if (is("unsynced_names")) return OpKind::sync_directory;
  if (is("unsynced_log")) return OpKind::sync_data;
  return std::nullopt;
}

void Plants::plant_in(Node& node) const {
  Part* const part = node.parts().find(Persistence::kKind);
  if (part == nullptr) return;
  auto& persistence = static_cast<Persistence&>(*part);
  persistence.plant({.directory_forgotten = is("unsynced_rename"),
                     .deadline_dropped = is("dropped_ttl"),
                     .field_deadline_lost = is("lost_field_deadline"),
                     .damaged_snapshot_accepted = is("damaged_snapshot"),
                     .manifest_before_base = is("manifest_before_base"),
                     .directory_not_synced = is("unsynced_directory"),
                     .history_removed_early = is("history_removed_early"),
                     .increment_lost = is("lost_increment"),
                     .increment_reused = is("reused_increment"),
                     .sync_error_ignored = is("deaf_to_sync"),
                     .write_error_ignored = is("deaf_to_write"),
                     .acknowledged_early = is("early_acknowledgement"),
                     .removal_not_written = is("unwritten_removal"),
                     .select_missing = is("missing_select"),
                     .policy_kept = is("deaf_to_policy"),
                     .gate_reopened_wide = is("reopened_gate"),
                     .half_transaction_loaded = is("half_transaction"),
                     .checksum_ignored = is("ignored_checksum"),
                     .tail_kept = is("kept_tail"),
                     .tail_in_the_middle = is("tail_in_the_middle")});
}

// The whole process, as by a failed assertion.
void Plants::crash_over(NodeChecker& checker) {
  bool hash = false;
  bool list = false;
  for (const auto& [key, entry] : checker.model().database(0)) {
    hash = hash || entry.type == ModelType::hash;
    list = list || entry.type == ModelType::list;
  }
  const bool both_are_there = hash && list;
  ASSERT(!both_are_there);
}

bool Plants::is_about_keys() const {
  return is("stray_event") || is("deaf_tracker") || is("busy_pause");
}

// Bugs that no reply shows. False: the planted one is another.
bool Plants::strike_beside(Node& node) {
  if (is("stray_event")) {
    node.keyspace().feed().announce(0, "nobody's", 'g', "del");
  } else if (is("deaf_tracker")) {
    for (Session* s = node.clients().sessions().first(); s != nullptr; s = s->next)
      node.clients().tracking().disable(*s);
  } else if (is("wrong_count")) {
    ++node.stats().expired_keys;
  } else if (is("lost_bytes")) {
    node.keyspace().database(0).allocator().count(8);
  } else if (is("relative_effect")) {
    node.effects().append(0, Words{"EXPIRE", "k0", "100"});
  } else if (is("busy_pause")) {
    if (node.dispatcher().pause().mode() != PauseMode::none)
      node.effects().append(0, Words{"DEL", "k0"});
  } else {
    return false;
  }
  return true;
}

void Plants::strike(Node& node, NodeChecker& checker, bool at_once) {
  if (is("crash")) return crash_over(checker);
  if (is_about_keys()) {
    static_cast<void>(strike_beside(node));
    return;
  }
  if (is("missed_change")) {
    const Part* const part = node.parts().find(Persistence::kKind);
    if (static_cast<const Persistence*>(part)->aof().rewriting()) mark_entries(node);
    return;
  }
  if (is_about_transactions()) return strike_transactions(node, checker);
  if (is("deaf_waiter") || is("last_come")) return strike_waiting(node);
  if (is("unlucky_loss")) {
    const uint64_t times = times_unlucky(UnluckyPlace::free_later);
    if (times != std::exchange(last_, times)) change_data(node, checker);
    return;
  }
  if (checker.commands() < last_ + (at_once ? 1 : kCommandsBetween)) return;
  // While there is nothing to evict, nobody is told more than that memory is short.
  if (is("stray_eviction") && !has_live_key(node, checker)) return;
  last_ = checker.commands();
  if (is("missed_entry")) return mark_entries(node);
  if (strike_beside(node)) return;
  if (is("lost_subscription")) {
    for (Session* s = node.clients().sessions().first(); s != nullptr; s = s->next) {
      node.clients().pubsub().unsubscribe(*s, ChannelKind::channel, "news:0");
    }
    return;
  }
  if (is_about_waiting()) return strike_waiting(node);
  if (is("exit")) return node.env().backend().request_exit(3);
  if (is("hang_up") && node.clients().sessions().first() != nullptr) {
    return node.clients().close(*node.clients().sessions().first(), false);
  }
  if (is("stray_eviction")) {
    const std::string limit = std::to_string(node.used_memory() / 2);
    const Words pairs = {"maxmemory", limit, "maxmemory-policy",
                         checker.model().config().lfu ? "allkeys-lfu" : "allkeys-lru"};
    std::string error;
    ASSERT(node.config().set(pairs, &error));
    return node.settings_changed();
  }
  if (is("lost_write") || is("forgotten_write") || is("wrong_ttl") || is("early_expiry"))
    change_data(node, checker);
}

void Plants::strike_transactions(Node& node, NodeChecker& checker) {
  if (is("blind_exec")) {
    for (Session* s = node.clients().sessions().first(); s != nullptr; s = s->next) {
      if (s->watches != nullptr) s->watches->failed = false;
    }
    return;
  }
  if (is("blind_watch")) {
    for (int db = 0; db < node.keyspace().count(); ++db) {
      const WatchPlace* place = nullptr;
      while ((place = node.keyspace().feed().watched().next_in(db, place)) != nullptr)
        place->expired = true;
    }
    return;
  }
  const uint64_t undone = node.stats().transactions_rolled_back;
  if (undone == std::exchange(last_, undone)) return;
  const auto& place = checker.transactions().last_undone();
  if (!place || !place->second.starts_with("k")) return;
  Session& session = node.clients().make_local();
  node.dispatcher().execute(session, Words{"SELECT", std::to_string(place->first)});
  node.dispatcher().execute(session, Words{"SET", place->second, "torn"});
  node.clients().drop_local(session);
}

void Plants::strike_waiting(Node& node) {
  Session* first = nullptr;
  for (Session* s = node.clients().sessions().first(); s != nullptr; s = s->next) {
    if (s->wait == nullptr) continue;
    if (is("early_timeout") && s->wait->deadline != Instant::never()) {
      node.dispatcher().blocked().unblock(*s, false);
      return;
    }
    if (is("deaf_waiter")) {
      for (const auto at : s->wait->places) at->ready = true;
    }
    if (is("last_come") && first != nullptr && swap_waits(node, *first, *s)) return;
    first = s;
  }
}

// Two that wait with the same command change places; each keeps its time.
bool Plants::swap_waits(Node& node, Session& a, Session& b) {
  Words of_a;
  Words of_b;
  a.wait->request.views(of_a);
  b.wait->request.views(of_b);
  const bool alike = a.db == b.db && of_a == of_b && a.wait->deadline != Instant::never();
  const uint64_t ticket = std::max(a.wait->places[0]->ticket, b.wait->places[0]->ticket);
  if (!alike || ticket <= last_) return false;
  last_ = ticket;  // not back again
  std::swap(a.wait, b.wait);
  std::swap(a.wait->deadline, b.wait->deadline);
  for (Session* s : {&a, &b}) {
    s->wait->session = s;
    node.env().disarm(s->wait->timer);
    node.env().arm(s->wait->timer, s->wait->deadline);
  }
  return true;
}

void Plants::strike_late(Node& node, NodeChecker& checker) {
  if (!is("late_loss") || change_data(node, checker)) return;
  // No key lives any more: then one is there that nobody wrote.
  Session& session = node.clients().make_local();
  node.dispatcher().execute(session, Words{"SET", "stray", "1"});
  node.clients().drop_local(session);
}

// As snapshot passes do it with what they have.
void Plants::mark_entries(Node& node) {
  for (int db = 0; db < node.keyspace().count(); ++db) {
    node.keyspace().database(db).dict().for_each([](const Entry& entry) { entry.set_marks(255); });
  }
}

bool Plants::has_live_key(Node& node, NodeChecker& checker) {
  const int64_t now_ms = node.env().wall().unix_ms();
  for (int db = 0; db < checker.model().config().databases; ++db) {
    for (const auto& [name, entry] : checker.model().database(db)) {
      if (!entry.expired_at(now_ms)) return true;
    }
  }
  return false;
}

// In each database, the first key that can be changed.
bool Plants::change_data(Node& node, NodeChecker& checker) {
  const int64_t now_ms = node.env().wall().unix_ms();
  Session& session = node.clients().make_local();
  bool changed = false;
  for (int db = 0; db < checker.model().config().databases; ++db) {
    const std::string number = std::to_string(db);
    node.dispatcher().execute(session, Words{"SELECT", number});
    for (const auto& [name, entry] : checker.model().database(db)) {
      if (entry.expired_at(now_ms)) continue;
      const std::string key = name;  // what follows may remove the entry
      if (is("wrong_ttl")) {
        if (entry.deadline_ms == ModelEntry::no_deadline) continue;
        const std::string later = std::to_string(entry.deadline_ms + 5'000);
        node.dispatcher().execute(session, Words{"PEXPIREAT", key, later});
      } else if (is("early_expiry")) {
        node.keyspace().removal().expire_key(db, key, node.keyspace().hash(key));
      } else {
        node.dispatcher().execute(session, Words{"DEL", key});
      }
      changed = true;
      break;
    }
  }
  node.clients().drop_local(session);
  return changed;
}

}  // namespace redoubt::sim
