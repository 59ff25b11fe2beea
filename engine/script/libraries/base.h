// The language's own library, as scripts see it in Redis 7: that of Lua 5.1 without what reaches
// the world, and os.clock. docs/scripts.md lists what differs.
#pragma once

#include <lua.hpp>

namespace redoubt {

// Sets the global functions and the tables string, table, math, coroutine and os. Raises an error
// when there is not enough memory, so it is called under lua_pcall; it leaves the stack as it was.
void open_base(lua_State* lua);

// math.random begins its sequence again: the same one each time.
void reset_random(lua_State* lua);

}  // namespace redoubt
