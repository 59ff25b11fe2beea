// The library "struct" of scripts: numbers and strings to and from bytes by a format, as in the
// library of that name by R. Ierusalimschy (struct 0.2), whose documentation lists the options.
#pragma once

struct lua_State;

namespace redoubt {

// Pushes the library's table.
void open_struct(lua_State* lua);

}  // namespace redoubt
