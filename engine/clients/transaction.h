// Transaction: the commands that a session has queued since MULTI.
//
// EXEC runs the queued commands one after another; no other client is served in between, and their
// effects reach the stream as one entry. By default a command that fails changes nothing for the
// others. With rollback (transaction-on-error, CLIENT TRANSACTION ROLLBACK) the first that fails
// undoes the whole (rollback.h).
#pragma once

#include <cstdint>
#include <deque>

#include "engine/clients/owned_request.h"
#include "engine/command/command_table.h"

namespace redoubt {

// The choice of a session for its transactions; `inherit` means transaction-on-error.
enum class RollbackChoice : uint8_t { inherit, off, on };

struct Transaction {
  struct Queued {
    CommandEntry* command;
    OwnedRequest request;
  };

  std::deque<Queued> queue;
  bool aborted = false;        // a command could not be queued: EXEC will fail
  bool rollback = false;       // as decided at MULTI
  uint32_t command_flags = 0;  // of all queued commands together
  size_t bytes = 0;            // of their arguments
  size_t next = 0;             // EXEC: the command to run next
  bool suspended = false;      // EXEC: the one before it goes on in later turns

  size_t memory_bytes() const {
    return sizeof(Transaction) + queue.size() * sizeof(Queued) + bytes;
  }
};

}  // namespace redoubt
