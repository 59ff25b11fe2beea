#include "engine/script/libraries/arguments.h"

#include <limits>

namespace redoubt {

namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

}  // namespace

int64_t cut_to_signed(double number) {
  if (number >= -kTwoTo63 && number < kTwoTo63) return static_cast<int64_t>(number);
  return std::numeric_limits<int64_t>::min();
}

uint64_t cut_to_unsigned(double number) {
  if (number >= kTwoTo64) return 0;
  if (number >= kTwoTo63) return static_cast<uint64_t>(number);
  return static_cast<uint64_t>(cut_to_signed(number));
}

int64_t checked_integer(lua_State* lua, int argument) {
  return cut_to_signed(luaL_checknumber(lua, argument));
}

int64_t integer_or(lua_State* lua, int argument, int64_t fallback) {
  return lua_isnoneornil(lua, argument) ? fallback : checked_integer(lua, argument);
}

void push_integer(lua_State* lua, int64_t value) {
  lua_pushnumber(lua, static_cast<double>(value));
}

bool stack_holds(lua_State* lua, int slots, int used) {
  // Some more, for what is pushed for a moment.
  constexpr int kSpare = 8;
  return lua_gettop(lua) - used + slots <= kStackSlotsMax && lua_checkstack(lua, slots + kSpare);
}

void check_stack(lua_State* lua, int slots, const char* message, int used) {
  if (!stack_holds(lua, slots, used)) luaL_error(lua, "stack overflow (%s)", message);
}

}  // namespace redoubt
