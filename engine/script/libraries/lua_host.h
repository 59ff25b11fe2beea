// What the interpreter and its libraries ask of their embedding: memory with a limit, the seed of
// hashes, counted work, and the end of a script.
//
// A Lua error, and a yield, leave a C++ function by longjmp: destructors do not run. So no object
// with a destructor that matters is alive in a function where a function of the interpreter that
// can raise an error is called; memory that has to outlive it is Lua's own (lua_newuserdatauv), or
// is reached through the host. Functions that allocate can raise an error: lua_pushstring and
// lua_pushcfunction do.
//
// Outside lua_pcallk and lua_resume there is nobody to catch an error, and it ends the process.
// What is done there is done with `limit_bytes` at its maximum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <lua.hpp>

namespace redoubt {

// One for each state, at a fixed address, longer than the state.
//
// lua_Host has `seed`, `serial`, `left` and `work`. A unit of work is about an instruction of the
// interpreter, or 64 bytes that are copied or compared. When less than none is `left`, `work` is
// called: in the middle of any function, at a call or a jump back. It sets `left` anew, and may
// - return, and the script goes on;
// - raise an error. After `killed` is set, no script catches it, neither with pcall, xpcall nor
//   coroutines; with `left` at 0 what runs on the way out (__close) ends as soon;
// - call suspend_soon: the embedding's lua_resume then gives LUA_YIELD, with `suspended` set, which
// is
//   cleared before it resumes.
struct LuaHost : lua_Host {
  LuaHost() : lua_Host{} {}

  size_t used_bytes = 0;  // allocated now
  size_t limit_bytes = SIZE_MAX;
  bool killed = false;     // the script ends; no error is caught any more
  bool suspended = false;  // the embedding's own yield passes through the script's coroutines
  lua_State* script =
      nullptr;          // the coroutine in which the embedding runs a script; it is not shown
  int pinned = 0;       // resumes in progress that a yield cannot pass
  uint64_t random = 0;  // 48 bits, of math.random
  double (*clock_seconds)(LuaHost& host) = nullptr;  // os.clock; null: always 0
};

// A state's host.
LuaHost& host_of(lua_State* lua);

// Suspends the script before its next instruction; called by `work`, which has set `left`
// before. False, and nothing happens, where a function of C that does not know how to go on is in
// the way (the order function of table.sort).
bool suspend_soon(lua_State* lua);

// A state without any library, or null when `limit_bytes` is too low for it. The fields of the host
// are set before. lua_close ends it.
lua_State* new_lua_state(LuaHost& host);

}  // namespace redoubt
