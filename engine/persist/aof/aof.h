// Aof: the append-only log of a node: base, increments and manifest (manifest.h), in the layout of
// Redis 7.
//
//   off        nothing is written
//   starting   the first base is being written, with the increment behind it; nothing is promised
//   on         entries go to the last increment, and appendfsync is kept (aof_promise.h)
//
// A rewrite makes a new base without stopping: at one moment a snapshot of the data begins, and the
// entries from there on go to a new increment.
//
//   1. The file of the new increment is made.
//   2. The snapshot begins; the writer is cut at this offset (AofWriter::cut).
//   3. The former increment is whole and synced. The new one begins with a line that says where in
//      the history it begins, and is synced.
//   4. A manifest that lists it behind the others replaces the manifest. Only now entries go there.
//   5. The snapshot is written to a temporary file, synced, and becomes the new base.
//   6. A manifest with the new base and the new increment replaces the manifest; the rest is
//   history.
//   7. The history's files are removed, and then their lines.
//
// A crash before 6 leaves the former base with all increments, one behind it the new base with its
// own: the same data. While the log starts there is no former base, and 4 is left out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/persist/aof/aof_loader.h"
#include "engine/persist/aof/aof_promise.h"
#include "engine/persist/aof/aof_writer.h"
#include "engine/persist/aof/manifest.h"
#include "engine/persist/snapshots/snapshot_file.h"
#include "net/signal.h"
#include "net/task.h"

namespace redoubt {

class Aof final : private AofWriterOwner {
 public:
  enum class State : uint8_t { off, starting, on };

  struct Surroundings {
    Env& env;
    const Services& services;
    const PersistSettings& settings;
    LoadProgress& loading;
    const std::vector<std::string>& functions;  // sources of libraries that a base has
    std::function<void()> refusal_changed;      // AofPromise::refusal() is another one
    // Makes the directory this node's: Error::locked when it is another one's.
    std::function<Task<Error>()> take_directory;
  };

  // All of these outlive it.
  explicit Aof(const Surroundings& surroundings);
  Aof(const Aof&) = delete;
  Aof& operator=(const Aof&) = delete;
  ~Aof();

  State state() const { return state_; }

  // --- start: before clients are served

  // Whether there is a log to load: a manifest that lists files, or a file as Redis before version
  // 7 had it, which then gets a manifest. False, with error(): that could not be found out.
  Task<bool> find(bool* found);
  // Loads what find() has found.
  Task<bool> load();
  // Goes on with the log that was loaded.
  Task<bool> resume();
  // Makes a log of the data as it is.
  Task<bool> create();
  // Why one of these has failed.
  const std::string& error() const { return error_; }
  // After resume() or create() has failed: the log is begun anew as soon as that is possible. Until
  // then start_problem() says why what is written could not be kept.
  void begin_later();
  const std::string& start_problem() const { return start_problem_; }
  // The history that the log ends with, an empty id when it does not say.
  const std::string& loaded_history() const { return loaded_history_; }
  uint64_t loaded_offset() const { return loaded_offset_; }
  // The database that its last command has selected.
  int loaded_db() const { return loaded_db_; }

  // --- while the node runs

  // CONFIG SET appendonly.
  void switch_on();
  void switch_off();
  // The settings or the effects have changed.
  void update() { promise_.update(); }
  // Ten times a second.
  // `may_rewrite`: the data is in a state that a base may have.
  void cron(bool may_rewrite);
  // Everything is written and synced, or why that is not possible.
  Task<Error> flush_all();

  bool rewriting() const { return rewriting_.started(); }
  // A rewrite begins as soon as it may, at the latest at the next cron.
  void schedule_rewrite();
  bool rewrite_scheduled() const { return scheduled_; }
  // Something else uses the disk: automatic rewrites wait.
  void set_disk_busy(bool busy) { disk_busy_ = busy; }
  // Called when a rewrite is over.
  void set_rewrite_listener(std::function<void(Error)> listener) {
    on_rewritten_ = std::move(listener);
  }

