// Addresses as text, and as the kernel wants them.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <vector>

#include "net/expected.h"
#include "net/op.h"

namespace redoubt {

struct SocketAddress {
  union {
    sockaddr base;
    sockaddr_storage storage;
    sockaddr_un local;
  };
  socklen_t size = sizeof(sockaddr_storage);

  SocketAddress() : storage{} {}
  int family() const { return base.sa_family; }
};

// A numeric TCP host and port, or a unix socket's absolute path (at most 107 bytes).
Expected<SocketAddress> parse_address(const Address& address);
// The same for a listener, whose host may be a name of this machine, "*" or "" for every IPv4
// address, "::*" for every IPv6 one. A name may ask a name server: for starts only.
Expected<SocketAddress> parse_listen_address(const Address& address);
// The numeric form of a TCP address.
Address to_address(const SocketAddress& address);

// Marks what leaves the socket, for packet filters; 0 marks nothing.
void mark_packets(int fd, uint32_t mark);

// Asks the name service, which may take long: on a helper thread only.
Error resolve_host(const std::string& name, std::vector<std::string>* hosts);

}  // namespace redoubt
