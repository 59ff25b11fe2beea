// Clients that wait for lists, served by others.
#include <gtest/gtest.h>

#include "tests/node/talk.h"

namespace redoubt {
namespace {

std::string pair(std::string_view key, std::string_view value) {
  return "*2\r\n$" + std::to_string(key.size()) + "\r\n" + std::string(key) + "\r\n$" +
         std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\n";
}

TEST(ListWaiting, ThoseWhoWaitAreServedInOrderOfArrival) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(a, "BLPOP x k 0\r\n"), "");
  EXPECT_EQ(talk.say(b, "BRPOP k 0\r\n"), "");
  EXPECT_EQ(talk.say(c, "RPUSH k 1 2 3\r\n"), ":3\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "1"));
  EXPECT_EQ(talk.client(b).take(), pair("k", "3"));
  EXPECT_EQ(talk.say(c, "LRANGE k 0 -1\r\n"), "*1\r\n$1\r\n2\r\n");
}

TEST(ListWaiting, AMoveServesTheNextOne) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  talk.say(a, "BLMPOP 0 2 y x LEFT COUNT 5\r\n");
  talk.say(b, "BLMOVE k x LEFT RIGHT 0\r\n");
  EXPECT_EQ(talk.say(c, "LPUSH k v\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(b).take(), "$1\r\nv\r\n");
  EXPECT_EQ(talk.client(a).take(), "*2\r\n$1\r\nx\r\n*1\r\n$1\r\nv\r\n");
  EXPECT_EQ(talk.say(c, "EXISTS k x y\r\n"), ":0\r\n");
}

TEST(ListWaiting, ADestinationOfAnotherTypeIsAnErrorOnlyWhenServed) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(b, "SET s 1\r\n");
  EXPECT_EQ(talk.say(a, "BRPOPLPUSH k s 0\r\n"), "");
  EXPECT_EQ(talk.say(b, "LPUSH k v\r\n"), ":1\r\n");
  EXPECT_TRUE(talk.client(a).take().starts_with("-WRONGTYPE"));
  EXPECT_EQ(talk.say(b, "LLEN k\r\n"), ":1\r\n");
}

TEST(ListWaiting, SortStoreServesToo) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "BLPOP out 0\r\n");
  EXPECT_EQ(talk.say(b, "RPUSH l 3 1 2\r\nSORT l STORE out\r\n"), ":3\r\n:3\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("out", "1"));
}

TEST(ListWaiting, TimeRunsOut) {
  Talk talk;
  const size_t a = talk.connect();
  EXPECT_EQ(talk.say(a, "BLPOP k 0.1\r\n"), "*-1\r\n");
  EXPECT_EQ(talk.say(a, "BLMOVE k x LEFT LEFT 0.1\r\n"), "*-1\r\n");
  EXPECT_EQ(talk.say(a, "BLMPOP 0.1 1 k LEFT\r\n"), "*-1\r\n");
}

TEST(ListWaiting, ABlockIsMovedWhenThereIsEnough) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(a, "BLMOVEM k x LEFT RIGHT 0 EXACTLY 3 BULK\r\n"), "");
  EXPECT_EQ(talk.say(c, "RPUSH k 1 2\r\n"), ":2\r\n");
  EXPECT_EQ(talk.client(a).take(), "");
  EXPECT_EQ(talk.say(c, "RPUSH k 3 4\r\n"), ":4\r\n");
  EXPECT_EQ(talk.client(a).take(), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  // Who needs less does not wait behind who needs more.
  talk.say(a, "BLMOVEM k x LEFT RIGHT 0 EXACTLY 3 OBO\r\n");
  EXPECT_EQ(talk.say(b, "BLMOVEM k x LEFT LEFT 0 COUNT 9 OBO\r\n"), "*1\r\n$1\r\n4\r\n");
  EXPECT_EQ(talk.say(b, "BLMOVEM k x LEFT LEFT 0.1 COUNT 9 OBO\r\n"), "*-1\r\n");
  EXPECT_EQ(talk.say(b, "MULTI\r\nBLMOVEM k x LEFT LEFT 0\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n");
  EXPECT_EQ(talk.say(c, "LRANGE x 0 -1\r\n"), "*4\r\n$1\r\n4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
}

}  // namespace
}  // namespace redoubt
