#include "sim/host.h"

#include "sim/network.h"

namespace redoubt::sim {

namespace {

constexpr size_t kLogLinesMax = 200;
// What the monotonic clock of a machine shows when its life in the world begins.
constexpr Duration kUptime = Duration::seconds(1'000);

std::string address_text(HostId id) {
  const uint32_t number = id + 1;
  return "10." + std::to_string(number >> 16) + "." + std::to_string((number >> 8) & 255) + "." +
         std::to_string(number & 255);
}

std::string address6_text(HostId id) {
  char text[32];
  std::snprintf(text, sizeof text, "fd00::%x", id + 1);
  return text;
}

}  // namespace

Host::Host(Core& core, Network& network, HostId id, HostOptions options, ProcessFactory factory)
    : core_(core),
      id_(id),
      options_(std::move(options)),
      factory_(std::move(factory)),
      address_(address_text(id)),
      address6_(address6_text(id)),
      clock_(kUptime + Duration::milliseconds(id), core.options.start_unix_us * 1'000),
      fault_randoms_(core.run_seed, "faults", id),
      disk_(Random(core.run_seed, "disk", id)),
      files_(core, *this, disk_),
      backend_(core, *this, network, files_) {}

void Host::draw_clock() {
  if (!options_.faultable) return;
  if (const int64_t most = core_.faults.clock_skew; most > 0) {
    clock_.jump(Duration::milliseconds(fault_random(Fault::clock_skew).between(-most, most)));
    core_.count(Fault::clock_skew, id_);
  }
  if (const int64_t most = core_.faults.clock_drift; most > 0) {
    clock_.set_drift(fault_random(Fault::clock_drift).between(-most, most));
    core_.count(Fault::clock_drift, id_);
  }
  record_clock();
}

void Host::record_clock() {
  if (core_.recorder == nullptr) return;
  const int64_t right_us = core_.options.start_unix_us + core_.now.ns / 1'000;
  const int64_t wrong_us = clock_.wall(core_.now).unix_us - right_us;
  core_.recorder->clock(id_, Duration::microseconds(wrong_us), clock_.drift_ppm());
}

void Host::jump_clock(Duration by) {
  clock_.jump(by);
  record_clock();
}

Host::~Host() {
  ASSERT(env_ == nullptr);
}

void Host::end_world() {
  if (env_ == nullptr) return;
  powered_ = false;
  dying_ = true;
  backend_.end_life(true);
  process_.reset();
  env_.reset();
}

uint64_t Host::draws() const {
  return fault_randoms_.draws() + disk_.random().draws() + backend_.draws();
}

int64_t Host::work_cost() const {
  const auto units = static_cast<int64_t>(env_ == nullptr ? 0 : env_->work() - work_before_);
  return units * core_.options.work_ns * options_.cpu_factor * slow_factor_;
}

Instant Host::local_now() const {
  return in_turn_ ? core_.now + Duration{work_cost() + stalled_ns_} : core_.now;
}

void Host::run_turn(void (*body)(Host&, void*), void* context) {
  work_before_ = env_->work();
  stalled_ns_ = 0;
  in_turn_ = true;
  if (core_.recorder != nullptr) core_.recorder->turn_begins(id_);
  env_->begin_turn();
  body(*this, context);
  env_->end_turn();
  const int64_t base = core_.options.turn_ns * options_.cpu_factor * slow_factor_;
  busy_until_ = core_.now + Duration{base + work_cost() + stalled_ns_};
  env_->rest(clock_.monotonic(busy_until_));
  if (core_.recorder != nullptr) core_.recorder->turn_ends(busy_until_ - core_.now);
  in_turn_ = false;
  if (!end_requested_) schedule_wake();
}

void Host::boot(WorldObserver* observer) {
  ASSERT(!running());
  powered_ = true;
  paused_ = false;
  stop_asked_ = false;
  end_requested_ = false;
  ++boots_;
  core_.record(What::boot, id_, 0, boots_);
  if (core_.recorder != nullptr) core_.recorder->boot(id_, boots_);
  env_ = std::make_unique<Env>(backend_);
  run_turn([](Host& host, void*) { host.process_ = host.factory_(*host.env_); }, nullptr);
  if (process_ == nullptr) exit_with(1);
  if (observer != nullptr && process_ != nullptr) observer->host_booted(id_);
}

void Host::end_life(StopKind kind, WorldObserver* observer) {
  if (env_ == nullptr) return;
  if (observer != nullptr) observer->host_stopping(id_, kind, exit_status_);
  core_.record(What::stop, id_, static_cast<uint64_t>(kind), static_cast<uint64_t>(exit_status_));
  if (core_.recorder != nullptr) {
    core_.recorder->stop(id_, static_cast<uint8_t>(kind), exit_status_);
  }
  const bool power_loss = kind == StopKind::power_loss;
  powered_ = !power_loss;
  dying_ = true;
  backend_.end_life(power_loss);
  process_.reset();
  env_.reset();
  dying_ = false;
  if (power_loss) lose_unsynced();
  due_ = turn_wanted_ = wake_armed_ = paused_ = end_requested_ = false;
  ++wake_generation_;
  busy_until_ = core_.now;
}

// What the power loss does to the disk.
void Host::lose_unsynced() {
  PowerLoss ppm;
  ppm.lost = core_.faults.disk_lost;
  ppm.torn = core_.faults.disk_torn;
  ppm.garbage = core_.faults.disk_garbage;
  ppm.name_lost = core_.faults.disk_name_lost;
  ppm.rename_lost = core_.faults.disk_rename_lost;
  const PowerLoss happened = disk_.lose_power(ppm);
  const auto count = [this](Fault fault, int64_t times) {
    if (times > 0) core_.count(fault, id_, static_cast<uint64_t>(times));
  };
  count(Fault::disk_lost, happened.lost);
  count(Fault::disk_torn, happened.torn);
  count(Fault::disk_garbage, happened.garbage);
  count(Fault::disk_name_lost, happened.name_lost);
  count(Fault::disk_rename_lost, happened.rename_lost);
}

void Host::replace() {
  ASSERT(!running());
  disk_.wipe();
  // Switched on some time ago, by its own clock, and set to the right time but for what faults say.
  clock_ = SimClock(kUptime - (core_.now - Instant()), core_.options.start_unix_us * 1'000);
  draw_clock();
}

void Host::ask_to_stop() {
  if (!running()) return;
  stop_asked_ = true;
  make_due();
}

void Host::set_slow(int64_t factor) {
  slow_factor_ = factor;
  if (core_.recorder != nullptr) core_.recorder->speed(id_, factor);
}

void Host::set_paused(bool paused) {
  if (core_.recorder != nullptr && paused_ != paused) core_.recorder->pause(id_, paused);
  paused_ = paused;
  if (!paused && running()) make_due();
}

void Host::exit_with(int status) {
  if (dying_ || end_requested_) return;
  end_requested_ = true;
  exit_status_ = status;
}

void Host::keep_log(std::string_view line) {
  if (dying_) return;
  core_.record(What::log, id_, 0, 0, line);
  if (core_.recorder != nullptr) core_.recorder->log(id_, line);
  if (log_lines_.size() == kLogLinesMax) log_lines_.pop_front();
  log_lines_.push_back(time_text(core_.now) + " " + std::string(line));
}

void Host::make_due() {
  ASSERT(!in_turn_);  // busy_until_ is not known yet
  turn_wanted_ = true;
  if (paused_ || due_ || turn_scheduled_) return;
  if (busy_until_ <= core_.now) {
    due_ = true;
    core_.due.push_back(id_);
    return;
  }
  turn_scheduled_ = true;
  Event event;
  event.at = busy_until_;
  event.kind = EventKind::turn;
  event.index = id_;
  core_.events.push(event);
}

void Host::on_turn_event() {
  turn_scheduled_ = false;
  if (running() && turn_wanted_) make_due();
}

void Host::on_wake(uint32_t generation) {
  if (!wake_armed_ || generation != wake_generation_) return;
  wake_armed_ = false;
  if (!running()) return;
  if (env_->next_deadline() <= clock_.monotonic(core_.now)) return make_due();
  schedule_wake();
}

void Host::schedule_wake() {
  const Instant deadline = env_->next_deadline();
  if (deadline == Instant::never()) return;
  Instant at = std::max(clock_.world_when(deadline), busy_until_);
  if (wake_armed_ && wake_at_ <= at) return;
  wake_armed_ = true;
  wake_at_ = at;  // without the jitter, which is drawn once for a deadline
  if (core_.faults.timer_jitter > 0 && options_.faultable) {
    at = at + core_.extra(Fault::timer_jitter, id_);
  }
  Event event;
  event.at = at;
  event.kind = EventKind::wake;
  event.index = id_;
  event.generation = ++wake_generation_;
  core_.events.push(event);
}

void Host::take_turn() {
  due_ = false;
  if (!running() || paused_ || !turn_wanted_) return;
  turn_wanted_ = false;
  const auto body = [](Host& host, void*) {
    if (host.stop_asked_) {
      host.stop_asked_ = false;
      host.process_->stop(*host.env_);
    }
    host.backend_.deliver();
  };
  run_turn(body, nullptr);
}

void Host::visit(void (*body)(Host&, void*), void* context) {
  ASSERT(running() && !in_turn_);
  run_turn(body, context);
}

}  // namespace redoubt::sim
