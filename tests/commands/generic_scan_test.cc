// KEYS and SCAN: what is there from the first call to the last is returned, whatever happens
// between.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <set>

#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

struct Page {
  std::string cursor;
  std::vector<std::string> keys;
};

// "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"
Page page_of(std::string_view reply) {
  const auto line = [&] {
    const size_t end = reply.find("\r\n");
    const std::string text(reply.substr(0, end));
    reply.remove_prefix(end + 2);
    return text;
  };
  Page page;
  EXPECT_EQ(line(), "*2");
  line();
  page.cursor = line();
  const size_t count = std::stoul(line().substr(1));
  for (size_t i = 0; i < count; ++i) {
    line();
    page.keys.push_back(line());
  }
  EXPECT_TRUE(reply.empty());
  return page;
}

std::multiset<std::string> scan_all(
    LocalNode& n, std::vector<std::string_view> options,
    const std::function<void()>& between = [] {}) {
  std::multiset<std::string> found;
  std::string cursor = "0";
  int pages = 0;
  do {
    std::vector<std::string_view> args = {"SCAN", cursor};
    args.insert(args.end(), options.begin(), options.end());
    Page page = page_of(n.call(args));
    found.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
    EXPECT_LT(++pages, 1000000);
    between();
  } while (cursor != "0");
  return found;
}

void fill(LocalNode& n, std::string_view prefix, int count) {
  for (int i = 0; i < count; ++i) {
    n.call({"SET", std::string(prefix) + std::to_string(i), "v"});
  }
}

TEST(Scan, EachKeyOnce) {
  LocalNode n;
  EXPECT_TRUE(scan_all(n, {}).empty());
  fill(n, "key:", 5000);
  for (const std::string_view count : {"1", "10", "1000", "9223372036854775807"}) {
    const std::multiset<std::string> found = scan_all(n, {"COUNT", count});
    EXPECT_EQ(found.size(), 5000u);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), 5000u);
  }
}

TEST(Scan, CountIsKeptToWithinABucket) {
  LocalNode n;
  fill(n, "key:", 5000);
  std::string cursor = "0";
  do {
    const Page page = page_of(n.call({"SCAN", cursor, "COUNT", "100"}));
    cursor = page.cursor;
    EXPECT_LE(page.keys.size(), 100u + 28u);
    EXPECT_TRUE(cursor == "0" || page.keys.size() >= 100);
  } while (cursor != "0");
}

TEST(Scan, MatchAndType) {
  LocalNode n;
  fill(n, "a:", 300);
  fill(n, "b:", 300);
  EXPECT_EQ(scan_all(n, {"MATCH", "a:*"}).size(), 300u);
  EXPECT_EQ(scan_all(n, {"MATCH", "b:1?"}).size(), 10u);
  EXPECT_EQ(scan_all(n, {"TYPE", "STRING", "MATCH", "b:[0-4]"}).size(), 5u);
  EXPECT_TRUE(scan_all(n, {"TYPE", "hash"}).empty());
}

TEST(Scan, ExpiredKeysAreLeftOutAndRemoved) {
  LocalNode n;
  n.node->upkeep().set_active_expiry(false);
  fill(n, "live:", 100);
  fill(n, "gone:", 100);
  for (int i = 0; i < 100; ++i) n.call({"PEXPIRE", "gone:" + std::to_string(i), "10"});
  n.pass_ms(50);
  EXPECT_EQ(n.call({"KEYS", "gone:*"}), "*0\r\n");
  EXPECT_EQ(n.call({"DBSIZE"}), ":200\r\n");
  EXPECT_EQ(scan_all(n, {}).size(), 100u);
  EXPECT_EQ(n.call({"DBSIZE"}), ":100\r\n");
  EXPECT_EQ(n.node->stats().expired_keys, 100u);
}

RC_GTEST_PROP(Scan, KeysThatStayAreReturned, ()) {
  LocalNode n;
  const int stay = *rc::gen::inRange(1, 600);
  fill(n, "stay:", stay);
  fill(n, "old:", *rc::gen::inRange(0, 3000));
  const int grow = *rc::gen::inRange(0, 40);
  const int shrink = *rc::gen::inRange(0, 40);
  const std::string count = std::to_string(*rc::gen::inRange(1, 30));
  int added = 0;
  int removed = 0;
  const std::multiset<std::string> found = scan_all(n, {"COUNT", count}, [&] {
    for (int i = 0; i < grow && added < 20000; ++i) {
      n.call({"SET", "new:" + std::to_string(added++), "v"});
    }
    for (int i = 0; i < shrink; ++i) n.call({"DEL", "old:" + std::to_string(removed++)});
  });
  for (int i = 0; i < stay; ++i) RC_ASSERT(found.count("stay:" + std::to_string(i)) == 1u);
}

TEST(Scan, Cursors) {
  LocalNode n;
  fill(n, "k", 100);
  EXPECT_EQ(n.call({"SCAN", "1x"}), "-ERR invalid cursor\r\n");
  EXPECT_EQ(n.call({"SCAN", "-"}), "-ERR invalid cursor\r\n");
  EXPECT_EQ(n.call({"SCAN", "18446744073709551616"}), "-ERR invalid cursor\r\n");
  // Any number is a cursor.
  for (const std::string_view cursor :
       {"", "+7", "-1", "18446744073709551615", "281474976710656"}) {
    EXPECT_LE(page_of(n.call({"SCAN", cursor})).keys.size(), 100u);
  }
}

TEST(Scan, EmptyKeyAndPatterns) {
  LocalNode n;
  n.call({"SET", "", "v"});
  EXPECT_EQ(n.call({"KEYS", "*"}), "*1\r\n$0\r\n\r\n");
  EXPECT_EQ(n.call({"KEYS", ""}), "*1\r\n$0\r\n\r\n");
  EXPECT_EQ(n.call({"KEYS", "**"}), "*0\r\n");
}

}  // namespace
}  // namespace redoubt
