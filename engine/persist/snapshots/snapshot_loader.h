// SnapshotLoader: loads a snapshot, from an RDB file or as it comes from a primary, into the
// databases of a node or into others.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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

  // Keys go to these databases, which outlive it, and not to those of the node.
  void set_target(std::span<const std::unique_ptr<Database>> databases) { target_ = databases; }

  // Loads a file. False: error() says why, and keys may have been loaded.
  Task<bool> load(std::string path, Expired expired);
  // The same piece by piece: begin() with a name for error(), then feed() until complete(), which
  // it never is without all the bytes. The bytes of a piece stay until the call is done. `last`: no
  // more of them will come.
  void begin(std::string name, Expired expired);
  Task<bool> feed(std::string_view bytes, bool last = false);
  bool complete() const { return complete_; }
  // Bytes that were fed behind the end.
  std::string_view rest() const { return reader_->rest(); }
  const std::string& error() const { return error_; }
  // Keys that are there already are replaced; otherwise they are an error.
  void set_replaces(bool replaces) { replaces_ = replaces; }
  // Where the snapshot ends in the file: an append-only file's commands may follow.
  uint64_t bytes() const { return bytes_; }
  // Which state of which history the file holds; an empty id when it does not say.
  const std::string& history_id() const { return history_id_; }
  uint64_t offset() const { return offset_; }
  // The database that the history's stream has selected there.
  int stream_db() const { return stream_db_; }
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
  std::span<const std::unique_ptr<Database>> target_;
  std::optional<RdbReader> reader_;
  bool complete_ = false;
  uint64_t loaded_before_ = 0;
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
  int stream_db_ = 0;
  int64_t created_unix_s_ = 0;
  std::vector<std::string> functions_;
};

}  // namespace redoubt
