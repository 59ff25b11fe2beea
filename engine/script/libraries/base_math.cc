// The tables math and os, and open_base.
//
// math.random is the generator of drand48 (X' = 0x5DEECE66D X + 11 mod 2^48), of which the upper 31
// bits are taken, as Redis has it: scripts that count on its sequence find it.
#include <cmath>

#include "engine/script/libraries/base.h"
#include "engine/script/libraries/base_parts.h"
#include "engine/script/libraries/lua_host.h"

namespace redoubt {

namespace {

constexpr uint64_t kRandomMask = (uint64_t{1} << 48) - 1;
constexpr uint64_t kRandomStart = 0x1234ABCD330E;
constexpr int32_t kRandomMax = 0x7fffffff;

// In [0, 1).
double next_random(LuaHost& host) {
  host.random = (host.random * 0x5DEECE66D + 0xB) & kRandomMask;
  const auto upper = static_cast<int32_t>(host.random >> 17);
  return static_cast<double>(upper % kRandomMax) / kRandomMax;
}

int math_random(lua_State* lua) {
  const int count = lua_gettop(lua);
  const double fraction = next_random(host_of(lua));
  if (count == 0) {
    lua_pushnumber(lua, fraction);
    return 1;
  }
  if (count > 2) return luaL_error(lua, "wrong number of arguments");
  const double low = count == 1 ? 1 : int_argument(lua, 1);
  const double high = int_argument(lua, count);
  luaL_argcheck(lua, low <= high, count, "interval is empty");
  lua_pushnumber(lua, std::floor(fraction * (high - low + 1)) + low);
  return 1;
}

int math_randomseed(lua_State* lua) {
  const auto seed = static_cast<uint32_t>(int_argument(lua, 1));
  host_of(lua).random = (uint64_t{seed} << 16 | 0x330E) & kRandomMask;
  return 0;
}

int math_floor(lua_State* lua) {
  lua_pushnumber(lua, std::floor(luaL_checknumber(lua, 1)));
  return 1;
}

int math_ceil(lua_State* lua) {
  lua_pushnumber(lua, std::ceil(luaL_checknumber(lua, 1)));
  return 1;
}

// The largest argument; the smallest when `sign` is -1.
int push_extreme(lua_State* lua, double sign) {
  double extreme = luaL_checknumber(lua, 1);
  for (int i = 2; i <= lua_gettop(lua); ++i) {
    const double number = luaL_checknumber(lua, i);
    if (sign * number > sign * extreme) extreme = number;
  }
  lua_pushnumber(lua, extreme);
  return 1;
}

int math_max(lua_State* lua) {
  return push_extreme(lua, 1);
}

int math_min(lua_State* lua) {
  return push_extreme(lua, -1);
}

// The whole part and the rest, which have the number's sign also when they are 0.
int math_modf(lua_State* lua) {
  double whole = 0;
  const double rest = std::modf(luaL_checknumber(lua, 1), &whole);
  lua_pushnumber(lua, whole);
  lua_pushnumber(lua, rest);
  return 2;
}

// Of two arguments 5.1 checks the second one first.
int math_atan2(lua_State* lua) {
  const double x = luaL_checknumber(lua, 2);
  lua_pushnumber(lua, std::atan2(luaL_checknumber(lua, 1), x));
  return 1;
}

int math_pow(lua_State* lua) {
  const double exponent = luaL_checknumber(lua, 2);
  lua_pushnumber(lua, std::pow(luaL_checknumber(lua, 1), exponent));
  return 1;
}

int math_ldexp(lua_State* lua) {
  const int exponent = int_argument(lua, 2);
  lua_pushnumber(lua, std::ldexp(luaL_checknumber(lua, 1), exponent));
  return 1;
}

int math_deg(lua_State* lua) {
  constexpr double kRadiansPerDegree = 3.14159265358979323846 / 180.0;
  lua_pushnumber(lua, luaL_checknumber(lua, 1) / kRadiansPerDegree);
  return 1;
}

int math_atan(lua_State* lua) {
  lua_pushnumber(lua, std::atan(luaL_checknumber(lua, 1)));
  return 1;
}

// 5.1 knows no other base.
int math_log(lua_State* lua) {
  lua_pushnumber(lua, std::log(luaL_checknumber(lua, 1)));
  return 1;
}

int os_clock(lua_State* lua) {
  LuaHost& host = host_of(lua);
  lua_pushnumber(lua, host.clock_seconds != nullptr ? host.clock_seconds(host) : 0);
  return 1;
}

constexpr luaL_Reg kMathFunctions[] = {
    {"atan", math_atan},
    {"atan2", math_atan2},
    {"ceil", math_ceil},
    {"modf", math_modf},
    {"deg", math_deg},
    {"ldexp", math_ldexp},
    {"pow", math_pow},
    {"floor", math_floor},
    {"log", math_log},
    {"max", math_max},
    {"min", math_min},
    {"random", math_random},
    {"randomseed", math_randomseed},
    {nullptr, nullptr},
};
constexpr const char* kNotInMath[] = {"maxinteger", "mininteger", "tointeger", "type", "ult"};

}  // namespace

void open_math(lua_State* lua) {
  open_lua_library(lua, "math", luaopen_math);
  remove_fields(lua, kNotInMath);
  set_functions(lua, kMathFunctions);
  lua_getfield(lua, -1, "fmod");
  lua_setfield(lua, -2, "mod");
  lua_pop(lua, 1);
  reset_random(lua);
}

void reset_random(lua_State* lua) {
  host_of(lua).random = kRandomStart;
}

void open_base(lua_State* lua) {
  open_functions(lua);
  open_string(lua);
  open_table(lua);
  open_math(lua);
  open_coroutine(lua);
  lua_newtable(lua);
  lua_pushcfunction(lua, os_clock);
  lua_setfield(lua, -2, "clock");
  lua_setglobal(lua, "os");
}

}  // namespace redoubt
