// Connections: connect, receive, send, close.
//
// Receiving. The kernel holds one multishot receive for each connection, which fills lent buffers
// for as long as data comes; the node's single receive operations are laid over it. A chunk that
// comes while an operation waits completes it at once; one that comes too early is held in the
// row's queue. Before the loop waits again, a row with held chunks and nobody asking for them gets
// its multishot cancelled: from then on the kernel's socket buffer fills, and the peer is slowed
// down. The next operation takes what is held, and arms again when that is used up. Such a row is
// "greedy" for a while: it receives one buffer at a time, so that a peer that pushes without being
// listened to never holds many.
//
// A receive into the caller's memory takes what is held, else ends the multishot, waits for its
// last completion (which may still bring data), and only then does a plain receive.
//
// When the kernel finds no free buffer, the pool doubles. At its largest, held chunks go to the
// heap, and the rows that found none wait in a queue and get their turn, one buffer each.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "net/uring/buffers.h"
#include "net/uring/core.h"

namespace redoubt {

class Streams {
 public:
  Streams(Core& core, BufferPool& buffers) : core_(core), buffers_(buffers) {}

  void connect(Op& op);
  void receive(Op& op);
  void send(Op& op);
  void cancel(Op& op);
  void close(Handle handle, Row& row);
  void give_back(Chunk chunk) { buffers_.recycle(chunk.id); }

  // To be called before each wait: cancels and arms what the turn made necessary.
  void before_wait();

  // Completions.
  void on_receive(Handle handle, int result, uint32_t flags);
  void on_receive_into(Handle handle, int result);
  void on_send(Handle handle, int result);
  void on_connect(Handle handle, int result);
  void on_cancel_failed(Handle handle);

 private:
  void hold(Handle handle, Row& row, uint32_t id);
  void take_held(Row& row, Op& op);
  void drop_held(Row& row);
  void press(Handle handle, Row& row);
  bool should_stop(const Row& row) const;
  void received(Handle handle, Row& row, uint32_t id);
  void proceed(Handle handle, Row& row);
  void start_receive(Handle handle, Row& row);
  void arm(Handle handle, Row& row);
  void stop_unwanted();
  void spill_held();
  bool spill_row(Row& row);
  void forget_stale_holders();
  void feed_starved();
  void out_of_buffers(Handle handle, Row& row);
  bool send_now(Row& row, Op& op);
  void submit_send(Handle handle, Row& row, Op& op);
  void settle_close(Handle handle, Row& row);

  Core& core_;
  BufferPool& buffers_;
  std::vector<Handle> pressed_;
  std::deque<Handle> starved_;
  std::vector<Handle> holding_;  // rows that hold buffers of the pool, and some that no longer do
};

}  // namespace redoubt
