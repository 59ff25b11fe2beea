// One operation on the world: what is asked, and what came of it.
//
// An Op lives in whoever waits for it and stays where it is from submit() until on_done. It is the
// user_data of an io_uring submission and the payload of a simulator event; neither world allocates
// for it. on_done is called exactly once for each submit(), always from the world's delivery loop,
// never from inside submit(), cancel() or close(). From on_done the Op may be submitted again. A
// world that ends forgets what is in flight: it lets go of the memory, clears in_flight and never
// calls on_done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/expected.h"

namespace redoubt {

// An open stream, listener, file: an index into the world's table and the generation of that row,
// so that a stale handle is recognised. The default value is no handle.
struct Handle {
  uint32_t index = 0;
  uint32_t generation = 0;

  explicit operator bool() const { return generation != 0; }
  bool operator==(const Handle&) const = default;
};

// Bytes that are borrowed for reading.
using Slice = std::span<const std::byte>;

inline Slice as_slice(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

// Where to listen or connect: a TCP host and port, or a unix socket's path. As a peer's address,
// the host is numeric; a unix peer has the path of the listener.
struct Address {
  std::string host;
  uint16_t port = 0;
  bool unix_socket = false;

  static Address tcp(std::string host, uint16_t port) { return {std::move(host), port, false}; }
  static Address local(std::string path) { return {std::move(path), 0, true}; }

  // "127.0.0.1:6379", "[::1]:6379", "/run/x.sock:0": the form that CLIENT LIST shows.
  std::string to_string() const;
  // True of an address on this machine: loopback, or a unix socket.
  bool is_loopback() const;
  bool operator==(const Address&) const = default;
};

// Received bytes in a buffer that the world lends. `id` is the world's; give the same Chunk back
// once.
struct Chunk {
  std::byte* data = nullptr;
  uint32_t size = 0;
  uint32_t id = 0;

  explicit operator bool() const { return data != nullptr; }
};

enum class OpKind : uint8_t {
  // streams
  accept,   // handle: listener -> result.handle, peer in `address`
  connect,  // address -> result.handle. A TCP host must be numeric (see resolve)
  receive,  // handle, into -> result.bytes; `into` empty: result.chunk is lent instead. End:
            // Error::closed
  send,     // handle, gather -> all of it was sent, or an error. One at a time for each handle
  resolve,  // path: a host name -> addresses in result.names, numeric
  // files; paths are relative to the node's own directory, or absolute
  open,       // path, flags -> result.handle
  read,       // handle, offset, into -> result.bytes; fewer than asked only at the end of the file
  write,      // handle, offset, gather -> all of it was written, or an error
  sync,       // handle: data and metadata reach the medium
  sync_data,  // handle: data, and what is needed to read it back
  truncate,   // handle, offset: the new length
  file_size,  // handle -> result.bytes
  rename,     // path, path_to; replaces what is there
  remove,     // path: a file or an empty directory
  list,       // path: a directory -> result.names, sorted, without "." and ".."
  make_directory,  // path; mode 0700
  sync_directory,  // path: the names in it reach the medium
  // elsewhere
  background,  // work(op) runs beside the node and touches only memory that the job owns; jobs that
               // are `lengthy` (seconds) do not hold up the others
};

// Whether operations of this kind are on a handle.
bool uses_handle(OpKind kind);

// How a file is opened. New files get mode 0600.
struct OpenFlags {
  bool read = false;
  bool write = false;
  bool create = false;
  bool exclusive = false;  // with create: Error::exists when the file is there
  bool truncate = false;
  bool lock = false;  // a lock of the whole file, until it is closed; Error::locked when another
                      // process has it
};

struct OpResult {
  Error error = Error::none;
  uint64_t bytes = 0;
  Handle handle;
  Chunk chunk;
  std::vector<std::string> names;

  bool ok() const { return error == Error::none; }
};

struct Op {
  OpKind kind = OpKind::receive;
  OpenFlags flags;
  bool in_flight = false;  // set by Env::submit, cleared before on_done
  bool lengthy = false;    // background only
  // write only: it is carried out within submit() where that needs no wait for the medium; on_done
  // comes as always. `prompted` says whether it was.
  bool prompt = false;
  bool prompted = false;
  Handle handle;
  uint64_t offset = 0;
  std::span<const Slice> gather;  // borrowed, as are its bytes, until on_done
  std::span<std::byte> into;      // borrowed until on_done
  std::string_view path;          // borrowed until on_done
  std::string_view path_to;
  Address address;

  void (*on_done)(Op&) = nullptr;
  void (*work)(Op&) = nullptr;  // background only; runs on a thread of the world's choosing
  void* owner = nullptr;        // for on_done and work
  OpResult result;

  // The world's own, while in flight.
  uint64_t world = 0;
  Op* world_next = nullptr;
  size_t gather_next = 0;      // the slice of `gather` whose bytes go next
  uint64_t gather_before = 0;  // bytes in the slices before it

  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
};

}  // namespace redoubt
