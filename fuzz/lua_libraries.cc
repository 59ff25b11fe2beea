// Bytes of unknown origin for what the libraries of scripts read: cmsgpack.unpack, unpack_one and
// unpack_limit, cjson.decode, and struct.pack, size and unpack by a format of unknown origin. The
// first byte says which. What was read can be written and read again, and is the same then.
//
// The scripts below do it. Memory and work are limited, so that their limits are met, too.
#include <cstdint>
#include <initializer_list>

#include "engine/script/libraries/libraries.h"
#include "engine/script/libraries/lua_host.h"
#include "net/assert.h"

namespace {

using namespace redoubt;

constexpr size_t kMemoryMax = size_t{16} << 20;
constexpr ptrdiff_t kWorkMax = 10'000'000;

// Each takes the input, and a number of the second byte. A result of false is a bug, an error is
// not.
constexpr const char* kScripts[] = {
    // All values, as the reader of one after another finds them.
    R"(local bytes, number = ...
       local all = {cmsgpack.unpack(bytes)}
       local packed, offset, count = {}, 0, 0
       while offset ~= -1 do
         local after, value = cmsgpack.unpack_one(bytes, offset)
         if after == -1 and value == nil and offset == #bytes then break end
         count = count + 1
         if value ~= nil and packable(value) and number % 2 == 0 then
           local once = cmsgpack.pack(value)
           local again = cmsgpack.unpack(once)
           if #cmsgpack.pack(again) ~= #once then return false end
         end
         if after ~= -1 and after <= offset then return false end
         offset = after
       end
       return true)",
    R"(local bytes, number = ...
       cmsgpack.unpack_limit(bytes, number % 8, math.floor(number / 8))
       return true)",
    // Numbers that JSON does not have are refused when written.
    R"(local bytes, number = ...
       cjson.decode_invalid_numbers(number % 2 == 0)
       cjson.decode_max_depth(number < 128 and 1000 or 2^31 - 1)
       cjson.encode_max_depth(2^31 - 1)
       cjson.decode_array_with_array_mt(number % 3 == 0)
       cjson.encode_sparse_array(true, 1, 1)
       local once = cjson.encode(cjson.decode(bytes))
       local again = cjson.encode(cjson.decode(once))
       return #again == #once)",
    R"(local bytes, number = ...
       local format, data = string.sub(bytes, 1, number), string.sub(bytes, number + 1)
       struct.size(format)
       struct.unpack(format, data)
       return true)",
    R"(local bytes, number = ...
       local format, data = string.sub(bytes, 1, number), string.sub(bytes, number + 1)
       struct.unpack(format, data, string.byte(data) - 100)
       return true)",
    R"(local bytes, number = ...
       local packed = struct.pack(bytes, number, bytes, -number, number / 3, bytes, number)
       struct.unpack(bytes, packed)
       return true)",
    R"(local bytes, number = ...
       local a, b = string.byte(bytes, 1, 2)
       local x = a * 2 ^ (b % 64) - number
       return bit.bswap(bit.bswap(x)) == bit.tobit(x) and bit.ror(bit.rol(x, b), b) == bit.tobit(x)
         and #bit.tohex(x, b - 128) <= 8 and #bit.tohex(x, -2 ^ 31) == 8)",
};
constexpr size_t kScriptCount = sizeof kScripts / sizeof kScripts[0];

// True for a value that packing keeps: no table too deep for it, and no nil for what it cannot
// have.
int packable(lua_State* lua) {
  const int depth = static_cast<int>(luaL_optnumber(lua, 2, 0));
  if (lua_type(lua, 1) != LUA_TTABLE) {
    lua_pushboolean(lua, 1);
    return 1;
  }
  bool fine = depth < 14;
  for (lua_pushnil(lua); fine && lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    for (int index : {-1, -2}) {
      lua_pushcfunction(lua, packable);
      lua_pushvalue(lua, index - 1);
      lua_pushnumber(lua, depth + 1);
      lua_call(lua, 2, 1);
      // A table as a key is another one when it is read again.
      fine = fine && lua_toboolean(lua, -1) != 0 && lua_type(lua, -3) != LUA_TTABLE;
      lua_pop(lua, 1);
    }
  }
  lua_pushboolean(lua, fine);
  return 1;
}

int open_all(lua_State* lua) {
  open_libraries(lua);
  lua_pushcfunction(lua, packable);
  lua_setglobal(lua, "packable");
  return 0;
}

struct Input {
  const uint8_t* data;
  size_t size;
};

int run(lua_State* lua) {
  const Input& input = *static_cast<const Input*>(lua_touserdata(lua, 1));
  const char* script = kScripts[input.data[0] % kScriptCount];
  if (luaL_loadstring(lua, script) != LUA_OK) return lua_error(lua);
  lua_pushlstring(lua, reinterpret_cast<const char*>(input.data) + 2, input.size - 2);
  lua_pushnumber(lua, input.data[1]);
  lua_call(lua, 2, 1);
  ASSERT(lua_toboolean(lua, -1) != 0);
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  LuaHost host;
  host.seed = 1;
  host.left = kWorkMax;
  host.limit_bytes = kMemoryMax;
  host.work = [](lua_State* lua) { luaL_error(lua, "out of work"); };
  lua_State* lua = new_lua_state(host);
  lua_pushcfunction(lua, open_all);
  ASSERT(lua_pcall(lua, 0, 0, 0) == LUA_OK);
  Input input{data, size};
  lua_pushcfunction(lua, run);
  lua_pushlightuserdata(lua, &input);
  if (lua_pcall(lua, 1, 0, 0) != LUA_OK) ASSERT(lua_type(lua, -1) == LUA_TSTRING);
  lua_close(lua);
  ASSERT(host.used_bytes == 0);
  return 0;
}
