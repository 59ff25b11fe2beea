#include "tests/differential/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace redoubt::differential {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

}  // namespace

Endpoint parse_endpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  Endpoint endpoint;
  if (colon != std::string_view::npos) {
    endpoint.host = text.substr(0, colon);
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, endpoint.port);
    if (parsed.ec == std::errc() && parsed.ptr == end && !endpoint.host.empty()) {
      return endpoint;
    }
  }
  throw std::runtime_error("expected HOST:PORT, got '" + std::string(text) + "'");
}

Connection::Connection(const Endpoint& endpoint) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found) !=
      0) {
    throw std::runtime_error("cannot resolve " + endpoint.host);
  }
  socket_ = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  const int connected = socket_ < 0 ? -1 : connect(socket_, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  if (connected != 0) {
    if (socket_ >= 0) {
      close(socket_);
    }
    fail("cannot connect to " + endpoint.host + ":" + std::to_string(endpoint.port));
  }
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience = {60, 0};  // a value of 512 MB takes its time while others use the cores
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

Connection::~Connection() {
  close(socket_);
}

void Connection::queue(std::span<const std::string_view> arguments) {
  out_ += '*' + std::to_string(arguments.size()) + "\r\n";
  for (std::string_view argument : arguments) {
    out_ += '$' + std::to_string(argument.size()) + "\r\n";
    out_ += argument;
    out_ += "\r\n";
  }
}

void Connection::flush() {
  for (size_t sent = 0; sent < out_.size();) {
    const ssize_t written = send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (written <= 0) {
      fail("send");
    }
    sent += static_cast<size_t>(written);
  }
  out_.clear();
}

std::string_view Connection::read_reply() {
  in_.erase(0, taken_);
  taken_ = 0;
  for (;;) {
    switch (framer_.find_end(in_, taken_)) {
      case sim::RespParse::complete: return std::string_view(in_).substr(0, taken_);
      case sim::RespParse::invalid:
        throw std::runtime_error("not a reply: " + sim::quote_bytes(in_.substr(0, 200)));
      case sim::RespParse::incomplete: break;
    }
    char chunk[65536];
    const ssize_t received = recv(socket_, chunk, sizeof chunk, 0);
    if (received == 0) {
      throw std::runtime_error("the server closed the connection");
    }
    if (received < 0) {
      fail("no reply");
    }
    in_.append(chunk, static_cast<size_t>(received));
  }
}

std::string_view Connection::call(std::initializer_list<std::string_view> arguments) {
  queue(std::span(arguments.begin(), arguments.size()));
  flush();
  return read_reply();
}

}  // namespace redoubt::differential
