// redoubt-sim compare, and the walls: each leak of the scenario `canary` has to be caught and the
// first event that differs to be named.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "sim/program/sandbox.h"
#include "tests/sim/program.h"

namespace redoubt::sim {
namespace {

const std::string kCanary = " --scenario canary --seed 3";

Ran compare(const std::string& plant) {
  return run("compare" + kCanary + " --bug " + plant);
}

// A file that goes with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_(testing::TempDir() + name + "." + std::to_string(getpid())) {}
  ~TemporaryFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(Compare, ASoundRunIsTheSameInAllSurroundings) {
  for (const char* arguments : {"canary --seed 3", "single --seed 3 --commands 5000",
                                "single --seed 4 --commands 5000 --fault kill=100"}) {
    const Ran ran = run("compare --scenario " + std::string(arguments));
    EXPECT_EQ(ran.status, 0) << ran.text;
    EXPECT_TRUE(has(ran, "same: digest ")) << ran.text;
  }
}

// What is compared is what run prints.
TEST(Compare, SaysTheDigestOfTheRun) {
  const Ran compared = run("compare" + kCanary);
  const size_t at = compared.text.find("digest ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_TRUE(has(run("run" + kCanary), compared.text.substr(at, 39)));
}

TEST(Compare, AViolationIsTheSameToo) {
  const Ran ran = run("compare --scenario single --seed 5 --commands 3000 --bug lost_write");
  EXPECT_EQ(ran.status, 0) << ran.text;
  EXPECT_TRUE(has(ran, "a violation of ")) << ran.text;
}

struct Leak {
  const char* plant;
  const char* event;  // that differs
};

class Leaks : public testing::TestWithParam<Leak> {};

TEST_P(Leaks, AreCaughtAndTheFirstEventIsNamed) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's memory is the same everywhere";
  const Ran ran = compare(GetParam().plant);
  EXPECT_EQ(ran.status, 1) << ran.text;
  // 102 events before: the boot, and ticks 0 to 100.
  EXPECT_TRUE(has(ran, "different behind 102 events that are the same")) << ran.text;
  EXPECT_TRUE(has(ran, "  same   10.100000000 canary note ")) << ran.text;
  for (const char* side : {"  left   ", "  right  "}) {
    const size_t at = ran.text.find(side + std::string("10.100000000 canary note "));
    ASSERT_NE(at, std::string::npos) << ran.text;
    const std::string line = ran.text.substr(at, ran.text.find('\n', at) - at);
    EXPECT_NE(line.find(GetParam().event), std::string::npos) << line;
  }
  EXPECT_TRUE(has(
      ran, "  repeat: redoubt-sim compare" + kCanary + " --bug " + std::string(GetParam().plant)));
}

INSTANTIATE_TEST_SUITE_P(Compare, Leaks,
                         testing::Values(Leak{"address_order", "by address"},
                                         Leak{"real_clock", "real clock"},
                                         Leak{"uninitialised_byte", "unwritten bytes"},
                                         Leak{"locale", "1.5"}, Leak{"time_zone", "local time"},
                                         Leak{"environment", "environment"}),
                         [](const auto& info) { return std::string(info.param.plant); });

TEST(Compare, ADrawThatNothingDependsOnShowsInTheEnd) {
  const Ran ran = compare("draw_too_many");
  EXPECT_EQ(ran.status, 1) << ran.text;
  EXPECT_TRUE(has(ran, "  left   the run ends: digest ")) << ran.text;
}

// A compiler has one of two orders; a run of the other is another run. The runs of two compilers
// are compared like any two that were recorded.
TEST(Compare, TheOrderOfArgumentsShowsBetweenRecordings) {
  const TemporaryFile here("arguments");
  const TemporaryFile first("first");
  const TemporaryFile last("last");
  const auto record = [](const TemporaryFile& file, const std::string& plant) {
    EXPECT_EQ(run("compare" + kCanary + " --bug " + plant + " --record " + file.path()).status, 0);
  };
  record(here, "unordered_argument");
  record(first, "first_argument_first");
  record(last, "last_argument_first");
  const Ran one = run("compare --files " + here.path() + " " + first.path());
  const Ran other = run("compare --files " + here.path() + " " + last.path());
  EXPECT_EQ(one.status + other.status, 1) << one.text << other.text;
  const Ran& differs = one.status == 1 ? one : other;
  EXPECT_TRUE(has(differs, "different behind 102 events")) << differs.text;
  EXPECT_TRUE(has(differs, "right  10.100000000 canary note ")) << differs.text;
  EXPECT_TRUE(has(differs, " and ")) << differs.text;
}

TEST(Compare, SaysWhatIsWrongWithItsArguments) {
  for (const char* arguments :
       {"--scenario double --seed 1", "--scenario canary --seed 1 --bug tree",
        "--scenario canary --seed 1 --fault kill=1", "--files /no/such/file /no/such/other",
        "--files /dev/null", "--scenario canary --seed 1 --record /no/such/directory/file", ""}) {
    const Ran ran = run("compare " + std::string(arguments));
    EXPECT_EQ(ran.status, 2) << arguments << "\n" << ran.text;
  }
}

// --- the walls

struct ForbiddenCall {
  const char* plant;
  const char* call;
};

class Walls : public testing::TestWithParam<ForbiddenCall> {};

TEST_P(Walls, NameTheCallAndEndTheRun) {
  if (kSanitized) GTEST_SKIP() << "there are no walls around a sanitizer";
  const std::string message = "redoubt-sim: system call " + std::string(GetParam().call) +
                              " is not allowed in a simulation\n";
  const std::string plant = std::string(" --bug ") + GetParam().plant;
  const Ran alone = run("run" + kCanary + plant);
  EXPECT_EQ(alone.status, 1);
  EXPECT_EQ(alone.text, message);
  const Ran sweep = run("sweep --scenario canary --seeds 1..2" + plant);
  EXPECT_EQ(sweep.status, 1);
  EXPECT_TRUE(has(sweep, message)) << sweep.text;
  EXPECT_TRUE(has(sweep, "seeds 2 failed 2")) << sweep.text;
  EXPECT_TRUE(has(sweep, "replay:   redoubt-sim run --scenario canary --seed 2" + plant));
  // With what happened last before it.
  const Ran compared = run("compare" + kCanary + plant);
  EXPECT_EQ(compared.status, 1);
  EXPECT_TRUE(has(compared, "both runs break off behind 102 events")) << compared.text;
  EXPECT_TRUE(has(compared, "  right  said: " + message)) << compared.text;
}

INSTANTIATE_TEST_SUITE_P(
    Compare, Walls,
    testing::Values(ForbiddenCall{"thread", "mmap of a stack, as for a thread,"},
                    ForbiddenCall{"new_process", "clone"}, ForbiddenCall{"open_file", "openat"},
                    ForbiddenCall{"open_socket", "socket"}),
    [](const auto& info) { return std::string(info.param.plant); });

TEST(Walls, LetASoundRunPass) {
  const Ran ran = run("run" + kCanary);
  EXPECT_EQ(ran.status, 0) << ran.text;
  EXPECT_TRUE(has(ran, "seed 3 ok digest "));
}

}  // namespace
}  // namespace redoubt::sim
