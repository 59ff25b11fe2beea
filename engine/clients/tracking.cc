#include "engine/clients/tracking.h"

#include <algorithm>
#include <utility>

#include "engine/clients/clients.h"
#include "engine/clients/wire_text.h"

namespace redoubt {

namespace {

// Keys that clean() frees at a time, and that may go for the limit at once.
constexpr size_t kSlice = 5000;

// A prefix of a session: in its own set, and with the session in the map of all.
size_t bytes_of_prefix(std::string_view text) {
  return text.size() + 200;
}

std::string array_of(std::string_view key) {
  std::string keys;
  append_line(keys, '*', 1);
  append_bulk(keys, key);
  return keys;
}

}  // namespace

// --- clients

void Tracking::enable(Session& session, TrackingOptions options) {
  if (session.tracking == nullptr) {
    session.tracking = std::make_unique<TrackingState>();
    session.set(kSessionTracking);
    sessions_.emplace(session.id, &session);
    clients_.sink().on_tracking_changed();
  }
  std::vector<std::string> added = std::move(options.prefixes);
  TrackingState& state = *session.tracking;
  state.options = std::move(options);
  state.options.prefixes.clear();
  state.caching = state.broken_redirect = false;
  if (state.options.redirect != 0) {
    if (Session* to = clients_.sessions().find(state.options.redirect))
      redirects_.emplace(to->id, to);
  }
  if (!state.options.broadcast) return;
  if (added.empty()) added.emplace_back();
  for (std::string& text : added) join_prefix(session, std::move(text));
}

void Tracking::join_prefix(Session& session, std::string&& text) {
  const auto [found, is_new] = prefixes_.try_emplace(std::move(text));
  const std::string_view prefix = found->first;
  if (is_new) ++prefix_lengths_[prefix.size()];
  if (!found->second.sessions.emplace(session.id, &session).second) return;
  prefix_bytes_ += bytes_of_prefix(prefix);
  session.tracking->prefixes.insert(prefix);
}

void Tracking::disable(Session& session) {
  if (session.tracking == nullptr) return;
  leave_prefixes(session);
  ASSERT(sessions_.contains(session.id));
  session.tracking.reset();
  session.clear(kSessionTracking);
  sessions_.erase(session.id);
  clients_.sink().on_tracking_changed();
}

void Tracking::session_closed(Session& session) {
  disable(session);
  if (!redirects_.empty()) redirects_.erase(session.id);
}

void Tracking::leave_prefixes(Session& session) {
  clients_.env().count_work(session.tracking->prefixes.size());
  // The set is not searched any more: its texts may go with the table's.
  for (const std::string_view text : session.tracking->prefixes) {
    const auto found = prefixes_.find(text);
    ASSERT(found != prefixes_.end());
    found->second.sessions.erase(session.id);
    prefix_bytes_ -= bytes_of_prefix(text);
    if (!found->second.sessions.empty()) continue;
    const auto length = prefix_lengths_.find(text.size());
    ASSERT(length != prefix_lengths_.end() && length->second > 0);
    if (--length->second == 0) prefix_lengths_.erase(length);
    if (!found->second.changed.empty()) due_.erase(text);
    prefixes_.erase(found);
  }
}

// --- the table

size_t Tracking::bytes_of(const TrackedKey& tracked) {
  constexpr size_t kMapNode = 32 + sizeof(Table::value_type);
  const size_t size = tracked.key->size();
  return kMapNode + (size < sizeof(std::string) / 2 ? 0 : size + 1) +
         tracked.sessions.capacity() * sizeof(uint64_t);
}

void Tracking::remember_keys(Session& session, const Command& row,
                             std::span<const std::string_view> args) {
  ASSERT(session.tracking != nullptr);
  const TrackingState& state = *session.tracking;
  if (state.options.broadcast || (state.options.opt_in && !state.caching) ||
      (state.options.opt_out && state.caching)) {
    return;
  }
  std::vector<int> indexes;
  if (!find_keys(row, args, indexes)) return;
  clients_.env().count_work(indexes.size());
  for (const int index : indexes) remember(args[static_cast<size_t>(index)], session.id);
  enforce_limit();
}

void Tracking::remember(std::string_view key, uint64_t session) {
  auto found = table_.find(key);
  if (found == table_.end()) {
    found = table_.emplace(std::string(key), TrackedKey()).first;
    TrackedKey& added = found->second;
    added.key = &found->first;
    added.older = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer) = &added;
    newest_ = &added;
    table_bytes_ += bytes_of(added);
  }
  TrackedKey& tracked = found->second;
  const auto at = std::lower_bound(tracked.sessions.begin(), tracked.sessions.end(), session);
  if (at != tracked.sessions.end() && *at == session) return;
  table_bytes_ -= bytes_of(tracked);
  tracked.sessions.insert(at, session);
  table_bytes_ += bytes_of(tracked);
  ++items_;
}

Tracking::Table::iterator Tracking::unlink(Table::iterator found) {
  TrackedKey& tracked = found->second;
  ASSERT(items_ >= tracked.sessions.size() && table_bytes_ >= bytes_of(tracked));
  (tracked.older == nullptr ? oldest_ : tracked.older->newer) = tracked.newer;
  (tracked.newer == nullptr ? newest_ : tracked.newer->older) = tracked.older;
  items_ -= tracked.sessions.size();
  table_bytes_ -= bytes_of(tracked);
  return table_.erase(found);
}

