// ReplicaLink: a replica of this node, from its PSYNC until its connection ends.
//
//   waiting     it needs a snapshot, and the next full synchronisation takes it along
//   receiving   it is sent the snapshot (full_sync.h); the stream of effects waits in the log
//   loading     it has all of the snapshot, and has not said yet that it is ready: the first ACK
//   online      it is sent the stream
//
// The link is a reader of the effect log: what it has not been sent stays there, and its sends are
// slices of the log's own memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/links.h"
#include "engine/effects/effect_log.h"
#include "net/connection.h"
#include "net/resp/request_parser.h"

namespace redoubt {

class ReplicaLink;

// What a replica has said of itself with REPLCONF, before PSYNC.
struct ReplicaGreeting {
  uint16_t port = 0;
  std::string address;  // empty: that of the connection
  std::string version;
  bool can_eof = false;
  bool psync = false;        // it asked with PSYNC, not with SYNC
  bool can_redoubt = false;  // loads our own form of RDB
  bool snapshot_only = false;
  bool filtered = false;  // only what these say
  bool wants_functions = false;
};

class ReplicaLinkOwner {
 public:
  // It was sent something, has acknowledged more, or its connection has ended (closed()).
  virtual void on_replica_progress(ReplicaLink& link) = 0;

 protected:
  ~ReplicaLinkOwner() = default;
};

class ReplicaLink final : public ConnectionUser, public EffectReader, public Link {
 public:
  enum class State : uint8_t { waiting, receiving, loading, online };

  struct Make {
    Env& env;
    EffectLog& effects;
    LinkTable& links;
    ReplicaLinkOwner& owner;
    uint64_t id;  // of the client that it was
    ReplicaGreeting greeting;
  };

  // The bytes that are queued in the connection are sent first.
  ReplicaLink(const Make& make, std::unique_ptr<Connection> connection);
  ReplicaLink(const ReplicaLink&) = delete;
  ReplicaLink& operator=(const ReplicaLink&) = delete;
  ~ReplicaLink() override;

  // The turn in which the client became a replica is over.
  void begin_reading();
  // Sends a line, or a mark between two lines ("\n"), in front of the snapshot.
  void send(std::string_view text);
  // The stream follows from this offset on. False: the log has not got it any more.
  bool continue_from(uint64_t offset);
  // The snapshot of this moment begins to come: the stream follows behind it.
  void begin_receiving();
  // Sends a piece of the snapshot, which several links may share; only when ready().
  void send_piece(std::shared_ptr<const std::string> bytes);
  // Nothing is queued or on its way.
  bool ready() const {
    return !closed() && !connection_->sending() && connection_->queue().empty();
  }
  // The snapshot is sent whole. `waits`: the stream is held back until the replica acknowledges.
  void end_receiving(bool waits);
  // Sends what there is of the stream.
  void pump();
  void close();
  bool closed() const { return connection_->closed(); }
  // Nothing of it is in flight: it may be destroyed.
  bool quiet() const { return closed() && connection_->quiet(); }

  Facts facts() const override;
  void kill() override { close(); }

  State state() const { return state_; }
  const ReplicaGreeting& greeting() const { return greeting_; }
  uint64_t id() const { return id_; }
  // As the replica announces itself, or as it is seen.
  const std::string& host() const;
  uint16_t port() const { return greeting_.port; }
  std::string name() const;
  const Address& peer() const { return connection_->peer(); }
  Address local() const { return connection_->local(); }
  Instant connected() const { return connected_; }
  // Acknowledged: applied, or on the replica's medium (0: it has not said).
  uint64_t acked() const { return acked_; }
  uint64_t acked_kept() const { return acked_kept_; }
  // When it was last heard of: an acknowledgement, or that it is alive.
  Instant last_ack() const { return last_ack_; }
  // Where the snapshot that it gets or got begins; or where it went on.
  uint64_t began_at() const { return began_at_; }
  // What was wrong with what it sent, so that it was closed; empty: nothing.
  std::string_view complaint() const { return complaint_; }
  // Since when a send is under way that has not come to its end; never: none is.
  Instant sending_since() const { return connection_->sending() ? send_began_ : Instant::never(); }
  // Bytes of the stream that it has not been sent.
  uint64_t behind() const { return unread(); }
  Instant over_soft_limit = Instant::never();  // since when it is behind by more than that

 private:
  void on_entry(const EffectEntry& entry) override;
  void on_bytes(std::span<const char> bytes) override;
  void on_sent(size_t bytes) override;
  void on_end(Error error) override;
  void on_quiet() override;
  bool take_command(std::span<const std::string_view> args);
  bool refuse_ack();
  void go_online();

  Env& env_;
  EffectLog& effects_;
  LinkTable& links_;
  ReplicaLinkOwner& owner_;
  const uint64_t id_;
  const ReplicaGreeting greeting_;
  std::unique_ptr<Connection> connection_;
  RequestParser parser_;
  RequestBatch batch_;
  State state_ = State::waiting;
  bool reads_ = false;  // the turn in which it came is over
  const Instant connected_;
  uint64_t began_at_ = 0;
  uint64_t acked_ = 0;
  uint64_t acked_kept_ = 0;
  Instant last_ack_;
  std::string_view complaint_;
  Instant send_began_;
  std::shared_ptr<const std::string> piece_;  // of the snapshot, on its way
  size_t stream_in_flight_ = 0;               // bytes of the log that are on their way
  std::vector<Slice> slices_;
  TurnHook pump_hook_;
};

}  // namespace redoubt
