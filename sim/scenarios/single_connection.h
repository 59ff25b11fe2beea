// What the clients and the subscribers of the scenario `single` share: one connection at a time to
// the node, whose bytes go to the checker, and which is made anew a while after it ended. What is
// said on it is the affair of the derived class.
#pragma once

#include <memory>

#include "sim/process.h"
#include "sim/random.h"
#include "sim/scenarios/single_checker.h"

namespace redoubt::sim {

struct ClientPlan;

class SingleConnection : public Process {
 public:
  ~SingleConnection() override;

 protected:
  // How often it looks whether it is time for something.
  static constexpr Duration kLook = Duration::milliseconds(100);

  // `reconnect_mean`: between the end of a connection and the next one.
  SingleConnection(Env& env, ClientPlan& plan, SingleChecker& checker, uint32_t number,
                   Random random, Duration reconnect_mean);
  // Connects after a moment. The last line of the constructors of derived classes.
  void start();

  // The connection is open: `link_` is its side of the checker.
  virtual void on_connected() = 0;
  // The bytes of send() are through.
  virtual void on_sent() {}
  // The checker has seen what came.
  virtual void on_received() {}
  // The timer fired while the connection is open.
  virtual void on_timer() = 0;
  // Whether a connection is to be made now.
  virtual bool wants_connection() const { return true; }
  // What the checker sees of the bytes that came: all, unless a bug is planted.
  virtual std::string_view incoming(std::string_view bytes) = 0;

  // The bytes stay until on_sent().
  void send(Slice bytes);
  bool sending() const { return send_.in_flight; }
  // The connection ends; the next one begins when all operations have come back.
  void hang_up();
  // The same, and the checker hears why.
  void fail(Error error);
  // There is no connection after this one.
  void stop_for_good();

  Env& env_;
  ClientPlan& plan_;
  SingleChecker& checker_;
  const uint32_t number_;
  Random random_;
  std::shared_ptr<Link> link_;
  Timer timer_;
  bool last_connection_ = false;  // made since the farewell
  std::string plant_buffer_;

 private:
  void connect();
  void connect_done();
  void send_done();
  void receive();
  void receive_done();
  void timer_fired();
  void on_quiet();
  bool in_flight() const { return connect_.in_flight || send_.in_flight || receive_.in_flight; }

  const Duration reconnect_mean_;
  Handle handle_;
  Op connect_;
  Op send_;
  Op receive_;
  Slice slice_;
  bool closing_ = false;
  bool stopped_ = false;
};

}  // namespace redoubt::sim
