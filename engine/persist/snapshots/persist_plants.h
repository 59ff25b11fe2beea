// Bugs of persistence that a simulation can plant. Outside of simulations nobody looks at them:
// each stands at one place, behind kSimulation (net/places.h), and off the paths that are hot.
#pragma once

namespace redoubt {

struct PersistPlants {
  // snapshots
  bool directory_forgotten = false;        // a saved snapshot's name is not synced
  bool deadline_dropped = false;           // a base leaves deadlines of keys out
  bool field_deadline_lost = false;        // a snapshot leaves deadlines of packed hash fields out
  bool damaged_snapshot_accepted = false;  // the checksum of a snapshot is not looked at

  // files of the log
  bool manifest_before_base = false;   // it lists a base that is not written yet
  bool directory_not_synced = false;   // a new increment's name is not synced
  bool history_removed_early = false;  // before the manifest leaves it out
  bool increment_lost = false;         // the manifest forgets one that was before
  bool increment_reused = false;       // after a failure the next rewrite takes the same file again

  // writing
  bool sync_error_ignored = false;   // the result of a sync is not looked at
  bool write_error_ignored = false;  // nor that of a write
  bool acknowledged_early = false;   // what is on its way to the file counts as written
  bool removal_not_written = false;  // DEL and UNLINK are not written
  bool select_missing = false;       // an increment does not begin with SELECT
  bool policy_kept = false;          // CONFIG SET appendfsync does not reach the promise
  bool gate_reopened_wide = false;   // when the gate closes again, replies do not wait

  // loading
  bool half_transaction_loaded = false;  // a MULTI without its EXEC
  bool checksum_ignored = false;         // an entry that is damaged is applied
  bool tail_kept = false;                // what a crash has left is not cut off
  bool tail_in_the_middle = false;       // nor does another file behind it matter
};

}  // namespace redoubt
