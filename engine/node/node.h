// Node: one server. It is made from one Env and holds everything that a server knows; there are no
// globals, so that a process can hold thirty of them.
//
// A turn of a node: received bytes are parsed into one batch of requests of all connections; at the
// end of the turn their keys are hashed and the lines that they need are fetched, then the requests
// execute one after another, and then the replies of each connection leave in one send
// (dispatch.cc).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/clients.h"
#include "engine/command/command_table.h"
#include "engine/config/config.h"
#include "engine/effects/effect_log.h"
#include "engine/effects/reply_gate.h"
#include "engine/insight/instrumentation.h"
#include "engine/insight/stats.h"
#include "engine/keyspace/eviction.h"
#include "engine/keyspace/expiry.h"
#include "engine/keyspace/key_remover.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/blocking.h"
#include "engine/node/context.h"
#include "engine/node/listen_addresses.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

// Sees everything that a node does to its data, in order: the simulator's checkers.
class NodeObserver : public KeyListener {
 public:
  virtual ~NodeObserver() = default;
  // A command was executed; `reply` are the bytes that it wrote (empty after CLIENT REPLY OFF).
  virtual void on_command(const Session& session, int db_before,
                          std::span<const std::string_view> args, WallTime wall,
                          std::string_view reply) = 0;
  // A command of a transaction was executed, within EXEC, of which on_command() tells last. With
  // rollback, what expires meanwhile is told behind all of them, or never.
  virtual void on_queued_command(const Session& session, std::span<const std::string_view> args,
                                 std::string_view reply) {
    static_cast<void>(session);
    static_cast<void>(args);
    static_cast<void>(reply);
  }
  // A command found nothing to do, and its session waits. on_command() tells when it is through.
  virtual void on_wait(const Session& session, std::span<const std::string_view> args) {
    static_cast<void>(session);
    static_cast<void>(args);
  }
  // All requests of a turn are executed, and whoever waited for what they did has been served.
  virtual void on_turn_end() {}
  // A message was written behind what a session was sent before: pub/sub, invalidations.
  virtual void on_push(const Session& session, std::string_view message) {
    static_cast<void>(session);
    static_cast<void>(message);
  }
  // The connection is gone; its number is never used again.
  virtual void on_session_closed(const Session& session) = 0;
};

// Work of a command that takes several operations of the world, such as rewriting a file. The node
// owns it until end_job(), and destroys it when the node ends before. Jobs run one after another:
// of two that replace the same file, the later one has the last word.
class NodeJob {
 public:
  virtual ~NodeJob() = default;
  virtual void start() = 0;
};

class NodeInfo;

// What clients may do during CLIENT PAUSE.
enum class PauseMode : uint8_t { none, write, all };

class Node final : private RequestSink, private KeyRemover, private ListenDoor {
 public:
  // `config` holds the values to start with. `families` are the command rows that this node knows.
  Node(Env& env, std::unique_ptr<Config> config,
       std::span<const std::span<const Command>> families);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  // Closes what is open. The world has forgotten, or will deliver to nobody, what was in flight.
  ~Node();

  // Opens the listeners that the configuration asks for, now and after CONFIG SET. Once. False: one
  // could not be opened, and `why` says which and the reason in one line.
  bool listen(std::string* why);
  // The port that clients reach this node on, 0 for none (with port 0 in tests: the one it got).
  int tcp_port() const { return clients_.listeners().tcp_port(); }
  // SIGTERM, SHUTDOWN: stops accepting, lets replies leave, ends the process with status 0.
  void stop(std::string_view reason);
  bool stopping() const { return stopping_; }

  Env& env() { return env_; }
  Config& config() { return *config_; }
  const Settings& settings() const { return config_->settings(); }
  CommandTable& commands() { return commands_; }
  Stats& stats() { return stats_; }
  EffectLog& effects() { return effects_; }
  ReplyGate& gate() { return gate_; }
  Random& random() { return random_; }
  // What INFO and MEMORY show.
  NodeInfo& info() { return *info_; }
  const std::string& run_id() const { return run_id_; }
  Instant started() const { return started_; }
  WallTime started_wall() const { return started_wall_; }

  Keyspace& keyspace() { return keyspace_; }
  const Keyspace& keyspace() const { return keyspace_; }

  // --- memory (memory.cc)

