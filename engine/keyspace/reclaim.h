// Reclaim: frees memory that is no longer in use.
//
// A removed value of many parts stays with its database and is freed in slices between turns; large
// pieces and whole databases are freed by another thread. The memory that waits has a bound: beyond
// it, large pieces are freed at once, and a command that makes data while removed values wait frees
// twice as much before it ends. So values that are replaced again and again are freed as fast as
// they come, and a value that is only removed delays no command.
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
  // Operations that are in flight do not touch it afterwards.
  ~Reclaim();

  // Databases put large pieces of memory here.
  Garbage& garbage() { return garbage_; }
  // The database may ask for regions.
  void attach(Database& database);
  void settings_changed();

  // A command has changed data in the database: frees removed values, if too many wait.
  void after_change(const Database& database) {
    if (garbage_.has_remains()) [[unlikely]]
      free_in_proportion(database);
  }
  void end_turn();
  // Ten times a second.
  void cron();
  // Frees the database in another thread.
  void free_in_background(std::unique_ptr<Database> database);

  // Bytes, and values or keys, that are removed and not freed yet.
  size_t bytes() const;
  size_t objects() const;

 private:
  struct FreeJob;
  struct RegionJob;

  void free_in_proportion(const Database& database);
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
  size_t remains_max_ = 0;  // bytes of a database's remains above which commands free some
  // The database of the last command that changed data while removed values waited, and its bytes
  // then; null when nothing waits.
  const Database* last_changed_ = nullptr;
  size_t last_changed_bytes_ = 0;
  std::unique_ptr<RegionJob> region_job_;
  bool region_wanted_ = false;  // by some database
  Instant last_trim_;
  Timer timer_;
};

}  // namespace redoubt
