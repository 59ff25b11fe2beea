// Every crash that a story can meet: careful ways to replace a file survive all of them, and each
// way that lacks something is found out.
#include "sim/crash_points.h"

#include <gtest/gtest.h>

#include <set>

#include "sim/scenario/scenario.h"
#include "tests/sanitized.h"
#include "tests/sim/naive.h"

namespace redoubt::sim {
namespace {

constexpr OpenFlags kNew = {.read = true, .write = true, .create = true, .truncate = true};
const std::string kOld(700, 'o');
const std::string kFresh(1'300, 'n');

Task<Error> act(Env& env, OpKind kind, Handle handle, std::string path, std::string path_to) {
  IoOp io(env);
  const Slice slice = as_slice(kFresh);
  io.op.kind = kind;
  io.op.handle = handle;
  io.op.path = path;
  io.op.path_to = path_to;
  io.op.gather = {&slice, 1};
  co_await io;
  co_return io.op.result.error;
}

// Replaces `f` in the way that is asked for: the letters stand for steps.
Task<int> replace(Env& env, Seen* seen, std::string way) {
  const bool in_place = way.find('i') != std::string::npos;
  IoOp file(env);
  file.op.kind = OpKind::open;
  file.op.path = in_place ? "f" : "new";
  file.op.flags = kNew;
  file.op.flags.truncate = !in_place;
  co_await file;
  const Handle handle = file.op.result.handle;
  for (const char step : way) {
    if (step == 'w') co_await act(env, OpKind::write, handle, "", "");
    if (step == 's') co_await act(env, OpKind::sync, handle, "", "");
    if (step == 'x') co_await act(env, OpKind::remove, {}, "f", "");
    if (step == 'r') co_await act(env, OpKind::rename, {}, "new", "f");
    if (step == 'd') co_await act(env, OpKind::sync_directory, {}, ".", "");
  }
  env.close(handle);
  seen->finished = true;
  co_return 0;
}

class Replacement final : public CrashStory {
 public:
  explicit Replacement(std::string way) : way_(std::move(way)) {}

  HostId begin(World& world) override {
    const HostId host = world.add_host({}, story(replace, &seen_, way_));
    Disk& disk = world.host(host).disk();
    const InodeRef file = disk.open("f", kNew).value();
    file->write(0, as_slice(kOld));
    file->end_sync(file->begin_sync());
    disk.end_sync_names(disk.find(".").value(), disk.names_mark());
    return host;
  }
  void tell(World& world) override {
    world.boot(0);
    if (!world.halted()) world.run_for(Duration::seconds(1));
  }
  std::string check(World& world, bool) override {
    auto text = world.host(0).disk().contents("f");
    if (!text) return "gone";
    if (*text == kFresh) return "";
    if (*text != kOld) return "broken";
    return seen_.finished ? "old" : "";
  }

 private:
  const std::string way_;
  Seen seen_;
};

CrashReport replaced(const std::string& way, const WorldOptions& options = {}) {
  return crash_everywhere(1, options, [&] { return std::make_unique<Replacement>(way); });
}

std::string found(const std::string& way) {
  const CrashReport report = replaced(way);
  return report.failure ? report.failure->seen : "nothing";
}

TEST(CrashPoints, ACarefulReplacementSurvives) {
  const CrashReport report = replaced("wsrd");
  EXPECT_FALSE(report.failure) << report.failure->where << ": " << report.failure->seen;
  // Open, write, rename: two boundaries each; the syncs: three.
  EXPECT_EQ(report.boundaries, 12u);
  EXPECT_EQ(report.cut_short, 0u);
  EXPECT_GT(report.crashes, 2 * report.boundaries + 30);
  WorldOptions pieces;
  pieces.faults.disk_split = 1'000'000;
  const CrashReport split = replaced("wsrd", pieces);
  EXPECT_FALSE(split.failure);
  EXPECT_GT(split.boundaries, report.boundaries);
}

TEST(CrashPoints, WhatIsMissingIsFound) {
  EXPECT_EQ(found("iws"), "broken");   // in place
  EXPECT_EQ(found("wrd"), "broken");   // not synced
  EXPECT_EQ(found("wrsd"), "broken");  // synced too late
  EXPECT_EQ(found("wsr"), "old");      // the name is not
  EXPECT_EQ(found("wsxrd"), "gone");   // a moment without any
}

TEST(CrashPoints, TheFailureSaysWhereAndHow) {
  const CrashReport report = replaced("wrd");
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->where.find("power loss when rename of new was carried out; "),
            std::string::npos)
      << report.failure->where;
  EXPECT_EQ(report.digest, replaced("wrd").digest);
}

// Two names, and the length and three sectors of one file, and garbage in any of them: all of it.
TEST(CrashPoints, EveryWayIsTried) {
  class Census final : public CrashStory {
   public:
    explicit Census(std::set<std::string>& images) : images_(images) {}
    HostId begin(World& world) override { return world.add_host({}, story(replace, &seen_, "w")); }
    void tell(World& world) override {
      world.boot(0);
      if (!world.halted()) world.run_for(Duration::seconds(1));
    }
    std::string check(World& world, bool to_its_end) override {
      auto text = world.host(0).disk().contents("new");
      if (!to_its_end) images_.insert(text ? *text : "gone");
      return "";
    }
    std::set<std::string>& images_;
    Seen seen_;
  };
  std::set<std::string> images;
  crash_everywhere(1, {}, [&] { return std::make_unique<Census>(images); });
  // Gone, empty; each of the eight sets of sectors, seven of which may hold garbage instead.
  const std::string half = kFresh.substr(0, 650);
  EXPECT_EQ(images.size(), 2u + 8 + 7 + images.count(half));
}

// Each file of a seed, and each bug: what the disk may do to a save finds them.
TEST(CrashPoints, AConfigurationSave) {
  constexpr size_t kSeeds = affordable(12, 4);
  uint64_t crashes = 0;
  RunOptions options;
  for (options.seed = 1; options.seed <= kSeeds; ++options.seed) {
    const RunResult result = run_scenario(*find_scenario("config_save"), options);
    EXPECT_FALSE(result.violation) << options.seed << " " << result.violation->seen;
    EXPECT_GT(result.commands, 50u);
    crashes += result.commands;
  }
  EXPECT_GT(crashes, 80 * kSeeds);
  for (const auto& [plant, moment] : {std::pair("unsynced_file", "rename of "),
                                      std::pair("unsynced_names", "it was over; the new name ")}) {
    options.plant = plant;
    for (options.seed = 1; options.seed <= affordable(4, 4); ++options.seed) {
      const RunResult result = run_scenario(*find_scenario("config_save"), options);
      ASSERT_TRUE(result.violation) << options.seed;
      EXPECT_EQ(result.violation->checker, "files");
      EXPECT_NE(result.violation->seen.find(moment), std::string::npos) << result.violation->seen;
    }
  }
}

}  // namespace
}  // namespace redoubt::sim
