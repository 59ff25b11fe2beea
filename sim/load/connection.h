// What all who talk to a node share: one connection at a time, whose bytes go to the checker, and
// which is made anew a while after it ended. What is said on it is the affair of the derived class.
#pragma once

#include <memory>
#include <optional>

#include "net/connection.h"
#include "sim/checkers/node_checker.h"
#include "sim/load/plan.h"
#include "sim/process.h"
#include "sim/random.h"

namespace redoubt::sim {

class LoadConnection : public Process {
 public:
  ~LoadConnection() override;

 protected:
  // How often it looks whether it is time for something.
  static constexpr Duration kLook = Duration::milliseconds(100);

  // `reconnect_mean`: between the end of a connection and the next one.
  LoadConnection(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number, Random random,
                 Duration reconnect_mean);
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
  // Bytes came. The checker sees them; all, unless a bug is planted.
  virtual void on_bytes(std::string_view bytes) { checker_.received(*link_, incoming(bytes)); }
  virtual std::string_view incoming(std::string_view bytes) { return bytes; }

  // The bytes stay until on_sent().
  void send(Slice bytes);
  bool sending() const { return connected_ && connection_->sending(); }
  // The connection ends; the next one begins when all operations have come back.
  void hang_up();
  // The same, and the checker hears why.
  void fail(Error error);
  // There is no connection after this one.
  void stop_for_good();
  // A pause between two actions: drawn, and noted for a script; or as the script has it.
  Duration pause(int64_t mean_ns);
  // Between two reads; zero for who reads as fast as it can.
  void read_slowly(int64_t mean_us) { read_pause_us_ = mean_us; }
  bool reads_slowly() const { return read_pause_us_ > 0; }

  Env& env_;
  LoadPlan& plan_;
  NodeChecker& checker_;
  const uint32_t number_;
  Random random_;
  std::shared_ptr<Link> link_;
  Timer timer_;
  bool last_connection_ = false;  // made since the farewell
  std::string plant_buffer_;
  // What it does is part of a script: one that it plays, or one that is being recorded.
  bool scripted_ = false;
  bool records_ = false;
  // Those before the next step of the script that is being played.
  std::span<const Duration> scripted_pauses_;

 private:
  // What the connection tells, in words of its own.
  struct Events final : ConnectionUser {
    explicit Events(LoadConnection& told) : owner(told) {}
    void on_open() override { owner.opened(); }
    void on_bytes(std::span<const char> bytes) override { owner.received(bytes); }
    void on_sent(size_t) override { owner.on_sent(); }
    void on_end(Error error) override { owner.ended(error); }
    void on_quiet() override { owner.over(); }
    LoadConnection& owner;
  };

  void connect();
  void opened();
  void received(std::span<const char> bytes);
  void ended(Error error);
  void end();
  void over();
  void timer_fired();

  const Duration reconnect_mean_;
  int64_t read_pause_us_ = 0;
  Random read_random_;  // of its own: who plays a script draws nothing else
  Timer read_timer_;
  SendPool pool_;
  Events events_{*this};
  std::optional<redoubt::Connection> connection_;  // the one that is, or the last one
  bool connected_ = false;
  bool closing_ = false;
  bool stopped_ = false;
};

}  // namespace redoubt::sim
