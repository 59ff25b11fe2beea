#include "sim/load/subscriber.h"

#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

constexpr Duration kSubscriberReconnectMean = Duration::milliseconds(50);

}  // namespace

std::string news_channel(uint64_t number) {
  return "news:" + std::to_string(number);
}

Subscriber::Subscriber(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number,
                       Random random, bool of_keys)
    : LoadConnection(env, plan, checker, number, random, kSubscriberReconnectMean),
      of_keys_(of_keys) {
  start();
}

void Subscriber::on_connected() {
  link_->subscriber = true;
  link_->begin_pipeline();
  if (!plan_.password.empty()) add({"AUTH", plan_.password});
  if (random_.coin()) add({"HELLO", "3"});
  add_subscriptions();
  send_pipeline();
}

void Subscriber::add(std::initializer_list<std::string_view> arguments) {
  link_->add(std::span<const std::string_view>(arguments.begin(), arguments.size()), false, false);
}

// Some of what a subscriber may say at any time; each command has one confirmation.
void Subscriber::add_subscriptions() {
  if (of_keys_) {
    add({"PSUBSCRIBE", "__key*"});
    return add({"PING"});
  }
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

void Subscriber::send_pipeline() {
  send(as_slice(link_->pipeline));
  pipeline_since_ = env_.now();
  env_.arm_in(timer_, kLook);
}

// The node has executed what was sent, and everything that it wrote has come.
bool Subscriber::served() const {
  return !sending() && link_->executed == link_->hashes.size() && link_->replies.empty();
}

void Subscriber::on_timer() {
  const bool through = served();
  if (!through && env_.now() - pipeline_since_ > plan_.patience) {
    // Messages may be on their way all the time; what counts is that the commands are answered.
    if (link_->executed < link_->hashes.size() || plan_.farewell) return fail(Error::timed_out);
  }
  if (plan_.farewell && !last_connection_) return hang_up();
  if (plan_.farewell && through) {
    stop_for_good();
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

// The bytes as they came, unless a bug is planted: a message missing, or behind the next one.
std::string_view Subscriber::incoming(std::string_view bytes) {
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
