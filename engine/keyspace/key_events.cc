#include "engine/keyspace/key_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "engine/config/event_classes.h"
#include "net/assert.h"

namespace redoubt {

namespace {

constexpr uint32_t kByKey = event_class_bit('K');
constexpr uint32_t kByEvent = event_class_bit('E');
constexpr uint32_t kPartsByKey = event_class_bit('S');
constexpr uint32_t kPartsByEvent = event_class_bit('T');
constexpr uint32_t kByPart = event_class_bit('I');
constexpr uint32_t kPartsByBoth = event_class_bit('V');
constexpr uint32_t kParts = kPartsByKey | kPartsByEvent | kByPart | kPartsByBoth;
constexpr uint32_t kEventChannels = kByKey | kByEvent | kParts;
constexpr uint32_t kLogged = event_class_bit('n') | event_class_bit('o') | event_class_bit('c');

// Events of commands that reach into a string; the store may have made a new entry for it.
bool changes_in_place(std::string_view event) {
  constexpr std::array<std::string_view, 7> kEvents = {
      "append", "incrby", "decrby", "incrbyfloat", "setrange", "setbit", "pfadd"};
  return std::find(kEvents.begin(), kEvents.end(), event) != kEvents.end();
}

}  // namespace

void KeyEvents::select(uint32_t classes) {
  const bool any_channel = (classes & kEventChannels) != 0;
  const bool any_event = (classes & ~kEventChannels) != 0;
  classes_ = any_channel && any_event ? classes : 0;
  wants_parts_ = (classes_ & kParts) != 0;
  log_.notes.clear();
}

KeyLog* KeyEvents::log() {
  return (classes_ & kLogged) != 0 ? &log_ : nullptr;
}

void KeyEvents::emit(int db, std::string_view key, char event_class, std::string_view event) {
  ASSERT(on());
  if (has_notes()) emit_notes(db, key, event);
  publish(db, key, event_class, event);
}

// The command itself reports `event` of `key`.
void KeyEvents::emit_notes(int db, std::string_view key, std::string_view event) {
  const std::vector<KeyLog::Note> notes = std::exchange(log_.notes, {});
  for (const KeyLog::Note& note : notes) {
    const int at = index_of(note.database, db);
    if (at < 0) continue;  // it was flushed
    if (note.created) {
      publish(at, note.key, 'n', "new");
    } else if (at == db && note.key == key && !changes_in_place(event)) {
      publish(db, key, 'o', "overwritten");
      if (note.type_changed) publish(db, key, 'c', "type_changed");
    }
  }
}

int KeyEvents::index_of(const Database* database, int likely) const {
  if (likely >= 0 && databases_[static_cast<size_t>(likely)].get() == database) return likely;
  const auto at = std::find_if(databases_.begin(), databases_.end(),
                               [&](const auto& each) { return each.get() == database; });
  return at == databases_.end() ? -1 : static_cast<int>(at - databases_.begin());
}

void KeyEvents::emit_parts(int db, std::string_view key, char event_class, std::string_view event,
                           std::span<const std::string_view> parts) {
  ASSERT(wants_parts() && !parts.empty());
  if ((classes_ & event_class_bit(event_class)) == 0) return;
  if (channels_ == nullptr || !channels_->has_listeners()) return;
  std::string list;
  if ((classes_ & kParts & ~kByPart) != 0) {
    for (const std::string_view part : parts) {
      list += fmt::format("{}{}:{}", list.empty() ? "" : ",", part.size(), part);
    }
  }
  if ((classes_ & kPartsByKey) != 0) {
    channels_->publish(fmt::format("__subkeyspace@{}__:{}", db, key),
                       fmt::format("{}|{}", event, list));
  }
  if ((classes_ & kPartsByEvent) != 0) {
    channels_->publish(fmt::format("__subkeyevent@{}__:{}", db, event),
                       fmt::format("{}:{}|{}", key.size(), key, list));
  }
  // The line end separates the key from the part.
  if ((classes_ & kByPart) != 0 && key.find('\n') == std::string_view::npos) {
    for (const std::string_view part : parts) {
      channels_->publish(fmt::format("__subkeyspaceitem@{}__:{}\n{}", db, key, part), event);
    }
  }
  if ((classes_ & kPartsByBoth) != 0) {
    channels_->publish(fmt::format("__subkeyspaceevent@{}__:{}|{}", db, event, key), list);
  }
}

void KeyEvents::publish(int db, std::string_view key, char event_class, std::string_view event) {
  ASSERT(db >= 0 && static_cast<size_t>(db) < databases_.size());
  if ((classes_ & event_class_bit(event_class)) == 0) return;
  if (channels_ == nullptr || !channels_->has_listeners()) return;
  if ((classes_ & kByKey) != 0) {
    channels_->publish(fmt::format("__keyspace@{}__:{}", db, key), event);
  }
  if ((classes_ & kByEvent) != 0) {
    channels_->publish(fmt::format("__keyevent@{}__:{}", db, event), key);
  }
}

}  // namespace redoubt
