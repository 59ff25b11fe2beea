// The settings of persistence. Their directives are in persist_directives.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/persist/snapshots/persist_plants.h"

namespace redoubt {

// The enumerators stand in the order of the words in the rows of their directives.
enum class AppendFsync : uint8_t { everysec, always, no };
enum class SanitizePayload : uint8_t { no, yes, clients };

// A snapshot is saved when this time has passed since the last one, and there were so many changes.
struct SavePoint {
  int64_t seconds;
  uint64_t changes;
};

inline constexpr PersistPlants kNothingPlanted;

struct PersistSettings {
  // snapshots
  std::vector<SavePoint> save_points = {{3600, 1}, {300, 100}, {60, 10000}};
  std::string dbfilename = "dump.rdb";
  bool rdb_compression = true;
  bool rdb_checksum = true;
  std::string rdb_version = "auto";
  bool rdb_del_sync_files = false;
  bool stop_writes_on_save_error = true;
  bool refuse_unknown_modules = true;
  int64_t key_save_delay_us = 0;

  // the append-only log
  bool append_only = false;
  AppendFsync append_fsync = AppendFsync::everysec;
  std::string append_file_name = "appendonly.aof";
  std::string append_directory = "appendonlydir";
  bool no_fsync_on_rewrite = false;
  int64_t rewrite_percentage = 100;
  uint64_t rewrite_size_min = uint64_t{64} << 20;
  bool load_truncated = true;
  uint64_t corrupt_tail_max = 0;
  bool timestamps = false;
  bool keep_history_files = false;
  std::string load_until;  // empty: everything

  // Of a simulation; no directive.
  const PersistPlants* plants = &kNothingPlanted;
};

}  // namespace redoubt
