// TimedStream: a stream for a coroutine that talks with another server, step by step. Each step
// ends after a time-out at the latest: a connection is made, 64 KB are sent, some bytes have come,
// a line has come as a whole.
//
//   TimedStream stream(env);
//   Error error = co_await stream.connect("localhost", 6379);
//   if (error == Error::none) error = co_await stream.send("PING\r\n");
//   std::string line;
//   if (error == Error::none) error = co_await stream.receive_line(&line);
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "net/env.h"
#include "net/task.h"

namespace redoubt {

class TimedStream {
 public:
  // A longer line is an error.
  static constexpr size_t kLineMax = 64 * 1024;

  explicit TimedStream(Env& env);
  TimedStream(const TimedStream&) = delete;
  TimedStream& operator=(const TimedStream&) = delete;
  ~TimedStream();

  // Of each step from now on. After it: Error::timed_out.
  void set_timeout(Duration timeout) { timeout_ = timeout; }

  // Looks the name up and connects; closes what was open.
  Task<Error> connect(std::string host, uint16_t port);
  Task<Error> send(std::string bytes);
  // Some bytes, at most as many as there is room. At the end of the stream: Error::closed.
  Task<Error> receive(std::span<char> room, size_t* got);
  // A line without its end, which is "\r\n" or "\n".
  Task<Error> receive_line(std::string* line);

  bool open() const { return static_cast<bool>(stream_); }
  Handle handle() const { return stream_; }
  const Address& peer() const { return peer_; }
  // Bytes that came behind the last line.
  std::string take_rest() { return std::exchange(received_, {}); }
  // These bytes come next.
  void put_back(std::string bytes) { received_ = std::move(bytes) + received_; }
  // The stream is the caller's now. Nothing is in flight.
  Handle release() { return std::exchange(stream_, {}); }
  void close();

  // Ends the operation that is under way, with Error::cancelled; so end all later ones, until
  // connect().
  void cancel();

 private:
  Task<Error> operate(Op& wanted, Instant due);
  Task<Error> receive_until(Instant due, std::span<char> room, size_t* got);
  Instant due() const { return env_.now() + timeout_; }

  Env& env_;
  Duration timeout_ = Duration::seconds(5);
  Handle stream_;
  Address peer_;
  std::string received_;
  Op* waiting_ = nullptr;  // the operation that the timer ends
  bool timed_out_ = false;
  bool cancelled_ = false;
  Timer timer_;
};

}  // namespace redoubt
