// The program redoubt-sim as people and scripts meet it: lines, exit status, replays.
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/program.h"

namespace redoubt::sim {
namespace {

// The last line without its wall time, which alone may differ.
std::string outcome(const Ran& ran) {
  const size_t from = ran.text.rfind("seed ");
  std::string line = from == std::string::npos ? ran.text : ran.text.substr(from);
  const size_t wall = line.find(" wall ");
  if (wall == std::string::npos) return line;
  return line.substr(0, wall) + line.substr(line.find(' ', wall + 6));
}

const std::string kRun = "run --scenario single --commands 3000 --seed ";

TEST(Program, ListsWhatThereIs) {
  const Ran ran = run("list");
  EXPECT_EQ(ran.status, 0);
  EXPECT_TRUE(has(ran, "single"));
  EXPECT_TRUE(has(ran, "power_loss"));
  EXPECT_TRUE(has(ran, "lost_write"));
}

TEST(Program, SaysWhatIsWrongWithItsArguments) {
  for (const char* arguments :
       {"", "walk", "run --scenario single", "run --scenario single --seed x",
        "run --scenario double --seed 1", "run --scenario single --seed 1 --fault kill=1",
        "run --scenario single --seed 1 --bug tree", "sweep --scenario single --seeds 9..1",
        "sweep --scenario single --seeds 1..2 --time soon",
        "run --scenario single --seed 1 --trace /no/such/directory/trace",
        "run --scenario single --seed 1 --report /no/such/directory/page"}) {
    EXPECT_EQ(run(arguments).status, 2) << arguments;
  }
  EXPECT_TRUE(has(run("run --scenario double --seed 1"), "there is no scenario 'double'"));
}

TEST(Program, TheSameSeedInOtherSurroundings) {
  const Ran plain = run(kRun + "7");
  EXPECT_EQ(plain.status, 0) << plain.text;
  EXPECT_TRUE(has(plain, "seed 7 ok digest "));
  const std::string padding(20'000, 'x');
  EXPECT_EQ(outcome(run(kRun + "7", "env LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo PADDING=" + padding)),
            outcome(plain));
  EXPECT_EQ(outcome(run(kRun + "7", "setarch -R")), outcome(plain));
  EXPECT_EQ(outcome(run(kRun + "7 --trace /dev/null")), outcome(plain));
}

// Seeds that draw faults of all kinds, those from before a host's first boot too.
TEST(Program, ATraceTellsOfEveryFault) {
  for (const char* seed : {"1", "2", "3", "9"}) {
    const Ran traced = run(kRun + seed + " --trace /dev/null --fault clock_skew=1000 " +
                           "--fault clock_drift=500");
    EXPECT_EQ(traced.status, 0) << traced.text;
  }
}

std::string contents(const std::string& path) {
  std::string text;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return text;
  char buffer[4'096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
    text.append(buffer, got);
  }
  std::fclose(file);
  return text;
}

// Under the filter, and without a change of what happens.
TEST(Program, WritesAReport) {
  const std::string path = testing::TempDir() + "redoubt-report.html";
  const std::string runs[] = {kRun + "7", kRun + "5 --bug lost_write"};
  for (const std::string& line : runs) {
    const Ran ran = run(line + " --report " + path);
    EXPECT_EQ(outcome(ran), outcome(run(line)));
    const std::string page = contents(path);
    EXPECT_TRUE(page.starts_with("<!doctype html>"));
    EXPECT_TRUE(page.ends_with("</html>\n")) << page.substr(page.size() - 20);
    EXPECT_EQ(page.find("every checker held") != std::string::npos, ran.status == 0);
    EXPECT_LE(page.size(), 2'000'000u);
    // The same page each time: it knows neither the clock nor where it was made.
    run(line + " --report " + path, "env TZ=Asia/Tokyo");
    EXPECT_EQ(contents(path), page);
  }
  std::remove(path.c_str());
}

// Of all crashes, the one that was wrong, or the last: it is told once more for the report, and
// that changes nothing.
TEST(Program, ReportsOneOfManyCrashes) {
  const std::string path = testing::TempDir() + "redoubt-crash.html";
  for (const std::string bug : {"", " --bug unsynced_names"}) {
    const std::string line = "run --scenario config_save --seed 2" + bug;
    const Ran ran = run(line + " --report " + path);
    EXPECT_EQ(outcome(ran), outcome(run(line)));
    EXPECT_TRUE(has(ran, "note:   recorded is the crash at boundary ")) << ran.text;
    const std::string page = contents(path);
    EXPECT_TRUE(page.starts_with("<!doctype html>"));
    EXPECT_NE(page.find("power loss when it was over"), std::string::npos);
    EXPECT_NE(page.find("CONFIG REWRITE"), std::string::npos);
    EXPECT_EQ(page.find("every checker held") != std::string::npos, bug.empty());
    EXPECT_LE(page.size(), 2'000'000u);
  }
  std::remove(path.c_str());
}

TEST(Program, AViolationComesWithItsReplay) {
  const Ran ran = run(kRun + "5 --bug lost_write");
  EXPECT_EQ(ran.status, 1);
  EXPECT_TRUE(has(ran, "violation of "));
  EXPECT_TRUE(has(ran, "expected: "));
  EXPECT_TRUE(has(ran, "seen: "));
  EXPECT_TRUE(has(ran, "seed 5 failed digest "));
  const std::string mark = "replay:   redoubt-sim ";
  const size_t at = ran.text.find(mark);
  ASSERT_NE(at, std::string::npos);
  const size_t from = at + mark.size();
  const Ran again = run(ran.text.substr(from, ran.text.find('\n', from) - from));
  EXPECT_EQ(outcome(again), outcome(ran));
}

// A run whose process dies is recorded all the same, and cut down to what it dies of.
TEST(Program, ShrinksACrash) {
  const std::string path = testing::TempDir() + "redoubt-crash.toml";
  const Ran ran = run("shrink --scenario single --seed 5 --commands 3000 --bug crash -o " + path);
  EXPECT_EQ(ran.status, 1) << ran.text;
  EXPECT_TRUE(has(ran, "assertion failed: !both_are_there")) << ran.text;
  EXPECT_TRUE(has(ran, "violation crash faults 0 ")) << ran.text;
  EXPECT_TRUE(has(ran, " operations 2 from ")) << ran.text;
  EXPECT_NE(contents(path).find("fails = \"crash\""), std::string::npos) << contents(path);
  const Ran again = run("replay " + path);
  EXPECT_NE(again.status, 0);
  EXPECT_TRUE(has(again, "assertion failed: !both_are_there")) << again.text;
  std::remove(path.c_str());
}

// Where pauses are needed at first, where a place in the code has to be unlucky at the right
// moment, and where a bug strikes at once in what is cut down, but not before there is a key.
TEST(Program, ShrinksWhatTakesPatienceOrLuck) {
  const std::string path = testing::TempDir() + "redoubt-shrunk.toml";
  for (const std::string what : {"5 --bug blind_watch", "2 --bug unlucky_loss",
                                 "9 --bug unlucky_loss", "3 --bug stray_eviction"}) {
    const Ran ran = run("shrink --time 300s --scenario single --seed " + what + " -o " + path);
    EXPECT_EQ(ran.status, 1) << ran.text;
    EXPECT_TRUE(has(ran, " faults 0 from ")) << ran.text;
    const size_t at = ran.text.find(" operations ");
    ASSERT_NE(at, std::string::npos) << ran.text;
    EXPECT_LE(std::stoi(ran.text.substr(at + 12)), 30) << ran.text;
    EXPECT_EQ(run("replay " + path).text.find("not the run that was recorded"), std::string::npos);
  }
  std::remove(path.c_str());
}

TEST(Program, SweepsAndSumsUp) {
  // Only what fires in so few seeds.
  const Ran ran = run("sweep --scenario single --seeds 1..12 --jobs 2 --twice --commands 2000");
  EXPECT_TRUE(has(ran, "seeds 12 failed 0 ")) << ran.text;
  EXPECT_TRUE(has(ran, "net_delay"));
  const Ran bad =
      run("sweep --scenario single --seeds 1..3 --commands 20000 --bug swapped_replies");
  EXPECT_EQ(bad.status, 1);
  EXPECT_TRUE(has(bad, "seeds 3 failed 3 ")) << bad.text;
  EXPECT_TRUE(has(bad, "violation of replies"));
}

}  // namespace
}  // namespace redoubt::sim
