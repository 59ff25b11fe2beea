// The library "cmsgpack" of scripts: values to and from MessagePack.
#pragma once

struct lua_State;

namespace redoubt {

// Pushes the library's table.
void open_cmsgpack(lua_State* lua);

}  // namespace redoubt
