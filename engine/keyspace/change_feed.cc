#include "engine/keyspace/change_feed.h"

#include <algorithm>
#include <utility>

#include "engine/keyspace/keyspace.h"
#include "net/assert.h"

namespace redoubt {

ChangeFeed::ChangeFeed(Keyspace& keys, AccessClock& clock, ReplyGate& gate, Stats& stats)
    : keys_(keys),
      clock_(clock),
      gate_(gate),
      stats_(stats),
      events_(keys.databases()),
      watched_(keys) {}

// --- reports

void ChangeFeed::hold_or_tell_modified(int db, std::string_view key, char event_class,
                                       std::string_view event) {
  if (rollback_ == nullptr) return tell_modified(db, key, event_class, event);
  ASSERT(rollback_->keeps(db, key));
  hold(Held::Kind::modified, db, key, event_class, event);
}

void ChangeFeed::tell_modified(int db, std::string_view key, char event_class,
                               std::string_view event) {
  ASSERT(rollback_ == nullptr);
  ASSERT(db >= 0 && db < keys_.count());
  if (clock_.follows_changes()) [[unlikely]] {
    if (const Entry* entry = keys_.database(db).find(key, keys_.hash(key))) clock_.changed(*entry);
  }
  if (gate_.active()) gate_.key_written(keys_.gate_key(db, key));
  if (!watched_.idle()) [[unlikely]]
    watched_.key_changed(db, key);
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_key_changed(db, key);
  if (events_.on()) [[unlikely]]
    events_.emit(db, key, event_class, event);
}

void ChangeFeed::announce(int db, std::string_view key, char event_class, std::string_view event) {
  if (rollback_ != nullptr) {
    hold(Held::Kind::announced, db, key, event_class, event);
  } else if (events_.on()) [[unlikely]] {
    events_.emit(db, key, event_class, event);
  }
}

void ChangeFeed::announce_parts(int db, std::string_view key, char event_class,
                                std::string_view event, std::span<const std::string_view> parts) {
  if (!events_.wants_parts() || parts.empty()) return;
  if (rollback_ != nullptr) return hold(Held::Kind::parts, db, key, event_class, event, parts);
  keys_.env().count_work(parts.size());
  events_.emit_parts(db, key, event_class, event, parts);
}

void ChangeFeed::missed(int db, std::string_view key) {
  ++stats_.keyspace_misses;
  if (events_.on()) [[unlikely]]
    events_.emit(db, key, 'm', "keymiss");
}

void ChangeFeed::expired(int db, std::string_view key) {
  if (rollback_ != nullptr) return hold(Held::Kind::expired, db, key, 'x', {});
  ++stats_.expired_keys;
  tell_modified(db, key, 'x', "expired");
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_expired(db, key);
}

void ChangeFeed::parts_expired(int db, std::string_view key, char event_class,
                               std::span<const std::string_view> names) {
  ASSERT(event_class == 'h' || event_class == 's');
  if (rollback_ != nullptr) {
    return hold(Held::Kind::parts_expired, db, key, event_class, {}, names);
  }
  stats_.expired_parts += names.size();
  tell_modified(db, key, event_class, event_class == 's' ? "sexpired" : "hexpired");
  if (event_class == 'h') announce_parts(db, key, event_class, "hexpired", names);
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_parts_expired(db, key, names);
}

void ChangeFeed::evicted(int db, std::string_view key) {
  ASSERT(rollback_ == nullptr);
  ++stats_.evicted_keys;
  modified(db, key, 'e', "evicted");
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_evicted(db, key);
}

void ChangeFeed::before_all_change() {
  if (gate_.active()) gate_.all_written();
}

void ChangeFeed::before_database_changes(int db, const Database& before, const Database* after) {
  if (!watched_.idle()) watched_.database_changes(db, before, after);
}

void ChangeFeed::database_changed(int db) {
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_database_changed(db);
}

void ChangeFeed::flushed() {
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_flushed();
}

// --- receivers

void ChangeFeed::set_listening(KeyListener& listener, bool listens) {
  const auto at = std::find(listeners_.begin(), listeners_.end(), &listener);
  if (listens == (at != listeners_.end())) return;
  if (listens) {
    listeners_.push_back(&listener);
  } else {
    listeners_.erase(at);
  }
  update_attention();
}

void ChangeFeed::update_attention() {
  attentive_ = rollback_ != nullptr || clock_.follows_changes() || !watched_.idle() ||
               !listeners_.empty() || events_.on();
}

// --- transactions that may be undone

void ChangeFeed::hold_back(const Rollback& rollback) {
  ASSERT(rollback_ == nullptr && held_.empty());
  rollback_ = &rollback;
  update_attention();
}

void ChangeFeed::hold(Held::Kind kind, int db, std::string_view key, char event_class,
                      std::string_view event, std::span<const std::string_view> parts) {
  ASSERT(rollback_ != nullptr);
  held_.push_back(
      {kind, event_class, db, std::string(key), std::string(event), {parts.begin(), parts.end()}});
}

void ChangeFeed::release() {
  ASSERT(rollback_ != nullptr);
  rollback_ = nullptr;
  update_attention();
  for (const Held& held : std::exchange(held_, {})) tell(held);
}

void ChangeFeed::forget() {
  ASSERT(rollback_ != nullptr);
  rollback_ = nullptr;
  update_attention();
  held_.clear();
  events_.forget_notes();
}

void ChangeFeed::tell(const Held& held) {
  const std::vector<std::string_view> parts(held.parts.begin(), held.parts.end());
  switch (held.kind) {
    case Held::Kind::modified:
      return tell_modified(held.db, held.key, held.event_class, held.event);
    case Held::Kind::announced: return announce(held.db, held.key, held.event_class, held.event);
    case Held::Kind::parts:
      return announce_parts(held.db, held.key, held.event_class, held.event, parts);
    case Held::Kind::expired: return expired(held.db, held.key);
    case Held::Kind::parts_expired:
      return parts_expired(held.db, held.key, held.event_class, parts);
  }
}

}  // namespace redoubt
