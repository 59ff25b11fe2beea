// Listening and accepting, and many connections at once.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "net/uring/process_facts.h"
#include "tests/uring/support.h"

namespace redoubt {
namespace {

Error listen_error(World& world, const Address& address) {
  return world.backend().listen(address, 10, 0).error();
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

TEST(Listeners, SayWhyNot) {
  World world;
  const Address taken = world.address_of(world.listen_tcp());
  EXPECT_NE(taken.port, 0);
  EXPECT_EQ(listen_error(world, taken), Error::address_in_use);
  EXPECT_EQ(listen_error(world, Address::tcp("203.0.113.7", 0)), Error::address_not_found);
  EXPECT_EQ(listen_error(world, Address::local("/nowhere/at/all")), Error::not_found);
  EXPECT_EQ(listen_error(world, Address::local(std::string(200, 'x'))), Error::invalid);
  EXPECT_EQ(listen_error(world, Address::local("")), Error::address_in_use);  // the directory
}

TEST(Listeners, TakeNamesAndWildcards) {
  World world;
  for (const char* host : {"localhost", "", "*", "::*", "::1", "0.0.0.0"}) {
    const Address address = world.address_of(world.listen(Address::tcp(host, 0)));
    EXPECT_NE(address.port, 0) << host;
  }
  // The IPv6 listener leaves the IPv4 port of the same number alone.
  const Address v6 = world.address_of(world.listen(Address::tcp("::*", 0)));
  EXPECT_TRUE(world.listen(Address::tcp("*", v6.port)));
}

TEST(Listeners, FreeTheirPortAtOnce) {
  World world;
  PlainOp accepting(OpKind::accept, world.listen_tcp());
  const Address address = world.address_of(accepting.handle);
  world.env().submit(accepting);
  int rounds = 0;
  accepting.then = [&] {
    EXPECT_EQ(accepting.result.error, Error::cancelled);
    if (++rounds == 20) return;
    accepting.handle = world.listen(address);
    world.env().submit(accepting);
    world.env().close(accepting.handle);
  };
  world.env().close(accepting.handle);
  world.run([&] { return rounds == 20; });
}

TEST(Listeners, CareForTheirUnixSocket) {
  Directory directory;
  const std::string path = directory / "socket";
  const Address address = Address::local(path);
  {
    World world;
    Expected<Handle> handle = world.backend().listen(address, 10, 0640);
    ASSERT_TRUE(handle.ok());
    struct stat status{};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640u);
    EXPECT_EQ(world.address_of(*handle), address);
    EXPECT_EQ(listen_error(world, address), Error::address_in_use);
    EXPECT_TRUE(exists(path)) << "somebody listens there";
    world.env().close(*handle);
    EXPECT_FALSE(exists(path));
  }
  Address stale = address;
  close(peer_listen(&stale, 1));
  ASSERT_TRUE(exists(path));
  {
    World world;
    EXPECT_TRUE(world.listen(address)) << "nobody listens there any more";
  }
  EXPECT_FALSE(exists(path)) << "removed at the end of the world";
  close(creat(path.c_str(), 0600));
  {
    World world;
    EXPECT_TRUE(world.listen(address)) << "a plain file makes way";
  }
  EXPECT_FALSE(exists(path));
  mkdir(path.c_str(), 0700);
  {
    World world;
    EXPECT_EQ(listen_error(world, address), Error::address_in_use);
    EXPECT_TRUE(exists(path)) << "anything else is not ours to remove";
  }
  rmdir(path.c_str());
  {
    World world;
    const Handle handle = world.listen(address);
    ASSERT_EQ(unlink(path.c_str()), 0);
    close(creat(path.c_str(), 0600));
    world.env().close(handle);
    EXPECT_TRUE(exists(path)) << "not what the listener made";
  }
}

// Who the peer is.
TEST(Listeners, KnowTheirPeers) {
  Directory directory;
  World world;
  std::map<std::string, std::unique_ptr<PlainOp>> ops;
  std::vector<int> peers;
  const Address addresses[] = {Address::tcp("127.0.0.1", 0), Address::tcp("::1", 0),
                               Address::local(directory / "socket")};
  for (const Address& address : addresses) {
    auto op = std::make_unique<PlainOp>(OpKind::accept, world.listen(address));
    world.env().submit(*op);
    peers.push_back(peer_connect(world.address_of(op->handle)));
    ops.emplace(address.host, std::move(op));
  }
  world.run([&] {
    return std::all_of(ops.begin(), ops.end(), [](const auto& op) { return op.second->done; });
  });
  for (size_t i = 0; i < 3; ++i) {
    const PlainOp& op = *ops.at(addresses[i].host);
    EXPECT_EQ(op.address.host, addresses[i].host);
    EXPECT_EQ(op.address.unix_socket, addresses[i].unix_socket);
    sockaddr_in local{};
    socklen_t size = sizeof local;
    if (i == 0) {
      ASSERT_EQ(getsockname(peers[i], reinterpret_cast<sockaddr*>(&local), &size), 0);
      EXPECT_EQ(op.address.port, ntohs(local.sin_port));
    }
    close(peers[i]);
  }
}

// Connections that nobody has asked for are held, handed out in order, and closed at the end.
TEST(Listeners, HoldWhatCameTooEarly) {
  const uint64_t descriptors = open_descriptors();
  {
    World world;
    PlainOp accepting(OpKind::accept, world.listen_tcp());
    const Address where = world.address_of(accepting.handle);
    std::vector<int> peers;
    for (int i = 0; i < 10; ++i) peers.push_back(peer_connect(where));
    std::vector<Handle> accepted;
    accepting.then = [&] {
      ASSERT_TRUE(accepting.result.ok());
      accepted.push_back(accepting.result.handle);
      if (accepted.size() % 2 == 0) world.env().submit(accepting);
    };
    world.env().submit(accepting);
    world.run([&] {
      if (!accepting.in_flight && accepted.size() < 7) world.env().submit(accepting);
      return accepted.size() >= 7;
    });
    for (int fd : peers) close(fd);
  }
  EXPECT_EQ(open_descriptors(), descriptors);
}

// Out of descriptors: the accept says so, and works again later.
TEST(Listeners, SurviveTheLimitOfDescriptors) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  World world;
  PlainOp accepting(OpKind::accept, world.listen_tcp());
  const int peer = peer_connect(world.address_of(accepting.handle));
  const int lowest_free = dup(peer);
  close(lowest_free);
  const rlimit none_left{static_cast<rlim_t>(lowest_free), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
  accepting.then = [&] {
    if (accepting.times > 1) return;
    EXPECT_EQ(accepting.result.error, Error::too_many_files);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    world.env().submit(accepting);
  };
  world.env().submit(accepting);
  world.run([&] { return accepting.times == 2; });
  EXPECT_TRUE(accepting.result.ok()) << describe(accepting.result.error);
  close(peer);
}

// An idle connection costs a row of the table and nothing else. Both ends are in this process,
// which is why the number depends on the limit of descriptors.
TEST(Listeners, HoldThousandsOfIdleConnections) {
  const uint64_t limit = raise_file_limit(21'000);
  const size_t count = std::min<size_t>(10'000, (limit - 200) / 2);
  ASSERT_GT(count, 400u);
  World world;
  PlainOp accepting(OpKind::accept, world.listen_tcp());
  std::vector<int> peers(count);
  std::vector<Handle> handles(count);
  std::vector<std::unique_ptr<PlainOp>> receiving(count);
  for (auto& op : receiving) {
    op = std::make_unique<PlainOp>(OpKind::receive);
    op->then = [&world, received = op.get()] {
      ASSERT_TRUE(received->result.ok());
      world.backend().give_back(received->result.chunk);
    };
  }
  size_t accepted = 0;
  std::atomic<size_t> connected{0};
  accepting.then = [&] {
    ASSERT_TRUE(accepting.result.ok());
    handles[accepted] = accepting.result.handle;
    receiving[accepted]->handle = accepting.result.handle;
    world.env().submit(*receiving[accepted]);
    ++accepted;
    world.env().submit(accepting);
  };
  world.env().submit(accepting);
  const Address where = world.address_of(accepting.handle);
  const uint64_t before = resident();
  uint64_t after = 0;
  world.beside([&] {
    for (int& fd : peers) {
      fd = peer_connect(where);
      ++connected;
    }
  });
  bool woken = false;
  world.run([&] {
    if (accepted < count) return false;
    if (after == 0) after = resident();
    if (!woken) {
      for (int fd : peers) peer_write(fd, "x");
      woken = true;
    }
    return std::all_of(receiving.begin(), receiving.end(), [](const auto& op) { return op->done; });
  });
  const uint64_t each = (after - before) / count;
  RecordProperty("bytes_each", static_cast<int>(each));
  std::printf("%zu idle connections: %llu bytes each\n", count,
              static_cast<unsigned long long>(each));
  if (kCountsMemory) {
    EXPECT_LE(each, 160u);
  }
  for (int fd : peers) close(fd);
}

}  // namespace
}  // namespace redoubt
