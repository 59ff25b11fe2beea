// The global functions. Where 5.1 looked at a table itself (ipairs, unpack), these do.
#include <climits>
#include <cstring>

#include "engine/script/libraries/base_parts.h"
#include "engine/script/libraries/lua_host.h"

namespace redoubt {

namespace {

int base_assert(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (lua_toboolean(lua, 1) != 0) return lua_gettop(lua);
  return luaL_error(lua, "%s", luaL_optstring(lua, 2, "assertion failed!"));
}

int base_error(lua_State* lua) {
  const int level = lua_isnoneornil(lua, 2) ? 1 : int_argument(lua, 2);
  lua_settop(lua, 1);
  if (lua_isstring(lua, 1) != 0 && level > 0) {
    luaL_where(lua, level);
    lua_pushvalue(lua, 1);
    lua_concat(lua, 2);
  }
  return lua_error(lua);
}

int base_getmetatable(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (lua_getmetatable(lua, 1) == 0) lua_pushnil(lua);
  luaL_getmetafield(lua, 1, "__metatable");  // if there is one, that is told
  return 1;
}

int base_setmetatable(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int type = lua_type(lua, 2);
  luaL_argcheck(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
    return luaL_error(lua, "cannot change a protected metatable");
  }
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

int base_rawequal(lua_State* lua) {
  luaL_checkany(lua, 1);
  luaL_checkany(lua, 2);
  lua_pushboolean(lua, lua_rawequal(lua, 1, 2));
  return 1;
}

int base_rawget(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  lua_rawget(lua, 1);
  return 1;
}

int base_rawset(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  luaL_checkany(lua, 3);
  lua_settop(lua, 3);
  lua_rawset(lua, 1);
  return 1;
}

int base_type(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushstring(lua, luaL_typename(lua, 1));
  return 1;
}

int base_next(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 2);
  if (lua_next(lua, 1) != 0) return 2;
  lua_pushnil(lua);
  return 1;
}

// The iterator is the function's upvalue.
int base_pairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

int next_of_ipairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const lua_Integer index = luaL_checkinteger(lua, 2) + 1;
  lua_pushinteger(lua, index);
  return lua_rawgeti(lua, 1, index) == LUA_TNIL ? 0 : 2;
}

int base_ipairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushinteger(lua, 0);
  return 3;
}

int base_select(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (lua_type(lua, 1) == LUA_TSTRING && *lua_tostring(lua, 1) == '#') {
    lua_pushinteger(lua, count - 1);
    return 1;
  }
  int first = int_argument(lua, 1);
  if (first < 0)
    first = count + first;
  else if (first > count)
    first = count;
  luaL_argcheck(lua, 1 <= first, 1, "index out of range");
  lua_work(lua, static_cast<size_t>(count - first) / 16);
  return count - first;
}

int base_unpack(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int first = lua_isnoneornil(lua, 2) ? 1 : int_argument(lua, 2);
  const int last =
      lua_isnoneornil(lua, 3) ? static_cast<int>(lua_rawlen(lua, 1)) : int_argument(lua, 3);
  if (first > last) return 0;
  const int64_t count = int64_t{last} - first + 1;
  if (count > INT_MAX / 2 || lua_checkstack(lua, static_cast<int>(count)) == 0) {
    return luaL_error(lua, "too many results to unpack");
  }
  lua_work(lua, static_cast<size_t>(count) / 4);
  for (int64_t i = first; i <= last; ++i) lua_rawgeti(lua, 1, i);
  return static_cast<int>(count);
}

bool is_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// A digit's value, or 36.
unsigned digit_value(char byte) {
  if (byte >= '0' && byte <= '9') return static_cast<unsigned>(byte - '0');
  if (byte >= 'a' && byte <= 'z') return static_cast<unsigned>(byte - 'a') + 10;
  if (byte >= 'A' && byte <= 'Z') return static_cast<unsigned>(byte - 'A') + 10;
  return 36;
}

