// File operations as a process meets them, through its Env.
#include <gtest/gtest.h>

#include "tests/sim/naive.h"
#include "tests/sim/stories.h"

namespace redoubt::sim {
namespace {

using Lines = std::vector<std::string>;

constexpr OpenFlags kCreate = {.read = true, .write = true, .create = true};

// One operation. Made by a function instead of braces: gcc 12 destroys a braced aggregate in a
// co_await expression twice.
struct Step {
  OpKind kind;
  Handle handle;
  std::string path;
  std::string path_to;
  OpenFlags flags;
  uint64_t offset = 0;
  std::string text;      // to write
  size_t bytes_max = 0;  // to read

  Step(OpKind step_kind, Handle on) : kind(step_kind), handle(on) {}
  Step(OpKind step_kind, std::string name) : kind(step_kind), path(std::move(name)) {}
  Step with(OpenFlags open_flags) {
    flags = open_flags;
    return std::move(*this);
  }
  Step to(std::string name) {
    path_to = std::move(name);
    return std::move(*this);
  }
  Step at(uint64_t where) {
    offset = where;
    return std::move(*this);
  }
  Step put(std::string bytes) {
    text = std::move(bytes);
    return std::move(*this);
  }
  Step get(size_t count) {
    bytes_max = count;
    return std::move(*this);
  }
};

struct Outcome {
  Error error = Error::none;
  uint64_t bytes = 0;
  Handle handle;
  std::string text;
};

Task<Outcome> perform(Env& env, Step step) {
  IoOp io(env);
  std::string buffer(step.bytes_max, ' ');
  const Slice slice = as_slice(step.text);
  io.op.kind = step.kind;
  io.op.path = step.path;
  io.op.path_to = step.path_to;
  io.op.flags = step.flags;
  io.op.handle = step.handle;
  io.op.offset = step.offset;
  io.op.gather = {&slice, 1};
  io.op.into = std::as_writable_bytes(std::span(buffer));
  co_await io;
  Outcome outcome{io.op.result.error, io.op.result.bytes, io.op.result.handle, ""};
  if (step.kind == OpKind::read) outcome.text = buffer.substr(0, io.op.result.bytes);
  for (const std::string& name : io.op.result.names) outcome.text += name + " ";
  co_return outcome;
}

Task<int> every_operation(Env& env, Seen* seen, std::string) {
  const auto say = [seen](std::string_view what, const Outcome& outcome) {
    seen->lines.push_back(std::string(what) + ": " + said(outcome.error) + " " +
                          std::to_string(outcome.bytes) + " " + outcome.text);
  };
  say("make", co_await perform(env, Step(OpKind::make_directory, "sub")));
  const Outcome file = co_await perform(env, Step(OpKind::open, "sub/a").with(kCreate));
  say("open", file);
  const Handle handle = file.handle;
  say("write", co_await perform(env, Step(OpKind::write, handle).put("0123456")));
  say("read", co_await perform(env, Step(OpKind::read, handle).at(2).get(3)));
  say("read past the end", co_await perform(env, Step(OpKind::read, handle).at(5).get(100)));
  say("truncate", co_await perform(env, Step(OpKind::truncate, handle).at(3)));
  say("size", co_await perform(env, Step(OpKind::file_size, handle)));
  say("sync", co_await perform(env, Step(OpKind::sync, handle)));
  say("sync data", co_await perform(env, Step(OpKind::sync_data, handle)));
  say("rename", co_await perform(env, Step(OpKind::rename, "sub/a").to("/data/sub/b")));
  say("list", co_await perform(env, Step(OpKind::list, "sub")));
  say("sync names", co_await perform(env, Step(OpKind::sync_directory, "sub")));
  say("remove a directory", co_await perform(env, Step(OpKind::remove, "sub")));
  say("remove", co_await perform(env, Step(OpKind::remove, "sub/b")));
  say("open what is gone", co_await perform(env, Step(OpKind::open, "sub/b").with({.read = true})));
  const Outcome readable =
      co_await perform(env, Step(OpKind::open, "/data/sub").with({.read = true}));
  say("read a directory", co_await perform(env, Step(OpKind::read, readable.handle).get(1)));
  env.close(handle);
  say("closed", co_await perform(env, Step(OpKind::file_size, handle)));
  co_return 0;
}

TEST(Files, EveryOperation) {
  WorldOptions options;
  World world(1, options);
  Seen seen;
  world.boot(world.add_host({}, story(every_operation, &seen)));
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(seen.lines,
            (Lines{"make: no error 0 ", "open: no error 0 ", "write: no error 7 ",
                   "read: no error 3 234", "read past the end: no error 2 56",
                   "truncate: no error 0 ", "size: no error 3 ", "sync: no error 0 ",
                   "sync data: no error 0 ", "rename: no error 0 ", "list: no error 0 b ",
                   "sync names: no error 0 ", "remove a directory: directory not empty 0 ",
                   "remove: no error 0 ", "open what is gone: no such file or directory 0 ",
                   "read a directory: is a directory 0 ", "closed: cancelled 0 "}));
}

// Opens a file whose name is on the medium, and writes to it as `argument` says.
Task<int> write_once(Env& env, Seen* seen, std::string argument) {
  const Outcome file = co_await perform(env, Step(OpKind::open, "f").with(kCreate));
  co_await perform(env, Step(OpKind::sync_directory, "."));
  co_await perform(env, Step(OpKind::write, file.handle).put(std::string(10'000, 'x')));
  if (argument == "sync") {
    const Outcome synced = co_await perform(env, Step(OpKind::sync, file.handle));
    seen->lines.push_back(said(synced.error));
  }
  seen->finished = true;
  co_return 0;
}

// Whatever was not synced is at risk when power fails.
FaultOptions risky_disks() {
  FaultOptions faults;
  faults.disk_lost = 250'000;
  faults.disk_torn = 666'666;
  faults.disk_garbage = 250'000;
  faults.disk_name_lost = 500'000;
  faults.disk_rename_lost = 500'000;
  return faults;
}

TEST(Files, WhatWasSyncedSurvivesPowerLoss) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    WorldOptions options;
    options.faults = risky_disks();
    World world(seed, options);
    Seen seen;
    const HostId host = world.add_host({}, story(write_once, &seen, "sync"));
    world.boot(host);
    world.run_for(Duration::seconds(1));
    ASSERT_TRUE(seen.finished);
    world.crash(host, StopKind::power_loss);
    ASSERT_EQ(world.host(host).disk().contents("f").value(), std::string(10'000, 'x'));
  }
}

TEST(Files, ASyncThatHasNotCompletedPromisesNothing) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    WorldOptions options;
    options.disk_sync_ns = 1'000'000'000;
    options.faults = risky_disks();
    World world(seed, options);
    Seen seen;
    const HostId host = world.add_host({}, story(write_once, &seen, "sync"));
    world.boot(host);
    world.run_for(Duration::milliseconds(1'500));  // the second of two syncs is under way
    ASSERT_FALSE(seen.finished);
    world.crash(host, StopKind::power_loss);
    lost += world.host(host).disk().contents("f").value() != std::string(10'000, 'x');
  }
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 50);
}

TEST(Files, AKillLeavesThePageCacheAndEndsTheSync) {
  WorldOptions options;
  options.disk_sync_ns = 1'000'000'000;
  options.faults = risky_disks();
  World world(3, options);
  Seen seen;
  const HostId host = world.add_host({}, story(write_once, &seen, "sync"));
  world.boot(host);
  world.run_for(Duration::milliseconds(1'500));
  world.crash(host, StopKind::kill);
  EXPECT_EQ(world.host(host).disk().contents("f").value(), std::string(10'000, 'x'));
  world.crash(host, StopKind::power_loss);
  world.host(host).disk().lose_power(
      {.lost = 0, .torn = 1'000'000, .garbage = 250'000, .name_lost = 0, .rename_lost = 0});
  EXPECT_EQ(world.host(host).disk().contents("f").value(), std::string(10'000, 'x'));
}

TEST(Files, AKilledWriteMayBeHalfDone) {
  std::vector<size_t> sizes;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    WorldOptions options;
    options.disk_ns_per_kb = 10'000'000;  // the write takes 100 ms
    World world(seed, options);
    Seen seen;
    const HostId host = world.add_host({}, story(write_once, &seen, ""));
    world.boot(host);
    world.run_for(Duration::milliseconds(50));
    ASSERT_FALSE(seen.finished);
    world.crash(host, StopKind::kill);
    sizes.push_back(world.host(host).disk().contents("f").value().size());
    EXPECT_LE(sizes.back(), 10'000u);
  }
  std::sort(sizes.begin(), sizes.end());
  EXPECT_LT(sizes.front(), 3'000u);
  EXPECT_GT(sizes.back(), 7'000u);
}

// The second of two overlapping syncs does not promise more than it may.
Task<int> overlapping_syncs(Env& env, Seen* seen, std::string) {
  const Outcome file = co_await perform(env, Step(OpKind::open, "f").with(kCreate));
  co_await perform(env, Step(OpKind::sync_directory, "."));
  co_await perform(env, Step(OpKind::write, file.handle).put(std::string(5'000, 'x')));
  Op syncs[2];
  for (Op& op : syncs) {
    op.kind = OpKind::sync;
    op.handle = file.handle;
    op.owner = seen;
    op.on_done = [](Op& done) { ++static_cast<Seen*>(done.owner)->rounds; };
    env.submit(op);
  }
  co_await Sleep(env, Duration::seconds(100));
  co_return 0;
}

TEST(Files, ASyncCoversWhatEarlierOnesHaveBegun) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    WorldOptions options;
    options.faults = risky_disks();
    World world(seed, options);
    Seen seen;
    const HostId host = world.add_host({}, story(overlapping_syncs, &seen));
    world.boot(host);
    while (seen.rounds == 0 && world.step()) {
    }
    world.crash(host, StopKind::power_loss);
    ASSERT_EQ(world.host(host).disk().contents("f").value(), std::string(5'000, 'x'));
  }
}

}  // namespace
}  // namespace redoubt::sim
