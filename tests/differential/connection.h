// A blocking client connection, for tests only: it sends bytes and reads whole replies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sim/model/resp_value.h"

namespace redoubt::differential {

struct Endpoint {
  std::string host;
  int port = 0;
};

// "127.0.0.1:6379"; throws std::runtime_error on anything else.
Endpoint parse_endpoint(std::string_view text);

class Connection {
 public:
  // Connects, or throws std::runtime_error with the reason.
  explicit Connection(const Endpoint& endpoint);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Appends a command to what the next flush sends.
  void queue(std::span<const std::string_view> arguments);
  // Appends bytes as they are.
  void queue_bytes(std::string_view bytes) { out_ += bytes; }
  void flush();

  // The next reply as bytes; valid until the next call. Throws when the server closes the
  // connection, sends what is no reply, or is silent for ten seconds.
  std::string_view read_reply();

  // One command, one reply.
  std::string_view call(std::initializer_list<std::string_view> arguments);

 private:
  int socket_ = -1;
  std::string out_;
  std::string in_;
  size_t taken_ = 0;  // of in_, by replies that were read
  sim::ReplyFramer framer_;
};

}  // namespace redoubt::differential
