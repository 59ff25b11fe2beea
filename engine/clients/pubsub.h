// Pub/sub: subscriptions, and messages to subscribers.
//
// There are three name spaces: channels, patterns (which see the messages of all channels that they
// match), and shard channels. A subscription is on two lists: its session has it by name, the
// channel has its subscribers in the order in which they came. So a message costs a step for each
// receiver, and a session with many subscriptions leaves each of them in O(log n).
//
// A message is encoded once, whatever the number of receivers, and copied into their output. It
// depends on everything that was executed before it, so it passes the reply gate like a reply.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/keyspace/event_channels.h"

namespace redoubt {

class Clients;
class Session;

enum class ChannelKind : uint8_t { channel, pattern, shard };
inline constexpr size_t kChannelKinds = 3;

struct Channel;

struct Subscription {
  Session* session = nullptr;
  Channel* channel = nullptr;
  Subscription* previous = nullptr;  // among the channel's subscribers
  Subscription* next = nullptr;
};

struct Channel {
  const std::string* name = nullptr;
  Subscription* first = nullptr;
  Subscription* last = nullptr;
  size_t count = 0;
};

// The subscriptions of a session. The channels own the names.
struct Subscriptions {
  std::array<std::map<std::string_view, Subscription>, kChannelKinds> by_kind;

  size_t count(ChannelKind kind) const { return by_kind[static_cast<size_t>(kind)].size(); }
  size_t total() const { return by_kind[0].size() + by_kind[1].size() + by_kind[2].size(); }
  size_t memory_bytes() const { return sizeof *this + total() * kSubscriptionBytes; }

  static constexpr size_t kSubscriptionBytes = 48 + sizeof(std::string_view) + sizeof(Subscription);
};

// The number of a session's subscriptions of one kind.
size_t subscription_count(const Session& session, ChannelKind kind);

class PubSub final : public EventChannels {
 public:
  using Channels = std::map<std::string, Channel, std::less<>>;

  explicit PubSub(Clients& clients) : clients_(clients) {}
  PubSub(const PubSub&) = delete;
  PubSub& operator=(const PubSub&) = delete;

  // False: it was subscribed already.
  bool subscribe(Session& session, ChannelKind kind, std::string_view name);
  // False: it was not subscribed.
  bool unsubscribe(Session& session, ChannelKind kind, std::string_view name);
  // Leaves everything without a message to the client.
  void unsubscribe_all(Session& session);
  // The names of a session's subscriptions, in order.
  static std::vector<std::string> names(const Session& session, ChannelKind kind);

  // Sends a message to the subscribers of a channel and of the patterns that match it. Returns how
  // many messages were sent.
  int64_t publish(std::string_view channel, std::string_view message) override;
  int64_t publish_to_shard(std::string_view channel, std::string_view message);
  // Whether any client could receive a message.
  bool has_listeners() const override {
    return !of(ChannelKind::channel).empty() || !patterns().empty();
  }

  // The channels (or patterns) with subscribers, in order.
  const Channels& of(ChannelKind kind) const { return channels_[static_cast<size_t>(kind)]; }
  size_t subscriber_count(ChannelKind kind, std::string_view name) const;
  // Sessions with any subscription.
  size_t session_count() const { return session_count_; }
  // Bytes of the channels, as counted; the subscriptions belong to their sessions.
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  const Channels& patterns() const { return of(ChannelKind::pattern); }
  void leave(Session& session, ChannelKind kind, Subscription& subscription);
  void forget_if_done(Session& session);
  int64_t deliver(const Channel& channel, std::string& encoded);

  Clients& clients_;
  std::array<Channels, kChannelKinds> channels_;
  size_t session_count_ = 0;
  size_t memory_bytes_ = 0;
  std::string encoded_;  // the message that is being sent
};

}  // namespace redoubt
