// Batch: the requests of a turn, of all connections.
//
// Bytes are parsed as they come; the requests wait here for the end of the turn. They are executed
// in windows, each in three passes: find the command and hash its first key, fetching the bucket's
// line; fetch the entry's lines; execute. So the cache misses of up to kWindow requests overlap,
// and the hash is computed once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/clients/session.h"
#include "engine/command/command_table.h"
#include "engine/keyspace/keyspace.h"
#include "net/resp/request_parser.h"

namespace redoubt {

// A request and what was found out about it before it executes.
struct Planned {
  Session* session = nullptr;
  CommandEntry* entry = nullptr;      // null: unknown
  CommandEntry* container = nullptr;  // of an unknown subcommand
  uint64_t hash = 0;                  // of the first key
  size_t reply_bytes = 0;             // that the call wrote
  uint32_t request = 0;               // its place in the batch, with in_batch

  bool in_batch = false;   // false: it was stored, or is the process's own
  bool malformed = false;  // an error of the parser stands here, no request
  bool called = false;     // its handler ran
  bool waits = false;      // for keys: it is noted when it is served
};

class Batch {
 public:
  static constexpr size_t kWindow = 64;

  Batch(const CommandTable& commands, Keyspace& keys) : commands_(commands), keys_(keys) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Parses what the session has sent; the bytes stay until clear(). A protocol error takes its
  // place behind the requests before it.
  RequestParser::Status take(Session& session, std::span<const char> bytes,
                             const ParserLimits& limits);

  size_t size() const { return planned_.size(); }
  Planned& operator[](size_t index) { return planned_[index]; }
  // The arguments of a request of the batch, and the bytes that it had on the wire.
  std::span<const std::string_view> args(const Planned& planned) const {
    const RequestBatch::Request& request = requests_.requests[planned.request];
    return {requests_.args.data() + request.first_arg, request.arg_count};
  }
  size_t bytes(const Planned& planned) const { return requests_.requests[planned.request].bytes; }
  size_t first_arg(const Planned& planned) const {
    return requests_.requests[planned.request].first_arg;
  }
  size_t largest_request() const;
  RequestBatch& requests() { return requests_; }

  // Finds the commands of the requests [first, end), and fetches what they need.
  void plan(size_t first, size_t end);
  // All requests are executed.
  void end_requests() { planned_.clear(); }
  // What they pointed to may go.
  void clear();
  bool empty() const { return planned_.empty() && requests_.requests.empty(); }

 private:
  void find_command(Planned& planned);

  const CommandTable& commands_;
  Keyspace& keys_;
  RequestBatch requests_;
  std::vector<Planned> planned_;
  // The command of the request before, as it was spelled there: pipelines repeat it.
  std::string_view last_name_;
  CommandEntry* last_entry_ = nullptr;
};

}  // namespace redoubt
