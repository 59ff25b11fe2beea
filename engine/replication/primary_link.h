// PrimaryLink: the link of a replica to its primary.
//
//   connect      there is none: the next try is due soon
//   connecting   the connection is being made
//   handshake    the two tell each other who they are
//   sync         a snapshot is on its way, or is being loaded
//   connected    the stream of effects comes, and is applied (stream_applier.h)
//
// Handshake and snapshot are one coroutine; then the stream belongs to a Connection. Whatever goes
// wrong ends the link, with a line in the log, and it is tried again a second later; up to eight
// seconds later while snapshots or streams come that are wrong.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/links.h"
#include "engine/dispatch/services.h"
#include "engine/persist/snapshots/load_progress.h"
#include "engine/persist/snapshots/snapshot_loader.h"
#include "engine/replication/replication_settings.h"
#include "engine/replication/stream_applier.h"
#include "net/connection.h"
#include "net/env.h"
#include "net/task.h"
#include "net/timed_stream.h"

namespace redoubt {

class Database;
class Persistence;
class Replicas;

// What a link needs of the node, and tells it.
class PrimaryLinkOwner {
 public:
  // The link is up, or no longer; or a snapshot is being loaded.
  virtual void on_link_changed() = 0;
  // The data is going to be that of another history: nobody may read the former stream any more.
  virtual Task<Error> leave_history() = 0;
  // The data is that of `offset` of history `id` now.
  virtual void enter_history(std::string_view id, uint64_t offset, int stream_db) = 0;
  // The primary goes on under another id.
  virtual void rename_history(std::string_view id) = 0;
  // FAILOVER: the primary-to-be has answered PSYNC, with yes or no.
  virtual void on_takeover(bool accepted, std::string_view answer) = 0;

 protected:
  ~PrimaryLinkOwner() = default;
};

class PrimaryLink final : private ConnectionUser, private StreamApplierOwner, private Link {
 public:
  enum class State : uint8_t { none, connect, connecting, handshake, sync, connected };

  struct Surroundings {
    Env& env;
    const Services& services;
    const ReplicationSettings& settings;
    Persistence& persistence;
    PrimaryLinkOwner& owner;
  };

  explicit PrimaryLink(const Surroundings& surroundings);
  PrimaryLink(const PrimaryLink&) = delete;
  PrimaryLink& operator=(const PrimaryLink&) = delete;
  ~PrimaryLink();

  // Follows this primary from now on, instead of another one. `takes_over`: the primary is this
  // node's replica so far, and is to be the primary (FAILOVER).
  void follow(std::string host, uint16_t port, bool takes_over);
  // Follows nobody.
  void stop();
  // Ends the link; it is tried again.
  void reconnect();
  // Ten times a second.
  void cron();

  State state() const { return state_; }
  bool connected() const { return state_ == State::connected; }
  // A try to get there is under way, or the end of one that was given up.
  bool trying() const { return task_.started(); }
  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }
  // The history that comes is that of the data: it may be asked for what follows.
  bool has_history() const { return has_history_; }
  void set_has_history(bool has) { has_history_ = has; }

  // For INFO.
  struct Transfer {
    bool running = false;
    uint64_t total_bytes = 0;  // 0: not known
    uint64_t read_bytes = 0;
    uint64_t offset = 0;  // in the history that it is of
    Instant began{};
  };
  const Transfer& transfer() const { return transfer_; }
  Instant last_io() const { return last_io_; }
  Instant down_since() const { return down_since_; }
  bool ever_up() const { return ever_up_; }
  // A snapshot is loaded beside the data, which is served meanwhile.
  bool loading_beside() const { return loading_beside_; }
  uint64_t received_offset() const;
  size_t memory_bytes() const;

 private:
  Facts facts() const override;
  void kill() override { drop("it was killed"); }
  // --- from the connection
  void on_bytes(std::span<const char> bytes) override;
  void on_sent(size_t bytes) override;
  void on_end(Error error) override;
  void on_quiet() override;
  // --- from the stream
  void on_getack() override;
  void on_divergence(std::string_view why) override;

  void begin();
  void on_run_ended();
  Task<Error> run();
  Task<Error> greet();
  Task<Error> ask_for_stream();
  Task<Error> take_answer(std::string line);
  Task<Error> take_snapshot(std::string id, uint64_t offset, bool old_protocol);
  Task<bool> wait_for_script();
  Task<Error> expect_payload(std::string* mark, uint64_t* length);
  SnapshotLoader::Expired lapsed() const;
  Task<Error> load_received(SnapshotLoader& loader);
  Task<Error> load_live(std::string mark, uint64_t length, SnapshotLoader& loader);
  Task<Error> take_to_file(std::string mark, uint64_t length);
  void finish_transfer(std::string_view id, SnapshotLoader& loader);
  void begin_loading(bool beside);
  void end_loading();
  Error fail(std::string_view why);
  void go_connected();
  void take_stream(std::string_view bytes);
  void drop(std::string_view why);
  Duration next_wait() const;
  void send_ack();
  void beat();
  void set_state(State state);
  void log(LogLevel level, std::string_view text) const;

  Env& env_;
  const Services& services_;
  const ReplicationSettings& settings_;
  Persistence& persistence_;
  PrimaryLinkOwner& owner_;

  State state_ = State::none;
  std::string host_;
  uint16_t port_ = 0;
  bool wanted_ = false;
  bool takes_over_ = false;
  int asked_to_take_over_ = 0;  // so many times
  bool cancelled_ = false;      // what runs is to end
  bool has_history_ = false;
  bool acknowledges_ = true;
  Instant next_try_;
  int useless_ = 0;    // snapshots and streams in a row that were wrong
  bool told_ = false;  // the log says already why this try has failed
  Instant last_io_;
  Instant last_ack_;
  Instant down_since_;
  bool ever_up_ = false;
  uint64_t id_ = 0;  // for CLIENT LIST
  Instant up_since_;

  TimedStream stream_;
  Task<Error> task_;
  Transfer transfer_;
  std::string received_file_;  // the snapshot, while it comes
  bool loading_beside_ = false;
  bool loading_ = false;
  LoadProgress progress_;
  std::vector<std::unique_ptr<Database>> fresh_;  // what is loaded beside the data
  Op beat_;  // "\n" while a snapshot is loaded: this end is alive
  Slice beat_slice_;
  std::string planted_ack_;
  Instant next_beat_;

  std::unique_ptr<Connection> connection_;
  StreamApplier applier_;
  std::string held_;    // of the stream, while a command is suspended
  bool asked_ = false;  // by GETACK, in these bytes
  std::string divergence_;
};

}  // namespace redoubt