  // Bytes of data, connections and tables, as counted.
  size_t used_memory() const;
  // The part of it that maxmemory does not count: replies on their way, removed values.
  size_t not_counted_for_eviction() const;
  // Settings changed that are cached elsewhere.
  void settings_changed();
  // DEBUG SET-ACTIVE-EXPIRE.
  void set_active_expiry(bool on) { expiry_.set_active(on); }

  // --- instrumentation (instrumentation.cc)

  CommandLog& command_log() { return instrumentation_.log; }
  LatencyMonitor& latency() { return instrumentation_.latency; }
  // An event of LATENCY that took this long, if it reaches the threshold.
  void note_latency(std::string_view event, Duration time) override;
  // HOTKEYS START, GET, STOP and RESET. False: it has been started. Null: there is nothing to show.
  bool start_hotkeys(const HotKeysOptions& options);
  const HotKeysSession* hotkeys();
  void stop_hotkeys();
  void reset_hotkeys();

  // --- clients

  Clients& clients() { return clients_; }
  const Clients& clients() const { return clients_; }
  Session* first_session() const { return clients_.first(); }
  size_t session_count() const { return clients_.count(); }
  void pause(PauseMode mode, Instant until);
  void unpause();
  PauseMode pause_mode() const { return pause_mode_; }

  // A session of the process itself, for tests and scripts; execute() runs one command and returns
  // the reply's bytes.
  Session& make_local_session() { return clients_.make_local(); }
  void drop_local_session(Session& session) { clients_.drop_local(session); }
  std::string execute(Session& session, std::span<const std::string_view> args);

  // --- dispatch (dispatch.cc)

  // The reply that a handler has deferred (Context::defer) is there: OK, or an error. The client
  // may be gone.
  void finish_deferred(const DeferredReply& reply, std::string_view error);
  // Called by Context::block().
  void block(Session& session, CommandEntry& command, const BlockRequest& request);
  // EXEC or a script is running.
  bool in_transaction() const { return atomic_depth_ > 0; }
  // False within EXEC and scripts, and for a session of the process itself.
  bool may_block(const Session& session) const {
    return atomic_depth_ == 0 && !session.has(kSessionLocal);
  }
  // Ends the wait of a session as its time-out would, or with an error. False: it does not wait.
  bool unblock(Session& session, bool with_error);
  const Blocking& blocking() const { return blocking_; }

  // --- transactions (transaction.cc)

  void begin_transaction(Session& session);
  void discard_transaction(Session& session);
  // EXEC: runs what was queued and writes the reply. Only after begin_transaction().
  void execute_transaction(Context& c);
  void watch(Session& session, std::string_view key);
  void unwatch(Session& session);

  // Starts it when those added before have ended.
  void add_job(std::unique_ptr<NodeJob> job);
  // The job that runs is over.
  void end_job(NodeJob& job);

  void set_observer(NodeObserver* observer);

  // --- messages to others

  PubSub& pubsub() { return clients_.pubsub(); }
  Tracking& tracking() { return clients_.tracking(); }

  // Counts an error reply by its code, the first word.
  void count_error(std::string_view text);
  void log(LogLevel level, std::string_view message) override;

 private:
  struct Planned;
  class Execution;
  friend class Session;

  // sessions.cc
  bool listen_elsewhere(std::string* reason);
  Expected<Handle> open_listener(const Address& address, uint32_t mode) override;
  void close_listener(Handle handle) override { clients_.listeners().close(handle); }
  void take(Session& session, std::span<const char> bytes) override;
  void on_output(Session& session) override;
  void send_replies(Session& session) override { hold_or_flush(session); }
  void request_turn() override;
  void on_ending(Session& session) override { forget_wait(session); }
  void on_closed(Session& session) override;
  void on_freed() override { end_when_quiet(); }
  void on_push(const Session& session, std::string_view message) override;
  void on_tracking_changed() override {
    keyspace_.set_listening(clients_.tracking(), clients_.tracking().active());
  }
  void end_when_quiet();

