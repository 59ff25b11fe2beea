// Saver: saves snapshots to the RDB file (dbfilename): on demand, at save points, before a stop.
//
// A snapshot goes to a temporary file, which is synced and takes the name of the RDB file; then the
// name is synced. So at any moment there is a whole snapshot under that name, the former or the new
// one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/dispatch/services.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "engine/persist/snapshots/snapshot_file.h"
#include "net/env.h"
#include "net/task.h"

namespace redoubt {

class Saver {
 public:
  // Called when a save is over; `error` is empty, or says why it failed.
  using Done = std::function<void(std::string_view error)>;

  // The references outlive it. `take_directory` makes the directory this node's: Error::locked when
  // it is another one's.
  Saver(Env& env, const Services& services, const PersistSettings& settings,
        const std::vector<std::string>& functions, std::function<Task<Error>()> take_directory);
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  bool saving() const { return task_.started(); }
  bool scheduled() const { return scheduled_; }
  // Begins a save. Not while one runs.
  void save(Done done = {});
  // A save begins when nothing else runs.
  void schedule() { scheduled_ = true; }
  // Ends the save that runs, or that is scheduled. False: there is none.
  bool cancel();
  // Ten times a second. `others_run`: a rewrite of the log needs the disk.
  void cron(bool others_run);

  // The data is what the RDB file has: it was loaded.
  void note_loaded();
  bool has_save_points() const { return !settings_.save_points.empty(); }
  // Whether commands that write are to be refused because the last save has failed.
  bool refuses_writes() const;

  // What INFO and LASTSAVE show.
  struct Facts {
    int64_t last_save_unix_s = 0;
    bool last_failed = false;
    int64_t last_s = -1;  // how long the last save took; -1: there was none
    uint64_t saves = 0;
  };
  const Facts& facts() const { return facts_; }
  int64_t saving_for_s() const;
  uint64_t kept_bytes() const { return file_ == nullptr ? 0 : file_->kept_bytes(); }
  // Changes since the data of the last save.
  uint64_t unsaved_changes() const;
  const SnapshotFile* file() const { return file_.get(); }

 private:
  Task<Error> run();
  void end(Error error);
  bool save_point_reached() const;

  Env& env_;
  const Services& services_;
  const PersistSettings& settings_;
  const std::vector<std::string>& functions_;  // sources of libraries
  const std::function<Task<Error>()> take_directory_;
  Task<Error> task_;
  std::unique_ptr<SnapshotFile> file_;
  Done done_;
  bool scheduled_ = false;
  bool cancelled_ = false;
  Instant began_;
  Instant next_try_;            // at save points, after a failure
  uint64_t changes_begun_ = 0;  // as counted when the snapshot was taken
  uint64_t changes_saved_ = 0;
  Instant saved_at_;
  std::string problem_;
  Facts facts_;
};

}  // namespace redoubt
