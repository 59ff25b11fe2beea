// The rows of all families and parts, and the notation of their arguments.
#include <gtest/gtest.h>

#include <set>

#include "engine/commands/docs.h"
#include "engine/commands/families.h"
#include "engine/commands/server/command_info.h"
#include "server/assembly/assemble.h"
#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

template <typename Visit>
void for_each_row(Visit&& visit) {
  std::vector<std::span<const Command>> families = all_families();
  for (const PartKind* part : all_parts()) families.push_back(part->commands);
  for (const std::span<const Command>& family : families) {
    for (const Command& row : family) {
      visit(row, std::string(row.name));
      for (const Command& sub : row.subcommands) {
        visit(sub, std::string(row.name) + "|" + std::string(sub.name));
      }
    }
  }
}

std::vector<Argument> parsed(std::string_view notation) {
  std::vector<Argument> arguments;
  std::string error;
  EXPECT_TRUE(parse_arguments(notation, &arguments, &error)) << error;
  return arguments;
}

TEST(Docs, NotationOfAllRowsIsWellFormed) {
  for_each_row([](const Command& row, const std::string& name) {
    std::vector<Argument> arguments;
    std::string error;
    EXPECT_TRUE(parse_arguments(row.arguments, &arguments, &error)) << name << ": " << error;
  });
}

TEST(Docs, RowsSayWhatTheyMust) {
  std::set<std::string> names;
  for_each_row([&](const Command& row, const std::string& name) {
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
    EXPECT_FALSE(row.name.empty());
    EXPECT_EQ(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ "), std::string::npos) << name;
    EXPECT_NE(row.arity, 0) << name;
    EXPECT_FALSE(row.since.empty()) << name;
    EXPECT_FALSE(row.group.empty()) << name;
    EXPECT_FALSE(row.summary.empty()) << name;
    EXPECT_TRUE(row.handler != nullptr || !row.subcommands.empty()) << name;
    EXPECT_EQ((row.flags & (kWrite | kReadOnly)) == (kWrite | kReadOnly), false) << name;
    for (const VersionNote& note : split_history(row.history)) {
      EXPECT_EQ(note.version.find_first_not_of("0123456789."), std::string_view::npos) << name;
      EXPECT_FALSE(note.text.empty()) << name;
    }
  });
}

// Clients that know only first key, last key and step are told when these do not find all keys.
TEST(Docs, MovableKeysAreFlagged) {
  for_each_row([](const Command& row, const std::string& name) {
    EXPECT_EQ(legacy_key_range(row).incomplete, (row.flags & kMovableKeys) != 0) << name;
  });
}

TEST(Docs, Types) {
  EXPECT_TRUE(parsed("").empty());
  const std::vector<Argument> all =
      parsed("key:key newkey:key#1 count:integer(COUNT) ip:port:string!2.8.12 x:unix-time nx(NX)");
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[0].type, "key");
  EXPECT_EQ(all[0].key_spec_index, 0);
  EXPECT_EQ(all[1].key_spec_index, 1);
  EXPECT_EQ(all[2].token, "COUNT");
  EXPECT_EQ(all[2].key_spec_index, -1);
  EXPECT_EQ(all[3].name, "ip:port");
  EXPECT_EQ(all[3].deprecated_since, "2.8.12");
  EXPECT_EQ(all[4].type, "unix-time");
  EXPECT_EQ(all[5].type, "pure-token");
  EXPECT_TRUE(all[5].has_token);
}

TEST(Docs, Repetition) {
  const std::vector<Argument> all = parsed("[a:string@6.2.0...] [b:pattern(GET)*...] [c(X)@1.2]");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_TRUE(all[0].optional && all[0].multiple && !all[0].multiple_token);
  EXPECT_EQ(all[0].since, "6.2.0");
  EXPECT_TRUE(all[1].optional && all[1].multiple && all[1].multiple_token);
  EXPECT_TRUE(all[2].optional && !all[2].multiple);
  EXPECT_EQ(all[2].since, "1.2");
}

TEST(Docs, Nesting) {
  const std::vector<Argument> all =
      parsed("[how:<x:{a:integer b:double}(LIMIT)|y(Y)@7.0.0>(HOW)@6.0.0...] tail:string");
  ASSERT_EQ(all.size(), 2u);
  const Argument& how = all[0];
  EXPECT_EQ(how.type, "oneof");
  EXPECT_EQ(how.token, "HOW");
  EXPECT_TRUE(how.optional && how.multiple);
  ASSERT_EQ(how.arguments.size(), 2u);
  EXPECT_EQ(how.arguments[0].type, "block");
  EXPECT_EQ(how.arguments[0].token, "LIMIT");
  ASSERT_EQ(how.arguments[0].arguments.size(), 2u);
  EXPECT_EQ(how.arguments[0].arguments[1].type, "double");
  EXPECT_EQ(how.arguments[1].since, "7.0.0");
}

