// The simulated network: byte streams as TCP gives them to a program, and unix sockets.
//
// A stream is two pipes. What a side sends is taken into its pipe as long as the send buffer has
// room, departs in segments as long as the receiver's window has room, arrives after a delay, in
// order within the pipe and in any order between pipes, and is consumed by receives. All bytes
// between consumption and acceptance lie in one ring, and the five offsets
//
//     consumed <= arrived <= departed <= accepted,   acknowledged <= arrived
//
// say where each of them is. Bytes that meet a cut link are lost and sent again, later and later,
// until the stream times out; the order is kept. A host without power answers nothing; one that is
// back, or whose process is gone, answers with a reset.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "sim/core.h"

namespace redoubt::sim {

constexpr uint32_t kNoSlot = 0xffffffff;

// One direction of a stream.
struct Pipe {
  std::vector<std::byte> ring;  // its size is a power of two, or 0
  uint64_t accepted = 0;
  uint64_t departed = 0;
  uint64_t arrived = 0;
  uint64_t acknowledged = 0;
  uint64_t consumed = 0;
  Instant last_arrival;
  Instant stalled_since;
  uint16_t epoch = 0;    // segments of an earlier one were lost
  uint8_t attempts = 0;  // of sending again
  bool stalled = false;  // a retransmit event is under way
  bool fin = false;      // the sender has closed
  bool fin_departed = false;
};

enum class SideState : uint8_t {
  none,        // the listener has not seen the attempt yet
  connecting,  // a connect operation waits
  backlog,     // waits to be accepted
  open,
  closed,  // the program has closed it; its kernel still sends what it has
  gone,    // its kernel knows nothing of it
};

struct Side {
  SideState state = SideState::none;
  Error broken = Error::none;  // reset, or timed out
  bool ended = false;          // the peer's end of the stream has arrived
  bool waits_for_chunk = false;
  HostId host = kNoHost;
  Handle handle;
  uint16_t port = 0;
  uint32_t connect_slot = kNoSlot;
  uint32_t receive_slot = kNoSlot;
  uint32_t send_slot = kNoSlot;
  // Where in its gather list the send under way has got to.
  size_t gather_index = 0;
  size_t gather_offset = 0;
  int keepalive_s = 0;
  bool keepalive_armed = false;
  uint8_t probes = 0;
  Instant last_heard;
  Pipe out;
};

struct Connection {
  uint32_t generation = 0;  // odd numbers are live
  bool unix_socket = false;
  bool dead_link = false;  // half-open: neither side hears of the other any more
  uint8_t attempts = 0;
  Instant started;
  Address target;
  Side sides[2];  // 0 has connected, 1 has accepted
};

struct Listener {
  bool live = false;
  HostId host = kNoHost;
  Address address;
  size_t backlog = 0;
  std::deque<uint32_t> waiting;  // connections
  std::deque<uint32_t> accepts;  // slots
};

enum class CutKind : uint8_t { lost, held };

class Network {
 public:
  explicit Network(Core& core) : core_(core) {}

  // For the door. `host` is the caller's.
  Expected<uint32_t> listen(HostId host, const Address& address, int backlog);
  const Address& listener_address(uint32_t listener) const { return listeners_[listener].address; }
  Address stream_address(uint32_t connection, int side) const;
  void start_accept(HostId host, uint32_t slot, uint32_t listener);
  void start_connect(HostId host, uint32_t slot);
  void start_receive(HostId host, uint32_t slot, uint32_t connection, int side);
  void start_send(HostId host, uint32_t slot, uint32_t connection, int side);
  // Takes the operation out, if it still waits. The caller finishes it.
  bool withdraw(HostId host, uint32_t slot, const Op& op);
  // With `forgotten`, the operations of the handle no longer exist.
  void close_stream(uint32_t connection, int side, bool forgotten);
  void close_listener(uint32_t listener, bool forgotten);
  void vanish(uint32_t connection, int side);
  void forget_connects(HostId host, bool silently);
  void set_keepalive(uint32_t connection, int side, int idle_s);
  void chunk_available(uint32_t connection, int side);

