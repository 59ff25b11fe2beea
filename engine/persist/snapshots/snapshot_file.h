// SnapshotFile: a snapshot of all databases on its way into an RDB file.
//
// The pass delivers entries to the writer, which makes bytes of them; the bytes go to the file in
// large pieces. While a piece is on its way and the next one is full, the pass waits and writers go
// on. The bytes reach the medium now and then, so that the last sync is short.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/keyspace/keyspace.h"
#include "engine/keyspace/snapshots.h"
#include "engine/persist/rdb/writer.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "net/env.h"
#include "net/signal.h"
#include "net/task.h"

namespace redoubt {

// What rdb-version says.
RdbForm rdb_form(std::string_view version);

// What a snapshot says of itself and of the history.
struct SnapshotFacts {
  bool aof_base = false;
  std::string history_id{};  // empty: not known
  uint64_t offset = 0;
  int stream_db = 0;  // that the history's stream has selected there
  uint64_t used_memory = 0;
  std::vector<std::string> functions{};  // sources of libraries
};

// How a snapshot of the databases as they are now is written.
RdbWriterOptions snapshot_options(Env& env, Keyspace& keys, const Settings& settings,
                                  const PersistSettings& persist, const SnapshotFacts& facts);
// How much of what writers change meanwhile is kept for it.
SnapshotLimits snapshot_limits(const Keyspace& keys);

class SnapshotFile final : private SnapshotConsumer {
 public:
  struct Surroundings {
    Env& env;
    Keyspace& keys;
    const Settings& settings;
    const PersistSettings& persist;
  };
  using Facts = SnapshotFacts;

  // All of these outlive it.
  SnapshotFile(const Surroundings& surroundings, std::string path);
  SnapshotFile(const SnapshotFile&) = delete;
  SnapshotFile& operator=(const SnapshotFile&) = delete;
  ~SnapshotFile() override;

  // The snapshot is of this moment. False: no snapshot can begin now.
  bool begin(const Facts& facts);
  // The same in another form than that of rdb-version.
  bool begin(const Facts& facts, RdbForm form);
  // Writes the file, syncs and closes it. After an error the file is removed, and problem() says in
  // words what was wrong. Once, after begin().
  Task<Error> write();
  // It ends as soon as it can, with Error::cancelled.
  void cancel();
  const std::string& problem() const { return problem_; }

  uint64_t bytes() const { return bytes_; }
  uint64_t keys() const;
  size_t kept_bytes() const;

 private:
  SnapshotSink& sink() override;
  void snapshot_ended(SnapshotEnd end) override;
  Task<Error> write_all(Handle file);
  void cancel_pass();
  void begin_sync(Handle file);
  Task<Error> end_sync();
  Task<Error> write_piece(Handle file, uint64_t offset, std::string bytes);

  Env& env_;
  Keyspace& keys_;
  const Settings& settings_;
  const PersistSettings& persist_;
  const std::string path_;
  std::unique_ptr<RdbWriter> writer_;
  bool running_ = false;  // the pass
  SnapshotEnd end_ = SnapshotEnd::none;
  std::string problem_;
  uint64_t bytes_ = 0;
  // A sync beside the writing: the pass goes on meanwhile.
  Op sync_;
  Signal synced_;
  Error sync_error_ = Error::none;
  uint64_t sync_covers_ = 0;
};

}  // namespace redoubt
