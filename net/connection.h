// Connection: one stream, from its beginning until its last operation has come back.
//
// What the streams of a node have in common, whatever is spoken on them: clients, links to other
// nodes, the simulator's clients. It knows bytes only; its user understands them.
//
// Reading is asked for. read() receives once, into a chunk that the world lends or into the user's
// own memory; a user that does not ask lets the peer wait (the kernel's buffers fill).
//
// Sending. The user appends to queue() and calls flush(): what is there leaves, in sends of at most
// kSendBytes, one after another. The memory of a send goes back to the pool when that send is done,
// so a long reply does not stay until its last byte has left.
//
// Closing. close() ends the stream at once, close_after_output() when the queue has left. The
// operations in flight come back after that; until then the connection must stay, and nothing else
// is told to the user than that the last one is back.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "net/env.h"
#include "net/output.h"

namespace redoubt {

class Connection;

// Who uses a connection. None of these is called from inside a call of the connection's functions,
// except on_end() from flush() after close_after_output().
class ConnectionUser {
 public:
  // connect() has succeeded.
  virtual void on_open() {}
  // Bytes came in a lent chunk: they stay until release_chunk().
  virtual void on_bytes(std::span<const char> bytes) = 0;
  // So many bytes came into the room that read() was given.
  virtual void on_direct(size_t bytes) { static_cast<void>(bytes); }
  // A send is through; it had so many bytes. What is queued by now follows by itself.
  virtual void on_sent(size_t bytes) { static_cast<void>(bytes); }
  // The stream is over: the peer has closed it (Error::closed), it broke, connect() failed, or all
  // output has left after close_after_output() (Error::none). The user calls close() now.
  virtual void on_end(Error error) = 0;
  // After close(): the last operation has come back. The user may destroy the connection. Not
  // called when quiet() is true right after close().
  virtual void on_quiet() = 0;

 protected:
  ~ConnectionUser() = default;
};

// A send in flight: the bytes that the world reads from until it is done.
struct Sender {
  explicit Sender(OutputPool& pool) : bytes(pool) {}

  Op op;
  Output bytes;
  std::vector<Slice> slices;
  size_t size = 0;  // of all slices
  Connection* connection = nullptr;
};

// The chunks and senders of all connections of a node. Outlives them.
class SendPool {
 public:
  SendPool() = default;
  SendPool(const SendPool&) = delete;
  SendPool& operator=(const SendPool&) = delete;

  OutputPool& outputs() { return outputs_; }
  Sender& get();
  void give_back(Sender& sender);

 private:
  OutputPool outputs_;
  std::vector<std::unique_ptr<Sender>> all_;
  std::vector<Sender*> free_;
};

class Connection {
 public:
  // A send has no more bytes than this, unless a single chunk has.
  static constexpr size_t kSendBytes = 1024 * 1024;

  Connection(Env& env, SendPool& pool, ConnectionUser& user);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // It is quiet(), or the world has forgotten what was in flight.
  ~Connection();

  // Whoever takes the connection over is told from now on.
  void set_user(ConnectionUser& user) { user_ = &user; }

  // A stream that was accepted.
  void adopt(Handle handle, Address peer);
  // Connects; then on_open(), or on_end(). close() gives up.
  void connect(const Address& to);
  bool open() const { return static_cast<bool>(handle_); }

  Handle handle() const { return handle_; }
  const Address& peer() const { return peer_; }
  // Ours, asked of the world; empty when the stream is closed.
  Address local() const;

  // Receives once, into `room` or, when that is empty, into a chunk. Nothing happens while a
  // receive is in flight, before the last chunk is released, or after close() or
  // close_after_output().
  void read(std::span<char> room = {});
  bool reading() const { return receive_.in_flight; }
  // The bytes of on_bytes() are not needed any more.
  void release_chunk() {
    // While a receive is in flight, the world may have lent a chunk already that nobody has seen.
    if (receive_.result.chunk && !receive_.in_flight) return_chunk();
  }

  // What is to be sent.
  Output& queue() { return queue_; }
  const Output& queue() const { return queue_; }
  // Sends what is queued, unless a send is in flight: then it follows.
  void flush();
  // The same with `more` behind what is queued.
  void flush(Output& more);
  // Sends bytes that belong to the user and stay until on_sent(). Nothing is queued or in flight.
  void send(std::span<const Slice> slices);
  bool sending() const { return sender_ != nullptr; }
  // Bytes that are queued or in flight.
  size_t unsent_bytes() const { return queue_.bytes() + (sender_ == nullptr ? 0 : sender_->size); }
  // Bytes that this connection takes, as counted, with its chunks.
  size_t memory_bytes() const;

  // Nothing is read any more. When all that is queued at the next flush() has left, on_end() is
  // called with Error::none.
  void close_after_output() { closes_after_output_ = true; }
  // Ends the stream. What is queued is dropped.
  void close();
  bool closed() const { return closed_; }
  // No operation is in flight.
  bool quiet() const { return !receive_.in_flight && sender_ == nullptr; }

 private:
  void send_all_of(Sender& sender);
  void submit(Sender& sender);
  void on_received();
  void on_sent();
  void on_connected();
  void return_chunk();

  Env& env_;
  SendPool& pool_;
  ConnectionUser* user_;
  Handle handle_;
  bool closed_ = false;
  bool closes_after_output_ = false;
  Sender* sender_ = nullptr;  // the send, or the connect, in flight
  Output queue_;
  Op receive_;  // its result keeps the lent chunk until release_chunk()
  Address peer_;
};

}  // namespace redoubt
