#include "engine/keyspace/reclaim.h"

#include <algorithm>
#include <utility>

#include "net/places.h"

namespace redoubt {

namespace {

// Allocations that are freed between two turns: a fraction of a millisecond.
constexpr size_t kSlice = 4000;
// And those that a command frees at a time.
constexpr size_t kCommandSlice = 512;

// Bytes that may wait: a part of maxmemory, or so many without one.
constexpr size_t kWaitingMax = 64 * 1024 * 1024;
constexpr size_t kWaitingMin = 256 * 1024;
constexpr size_t kPartOfLimit = 64;

constexpr Duration kTrimEvery = Duration::milliseconds(100);
constexpr size_t kTrimRegions = 4;  // up to 0.04 ms each

}  // namespace

// Something large on its way to be freed.
struct Reclaim::FreeJob {
  Reclaim* owner = nullptr;
  Op op;
  std::unique_ptr<Database> database;
  Garbage garbage;
  size_t bytes = 0;
  size_t objects = 0;
};

// A region that is touched for the database that will want it.
struct Reclaim::RegionJob {
  Reclaim* owner = nullptr;
  Op op;
  SpareRegion region;
};

Reclaim::Reclaim(Env& env, const Databases& databases, const Settings& settings, Stats& stats)
    : env_(env), databases_(databases), settings_(settings), stats_(stats) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<Reclaim*>(timer.owner)->free_remains(); };
  settings_changed();
}

Reclaim::~Reclaim() {
  env_.disarm(timer_);
  for (const std::unique_ptr<FreeJob>& job : free_jobs_) env_.abandon(job->op);
  if (region_job_ != nullptr) env_.abandon(region_job_->op);
}

void Reclaim::attach(Database& database) {
  database.allocator().regions().set_wish(&region_wanted_);
}

void Reclaim::settings_changed() {
  const size_t limit = settings_.maxmemory;
  remains_max_ =
      limit == 0 ? kWaitingMax : std::clamp(limit / kPartOfLimit, kWaitingMin, kWaitingMax);
  ASSERT(remains_max_ >= kWaitingMin);
  garbage_.set_bytes_max(remains_max_);
}

size_t Reclaim::bytes() const {
  size_t bytes = bytes_in_flight_ + garbage_.bytes();
  for (const auto& database : databases_) bytes += database->remains().bytes();
  return bytes;
}

size_t Reclaim::objects() const {
  size_t count = objects_in_flight_ + garbage_.objects();
  for (const auto& database : databases_) count += database->remains().count();
  return count;
}

// The growth of the database since the last command is the data of this command, less the data that
// it freed itself.
void Reclaim::free_in_proportion(const Database& changed) {
  const auto found = std::ranges::find_if(
      databases_, [&](const auto& database) { return database.get() == &changed; });
  if (found == databases_.end()) return;
  Database& database = **found;
  const size_t before = std::exchange(last_changed_bytes_, database.used_bytes());
  if (std::exchange(last_changed_, &changed) != &changed || last_changed_bytes_ <= before) return;
  if (database.remains().bytes() <= remains_max_) return;
  size_t owed = 2 * (last_changed_bytes_ - before);
  const size_t removed = database.remains().count();
  bool done = false;
  while (owed > 0 && !done && database.remains().bytes() > remains_max_) {
    const size_t there = database.used_bytes();
    size_t budget = kCommandSlice;
    done = database.remains().free_some(budget);
    owed -= std::min(owed, there - std::min(there, database.used_bytes()));
  }
  stats_.lazyfreed_objects += removed - database.remains().count();
  last_changed_bytes_ = database.used_bytes();
}

// Between turns, so that no command waits for a value of many parts.
void Reclaim::free_remains() {
  size_t budget = REDOUBT_UNLUCKY(free_little) ? 1 : kSlice;
  bool done = true;
  for (const std::unique_ptr<Database>& database : databases_) {
    const size_t before = database->remains().count();
    done = database->remains().free_some(budget) && done;
    stats_.lazyfreed_objects += before - database->remains().count();
  }
  if (last_changed_ != nullptr) {
    last_changed_bytes_ = std::min(last_changed_bytes_, last_changed_->used_bytes());
  }
  if (done) {
    garbage_.no_remains();
    last_changed_ = nullptr;
    return;
  }
  REDOUBT_REACHED(freed_in_slices);
  if (!timer_.armed()) env_.arm(timer_, env_.now());
}

