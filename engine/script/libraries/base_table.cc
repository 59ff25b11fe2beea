// The tables string and table. Like 5.1, these functions look at a table itself, not at what its
// metatable makes of it; sort does otherwise.
#include "engine/script/libraries/base_parts.h"
#include "engine/script/libraries/lua_host.h"

namespace redoubt {

namespace {

// Positions before the first element that insert moves elements to; each is a step.
constexpr int kPositionMin = -(1 << 20);

int length_of_table(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  return static_cast<int>(lua_rawlen(lua, 1));
}

int table_getn(lua_State* lua) {
  lua_pushinteger(lua, length_of_table(lua));
  return 1;
}

int table_setn(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  return luaL_error(lua, "'setn' is obsolete");
}

int table_maxn(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_Number largest = 0;
  lua_pushnil(lua);
  while (lua_next(lua, 1) != 0) {
    lua_pop(lua, 1);
    lua_work(lua, 1);
    if (lua_type(lua, -1) == LUA_TNUMBER && lua_tonumber(lua, -1) > largest) {
      largest = lua_tonumber(lua, -1);
    }
  }
  lua_pushnumber(lua, largest);
  return 1;
}

// Calls the function with the key and the value on top of the stack, which stay: true if it gives a
// result, which is then on top.
bool call_for_element(lua_State* lua) {
  lua_pushvalue(lua, 2);
  lua_pushvalue(lua, -3);
  lua_pushvalue(lua, -3);
  lua_call(lua, 2, 1);
  if (!lua_isnil(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

int table_foreach(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_pushnil(lua);
  while (lua_next(lua, 1) != 0) {
    if (call_for_element(lua)) return 1;
    lua_pop(lua, 1);
  }
  return 0;
}

int table_foreachi(lua_State* lua) {
  const int count = length_of_table(lua);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  for (int i = 1; i <= count; ++i) {
    lua_pushinteger(lua, i);
    lua_rawgeti(lua, 1, i);
    if (call_for_element(lua)) return 1;
    lua_pop(lua, 2);
  }
  return 0;
}

int table_insert(lua_State* lua) {
  int64_t end = int64_t{length_of_table(lua)} + 1;
  int64_t position = end;
  if (lua_gettop(lua) == 3) {
    position = int_argument(lua, 2);
    luaL_argcheck(lua, position >= kPositionMin, 2, "position out of bounds");
    if (position > end) end = position;
    for (int64_t i = end; i > position; --i) {
      lua_rawgeti(lua, 1, i - 1);
      lua_rawseti(lua, 1, i);
    }
    lua_work(lua, static_cast<size_t>(end - position) / 4);
  } else if (lua_gettop(lua) != 2) {
    return luaL_error(lua, "wrong number of arguments to 'insert'");
  }
  lua_rawseti(lua, 1, position);
  return 0;
}

int table_remove(lua_State* lua) {
  const int end = length_of_table(lua);
  int position = lua_isnoneornil(lua, 2) ? end : int_argument(lua, 2);
  if (!(1 <= position && position <= end)) return 0;
  lua_work(lua, static_cast<size_t>(end - position) / 4);
  lua_rawgeti(lua, 1, position);
  for (; position < end; ++position) {
    lua_rawgeti(lua, 1, position + 1);
    lua_rawseti(lua, 1, position);
  }
  lua_pushnil(lua);
  lua_rawseti(lua, 1, end);
  return 1;
}

void add_element(lua_State* lua, luaL_Buffer& buffer, int index) {
  lua_work(lua, 1);
  lua_rawgeti(lua, 1, index);
  if (lua_isstring(lua, -1) == 0) {
    luaL_error(lua, "invalid value (%s) at index %d in table for 'concat'", luaL_typename(lua, -1),
               index);
  }
  luaL_addvalue(&buffer);
}

int table_concat(lua_State* lua) {
  size_t size = 0;
  const char* separator = luaL_optlstring(lua, 2, "", &size);
  luaL_checktype(lua, 1, LUA_TTABLE);
  int index = lua_isnoneornil(lua, 3) ? 1 : int_argument(lua, 3);
  const int last = lua_isnoneornil(lua, 4) ? length_of_table(lua) : int_argument(lua, 4);
  luaL_Buffer buffer;
  luaL_buffinit(lua, &buffer);
  for (; index < last; ++index) {
    add_element(lua, buffer, index);
    luaL_addlstring(&buffer, separator, size);
  }
  if (index == last) add_element(lua, buffer, index);
  luaL_pushresult(&buffer);
  return 1;
}

constexpr luaL_Reg kTableFunctions[] = {
    {"concat", table_concat}, {"foreach", table_foreach}, {"foreachi", table_foreachi},
    {"getn", table_getn},     {"insert", table_insert},   {"maxn", table_maxn},
    {"remove", table_remove}, {"setn", table_setn},       {nullptr, nullptr},
};
constexpr const char* kNotInTable[] = {"move", "pack", "unpack"};
constexpr const char* kNotInString[] = {"pack", "packsize", "unpack"};

}  // namespace

void open_string(lua_State* lua) {
  open_lua_library(lua, "string", luaopen_string);
  remove_fields(lua, kNotInString);
  lua_getfield(lua, -1, "gmatch");
  lua_setfield(lua, -2, "gfind");
  lua_pop(lua, 1);
}

void open_table(lua_State* lua) {
  open_lua_library(lua, "table", luaopen_table);
  remove_fields(lua, kNotInTable);
  set_functions(lua, kTableFunctions);
  lua_pop(lua, 1);
}

}  // namespace redoubt
