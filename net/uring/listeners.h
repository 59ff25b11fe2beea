// Listening sockets and accept.
//
// The kernel holds one multishot accept for each listener; the single accept operations are laid
// over it. Connections that come while nobody asks are kept as open rows, and the multishot is
// cancelled before the loop waits, so that further ones stay in the kernel's backlog.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

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
  void before_wait();

  void on_accept(Handle handle, int result, uint32_t flags);
  void on_cancel_failed(Handle handle);

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

  void remember_path(Handle handle, const Address& address, const std::string& path);
  void forget_path(Handle handle);
  void arm(Handle handle, Row& row);
  void press(Handle handle, Row& row);
  void hold(Row& listener, Handle accepted);
  Handle take_held(Row& listener);
  void hand_over(Op& op, Handle accepted);
  void settle_close(Handle handle, Row& row);

  Core& core_;
  std::vector<UnixPath> paths_;
  std::vector<Handle> pressed_;
};

}  // namespace redoubt
