#include "tests/uring/support.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "net/uring/process_facts.h"

namespace redoubt {

World::World(const UringOptions& options) {
  std::string why;
  backend_ = UringBackend::create(options, &why);
  if (backend_ == nullptr) {
    std::fprintf(stderr, "no world: %s\n", why.c_str());
    std::abort();
  }
  env_ = std::make_unique<Env>(*backend_);
  clock_.owner = this;
  clock_.on_fire = [](Timer& timer) { static_cast<World*>(timer.owner)->look(); };
}

World::~World() {
  for (std::thread& thread : threads_) thread.join();
}

void World::look() {
  const bool also = !also_ || also_();
  const bool finished = also && told_ == 0 && working_ == 0;
  overdue_ = !finished && env_->now() >= limit_;
  if (finished || overdue_) return backend_->request_exit(7);
  env_->arm_in(clock_, Duration::milliseconds(2));
}

void World::run(std::function<bool()> also) {
  also_ = std::move(also);
  limit_ = env_->now() + Duration::seconds(30);
  for (const auto& story : stories_) {
    story->start([](void* told) { --*static_cast<int*>(told); }, &told_);
  }
  env_->arm_in(clock_, Duration{});
  EXPECT_EQ(backend_->run(*env_), 7);
  EXPECT_FALSE(overdue_) << "the test takes too long";
  env_->disarm(clock_);
  if (overdue_) std::_Exit(1);  // stories and peers may wait for ever
  for (const auto& story : stories_) EXPECT_EQ(story->result(), Error::none);
}

void World::tell(Task<Error> story) {
  ++told_;
  stories_.push_back(std::make_unique<Task<Error>>(std::move(story)));
}

void World::beside(std::function<void()> work) {
  ++working_;
  threads_.emplace_back([this, work = std::move(work)] {
    work();
    --working_;
  });
}

Handle World::listen(const Address& address) {
  Expected<Handle> handle = backend_->listen(address, 511, 0);
  EXPECT_TRUE(handle.ok()) << describe(handle.error());
  return handle.ok() ? *handle : Handle{};
}

Task<Received> receive(Env& env, Handle handle) {
  IoOp io(env);
  io.op.kind = OpKind::receive;
  io.op.handle = handle;
  const OpResult& result = co_await io;
  Received received{result.error, {}};
  if (result.ok()) {
    EXPECT_EQ(result.bytes, result.chunk.size);
    received.bytes.assign(reinterpret_cast<const char*>(result.chunk.data), result.chunk.size);
    env.backend().give_back(result.chunk);
  }
  co_return received;
}

Task<Received> receive_into(Env& env, Handle handle, size_t size) {
  IoOp io(env);
  std::vector<std::byte> memory(size);
  io.op.kind = OpKind::receive;
  io.op.handle = handle;
  io.op.into = memory;
  const OpResult& result = co_await io;
  EXPECT_FALSE(result.chunk);
  co_return Received{result.error,
                     std::string(reinterpret_cast<const char*>(memory.data()), result.bytes)};
}

Task<Received> receive_exactly(Env& env, Handle handle, size_t size) {
  Received all;
  while (all.bytes.size() < size && all.error == Error::none) {
    Received part = co_await receive_into(env, handle, size - all.bytes.size());
    all.error = part.error;
    all.bytes += part.bytes;
  }
  co_return all;
}

Task<Error> send(Env& env, Handle handle, std::string bytes) {
  IoOp io(env);
  const Slice slice = as_slice(bytes);
  io.op.kind = OpKind::send;
  io.op.handle = handle;
  io.op.gather = {&slice, 1};
  const OpResult& result = co_await io;
  if (result.ok()) {
    EXPECT_EQ(result.bytes, bytes.size());
  }
  co_return result.error;
}

Task<OpResult> accept(Env& env, Handle listener) {
  IoOp io(env);
  io.op.kind = OpKind::accept;
  io.op.handle = listener;
  co_return co_await io;
}

Task<OpResult> connect(Env& env, Address address) {
  IoOp io(env);
  io.op.kind = OpKind::connect;
  io.op.address = address;
  co_return co_await io;
}

Directory::Directory() {
  char name[] = "/tmp/uring_test_XXXXXX";
  EXPECT_NE(mkdtemp(name), nullptr);
  path_ = name;
}

Directory::~Directory() {
  std::filesystem::remove_all(path_);
}

namespace {

socklen_t fill(const Address& address, sockaddr_storage* storage) {
  std::memset(storage, 0, sizeof *storage);
  if (address.unix_socket) {
    auto* local = reinterpret_cast<sockaddr_un*>(storage);
    local->sun_family = AF_UNIX;
    std::strncpy(local->sun_path, address.host.c_str(), sizeof local->sun_path - 1);
    return sizeof(sockaddr_un);
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    return sizeof(sockaddr_in);
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(storage);
  EXPECT_EQ(inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr), 1);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(address.port);
  return sizeof(sockaddr_in6);
}

}  // namespace

int peer_connect(const Address& address) {
  sockaddr_storage storage;
  const socklen_t size = fill(address, &storage);
  const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_GE(fd, 0) << strerror(errno);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&storage), size), 0) << strerror(errno);
  return fd;
}

int peer_listen(Address* address, int backlog) {
  sockaddr_storage storage;
  socklen_t size = fill(*address, &storage);
  const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&storage), size), 0) << strerror(errno);
  EXPECT_EQ(listen(fd, backlog), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  if (!address->unix_socket) {
    address->port = ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
  }
  return fd;
}

void peer_write(int fd, const std::string& bytes) {
  for (size_t written = 0; written < bytes.size();) {
    const ssize_t size = ::send(fd, bytes.data() + written, bytes.size() - written, MSG_NOSIGNAL);
    ASSERT_GT(size, 0) << strerror(errno);
    written += static_cast<size_t>(size);
  }
}

std::string peer_read(int fd, size_t size) {
  std::string bytes(size, 0);
  size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::recv(fd, bytes.data() + filled, size - filled, 0);
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

std::string peer_read_all(int fd) {
  std::string bytes;
  for (;;) {
    std::string part = peer_read(fd, 1 << 16);
    bytes += part;
    if (part.size() < 1 << 16) return bytes;
  }
}

void peer_reset(int fd) {
  const linger off{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
  close(fd);
}

std::string pattern(uint64_t seed, size_t size) {
  std::string bytes(size, 0);
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

uint64_t open_descriptors() {
  uint64_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

uint64_t resident() {
  return read_process_facts().resident_bytes;
}

}  // namespace redoubt
