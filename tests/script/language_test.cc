// The language that scripts see: values and errors as redis-server's Lua 5.1 gives them.
#include <gtest/gtest.h>

#include "tests/script/language_state.h"

namespace redoubt {

namespace {

struct Expected {
  const char* expression;
  const char* result;
};

void expect_all(std::initializer_list<Expected> table) {
  LanguageState state;
  for (const Expected& row : table) {
    EXPECT_EQ(state.eval(row.expression), row.result) << row.expression;
  }
}

TEST(Language, NumbersAreDoubles) {
  expect_all({
      {"10/2, 7/2, 1/3, 3.0, -0, 100000000", "5 | 3.5 | 0.33333333333333 | 3 | -0 | 100000000"},
      {"2^53+1, 9007199254740993, 2^63",
       "9.007199254741e+15 | 9.007199254741e+15 | "
       "9.2233720368548e+18"},
      {"9223372036854775807 + 1 == 2^63, 2^53 == 2^53 + 1", "true | true"},
      {"1/0, -1/0, 0/0, -(0/0)", "inf | -inf | -nan | nan"},
      {"5%3, -5%3, 5%-3, 5.5%2, 5%math.huge", "2 | 1 | -1 | 1.5 | -nan"},
      {"#'abc', #{1,2}, select('#', nil, nil)", "3 | 2 | 2"},
      {"'k:' .. 6/2, 1 .. 2, 10 .. ''", "k:3 | 12 | 10"},
      {"'10' + 1, '0x10' * 2, -'2', '3' ^ 2", "11 | 32 | -2 | 9"},
      {"7 // 2, 3 | 4, ~0, 1 << 4, 2^53 | 0", "3 | 7 | -1 | 16 | 9.007199254741e+15"},
      {"string.find('hello', 'l')", "3 | 3"},
      {"({10, 20})[1.0], next({[3]=1}), next({5})", "10 | 3 | 1 | 5"},
  });
}

TEST(Language, LoopsAreOverDoubles) {
  LanguageState state;
  EXPECT_EQ(state.run("local t = {} for i = 1, 2, 0.5 do t[#t+1] = i end "
                      "return table.concat(t, ' ')"),
            "1 1.5 2");
  EXPECT_EQ(state.run("local t = {} for k, v in pairs({7, x = 8}) do t[#t+1] = k .. v end "
                      "return table.concat(t, ' ')"),
            "17 x8");
  EXPECT_EQ(state.run("for i = 2^53, 2^53 + 4 do if i == 2^53 then return i + 1 end end"),
            "9.007199254741e+15");
  EXPECT_EQ(state.run("local t = setmetatable({}, {__index = function(_, k) return k end}) "
                      "return t[1] .. ' ' .. t[2.5]"),
            "1 2.5");
}

TEST(Language, Conversions) {
  expect_all({
      {"tonumber('inf'), tonumber('nan'), tonumber('0x10'), tonumber('0x1p4')",
       "inf | nan | 16 | 16"},
      {"tonumber('zz', 36), tonumber('-ff', 16), tonumber('8', 8), tonumber('0x', 16)",
       "1295 | 1.844674407371e+19 | nil | nil"},
      {"tonumber(' 12 '), tonumber(''), tonumber('1 2'), tonumber({})", "12 | nil | nil | nil"},
      {"tonumber('1', 99)", "error: s:1: bad argument #2 to 'tonumber' (base out of range)"},
      {"string.format('%d %d %x %u', 3.7, -3.7, -1, -1)",
       "3 -3 ffffffffffffffff 18446744073709551615"},
      {"string.format('%5.1f|%5d|%-5s|%q', 3.14159, 42, 'ab', 'a\"\\0')",
       "  3.1|   42|ab   |\"a\\\"\\000\""},
      {"string.format('%s', nil)",
       "error: s:1: bad argument #2 to 'format' (string expected, got nil)"},
      {"string.format('%y', 1)", "error: s:1: invalid option '%y' to 'format'"},
      {"string.format('%123d', 1)", "error: s:1: invalid format (width or precision too long)"},
      {"string.sub('abc', 1, math.huge), string.rep('x', 7/2)", " | xxx"},
  });
}

TEST(Language, NamesOf51) {
  expect_all({
      {"unpack({1, 2, 3}, 2)", "2 | 3"},
      {"loadstring('return 1 + 1')()", "2"},
      {"load(function() return nil end) ~= nil", "true"},
      {"table.getn({1, 2}), table.maxn({[10] = 1})", "2 | 10"},
      {"table.foreach({5}, function(k, v) return k + v end)", "6"},
      {"table.foreachi({5}, function(k, v) return v end)", "5"},
      {"math.pow(2, 3), math.log10(1000), math.mod(5, 3), math.ldexp(1, 3)", "8 | 3 | 2 | 8"},
      {"math.log(8, 2) == math.log(8), math.frexp(8)", "true | 0.5 | 4"},
      {"string.gfind == string.gmatch, gcinfo() > 0, collectgarbage()", "true | true | 0"},
      {"string.gsub('hello', 'l*', '-')", "-h-e--o- | 5"},
      {"string.gsub('abc', 'b', '%%%x')", "a%xc | 1"},
      {"#'\\x41', '\\q'", "3 | q"},
      {"os.clock(), _VERSION", "0 | Lua 5.1"},
  });
}

TEST(Language, OnlyWhatScriptsSee) {
  LanguageState state;
  EXPECT_EQ(state.run("local names = {} "
                      "for name in pairs(_G) do names[#names+1] = name end "
                      "table.sort(names) return table.concat(names, ' ')"),
            "_G _VERSION assert collectgarbage coroutine error gcinfo getmetatable ipairs load "
            "loadstring math next os pairs pcall rawequal rawget rawset select setmetatable string "
            "table tonumber tostring type unpack xpcall");
  EXPECT_EQ(state.eval("string.dump, string.pack, table.move, math.type, os.time, "
                       "coroutine.close, getmetatable('').__add"),
            "nil | nil | nil | nil | nil | nil | nil");
}

TEST(Language, ErrorsNameVariables) {
  LanguageState state;
  EXPECT_EQ(state.run("local x x()"), "error: s:1: attempt to call local 'x' (a nil value)");
  EXPECT_EQ(state.run("local x = {} x.y.z = 1"),
            "error: s:1: attempt to index field 'y' (a nil value)");
  EXPECT_EQ(state.run("local x = {} x:y()"),
            "error: s:1: attempt to call method 'y' (a nil value)");
  EXPECT_EQ(state.run("return nothing + 1"),
            "error: s:1: attempt to perform arithmetic on global 'nothing' (a nil value)");
  EXPECT_EQ(state.run("return +"), "error: s:1: unexpected symbol near '+'");
  EXPECT_EQ(state.run("return {"), "error: s:1: unexpected symbol near '<eof>'");
}

TEST(Language, RandomBeginsTheSame) {
  LanguageState state;
  const std::string draws = "math.random(), math.random(100), math.random(5, 10)";
  EXPECT_EQ(state.eval(draws), "0.39646477363839 | 85 | 7");
  EXPECT_EQ(state.eval(draws), "0.44658343468168 | 32 | 10");
  reset_random(state.lua());
  EXPECT_EQ(state.eval(draws), "0.39646477363839 | 85 | 7");
  EXPECT_EQ(state.run("math.randomseed(5) return math.random(10)"),
            state.run("math.randomseed(5) return math.random(10)"));
}

TEST(Language, PcallGivesTheErrorOfATable) {
  LanguageState state;
  EXPECT_EQ(state.eval("pcall(error, {err = 'x'})"), "false | x");
  EXPECT_EQ(state.eval("pcall(error, 'x', 0)"), "false | x");
  EXPECT_EQ(state.eval("xpcall(function() error('x', 0) end, function(e) return e .. 'y' end)"),
            "false | xy");
}

TEST(Language, Coroutines) {
  LanguageState state;
  EXPECT_EQ(state.run("local f = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) "
                      "return b * 2 end) return f(1), f(10)"),
            "2 | 20");
  EXPECT_EQ(state.run("local co co = coroutine.create(function() return coroutine.resume(co) end) "
                      "return coroutine.resume(co)"),
            "true | false | cannot resume running coroutine");
  EXPECT_EQ(state.eval("coroutine.running(), coroutine.resume(1)"),
            "error: s:1: bad argument #1 to 'resume' (coroutine expected)");
}

}  // namespace

}  // namespace redoubt
