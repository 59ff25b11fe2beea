// A world for tests of a node in one process: it has a clock that stands still until it is moved,
// runs background jobs between turns, and refuses everything else.
#pragma once

#include <cstdint>
#include <vector>

#include "net/env.h"
#include "sim/model/generator.h"

namespace redoubt {

// When it begins, by the wall clock.
inline constexpr int64_t kQuietStart_ms = 1'700'000'000'000;

class QuietBackend : public Backend {
 public:
  explicit QuietBackend(uint64_t seed);
  ~QuietBackend() override;

  Instant now() override { return now_; }
  WallTime wall() override { return wall_; }
  uint64_t entropy() override { return random_.next(); }
  Expected<Handle> listen(const Address&, int, uint32_t) override { return Error::unsupported; }
  Address local_address(Handle) override { return {}; }
  void submit(Op& op) override { waiting_.push_back(&op); }
  void cancel(Op&) override {}
  void abandon(Op& op) override { std::erase(waiting_, &op); }
  void close(Handle) override {}
  void give_back(Chunk) override {}
  void set_keepalive(Handle, int) override {}
  void stall(Duration duration) override { advance(duration); }
  void log(Level, std::string_view) override {}
  ProcessFacts process_facts() override { return {}; }
  void request_exit(int) override {}

  void advance(Duration duration) {
    now_.ns += duration.ns;
    wall_.unix_us += duration.us();
  }
  void jump_wall(Duration duration) { wall_.unix_us += duration.us(); }

  // Hands back what was submitted: jobs done, everything else refused.
  virtual void deliver();

 private:
  sim::Xoshiro random_;
  Instant now_{1'000'000'000};
  WallTime wall_{kQuietStart_ms * 1000};
  std::vector<Op*> waiting_;
};

class QuietWorld {
 public:
  explicit QuietWorld(uint64_t seed) : backend(seed), env(backend) {}

  // A turn: the clocks are read, due timers fire, completions arrive, hooks run.
  void turn();

  QuietBackend backend;
  Env env;
};

}  // namespace redoubt
