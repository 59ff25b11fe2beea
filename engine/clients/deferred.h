// Deferred replies: a command whose reply takes operations of the world (CONFIG REWRITE) answers
// later, while earlier output of its transaction, and output of its later commands, keeps its
// place.
//
//   output of the client   [ before | slot 0 | before | slot 1 ] behind
//
// When a handler defers, the bytes so far and an empty slot go here, and the output begins anew.
// The client's further requests wait. When the last slot is filled, everything goes back into the
// output, in order. So CONFIG REWRITE inside MULTI is one element of EXEC's array, however many
// there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "engine/clients/owned_request.h"
#include "net/output.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

// A reply that will come later. It outlives the client.
struct DeferredReply {
  uint64_t session_id = 0;
  uint32_t slot = 0;
  Protocol protocol = Protocol::resp2;
};

// Those of one client. They all belong to one request: the command that deferred, or the EXEC that
// it was in.
class DeferredReplies {
 public:
  explicit DeferredReplies(OutputPool& pool) : pool_(pool) {}
  DeferredReplies(const DeferredReplies&) = delete;
  DeferredReplies& operator=(const DeferredReplies&) = delete;

  // Takes the output over and opens a slot behind it. Returns the slot's number.
  uint32_t defer(Output& output);
  size_t size() const { return pieces_.size(); }
  // Where the reply of an open slot is written.
  Output& slot(uint32_t number) { return pieces_[number].reply; }
  // The slot is filled. True when it was the last one that was open.
  bool close_slot(uint32_t number);
  // Puts everything in front of the bytes in `output`.
  void assemble(Output& output);

  // The request that they belong to: its reply began at this position of the output, and was to be
  // dropped (CLIENT REPLY OFF) or not. `args` are kept for the observer, when there is one.
  struct Request {
    size_t begin = 0;
    bool silent = false;
    int db_before = 0;
    std::optional<OwnedRequest> args;
  };
  Request request;
  size_t memory_bytes() const;

 private:
  struct Piece {
    explicit Piece(OutputPool& pool) : before(pool), reply(pool) {}
    Output before;
    Output reply;
    bool open = true;
  };

  OutputPool& pool_;
  std::deque<Piece> pieces_;
  size_t open_ = 0;
};

}  // namespace redoubt