  // For the world's loop.
  void on_event(const Event& event);

  // Faults. A cut separates the hosts of `inside` from all others; one way if only `out` (from
  // inside to outside) or only `in`. Segments are lost, or held until heal(). Returns its number.
  uint32_t cut(std::vector<HostId> inside, bool out, bool in, CutKind kind);
  void heal(uint32_t cut);
  // Lets an open stream of the host die; any number chooses one. It has at least one.
  void kill_link(HostId host, uint64_t choice);
  size_t open_streams(HostId host) const { return streams_of(host).size(); }
  // Hosts that are well now (Core::is_well) reach each other: what was held between them moves.
  void release();
  size_t connection_count() const { return live_connections_; }

 private:
  struct Cut {
    uint32_t number;
    bool out;
    bool in;
    CutKind kind;
    std::vector<bool> inside;
  };

  Connection& live(uint32_t index) { return connections_[index]; }
  bool current(const Event& event) const {
    return connections_[event.index].generation == event.generation;
  }
  uint32_t new_connection();
  void free_if_over(uint32_t index);
  void push(Instant at, EventKind kind, uint32_t index, int side, uint32_t extra = 0);
  void finish(HostId host, uint32_t& slot, Error error);

  // Links.
  Duration delay(HostId from, HostId to, uint64_t bytes);
  int64_t jitter_ns(HostId from, HostId to, int64_t most_us);
  // The cut that keeps segments of this direction from arriving, if one does.
  const Cut* find_cut(HostId from, HostId to) const;
  bool reachable(uint32_t index, int side);
  bool passes(const Connection& connection, HostId from, HostId to) const;
  // The open streams of a host whose links live, in order.
  std::vector<uint32_t> streams_of(HostId host) const;

  // Connecting.
  Listener* find_listener(const Connection& connection, HostId host);
  HostId host_of(HostId from, const Address& address) const;
  void on_syn(uint32_t index);
  void retry_syn(uint32_t index, EventKind kind);
  void release_attempt(uint32_t index);
  void on_syn_ack(uint32_t index);
  void fail_connect(uint32_t index, Error error);
  void give_up_connect(uint32_t index, bool silently);
  void match_accepts(Listener& listener);

  // Streams.
  uint32_t buffer_bytes(const Connection& connection) const;
  void copy_in(uint32_t index, int side);
  void accept_bytes(uint32_t index, int side);
  void pump(uint32_t index, int side);
  void deliver(uint32_t index, int side);
  void on_segment(uint32_t index, int side, const Event& event);
  void on_fin(uint32_t index, int side, const Event& event);
  void on_reset(uint32_t index, int side);
  void on_retransmit(uint32_t index, int side);
  void on_keepalive(uint32_t index, int side);
  bool arrives(uint32_t index, int side, const Event& event);
  void lose(uint32_t index, int side);
  static void corrupt(Pipe& pipe, uint64_t from, Random& random);
  bool resets(uint32_t index, int side, uint64_t before);
  enum class Unread : uint8_t { any, kept };
  void break_side(uint32_t index, int side, Error error, Unread unread = Unread::any);
  void send_reset(uint32_t index, int to_side);

  // For a report (network_trace.cc).
  void record_message(const Event& event);
  void record_departure(const Event& event, uint64_t sequence);
  bool is_repeated(const Event& event) const;
  static bool is_time_up(const Event& event);
  void record_segment(uint32_t index, int side, uint64_t size);
  void record_arrival(const Event& event);
  bool gets_lost(const Event& event);

  Core& core_;
  std::deque<Connection> connections_;  // grows without moving
  std::vector<uint32_t> free_connections_;
  size_t live_connections_ = 0;
  std::vector<Listener> listeners_;
  std::vector<Cut> cuts_;
  uint32_t next_cut_ = 1;
  std::vector<uint16_t> next_port_;  // by host
};

}  // namespace redoubt::sim
