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
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<LoadConnection*>(timer.owner)->timer_fired(); };
  read_timer_.owner = this;
  read_timer_.on_fire = [](Timer& timer) {
    static_cast<LoadConnection*>(timer.owner)->connection_->read();
  };
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
  connection_.emplace(env_, pool_, events_);
  connection_->connect(plan_.server);
  env_.arm_in(timer_, kConnectPatience);
}

void LoadConnection::opened() {
  env_.disarm(timer_);
  connected_ = true;
  link_ = checker_.connected(number_, connection_->local());
  connection_->read();
  on_connected();
}

void LoadConnection::ended(Error error) {
  env_.disarm(timer_);
  if (connected_) return fail(error);
  checker_.connection_failed(number_, nullptr, error);
  end();
}

void LoadConnection::send(Slice bytes) {
  connection_->send({&bytes, 1});
}

void LoadConnection::received(std::span<const char> bytes) {
  on_bytes({bytes.data(), bytes.size()});
  connection_->release_chunk();
  if (reads_slowly() && !plan_.farewell) {
    env_.arm_in(read_timer_, Duration{1 + read_random_.exponential(read_pause_us_ * 1'000)});
  } else {
    connection_->read();
  }
  on_received();
}

void LoadConnection::timer_fired() {
  if (stopped_ || closing_) return;
  if (connected_) return on_timer();
  if (connection_ && !connection_->closed()) {
    checker_.connection_failed(number_, nullptr, Error::timed_out);
    return end();
  }
  if (wants_connection()) return connect();
  env_.arm_in(timer_, kLook);
}

void LoadConnection::fail(Error error) {
  checker_.connection_failed(number_, link_.get(), error);
  hang_up();
}

void LoadConnection::hang_up() {
  if (closing_) return;
  env_.disarm(timer_);
  env_.disarm(read_timer_);
  end();
}

void LoadConnection::end() {
  closing_ = true;
  connected_ = false;
  if (!connection_) return over();
  connection_->close();
  if (connection_->quiet()) over();
}

// All operations have come back.
void LoadConnection::over() {
  closing_ = false;
  if (link_) {
    checker_.connection_over(*link_);
    checker_.record_end(*link_);
  }
  link_.reset();
  if (stopped_) return;
  env_.arm_in(timer_, pause(reconnect_mean_.ns));
}

}  // namespace redoubt::sim
