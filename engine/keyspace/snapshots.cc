#include "engine/keyspace/snapshots.h"

#include <algorithm>
#include <utility>

#include "net/places.h"

namespace redoubt {

namespace {

// Entries and parts in one step: a fraction of a millisecond.
constexpr size_t kSnapshotStep = 1000;
// When a consumer takes nothing.
constexpr Duration kSnapshotPause = Duration::milliseconds(5);

}  // namespace

Snapshots::Snapshots(Env& env, Reclaim& reclaim,
                     const std::vector<std::unique_ptr<Database>>& databases)
    : env_(env), reclaim_(reclaim), databases_(databases) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<Snapshots*>(timer.owner)->on_timer(); };
}

Snapshots::~Snapshots() {
  env_.disarm(timer_);
  runs_.clear();  // before the databases that they hold
}

bool Snapshots::can_begin() const {
  return std::all_of(databases_.begin(), databases_.end(),
                     [](const auto& database) { return database->passes().has_room(); });
}

// Clears some of what aborted snapshots have left. True when nothing is left.
bool Snapshots::clear_marks() {
  size_t budget = kSnapshotStep;
  bool all = true;
  for (const auto& database : databases_) {
    all = database->passes().clear_marks(budget) && all;
  }
  return all;
}

bool Snapshots::begin(std::span<const Snapshot::Source> sources, const SnapshotLimits& limits,
                      SnapshotConsumer& consumer) {
  ASSERT(!sources.empty());
  if (!Snapshot::can_begin(sources)) return false;
  runs_.push_back({std::make_unique<Snapshot>(sources, limits), &consumer, false});
  if (runs_.size() > 1) REDOUBT_REACHED(snapshots_at_once);
  if (!timer_.armed()) env_.arm(timer_, env_.now());
  return true;
}

void Snapshots::cancel(SnapshotConsumer& consumer) {
  for (Run& run : runs_) {
    if (run.consumer != &consumer || run.told) continue;
    run.snapshot->cancel();
    run.told = true;
    consumer.snapshot_ended(SnapshotEnd::cancelled);
    return;
  }
}

// Steps one, and reports the end to its consumer, maybe before all is freed.
void Snapshots::step_run(Run& run, size_t& budget) {
  ASSERT(run.snapshot != nullptr && run.consumer != nullptr);
  const bool over = run.told ? run.snapshot->release_some(budget)
                             : run.snapshot->step(run.consumer->sink(), budget);
  if (run.snapshot->end() != SnapshotEnd::none && !std::exchange(run.told, true)) {
    run.consumer->snapshot_ended(run.snapshot->end());
  }
  ASSERT(!over || run.told);  // no consumer waits for an end that never comes
  if (over) run.snapshot = nullptr;
}

size_t Snapshots::step(size_t budget) {
  size_t used = 0;
  // A consumer may begin another snapshot when it learns of the end.
  for (size_t i = 0; i < runs_.size(); ++i) {
    size_t left = budget;
    step_run(runs_[i], left);
    used += budget - left;
  }
  env_.count_work(used);
  drop_ended();
  return used;
}

void Snapshots::drop_ended() {
  std::erase_if(runs_, [](const Run& run) { return run.snapshot == nullptr; });
  for (std::unique_ptr<Database>& database : flushed_) {
    if (!database->passes().any()) {
      reclaim_.free_in_background(std::move(database));
    }
  }
  std::erase_if(flushed_, [](const auto& database) { return database == nullptr; });
}

void Snapshots::on_timer() {
  const size_t budget = REDOUBT_UNLUCKY(snapshot_of_one) ? 1 : kSnapshotStep;
  const bool went_on = step(budget) > 0;
  const bool cleared = clear_marks();
  if (runs_.empty() && cleared) return;
  went_on || !cleared ? env_.arm(timer_, env_.now()) : env_.arm_in(timer_, kSnapshotPause);
}

std::unique_ptr<Database> Snapshots::keep_flushed(std::unique_ptr<Database> database) {
  if (!database->passes().any()) return database;
  REDOUBT_REACHED(snapshot_kept_database);
  flushed_.push_back(std::move(database));
  return nullptr;
}

size_t Snapshots::flushed_bytes() const {
  size_t bytes = 0;
  for (const auto& database : flushed_) bytes += database->used_bytes();
  return bytes;
}

}  // namespace redoubt
