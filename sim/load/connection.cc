#include "sim/load/connection.h"

#include <algorithm>

namespace redoubt::sim {

namespace {

constexpr Duration kConnectPatience = Duration::seconds(10);
// So that nobody sleeps through the farewell.
constexpr Duration kLongestPause = Duration::seconds(10);
// Where a script has no pause of its own.
constexpr Duration kScriptPause = Duration::milliseconds(10);

}  // namespace

LoadConnection::LoadConnection(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number,
                               Random random, Duration reconnect_mean)
    : env_(env),
      plan_(plan),
      checker_(checker),
      number_(number),
      random_(random),
      reconnect_mean_(reconnect_mean),
      read_random_(Random(random).next(), "reads") {
  for (Op* op : {&connect_, &send_, &receive_}) op->owner = this;
  connect_.kind = OpKind::connect;
  connect_.address = plan.server;
  connect_.on_done = [](Op& op) { static_cast<LoadConnection*>(op.owner)->connect_done(); };
  send_.kind = OpKind::send;
  send_.on_done = [](Op& op) { static_cast<LoadConnection*>(op.owner)->send_done(); };
  receive_.kind = OpKind::receive;
  receive_.on_done = [](Op& op) { static_cast<LoadConnection*>(op.owner)->receive_done(); };
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<LoadConnection*>(timer.owner)->timer_fired(); };
  read_timer_.owner = this;
  read_timer_.on_fire = [](Timer& timer) { static_cast<LoadConnection*>(timer.owner)->receive(); };
}

LoadConnection::~LoadConnection() {
  env_.disarm(timer_);
  env_.disarm(read_timer_);
}

Duration LoadConnection::pause(int64_t mean_ns) {
  if (scripted_) {
    if (scripted_pauses_.empty()) return kScriptPause;
    const Duration next = scripted_pauses_.front();
    scripted_pauses_ = scripted_pauses_.subspan(1);
    return next;
  }
  const Duration drawn{std::min(1 + random_.exponential(mean_ns), kLongestPause.ns)};
  if (records_) plan_.record->pause(plan_.node, number_, drawn);
  return drawn;
}

void LoadConnection::start() {
  plan_.active.insert(number_);
  env_.arm_in(timer_, pause(1'000'000));
}

void LoadConnection::stop_for_good() {
  plan_.active.erase(number_);
  stopped_ = true;
}

void LoadConnection::connect() {
  last_connection_ = plan_.farewell;
  connect_.result = {};
  env_.submit(connect_);
  env_.arm_in(timer_, kConnectPatience);
}

void LoadConnection::connect_done() {
  env_.disarm(timer_);
  if (!connect_.result.ok()) {
    if (!closing_) checker_.connection_failed(number_, nullptr, connect_.result.error);
    return on_quiet();
  }
  if (closing_) {
    // It was given up, and completed all the same.
    env_.close(connect_.result.handle);
    return on_quiet();
  }
  handle_ = connect_.result.handle;
  send_.handle = receive_.handle = handle_;
  link_ = checker_.connected(number_, env_.backend().local_address(handle_));
  receive();
  on_connected();
}

void LoadConnection::send(Slice bytes) {
  slice_ = bytes;
  send_.gather = {&slice_, 1};
  send_.result = {};
  env_.submit(send_);
}

void LoadConnection::send_done() {
  if (closing_) return on_quiet();
  if (!send_.result.ok()) return fail(send_.result.error);
  on_sent();
}

void LoadConnection::receive() {
  receive_.result = {};
  env_.submit(receive_);
}

void LoadConnection::receive_done() {
  const Chunk chunk = receive_.result.chunk;
  if (closing_) {
    if (chunk) env_.backend().give_back(chunk);
    return on_quiet();
  }
  if (!receive_.result.ok()) return fail(receive_.result.error);
  on_bytes({reinterpret_cast<const char*>(chunk.data), chunk.size});
  env_.backend().give_back(chunk);
  if (reads_slowly() && !plan_.farewell) {
    env_.arm_in(read_timer_, Duration{1 + read_random_.exponential(read_pause_us_ * 1'000)});
  } else {
    receive();
  }
  on_received();
}

void LoadConnection::timer_fired() {
  if (stopped_ || closing_) return;
  if (connect_.in_flight) {
    checker_.connection_failed(number_, nullptr, Error::timed_out);
    closing_ = true;
    return env_.cancel(connect_);
  }
  if (handle_) return on_timer();
  if (wants_connection()) return connect();
  env_.arm_in(timer_, kLook);
}

void LoadConnection::fail(Error error) {
  checker_.connection_failed(number_, link_.get(), error);
  hang_up();
}

void LoadConnection::hang_up() {
  if (closing_) return;
  closing_ = true;
  env_.disarm(timer_);
  env_.disarm(read_timer_);
  if (handle_) env_.close(handle_);
  on_quiet();
}

void LoadConnection::on_quiet() {
  if (in_flight()) return;
  closing_ = false;
  handle_ = {};
  if (link_) {
    checker_.connection_over(*link_);
    checker_.record_end(*link_);
  }
  link_.reset();
  if (stopped_) return;
  env_.arm_in(timer_, pause(reconnect_mean_.ns));
}

}  // namespace redoubt::sim
