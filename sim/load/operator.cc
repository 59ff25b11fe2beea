#include "sim/load/operator.h"

namespace redoubt::sim {

namespace {

constexpr Duration kOperatorReconnectMean = Duration::milliseconds(100);
constexpr int64_t kThinkNs = 300'000'000;
constexpr Duration kOperatorPatience = Duration::seconds(30);

}  // namespace

Operator::Operator(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number, Random random)
    : LoadConnection(env, plan, checker, number, random, kOperatorReconnectMean) {
  start();
}

void Operator::on_connected() {
  link_->operates = true;
  replies_.clear();
  if (plan_.farewell) {
    stop_for_good();
    return hang_up();
  }
  change();
}

// A command about how data is kept.
std::vector<std::string> Operator::upkeep() {
  const auto set = [](std::string_view name, std::string_view value) {
    return std::vector<std::string>{"CONFIG", "SET", std::string(name), std::string(value)};
  };
  static constexpr std::string_view kPolicies[] = {"always", "everysec", "no"};
  static constexpr std::string_view kSavePoints[] = {"", "1 1", "3 50"};
  switch (random_.below(16)) {
    case 0:
    case 1: return {"BGSAVE"};
    case 2: return {"BGSAVE", "SCHEDULE"};
    case 3:
    case 4:
    case 5:
    case 6: return {"BGREWRITEAOF"};
    case 7: return set("appendonly", "no");
    case 8:
    case 9: return set("appendonly", "yes");
    case 10:
    case 11:
    case 12: return set("appendfsync", kPolicies[random_.below(3)]);
    case 13: return set("no-appendfsync-on-rewrite", random_.coin() ? "yes" : "no");
    case 14: return set("save", kSavePoints[random_.below(3)]);
    default: return {"SAVE"};
  }
}

void Operator::change() {
  link_->begin_pipeline();
  const auto add = [this](std::initializer_list<std::string_view> words) {
    link_->add(std::span<const std::string_view>(words.begin(), words.size()), false, false);
  };
  if (!plan_.password.empty()) add({"AUTH", plan_.password});
  rewrites_file_ = !random_.chance(plan_.upkeep_percent * 10'000);
  if (rewrites_file_) {
    const std::string value = checker_.changes_file(++changes_);
    add({"CONFIG", "SET", kOperatorsDirective, value});
    add({"CONFIG", "REWRITE"});
  } else {
    const std::vector<std::string> words = upkeep();
    link_->add(std::vector<std::string_view>(words.begin(), words.end()), false, false);
  }
  waiting_ = true;
  send(as_slice(link_->pipeline));
  env_.arm_in(timer_, kOperatorPatience);
}

void Operator::on_bytes(std::string_view bytes) {
  replies_ += bytes;
  size_t count = 0;
  size_t at = 0;
  bool written = false;
  RespValue value;
  for (size_t end = 0;
       parse_resp(std::string_view(replies_).substr(at), value, end) == RespParse::complete;
       at += end) {
    written = replies_[at] == '+';
    ++count;
  }
  if (!waiting_ || count < link_->replies_due) return;
  waiting_ = false;
  replies_.clear();
  if (written && rewrites_file_) checker_.file_written(changes_);
  env_.arm_in(timer_, Duration{1 + random_.exponential(kThinkNs)});
}

void Operator::on_timer() {
  if (waiting_ || plan_.farewell || sending()) {
    waiting_ = false;
    return hang_up();
  }
  change();
}

}  // namespace redoubt::sim
