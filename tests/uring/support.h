// What the tests of the io_uring world share: a world that runs until its stories have been told,
// an echo server above the door, and peers made of plain sockets.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "net/env.h"
#include "net/task.h"
#include "net/uring/uring_backend.h"
#include "tests/sanitized.h"

namespace redoubt {

class World {
 public:
  explicit World(const UringOptions& options = {});
  ~World();

  UringBackend& backend() { return *backend_; }
  Env& env() { return *env_; }

  // Runs until all told stories have ended and `also` (looked at every few milliseconds) is true;
  // the test fails after half a minute. Once for each World.
  void run(std::function<bool()> also = nullptr);
  // A coroutine that starts with the run. What it returns is to be Error::none.
  void tell(Task<Error> story);
  // A peer's work beside the world; run() waits for it.
  void beside(std::function<void()> work);

  Handle listen(const Address& address);
  Handle listen_tcp() { return listen(Address::tcp("127.0.0.1", 0)); }
  Address address_of(Handle handle) { return backend_->local_address(handle); }

 private:
  void look();

  std::unique_ptr<UringBackend> backend_;
  std::unique_ptr<Env> env_;
  std::vector<std::unique_ptr<Task<Error>>> stories_;
  std::vector<std::thread> threads_;
  std::atomic<int> working_{0};
  std::function<bool()> also_;
  Timer clock_;
  int told_ = 0;
  Instant limit_;
  bool overdue_ = false;
};

// Operations for stories. Streams:
struct Received {
  Error error = Error::none;
  std::string bytes;
};
Task<Received> receive(Env& env, Handle handle);
Task<Received> receive_into(Env& env, Handle handle, size_t size);
Task<Received> receive_exactly(Env& env, Handle handle, size_t size);
Task<Error> send(Env& env, Handle handle, std::string bytes);
Task<OpResult> accept(Env& env, Handle listener);
Task<OpResult> connect(Env& env, Address address);

// An Op with a flag, for tests that look at it from outside.
struct PlainOp : Op {
  bool done = false;
  int times = 0;
  std::function<void()> then;

  explicit PlainOp(OpKind which, Handle on = {}) {
    kind = which;
    handle = on;
    owner = this;
    on_done = [](Op& op) {
      auto& self = *static_cast<PlainOp*>(op.owner);
      self.done = true;
      ++self.times;
      if (self.then) self.then();
    };
  }
};

// A temporary directory, removed with all that is in it.
class Directory {
 public:
  Directory();
  ~Directory();
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Plain blocking sockets. Errors fail the test.
int peer_connect(const Address& address);
int peer_listen(Address* address, int backlog);
void peer_write(int fd, const std::string& bytes);
std::string peer_read(int fd, size_t size);  // shorter at the end of the stream
std::string peer_read_all(int fd);
void peer_reset(int fd);  // closes it with a reset

// Bytes that depend on their place, so that a lost or moved one shows.
std::string pattern(uint64_t seed, size_t size);

// The sanitizers keep freed memory for a while.
constexpr bool kCountsMemory = !kSanitized;

uint64_t open_descriptors();
uint64_t resident();

}  // namespace redoubt
