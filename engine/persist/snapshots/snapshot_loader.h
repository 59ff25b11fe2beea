// SnapshotLoader: loads an RDB file into the databases of a node.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch/services.h"
#include "engine/persist/rdb/reader.h"
#include "engine/persist/snapshots/load_progress.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "net/env.h"
#include "net/task.h"

namespace redoubt {

// The limits of encodings that are in force.
RdbLimits rdb_limits(const Settings& settings);

class SnapshotLoader final : private RdbListener {
 public:
  // What becomes of keys whose deadline has passed.
  enum class Expired : uint8_t {
    dropped,
    kept,  // commands or effects that follow expect them
  };

  struct Surroundings {
    Env& env;
    const Services& services;
    const PersistSettings& persist;
    LoadProgress& loading;
  };

  // All of these outlive it.
  explicit SnapshotLoader(const Surroundings& surroundings);

  // Loads a file. False: error() says why, and keys may have been loaded.
  Task<bool> load(std::string path, Expired expired);
  const std::string& error() const { return error_; }
  // Keys that are there already are replaced; otherwise they are an error.
  void set_replaces(bool replaces) { replaces_ = replaces; }
  // Where the snapshot ends in the file: an append-only file's commands may follow.
  uint64_t bytes() const { return bytes_; }
  // Which state of which history the file holds; an empty id when it does not say.
  const std::string& history_id() const { return history_id_; }
  uint64_t offset() const { return offset_; }
  // When it was begun; 0: the file does not say.
  int64_t created_unix_s() const { return created_unix_s_; }
  // Sources of libraries of functions.
  std::vector<std::string> take_functions() { return std::move(functions_); }

 private:
  Database* database(uint64_t index) override;
  bool keeps(const RdbKey& key) override;
  bool replaces(const RdbKey& /*key*/) override { return replaces_; }
  void loaded(const RdbKey& key, Database& database) override;
  void skipped(const RdbKey& key, std::string_view what) override;
  void aux(std::string_view name, std::string_view value) override;
  void function(std::string_view source) override;
  void module_data(std::string_view module) override;

  Task<bool> read(Handle file, uint64_t size);
  void log_skipped(std::string_view text);

  Env& env_;
  const Services& services_;
  const PersistSettings& persist_;
  LoadProgress& loading_;
  std::string path_;
  Expired expired_ = Expired::dropped;
  int64_t now_ms_ = 0;
  bool replaces_ = false;
  bool producer_told_ = false;
  std::string error_;
  uint64_t bytes_ = 0;
  uint64_t notes_ = 0;  // lines of the log about keys that were passed over
  std::string history_id_;
  uint64_t offset_ = 0;
  int64_t created_unix_s_ = 0;
  std::vector<std::string> functions_;
};

}  // namespace redoubt
