// KeyEvents: keyspace notifications (notify-keyspace-events).
//
// For each event that a command reports, a message goes to the channels of the key and of the
// event, and to those of the parts of its value. Two kinds of events do not come from commands:
// that a key is new, and that a value was replaced as a whole. The databases note these in a KeyLog
// while such events are published, and the notes become events right before the event of the
// command that caused them, or at the end of that command.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/keyspace/event_channels.h"
#include "engine/store/database.h"
#include "engine/store/key_log.h"

namespace redoubt {

class KeyEvents {
 public:
  using Databases = std::vector<std::unique_ptr<Database>>;

  // The databases outlive it.
  explicit KeyEvents(const Databases& databases) : databases_(databases) {}
  KeyEvents(const KeyEvents&) = delete;
  KeyEvents& operator=(const KeyEvents&) = delete;

  // Publishes events on these channels, which outlive it. Without a call, it publishes none.
  void publish_to(EventChannels& channels) { channels_ = &channels; }
  // The classes to publish from now on, as bits (event_class_bit); with neither K nor E, or nothing
  // else, none. Forgets all notes. The caller gives log() to the databases anew.
  void select(uint32_t classes);

  // Whether any events are published.
  bool on() const { return classes_ != 0; }
  // The log in which databases note new keys and replaced values; null: they need not.
  KeyLog* log();
  // Something is noted that has not been published.
  bool has_notes() const { return !log_.notes.empty(); }

  // Publishes an event, behind the notes of the databases.
  void emit(int db, std::string_view key, char event_class, std::string_view event);
  // Whether the parts of a value (fields of a hash) that events are about are published, too.
  bool wants_parts() const { return wants_parts_; }
  // Publishes the parts that an event is about, which was published just now. Only when they are
  // wanted.
  void emit_parts(int db, std::string_view key, char event_class, std::string_view event,
                  std::span<const std::string_view> parts);
  // The command has ended: publishes the notes of the databases.
  void emit_notes() { emit_notes(-1, {}, {}); }
  // The changes that were noted are undone.
  void forget_notes() { log_.notes.clear(); }

 private:
  void emit_notes(int db, std::string_view key, std::string_view event);
  int index_of(const Database* database, int likely) const;
  void publish(int db, std::string_view key, char event_class, std::string_view event);

  const Databases& databases_;
  EventChannels* channels_ = nullptr;
  uint32_t classes_ = 0;
  bool wants_parts_ = false;
  KeyLog log_;
};

}  // namespace redoubt