  // dispatch.cc
  void run_batch();
  struct FoundCommand;
  void plan(Planned& planned, FoundCommand& last);
  void execute_planned(Planned& planned);
  uint64_t execute_weighed(Planned& planned);
  void execute_special(Session& session, Planned& planned, std::span<const std::string_view> args);
  bool admit(Session& session, const Planned& planned, std::span<const std::string_view> args);
  void call(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
            Planned* planned);
  bool invoke(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
              Planned* planned);
  bool call_alone(Session& session, CommandEntry& entry, std::span<const std::string_view> args);
  void count_call(Session& session, CommandEntry& entry);
  bool denied_when_out_of_memory(const Session& session, const CommandEntry& entry) const;
  void end_command(Session& session, const CommandEntry* entry, int db_before,
                   std::span<const std::string_view> args, size_t before, bool silent);
  bool end_reply(Session& session, const CommandEntry* entry, bool silent);
  void refuse_malformed(Session& session);
  void reject(Session& session, CommandEntry* entry, std::string_view text);
  void run_stored(Session& session);
  void store_request(Session& session, std::span<const std::string_view> args);
  bool paused_for(const Session& session, const CommandEntry* entry) const;
  void hold_or_flush(Session& session);
  void settle_reply(Session& session, uint64_t need, size_t replies);
  void note_need(const CommandEntry& entry, std::span<const std::string_view> args, int db);
  void append_effect(int db, const CommandEntry& entry, std::span<const std::string_view> args);
  void update_special();

  // instrumentation.cc
  struct CallGroup;
  void update_instrumentation();
  void note_group(CallGroup& group, Duration time);
  void note_call(Session& session, const CommandEntry& entry,
                 std::span<const std::string_view> args, Duration time, size_t request_bytes,
                 size_t reply_bytes);
  void note_single(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
                   Instant since, size_t output_before, bool waited = false);

  // memory.cc
  std::span<const std::unique_ptr<Database>> databases() const override {
    return keyspace_.databases();
  }
  bool decides() const override { return keyspace_.decides(); }
  void remove_expired(int db, std::string_view key, size_t parts_max) override {
    keyspace_.remove_expired(db, key, parts_max);
  }
  void evict(int db, std::string_view key) override { keyspace_.evict(db, key); }
  size_t evictable_bytes() const override { return used_memory() - not_counted_for_eviction(); }
  void begin_memory_turn();
  void data_changed(int db);

  // blocking.cc
  void end_wait(Session& session, std::string_view error);
  void arm_wait(Wait& wait);
  void end_or_retry(Wait& wait);
  void forget_wait(Session& session);
  void wake(Session& session);
  void execute_again(Wait& wait);
  void serve_ready();
  void serve_key(int db, std::string_view key);
  void serve_orphans(int db, std::string_view key, std::optional<Type> type);
  void run_woken();

  // transaction.cc
  struct FailedCommand {
    size_t index;
    size_t reply_at;  // where its reply begins in the output
  };
  void queue_command(Session& session, CommandEntry& entry, std::span<const std::string_view> args);
  std::optional<FailedCommand> run_queued(Context& c);
  void run_or_undo(Context& c);
  void keep_written(const Command& row, int db, std::span<const std::string_view> args);
  void forget_transaction(Session& session);
  bool watched_key_expired(const Session& session) const;

  void cron();

  Env& env_;
  std::unique_ptr<Config> config_;
  CommandTable commands_;
  Stats stats_;
  Instrumentation instrumentation_;
  EffectLog effects_;
  ReplyGate gate_;
  Random random_;
  Keyspace keyspace_;
  const CommandServices services_{.keys = keyspace_,
                                  .env = env_,
                                  .settings = config_->settings(),
                                  .stats = stats_,
                                  .effects = effects_,
                                  .random = random_};
  std::string run_id_;
  Instant started_;
  WallTime started_wall_;
  int64_t pid_;

  Expiry expiry_;
  Eviction eviction_;

  Clients clients_;
  ListenAddresses listen_addresses_{*this};
  RequestBatch batch_;
  std::vector<Planned> planned_;
  std::vector<Session*> ready_;  // sessions with requests in the batch, or with replies to send
  std::vector<Session*> woken_;  // sessions that waited and sent more meanwhile
  TurnHook batch_hook_;
  Blocking blocking_{env_, batch_hook_};
  int atomic_depth_ = 0;  // EXEC or a script is running
  bool in_batch_ = false;
  bool special_ = false;  // something is on that the short way does not do
  NodeObserver* observer_ = nullptr;
  uint64_t reply_need_ = 0;  // of the command that is being executed, while the gate is active
  PauseMode pause_mode_ = PauseMode::none;
  Instant pause_until_;

  std::deque<std::unique_ptr<NodeJob>> jobs_;  // the first one runs
  bool stopping_ = false;
  Timer cron_timer_;
  Timer pause_timer_;
  Timer stop_timer_;
  Instant last_cron_;
  std::unique_ptr<NodeInfo> info_;  // points to all of these
};

}  // namespace redoubt
