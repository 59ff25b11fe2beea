#include "sim/program/child.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "sim/program/arguments.h"
#include "sim/program/sandbox.h"

namespace redoubt::sim {

namespace {

// What a run may take, in real time.
constexpr unsigned kChildSeconds = 600;

// Between what a child says on its way and what it tells in the end.
constexpr std::string_view kMark = "\x01redoubt-sim result\x01";

// The fields one after another; the same program reads them.
class Pack {
 public:
  template <typename T>
  void add(const T& plain) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&plain), sizeof plain);
  }
  void add(const std::string& text) {
    add(text.size());
    bytes_ += text;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Unpack {
 public:
  explicit Unpack(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  void take(T& plain) {
    if (bytes_.size() < sizeof plain) return fail();
    std::memcpy(&plain, bytes_.data(), sizeof plain);
    bytes_.remove_prefix(sizeof plain);
  }
  void take(std::string& text) {
    size_t size = 0;
    take(size);
    if (size > bytes_.size()) return fail();
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
  }
  bool whole() const { return bytes_.empty() && !failed_; }

 private:
  void fail() { failed_ = true; }

  std::string_view bytes_;
  bool failed_ = false;
};

template <typename Result, typename Each>
void each_field(Result& result, Each each) {
  each(result.ok);
  each(result.digest);
  each(result.events);
  each(result.commands);
  each(result.simulated_ns);
  each(result.wall_s);
  each(result.fired);
  each(result.marks);
  each(result.faults);
  each(result.checker);
  each(result.place);
  each(result.violated_ns);
  each(result.text);
  each(result.fixed);
}

[[noreturn]] void run_child(const Children::Body& body, int out) {
  dup2(out, STDERR_FILENO);  // the last words of a failed assertion
  alarm(kChildSeconds);      // one that hangs is a crash, too
  lock_the_door();
  const ChildResult result = body();
  Pack pack;
  each_field(result, [&](const auto& field) { pack.add(field); });
  write_or_exit(out, kMark, kUsage);
  write_or_exit(out, pack.bytes(), kUsage);
  _exit(kOk);
}

// The last line, or that in which a sanitizer sums up.
std::string last_words(std::string_view output) {
  constexpr std::string_view kSummary = "SUMMARY: ";
  if (const size_t at = output.find(kSummary); at != std::string_view::npos) {
    return std::string(output.substr(at, output.find('\n', at) - at));
  }
  while (!output.empty() && output.back() == '\n') output.remove_suffix(1);
  const size_t line = output.rfind('\n');
  return std::string(line == std::string_view::npos ? output : output.substr(line + 1));
}

}  // namespace

void write_or_exit(int file, std::string_view bytes, int status) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(status);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

Children::~Children() {
  for (Child& child : children_) {
    kill(child.pid, SIGKILL);
    close(child.pipe);
    waitpid(child.pid, nullptr, 0);
  }
}

bool Children::start(uint64_t seed, const Body& body) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return false;
  }
  if (pid == 0) {
    for (const Child& other : children_) close(other.pipe);
    close(ends[0]);
    run_child(body, ends[1]);
  }
  close(ends[1]);
  children_.push_back({pid, ends[0], seed, {}});
  return true;
}

std::vector<ChildResult> Children::wait(int milliseconds) {
  std::vector<pollfd> polled;
  polled.reserve(children_.size());
  for (const Child& child : children_) polled.push_back({child.pipe, POLLIN, 0});
  std::vector<ChildResult> results;
  if (poll(polled.data(), polled.size(), milliseconds) <= 0) return results;
  for (size_t i = polled.size(); i-- > 0;) {
    if (polled[i].revents == 0) continue;
    char buffer[65'536];
    const ssize_t got = read(children_[i].pipe, buffer, sizeof buffer);
    if (got > 0) {
      children_[i].output.append(buffer, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      results.push_back(finish(children_[i]));
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return results;
}

ChildResult Children::finish(Child& child) {
  close(child.pipe);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  ChildResult result;
  const size_t mark = child.output.rfind(kMark);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kOk && mark != std::string::npos) {
    Unpack unpack(std::string_view(child.output).substr(mark + kMark.size()));
    each_field(result, [&](auto& field) { unpack.take(field); });
    result.ended = unpack.whole();
  }
  result.seed = child.seed;
  if (result.ended) return result;
  const std::string how = WIFSIGNALED(status) ? std::string(strsignal(WTERMSIG(status)))
                                              : std::string("it ended without a result");
  result = {};
  result.seed = child.seed;
  result.checker = "crash";
  result.place = last_words(child.output);
  if (result.place.empty()) result.place = how;
  result.text = child.output + fmt::format("crash: {}\n", how);
  return result;
}

}  // namespace redoubt::sim
