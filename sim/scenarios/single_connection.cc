#include "sim/scenarios/single_connection.h"

#include "sim/scenarios/single_client.h"

namespace redoubt::sim {

namespace {

constexpr Duration kConnectPatience = Duration::seconds(10);

}  // namespace

SingleConnection::SingleConnection(Env& env, ClientPlan& plan, SingleChecker& checker,
                                   uint32_t number, Random random, Duration reconnect_mean)
    : env_(env),
      plan_(plan),
      checker_(checker),
      number_(number),
      random_(random),
      reconnect_mean_(reconnect_mean) {
  for (Op* op : {&connect_, &send_, &receive_}) op->owner = this;
  connect_.kind = OpKind::connect;
  connect_.address = plan.server;
  connect_.on_done = [](Op& op) { static_cast<SingleConnection*>(op.owner)->connect_done(); };
  send_.kind = OpKind::send;
  send_.on_done = [](Op& op) { static_cast<SingleConnection*>(op.owner)->send_done(); };
  receive_.kind = OpKind::receive;
  receive_.on_done = [](Op& op) { static_cast<SingleConnection*>(op.owner)->receive_done(); };
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<SingleConnection*>(timer.owner)->timer_fired(); };
}

SingleConnection::~SingleConnection() {
  env_.disarm(timer_);
}

void SingleConnection::start() {
  ++plan_.active;
  env_.arm_in(timer_, Duration{random_.exponential(1'000'000)});
}

void SingleConnection::stop_for_good() {
  if (!stopped_) --plan_.active;
  stopped_ = true;
}

void SingleConnection::connect() {
  last_connection_ = plan_.farewell;
  connect_.result = {};
  env_.submit(connect_);
  env_.arm_in(timer_, kConnectPatience);
}

void SingleConnection::connect_done() {
  env_.disarm(timer_);
  if (!connect_.result.ok()) {
    if (!closing_) checker_.connection_failed(number_, nullptr, connect_.result.error);
    return on_quiet();
  }
  handle_ = connect_.result.handle;
  send_.handle = receive_.handle = handle_;
  link_ = checker_.connected(number_, env_.backend().local_address(handle_));
  receive();
  on_connected();
}

void SingleConnection::send(Slice bytes) {
  slice_ = bytes;
  send_.gather = {&slice_, 1};
  send_.result = {};
  env_.submit(send_);
}

void SingleConnection::send_done() {
  if (closing_) return on_quiet();
  if (!send_.result.ok()) return fail(send_.result.error);
  on_sent();
}

void SingleConnection::receive() {
  receive_.result = {};
  env_.submit(receive_);
}

void SingleConnection::receive_done() {
  const Chunk chunk = receive_.result.chunk;
  if (closing_) {
    if (chunk) env_.backend().give_back(chunk);
    return on_quiet();
  }
  if (!receive_.result.ok()) return fail(receive_.result.error);
  checker_.received(*link_, incoming({reinterpret_cast<const char*>(chunk.data), chunk.size}));
  env_.backend().give_back(chunk);
  receive();
  on_received();
}

void SingleConnection::timer_fired() {
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

void SingleConnection::fail(Error error) {
  checker_.connection_failed(number_, link_.get(), error);
  hang_up();
}

void SingleConnection::hang_up() {
  if (closing_) return;
  closing_ = true;
  env_.disarm(timer_);
  if (handle_) env_.close(handle_);
  on_quiet();
}

void SingleConnection::on_quiet() {
  if (in_flight()) return;
  closing_ = false;
  handle_ = {};
  if (link_) checker_.record_end(*link_);
  link_.reset();
  if (stopped_) return;
  env_.arm_in(timer_, Duration{1 + random_.exponential(reconnect_mean_.ns)});
}

}  // namespace redoubt::sim
