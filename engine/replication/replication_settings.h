// The settings of replication. Their directives are in replication_directives.cc.
#pragma once

#include <cstdint>
#include <string>

#include "engine/replication/replication_plants.h"

namespace redoubt {

// The enumerators stand in the order of the words in the rows of their directives.
enum class DisklessLoad : uint8_t { disabled, on_empty_db, swapdb, flush_before_load };
enum class PropagationErrors : uint8_t { ignore, panic, panic_on_replicas };

struct ReplicationSettings {
  // of a replica
  std::string primary_host;  // empty: this node is a primary
  uint16_t primary_port = 0;
  std::string auth_user;
  std::string auth_password;
  bool serve_stale_data = true;
  bool read_only = true;
  bool lazy_flush = false;
  bool announced = true;
  std::string announce_ip;
  uint16_t announce_port = 0;
  int64_t priority = 100;
  DisklessLoad diskless_load = DisklessLoad::disabled;
  PropagationErrors propagation_errors = PropagationErrors::ignore;

  // of a primary
  bool diskless_sync = true;
  int64_t diskless_sync_delay_s = 5;
  uint64_t diskless_sync_replicas = 0;  // so many that wait begin without the delay; 0: never
  int64_t ping_period_s = 10;
  uint64_t replicas_to_write = 0;
  int64_t replicas_lag_s = 10;

  // Bugs that a simulation has planted.
  const ReplicationPlants* plants = &kNoReplicationPlants;

  // of both
  int64_t timeout_s = 60;
  uint64_t backlog_bytes = uint64_t{1} << 20;
  int64_t backlog_ttl_s = 3600;
  int64_t shutdown_timeout_s = 10;  // how long a stop waits for replicas
};

}  // namespace redoubt
