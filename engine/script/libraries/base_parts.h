// The parts of open_base. Each sets globals and leaves the stack as it was.
#pragma once

#include <cstddef>
#include <lua.hpp>

namespace redoubt {

void open_functions(lua_State* lua);
void open_coroutine(lua_State* lua);
void open_string(lua_State* lua);
void open_table(lua_State* lua);
void open_math(lua_State* lua);

// Sets the global `name` to a library of the interpreter, and pushes it. (Not by luaL_requiref:
// errors would name functions by what it remembers, string.rep instead of rep.)
void open_lua_library(lua_State* lua, const char* name, lua_CFunction open);

// Makes `functions`, up to its entry with no name, the fields of the table on top of the stack.
void set_functions(lua_State* lua, const luaL_Reg* functions);

// Takes fields of the table on top of the stack away.
template <size_t kCount>
void remove_fields(lua_State* lua, const char* const (&names)[kCount]) {
  for (const char* name : names) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, name);
  }
}

// A number as C's int had it on the machines that scripts were written on.
int int_argument(lua_State* lua, int argument);

// A call returned with `status`. When that is an error of a script that is killed, raises the error
// again; it is on top of the stack.
void pass_on_kill(lua_State* lua, int status);

}  // namespace redoubt
