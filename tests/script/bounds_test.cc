// What a hostile script meets: bounds on memory, work and depth, no bytecode, no way to catch the
// end; and that nothing depends on addresses.
#include <gtest/gtest.h>

#include "tests/sanitized.h"
#include "tests/script/language_state.h"

namespace redoubt {

namespace {

constexpr ptrdiff_t kWorkMax = kSanitized ? 300000 : 2000000;

// Keys of every kind, in the order of pairs.
constexpr const char* kOrderScript = R"lua(
  local set = {}
  for i = 1, 60 do
    set['key' .. i] = 1
    set[i * 1.5] = 1
    set[{}] = 1
    set[function() end] = 1
    set[coroutine.create(function() end)] = 1
  end
  set[string.rep] = 1
  set[string.rep('long', 30)] = 1
  local order = {}
  for key in pairs(set) do order[#order + 1] = tostring(key) end
  return table.concat(order, ' ')
)lua";

TEST(LanguageBounds, OrderOfPairsIsTheSeeds) {
  LanguageState one(5);
  const std::string junk(100000, 'x');
  LanguageState two(5);
  LanguageState other(6);
  const std::string order = one.run(kOrderScript);
  EXPECT_EQ(two.run(kOrderScript), order);
  EXPECT_NE(other.run(kOrderScript), order);
  EXPECT_EQ(one.host().used_bytes, two.host().used_bytes);
  EXPECT_EQ(one.host().left, two.host().left);
}

TEST(LanguageBounds, AddressesAreNotShown) {
  LanguageState one;
  LanguageState two;
  const std::string values = "{}, print, function() end, coroutine.create(function() end), pairs";
  EXPECT_EQ(one.eval(values), two.eval(values));
  EXPECT_EQ(one.eval("tostring({}) ~= tostring({})"), "true");
}

TEST(LanguageBounds, MemoryEndsAndTheStateLives) {
  LanguageState state;
  state.host().limit_bytes = state.host().used_bytes + 1000000;
  for (const char* bomb :
       {"local t = {} for i = 1, 1e9 do t[i] = i end", "return ('x'):rep(1e9)",
        "local s = 'x' while true do s = s .. s end", "local t = {} while true do t = {t} end",
        "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
        "return ('x'):rep(100000):gsub('x', ('y'):rep(1000))"}) {
    EXPECT_EQ(state.run(bomb), "error: not enough memory") << bomb;
    EXPECT_LE(state.host().used_bytes, state.host().limit_bytes + 1000);  // the message
  }
  EXPECT_EQ(state.eval("1 + 1"), "2");
  EXPECT_EQ(state.eval("pcall(string.rep, 'x', 1e8)"), "false | not enough memory");
}

TEST(LanguageBounds, WorkEnds) {
  LanguageState state;
  for (const char* endless : {
           "while true do end",
           "repeat until false",
           "for i = 1, math.huge do end",
           "for i in function() return 1 end do end",
           "goto top ::top:: goto top",
           "local function f() return f() end f()",
           "local t = setmetatable({}, {__index = function(t, k) "
           "return k == 0 and 1 or t[k-1] + t[k-1] end}) return t[100]",
           "return ('a'):rep(50000):find(('a*'):rep(30) .. 'b')",
           "return ('a'):rep(200000):find('.-.-.-.-b')",
           "return ('a'):rep(3e6):find(('a'):rep(1e6) .. 'b', 1, true)",
           "return ('a'):rep(1e6):find(('[' .. ('b'):rep(1e6) .. ']'))",
           "return ('('):rep(300000):gsub('%b()', '')",
           "local t = {} for i = 1, 1e5 do t[i] = i % 7 end "
           "while true do table.sort(t, function(a, b) return a > b end) end",
           "local t = {} for i = 1, 1e5 do t[i] = ('x'):rep(1000) .. i end while true do "
           "table.sort(t) end",
           "local s = ('x'):rep(1e6) while true do s:upper() end",
           "local a, b = ('x'):rep(1e7) .. 1, ('x'):rep(1e7) .. 2 while true do local c = a < b "
           "end",
           "local t = {} for i = 1, 1e6 do t[i] = i end for i = 1, 1e6 do t[i] = nil end "
           "while true do next(t) end",
           "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 1) end",
           "while true do coroutine.wrap(function() for i = 1, 100 do end end)() end",
           "while true do pcall(error) end",
           "while true do loadstring('return 1') end",
           "while true do collectgarbage() end",
           "local function f(...) while true do select(1, ...) end end f(unpack({}, 1, 1e5))",
       }) {
    state.kill_after(kWorkMax);
    EXPECT_TRUE(state.run(endless).ends_with("killed")) << endless;
    lua_gc(state.lua(), LUA_GCCOLLECT);
  }
  state.kill_after(0);
  EXPECT_EQ(state.eval("1 + 1"), "2");
}

TEST(LanguageBounds, AKillIsNotCaught) {
  LanguageState state;
  for (const char* catching : {
           "while true do pcall(function() while true do end end) end",
           "xpcall(function() while true do end end, function() while true do end end)",
           "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
           "pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) return 1",
           "local t <close> = setmetatable({}, {__close = function() while true do end end}) "
           "while true do end",
           "pcall(string.gsub, ('a'):rep(1e5), '.', function() while true do end end)",
           "load(function() while true do end end)",
       }) {
    state.kill_after(100000);
    EXPECT_TRUE(state.run(catching).starts_with("error: ")) << catching;
  }
  state.kill_after(0);
  EXPECT_EQ(state.eval("1 + 1"), "2");
}

TEST(LanguageBounds, BytecodeIsRefused) {
  LanguageState state;
  EXPECT_EQ(state.eval("loadstring('\\27Lua')"),
            "nil | [string \"\x1bLua\"]:1: unexpected symbol near 'char(27)'");
  EXPECT_EQ(state.eval("load(function() return '\\27LuaT' end)"),
            "nil | (load):1: unexpected symbol near 'char(27)'");
  EXPECT_EQ(state.run("\x1bLuaT"), "error: s:1: unexpected symbol near 'char(27)'");
}

TEST(LanguageBounds, DepthEnds) {
  LanguageState state;
  for (const char* deep : {
           "local function f(n) return 1 + f(n + 1) end f(1)",
           "local t = {} setmetatable(t, {__index = function(t, k) return t[k + 1] end}) return "
           "t[1]",
           "local function f() return coroutine.wrap(f)() end f()",
           "local function f() return pcall(f) end f() error('deep')",
           "local function f() local s = ('x'):gsub('x', f) end f()",
           "return assert(loadstring('return ' .. ('('):rep(10000) .. '1' .. (')'):rep(10000)))",
           "return assert(loadstring('return ' .. ('{'):rep(10000)))",
           "return assert(loadstring(('do '):rep(10000)))",
           "return assert(loadstring('return ' .. ('a..'):rep(10000) .. 'a'))",
           "return assert(loadstring('return ' .. ('-'):rep(1) .. (' not '):rep(10000) .. '1'))",
           "return ('x'):rep(300000):match(('(x'):rep(30000))",
           "return ('x'):rep(300000):match(('x?'):rep(300000))",
       }) {
    EXPECT_TRUE(state.run(deep).starts_with("error: ")) << deep;
  }
  EXPECT_EQ(state.eval("1 + 1"), "2");
}

// The embedding's yield in a coroutine of the script: all of it is suspended, and goes on.
TEST(LanguageBounds, SuspensionPassesThroughCoroutines) {
  LanguageState state;
  LuaHost& host = state.host();
  lua_State* script = lua_newthread(state.lua());
  host.script = script;
  host.work = [](lua_State* lua) {
    host_of(lua).left = 1000;
    suspend_soon(lua);
  };
  host.left = 1000;
  constexpr std::string_view kScript =
      "local sum = 0 "
      "local inner = coroutine.wrap(function() "
      "  for i = 1, 10000 do sum = sum + 1 if i % 1000 == 0 then coroutine.yield(i) end end end) "
      "local outer = coroutine.create(function() "
      "  for i = 1, 10 do pcall(inner) coroutine.yield(i) end end) "
      "local t = {} for i = 1, 2000 do t[i] = i end "
      "table.sort(t, function(a, b) return a > b end) "
      "for i = 1, 10 do local ok, x = coroutine.resume(outer) sum = sum + x end return sum";
  ASSERT_EQ(luaL_loadbufferx(script, kScript.data(), kScript.size(), "=s", nullptr), LUA_OK);
  int results = 0;
  int suspensions = 0;
  int status = lua_resume(script, nullptr, 0, &results);
  while (status == LUA_YIELD) {
    ASSERT_TRUE(host.suspended);
    ASSERT_EQ(results, 0);
    host.suspended = false;
    ++suspensions;
    status = lua_resume(script, nullptr, 0, &results);
  }
  ASSERT_EQ(status, LUA_OK) << lua_tostring(script, -1);
  EXPECT_EQ(lua_tonumber(script, -1), 10055);
  EXPECT_GT(suspensions, 8);
}

}  // namespace

}  // namespace redoubt
