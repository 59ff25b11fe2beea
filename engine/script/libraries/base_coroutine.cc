// Coroutines. When the embedding suspends a script in one of its coroutines, the yield passes
// through the functions that resumed it (resume, wrap), and so does the way back.
#include "engine/script/libraries/base_parts.h"
#include "engine/script/libraries/lua_host.h"

namespace redoubt {

namespace {

enum class CoroutineState { kRunning, kSuspended, kNormal, kDead };

const char* name_of(CoroutineState state) {
  switch (state) {
    case CoroutineState::kRunning: return "running";
    case CoroutineState::kSuspended: return "suspended";
    case CoroutineState::kNormal: return "normal";
    case CoroutineState::kDead: break;
  }
  return "dead";
}

CoroutineState state_of(lua_State* lua, lua_State* coroutine) {
  if (lua == coroutine) return CoroutineState::kRunning;
  if (lua_status(coroutine) == LUA_YIELD) return CoroutineState::kSuspended;
  if (lua_status(coroutine) != LUA_OK) return CoroutineState::kDead;
  lua_Debug level;
  if (lua_getstack(coroutine, 0, &level) != 0) return CoroutineState::kNormal;
  return lua_gettop(coroutine) == 0 ? CoroutineState::kDead : CoroutineState::kSuspended;
}

lua_State* coroutine_argument(lua_State* lua) {
  lua_State* coroutine = lua_tothread(lua, 1);
  luaL_argcheck(lua, coroutine != nullptr, 1, "coroutine expected");
  return coroutine;
}

// The coroutine's results, or its error, on top of the stack of `lua`; their count, or -1.
int take_results(lua_State* lua, lua_State* coroutine, int status, int count) {
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(coroutine, lua, 1);
    pass_on_kill(lua, status);
    return -1;
  }
  if (lua_checkstack(lua, count + 1) == 0) {
    lua_pop(coroutine, count);
    lua_pushliteral(lua, "too many results to resume");
    return -1;
  }
  lua_xmove(coroutine, lua, count);
  return count;
}

// Runs on with `arguments` that are on the coroutine's stack. Does not return when the embedding
// suspends it: `again` is called when that is over.
int run_coroutine(lua_State* lua, lua_State* coroutine, int arguments, lua_KFunction again) {
  LuaHost& host = host_of(lua);
  const int pins = lua_isyieldable(lua) != 0 ? 0 : 1;
  int count = 0;
  host.pinned += pins;
  const int status = lua_resume(coroutine, lua, arguments, &count);
  host.pinned -= pins;
  if (status == LUA_YIELD && host.suspended) return lua_yieldk(lua, 0, 0, again);
  return take_results(lua, coroutine, status, count);
}

// Moves `count` arguments to the coroutine. False, and a message is pushed, when it does not wait
// for them.
bool give_arguments(lua_State* lua, lua_State* coroutine, int count) {
  const CoroutineState state = state_of(lua, coroutine);
  if (state != CoroutineState::kSuspended) {
    lua_pushfstring(lua, "cannot resume %s coroutine", name_of(state));
    return false;
  }
  if (lua_checkstack(coroutine, count) == 0) {
    lua_pushliteral(lua, "too many arguments to resume");
    return false;
  }
  lua_xmove(lua, coroutine, count);
  return true;
}

int finish_resume(lua_State* lua, int count) {
  lua_pushboolean(lua, count >= 0 ? 1 : 0);
  const int results = count >= 0 ? count : 1;
  lua_insert(lua, -(results + 1));
  return results + 1;
}

int resume_again(lua_State* lua, int /*status*/, lua_KContext /*context*/) {
  return finish_resume(lua, run_coroutine(lua, lua_tothread(lua, 1), 0, resume_again));
}

int coroutine_resume(lua_State* lua) {
  lua_State* coroutine = coroutine_argument(lua);
  const int arguments = lua_gettop(lua) - 1;
  if (!give_arguments(lua, coroutine, arguments)) return finish_resume(lua, -1);
  return finish_resume(lua, run_coroutine(lua, coroutine, arguments, resume_again));
}

int finish_wrapped(lua_State* lua, int count) {
  if (count >= 0) return count;
  if (lua_isstring(lua, -1) != 0) {
    luaL_where(lua, 1);
    lua_insert(lua, -2);
    lua_concat(lua, 2);
  }
  return lua_error(lua);
}

int wrapped_again(lua_State* lua, int /*status*/, lua_KContext /*context*/) {
  lua_State* coroutine = lua_tothread(lua, lua_upvalueindex(1));
  return finish_wrapped(lua, run_coroutine(lua, coroutine, 0, wrapped_again));
}

int coroutine_wrapped(lua_State* lua) {
  lua_State* coroutine = lua_tothread(lua, lua_upvalueindex(1));
  const int arguments = lua_gettop(lua);
  if (!give_arguments(lua, coroutine, arguments)) return finish_wrapped(lua, -1);
  return finish_wrapped(lua, run_coroutine(lua, coroutine, arguments, wrapped_again));
}

int coroutine_create(lua_State* lua) {
  luaL_argcheck(lua, lua_isfunction(lua, 1) && lua_iscfunction(lua, 1) == 0, 1,
                "Lua function expected");
  lua_State* coroutine = lua_newthread(lua);
  lua_pushvalue(lua, 1);
  lua_xmove(lua, coroutine, 1);
  return 1;
}

int coroutine_wrap(lua_State* lua) {
  coroutine_create(lua);
  lua_pushcclosure(lua, coroutine_wrapped, 1);
  return 1;
}

int coroutine_status(lua_State* lua) {
  lua_pushstring(lua, name_of(state_of(lua, coroutine_argument(lua))));
  return 1;
}

int coroutine_running(lua_State* lua) {
  if (lua == host_of(lua).script || lua_pushthread(lua) != 0) lua_pushnil(lua);
  return 1;
}

int coroutine_yield(lua_State* lua) {
  if (lua == host_of(lua).script) {
    lua_pushliteral(lua, "attempt to yield across metamethod/C-call boundary");
    return lua_error(lua);
  }
  return lua_yield(lua, lua_gettop(lua));
}

constexpr luaL_Reg kCoroutineFunctions[] = {
    {"create", coroutine_create}, {"resume", coroutine_resume}, {"running", coroutine_running},
    {"status", coroutine_status}, {"wrap", coroutine_wrap},     {"yield", coroutine_yield},
    {nullptr, nullptr},
};

}  // namespace

void open_coroutine(lua_State* lua) {
  lua_newtable(lua);
  set_functions(lua, kCoroutineFunctions);
  lua_setglobal(lua, "coroutine");
}

}  // namespace redoubt
