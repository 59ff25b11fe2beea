#include "engine/script/libraries/libraries.h"

#include "engine/script/libraries/base.h"
#include "engine/script/libraries/bit.h"
#include "engine/script/libraries/cjson.h"
#include "engine/script/libraries/cmsgpack.h"
#include "engine/script/libraries/struct_pack.h"

namespace redoubt {

void open_libraries(lua_State* lua) {
  struct Library {
    const char* name;
    void (*open)(lua_State* lua);  // pushes its table
  };
  constexpr Library kLibraries[] = {{"bit", open_bit},
                                    {"struct", open_struct},
                                    {"cjson", open_cjson},
                                    {"cmsgpack", open_cmsgpack}};
  open_base(lua);
  for (const Library& library : kLibraries) {
    library.open(lua);
    lua_setglobal(lua, library.name);
  }
}

}  // namespace redoubt
