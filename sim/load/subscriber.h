// A subscriber: connects, subscribes to some channels, and reads. What it
// has to receive is the checker's affair. Now and then it changes its subscriptions, or hangs up
// and begins again.
#pragma once

#include "sim/load/client.h"

namespace redoubt::sim {

// The channels that the clients of the scenario publish to: "news:0" and so on.
inline constexpr uint64_t kNewsChannels = 4;
std::string news_channel(uint64_t number);

class Subscriber final : public LoadConnection {
 public:
  // `of_keys`: it listens to keyspace events instead of channels.
  Subscriber(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number, Random random,
             bool of_keys = false);

 private:
  void on_connected() override;
  void on_timer() override;
  std::string_view incoming(std::string_view bytes) override;

  void add(std::initializer_list<std::string_view> arguments);
  void add_subscriptions();
  void send_pipeline();
  bool served() const;

  const bool of_keys_;
  Instant pipeline_since_;
  std::string late_;  // a planted bug: a message that comes behind the next one
};

}  // namespace redoubt::sim