  // What INFO shows of rewrites.
  struct RewriteFacts {
    uint64_t done = 0;
    uint64_t failures_in_a_row = 0;
    bool last_failed = false;
    int64_t last_s = -1;
  };
  const RewriteFacts& rewrites() const { return rewrites_; }
  // Seconds since the rewrite that runs has begun; -1 when none runs.
  int64_t rewriting_for_s() const;
  uint64_t kept_bytes() const { return snapshot_ == nullptr ? 0 : snapshot_->kept_bytes(); }

  const AofWriter& writer() const { return writer_; }
  AofWriter& writer() { return writer_; }
  const AofPromise& promise() const { return promise_; }
  const AofManifest& manifest() const { return manifest_; }
  TurnHook& flush_hook() { return flush_hook_; }
  uint64_t bytes() const { return base_bytes_ + older_bytes_ + writer_.file_bytes(); }
  uint64_t base_bytes() const { return base_bytes_; }
  size_t memory_bytes() const { return writer_.memory_bytes(); }

 private:
  void on_aof_progress() override;
  void on_aof_write_took(Duration took, bool beside_sync) override;
  void on_aof_sync_took(Duration took) override;
  void log(LogLevel level, std::string_view text) const { services_.logger.log(level, text); }
  std::string path(std::string_view name) const;
  std::string manifest_path() const;

  Task<Error> save_manifest(AofManifest manifest);
  Task<bool> read_manifest();
  Task<Error> pass_over_unlisted_files();
  bool reaches_back(const AofLoader& loader, const AofLoadEnd& end);
  Task<bool> adopt_single_file();
  Task<bool> load_base(AofLoader& loader, bool is_last);
  Task<bool> is_empty_increment(std::string name);
  Task<Expected<uint64_t>> begin_increment(Handle file, uint64_t size);
  Task<Error> remove_history();

  // The file of a rewrite, and what it makes.
  struct Rewrite {
    std::string base;
    uint64_t base_number;
    std::string increment;
    uint64_t increment_number;
    Handle file;          // of the increment, until it is the writer's
    bool listed = false;  // perhaps, by the manifest on the medium
  };
  void rewrite();
  Task<Error> run_rewrite();
  Task<Error> make_increment(Rewrite& rewrite);
  Task<Error> begin_rewrite(Rewrite& rewrite);
  Task<Error> write_base(const Rewrite& rewrite);
  Task<Error> replace_base(const Rewrite& rewrite);
  void end_rewrite(Error error);
  bool rewrite_is_due() const;

  Env& env_;
  const Services& services_;
  const PersistSettings& settings_;
  LoadProgress& loading_;
  const std::vector<std::string>& functions_;
  const std::function<Task<Error>()> take_directory_;
  State state_ = State::off;
  TurnHook flush_hook_;
  AofWriter writer_;
  AofPromise promise_;

  AofManifest manifest_;  // as it is on the medium
  bool manifest_read_ = false;
  int64_t base_unix_s_ = 0;  // when the base that was loaded was begun; 0: it does not say
  // No manifest on the medium lists larger numbers.
  uint64_t last_base_ = 0;
  uint64_t last_increment_ = 0;
  uint64_t base_bytes_ = 0;
  uint64_t older_bytes_ = 0;      // of increments before the last
  uint64_t reference_bytes_ = 0;  // what automatic rewriting compares the size with
  std::string error_;
  std::string start_problem_;
  std::string loaded_history_;
  uint64_t loaded_offset_ = 0;
  int loaded_db_ = 0;
  bool stopped_early_ = false;  // loading did, as was asked for

  Task<Error> rewriting_;
  std::unique_ptr<SnapshotFile> snapshot_;
  Signal written_further_;
  bool scheduled_ = false;
  bool cancelled_ = false;
  bool disk_busy_ = false;
  Instant rewrite_began_;
  Instant next_try_;    // of an automatic rewrite
  Instant next_retry_;  // of a write
  RewriteFacts rewrites_;
  std::function<void(Error)> on_rewritten_;
};

}  // namespace redoubt
