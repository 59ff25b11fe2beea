// The table `redis` of scripts, also known as `server`: commands, replies, and what they may know
// of the server.
#pragma once

#include <lua.hpp>
#include <string_view>

namespace redoubt {

// Pushes it; `version` is Redis's version that the node reports.
void push_redis_library(lua_State* lua, std::string_view version);
// Pushes the one that a library of functions sees while it is loaded.
void push_load_library(lua_State* lua, std::string_view version);
// What __index of the globals does: an error that names the variable.
int refuse_unknown_global(lua_State* lua);

}  // namespace redoubt
