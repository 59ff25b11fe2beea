// What a reply of the model allows where the order or the choice is the server's.
#include "sim/model/reply.h"

#include <gtest/gtest.h>

namespace redoubt::sim {
namespace {

TEST(ModelReply, ExactOneOfAndBetween) {
  EXPECT_TRUE(reply_integer(1).matches(":1\r\n"));
  EXPECT_FALSE(reply_integer(1).matches(":2\r\n"));
  const ModelReply choice = reply_one_of({"$1\r\na\r\n", "$-1\r\n"});
  EXPECT_TRUE(choice.matches("$-1\r\n"));
  EXPECT_FALSE(choice.matches("$1\r\nb\r\n"));
  const ModelReply number = reply_integer_between(-1, 3);
  for (int i = -3; i <= 5; i++) {
    EXPECT_EQ(number.matches(":" + std::to_string(i) + "\r\n"), i >= -1 && i <= 3) << i;
  }
  EXPECT_FALSE(number.matches("$1\r\n1\r\n"));
}

TEST(ModelReply, UnorderedIsEachElementOnceInAnyOrder) {
  const ModelReply reply = reply_unordered({"b", "a", "a"});
  EXPECT_TRUE(reply.matches("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\na\r\n"));
  EXPECT_TRUE(reply.matches("~3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\nb\r\n"));
  EXPECT_FALSE(reply.matches("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nb\r\n"));
  EXPECT_FALSE(reply.matches("*2\r\n$1\r\na\r\n$1\r\nb\r\n"));
  EXPECT_FALSE(reply.matches("*3\r\n+a\r\n+a\r\n+b\r\n"));
  EXPECT_FALSE(reply.matches("+a\r\n"));
  EXPECT_FALSE(reply.matches("*3\r\n$1\r\na\r\n"));
}

TEST(ModelReply, SomeAreDifferentOnesAndDrawsMayRepeat) {
  const std::vector<std::string> choices = {resp_bulk("a"), resp_bulk("b"), resp_bulk("c")};
  const ModelReply some = reply_some(choices, 2, '*');
  const ModelReply draws = reply_draws(choices, 2);
  const std::string different = "*2\r\n$1\r\nc\r\n$1\r\na\r\n";
  const std::string twice = "*2\r\n$1\r\nc\r\n$1\r\nc\r\n";
  EXPECT_TRUE(some.matches(different));
  EXPECT_TRUE(draws.matches(different));
  EXPECT_FALSE(some.matches(twice));
  EXPECT_TRUE(draws.matches(twice));
  for (const ModelReply& reply : {some, draws}) {
    EXPECT_FALSE(reply.matches("*2\r\n$1\r\na\r\n$1\r\nx\r\n"));
    EXPECT_FALSE(reply.matches("*1\r\n$1\r\na\r\n"));
    EXPECT_FALSE(reply.matches("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"));
    EXPECT_FALSE(reply.matches("~2\r\n$1\r\na\r\n$1\r\nb\r\n"));
    EXPECT_FALSE(reply.matches(""));
  }
}

// Fields with their values: two elements of the reply make one of the choices.
TEST(ModelReply, PairsAreOneChoice) {
  const ModelReply pairs =
      reply_some({resp_bulk("a") + resp_bulk("1"), resp_bulk("b") + resp_bulk("2")}, 1, '*', 2);
  EXPECT_TRUE(pairs.matches("*2\r\n$1\r\nb\r\n$1\r\n2\r\n"));
  EXPECT_FALSE(pairs.matches("*2\r\n$1\r\nb\r\n$1\r\n1\r\n"));
  EXPECT_FALSE(pairs.matches("*1\r\n$1\r\nb\r\n"));
  EXPECT_FALSE(pairs.matches("*3\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n"));
  EXPECT_FALSE(pairs.matches("*4\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\n1\r\n"));
}

TEST(ModelReply, NotAnErrorAndAnything) {
  const ModelReply fine = reply_rule(ModelReply::Rule::not_error);
  EXPECT_TRUE(fine.matches("*0\r\n"));
  EXPECT_FALSE(fine.matches("-ERR x\r\n"));
  EXPECT_FALSE(fine.matches("!5\r\nERR x\r\n"));
  EXPECT_TRUE(reply_rule(ModelReply::Rule::anything).matches("-ERR x\r\n"));
}

}  // namespace
}  // namespace redoubt::sim
