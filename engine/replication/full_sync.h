// FullSync: one snapshot on its way to several replicas.
//
// The snapshot is of one moment, and so are the history and the offset that all of these replicas
// are told. Without a file (repl-diskless-sync) its bytes go to the replicas as they are made, in
// pieces that the links share; the pass waits for the slowest of them, and never the writers. With
// a file the snapshot is written first, and sent from there, with its length in front.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/dispatch/services.h"
#include "engine/keyspace/snapshots.h"
#include "engine/persist/rdb/writer.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "engine/persist/snapshots/snapshot_file.h"
#include "engine/replication/replica_link.h"
#include "net/signal.h"
#include "net/task.h"

namespace redoubt {

class FullSync final : private SnapshotConsumer {
 public:
  struct Surroundings {
    Env& env;
    const Services& services;
    const PersistSettings& persist;
  };
  // What all of the replicas get.
  struct Plan {
    bool by_file = false;
    uint64_t planted_bytes = 0;    // the offset that is told is wrong by these
    bool planted_db_lost = false;  // and so is the database
    RdbForm form = RdbForm::redis10;
    bool keys = true;                      // false: a snapshot without keys was asked for
    std::vector<std::string> functions{};  // sources of libraries
  };

  explicit FullSync(const Surroundings& surroundings);
  FullSync(const FullSync&) = delete;
  FullSync& operator=(const FullSync&) = delete;
  ~FullSync() override;

  // Begins: the replicas are told, and the snapshot is of this moment. The links, which wait, stay
  // until `done` or forget(). False: no snapshot can begin now. `done` gets an empty text, or why
  // the snapshot could not be made; then links whose snapshot is not complete are to be closed.
  bool begin(const Plan& plan, std::vector<ReplicaLink*> links,
             std::function<void(const std::string& problem)> done);
  bool running() const { return task_.started(); }
  // A link is closed.
  void forget(ReplicaLink& link);
  // A link has sent something.
  void on_progress() { progress_.raise(); }
  // The snapshot cannot be written in this form: a later one may hold the value.
  bool form_is_too_old() const { return form_is_too_old_; }

 private:
  // A replica that gets pieces.
  struct Receiver {
    ReplicaLink* link;
    uint64_t next;  // the number of its next piece
  };

  SnapshotSink& sink() override { return *writer_; }
  void snapshot_ended(SnapshotEnd end) override;
  Task<Error> run();
  Task<Error> send_live();
  Task<Error> send_file();
  void add_piece(std::string bytes);
  void feed_links();
  bool has_room() const;
  bool all_sent() const;
  void end_links(bool waits);
  Error fail(std::string problem);

  Env& env_;
  const Services& services_;
  const PersistSettings& persist_;
  Plan plan_;
  std::function<void(const std::string&)> done_;
  std::vector<Receiver> receivers_;
  std::deque<std::shared_ptr<const std::string>> pieces_;
  uint64_t first_piece_ = 0;  // number of the first
  std::unique_ptr<RdbWriter> writer_;
  bool pass_runs_ = false;
  SnapshotEnd end_ = SnapshotEnd::none;
  std::unique_ptr<SnapshotFile> file_;
  std::string file_name_;
  std::string problem_;
  bool form_is_too_old_ = false;
  Signal progress_;
  Task<Error> task_;
};

}  // namespace redoubt
