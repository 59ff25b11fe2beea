// Bugs of replication that a simulation can plant. Outside of simulations nobody looks at them:
// each stands at one place, behind kSimulation (net/places.h), and off the paths that are hot.
#pragma once

namespace redoubt {

struct ReplicationPlants {
  // histories
  bool id_kept = false;              // a promotion goes on under the same id
  bool id_kept_at_restart = false;   // so does a primary that comes back without its last effects
  bool new_id_ignored = false;       // a replica passes over the new id in +CONTINUE
  bool any_history = false;          // PSYNC is granted whatever the id
  bool second_id_unbounded = false;  // and beyond the fork
  bool offset_ignored = false;       // the offset of +FULLRESYNC is taken for 0

  // the stream
  bool one_entry_skipped = false;    // the backlog is read from one byte further
  bool database_forgotten = false;   // after a resynchronisation database 0 is selected
  bool control_not_counted = false;  // a replica does not count PING and its like
  bool joins_late = false;           // the stream begins behind the snapshot's end
  bool starts_early = false;         // the snapshot's offset is that of a moment before
  bool half_entry_applied = false;   // what has come of a transaction when the link ends
  bool half_entry_kept = false;      // or it goes on with what the next link brings
  bool counted_first = false;        // an entry counts before it is applied
  bool unknown_not_kept = false;     // a transaction with an unknown command is in no log
  bool unknown_not_noted = false;    // or is there as if all of it were known

  // the snapshot
  bool old_data_left = false;   // the former data is not flushed
  bool lapsed_dropped = false;  // keys that have expired are left out
  bool half_adopted = false;    // one that fails leaves what has come of it, under its name
  bool cut_accepted = false;    // the end of the link is the end of the snapshot
  bool stream_db_lost = false;  // a replica's snapshot does not say which database is selected

  // a replica's manners
  bool decides = false;          // it expires and evicts
  bool writable = false;         // it takes writes
  bool not_tried_again = false;  // a link that has ended is not made anew
  bool no_timeout = false;       // silence is no reason to end a link
  bool acks_snapshot = false;    // it acknowledges a snapshot that is not loaded
  bool acks_medium = false;      // and what is not on its medium
  bool stale_served = false;     // replica-serve-stale-data no is passed over

  // a primary's
  bool wait_counts_all = false;      // WAIT counts who is connected
  bool wait_counts_links = false;    // or the same replica twice
  bool waitaof_early = false;        // WAITAOF counts what is not on the medium
  bool waitaof_counts_self = false;  // or the primary as one of the replicas
  bool lagging_counted = false;      // min-replicas-to-write counts those that say nothing
  bool failover_impatient = false;   // FAILOVER hands over at once
};

inline constexpr ReplicationPlants kNoReplicationPlants;

}  // namespace redoubt
