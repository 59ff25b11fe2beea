#include "engine/script/libraries/lua_host.h"

#include <cstdlib>

namespace redoubt {

namespace {

// Bytes that are as much work as an instruction.
constexpr size_t kBytesPerWork = 64;

// lua_Alloc. `old_size` of a new block is the kind of its object.
void* allocate_for_lua(void* user, void* block, size_t old_size, size_t size) {
  auto& host = static_cast<LuaHost&>(*static_cast<lua_Host*>(user));
  if (block == nullptr) old_size = 0;
  if (size == 0) {
    host.used_bytes -= old_size;
    std::free(block);
    return nullptr;
  }
  if (size > old_size) {
    const size_t more = size - old_size;
    host.left -= static_cast<ptrdiff_t>(size / kBytesPerWork);
    if (host.used_bytes > host.limit_bytes || more > host.limit_bytes - host.used_bytes) {
      // Lua collects all garbage and tries once more: that is work in proportion to its memory.
      host.left -= static_cast<ptrdiff_t>(host.used_bytes / kBytesPerWork);
      return nullptr;
    }
  }
  void* moved = std::realloc(block, size);
  if (moved != nullptr) host.used_bytes = host.used_bytes - old_size + size;
  return moved;
}

bool may_suspend(lua_State* lua) {
  return host_of(lua).pinned == 0 && lua_isyieldable(lua) != 0;
}

// A count hook. The next instruction may be one of an order function: then `work` decides anew.
void suspend(lua_State* lua, lua_Debug* /*event*/) {
  LuaHost& host = host_of(lua);
  lua_sethook(lua, nullptr, 0, 0);
  if (!may_suspend(lua)) {
    host.left = 0;
    return;
  }
  host.suspended = true;
  lua_yield(lua, 0);
}

}  // namespace

LuaHost& host_of(lua_State* lua) {
  void* user = nullptr;
  lua_getallocf(lua, &user);
  return static_cast<LuaHost&>(*static_cast<lua_Host*>(user));
}

bool suspend_soon(lua_State* lua) {
  if (!may_suspend(lua)) return false;
  lua_sethook(lua, suspend, LUA_MASKCOUNT, 1);
  return true;
}

lua_State* new_lua_state(LuaHost& host) {
  return lua_newstate(allocate_for_lua, static_cast<lua_Host*>(&host));
}

}  // namespace redoubt
