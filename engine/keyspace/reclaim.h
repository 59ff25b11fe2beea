// Reclaim: memory that nobody uses any more.
//
// A removed value of many parts stays with its database and is freed in slices between turns; large
// pieces and whole databases are freed by another thread. What waits has a bound: beyond it, large
// pieces are freed at once, and a command that makes data while removed values wait frees twice as
// much as it made before it ends. So values that are replaced again and again are freed as fast as
// they come, and one that only goes holds nobody up.
//
// Also here: the databases' empty regions go back to the system, and a database that grows gets its
// next region from another thread (regions.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/config/settings.h"
#include "engine/insight/stats.h"
#include "engine/store/database.h"
#include "net/env.h"

namespace redoubt {

class Reclaim {
 public:
  using Databases = std::vector<std::unique_ptr<Database>>;

  // All of these outlive it.
  Reclaim(Env& env, const Databases& databases, const Settings& settings, Stats& stats);
  Reclaim(const Reclaim&) = delete;
  Reclaim& operator=(const Reclaim&) = delete;
  // Nothing of what is in flight touches it afterwards.
  ~Reclaim();

  // What databases hand over what takes long to free to.
  Garbage& garbage() { return garbage_; }
  // The database may ask for regions.
  void attach(Database& database);
  void settings_changed();

  // A command has changed data in the database: it pays, if it has to.
  void after_change(const Database& database) {
    if (garbage_.has_remains()) [[unlikely]]
      pay(database);
  }
  void end_turn();
  // Ten times a second.
  void cron();
  // Frees the database in another thread.
  void free_in_background(std::unique_ptr<Database> database);

  // What is removed and not freed yet: bytes, and values or keys.
  size_t bytes() const;
  size_t objects() const;

 private:
  struct FreeJob;
  struct RegionJob;

  void pay(const Database& database);
  void free_remains();
  void submit_garbage();
  void submit(std::unique_ptr<Database> database, Garbage garbage);
  void on_freed(FreeJob& job);
  void trim();
  void make_spare_region();
  void on_region_made();

  Env& env_;
  const Databases& databases_;
  const Settings& settings_;
  Stats& stats_;
  Garbage garbage_;
  std::vector<std::unique_ptr<FreeJob>> free_jobs_;
  size_t bytes_in_flight_ = 0;
  size_t objects_in_flight_ = 0;
  size_t remains_max_ = 0;  // bytes of a database's remains from which on commands pay
  // The database that paid last, and its bytes then; null when nothing waits.
  const Database* payer_ = nullptr;
  size_t payer_bytes_ = 0;
  std::unique_ptr<RegionJob> region_job_;
  bool region_wanted_ = false;  // by some database
  Instant last_trim_;
  Timer timer_;
};

}  // namespace redoubt
