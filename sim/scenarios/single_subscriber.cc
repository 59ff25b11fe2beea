#include "sim/scenarios/single_subscriber.h"

#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

constexpr Duration kConnectPatience = Duration::seconds(10);
constexpr Duration kLook = Duration::milliseconds(100);
constexpr int64_t kReconnectMeanNs = 50'000'000;

}  // namespace

std::string news_channel(uint64_t number) {
  return "news:" + std::to_string(number);
}

SingleSubscriber::SingleSubscriber(Env& env, ClientPlan& plan, SingleChecker& checker,
                                   uint32_t number, Random random)
    : env_(env), plan_(plan), checker_(checker), number_(number), random_(random) {
  for (Op* op : {&connect_, &send_, &receive_}) op->owner = this;
  connect_.kind = OpKind::connect;
  connect_.address = plan.server;
  connect_.on_done = [](Op& op) { static_cast<SingleSubscriber*>(op.owner)->on_connected(); };
  send_.kind = OpKind::send;
  send_.on_done = [](Op& op) { static_cast<SingleSubscriber*>(op.owner)->on_sent(); };
  receive_.kind = OpKind::receive;
  receive_.on_done = [](Op& op) { static_cast<SingleSubscriber*>(op.owner)->on_received(); };
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<SingleSubscriber*>(timer.owner)->on_timer(); };
  ++plan_.active;
  env_.arm_in(timer_, Duration{random_.exponential(1'000'000)});
}

SingleSubscriber::~SingleSubscriber() {
  env_.disarm(timer_);
}

void SingleSubscriber::connect() {
  last_connection_ = plan_.farewell;
  connect_.result = {};
  env_.submit(connect_);
  env_.arm_in(timer_, kConnectPatience);
}

void SingleSubscriber::on_connected() {
  env_.disarm(timer_);
  if (!connect_.result.ok()) {
    if (!closing_) checker_.connection_failed(number_, nullptr, connect_.result.error);
    return on_quiet();
  }
  handle_ = connect_.result.handle;
  send_.handle = receive_.handle = handle_;
  link_ = checker_.connected(number_, env_.backend().local_address(handle_));
  link_->subscriber = true;
  receive();
  link_->begin_pipeline();
  if (!plan_.password.empty()) add({"AUTH", plan_.password});
  if (random_.coin()) add({"HELLO", "3"});
  add_subscriptions();
  send_pipeline();
}

void SingleSubscriber::add(std::initializer_list<std::string_view> arguments) {
  link_->add(std::span<const std::string_view>(arguments.begin(), arguments.size()), false, false);
}

// Some of what a subscriber may say at any time; each command has one confirmation.
void SingleSubscriber::add_subscriptions() {
  const int64_t count = random_.between(1, 5);
  for (int64_t i = 0; i < count; ++i) {
    const std::string channel = news_channel(random_.below(kNewsChannels));
    switch (random_.below(6)) {
      case 0: add({"PSUBSCRIBE", "news:*"}); break;
      case 1: add({"PUNSUBSCRIBE", "news:*"}); break;
      case 2: add({"UNSUBSCRIBE", channel}); break;
      case 3: add({"PING"}); break;
      default: add({"SUBSCRIBE", channel});
    }
  }
  add({"SUBSCRIBE", "always"});
  add({"PING"});
}

void SingleSubscriber::send_pipeline() {
  slice_ = as_slice(link_->pipeline);
  send_.gather = {&slice_, 1};
  send_.result = {};
  env_.submit(send_);
  pipeline_since_ = env_.now();
  env_.arm_in(timer_, kLook);
}

void SingleSubscriber::on_sent() {
  if (closing_) return on_quiet();
  if (!send_.result.ok()) fail(send_.result.error);
}

void SingleSubscriber::receive() {
  receive_.result = {};
  env_.submit(receive_);
}

void SingleSubscriber::on_received() {
  const Chunk chunk = receive_.result.chunk;
  if (closing_) {
    if (chunk) env_.backend().give_back(chunk);
    return on_quiet();
  }
  if (!receive_.result.ok()) return fail(receive_.result.error);
  checker_.received(*link_, incoming({reinterpret_cast<const char*>(chunk.data), chunk.size}));
  env_.backend().give_back(chunk);
  receive();
}

// The node has executed what was sent, and everything that it wrote has come.
bool SingleSubscriber::served() const {
  return !send_.in_flight && link_->executed == link_->hashes.size() && link_->replies.empty();
}

void SingleSubscriber::on_timer() {
  if (stopped_ || closing_) return;
  if (connect_.in_flight) {
    checker_.connection_failed(number_, nullptr, Error::timed_out);
    closing_ = true;
    return env_.cancel(connect_);
  }
  if (!handle_) return connect();
  const bool through = served();
  if (!through && env_.now() - pipeline_since_ > plan_.patience) {
    // Messages may be on their way all the time; what counts is that the commands are answered.
    if (link_->executed < link_->hashes.size() || plan_.farewell) return fail(Error::timed_out);
  }
  if (plan_.farewell && !last_connection_) return hang_up();
  if (plan_.farewell && through) {
    --plan_.active;
    stopped_ = true;
    return hang_up();
  }
  if (through && random_.chance(20'000)) return hang_up();
  if (through && random_.chance(50'000)) {
    link_->begin_pipeline();
    add_subscriptions();
    return send_pipeline();
  }
  env_.arm_in(timer_, kLook);
}

void SingleSubscriber::fail(Error error) {
  checker_.connection_failed(number_, link_.get(), error);
  hang_up();
}

void SingleSubscriber::hang_up() {
  if (closing_) return;
  closing_ = true;
  env_.disarm(timer_);
  if (handle_) env_.close(handle_);
  on_quiet();
}

void SingleSubscriber::on_quiet() {
  if (in_flight()) return;
  closing_ = false;
  handle_ = {};
  link_.reset();
  if (stopped_) return;
  env_.arm_in(timer_, Duration{1 + random_.exponential(kReconnectMeanNs)});
}

// The bytes as they came, unless a bug is planted: a message missing, or behind the next one.
std::string_view SingleSubscriber::incoming(std::string_view bytes) {
  if (!late_.empty()) {
    plant_buffer_ = std::string(bytes) + late_;
    late_.clear();
    return plant_buffer_;
  }
  if (!plan_.drop_message && !plan_.swap_messages) return bytes;
  if (link_->received != link_->understood || link_->executed < link_->hashes.size()) return bytes;
  RespValue value;
  size_t first = 0;
  if (parse_resp(bytes, value, first) != RespParse::complete) return bytes;
  if (bytes.substr(0, first).find("message\r\n") == std::string_view::npos) return bytes;
  if (plan_.swap_messages) late_ = bytes.substr(0, first);
  plan_.drop_message = plan_.swap_messages = false;
  return bytes.substr(first);
}

}  // namespace redoubt::sim
