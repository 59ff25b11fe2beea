#include "engine/node/tracking.h"

#include <algorithm>

#include "engine/clients/wire_text.h"
#include "engine/node/node.h"
#include "engine/node/session.h"

namespace redoubt {

namespace {

// Keys that clean() frees at a time, and that may go for the limit at once.
constexpr size_t kSlice = 5000;

// A prefix of a session: in its own list, and with the session in the map of all.
size_t bytes_of_prefix(const std::string& text) {
  return 2 * text.size() + 200;
}

std::string array_of(std::string_view key) {
  std::string keys;
  append_line(keys, '*', 1);
  append_bulk(keys, key);
  return keys;
}

}  // namespace

// --- clients

void Tracking::enable(Session& session, const TrackingOptions& options) {
  if (session.tracking == nullptr) {
    session.tracking = std::make_unique<TrackingState>();
    session.flags |= kSessionTracking;
    sessions_.emplace(session.id, &session);
    node_.update_key_events();
  }
  TrackingState& state = *session.tracking;
  std::vector<std::string> prefixes = std::move(state.options.prefixes);
  state = TrackingState();
  state.options = options;
  state.options.prefixes = std::move(prefixes);
  if (options.redirect != 0) {
    if (Session* to = node_.find_session(options.redirect)) redirects_.emplace(to->id, to);
  }
  if (!options.broadcast) return;
  std::vector<std::string> added = options.prefixes;
  if (added.empty()) added.emplace_back();
  for (std::string& text : added) {
    const auto [found, is_new] = prefixes_.try_emplace(text);
    if (is_new) ++prefix_lengths_[text.size()];
    if (!found->second.sessions.emplace(session.id, &session).second) continue;
    prefix_bytes_ += bytes_of_prefix(text);
    std::vector<std::string>& mine = state.options.prefixes;
    mine.insert(std::upper_bound(mine.begin(), mine.end(), text), std::move(text));
  }
}

void Tracking::disable(Session& session) {
  if (session.tracking == nullptr) return;
  leave_prefixes(session);
  session.tracking.reset();
  session.flags &= ~static_cast<uint32_t>(kSessionTracking);
  sessions_.erase(session.id);
  node_.update_key_events();
}

void Tracking::session_closed(Session& session) {
  disable(session);
  if (!redirects_.empty()) redirects_.erase(session.id);
}

void Tracking::leave_prefixes(Session& session) {
  for (const std::string& text : session.tracking->options.prefixes) {
    const auto found = prefixes_.find(text);
    ASSERT(found != prefixes_.end());
    found->second.sessions.erase(session.id);
    prefix_bytes_ -= bytes_of_prefix(text);
    if (!found->second.sessions.empty()) continue;
    const auto length = prefix_lengths_.find(text.size());
    if (--length->second == 0) prefix_lengths_.erase(length);
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
  const TrackingState& state = *session.tracking;
  if (state.options.broadcast || (state.options.opt_in && !state.caching) ||
      (state.options.opt_out && state.caching)) {
    return;
  }
  std::vector<int> indexes;
  if (!find_keys(row, args, indexes)) return;
  node_.env().count_work(indexes.size());
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
  node_.env().count_work(remembered.size());
  for (const uint64_t id : remembered) {
    const auto tracking = sessions_.find(id);
    if (tracking == sessions_.end()) continue;  // switched off, or gone
    Session& session = *tracking->second;
    const TrackingOptions& options = session.tracking->options;
    if (options.broadcast) continue;
    if (spare_current && options.no_loop && node_.current_session() == &session) continue;
    tell(session, keys);
  }
}

void Tracking::key_changed(std::string_view key) {
  if (!prefixes_.empty()) note_for_broadcast(key);
  const auto found = table_.find(key);
  if (found != table_.end()) tell_and_forget(found, true);
}

void Tracking::all_changed() {
  for (const auto& [id, session] : sessions_) tell(*session, {});
  node_.env().count_work(sessions_.size());
  if (table_.empty()) return;
  garbage_.push_back(std::move(table_));
  table_ = Table();
  oldest_ = newest_ = nullptr;
  items_ = table_bytes_ = 0;
}

void Tracking::enforce_limit() {
  const uint64_t limit = node_.settings().tracking_table_max_keys;
  if (limit == 0) return;
  for (size_t i = 0; i < kSlice && table_.size() > limit; ++i) {
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
  // Nobody is left to be told.
  while (!active() && oldest_ != nullptr && budget > 0) {
    unlink(table_.find(*oldest_->key));
    --budget;
  }
  if (active()) enforce_limit();
}

// --- broadcasting

// Looks each prefix of the key up that has a length that some prefix has.
void Tracking::note_for_broadcast(std::string_view key) {
  const uint64_t changed_by = node_.current_session() == nullptr ? 0 : node_.current_session()->id;
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > key.size()) break;
    const auto found = prefixes_.find(key.substr(0, length));
    if (found == prefixes_.end()) continue;
    // The last one counts: who changed it before somebody else does not know its value.
    found->second.changed.insert_or_assign(std::string(key), changed_by);
    broadcast_due_ = true;
    node_.request_turn();
  }
}

void Tracking::broadcast() {
  if (!broadcast_due_) return;
  broadcast_due_ = false;
  for (auto& [text, prefix] : prefixes_) {
    if (!prefix.changed.empty()) broadcast_prefix(prefix);
  }
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
  node_.env().count_work(changed.size() + prefix.sessions.size());
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
      node_.push(session, message);
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
  node_.push(*to, message);
}

}  // namespace redoubt
