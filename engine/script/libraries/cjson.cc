// Why not lua-cjson itself: its buffers are malloc's, which Lua does not count, and stay when Lua
// raises an error; it ends the process when they cannot grow; it reads and writes numbers by strtod
// and the locale, with the decimal point in a static variable; and it would recurse on Lua 5.4 as
// deep as a script asks for.
//
// What differs from it: a kept buffer (encode_keep_buffer) is a setting without effect, and a key
// of 2^31 or more makes a table an object whatever its other keys are.
#include "engine/script/libraries/cjson.h"

#include <climits>
#include <new>

#include "engine/script/libraries/cjson_settings.h"

namespace redoubt {

namespace {

void new_cjson(lua_State* lua);

// Setters take up to `count` arguments; one that is missing or nil leaves its setting as it is.
void limit_arguments(lua_State* lua, int count) {
  luaL_argcheck(lua, lua_gettop(lua) <= count, count + 1, "found too many arguments");
  lua_settop(lua, count);
}

void set_integer(lua_State* lua, int argument, int& setting, int least, int most) {
  if (!lua_isnil(lua, argument)) {
    const int64_t value = checked_integer(lua, argument);
    if (value < least || value > most) {
      luaL_argerror(lua, 1,
                    lua_pushfstring(lua, "expected integer between %d and %d", least, most));
    }
    setting = static_cast<int>(value);
  }
  push_integer(lua, setting);
}

constexpr const char* kOffOnNull[] = {"off", "on", "null", nullptr};
constexpr const char* kOffOn[] = {"off", "on", nullptr};

// The setting is an index of `options`, of which the first two are also false and true.
int set_option(lua_State* lua, int argument, int& setting, const char* const* options) {
  if (lua_isboolean(lua, argument)) {
    setting = lua_toboolean(lua, argument);
  } else if (!lua_isnil(lua, argument)) {
    setting = luaL_checkoption(lua, argument, nullptr, options);
  }
  if (setting <= 1) {
    lua_pushboolean(lua, setting);
  } else {
    lua_pushstring(lua, options[setting]);
  }
  return 1;
}

int cjson_encode_max_depth(lua_State* lua) {
  limit_arguments(lua, 1);
  set_integer(lua, 1, cjson_settings(lua).encode_depth_max, 1, INT_MAX);
  return 1;
}

int cjson_decode_max_depth(lua_State* lua) {
  limit_arguments(lua, 1);
  set_integer(lua, 1, cjson_settings(lua).decode_depth_max, 1, INT_MAX);
  return 1;
}

int cjson_encode_number_precision(lua_State* lua) {
  limit_arguments(lua, 1);
  set_integer(lua, 1, cjson_settings(lua).digits, 1, 14);
  return 1;
}

int cjson_encode_sparse_array(lua_State* lua) {
  limit_arguments(lua, 3);
  CjsonSettings& settings = cjson_settings(lua);
  int as_object = settings.sparse_as_object ? 1 : 0;
  set_option(lua, 1, as_object, kOffOn);
  settings.sparse_as_object = as_object == 1;
  set_integer(lua, 2, settings.sparse_ratio, 0, INT_MAX);
  set_integer(lua, 3, settings.sparse_safe, 0, INT_MAX);
  return 3;
}

int cjson_encode_keep_buffer(lua_State* lua) {
  limit_arguments(lua, 1);
  return set_option(lua, 1, cjson_settings(lua).keep_buffer, kOffOn);
}

int cjson_encode_invalid_numbers(lua_State* lua) {
  limit_arguments(lua, 1);
  return set_option(lua, 1, cjson_settings(lua).encode_invalid_numbers, kOffOnNull);
}

int cjson_decode_invalid_numbers(lua_State* lua) {
  limit_arguments(lua, 1);
  return set_option(lua, 1, cjson_settings(lua).decode_invalid_numbers, kOffOn);
}

int cjson_decode_array_with_array_mt(lua_State* lua) {
  limit_arguments(lua, 1);
  return set_option(lua, 1, cjson_settings(lua).mark_empty_arrays, kOffOn);
}

int cjson_new(lua_State* lua) {
  new_cjson(lua);
  return 1;
}

constexpr luaL_Reg kCjsonFunctions[] = {
    {"encode", cjson_encode},
    {"decode", cjson_decode},
    {"encode_sparse_array", cjson_encode_sparse_array},
    {"encode_max_depth", cjson_encode_max_depth},
    {"decode_max_depth", cjson_decode_max_depth},
    {"encode_number_precision", cjson_encode_number_precision},
    {"encode_keep_buffer", cjson_encode_keep_buffer},
    {"encode_invalid_numbers", cjson_encode_invalid_numbers},
    {"decode_invalid_numbers", cjson_decode_invalid_numbers},
    {"decode_array_with_array_mt", cjson_decode_array_with_array_mt},
    {"new", cjson_new},
    {nullptr, nullptr},
};

// Scripts do not get at it, so that one cannot leave something in it for another.
void push_new_array_metatable(lua_State* lua) {
  lua_createtable(lua, 0, 2);
  lua_pushboolean(lua, 1);
  lua_setfield(lua, -2, kArrayMark);
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
}

void new_cjson(lua_State* lua) {
  lua_newtable(lua);
  new (lua_newuserdatauv(lua, sizeof(CjsonSettings), 0)) CjsonSettings;
  push_new_array_metatable(lua);
  luaL_setfuncs(lua, kCjsonFunctions, 2);
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, -2, "null");
  lua_pushstring(lua, "cjson");
  lua_setfield(lua, -2, "_NAME");
  lua_pushstring(lua, "2.1.0");
  lua_setfield(lua, -2, "_VERSION");
}

}  // namespace

void open_cjson(lua_State* lua) {
  new_cjson(lua);
}

}  // namespace redoubt
