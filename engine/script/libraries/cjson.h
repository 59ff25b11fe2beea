// The library "cjson" of scripts: values to and from JSON, as lua-cjson 2.1 does, with the limits
// that Redis sets.
#pragma once

struct lua_State;

namespace redoubt {

// Pushes the library's table.
void open_cjson(lua_State* lua);

}  // namespace redoubt