// As strtoul: white space, a sign, "0x" in base 16; saturates, and a negative number wraps around.
// `text` ends with a zero, and so does what is read.
bool parse_in_base(const char* text, unsigned base, uint64_t& value) {
  while (is_space(*text)) ++text;
  const bool negative = *text == '-';
  if (*text == '-' || *text == '+') ++text;
  if (base == 16 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
      digit_value(text[2]) < 16) {
    text += 2;
  }
  if (digit_value(*text) >= base) return false;
  bool overflow = false;
  value = 0;
  for (unsigned digit; (digit = digit_value(*text)) < base; ++text) {
    overflow = overflow || __builtin_mul_overflow(value, uint64_t{base}, &value) ||
               __builtin_add_overflow(value, uint64_t{digit}, &value);
  }
  if (overflow)
    value = UINT64_MAX;
  else if (negative)
    value = 0 - value;
  while (is_space(*text)) ++text;
  return *text == '\0';
}

int base_tonumber(lua_State* lua) {
  const int base = lua_isnoneornil(lua, 2) ? 10 : int_argument(lua, 2);
  if (base == 10) {
    luaL_checkany(lua, 1);
    if (lua_isnumber(lua, 1) != 0)
      lua_pushnumber(lua, lua_tonumber(lua, 1));
    else
      lua_pushnil(lua);
    return 1;
  }
  size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  luaL_argcheck(lua, 2 <= base && base <= 36, 2, "base out of range");
  lua_work(lua, size / 16);
  uint64_t value = 0;
  if (parse_in_base(text, static_cast<unsigned>(base), value)) {
    lua_pushnumber(lua, static_cast<lua_Number>(value));
  } else {
    lua_pushnil(lua);
  }
  return 1;
}

// What __tostring returns may be anything.
int base_tostring(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (luaL_callmeta(lua, 1, "__tostring") != 0) return 1;
  switch (lua_type(lua, 1)) {
    case LUA_TNUMBER:
    case LUA_TSTRING: lua_tolstring(lua, 1, nullptr); return lua_settop(lua, 1), 1;
    case LUA_TBOOLEAN: lua_pushstring(lua, lua_toboolean(lua, 1) != 0 ? "true" : "false"); break;
    case LUA_TNIL: lua_pushliteral(lua, "nil"); break;
    default: lua_pushfstring(lua, "%s: %p", luaL_typename(lua, 1), lua_topointer(lua, 1)); break;
  }
  return 1;
}

// The function that load takes gives a piece of text each time, and nil or "" at the end.
constexpr int kPieceSlot = 3;

const char* read_piece(lua_State* lua, void* /*user*/, size_t* size) {
  luaL_checkstack(lua, 2, "too many nested functions");
  lua_pushvalue(lua, 1);
  lua_call(lua, 0, 1);
  *size = 0;
  if (lua_isnil(lua, -1)) {
    lua_pop(lua, 1);
    return nullptr;
  }
  if (lua_isstring(lua, -1) == 0) luaL_error(lua, "reader function must return a string");
  lua_replace(lua, kPieceSlot);
  return lua_tolstring(lua, kPieceSlot, size);
}

// The compiled function, or nil and a message.
int finish_load(lua_State* lua, int status) {
  pass_on_kill(lua, status);
  if (status == LUA_OK) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int base_load(lua_State* lua) {
  const char* name = luaL_optstring(lua, 2, "=(load)");
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  lua_settop(lua, kPieceSlot);
  return finish_load(lua, lua_load(lua, read_piece, nullptr, name, "t"));
}

int base_loadstring(lua_State* lua) {
  size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  const char* name = luaL_optstring(lua, 2, text);
  lua_work(lua, size / 16);
  return finish_load(lua, luaL_loadbufferx(lua, text, size, name, "t"));
}

// Of an error that is a table, pcall gives the field "err" if there is one.
int finish_pcall(lua_State* lua, int status, lua_KContext /*context*/) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(lua);
  pass_on_kill(lua, status);
  if (lua_istable(lua, -1)) {
    if (lua_getfield(lua, -1, "err") == LUA_TNIL) lua_pop(lua, 1);
  }
  lua_pushboolean(lua, 0);
  lua_insert(lua, -2);
  return 2;
}

