// Small programs that believe in a perfect world, for the tests of the simulated one. Each says in
// `complaint` which of its beliefs broke first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/task.h"
#include "sim/world.h"

namespace redoubt::sim {

// What a test looks at; outlives the processes that write it.
struct Seen {
  std::string complaint;
  uint64_t rounds = 0;
  bool finished = false;
  std::vector<std::string> lines;

  void complain(const std::string& text) {
    if (complaint.empty()) complaint = text;
  }
};

// A process that is one coroutine, made by `story`.
class StoryProcess final : public Process {
 public:
  using Story = Task<int> (*)(Env&, Seen*, std::string);

  StoryProcess(Env& env, Story story, Seen* seen, const std::string& argument)
      : task_(story(env, seen, argument)) {
    task_.start([](void*) {}, nullptr);
  }

 private:
  Task<int> task_;
};

inline ProcessFactory story(StoryProcess::Story told, Seen* seen, std::string argument = {}) {
  return [told, seen, argument](Env& env) {
    return std::make_unique<StoryProcess>(env, told, seen, argument);
  };
}

// Sends back what it receives, to everybody, on port 7.
class EchoProcess final : public Process {
 public:
  explicit EchoProcess(Env& env);

 private:
  struct Stream {
    EchoProcess* owner;
    Handle handle;
    Op receive;
    Op send;
    Slice slice;
    Chunk chunk;
  };

  void accept();
  void close(Stream& stream);

  Env& env_;
  Handle listener_;
  Op accept_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

inline std::unique_ptr<Process> make_echo(Env& env) {
  return std::make_unique<EchoProcess>(env);
}

// The stories. `argument` is the address of the echo where there is one.

// Connects once, asks a hundred times, ten milliseconds apart; believes that each answer comes
// whole and within five milliseconds, and that nothing ever fails.
Task<int> naive_client(Env& env, Seen* seen, std::string address);
// Writes a file, with mode "sync" to the medium, believes that it is there after the write, and
// that a reader sees all or nothing.
Task<int> naive_writer(Env& env, Seen* seen, std::string mode);
// Reads while it writes, and believes that it sees each write whole.
Task<int> naive_reader(Env& env, Seen* seen, std::string);
// Writes files, f0 and so on; does not wait for a write before it syncs, but some time.
constexpr int kSyncerFiles = 20;
Task<int> naive_syncer(Env& env, Seen* seen, std::string);
// Writes 'o' and syncs, then writes 'n' over it and does not.
Task<int> naive_overwriter(Env& env, Seen* seen, std::string);
// Writes, syncs (not in mode "without sync") and reads back a file, also in its next lives: what
// was written is there.
Task<int> naive_keeper(Env& env, Seen* seen, std::string mode);

}  // namespace redoubt::sim
