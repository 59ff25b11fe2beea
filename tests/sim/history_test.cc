// The history keeps what it is told.
#include "sim/history/history.h"

#include <gtest/gtest.h>

#include <string>

namespace redoubt::sim {
namespace {

using Words = std::vector<std::string_view>;

OperationId begin(History& history, int64_t at, const Words& words, uint32_t client = 1) {
  return history.begin({.client = client, .node = 2, .database = 3, .call = Instant{at}}, words);
}

Words words_of(const History& history, OperationId id) {
  Words words;
  history.words(id, words);
  return words;
}

TEST(History, KeepsWhatItIsTold) {
  History history;
  const OperationId id = begin(history, 10, {"SET", "key", ""}, 7);
  EXPECT_EQ(history.size(), 1u);
  EXPECT_EQ(history[id].outcome, Outcome::pending);
  EXPECT_EQ(history[id].end(), Instant::never());
  EXPECT_EQ(history.reply(id), "");
  history.finish(id, Instant{25}, 1'000, "+OK\r\n");
  EXPECT_EQ(history[id].call.ns, 10);
  EXPECT_EQ(history[id].returned.ns, 25);
  EXPECT_EQ(history[id].end().ns, 25);
  EXPECT_EQ(history[id].offset, 1'000u);
  EXPECT_EQ(history[id].client, 7u);
  EXPECT_EQ(history[id].node, 2u);
  EXPECT_EQ(history[id].database, 3u);
  EXPECT_EQ(history[id].outcome, Outcome::replied);
  EXPECT_EQ(words_of(history, id), (Words{"SET", "key", ""}));
  EXPECT_EQ(history.reply(id), "+OK\r\n");
}

TEST(History, HasThreeEnds) {
  History history;
  const OperationId replied = begin(history, 1, {"PING"});
  const OperationId unknown = begin(history, 1, {"INCR", "a"});
  const OperationId refused = begin(history, 2, {"INCR", "b"});
  history.refuse(refused, Instant{3});
  history.give_up(unknown, Instant{4}, 55);
  history.finish(replied, Instant{5}, 0, "");
  EXPECT_EQ(history[replied].end().ns, 5);
  EXPECT_EQ(history[unknown].outcome, Outcome::unknown);
  EXPECT_EQ(history[unknown].end(), Instant::never());
  EXPECT_EQ(history[unknown].returned.ns, 4);
  EXPECT_EQ(history[unknown].offset, 55u);
  EXPECT_EQ(history[refused].outcome, Outcome::refused);
  EXPECT_EQ(history.reply(replied), "");
}

TEST(History, WhatWasGivenUpMayBeExecutedYet) {
  History history;
  const OperationId id = begin(history, 1, {"INCR", "a"});
  history.give_up(id, Instant{4});
  EXPECT_FALSE(history[id].place().known());
  history.executed_late(id, 7, {55, 2});
  EXPECT_EQ(history[id].outcome, Outcome::unknown);
  EXPECT_EQ(history[id].end(), Instant::never());
  EXPECT_EQ(history[id].returned.ns, 4);
  EXPECT_EQ(history[id].database, 7u);
  EXPECT_EQ(history[id].place(), (StreamPlace{55, 2}));
}

// Lengths around what takes a byte, a block, and more than a block of the arena.
TEST(History, TextsOfAllLengths) {
  History history;
  const std::vector<size_t> sizes = {0,       1,       2,       3,       4,         253,
                                     254,     255,     256,     65'535,  262'140,   262'143,
                                     262'144, 262'145, 524'288, 600'000, 1'000'000, 5};
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::string key(sizes[i], static_cast<char>('a' + i));
    const std::string value(sizes[sizes.size() - 1 - i], static_cast<char>('A' + i));
    const OperationId id = begin(history, static_cast<int64_t>(i), {"SET", key, value});
    history.finish(id, Instant{static_cast<int64_t>(i)}, 0, value);
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::string key(sizes[i], static_cast<char>('a' + i));
    const std::string value(sizes[sizes.size() - 1 - i], static_cast<char>('A' + i));
    const auto id = static_cast<OperationId>(i);
    EXPECT_TRUE(words_of(history, id) == (Words{"SET", key, value})) << sizes[i];
    EXPECT_TRUE(history.reply(id) == value) << sizes[i];
  }
}

TEST(History, ManyWords) {
  History history;
  std::vector<std::string> keys;
  for (int i = 0; i < 1'000; ++i) keys.push_back("key" + std::to_string(i));
  Words words = {"DEL"};
  words.insert(words.end(), keys.begin(), keys.end());
  EXPECT_EQ(words_of(history, begin(history, 1, words)), words);
}

TEST(History, IsSmallAndDoesNotMove) {
  History history;
  constexpr uint32_t kOperations = 100'000;
  const std::string_view first_word = [&] {
    const OperationId id = begin(history, 0, {"GET", "key"});
    return words_of(history, id)[0];
  }();
  for (uint32_t i = 1; i < kOperations; ++i) {
    const OperationId id = begin(history, i, {"GET", "key"});
    history.finish(id, Instant{i}, i, "$5\r\nvalue\r\n");
  }
  EXPECT_EQ(words_of(history, 0)[0].data(), first_word.data());
  // 6 bytes of words and 11 of the reply.
  EXPECT_LT(history.memory_bytes() / kOperations, 48u + 17u + 12u);
  EXPECT_EQ(history[kOperations - 1].offset, kOperations - 1);
}

}  // namespace
}  // namespace redoubt::sim
