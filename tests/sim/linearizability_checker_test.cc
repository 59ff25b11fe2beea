// The checker of linearizability over histories of commands.
#include "sim/checkers/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>

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
    uint64_t offset = 0;
    uint32_t client = 0;
    uint16_t database = 0;
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  void add(int64_t call, int64_t returned, std::string command, std::string reply = "",
           uint64_t offset = 0) {
    const auto client = static_cast<uint32_t>(entries_.size());
    add({call, returned, std::move(command), std::move(reply), offset, client, 0});
  }

  LinearizabilityReport check(LinearizabilityChecker checker = LinearizabilityChecker()) {
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.call < b.call; });
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
  EXPECT_EQ(report.left_out_keys, 0u);
}

// Each of these makes the stale read of k no matter any more.
TEST(Linearizability, KeysThatOthersWriteAreLeftOut) {
  for (const char* command :
       {"EXPIRE k 100", "SET k 2 EX 10", "RPUSH k 2", "MSET other 1 k 2", "RENAME other k",
        "MOVE k 1", "FLUSHALL", "SWAPDB 0 1", "GETEX k PERSIST", "BLMOVE other k LEFT LEFT 1",
        "SORT other STORE k", "DEBUG RELOAD", "COPY other k", "INCRBYFLOAT k 1.5"}) {
    Clients clients;
    clients.add(1, 2, "SET k 1", "+OK\r\n");
    clients.add(3, 0, command);
    clients.add(5, 6, "GET k", bulk("7"));
    const LinearizabilityReport report = clients.check();
    EXPECT_FALSE(report.violation) << command;
    EXPECT_EQ(report.left_out_keys, 1u) << command;
    EXPECT_EQ(report.left_out_operations, 2u) << command;
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

TEST(Linearizability, TransactionsAreLeftOut) {
  Clients clients;
  clients.add({1, 2, "MULTI", "+OK\r\n", 0, 5, 0});
  clients.add({3, 4, "SET k 1", "+QUEUED\r\n", 0, 5, 0});
  clients.add({5, 0, "SET l 1", "", 0, 5, 0});
  clients.add(8, 9, "GET k", bulk("7"));
  clients.add(8, 9, "GET l", bulk("7"));
  EXPECT_FALSE(clients.check().violation);
  // Once it is over, its client's commands count again.
  clients.add({10, 11, "EXEC", "*-1\r\n", 0, 5, 0});
  clients.add({12, 0, "SET m 1", "", 0, 5, 0});
  clients.add(14, 15, "GET m", bulk("7"));
  const LinearizabilityReport report = clients.check();
  EXPECT_TRUE(report.violation);
  EXPECT_EQ(report.left_out_keys, 2u);
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
  // Evicted there, it may be anything.
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
