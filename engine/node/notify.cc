// Telling others what has happened to keys: keyspace notifications, and invalidations of clients
// that track.
//
// Whatever is told of a key goes through emit_event(). Two kinds of events do not come from the
// commands: that a key is new, and that a value was replaced as a whole. The databases note these
// in a KeyLog while somebody wants to know, and the notes become events right before the event of
// the command that caused them.
#include "engine/config/event_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/node/node_state.h"

namespace redoubt {

namespace {

constexpr uint32_t kByKey = event_class_bit('K');
constexpr uint32_t kByEvent = event_class_bit('E');
constexpr uint32_t kLogged = event_class_bit('n') | event_class_bit('o') | event_class_bit('c');

// Events of commands that reach into a string; the store may have made a new entry for it.
bool changes_in_place(std::string_view event) {
  constexpr std::array<std::string_view, 7> kEvents = {
      "append", "incrby", "decrby", "incrbyfloat", "setrange", "setbit", "pfadd"};
  return std::find(kEvents.begin(), kEvents.end(), event) != kEvents.end();
}

}  // namespace

// --- events of keys

void Node::update_key_events() {
  const uint32_t wanted = settings().notify_events;
  const bool notifies = (wanted & (kByKey | kByEvent)) != 0 && (wanted & ~(kByKey | kByEvent)) != 0;
  notify_ = notifies ? wanted : 0;
  key_events_wanted_ = notify_ != 0 || clients_.tracking().active();
  key_log_.notes.clear();
  for (const auto& database : databases_) attach_key_log(*database);
}

void Node::attach_key_log(Database& database) {
  database.set_key_log((notify_ & kLogged) != 0 ? &key_log_ : nullptr);
}

void Node::emit_event(int db, std::string_view key, char event_class, std::string_view event,
                      bool changed) {
  if (changed && clients_.tracking().active()) clients_.tracking().key_changed(key);
  if (notify_ == 0) return;
  if (!key_log_.notes.empty()) emit_logged(db, key, event);
  publish_event(db, key, event_class, event);
}

// What the databases have noted; `event` of `key` is what the command itself says.
void Node::emit_logged(int db, std::string_view key, std::string_view event) {
  const std::vector<KeyLog::Note> notes = std::move(key_log_.notes);
  key_log_.notes.clear();
  for (const KeyLog::Note& note : notes) {
    int at = db >= 0 && &database(db) == note.database ? db : 0;
    while (at < database_count() && &database(at) != note.database) ++at;
    if (at == database_count()) continue;
    if (note.created) {
      publish_event(at, note.key, 'n', "new");
    } else if (at == db && note.key == key && !changes_in_place(event)) {
      publish_event(db, key, 'o', "overwritten");
      if (note.type_changed) publish_event(db, key, 'c', "type_changed");
    }
  }
}

void Node::publish_event(int db, std::string_view key, char event_class, std::string_view event) {
  if ((notify_ & event_class_bit(event_class)) == 0 || !pubsub().has_listeners()) return;
  if ((notify_ & kByKey) != 0) {
    pubsub().publish(fmt::format("__keyspace@{}__:{}", db, key), event);
  }
  if ((notify_ & kByEvent) != 0) {
    pubsub().publish(fmt::format("__keyevent@{}__:{}", db, event), key);
  }
}

// The command that `session` executed is through: what the databases noted is told.
void Node::tie_up(Session&) {
  if (!key_log_.notes.empty()) emit_logged(-1, {}, {});
}

}  // namespace redoubt
