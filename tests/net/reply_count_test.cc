// Replies in the bytes of a connection.
#include "net/resp/reply_count.h"

#include <gtest/gtest.h>

#include <string>

namespace redoubt {
namespace {

TEST(ReplyCount, EachWholeValueIsOne) {
  EXPECT_EQ(count_replies(""), 0u);
  EXPECT_EQ(count_replies("+OK\r\n"), 1u);
  EXPECT_EQ(count_replies("+OK\r\n-ERR no\r\n:-5\r\n$3\r\nabc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"),
            8u);
  EXPECT_EQ(count_replies("_\r\n#t\r\n,1.5\r\n(123\r\n=7\r\ntxt:abc\r\n!3\r\nERR\r\n"), 6u);
}

TEST(ReplyCount, WhatIsWithinAValueIsNone) {
  EXPECT_EQ(count_replies("*2\r\n:1\r\n*2\r\n+a\r\n$1\r\nb\r\n:7\r\n"), 2u);
  EXPECT_EQ(count_replies("%1\r\n+key\r\n*1\r\n:1\r\n~2\r\n+a\r\n+b\r\n"), 2u);
  EXPECT_EQ(count_replies("$8\r\n+OK\r\n:1\r\r\n"), 1u) << "bytes of a string are no values";
}

TEST(ReplyCount, PushMessagesAreNoReplies) {
  EXPECT_EQ(count_replies(">2\r\n+message\r\n*1\r\n:1\r\n"), 0u);
  EXPECT_EQ(count_replies("+OK\r\n>1\r\n+message\r\n:1\r\n"), 2u);
}

TEST(ReplyCount, AttributesBelongToTheValueBehindThem) {
  EXPECT_EQ(count_replies("|1\r\n+ttl\r\n:10\r\n+value\r\n"), 1u);
  EXPECT_EQ(count_replies("|1\r\n+ttl\r\n:10\r\n"), 0u) << "the value is not there yet";
  EXPECT_EQ(count_replies("*1\r\n|1\r\n+ttl\r\n:10\r\n+value\r\n:1\r\n"), 2u);
}

TEST(ReplyCount, WhatIsIncompleteDoesNotCount) {
  const std::string bytes = "*2\r\n$3\r\nabc\r\n%1\r\n+a\r\n:1\r\n";
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(count_replies("+OK\r\n" + bytes.substr(0, size)), 1u) << size;
  }
  EXPECT_EQ(count_replies("+OK\r\n" + bytes), 2u);
}

}  // namespace
}  // namespace redoubt