void Tracking::tell_and_forget(Table::iterator found, bool spare_current) {
  const std::vector<uint64_t> remembered = std::move(found->second.sessions);
  found->second.sessions = {};
  items_ -= remembered.size();
  table_bytes_ -= remembered.capacity() * sizeof(uint64_t);
  const std::string keys = array_of(found->first);
  unlink(found);
  clients_.env().count_work(remembered.size());
  for (const uint64_t id : remembered) {
    const auto tracking = sessions_.find(id);
    if (tracking == sessions_.end()) continue;  // switched off, or gone
    Session& session = *tracking->second;
    const TrackingOptions& options = session.tracking->options;
    if (options.broadcast) continue;
    if (spare_current && options.no_loop && clients_.current() == &session) continue;
    tell(session, keys);
  }
}

void Tracking::on_key_changed(int /*db*/, std::string_view key) {
  if (!prefixes_.empty()) note_for_broadcast(key);
  const auto found = table_.find(key);
  if (found != table_.end()) tell_and_forget(found, true);
}

void Tracking::on_flushed() {
  for (const auto& [id, session] : sessions_) tell(*session, {});
  clients_.env().count_work(sessions_.size());
  if (table_.empty()) return;
  garbage_.push_back(std::move(table_));
  table_ = Table();
  oldest_ = newest_ = nullptr;
  items_ = table_bytes_ = 0;
}

void Tracking::enforce_limit() {
  const uint64_t limit = clients_.settings().tracking_table_max_keys;
  if (limit == 0) return;
  for (size_t i = 0; i < kSlice && table_.size() > limit; ++i) {
    ASSERT(oldest_ != nullptr);
    tell_and_forget(table_.find(*oldest_->key), false);
  }
}

void Tracking::clean() {
  size_t budget = kSlice;
  while (!garbage_.empty() && budget > 0) {
    Table& table = garbage_.back();
    while (!table.empty() && budget > 0) {
      table.erase(table.begin());
      --budget;
    }
    if (table.empty()) garbage_.pop_back();
  }
  // No client is left to get a message.
  while (!active() && oldest_ != nullptr && budget > 0) {
    unlink(table_.find(*oldest_->key));
    --budget;
  }
  if (active()) enforce_limit();
}

// --- broadcasting

// Looks each prefix of the key up that has a length that some prefix has.
void Tracking::note_for_broadcast(std::string_view key) {
  const uint64_t changed_by = clients_.current() == nullptr ? 0 : clients_.current()->id;
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > key.size()) break;
    const auto found = prefixes_.find(key.substr(0, length));
    if (found == prefixes_.end()) continue;
    if (found->second.changed.empty()) due_.emplace(found->first, &found->second);
    // The last one counts: an earlier one does not know the value any more.
    found->second.changed.insert_or_assign(std::string(key), changed_by);
    clients_.sink().request_turn();
  }
}

void Tracking::broadcast() {
  for (const auto& [text, prefix] : std::exchange(due_, {})) broadcast_prefix(*prefix);
}

void Tracking::broadcast_prefix(Prefix& prefix) {
  const auto changed = std::move(prefix.changed);
  prefix.changed.clear();
  // The keys that a session did not change itself; 0 for all.
  const auto encode = [&changed](uint64_t but_by) {
    size_t count = 0;
    std::string bulks;
    for (const auto& [key, by] : changed) {
      if (but_by != 0 && by == but_by) continue;
      append_bulk(bulks, key);
      ++count;
    }
    std::string keys;
    if (count > 0) append_line(keys, '*', static_cast<int64_t>(count));
    return keys + bulks;
  };
  const std::string all = encode(0);
  clients_.env().count_work(changed.size() + prefix.sessions.size());
  for (const auto& [id, session] : prefix.sessions) {
    if (!session->tracking->options.no_loop) {
      tell(*session, all);
      continue;
    }
    const bool changed_some = std::any_of(changed.begin(), changed.end(),
                                          [id](const auto& key) { return key.second == id; });
    const std::string keys = changed_some ? encode(id) : all;
    if (!keys.empty()) tell(*session, keys);
  }
}

// --- messages

void Tracking::tell(Session& session, std::string_view keys) {
  TrackingState& state = *session.tracking;
  Session* to = &session;
  std::string message;
  if (state.options.redirect != 0) {
    const auto found = redirects_.find(state.options.redirect);
    if (found == redirects_.end()) {
      state.broken_redirect = true;
      if (session.protocol != Protocol::resp3) return;
      message = ">2\r\n$21\r\ntracking-redir-broken\r\n";
      append_line(message, ':', static_cast<int64_t>(state.options.redirect));
      clients_.messages().push(session, message);
      return;
    }
    to = found->second;
  }
  if (to->protocol == Protocol::resp3) {
    message = ">2\r\n$10\r\ninvalidate\r\n";
  } else if (to != &session && to->has(kSessionSubscribed)) {
    message = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
  } else {
    return;
  }
  if (keys.empty()) {
    message += to->protocol == Protocol::resp3 ? "_\r\n" : "$-1\r\n";
  } else {
    message += keys;
  }
  clients_.messages().push(*to, message);
}

}  // namespace redoubt
