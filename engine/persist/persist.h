// Persistence: the part of a node that keeps its data: RDB files (saver.h) and the append-only log
// (aof/aof.h), what is loaded at the start, and what has to be kept before a stop.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch/part.h"
#include "engine/dispatch/services.h"
#include "engine/persist/aof/aof.h"
#include "engine/persist/migration.h"
#include "engine/persist/snapshots/load_progress.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "engine/persist/snapshots/saver.h"
#include "net/task.h"

namespace redoubt {

class Persistence final : public Part {
 public:
  static const PartKind kKind;

  explicit Persistence(Node& node);
  ~Persistence() override;

  Task<Error> start() override;
  Task<Error> before_stop(const StopRequest& request) override;
  void abort_stop() override;
  void settings_changed() override;
  void cron() override;
  void register_info(InfoRegistry& registry) override;
  size_t memory_bytes() const override;

  Saver& saver() { return saver_; }
  Aof& aof() { return aof_; }
  const Aof& aof() const { return aof_; }
  // Files that it keeps open between turns, when nothing is being written anew.
  size_t open_files() const { return (lock_ ? 1u : 0u) + (aof_.writer().has_file() ? 1u : 0u); }
  const PersistSettings& settings() const { return settings_; }
  const LoadProgress& loading() const {
    return shown_loading_ == nullptr ? loading_ : *shown_loading_;
  }
  Node& node() { return node_; }

  // The data is loaded again from the files, while clients are answered LOADING: DEBUG RELOAD and
  // DEBUG LOADAOF. `done` gets an empty text, or what went wrong; then the data is gone, in part or
  // as a whole. Not while this, a save or a rewrite runs.
  struct Reload {
    bool from_aof = false;
    bool save = true;    // before it, to the RDB file
    bool flush = true;   // before loading
    bool merge = false;  // keys of the file replace those that are there; otherwise: an error
  };
  bool reloading() const { return reloading_.started(); }
  void reload(const Reload& what, std::function<void(std::string_view error)> done);

  // --- for replication

  // The data is going to be another one's as a whole: what is being written of it ends, and so does
  // the log.
  Task<Error> leave_data();
  // The data is what a primary has sent. A log that is configured begins anew.
  void take_loaded(std::vector<std::string> functions, const LoadProgress& progress);
  // leave_data() was called, and nothing has come instead of the data.
  bool has_left_data() const { return left_data_; }
  // Nothing is going to come: what is there is kept again.
  void keep_data_again();
  // A snapshot is loaded beside the data, which is served meanwhile.
  bool loads_beside() const;
  // INFO shows this loading, which lives until null is given.
  void show_loading(const LoadProgress* progress) { shown_loading_ = progress; }
  // What the log has on the medium of the history that goes on; nothing without a log.
  std::optional<uint64_t> kept_offset() const;
  // Bugs that a simulation plants, before start().
  void plant(const PersistPlants& plants) {
    plants_ = plants;
    settings_changed();
  }

  // MIGRATE: `done` gets an empty text or a whole error line.
  void migrate(MigrationPlan plan, std::function<void(std::string_view error)> done);

  // Called at the latest when replies to writes of this moment must be refused, or need not.
  void update_refusal();

 private:
  Task<Error> start_up();
  Task<Error> lock_directory();
  Task<bool> load_snapshot();
  Task<bool> load_log(bool* found);
  Task<Error> reload_all(Reload what);
  void begin_loading();
  void end_loading(std::string_view from);
  void adopt_history(const std::string& id, uint64_t offset, int stream_db);
  Task<Error> remove_temporary_files();
  bool keep_functions(std::vector<std::string> sources);
  bool keeps_data() const;
  void switch_lock();
  void switch_log();
  void fail(std::string_view text);
  void log(LogLevel level, std::string_view text) const { services_.logger.log(level, text); }

  Node& node_;
  Env& env_;
  const Services& services_;
  PersistPlants plants_;
  PersistSettings settings_;  // as of the last change
  LoadProgress loading_;
  Aof aof_;
  Saver saver_;
  bool started_ = false;
  bool left_data_ = false;  // no log until the data is whole again
  const LoadProgress* shown_loading_ = nullptr;
  TurnHook switch_hook_;  // the settings have changed: not within a command
  Handle lock_;
  Task<Error> locking_;
  Task<Error> reloading_;
  std::function<void(std::string_view)> reloaded_;
  std::vector<std::unique_ptr<Migration>> migrations_;
  std::vector<Migration*> ended_migrations_;  // freed at the next tick
  std::string failure_;                       // why loading has failed
};

// The directives and commands of the part.
inline constexpr size_t kPersistDirectiveCount = 27;
extern const std::array<Directive, kPersistDirectiveCount> kPersistDirectives;
inline constexpr size_t kPersistCommandCount = 8;
extern const std::array<Command, kPersistCommandCount> kPersistCommands;

}  // namespace redoubt
