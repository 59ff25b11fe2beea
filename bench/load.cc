// A load generator that is cheap enough to keep a fast server busy from one core: redis-benchmark
// spends more on a pipelined request than the servers it is to measure, so that its own core is
// the limit. Requests are encoded once and only their random digits are rewritten; replies are
// counted, not built. Works with any server that speaks RESP2.
//
//   load --port P [--connections C] [--pipeline D] [--requests N] [--keys K] -- ARGUMENT...
//
// In each ARGUMENT __rand_int__ stands for 12 digits of a random number below K, and @BYTES, as a
// whole argument, for so many bytes. Ends with one line: requests a second, and the share of a core
// that the load itself used.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kRandom = "__rand_int__";

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(2);
}

struct Options {
  int port = 6379;
  size_t connections = 50;
  size_t pipeline = 1;
  uint64_t requests = 1'000'000;
  uint64_t keys = 1'000'000;
  std::vector<std::string> arguments;
};

// One request, and where its random numbers stand.
struct Template {
  std::string bytes;
  std::vector<size_t> random_at;
};

Template encode(const std::vector<std::string>& arguments) {
  Template made;
  made.bytes = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    std::string text = argument;
    if (text.starts_with("@")) text = std::string(std::strtoul(text.c_str() + 1, nullptr, 10), 'x');
    made.bytes += "$" + std::to_string(text.size()) + "\r\n";
    for (size_t at = text.find(kRandom); at != std::string::npos; at = text.find(kRandom, at + 1)) {
      made.random_at.push_back(made.bytes.size() + at);
    }
    made.bytes += text + "\r\n";
  }
  return made;
}

// Counts whole replies in a stream of RESP2, wherever it is cut.
class ReplyCounter {
 public:
  // How many replies ended in these bytes.
  uint64_t count(const char* at, size_t size) {
    uint64_t done = 0;
    const char* const end = at + size;
    while (at < end) {
      if (skip_ > 0) {
        const size_t skipped = std::min(skip_, static_cast<size_t>(end - at));
        skip_ -= skipped;
        at += skipped;
        if (skip_ == 0) done += value_ended();
        continue;
      }
      const auto* line_end = static_cast<const char*>(std::memchr(at, '\n', size_t(end - at)));
      if (line_end == nullptr) {
        line_.append(at, end);
        break;
      }
      if (line_.empty()) {
        done += header(at);
      } else {
        line_.append(at, line_end + 1);
        done += header(line_.c_str());
        line_.clear();
      }
      at = line_end + 1;
    }
    return done;
  }

  uint64_t errors() const { return errors_; }

 private:
  uint64_t header(const char* line) {
    switch (line[0]) {
      case '$': {
        const long length = std::strtol(line + 1, nullptr, 10);
        if (length < 0) return value_ended();
        skip_ = static_cast<size_t>(length) + 2;
        return 0;
      }
      case '*': {
        const long length = std::strtol(line + 1, nullptr, 10);
        if (length <= 0) return value_ended();
        open_ += static_cast<uint64_t>(length) - (open_ > 0 ? 1 : 0);
        return 0;
      }
      case '-': ++errors_; return value_ended();
      case '+':
      case ':': return value_ended();
      default: fail(std::string("not RESP2: ") + line[0]);
    }
  }
  // A value that is not an array has ended; 1 when a reply has with it.
  uint64_t value_ended() {
    if (open_ == 0) return 1;
    return --open_ == 0 ? 1 : 0;
  }

  size_t skip_ = 0;    // bytes of the bulk string that is being received
  uint64_t open_ = 0;  // values that the array being received still lacks
  uint64_t errors_ = 0;
  std::string line_;  // the beginning of a header line
};

struct Connection {
  int fd = -1;
  std::string batch;              // the requests of one round
  std::vector<size_t> random_at;  // in the batch
  ReplyCounter replies;
  uint64_t missing = 0;  // replies of the round that have not come
};

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// Twelve decimal digits.
void put_number(char* at, uint64_t number) {
  for (size_t i = kRandom.size(); i-- > 0; number /= 10)
    at[i] = static_cast<char>('0' + number % 10);
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot connect to 127.0.0.1:" + std::to_string(port) + ": " + std::strerror(errno));
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options), epoll_(epoll_create1(0)) {
    const Template request = encode(options.arguments);
    connections_.resize(options.connections);
    for (size_t i = 0; i < connections_.size(); ++i) {
      Connection& c = connections_[i];
      c.fd = connect_to(options.port);
      for (size_t n = 0; n < options.pipeline; ++n) {
        for (const size_t at : request.random_at) c.random_at.push_back(c.batch.size() + at);
        c.batch += request.bytes;
      }
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    }
  }

  void run() {
    const auto begin = std::chrono::steady_clock::now();
    for (Connection& c : connections_) send_round(c);
    while (done_ < options_.requests) {
      epoll_event events[64];
      const int ready = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < ready; ++i) receive(connections_[events[i].data.u64]);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    report(took.count());
  }

 private:
  void send_round(Connection& c) {
    if (sent_ >= options_.requests) return;
    sent_ += options_.pipeline;
    c.missing = options_.pipeline;
    for (const size_t at : c.random_at) {
      put_number(c.batch.data() + at, next_random(random_) % options_.keys);
    }
    for (size_t at = 0; at < c.batch.size();) {
      const ssize_t size = send(c.fd, c.batch.data() + at, c.batch.size() - at, MSG_NOSIGNAL);
      if (size <= 0) fail(std::string("send: ") + std::strerror(errno));
      at += static_cast<size_t>(size);
    }
  }

  void receive(Connection& c) {
    const ssize_t size = recv(c.fd, buffer_, sizeof buffer_, 0);
    if (size <= 0) fail("the server closed a connection");
    const uint64_t replies = c.replies.count(buffer_, static_cast<size_t>(size));
    if (replies > c.missing) fail("more replies than requests");
    done_ += replies;
    c.missing -= replies;
    if (c.missing == 0) send_round(c);
  }

  void report(double seconds) const {
    uint64_t errors = 0;
    for (const Connection& c : connections_) errors += c.replies.errors();
    if (errors > 0) fail(std::to_string(errors) + " error replies");
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    std::printf("%.0f requests/s, load %.0f%% of a core\n", static_cast<double>(done_) / seconds,
                100 * cpu / seconds);
  }

  const Options& options_;
  const int epoll_;
  std::vector<Connection> connections_;
  uint64_t sent_ = 0;
  uint64_t done_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15;
  char buffer_[256 * 1024];
};

Options read_options(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i + 1 < argc && std::string_view(argv[i]) != "--"; i += 2) {
    const std::string_view name = argv[i];
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--port") {
      options.port = static_cast<int>(value);
    } else if (name == "--connections") {
      options.connections = value;
    } else if (name == "--pipeline") {
      options.pipeline = value;
    } else if (name == "--requests") {
      options.requests = value;
    } else if (name == "--keys") {
      options.keys = value;
    } else {
      fail("unknown option '" + std::string(name) + "'");
    }
  }
  for (++i; i < argc; ++i) options.arguments.emplace_back(argv[i]);
  if (options.arguments.empty()) fail("no request: load [OPTIONS] -- ARGUMENT...");
  if (options.connections == 0 || options.pipeline == 0 || options.keys == 0) {
    fail("connections, pipeline and keys are at least 1");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  Load load(options);
  load.run();
}
