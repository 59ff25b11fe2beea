#include "net/uring/addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/uring/errors.h"

namespace redoubt {
namespace {

sockaddr_in& v4(SocketAddress& address) {
  return reinterpret_cast<sockaddr_in&>(address.storage);
}
sockaddr_in6& v6(SocketAddress& address) {
  return reinterpret_cast<sockaddr_in6&>(address.storage);
}

Expected<SocketAddress> parse_local(const std::string& path) {
  SocketAddress result;
  if (path.empty() || path.size() >= sizeof result.local.sun_path ||
      path.find('\0') != std::string::npos) {
    return Error::invalid;
  }
  result.local.sun_family = AF_UNIX;
  std::memcpy(result.local.sun_path, path.c_str(), path.size() + 1);
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return result;
}

Error resolve_error(int code) {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA: return Error::not_found;
    case EAI_AGAIN: return Error::timed_out;
    case EAI_MEMORY: return Error::no_memory;
    case EAI_SYSTEM: return error_from_errno(errno);
    default: return Error::unreachable;
  }
}

}  // namespace

Expected<SocketAddress> parse_address(const Address& address) {
  if (address.unix_socket) return parse_local(address.host);
  SocketAddress result;
  if (inet_pton(AF_INET, address.host.c_str(), &v4(result).sin_addr) == 1) {
    v4(result).sin_family = AF_INET;
    v4(result).sin_port = htons(address.port);
    result.size = sizeof(sockaddr_in);
    return result;
  }
  if (inet_pton(AF_INET6, address.host.c_str(), &v6(result).sin6_addr) == 1) {
    v6(result).sin6_family = AF_INET6;
    v6(result).sin6_port = htons(address.port);
    result.size = sizeof(sockaddr_in6);
    return result;
  }
  return Error::invalid;
}

Expected<SocketAddress> parse_listen_address(const Address& address) {
  if (address.unix_socket) return parse_local(address.host);
  if (address.host.empty() || address.host == "*") {
    return parse_address(Address::tcp("0.0.0.0", address.port));
  }
  if (address.host == "::*") return parse_address(Address::tcp("::", address.port));
  Expected<SocketAddress> numeric = parse_address(address);
  if (numeric.ok()) return numeric;
  std::vector<std::string> hosts;
  const Error error = resolve_host(address.host, &hosts);
  if (error != Error::none) return error;
  return parse_address(Address::tcp(hosts.front(), address.port));
}

Address to_address(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.family() == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address.storage);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return Address::tcp(text, ntohs(in.sin_port));
  }
  if (address.family() == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address.storage);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    return Address::tcp(text, ntohs(in.sin6_port));
  }
  return {};
}

void mark_packets(int fd, uint32_t mark) {
  if (mark != 0) setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

Error resolve_host(const std::string& name, std::vector<std::string>* hosts) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (code != 0) return resolve_error(code);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    if (entry->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    const std::string host = to_address(address).host;
    if (host.empty() || std::find(hosts->begin(), hosts->end(), host) != hosts->end()) continue;
    hosts->push_back(host);
  }
  freeaddrinfo(found);
  return hosts->empty() ? Error::not_found : Error::none;
}

}  // namespace redoubt
