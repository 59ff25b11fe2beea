#include "sim/load/client.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "sim/load/subscriber.h"

namespace redoubt::sim {

namespace {

// A client that may wait for ever goes after this time.
constexpr Duration kBoredom = Duration::milliseconds(300);
constexpr Duration kSlowPatience = Duration::seconds(30);
constexpr Duration kClientReconnectMean = Duration::milliseconds(20);

}  // namespace

LoadClient::LoadClient(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number,
                       Random random)
    : LoadConnection(env, plan, checker, number, random, kClientReconnectMean),
      generator_(plan.generator, random_.next()),
      bursts_(plan.bursts, generator_, plan.generator.keys, random_),
      asides_(generator_, plan.generator.keys, plan.evicts, random_) {
  const bool slow = number < plan.slow_readers();
  if (slow) read_slowly(plan.read_pause_us);
  scripted_ = plan.script != nullptr;
  records_ = plan.record != nullptr && !scripted_;
  find_step();
  start();
}

void LoadClient::on_connected() {
  link_->slow = reads_slowly();
  authenticated_ = false;
  resp3_ = false;
  waiting_ = false;
  replies_ = Replies::on;
  bursts_.reset();
  begin_pipeline();
}

void LoadClient::begin_pipeline() {
  if (!goes_on()) {
    // Who has no steps left may have had more to say when they were recorded, and stayed.
    if (scripted_ && step_ == nullptr && !plan_.farewell) return env_.arm_in(timer_, kLook);
    return hang_up();
  }
  // What was not said in time is not said any more.
  while (plan_.farewell && step_ != nullptr && step_->loads()) find_step();
  if (const Duration early = before_step(); early.ns > 0) return env_.arm_in(timer_, early);
  const bool enter = !plan_.password.empty() && !authenticated_;
  if (scripted_ && !plan_.farewell && !enter && !has_step()) return env_.arm_in(timer_, kLook);
  checker_.pipeline_over(*link_);
  link_->begin_pipeline();
  words_.clear();
  inline_forms_.clear();
  cut_ = recorded_ = 0;
  hangs_up_ = false;
  began_ = checker_.now();
  // Authentication comes first, alone or with commands behind it that only an authenticated client
  // may send.
  if (plan_.script == nullptr) {
    if (enter) add_authentication();
    const bool goes_on = authenticated_ && !plan_.farewell && random_.chance(300'000);
    if (!enter || goes_on) add_generated_pipeline();
  } else if (enter && !next_step_enters()) {
    add({"AUTH", plan_.password});
  } else if (has_step()) {
    add_scripted_step();
  } else {
    add({"PING"});
  }
  // The last command has a reply, so that the end of the pipeline is seen.
  if (replies_ == Replies::off) add({"CLIENT", "REPLY", "ON"});
  while (link_->silent.back() != 0) add({"PING"});
  Slice bytes = outgoing();
  if (plan_.script == nullptr) {
    const bool breaks_off = !plan_.farewell && random_.chance(plan_.hang_up_ppm);
    if (breaks_off) cut_ = 1 + random_.below(bytes.size());
    // The right password goes without saying, unless something is to be said of it.
    const bool only_enters = enter && authenticated_ && cut_ == 0 && link_->hashes.size() == 1;
    if (records_ && !only_enters) record_step();
  }
  plan_.commands_sent += link_->hashes.size();
  waiting_ = true;
  if (cut_ > 0) {
    bytes = bytes.first(std::min(cut_, bytes.size()));
    checker_.cut_off(*link_, bytes.size());
  }
  send(bytes);
  vanishes_ = link_->waits_forever;
  const Duration limit = vanishes_ ? kBoredom : reads_slowly() ? kSlowPatience : plan_.patience;
  env_.arm_in(timer_, limit + Duration::milliseconds(link_->waits_ms));
}

void LoadClient::add_authentication() {
  add({"AUTH", random_.chance(100'000) ? "guess" : std::string_view(plan_.password)});
}

void LoadClient::add_generated_pipeline() {
  const int64_t count = random_.between(1, random_.between_log(1, plan_.pipeline_max));
  const int64_t now_ms = env_.wall().unix_ms();
  add_walk();
  for (int64_t i = 0; i < count && !link_->quits; ++i) {
    if (random_.chance(plan_.registers_ppm)) {
      add_register_command();
      continue;
    }
    if (add_burst() || add_aside(now_ms)) continue;
    random_.chance(plan_.connection_ppm) ? add_connection_command() : add_generated(now_ms);
  }
}

// A command that the checker of linearizability knows, on a key that no other command touches.
void LoadClient::add_register_command() {
  const std::string key = "register:" + std::to_string(random_.below(plan_.registers));
  const std::string value =
      std::to_string(number_) + "." + std::to_string(random_.below(1'000'000'000));
  switch (random_.below(12)) {
    case 0: return add({"INCR", key});
    case 1: return add({"DEL", key});
    case 2: return add({"APPEND", key, "x"});
    case 3: return add({"SET", key, value, "NX"});
    case 4: return add({"GETSET", key, value});
    case 5: return add({"SET", key, std::to_string(random_.below(100))});
    case 6:
    case 7: return add({"SET", key, value});
    case 8: return add({"STRLEN", key});
    default: return add({"GET", key});
  }
}

// --- Scripts

// The next step of this client after `step_`, or the first.
void LoadClient::find_step() {
  if (plan_.script == nullptr) return;
  const ScriptStep* end = plan_.script->data() + plan_.script->size();
  const ScriptStep* next = step_ == nullptr ? plan_.script->data() : step_ + 1;
  while (next != end && (next->client != number_ || next->node != plan_.node)) ++next;
  step_ = next == end ? nullptr : next;
  scripted_pauses_ = step_ == nullptr ? std::span<const Duration>() : step_->pauses;
}

// The next step is to be sent in this part of the run.
bool LoadClient::has_step() const {
  return step_ != nullptr && !step_->commands.empty() && step_->farewell == plan_.farewell;
}

// A password that was guessed is a step, or the first command of one. As long as there are pauses
// before it, the right one, which goes without saying, was sent on connections that ended before
// anything else was.
bool LoadClient::next_step_enters() const {
  return has_step() && scripted_pauses_.empty() && step_->commands[0][0] == "AUTH";
}

// How long until the next step, if that has a time instead of pauses.
Duration LoadClient::before_step() const {
  const bool enters = !plan_.password.empty() && !authenticated_ && !next_step_enters();
  if (!has_step() || plan_.farewell || enters || !step_->pauses.empty()) return {};
  return Duration{std::max<int64_t>((step_->at - checker_.now()).ns, 0)};
}

void LoadClient::add_scripted_step() {
  const ScriptStep& step = *step_;
  std::vector<std::string_view> words;
  for (size_t i = 0; i < step.commands.size() && !link_->quits; ++i) {
    words.assign(step.commands[i].begin(), step.commands[i].end());
    inline_form_ = step.inline_form[i] != 0;
    add(words);
    if (words.size() == 1 && words[0] == "QUIT") link_->quits = true;
  }
  inline_form_ = false;
  cut_ = step.cut;
  hangs_up_ = step.hangs_up;
  if (step.loads()) --plan_.steps_left;
  find_step();
}

void LoadClient::record_step() {
  ScriptStep step;
  step.node = plan_.node;
  step.client = number_;
  step.at = began_;
  step.farewell = plan_.farewell;
  step.cut = cut_;
  step.commands = std::exchange(words_, {});
  step.inline_form = std::exchange(inline_forms_, {});
  recorded_ = plan_.record->add(std::move(step)) + 1;
}

// A command of a burst, if there is one. What is queued, or waits, has a reply.
bool LoadClient::add_burst() {
  const bool forever = !plan_.farewell && !bursts_.in_transaction();
  const Bursts::Words* words = bursts_.next(forever, replies_ != Replies::on);
  if (words == nullptr) return false;
  add(std::vector<std::string_view>(words->begin(), words->end()));
  return true;
}

// The next page of a walk, or the first of a new one.
void LoadClient::add_walk() {
  if (plan_.walk_ppm == 0 || plan_.farewell || replies_ != Replies::on) return;
  if (bursts_.queueing()) return;
  Asides::Words words = checker_.next_of_walk(*link_);
  if (words.empty() && random_.chance(plan_.walk_ppm)) words = asides_.walk();
  if (!words.empty()) add(std::vector<std::string_view>(words.begin(), words.end()));
}

// Something that is not the generator's, now and then.
bool LoadClient::add_aside(int64_t now_ms) {
  const bool answers = replies_ == Replies::on;
  Asides::Words words;
  if (random_.chance(plan_.table_ppm)) {
    if (table_ == nullptr) {
      table_ = std::make_unique<TableCommands>(generator_, plan_.generator.keys, random_);
    }
    words = table_->next(now_ms);
    if (!answers && wait_terms(std::vector<std::string_view>(words.begin(), words.end()))) {
      words = {"PING"};
    }
  } else if (random_.chance(plan_.unknown_ppm)) {
    words = asides_.unknown();
  } else if (random_.chance(plan_.settings_ppm)) {
    words = bursts_.in_transaction() || !answers ? Asides::Words{"PING"} : asides_.settings();
  } else if (random_.chance(plan_.quiet_ppm)) {
    words = asides_.quiet();
  } else if (random_.chance(plan_.pause_ppm)) {
    words = bursts_.in_transaction() ? Asides::Words{"PING"} : asides_.pause();
  } else if (random_.chance(plan_.tracking_ppm)) {
    const std::optional<uint64_t> other = checker_.session_of_another(*link_, random_);
    const bool possible = resp3_ && answers && !bursts_.in_transaction();
    words = possible ? asides_.tracking(other ? std::to_string(*other) : "")
            : answers && !bursts_.in_transaction() ? Asides::Words{"HELLO", "3"}
                                                   : Asides::Words{"PING"};
  }
  if (words.empty()) return false;
  add(std::vector<std::string_view>(words.begin(), words.end()));
  return true;
}

void LoadClient::add_generated(int64_t now_ms) {
  const std::span<const std::string_view> arguments = generator_.next(now_ms).arguments;
  if (replies_ != Replies::on && wait_terms(arguments)) return add({"PING"});
  add(arguments);
}

void LoadClient::add(std::initializer_list<std::string_view> arguments) {
  add(std::span<const std::string_view>(arguments.begin(), arguments.size()));
}

void LoadClient::add(std::span<const std::string_view> arguments) {
  const bool about_replies = arguments.size() == 3 && arguments[1] == "REPLY";
  bool silent = replies_ != Replies::on;
  if (replies_ == Replies::skip) replies_ = Replies::on;
  if (about_replies) {
    replies_ = arguments[2] == "ON"    ? Replies::on
               : arguments[2] == "OFF" ? Replies::off
                                       : Replies::skip;
    silent = replies_ != Replies::on;
  }
  if (arguments[0] == "HELLO" && arguments.size() == 2) resp3_ = arguments[1] == "3";
  if (arguments[0] == "RESET") resp3_ = false;
  if (arguments[0] == "AUTH") authenticated_ = arguments[1] == plan_.password;
  const bool inline_form =
      plan_.script != nullptr ? inline_form_ : random_.chance(plan_.inline_ppm);
  link_->add(arguments, silent, inline_form);
  if (checker_.keeps_history()) checker_.called(*link_, arguments);
  checker_.record_call(*link_, arguments, silent);
  if (!records_) return;
  words_.emplace_back(arguments.begin(), arguments.end());
  inline_forms_.push_back(inline_form ? 1 : 0);
}

// Such as may be queued, too.
void LoadClient::add_quiet_connection_command() {
  switch (random_.below(7)) {
    case 6: {
      const Asides::Words words = asides_.question();
      return add(std::vector<std::string_view>(words.begin(), words.end()));
    }
    case 0: return add({"HELLO", random_.coin() ? "3" : "2"});
    case 1: return add({"CLIENT", "ID"});
    case 2: return add({"CLIENT", "SETNAME", random_.coin() ? "worker" : "a b"});
    case 3: return add({"CLIENT", "GETNAME"});
    case 4: return add({"ECHO", "hello"});
    default: return add({"PING"});
  }
}

void LoadClient::add_connection_command() {
  if (bursts_.queueing()) return add_quiet_connection_command();
  static constexpr std::array<std::string_view, 4> kNames = {"worker", "a b", "", "x-1"};
  switch (random_.below(17)) {
    case 15:
    case 16: {
      const Asides::Words words = asides_.question();
      return add(std::vector<std::string_view>(words.begin(), words.end()));
    }
    case 0: return add({"HELLO", "3"});
    case 1: return add({"HELLO", "2"});
    case 2: return add({"CLIENT", "ID"});
    case 3: return add({"CLIENT", "SETNAME", kNames[random_.below(kNames.size())]});
    case 4: return add({"client", "getname"});
    case 5: return add({"CLIENT", "NO-TOUCH", random_.coin() ? "ON" : "off"});
    case 6: return add({"PING"});
    case 7: return add({"CLIENT", "INFO"});
    case 8: return add({"ECHO", "hello"});
    case 9: return add_rare_connection_command();
    default: return add_publish();
  }
}

void LoadClient::add_publish() {
  const std::string channel = news_channel(random_.below(kNewsChannels));
  const std::string text =
      "client " + std::to_string(number_) + " says " + std::to_string(published_++);
  add({"PUBLISH", channel, text});
}

void LoadClient::add_rare_connection_command() {
  const std::string pause_ms = std::to_string(random_.between_log(1, 100));
  const bool answers = replies_ == Replies::on;
  const bool mutes = answers && plan_.mutes && !bursts_.in_transaction();
  switch (random_.below(9)) {
    case 0:
      // It would take the password back, and the replies.
      return plan_.password.empty() && answers ? add({"RESET"}) : add({"PING", "x"});
    case 1: return add({"CLIENT", "PAUSE", pause_ms, random_.coin() ? "WRITE" : "ALL"});
    case 2: return add({"CLIENT", "UNPAUSE"});
    case 3: return mutes ? add({"CLIENT", "REPLY", "OFF"}) : add({"CLIENT", "REPLY", "ON"});
    case 4: return mutes ? add({"CLIENT", "REPLY", "SKIP"}) : add({"PING"});
    case 5: return add_kill();
    case 6:
    case 7: return add_unblock();
    default:
      if (!answers) return add({"PING"});
      add({"QUIT"});
      link_->quits = true;
  }
}

void LoadClient::add_kill() {
  const std::optional<uint64_t> session = checker_.session_of_another(*link_, random_);
  if (!session || replies_ != Replies::on) return add({"PING"});
  add({"CLIENT", "KILL", "ID", std::to_string(*session)});
}

void LoadClient::add_unblock() {
  const std::optional<uint64_t> session = checker_.session_of_another(*link_, random_);
  if (!session || replies_ != Replies::on) return add({"PING"});
  const std::string id = std::to_string(*session);
  if (random_.below(3) == 0) return add({"CLIENT", "UNBLOCK", id});
  add({"CLIENT", "UNBLOCK", id, random_.coin() ? "TIMEOUT" : "ERROR"});
}

void LoadClient::on_sent() {
  if (cut_ > 0) return hang_up();
  on_received();
}

void LoadClient::on_received() {
  if (waiting_ && link_->complete()) after_pipeline();
}

void LoadClient::after_pipeline() {
  // The send may not have completed yet; its bytes are borrowed until then.
  if (sending() || link_->quits) return;  // after QUIT the other side closes
  waiting_ = false;
  env_.disarm(timer_);
  if (last_connection_ && authenticated_ == !plan_.password.empty()) {
    stop_for_good();
    if (plan_.keep_connection && number_ == 0) return;
    return hang_up();
  }
  if (plan_.script == nullptr) hangs_up_ = random_.chance(plan_.hang_up_ppm);
  if (hangs_up_) {
    if (records_ && recorded_ == 0) record_step();
    if (records_) plan_.record->hangs_up(recorded_ - 1);
    return hang_up();
  }
  const bool at_once = plan_.think_us == 0 || (scripted_ && scripted_pauses_.empty());
  if (at_once) return begin_pipeline();
  env_.arm_in(timer_, pause(plan_.think_us * 1'000));
}

void LoadClient::on_timer() {
  if (waiting_ && vanishes_) return hang_up();
  if (waiting_) return fail(Error::timed_out);
  begin_pipeline();
}

// The pipeline's bytes, unless a bug is planted: then one of its commands is missing.
Slice LoadClient::outgoing() {
  const size_t count = link_->starts.size();
  if (!plan_.lose_command || count < 3 || !plan_.may_strike()) {
    return as_slice(link_->pipeline);
  }
  plan_.lose_command = false;
  plant_buffer_ = link_->pipeline;
  plant_buffer_.erase(link_->starts[0], link_->starts[1] - link_->starts[0]);
  return as_slice(plant_buffer_);
}

// The bytes as they came, unless a bug is planted: a reply missing, or two in the wrong order.
std::string_view LoadClient::incoming(std::string_view bytes) {
  if (!plan_.drop_reply && !plan_.swap_replies) return bytes;
  const bool at_reply = link_->received == link_->understood;
  if (!at_reply || !plan_.may_strike()) return bytes;
  RespValue value;
  size_t first = 0;
  if (parse_resp(bytes, value, first) != RespParse::complete) return bytes;
  size_t second = 0;
  if (parse_resp(bytes.substr(first), value, second) != RespParse::complete) return bytes;
  if (plan_.drop_reply && bytes.substr(0, first) != bytes.substr(first, second)) {
    plan_.drop_reply = false;
    return bytes.substr(first);
  }
  if (!plan_.swap_replies) return bytes;
  plant_buffer_ = std::string(bytes.substr(first, second)) + std::string(bytes.substr(0, first)) +
                  std::string(bytes.substr(first + second));
  if (plant_buffer_ == bytes) return bytes;
  plan_.swap_replies = false;
  return plant_buffer_;
}

}  // namespace redoubt::sim
