// Looking into a node: histograms, logs of commands, MONITOR, HOTKEYS, and clients that are
// evicted.
#include "engine/insight/instrumentation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/insight/monitor.h"
#include "tests/node/talk.h"

namespace redoubt {
namespace {

TEST(LatencyHistogram, PercentilesAreAtMostAStepAboveTheTruth) {
  std::mt19937_64 random(7);
  LatencyHistogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 5000; ++i) {
    const int64_t ns = static_cast<int64_t>(random() >> (34 + random() % 30)) % 1'000'000'000;
    all.push_back(ns);
    histogram.add({ns}, 1);
  }
  std::sort(all.begin(), all.end());
  for (const double percent : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const size_t rank = std::max<size_t>(1, static_cast<size_t>(percent / 100 * 5000 + 0.5));
    const int64_t truth = all[rank - 1];
    const int64_t told = histogram.percentile(percent).ns;
    EXPECT_GE(told, truth) << percent;
    EXPECT_LE(told, truth + truth / 127 + 1) << percent;
  }
  uint64_t last = 0;
  histogram.for_each_doubling([&](uint64_t usec, uint64_t calls) {
    EXPECT_GT(calls, last);
    last = calls;
    const int64_t limit = static_cast<int64_t>(usec + 1) * 1000;
    EXPECT_LE(calls,
              static_cast<uint64_t>(std::upper_bound(all.begin(), all.end(), limit) - all.begin()));
  });
  EXPECT_EQ(last, 5000u);
}

TEST(LatencyHistogram, DoublingsHaveTheNumbersThatToolsKnow) {
  LatencyHistogram histogram;
  std::vector<uint64_t> numbers;
  for (int64_t ns = 1000; ns < 4'000'000'000; ns *= 2) histogram.add({ns}, 2);
  histogram.for_each_doubling([&](uint64_t usec, uint64_t) { numbers.push_back(usec); });
  EXPECT_EQ(numbers, (std::vector<uint64_t>{1,     2,     4,     8,      16,     33,     66,
                                            132,   264,   528,   1056,   2113,   4227,   8454,
                                            16908, 33816, 67633, 135266, 270532, 541065, 1082130}));
}

TEST(CommandLog, ArgumentsAreShortened) {
  const std::vector<std::string> many(40, "x");
  const std::vector<std::string_view> args(many.begin(), many.end());
  const auto shown = shorten_arguments(args, 32, 128);
  ASSERT_EQ(shown.size(), 32u);
  EXPECT_EQ(shown.back(), "... (9 more arguments)");
  EXPECT_EQ(shorten_arguments(std::span(args).first(32), 32, 128).back(), "x");
  const std::string text(200, 'y');
  const std::string_view one[] = {text};
  EXPECT_EQ(shorten_arguments(one, 32, 128)[0], std::string(128, 'y') + "... (72 more bytes)");
}

TEST(HeavyHitters, KeepsWhatIsLargeAndErrsByNoMoreThanTheSmallest) {
  std::mt19937_64 random(3);
  HeavyHitters sketch(20);
  std::map<std::string, uint64_t> truth;
  uint64_t total = 0;
  for (int i = 0; i < 20000; ++i) {
    const uint64_t number = random() % 100 < 40 ? random() % 3 : random() % 1000;
    const std::string key = std::to_string(number);
    const uint64_t amount = random() % 10;
    sketch.add(key, amount);
    truth[key] += amount;
    total += amount;
    ASSERT_LE(sketch.size(), 20u);
  }
  const auto top = sketch.top(3);
  ASSERT_EQ(top.size(), 3u);
  for (const auto& [key, sum] : top) {
    EXPECT_LT(std::stoi(key), 3);
    EXPECT_GE(sum, truth[key]);
    EXPECT_LE(sum, truth[key] + total / 20);
  }
  for (const auto& [key, sum] : sketch.top(20)) EXPECT_GE(sum, truth[key]) << key;
}

TEST(HotKeysSession, SharesOutAmongTheKeysOfACommand) {
  HotKeysOptions options;
  options.cpu = options.net = true;
  HotKeysSession session(options, {}, {}, 1);
  session.add({"a", "b"}, Duration::nanoseconds(100), 60);
  session.add({"b"}, Duration::nanoseconds(10), 5);
  using Sums = std::vector<std::pair<std::string, uint64_t>>;
  EXPECT_EQ(session.by_time.top(3), (Sums{{"b", 60}, {"a", 50}}));
  EXPECT_EQ(session.by_bytes.top(3), (Sums{{"b", 35}, {"a", 30}}));
  EXPECT_EQ(session.all_bytes, 65u);
}

TEST(HotKeysSession, TakesASample) {
  HotKeysOptions options;
  options.net = true;
  options.sample_ratio = 10;
  HotKeysSession session(options, {}, {}, 1);
  for (int i = 0; i < 10'000; ++i) session.add({"a"}, {}, 1);
  EXPECT_EQ(session.all_bytes, 10'000u);
  EXPECT_NEAR(static_cast<double>(session.by_bytes.top(1)[0].second), 1000, 200);
}

TEST(LatencyMonitor, KeepsTheWorstOfEachSecond) {
  LatencyMonitor monitor;
  for (const int64_t ms : {20, 50, 30}) monitor.add("command", 1, ms);
  monitor.add("command", 2, 10);
  const LatencyMonitor::Event& event = monitor.events().at("command");
  ASSERT_EQ(event.samples.size(), 2u);
  EXPECT_EQ(event.samples[0].ms, 50);
  EXPECT_EQ(event.samples[1].ms, 10);
  EXPECT_EQ(event.max_ms, 50);
  for (int64_t s = 3; s < 300; ++s) monitor.add("command", s, s);
  ASSERT_EQ(event.samples.size(), LatencyMonitor::kSamplesMax);
  EXPECT_EQ(event.samples.front().unix_s, 300 - static_cast<int64_t>(LatencyMonitor::kSamplesMax));
  EXPECT_EQ(event.max_ms, 299);
}

TEST(Instrumentation, TheSlowCommandOfABatchIsLogged) {
  Talk talk({"--enable-debug-command", "yes", "--latency-monitor-threshold", "5"});
  const size_t a = talk.connect();
  std::string batch;
  for (int i = 0; i < 20; ++i) batch += "PING\r\n";
  talk.say(a, batch + "DEBUG SLEEP 0.02\r\n" + batch);
  EXPECT_EQ(talk.say(a, "SLOWLOG LEN\r\n"), ":1\r\n");
  const std::string entry = talk.say(a, "SLOWLOG GET\r\n");
  EXPECT_NE(entry.find(":20000\r\n*3\r\n$5\r\nDEBUG\r\n$5\r\nSLEEP\r\n"), std::string::npos)
      << entry;
  EXPECT_EQ(talk.say(a, "SLOWLOG RESET\r\nSLOWLOG LEN\r\n"), "+OK\r\n:0\r\n");
  EXPECT_NE(talk.say(a, "LATENCY LATEST\r\n").find("$7\r\ncommand\r\n"), std::string::npos);
  EXPECT_EQ(talk.say(a, "LATENCY RESET\r\nLATENCY LATEST\r\n"), ":1\r\n*0\r\n");
  EXPECT_NE(talk.say(a, "LATENCY HISTOGRAM ping\r\n").find("calls\r\n:40\r\n"), std::string::npos);
}

TEST(Instrumentation, EveryCommandIsLoggedWithThresholdZero) {
  Talk talk({"--slowlog-log-slower-than", "0"});
  const size_t a = talk.connect();
  talk.say(a, "SET a 1\r\nGET a\r\nGET b\r\nNOSUCH\r\nGET\r\nAUTH secret\r\n");
  EXPECT_EQ(talk.say(a, "SLOWLOG LEN\r\n"), ":4\r\n");
  const std::string entries = talk.say(a, "SLOWLOG GET -1\r\n");
  EXPECT_EQ(entries.find("secret"), std::string::npos);
  EXPECT_NE(entries.find("(redacted)"), std::string::npos);
  talk.say(a, "SLOWLOG RESET\r\nGET first\r\nGET last\r\n");
  EXPECT_NE(talk.say(a, "SLOWLOG GET 1\r\n").find("$4\r\nlast\r\n"), std::string::npos);
  talk.say(a, "SLOWLOG RESET\r\nMULTI\r\nGET queued\r\nEXEC\r\n");
  const std::string transaction = talk.say(a, "SLOWLOG GET -1\r\n");
  EXPECT_NE(transaction.find("queued"), std::string::npos);
  EXPECT_EQ(transaction.find("$4\r\nEXEC\r\n"), std::string::npos) << transaction;
}

TEST(Instrumentation, ACommandThatWaitsIsNotedWhenItIsServed) {
  Talk talk({"--slowlog-log-slower-than", "0"});
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const auto noted = [&] {
    const std::string log = talk.say(b, "SLOWLOG GET -1\r\n");
    const bool logged = log.find("\r\nBLPOP\r\n") != std::string::npos;
    const std::string times = talk.say(b, "LATENCY HISTOGRAM blpop\r\n");
    EXPECT_EQ(logged, times.find("calls\r\n:1\r\n") != std::string::npos) << times;
    talk.say(b, "SLOWLOG RESET\r\n");
    return logged;
  };
  const auto calls = [&] {
    const std::string stats = talk.say(b, "INFO commandstats\r\n");
    return stats.substr(stats.find("cmdstat_blpop:") + 14, 7);
  };
  talk.say(a, "BLPOP k 0\r\n");
  EXPECT_EQ(calls(), "calls=1");
  EXPECT_EQ(talk.say(b, "LATENCY HISTOGRAM blpop\r\n"), "*0\r\n");
  EXPECT_FALSE(noted());
  talk.say(b, "LPUSH k v\r\n");
  EXPECT_TRUE(noted());
  EXPECT_EQ(calls(), "calls=1");
  // In vain, it is a call and nothing else.
  talk.say(a, "BLPOP k 0.1\r\n");
  EXPECT_EQ(talk.say(b, "SLOWLOG GET -1\r\n").find("\r\nBLPOP\r\n"), std::string::npos);
  EXPECT_EQ(calls(), "calls=2");
}

TEST(Instrumentation, LargeRequestsAndRepliesAreLogged) {
  Talk talk;
  const size_t a = talk.connect();
  const std::string large(1 << 20, 'v');
  talk.say(a, fmt::format("PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{}\r\nPING\r\n",
                          large.size(), large));
  talk.say(a, "GET k\r\nSTRLEN k\r\n");
  EXPECT_EQ(talk.say(a, "COMMANDLOG LEN large-request\r\n"), ":1\r\n");
  EXPECT_EQ(talk.say(a, "COMMANDLOG LEN large-reply\r\n"), ":1\r\n");
  EXPECT_EQ(talk.say(a, "COMMANDLOG RESET large-reply\r\nCOMMANDLOG GET 1 large-reply\r\n"),
            "+OK\r\n*0\r\n");
  EXPECT_EQ(talk.say(a, "COMMANDLOG LEN nosuch\r\n").substr(0, 5), "-ERR ");
  // What a transaction runs is noted when it runs.
  const size_t b = talk.connect();
  talk.say(a, fmt::format("MULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{}\r\nGET k\r\n",
                          large.size(), large));
  talk.say(b, "COMMANDLOG RESET large-request\r\n");
  talk.say(a, "EXEC\r\n");
  EXPECT_EQ(talk.say(b, "COMMANDLOG LEN large-request\r\n"), ":1\r\n");
  EXPECT_NE(talk.say(b, "COMMANDLOG GET -1 large-reply\r\n").find("$3\r\nGET\r\n"),
            std::string::npos);
}

// Keeps what was executed, as MONITOR would show it.
class Recorder final : public NodeObserver {
 public:
  void on_command(const Session& session, int, std::span<const std::string_view> args,
                  WallTime wall, std::string_view) override {
    lines += "+" + monitor_line(wall, session.db, session.peer().to_string(), args) + "\r\n";
  }
  void on_evicted(int, std::string_view) override {}
  void on_expired(int, std::string_view) override {}
  void on_session_closed(const Session&) override {}

  std::string lines;
};

TEST(Monitor, ItsLinesAreTheCommandsThatWereExecuted) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    Talk talk({}, seed);
    const size_t monitor = talk.connect();
    const size_t others[] = {talk.connect(), talk.connect(), talk.connect()};
    EXPECT_EQ(talk.say(monitor, "MONITOR\r\n"), "+OK\r\n");
    Recorder recorder;
    talk.node().dispatcher().set_observer(&recorder);
    constexpr std::string_view commands[] = {
        "SET a 1", "GET a",    "INCR a", "DEL a b c", "SELECT 3", "MSET x \"\\x00\\n\" y \"'\"",
        "PING",    "EXISTS a", "INCR x", "SELECT 0"};
    for (int i = 0; i < 30; ++i) {
      std::string text;
      for (uint64_t n = random() % 40; n > 0; --n) {
        text += commands[random() % std::size(commands)];
        text += "\r\n";
      }
      talk.send(others[random() % std::size(others)], text);
      if (random() % 3 == 0) talk.run(Duration::milliseconds(10));
    }
    talk.run();
    EXPECT_FALSE(recorder.lines.empty());
    EXPECT_EQ(talk.client(monitor).take(), recorder.lines) << "seed " << seed;
    talk.node().dispatcher().set_observer(nullptr);
  }
}

TEST(Monitor, ShowsNoSecrets) {
  Talk talk;
  const size_t monitor = talk.connect();
  const size_t c = talk.connect();
  talk.say(monitor, "MONITOR\r\n");
  talk.say(c, "HELLO 3 AUTH default secret\r\n");
  const std::string line = talk.client(monitor).take();
  EXPECT_NE(line.find("\"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\"\r\n"),
            std::string::npos)
      << line;
}

TEST(Monitor, ResetAndQuitLeaveAndKeysAreOutOfReach) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "MONITOR\r\n");
  EXPECT_EQ(talk.say(a, "GET x\r\n"), "-ERR Replica can't interact with the keyspace\r\n");
  EXPECT_NE(talk.say(b, "CLIENT LIST\r\n").find(" flags=O "), std::string::npos);
  EXPECT_EQ(talk.client(a).take(), "");  // CLIENT LIST is an administrator's
  EXPECT_EQ(talk.say(a, "RESET\r\n"), "+RESET\r\n");
  talk.say(b, "PING\r\n");
  EXPECT_EQ(talk.client(a).take(), "");
  talk.say(a, "MONITOR\r\n");
  talk.say(a, "QUIT\r\n");
  EXPECT_EQ(talk.say(b, "PING\r\n"), "+PONG\r\n");
}

