// A subscriber of the scenario `single`: connects, subscribes to some channels, and reads. What it
// has to receive is the checker's affair. Now and then it changes its subscriptions, or hangs up
// and begins again.
#pragma once

#include <memory>

#include "sim/process.h"
#include "sim/random.h"
#include "sim/scenarios/single_checker.h"
#include "sim/scenarios/single_client.h"

namespace redoubt::sim {

// The channels that the clients of the scenario publish to: "news:0" and so on.
inline constexpr uint64_t kNewsChannels = 4;
std::string news_channel(uint64_t number);

class SingleSubscriber final : public Process {
 public:
  SingleSubscriber(Env& env, ClientPlan& plan, SingleChecker& checker, uint32_t number,
                   Random random);
  ~SingleSubscriber() override;

 private:
  void connect();
  void on_connected();
  void add(std::initializer_list<std::string_view> arguments);
  void add_subscriptions();
  void send_pipeline();
  void on_sent();
  void receive();
  void on_received();
  void on_timer();
  bool served() const;
  void fail(Error error);
  void hang_up();
  void on_quiet();
  std::string_view incoming(std::string_view bytes);
  bool in_flight() const { return connect_.in_flight || send_.in_flight || receive_.in_flight; }

  Env& env_;
  ClientPlan& plan_;
  SingleChecker& checker_;
  const uint32_t number_;
  Random random_;

  std::shared_ptr<Link> link_;
  Handle handle_;
  Op connect_;
  Op send_;
  Op receive_;
  Slice slice_;
  Timer timer_;
  Instant pipeline_since_;
  bool last_connection_ = false;  // made since the farewell
  bool closing_ = false;
  bool stopped_ = false;
  std::string plant_buffer_;
  std::string late_;  // a planted bug: a message that comes behind the next one
};

}  // namespace redoubt::sim