void Reclaim::end_turn() {
  if (garbage_.has_remains() && !timer_.armed()) env_.arm(timer_, env_.now());
  if (garbage_.bytes() > remains_max_ / 4) submit_garbage();
  if (region_wanted_) make_spare_region();
}

void Reclaim::cron() {
  if (garbage_.has_remains()) free_remains();
  submit_garbage();
  trim();
}

void Reclaim::submit_garbage() {
  if (!garbage_.empty()) submit(nullptr, garbage_.take_pieces());
}

void Reclaim::free_in_background(std::unique_ptr<Database> database) {
  if (last_changed_ == database.get()) last_changed_ = nullptr;
  submit(std::move(database), {});
}

void Reclaim::submit(std::unique_ptr<Database> database, Garbage garbage) {
  ASSERT(database == nullptr || last_changed_ != database.get());
  FreeJob& job = *free_jobs_.emplace_back(std::make_unique<FreeJob>());
  job.owner = this;
  job.bytes = (database == nullptr ? 0 : database->used_bytes()) + garbage.bytes();
  job.objects = (database == nullptr ? 0 : database->size()) + garbage.objects();
  garbage_.add_in_flight(garbage.bytes());
  job.database = std::move(database);
  job.garbage = std::move(garbage);
  bytes_in_flight_ += job.bytes;
  objects_in_flight_ += job.objects;
  job.op.kind = OpKind::background;
  job.op.owner = &job;
  job.op.work = [](Op& op) {
    FreeJob& mine = *static_cast<FreeJob*>(op.owner);
    mine.database.reset();
    mine.garbage.free_all();
  };
  job.op.on_done = [](Op& op) {
    FreeJob& done = *static_cast<FreeJob*>(op.owner);
    done.owner->on_freed(done);
  };
  env_.submit(job.op);
}

void Reclaim::on_freed(FreeJob& job) {
  ASSERT(bytes_in_flight_ >= job.bytes && objects_in_flight_ >= job.objects);
  bytes_in_flight_ -= job.bytes;
  objects_in_flight_ -= job.objects;
  garbage_.remove_in_flight(job.garbage.bytes());
  stats_.lazyfreed_objects += job.objects;
  std::erase_if(free_jobs_, [&](const auto& other) { return other.get() == &job; });
}

// Gives regions that databases do not need back to the system, a few at a time.
void Reclaim::trim() {
  const bool now = REDOUBT_UNLUCKY(trim_everything);
  if (env_.now() - last_trim_ < kTrimEvery && !now) return;
  last_trim_ = env_.now();
  for (const std::unique_ptr<Database>& database : databases_) {
    if (database->allocator().regions().trim(now ? SIZE_MAX : kTrimRegions)) break;
  }
}

// One at a time; when it is there, the next database that wants one is looked for.
void Reclaim::make_spare_region() {
  region_wanted_ = false;
  if (region_job_ != nullptr) return;
  for (const std::unique_ptr<Database>& database : databases_) {
    Regions& regions = database->allocator().regions();
    if (!regions.wants_spare()) continue;
    region_job_ = std::make_unique<RegionJob>();
    RegionJob& job = *region_job_;
    job.owner = this;
    job.region = regions.take_spare();
    job.op.kind = OpKind::background;
    job.op.owner = &job;
    job.op.work = [](Op& op) { static_cast<RegionJob*>(op.owner)->region.touch(); };
    job.op.on_done = [](Op& op) { static_cast<RegionJob*>(op.owner)->owner->on_region_made(); };
    env_.submit(job.op);
    return;
  }
}

void Reclaim::on_region_made() {
  ASSERT(region_job_ != nullptr);
  const std::unique_ptr<RegionJob> job = std::move(region_job_);
  for (const std::unique_ptr<Database>& database : databases_) {
    // A database that was flushed meanwhile takes nothing; the region then ends with its arena.
    if (database->allocator().regions().give_spare(job->region)) break;
  }
  make_spare_region();
}

}  // namespace redoubt
