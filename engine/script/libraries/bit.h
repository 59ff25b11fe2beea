// The library "bit" of scripts: operations on 32-bit integers, as Lua BitOp has them.
#pragma once

struct lua_State;

namespace redoubt {

// Pushes the library's table.
void open_bit(lua_State* lua);

}  // namespace redoubt
