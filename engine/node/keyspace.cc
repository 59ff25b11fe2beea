// Freeing removed values beside the node, and memory made beside it.
#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

// --- freeing beside the node

size_t Node::garbage_bytes() const {
  size_t bytes = garbage_in_flight_bytes_ + garbage_.bytes();
  for (const auto& database : keyspace_.databases()) bytes += database->remains_bytes();
  return bytes;
}

size_t Node::garbage_objects() const {
  size_t count = garbage_in_flight_count_ + garbage_.objects();
  for (const auto& database : keyspace_.databases()) count += database->remains();
  return count;
}

// Between turns, so that nobody waits for a value of many parts.
void Node::free_remains() {
  constexpr size_t kSlice = 4000;  // allocations: a fraction of a millisecond
  size_t budget = REDOUBT_UNLUCKY(free_little) ? 1 : kSlice;
  bool done = true;
  for (const std::unique_ptr<Database>& database : keyspace_.databases()) {
    const size_t before = database->remains();
    done = database->free_some(budget) && done;
    stats_.lazyfreed_objects += before - database->remains();
  }
  if (done) {
    garbage_.no_remains();
    return;
  }
  REDOUBT_REACHED(freed_in_slices);
  if (!free_timer_.armed()) {
    env_.arm(free_timer_, env_.now());
  }
}

void Node::collect_garbage() {
  if (garbage_.has_remains()) free_remains();
  if (garbage_.empty()) return;
  Garbage garbage = garbage_.take_pieces();
  free_in_background(nullptr, std::move(garbage));
}

// What databases do not need goes back to the system, a little at a time.
void Node::trim_memory() {
  constexpr Duration kEvery = Duration::milliseconds(100);
  constexpr size_t kRegions = 4;  // up to 0.04 ms each
  const bool now = REDOUBT_UNLUCKY(trim_everything);
  if (env_.now() - last_trim_ < kEvery && !now) return;
  last_trim_ = env_.now();
  for (const std::unique_ptr<Database>& database : keyspace_.databases()) {
    if (database->allocator().regions().trim(now ? SIZE_MAX : kRegions)) break;
  }
}

void Node::free_in_background(std::unique_ptr<Database> database, Garbage garbage) {
  auto job = std::make_unique<FreeJob>();
  job->node = this;
  job->bytes = (database == nullptr ? 0 : database->used_bytes()) + garbage.bytes();
  job->objects = (database == nullptr ? 0 : database->size()) + garbage.objects();
  job->database = std::move(database);
  job->garbage = std::move(garbage);
  garbage_in_flight_bytes_ += job->bytes;
  garbage_in_flight_count_ += job->objects;
  job->op.kind = OpKind::background;
  job->op.owner = job.get();
  job->op.work = [](Op& op) {
    FreeJob& mine = *static_cast<FreeJob*>(op.owner);
    mine.database.reset();
    mine.garbage = {};
  };
  job->op.on_done = [](Op& op) {
    FreeJob& done = *static_cast<FreeJob*>(op.owner);
    done.node->on_freed(done);
  };
  env_.submit(job->op);
  free_jobs_.push_back(std::move(job));
}

void Node::on_freed(FreeJob& job) {
  garbage_in_flight_bytes_ -= job.bytes;
  garbage_in_flight_count_ -= job.objects;
  stats_.lazyfreed_objects += job.objects;
  std::erase_if(free_jobs_, [&](const auto& other) { return other.get() == &job; });
}

// --- memory made beside the node

// One at a time; who wants one then is asked when it is there.
void Node::make_spare_region() {
  region_wanted_ = false;
  if (region_job_ != nullptr) return;
  region_job_ = std::make_unique<RegionJob>();
  RegionJob& job = *region_job_;
  job.node = this;
  job.op.kind = OpKind::background;
  job.op.owner = &job;
  job.op.work = [](Op& op) { static_cast<RegionJob*>(op.owner)->memory = Regions::make_memory(); };
  job.op.on_done = [](Op& op) { static_cast<RegionJob*>(op.owner)->node->on_region_made(); };
  env_.submit(job.op);
}

void Node::on_region_made() {
  const std::unique_ptr<RegionJob> job = std::move(region_job_);
  bool more = false;
  for (const std::unique_ptr<Database>& database : keyspace_.databases()) {
    Regions& regions = database->allocator().regions();
    if (!regions.wants_spare()) continue;
    if (job->memory != nullptr) {
      regions.give_spare(std::exchange(job->memory, nullptr));
    } else {
      more = true;
    }
  }
  if (more) make_spare_region();
}

}  // namespace redoubt