TEST(Docs, NotWellFormed) {
  for (const std::string_view notation : {" a(A)",
                                          "a(A) ",
                                          "a(A)  b(B)",
                                          "a",
                                          "a:",
                                          "a:text",
                                          ":string",
                                          "[a(A)",
                                          "a(A)]",
                                          "a(A",
                                          "x:<a(A)|>",
                                          "x:<>",
                                          "x:<a(A) b(B)>",
                                          "x:{a(A)|b(B)}",
                                          "x:{a(A)",
                                          "a:string@",
                                          "a:string!",
                                          "a:string#",
                                          "a:string..",
                                          "a:string*...",
                                          "a:key@1#2",
                                          "a:string(T)(U)",
                                          "a:string?",
                                          "a:<b:<c:<d:<e:<f:<g:<h:<i:<j(J)>>>>>>>>>"}) {
    std::vector<Argument> arguments;
    std::string error;
    EXPECT_FALSE(parse_arguments(notation, &arguments, &error)) << notation;
    EXPECT_NE(error.find("expected"), std::string::npos) << notation;
  }
}

TEST(Docs, ReplyInBothProtocols) {
  LocalNode n;
  EXPECT_EQ(n.call({"COMMAND", "DOCS", "randomkey", "nosuch"}),
            "*2\r\n$9\r\nrandomkey\r\n*8\r\n$7\r\nsummary\r\n$37\r\nReturn a random key from the "
            "keyspace\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$7\r\ngeneric\r\n$10\r\n"
            "complexity\r\n$4\r\nO(1)\r\n");
  n.session->protocol = Protocol::resp3;
  const std::string docs = n.call({"COMMAND", "DOCS", "MOVE"});
  EXPECT_TRUE(docs.starts_with("%1\r\n$4\r\nmove\r\n%5\r\n")) << docs;
  EXPECT_NE(docs.find("%3\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\n"
                      "key_spec_index\r\n:0\r\n"),
            std::string::npos);
}

TEST(CommandList, Filters) {
  LocalNode n;
  EXPECT_EQ(n.call({"COMMAND", "LIST", "FILTERBY", "PATTERN", "RANDOM*"}),
            "*1\r\n$9\r\nrandomkey\r\n");
  EXPECT_EQ(n.call({"COMMAND", "LIST", "FILTERBY", "MODULE", "json"}), "*0\r\n");
  EXPECT_EQ(n.call({"COMMAND", "LIST", "FILTERBY", "ACLCAT", "@keyspace"}), "*0\r\n");
  const std::string dangerous = n.call({"COMMAND", "LIST", "FILTERBY", "ACLCAT", "dangerous"});
  EXPECT_NE(dangerous.find("\r\nkeys\r\n"), std::string::npos);
  EXPECT_NE(dangerous.find("\r\nconfig|set\r\n"), std::string::npos);
  EXPECT_EQ(dangerous.find("\r\nconfig\r\n"), std::string::npos);
  EXPECT_EQ(n.call({"COMMAND", "LIST", "FILTERBY", "COLOUR", "red"}), "-ERR syntax error\r\n");
}

TEST(CommandGetKeys, OfOurOwnRows) {
  LocalNode n;
  EXPECT_EQ(n.call({"COMMAND", "GETKEYS", "RENAME", "a", "b"}), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(n.call({"COMMAND", "GETKEYS", "object", "freq", "k"}), "*1\r\n$1\r\nk\r\n");
  EXPECT_EQ(n.call({"COMMAND", "GETKEYS", "nosuch", "k"}), "-ERR Invalid command specified\r\n");
  EXPECT_EQ(n.call({"COMMAND", "GETKEYS", "keys", "*"}),
            "-ERR The command has no key arguments\r\n");
  EXPECT_EQ(n.call({"COMMAND", "GETKEYS", "rename", "a"}),
            "-ERR Invalid number of arguments specified for command\r\n");
  EXPECT_EQ(n.call({"COMMAND", "GETKEYSANDFLAGS", "MOVE", "a", "1"}),
            "*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n");
}

// Only the options that make SET look at the old value make it a reader.
TEST(CommandGetKeys, FlagsOfSetDependOnItsOptions) {
  LocalNode n;
  const std::string writes = "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n";
  const std::string reads = "*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n";
  const auto flags = [&n](std::vector<std::string_view> options) {
    std::vector<std::string_view> words = {"COMMAND", "GETKEYSANDFLAGS", "SET", "k", "get"};
    words.insert(words.end(), options.begin(), options.end());
    return n.call(words);
  };
  EXPECT_EQ(flags({}), writes);
  EXPECT_EQ(flags({"NX"}), writes);
  EXPECT_EQ(flags({"XX", "EX", "10"}), writes);
  EXPECT_EQ(flags({"KEEPTTL"}), writes);
  EXPECT_EQ(flags({"GET"}), reads);
  EXPECT_EQ(flags({"EX", "10", "get"}), reads);
  for (const char* condition : {"IFEQ", "ifne", "IFDEQ", "IfDne"}) {
    EXPECT_EQ(flags({condition, "0123456789abcdef"}), reads) << condition;
  }
}

}  // namespace
}  // namespace redoubt
