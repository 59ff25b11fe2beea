#include "sim/replication/planted.h"

namespace redoubt::sim {

namespace {

struct PlantedRow {
  std::string_view name;
  bool ReplicationPlants::* flag;
};

constexpr PlantedRow kRows[] = {
    {"kept_id", &ReplicationPlants::id_kept},
    {"kept_id_at_restart", &ReplicationPlants::id_kept_at_restart},
    {"deaf_to_new_id", &ReplicationPlants::new_id_ignored},
    {"any_history", &ReplicationPlants::any_history},
    {"unbounded_second_id", &ReplicationPlants::second_id_unbounded},
    {"ignored_offset", &ReplicationPlants::offset_ignored},
    {"skipped_byte", &ReplicationPlants::one_entry_skipped},
    {"lost_database", &ReplicationPlants::database_forgotten},
    {"uncounted_control", &ReplicationPlants::control_not_counted},
    {"late_join", &ReplicationPlants::joins_late},
    {"early_start", &ReplicationPlants::starts_early},
    {"left_data", &ReplicationPlants::old_data_left},
    {"dropped_lapsed", &ReplicationPlants::lapsed_dropped},
    {"deciding_replica", &ReplicationPlants::decides},
    {"writable_replica", &ReplicationPlants::writable},
    {"given_up_link", &ReplicationPlants::not_tried_again},
    {"endless_patience", &ReplicationPlants::no_timeout},
    {"generous_wait", &ReplicationPlants::wait_counts_all},
    {"double_wait", &ReplicationPlants::wait_counts_links},
    {"early_waitaof", &ReplicationPlants::waitaof_early},
    {"hasty_failover", &ReplicationPlants::failover_impatient},
    {"half_entry", &ReplicationPlants::half_entry_applied},
    {"kept_half", &ReplicationPlants::half_entry_kept},
    {"counted_first", &ReplicationPlants::counted_first},
    {"unkept_unknown", &ReplicationPlants::unknown_not_kept},
    {"unnoted_unknown", &ReplicationPlants::unknown_not_noted},
    {"half_snapshot", &ReplicationPlants::half_adopted},
    {"cut_snapshot", &ReplicationPlants::cut_accepted},
    {"lost_stream_db", &ReplicationPlants::stream_db_lost},
    {"early_ack", &ReplicationPlants::acks_snapshot},
    {"early_fack", &ReplicationPlants::acks_medium},
    {"served_stale", &ReplicationPlants::stale_served},
    {"self_counted", &ReplicationPlants::waitaof_counts_self},
    {"counted_laggard", &ReplicationPlants::lagging_counted},
};

}  // namespace

ReplicationPlants planted(std::string_view name) {
  ReplicationPlants plants;
  for (const PlantedRow& row : kRows) plants.*row.flag = row.name == name;
  return plants;
}

}  // namespace redoubt::sim
