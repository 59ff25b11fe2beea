#include "sim/model/generator.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "sim/model/model.h"

namespace redoubt::sim {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

std::string flat(const GeneratedCommand& command) {
  std::string out;
  for (std::string_view argument : command.arguments) {
    out += std::to_string(argument.size()) + ":" + std::string(argument) + " ";
  }
  return out;
}

TEST(Generator, SameSeedSameCommands) {
  CommandGenerator a(GeneratorConfig{}, 7);
  CommandGenerator b(GeneratorConfig{}, 7);
  CommandGenerator other(GeneratorConfig{}, 8);
  size_t different = 0;
  for (int i = 0; i < 2000; i++) {
    const std::string text = flat(a.next(1'000'000 + i));
    ASSERT_EQ(text, flat(b.next(1'000'000 + i)));
    different += text != flat(other.next(1'000'000 + i)) ? 1 : 0;
  }
  EXPECT_GT(different, 1900U);
}

TEST(Generator, MakesEveryCommandOfTheModelAndOnlyThose) {
  CommandGenerator generator(GeneratorConfig{}, 1);
  std::set<std::string> seen;
  for (int i = 0; i < 50'000; i++) {
    const GeneratedCommand command = generator.next(1'000'000);
    ASSERT_TRUE(Model::knows(command.arguments[0])) << command.arguments[0];
    seen.insert(upper(command.arguments[0]));
  }
  for (const char* name :
       {"APPEND",   "DECR",     "DECRBY",      "DELEX",     "DELIFEQ",     "DIGEST", "GET",
        "GETDEL",   "GETEX",    "GETRANGE",    "GETSET",    "INCR",        "INCRBY", "INCRBYFLOAT",
        "INCREX",   "LCS",      "MGET",        "MSET",      "MSETEX",      "MSETNX", "PSETEX",
        "SET",      "SETEX",    "SETNX",       "SETRANGE",  "STRLEN",      "SUBSTR", "COPY",
        "DEL",      "EXISTS",   "EXPIRE",      "EXPIREAT",  "EXPIRETIME",  "KEYS",   "MOVE",
        "OBJECT",   "PERSIST",  "PEXPIRE",     "PEXPIREAT", "PEXPIRETIME", "PTTL",   "RANDOMKEY",
        "RENAME",   "RENAMENX", "SCAN",        "TOUCH",     "TTL",         "TYPE",   "UNLINK",
        "BITCOUNT", "BITFIELD", "BITFIELD_RO", "BITOP",     "BITPOS",      "GETBIT", "SETBIT",
        "DBSIZE",   "ECHO",     "FLUSHALL",    "FLUSHDB",   "PING",        "SELECT", "SWAPDB",
        "TIME"}) {
    EXPECT_EQ(seen.count(name), 1U) << name;
  }
}

TEST(Generator, LeavesOutWhatIsForbidden) {
  GeneratorConfig config;
  config.newer = false;
  config.flush = false;
  config.scan = false;
  config.select = false;
  config.weights[3] = 30;
  CommandGenerator generator(config, 3);
  const std::set<std::string> forbidden = {"INCREX",    "MSETEX",   "DELEX",  "DELIFEQ", "DIGEST",
                                           "FLUSHDB",   "FLUSHALL", "SWAPDB", "SCAN",    "KEYS",
                                           "RANDOMKEY", "SELECT",   "MOVE"};
  for (int i = 0; i < 20'000; i++) {
    const GeneratedCommand command = generator.next(1'000'000);
    ASSERT_EQ(forbidden.count(upper(command.arguments[0])), 0U) << flat(command);
    ASSERT_FALSE(command.newer);
  }
}

// A generator whose commands all fail, or never meet a value, tests nothing.
TEST(Generator, MostCommandsMeanSomething) {
  Model model{ModelConfig{}};
  ModelSession session;
  CommandGenerator generator(GeneratorConfig{}, 5);
  size_t errors = 0;
  size_t nulls = 0;
  constexpr size_t commands = 20'000;
  for (size_t i = 0; i < commands; i++) {
    const auto now = static_cast<int64_t>(1'000'000 + i);
    const ModelReply reply = model.apply(session, generator.next(now).arguments, now);
    errors += reply.rule == ModelReply::Rule::exact && reply.bytes[0] == '-' ? 1 : 0;
    nulls += reply.bytes == "$-1\r\n" ? 1 : 0;
  }
  EXPECT_LT(errors, commands / 4);
  EXPECT_GT(errors, commands / 100);
  EXPECT_LT(nulls, commands / 5);
}

TEST(Xoshiro, BelowStaysBelowAndReachesAll) {
  Xoshiro random(9);
  std::map<uint64_t, int> seen;
  for (int i = 0; i < 10'000; i++) {
    seen[random.below(10)]++;
  }
  ASSERT_EQ(seen.size(), 10U);
  for (const auto& [value, count] : seen) {
    EXPECT_LT(value, 10U);
    EXPECT_GT(count, 800);
  }
}

}  // namespace
}  // namespace redoubt::sim
