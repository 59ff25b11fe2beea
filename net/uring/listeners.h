// Listening sockets and accept.
//
// The ring polls a set (epoll) of all listeners; connections are then accepted by plain calls, one
// for each accept operation, and those for which nobody asks stay in the kernel's backlog.
//
// Why not the ring's own accept: a request in the ring holds its file, and when the process is
// killed the kernel takes the ring apart some time after the process is gone (10 to 50 ms, more on
// a busy machine). So long the listener would live on: connections would be made and then reset,
// and a successor could not have the address. The set does not hold its members; they go with the
// process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "net/uring/addresses.h"
#include "net/uring/core.h"

namespace redoubt {

class Listeners {
 public:
  explicit Listeners(Core& core) : core_(core) {}
  ~Listeners();

  Expected<Handle> listen(const Address& address, int backlog, uint32_t mode);
  void accept(Op& op);
  void cancel(Op& op);
  void close(Handle handle, Row& row);
  // Of the poll of all listeners.
  void on_ready();
  // At the world's end: cancels the poll.
  void end();
  // Removes the paths of all unix sockets, at the world's end.
  void remove_paths();

  // Of a listener with a unix socket: its path as it was given.
  const Address* unix_address(Handle handle) const;

 private:
  struct UnixPath {
    Handle listener;
    Address address;
    std::string path;  // absolute
    dev_t device = 0;  // what listen() made there: only that is removed at the end
    ino_t inode = 0;
  };

  int set_permissions(const std::string& path, uint32_t mode) const;
  void remember_path(Handle handle, const Address& address, const std::string& path);
  void forget_path(Handle handle);
  bool open_set();
  void poll();
  void watch(Handle handle, Row& row, bool on);
  void serve(Handle handle);
  void hand_over(Op& op, int fd, bool tcp, const SocketAddress& peer);

  Core& core_;
  int epoll_fd_ = -1;
  std::vector<UnixPath> paths_;
};

}  // namespace redoubt
