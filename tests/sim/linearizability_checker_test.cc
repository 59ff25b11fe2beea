// The checker of linearizability over histories of commands.
#include "sim/checkers/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "net/stable_sort.h"
#include "sim/checkers/string_operation.h"
#include "sim/core.h"
#include "sim/model/model.h"
#include "sim/random.h"

namespace redoubt::sim {
namespace {

// Writes histories down: "SET k 1" at a time, until a time, with a reply.
class Clients {
 public:
  struct Entry {
    int64_t call;
    int64_t returned;  // 0: nobody knows
    std::string command;
    std::string reply;
    StreamPlace offset = 0;
    uint32_t client = 0;
    uint16_t database = 0;
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  void add(int64_t call, int64_t returned, std::string command, std::string reply = "",
           StreamPlace offset = 0) {
    const auto client = static_cast<uint32_t>(entries_.size());
    add({call, returned, std::move(command), std::move(reply), offset, client, 0});
  }

  LinearizabilityReport check(LinearizabilityChecker checker = LinearizabilityChecker()) {
    redoubt::stable_sort(entries_, [](const Entry& a, const Entry& b) { return a.call < b.call; });
    History history;
    for (const Entry& entry : entries_) {
      std::vector<std::string_view> words;
      std::string_view left = entry.command;
      while (!left.empty()) {
        const size_t end = std::min(left.find(' '), left.size());
        words.push_back(left.substr(0, end));
        left.remove_prefix(std::min(end + 1, left.size()));
      }
      const OperationId id = history.begin({.client = entry.client,
                                            .node = 1,
                                            .database = entry.database,
                                            .call = Instant{entry.call}},
                                           words);
      if (entry.returned == 0) {
        history.give_up(id, Instant{entry.call}, entry.offset);
      } else {
        history.finish(id, Instant{entry.returned}, entry.offset, entry.reply);
      }
    }
    return checker.check(history);
  }