int base_pcall(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  const int status = lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0, 0, finish_pcall);
  return finish_pcall(lua, status, 0);
}

int finish_xpcall(lua_State* lua, int status, lua_KContext /*context*/) {
  pass_on_kill(lua, status == LUA_YIELD ? LUA_OK : status);
  lua_pushboolean(lua, status == LUA_OK || status == LUA_YIELD ? 1 : 0);
  lua_replace(lua, 1);
  return lua_gettop(lua);
}

// The handler stays at index 1, in the place of the first result.
int base_xpcall(lua_State* lua) {
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  lua_insert(lua, 1);
  return finish_xpcall(lua, lua_pcallk(lua, 0, LUA_MULTRET, 1, 0, finish_xpcall), 0);
}

int base_gcinfo(lua_State* lua) {
  lua_pushinteger(lua, static_cast<lua_Integer>(host_of(lua).used_bytes / 1024));
  return 1;
}

// Only "collect" does anything: how garbage is collected is not the script's to set.
int base_collectgarbage(lua_State* lua) {
  static constexpr const char* kOptions[] = {"stop", "restart",  "collect",    "count",
                                             "step", "setpause", "setstepmul", nullptr};
  const auto used = static_cast<lua_Number>(host_of(lua).used_bytes);
  switch (luaL_checkoption(lua, 1, "collect", kOptions)) {
    case 2:
      lua_work(lua, static_cast<size_t>(used / 64));
      lua_gc(lua, LUA_GCCOLLECT);
      lua_pushinteger(lua, 0);
      break;
    case 3: lua_pushnumber(lua, used / 1024); break;
    case 4: lua_pushboolean(lua, 0); break;
    case 5:
    case 6: lua_pushinteger(lua, 200); break;
    default: lua_pushinteger(lua, 0); break;
  }
  return 1;
}

constexpr luaL_Reg kBaseFunctions[] = {
    {"assert", base_assert},
    {"collectgarbage", base_collectgarbage},
    {"error", base_error},
    {"gcinfo", base_gcinfo},
    {"getmetatable", base_getmetatable},
    {"load", base_load},
    {"loadstring", base_loadstring},
    {"next", base_next},
    {"pcall", base_pcall},
    {"rawequal", base_rawequal},
    {"rawget", base_rawget},
    {"rawset", base_rawset},
    {"select", base_select},
    {"setmetatable", base_setmetatable},
    {"tonumber", base_tonumber},
    {"tostring", base_tostring},
    {"type", base_type},
    {"unpack", base_unpack},
    {"xpcall", base_xpcall},
    {nullptr, nullptr},
};

}  // namespace

int int_argument(lua_State* lua, int argument) {
  return static_cast<int>(luaL_checkinteger(lua, argument));
}

void set_functions(lua_State* lua, const luaL_Reg* functions) {
  for (; functions->name != nullptr; ++functions) {
    lua_pushcfunction(lua, functions->func);
    lua_setfield(lua, -2, functions->name);
  }
}

void open_lua_library(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_call(lua, 0, 1);
  lua_pushvalue(lua, -1);
  lua_setglobal(lua, name);
}

void pass_on_kill(lua_State* lua, int status) {
  if (status != LUA_OK && host_of(lua).killed) lua_error(lua);
}

void open_functions(lua_State* lua) {
  lua_pushglobaltable(lua);
  set_functions(lua, kBaseFunctions);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -2, "_G");
  lua_pushliteral(lua, "Lua 5.1");
  lua_setfield(lua, -2, "_VERSION");
  lua_getfield(lua, -1, "next");
  lua_pushcclosure(lua, base_pairs, 1);
  lua_setfield(lua, -2, "pairs");
  lua_pushcfunction(lua, next_of_ipairs);
  lua_pushcclosure(lua, base_ipairs, 1);
  lua_setfield(lua, -2, "ipairs");
  lua_pop(lua, 1);
}

}  // namespace redoubt