TEST(Monitor, ASlowOneIsDroppedByItsLimit) {
  Talk talk({"--client-output-buffer-limit", "normal 2mb 0 0"});
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "MONITOR\r\n");
  talk.client(a).stop_reading();
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "SET k " + std::string(4000, 'v') + "\r\n";
  talk.say(b, text);
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.node().clients().sessions().count(), 1u);
  EXPECT_EQ(talk.say(b, "PING\r\n"), "+PONG\r\n");
}

TEST(HotKeys, FindsTheKeyThatIsUsedMost) {
  Talk talk;
  const size_t a = talk.connect();
  EXPECT_EQ(talk.say(a, "HOTKEYS GET\r\n"), "$-1\r\n");
  EXPECT_EQ(talk.say(a, "HOTKEYS START METRICS 2 CPU NET COUNT 2\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.say(a, "HOTKEYS START METRICS 1 CPU\r\n").substr(0, 5), "-ERR ");
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += fmt::format("SET hot {}\r\nGET cold{}\r\n", std::string(50, 'x'), i);
  }
  talk.say(a, text);
  EXPECT_EQ(talk.say(a, "HOTKEYS STOP\r\n"), "+OK\r\n");
  const std::string report = talk.say(a, "HOTKEYS GET\r\n");
  EXPECT_NE(report.find("by-net-bytes\r\n*4\r\n$3\r\nhot\r\n"), std::string::npos) << report;
  EXPECT_EQ(talk.say(a, "HOTKEYS RESET\r\nHOTKEYS GET\r\n"), "+OK\r\n$-1\r\n");
}

TEST(ClientEviction, TheLargestGoesAndWhoIsSparedStays) {
  Talk talk;
  const size_t spared = talk.connect();
  const size_t large = talk.connect();
  const size_t small = talk.connect();
  const std::string half = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n" + std::string(1000000, 'x');
  EXPECT_EQ(talk.say(spared, "CLIENT NO-EVICT ON\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.say(small, "CONFIG SET maxmemory-clients 4000000\r\n"), "+OK\r\n");
  talk.say(spared, half);
  EXPECT_EQ(talk.node().clients().sessions().count(), 3u);
  talk.say(large, half + std::string(3500000, 'x'));
  EXPECT_TRUE(talk.client(large).closed());
  EXPECT_FALSE(talk.client(spared).closed());
  EXPECT_NE(talk.say(small, "INFO stats\r\n").find("evicted_clients:1\r\n"), std::string::npos);
}

}  // namespace
}  // namespace redoubt