 private:
  std::vector<Entry> entries_;
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

TEST(Linearizability, AnUnknownIncrementIsSeenByAnAppend) {
  Clients clients;
  clients.add(1, 2, "SET k 7", "+OK\r\n", 10);
  clients.add(3, 4, "DEL k", ":1\r\n", 20);
  clients.add(5, 0, "INCR k");
  clients.add(7, 9, "APPEND k x", ":2\r\n", 40);
  EXPECT_FALSE(clients.check().violation);
}

TEST(Linearizability, ASoundHistory) {
  Clients clients;
  clients.add(1, 4, "set k 1", "+OK\r\n", 10);
  clients.add(2, 6, "GET k", "$-1\r\n", 5);
  clients.add(5, 7, "INCRBY k 4", ":5\r\n", 20);
  clients.add(8, 9, "get k", bulk("5"), 20);
  clients.add(8, 9, "GET other", "_\r\n", 20);
  const LinearizabilityReport report = clients.check();
  EXPECT_FALSE(report.violation);
  EXPECT_EQ(report.operations, 5u);
  EXPECT_EQ(report.keys, 2u);
  EXPECT_EQ(report.by_witness, 2u);
  EXPECT_EQ(report.left_out_keys, 0u);
}

// At one place in the stream the write comes first, whoever was called first.
TEST(Linearizability, AReadStandsBehindTheWriteAtItsPlace) {
  Clients clients;
  clients.add(3, 9, "GET k", bulk("1"), 20);
  clients.add(5, 8, "SET k 1", "+OK\r\n", 20);
  clients.add(4, 9, "DEL l", ":0\r\n", 20);
  EXPECT_EQ(clients.check().by_witness, 2u);
}

// Where the order at a place is known, it counts: before the first change, where the stream has no
// offset yet; and behind a change, for what was called before it and changed nothing.
TEST(Linearizability, TheOrderAtAPlaceIsAWitness) {
  Clients clients;
  clients.add(1, 2, "GET k", "$-1\r\n", {0, 1});
  clients.add(3, 0, "SET k 2 NX", "", {10, 2});
  clients.add(4, 5, "SET k 1 NX", "+OK\r\n", {10, 1});
  clients.add(6, 7, "GET k", bulk("1"), {10, 3});
  clients.add(8, 0, "DEL l", "", {10, 4});
  clients.add(9, 10, "GET l", "$-1\r\n", {10, 5});
  const LinearizabilityReport report = clients.check();
  EXPECT_FALSE(report.violation);
  EXPECT_EQ(report.by_witness, 2u);
}

// PFMERGE of one key makes an empty one, although no second list of keys is there.
TEST(Linearizability, ACommandWhoseKeysAreNotFoundMayDoAnythingToItsWords) {
  Clients clients;
  clients.add(1, 2, "GET k", "$-1\r\n");
  clients.add(3, 4, "PFMERGE k", "+OK\r\n");
  clients.add(5, 6, "GET k", bulk("HYLL"));
  EXPECT_FALSE(clients.check().violation);
}

TEST(Linearizability, AStaleReadIsToldWithItsInterval) {
  Clients clients;
  clients.add(1'000, 2'000, "SET k 1", "+OK\r\n", 10);
  clients.add(3'000, 4'000, "SET k 2", "+OK\r\n", 20);
  clients.add(5'000, 6'000, "GET k", bulk("1"), 20);
  LinearizabilityOptions options;
  options.node_names = {"client", "node"};
  const LinearizabilityReport report = clients.check(LinearizabilityChecker(options));
  ASSERT_TRUE(report.violation);
  EXPECT_EQ(report.violation->checker, "linearizability");
  EXPECT_EQ(report.violation->at.ns, 6'000);
  EXPECT_EQ(report.violation->node, "node");
  EXPECT_EQ(report.violation->expected,
            "an order of all operations on key \"k\" of database 0; the longest has 2 and ends "
            "with the value \"2\"");
  EXPECT_EQ(report.violation->seen,
            "client 2: GET \"k\" -> \"1\" (0.000005000 to 0.000006000), which cannot follow");
  EXPECT_EQ(report.lines.size(), 3u);
}

TEST(Linearizability, WhatNobodyKnowsMayHaveHappened) {
  Clients clients;
  clients.add(1, 2, "SET k 1", "+OK\r\n");
  clients.add(3, 0, "APPEND k 2");
  clients.add(4, 5, "GET k", bulk("1"));
  clients.add(6, 7, "GET k", bulk("12"));
  EXPECT_FALSE(clients.check().violation);
  clients.add(8, 9, "GET k", bulk("1"));
  EXPECT_TRUE(clients.check().violation);
}

TEST(Linearizability, RefusalsDidNothing) {
  Clients clients;
  clients.add(1, 2, "SET k 1", "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  clients.add(3, 4, "EXPIRE k 10", "-NOAUTH Authentication required.\r\n");
  clients.add(5, 6, "GET k", "$-1\r\n");
  const LinearizabilityReport report = clients.check();
  EXPECT_FALSE(report.violation);
  EXPECT_EQ(report.operations, 1u);
  EXPECT_EQ(report.others, 0u);
  EXPECT_EQ(report.left_out_keys, 0u);
}

// Behind each of these, whatever is read of k is right until it is known again.
TEST(Linearizability, BehindOtherCommandsAKeyMayBeAnything) {
  for (const char* command :
       {"EXPIRE k 100", "SET k 2 EX 10", "RPUSH k 2", "MSET other 1 k 2", "RENAME other k",
        "MOVE k 1", "SWAPDB 0 1", "GETEX k PERSIST", "BLMOVE other k LEFT LEFT 1",
        "SORT other STORE k", "DEBUG RELOAD", "COPY other k", "INCRBYFLOAT k 1.5"}) {
    for (const int64_t returned : {0, 4}) {
      Clients clients;
      clients.add(1, 2, "SET k 1", "+OK\r\n");
      clients.add(3, returned, command, ":1\r\n");
      clients.add(5, 6, "GET k", bulk("7"));
      const LinearizabilityReport report = clients.check();
      EXPECT_FALSE(report.violation) << command;
      EXPECT_EQ(report.operations, 2u) << command;
      EXPECT_EQ(report.others, 1u) << command;
      clients.add(7, 8, "SET k 9", "+OK\r\n");
      clients.add(9, 10, "GET k", bulk("9"));
      EXPECT_FALSE(clients.check().violation) << command;
      clients.add(11, 12, "GET k", bulk("7"));
      // It happened once.
      EXPECT_TRUE(clients.check().violation) << command;
    }
  }
  for (const char* command : {"TTL k", "MGET k other", "EXISTS k k", "EXPIRE other 100", "PING",
                              "NONSENSE k", "WATCH k", "PUBLISH k k"}) {
    Clients clients;
    clients.add(1, 2, "SET k 1", "+OK\r\n");
    clients.add(3, 0, command);
    clients.add(5, 6, "GET k", bulk("7"));
    EXPECT_TRUE(clients.check().violation) << command;
  }
}

TEST(Linearizability, SweepsRemoveKeys) {
  for (const char* command : {"FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"}) {
    const auto history = [&](const std::string& seen, uint16_t database, int64_t returned) {
      Clients clients;
      clients.add({1, 2, "SET k 1", "+OK\r\n", 0, 1, database});
      clients.add({3, returned, command, "+OK\r\n", 0, 2, 0});
      clients.add({5, 6, "GET k", seen, 0, 3, database});
      return clients.check().violation.has_value();
    };
    EXPECT_FALSE(history("$-1\r\n", 0, 4)) << command;
    EXPECT_TRUE(history(bulk("1"), 0, 4)) << command;
    EXPECT_FALSE(history(bulk("1"), 0, 0)) << command;
    EXPECT_FALSE(history("$-1\r\n", 0, 0)) << command;
    EXPECT_TRUE(history(bulk("7"), 0, 0)) << command;
    const bool all = std::string_view(command).starts_with("FLUSHALL");
    EXPECT_EQ(history("$-1\r\n", 5, 4), !all) << command;
  }
}

TEST(Linearizability, EvictionsAreTold) {
  Clients clients;
  clients.add(1, 2, "SET k 1", "+OK\r\n", 10);
  clients.add(8, 9, "GET k", "$-1\r\n", 30);
  EXPECT_TRUE(clients.check().violation);
  LinearizabilityChecker checker;
  checker.removed(0, "k", Instant{5}, 20);
  const LinearizabilityReport report = clients.check(checker);
  EXPECT_FALSE(report.violation);
  EXPECT_EQ(report.by_witness, 1u);
  // Not before it happened, and not later.
  Clients before = clients;
  before.add(3, 4, "GET k", "$-1\r\n", 10);
  EXPECT_TRUE(before.check(checker).violation);
  clients.add(6, 7, "GET k", bulk("1"), 10);
  EXPECT_TRUE(clients.check(checker).violation);
}

TEST(Linearizability, ASweepHitsAKeyOnceAndOnlyInItsLife) {
  Clients clients;
  clients.add(1, 2, "SET k 1", "+OK\r\n", 10);
  clients.add(3, 4, "FLUSHALL", "+OK\r\n", 20);
  clients.add(5, 6, "GET k", "$-1\r\n", 20);
  clients.add(11, 12, "SET k 2", "+OK\r\n", 10);
  clients.add(13, 14, "GET k", bulk("2"), 10);
  LinearizabilityOptions options;
  options.losses = {Instant{10}};
  const LinearizabilityReport report = clients.check(LinearizabilityChecker(options));
  EXPECT_FALSE(report.violation);
  EXPECT_EQ(report.others, 1u);
}

// What was queued happens between EXEC and its reply, or not at all.
TEST(Linearizability, TransactionsHappenWhenTheyAreExecuted) {
  const auto history = [](const char* end, const char* reply, int64_t returned, int64_t read_at) {
    Clients clients;
    clients.add({1, 2, "SET k 0", "+OK\r\n", 0, 1, 0});
    clients.add({3, 4, "MULTI", "+OK\r\n", 0, 5, 0});
    clients.add({5, 6, "SET k 1", "+QUEUED\r\n", 0, 5, 0});
    clients.add({20, returned, end, reply, 0, 5, 0});
    clients.add({read_at, read_at + 1, "GET k", bulk("7"), 0, 6, 0});
    return clients.check().violation.has_value();
  };
  EXPECT_FALSE(history("EXEC", "*1\r\n+OK\r\n", 30, 40));
  EXPECT_FALSE(history("EXEC", "*1\r\n+OK\r\n", 30, 25));
  EXPECT_FALSE(history("EXEC", "", 0, 40));
  EXPECT_TRUE(history("EXEC", "*1\r\n+OK\r\n", 30, 10));
  EXPECT_TRUE(history("EXEC", "*-1\r\n", 30, 40));
  EXPECT_TRUE(history("EXEC", "_\r\n", 30, 40));
  EXPECT_TRUE(history("EXEC", "-EXECABORT Transaction discarded\r\n", 30, 40));
  EXPECT_TRUE(history("DISCARD", "+OK\r\n", 30, 40));
  EXPECT_TRUE(history("RESET", "+RESET\r\n", 30, 40));

  // What was discarded is not there for the next EXEC.
  Clients clients;
  clients.add({1, 2, "MULTI", "+OK\r\n", 0, 5, 0});
  clients.add({3, 4, "SET k 1", "+QUEUED\r\n", 0, 5, 0});
  clients.add({5, 6, "DISCARD", "+OK\r\n", 0, 5, 0});
  clients.add({7, 0, "EXEC", "", 0, 5, 0});
  clients.add(8, 9, "GET k", bulk("7"));
  EXPECT_TRUE(clients.check().violation);
}

TEST(Linearizability, WhatMayHaveBeenQueuedMayDoAnything) {
  Clients clients;
  clients.add({1, 2, "MULTI", "+OK\r\n", 0, 5, 0});
  clients.add({5, 0, "SET l 1", "", 0, 5, 0});
  clients.add(8, 9, "GET l", bulk("7"));
  EXPECT_FALSE(clients.check().violation);
  // Once it is over, its client's commands are what they are.
  clients.add({10, 11, "EXEC", "*-1\r\n", 0, 5, 0});
  clients.add({12, 0, "SET m 1", "", 0, 5, 0});
  clients.add(14, 15, "GET m", bulk("7"));
  EXPECT_TRUE(clients.check().violation);
}

TEST(Linearizability, DatabasesAreApart) {
  Clients clients;
  clients.add({1, 2, "SET k 1", "+OK\r\n", 0, 1, 0});
  clients.add({1, 2, "SET k 2", "+OK\r\n", 0, 2, 9});
  clients.add({3, 4, "GET k", bulk("1"), 0, 3, 0});
  clients.add({3, 4, "GET k", bulk("2"), 0, 4, 9});
  EXPECT_FALSE(clients.check().violation);
  clients.add({5, 6, "GET k", bulk("1"), 0, 4, 9});
  const LinearizabilityReport report = clients.check();
  ASSERT_TRUE(report.violation);
  EXPECT_NE(report.violation->expected.find("of database 9"), std::string::npos);
  LinearizabilityChecker checker;
  checker.leave_out(9, "k");
  EXPECT_FALSE(clients.check(checker).violation);
}

TEST(Linearizability, SomeCommandsWriteInOtherDatabases) {
  for (const char* command : {"MOVE k 9", "COPY other k DB 9"}) {
    Clients clients;
    clients.add({1, 2, "SET k 2", "+OK\r\n", 0, 2, 9});
    clients.add({3, 4, command, ":1\r\n", 0, 3, 0});
    clients.add({5, 6, "GET k", bulk("7"), 0, 4, 9});
    EXPECT_FALSE(clients.check().violation) << command;
  }
}

TEST(Linearizability, ANodeThatForgetsBeginsAnew) {
  Clients clients;
  clients.add(1, 2, "SET k 1", "+OK\r\n", 10);
  clients.add(3, 0, "SET k 2");
  clients.add(20, 21, "GET k", "$-1\r\n", 1);
  clients.add(22, 23, "SETNX k 3", ":1\r\n", 10);
  EXPECT_TRUE(clients.check().violation);
  LinearizabilityOptions options;
  options.losses = {Instant{10}};
  EXPECT_FALSE(clients.check(LinearizabilityChecker(options)).violation);
  // What was called before the loss has no effect behind it.
  clients.add(24, 25, "GET k", bulk("2"), 10);
  EXPECT_TRUE(clients.check(LinearizabilityChecker(options)).violation);
}

TEST(Linearizability, WorkHasABound) {
  Clients clients;
  for (int i = 0; i < 16; ++i) {
    clients.add(1, 100, "APPEND k " + std::string(1, static_cast<char>('a' + i)), ":1\r\n");
  }
  clients.add(1, 0, "DEL k");
  for (int i = 0; i < 16; ++i) clients.add(1, 0, "APPEND k " + std::string(1, 'q'));
  clients.add(101, 102, "GET k", bulk("nothing"));
  LinearizabilityOptions options;
  options.limits.states_per_key = 3;
  const LinearizabilityReport report = clients.check(LinearizabilityChecker(options));
  EXPECT_FALSE(report.violation);
  EXPECT_EQ(report.undecided, std::vector<std::string>{"key \"k\" of database 0"});
}

// --- whole histories, made by a model that executes each command in one moment

struct Story {
  std::vector<Clients::Entry> entries;
  uint64_t unknown = 0;
};

Story tell(uint64_t seed) {
  static constexpr std::string_view kChecked[] = {
      "GET k",      "GET k",       "GET l",          "SET k N",  "SET l N",   "SET k N NX",
      "SET k N XX", "SET l N GET", "GETSET k N",     "GETDEL k", "SETNX k N", "APPEND k N",
      "STRLEN l",   "INCR k",      "INCRBY l N",     "DECR k",   "DEL k",     "DEL l",
      "EXISTS k",   "GET l",       "SET k N KEEPTTL"};
  static constexpr std::string_view kOthers[] = {"PEXPIRE k 100", "SET l N PX 30", "RPUSH k N",
                                                 "RENAME k l",    "FLUSHALL",      "COPY l k",
                                                 "SWAPDB 0 1",    "MOVE l 1",      "FLUSHDB"};
  Random random(seed);
  const uint64_t unknown_one_in = random.coin() ? 8 : 1'000'000;
  const bool offsets = random.coin();
  struct Planned {
    int64_t effect;
    Clients::Entry entry;
  };
  std::vector<Planned> plan;
  for (uint32_t client = 0; client < 5; ++client) {
    int64_t now = 1'000'000;
    for (int i = 0; i < 30; ++i) {
      const int64_t call = now + static_cast<int64_t>(random.below(20));
      int64_t effect = call + static_cast<int64_t>(random.below(30));
      now = effect + static_cast<int64_t>(random.below(30)) + 1;
      const bool other = random.below(8) == 0;
      std::string text(other ? kOthers[random.below(std::size(kOthers))]
                             : kChecked[random.below(std::size(kChecked))]);
      const size_t number = text.find('N');
      if (number != std::string::npos && number > 4) {
        text.replace(number, 1, std::to_string(random.below(100)));
      }
      const bool is_unknown = random.below(unknown_one_in) == 0;
      if (is_unknown) effect += static_cast<int64_t>(random.below(300));
      plan.push_back({effect, {call, is_unknown ? 0 : now - 1, text, "", 0, client, 0}});
    }
  }
  redoubt::stable_sort(plan,
                       [](const Planned& a, const Planned& b) { return a.effect < b.effect; });
  Story story;
  Model model{ModelConfig()};
  ModelSession session;
  uint64_t offset = 0;
  for (Planned& planned : plan) {
    Clients::Entry& entry = planned.entry;
    const bool is_unknown = entry.returned == 0;
    story.unknown += is_unknown ? 1 : 0;
    if (!is_unknown || random.coin()) {
      const std::string reply = model.apply(session, words_of(entry.command), planned.effect).bytes;
      if (!is_unknown) entry.reply = reply;
      if (offsets) entry.offset = ++offset;
    }
    story.entries.push_back(entry);
  }
  return story;
}

LinearizabilityReport check(const Story& story) {
  Clients clients;
  for (const Clients::Entry& entry : story.entries) clients.add(entry);
  return clients.check();
}

TEST(Linearizability, WhatTheModelDoesInAnyOrderIsAccepted) {
  uint64_t unknown = 0;
  uint64_t by_search = 0;
  uint64_t others = 0;
  for (uint64_t seed = 0; seed < 1'000; ++seed) {
    const Story story = tell(seed);
    const LinearizabilityReport report = check(story);
    EXPECT_EQ(report.violation ? report.violation->expected + report.violation->seen : "", "")
        << "seed " << seed;
    EXPECT_TRUE(report.undecided.empty()) << "seed " << seed;
    unknown += story.unknown;
    by_search += report.by_search;
    others += report.others;
  }
  EXPECT_GT(unknown, 1'000u);
  EXPECT_GT(by_search, 500u);
  EXPECT_GT(others, 5'000u);
}

// A read of what nobody wrote. Where the key may be anything, that goes unseen.
TEST(Linearizability, AWrongReadIsMostlyFound) {
  uint64_t planted = 0;
  uint64_t found = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Story story = tell(seed);
    for (Clients::Entry& entry : story.entries) {
      if (entry.command != "GET k" || entry.reply[0] != '$' || entry.call < 1'000'300) continue;
      entry.reply = bulk("nothing");
      ++planted;
      break;
    }
    found += check(story).violation ? 1 : 0;
  }
  EXPECT_GT(planted, 250u);
  EXPECT_GT(found * 3, planted);
}

// --- what the commands do, against the model

std::string form_of(const StringAnswer& answer) {
  return std::to_string(static_cast<int>(answer.kind)) + " " + std::to_string(answer.number) + " " +
         std::string(answer.text);
}

TEST(StringOperations, DoWhatTheModelDoes) {
  static constexpr std::string_view kForms[] = {
      "GET k",          "SET k V",        "SET k V NX",      "SET k V XX", "SET k V GET",
      "SET k V NX GET", "set k V get xx", "SET k V KEEPTTL", "GETSET k V", "GETDEL k",
      "SETNX k V",      "APPEND k V",     "STRLEN k",        "INCR k",     "INCRBY k N",
      "DECR k",         "DECRBY k N",     "DEL k",           "unlink k",   "EXISTS k"};
  static constexpr std::string_view kValues[] = {"",   "7",  "-3",  "9223372036854775807",
                                                 "07", "+7", "abc", "-9223372036854775808"};
  Random random(1);
  Model model{ModelConfig()};
  ModelSession session;
  std::string state;
  std::string next;
  uint64_t checked = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kForms[random.below(std::size(kForms))]);
    const std::string_view value = kValues[random.below(std::size(kValues))];
    std::vector<std::string_view> words;
    for (std::string_view left = text; !left.empty();) {
      const size_t end = std::min(left.find(' '), left.size());
      const std::string_view word = left.substr(0, end);
      words.push_back(word == "V" || word == "N" ? value : word);
      left.remove_prefix(std::min(end + 1, left.size()));
    }
    const ModelReply expected = model.apply(session, words, 1'000);
    const auto operation = read_string_operation(words);
    if (!operation) {
      EXPECT_TRUE(expected.bytes.starts_with("-ERR")) << text;
      continue;
    }
    const StringAnswer answer = operation->apply(state, next);
    ASSERT_EQ(form_of(answer), form_of(read_string_answer(expected.bytes)))
        << text << " with " << value << " on '" << state << "'";
    EXPECT_TRUE(!operation->changes_nothing(answer) || state == next) << text;
    state = next;
    ++checked;
  }
  EXPECT_GT(checked, 15'000u);
}

// Among commands of all kinds, and deadlines that pass: when the value is said to be known, it is
// what the model has, without a deadline.
TEST(StringOperations, KnowOnlyWhatIsSo) {
  static constexpr std::string_view kForms[] = {
      "GET k",          "SET k 5",         "SET k 6 NX",       "SET k 7 XX",   "SET k 8 GET",
      "SET k 9 NX GET", "SET k 10 XX GET", "SET k 11 KEEPTTL", "GETSET k 12",  "GETDEL k",
      "SETNX k 13",     "APPEND k 1",      "STRLEN k",         "INCR k",       "DECRBY k 3",
      "DEL k",          "EXISTS k",        "PEXPIRE k 20",     "RPUSH k x",    "SETEX k 1 14",
      "SET k 15 PX 30", "SADD k x",        "PERSIST k",        "GETEX k PX 9", "SETRANGE k 1 q"};
  Random random(2);
  Model model{ModelConfig()};
  ModelSession session;
  int64_t now_ms = 1'000;
  std::string state;
  std::string next;
  uint64_t known = 0;
  for (int round = 0; round < 50'000; ++round) {
    now_ms += static_cast<int64_t>(random.below(8));
    const std::vector<std::string_view> words = words_of(kForms[random.below(std::size(kForms))]);
    const std::string reply = model.apply(session, words, now_ms).bytes;
    StringOperation operation;
    operation.kind = StringOperation::Kind::anything;
    const std::optional<StringOperation> read = read_string_operation(words);
    const StringAnswer answer = read_string_answer(reply);
    if (read) operation = *read;
    // Sometimes nobody knows the answer.
    const bool is_told = read && random.below(4) != 0;
    ASSERT_TRUE(operation.step(state, is_told ? &answer : nullptr, next)) << words[0] << reply;
    state = next;
    if (state == "?") continue;
    ++known;
    const auto ask = [&](std::string_view command) {
      return model.apply(session, words_of(command), now_ms).bytes;
    };
    ASSERT_EQ(ask("GET k"), state.empty() ? "$-1\r\n" : bulk(state.substr(1))) << words[0];
    ASSERT_EQ(ask("PTTL k"), state.empty() ? ":-2\r\n" : ":-1\r\n") << words[0];
  }
  EXPECT_GT(known, 10'000u);
  EXPECT_LT(known, 40'000u);
}

TEST(StringOperations, OthersAreNotTakenForThem) {
  for (const std::vector<std::string_view>& words :
       std::vector<std::vector<std::string_view>>{{"SET", "k", "v", "EX", "10"},
                                                  {"SET", "k", "v", "IFEQ", "w"},
                                                  {"SET", "k", "v", "NX", "XX"},
                                                  {"SET", "k"},
                                                  {"GET", "k", "l"},
                                                  {"GET"},
                                                  {"DEL", "k", "l"},
                                                  {"INCRBY", "k", "1.5"},
                                                  {"INCRBY", "k", " 1"},
                                                  {"DECRBY", "k", "-9223372036854775808"},
                                                  {"GETEX", "k"},
                                                  {"MGET", "k"}}) {
    EXPECT_FALSE(read_string_operation(words)) << words[0];
  }
}

}  // namespace
}  // namespace redoubt::sim
