// All that a script sees besides the table `redis`.
#pragma once

#include <lua.hpp>

namespace redoubt {

// Sets the globals: the language's own (base.h), bit, struct, cjson and cmsgpack. Raises an error
// when there is not enough memory, so it is called under lua_pcall; it leaves the stack as it was.
void open_libraries(lua_State* lua);

}  // namespace redoubt
