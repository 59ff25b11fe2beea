#include "engine/clients/pubsub.h"

#include "engine/clients/clients.h"
#include "engine/clients/wire_text.h"
#include "net/text.h"

namespace redoubt {

namespace {

// A node of the map, its name included when that is too long to be inside.
size_t channel_bytes(const std::string& name) {
  constexpr size_t kMapNode = 32 + sizeof(PubSub::Channels::value_type);
  return kMapNode + (name.size() < sizeof(std::string) / 2 ? 0 : name.size() + 1);
}

// Patterns are long compared with what counts as one element of work.
constexpr size_t kPatternsPerWork = 8;

// The buffer of a longer message is not kept for the next one.
constexpr size_t kKeptBuffer = 64 * 1024;

}  // namespace

size_t subscription_count(const Session& session, ChannelKind kind) {
  return session.subscriptions == nullptr ? 0 : session.subscriptions->count(kind);
}

bool PubSub::subscribe(Session& session, ChannelKind kind, std::string_view name) {
  if (session.subscriptions == nullptr) {
    session.subscriptions = std::make_unique<Subscriptions>();
    session.set(kSessionSubscribed);
    ++session_count_;
  }
  auto& mine = session.subscriptions->by_kind[static_cast<size_t>(kind)];
  if (mine.find(name) != mine.end()) return false;
  Channels& channels = channels_[static_cast<size_t>(kind)];
  auto found = channels.find(name);
  if (found == channels.end()) {
    found = channels.emplace(std::string(name), Channel()).first;
    found->second.name = &found->first;
    memory_bytes_ += channel_bytes(found->first);
  }
  Channel& channel = found->second;
  Subscription& added = mine.emplace(std::string_view(found->first), Subscription()).first->second;
  added.session = &session;
  added.channel = &channel;
  added.previous = channel.last;
  (channel.last == nullptr ? channel.first : channel.last->next) = &added;
  channel.last = &added;
  ++channel.count;
  return true;
}

// Takes the subscription off its channel, which goes with its last subscriber.
void PubSub::leave(Session& session, ChannelKind kind, Subscription& subscription) {
  Channel& channel = *subscription.channel;
  ASSERT(subscription.session == &session && channel.count > 0);
  (subscription.previous == nullptr ? channel.first : subscription.previous->next) =
      subscription.next;
  (subscription.next == nullptr ? channel.last : subscription.next->previous) =
      subscription.previous;
  if (--channel.count > 0) return;
  Channels& channels = channels_[static_cast<size_t>(kind)];
  memory_bytes_ -= channel_bytes(*channel.name);
  channels.erase(channels.find(*channel.name));
}

void PubSub::forget_if_done(Session& session) {
  if (session.subscriptions == nullptr || session.subscriptions->total() > 0) return;
  session.subscriptions.reset();
  session.clear(kSessionSubscribed);
  --session_count_;
}

bool PubSub::unsubscribe(Session& session, ChannelKind kind, std::string_view name) {
  if (session.subscriptions == nullptr) return false;
  auto& mine = session.subscriptions->by_kind[static_cast<size_t>(kind)];
  const auto found = mine.find(name);
  if (found == mine.end()) return false;
  // The map's key is the channel's own name, which may go with the subscription: erasing by
  // iterator does not look at it.
  leave(session, kind, found->second);
  mine.erase(found);
  forget_if_done(session);
  return true;
}

void PubSub::unsubscribe_all(Session& session) {
  if (session.subscriptions == nullptr) return;
  clients_.env().count_work(session.subscriptions->total());
  for (size_t kind = 0; kind < kChannelKinds; ++kind) {
    auto& mine = session.subscriptions->by_kind[kind];
    for (auto& [name, subscription] : mine) {
      leave(session, static_cast<ChannelKind>(kind), subscription);
    }
    mine.clear();
  }
  forget_if_done(session);
}

std::vector<std::string> PubSub::names(const Session& session, ChannelKind kind) {
  std::vector<std::string> names;
  if (session.subscriptions == nullptr) return names;
  for (const auto& [name, subscription] :
       session.subscriptions->by_kind[static_cast<size_t>(kind)]) {
    names.emplace_back(name);
  }
  return names;
}

// RESP2 and RESP3 differ in the first byte.
int64_t PubSub::deliver(const Channel& channel, std::string& encoded) {
  clients_.env().count_work(channel.count);
  for (const Subscription* to = channel.first; to != nullptr; to = to->next) {
    encoded[0] = to->session->protocol == Protocol::resp3 ? '>' : '*';
    clients_.messages().push(*to->session, encoded);
  }
  if (encoded.capacity() > kKeptBuffer) encoded = {};
  return static_cast<int64_t>(channel.count);
}

int64_t PubSub::publish(std::string_view channel, std::string_view message) {
  int64_t receivers = 0;
  const Channels& channels = of(ChannelKind::channel);
  const auto found = channels.find(channel);
  if (found != channels.end()) {
    encoded_.assign("*3\r\n$7\r\nmessage\r\n");
    append_bulk(encoded_, channel);
    append_bulk(encoded_, message);
    receivers += deliver(found->second, encoded_);
  }
  if (patterns().empty()) return receivers;
  clients_.env().count_work(patterns().size() / kPatternsPerWork);
  for (const auto& [pattern, subscribers] : patterns()) {
    if (!glob_matches(pattern, channel)) continue;
    encoded_.assign("*4\r\n$8\r\npmessage\r\n");
    append_bulk(encoded_, pattern);
    append_bulk(encoded_, channel);
    append_bulk(encoded_, message);
    receivers += deliver(subscribers, encoded_);
  }
  return receivers;
}

int64_t PubSub::publish_to_shard(std::string_view channel, std::string_view message) {
  const Channels& channels = of(ChannelKind::shard);
  const auto found = channels.find(channel);
  if (found == channels.end()) return 0;
  encoded_.assign("*3\r\n$8\r\nsmessage\r\n");
  append_bulk(encoded_, channel);
  append_bulk(encoded_, message);
  return deliver(found->second, encoded_);
}

size_t PubSub::subscriber_count(ChannelKind kind, std::string_view name) const {
  const auto found = of(kind).find(name);
  return found == of(kind).end() ? 0 : found->second.count;
}

}  // namespace redoubt
