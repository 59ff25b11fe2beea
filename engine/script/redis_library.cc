#include "engine/script/redis_library.h"

#include <algorithm>
#include <string>

#include "engine/config/settings.h"
#include "engine/insight/logger.h"
#include "engine/script/lua_values.h"
#include "engine/script/script_header.h"
#include "engine/script/sha1.h"
#include "engine/script/vm.h"

namespace redoubt {

namespace {

void push_view(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

// Bytes that are hashed, copied or sent are work, too.
constexpr size_t kBytesEachWork = 16;

// Raises {err = "ERR text"}.
int raise(lua_State* lua, const char* text) {
  lua_createtable(lua, 0, 1);
  lua_pushfstring(lua, "ERR %s", text);
  lua_setfield(lua, -2, "err");
  return lua_error(lua);
}

// --- commands

// The arguments of a call as words. False: one is neither a string nor a number.
bool take_words(lua_State* lua, int count, ScriptVm::Words& words) {
  words.views.clear();
  words.numbers.resize(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    const int type = lua_type(lua, i);
    if (type == LUA_TSTRING) {
      size_t size = 0;
      const char* text = lua_tolstring(lua, i, &size);
      words.views.emplace_back(text, size);
    } else if (type == LUA_TNUMBER) {
      words.views.push_back(words.numbers[static_cast<size_t>(i - 1)].write(lua_tonumber(lua, i)));
    } else {
      return false;
    }
  }
  return true;
}

// Executes the command and pushes its reply.
int run_command(lua_State* lua, bool raises) {
  ScriptVm& vm = ScriptVm::of(lua);
  const int count = lua_gettop(lua);
  const char* problem = nullptr;
  if (count == 0) {
    problem = "ERR Please specify at least one argument for this redis lib call";
  } else if (!take_words(lua, count, vm.words())) {
    problem = "ERR Lua redis lib command arguments must be strings or integers";
  }
  bool failed = true;
  bool refused = true;
  if (problem != nullptr) {
    lua_createtable(lua, 0, 2);
    lua_pushstring(lua, problem);
    lua_setfield(lua, -2, "err");
  } else {
    lua_work(lua, vm.take_call_work());
    refused = !vm.calls().call(vm.words().views);
    const std::string_view reply = vm.calls().reply();
    lua_work(lua, vm.take_call_work() + reply.size() / kBytesEachWork);
    failed = reply.starts_with('-');
    push_reply(lua, reply, vm.calls().protocol());
  }
  if (!failed) return 1;
  if (refused) {
    lua_pushboolean(lua, 1);
    lua_setfield(lua, -2, "ignore_error_stats_update");
  }
  return raises ? lua_error(lua) : 1;
}

int call(lua_State* lua) {
  return run_command(lua, true);
}

int call_protected(lua_State* lua) {
  return run_command(lua, false);
}

int acl_check_cmd(lua_State* lua) {
  ScriptVm& vm = ScriptVm::of(lua);
  const int count = lua_gettop(lua);
  if (count == 0) return raise(lua, "Please specify at least one argument for this redis lib call");
  if (!take_words(lua, count, vm.words())) {
    return raise(lua, "Lua redis lib command arguments must be strings or integers");
  }
  if (!vm.calls().knows(vm.words().views)) {
    return raise(lua, "Invalid command passed to redis.acl_check_cmd()");
  }
  lua_pushboolean(lua, 1);
  return 1;
}

// --- replies

// {field = text}.
int single_field(lua_State* lua, const char* field) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    lua_createtable(lua, 0, 1);
    lua_pushliteral(lua, "ERR wrong number or type of arguments");
    lua_setfield(lua, -2, "err");
    return 1;
  }
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, field);
  return 1;
}

// A text without a code in front gets ERR.
int error_reply(lua_State* lua) {
  if (lua_gettop(lua) == 1 && lua_type(lua, 1) == LUA_TSTRING) {
    size_t size = 0;
    const char* text = lua_tolstring(lua, 1, &size);
    const std::string_view view(text, size);
    if (!view.starts_with('-') && view.find(' ') == std::string_view::npos) {
      lua_pushfstring(lua, "ERR %s", text);
      lua_replace(lua, 1);
    }
  }
  return single_field(lua, "err");
}

int status_reply(lua_State* lua) {
  return single_field(lua, "ok");
}

int set_protocol(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "redis.setresp() requires one argument.");
  const lua_Integer version = lua_tointeger(lua, 1);
  if (version != 2 && version != 3) return raise(lua, "RESP version must be 2 or 3.");
  ScriptVm::of(lua).calls().set_protocol(version == 3 ? Protocol::resp3 : Protocol::resp2);
  return 0;
}

// --- what they may ask of the server

int sha1hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "wrong number of arguments");
  size_t size = 0;
  const char* text = lua_tolstring(lua, 1, &size);
  lua_work(lua, size / kBytesEachWork);
  const std::array<char, 40> digits = sha1_hex({text == nullptr ? "" : text, size});
  push_view(lua, view_of(digits));
  return 1;
}

int log(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count < 2) return raise(lua, "redis.log() requires two arguments or more.");
  if (lua_type(lua, 1) != LUA_TNUMBER)
    return raise(lua, "First argument must be a number (log level).");
  const lua_Integer level = lua_tointeger(lua, 1);
  if (level < 0 || level > 3) return raise(lua, "Invalid debug level.");
  luaL_Buffer text;
  luaL_buffinit(lua, &text);
  for (int i = 2; i <= count; ++i) {
    size_t size = 0;
    const char* word = lua_tolstring(lua, i, &size);
    if (word == nullptr) continue;
    if (i > 2) luaL_addchar(&text, ' ');
    luaL_addlstring(&text, word, size);
  }
  luaL_pushresult(&text);
  constexpr LogLevel kLevels[] = {LogLevel::debug, LogLevel::verbose, LogLevel::notice,
                                  LogLevel::warning};
  size_t size = 0;
  const char* line = lua_tolstring(lua, -1, &size);
  lua_work(lua, size / kBytesEachWork);
  ScriptVm::of(lua).calls().log(kLevels[level], {line, size});
  return 0;
}

// Effects are always written and sent: a history says what the data is.
int set_repl(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "redis.set_repl() requires two arguments.");
  const lua_Integer flags = lua_tointeger(lua, 1);
  if ((flags & ~lua_Integer{3}) != 0) {
    return raise(lua,
                 "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  return 0;
}

int replicate_commands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

// There is no debugger.
int breakpoint(lua_State* lua) {
  lua_pushboolean(lua, 0);
  return 1;
}

int debug(lua_State* /*lua*/) {
  return 0;
}

// --- libraries of functions

// Flags from the table on top. False: one is unknown.
bool take_flags(lua_State* lua, uint32_t* flags) {
  for (lua_Integer i = 1;; ++i) {
    lua_rawgeti(lua, -1, i);
    const int type = lua_type(lua, -1);
    size_t size = 0;
    const char* text = type == LUA_TSTRING ? lua_tolstring(lua, -1, &size) : nullptr;
    const uint32_t flag = text == nullptr ? 0 : script_flag({text, size});
    lua_pop(lua, 1);
    if (type == LUA_TNIL) return true;
    if (flag == 0) return false;
    *flags |= flag;
  }
}

// One field of the table of named arguments: its name is at -2, its value at -1. Null, or what is
// wrong.
const char* take_field(lua_State* lua, ScriptVm::Registration& registration) {
  if (lua_type(lua, -2) != LUA_TSTRING) return "unknown argument given to redis.register_function";
  const std::string_view field = lua_tostring(lua, -2);
  if (field == "function_name" || field == "description") {
    const bool is_name = field == "function_name";
    if (lua_type(lua, -1) != LUA_TSTRING && lua_type(lua, -1) != LUA_TNUMBER) {
      return is_name ? "function_name argument given to redis.register_function must be a string"
                     : "description argument given to redis.register_function must be a string";
    }
    lua_pushvalue(lua, -1);
    size_t size = 0;
    const char* text = lua_tolstring(lua, -1, &size);
    (is_name ? registration.what.name : registration.what.description).assign(text, size);
    (is_name ? registration.has_name : registration.what.has_description) = true;
    lua_pop(lua, 1);
  } else if (field == "callback") {
    if (lua_type(lua, -1) != LUA_TFUNCTION) {
      return "callback argument given to redis.register_function must be a function";
    }
    registration.has_callback = true;
    lua_pushvalue(lua, -1);
    lua_replace(lua, 2);
  } else if (field == "flags") {
    if (lua_type(lua, -1) != LUA_TTABLE) {
      return "flags argument to redis.register_function must be a table representing function "
             "flags";
    }
    if (!take_flags(lua, &registration.what.flags)) return "unknown flag given";
  } else {
    return "unknown argument given to redis.register_function";
  }
  return nullptr;
}

// The arguments, which leave the function at index 2. Null, or what is wrong.
const char* take_registration(lua_State* lua, ScriptVm::Registration& registration) {
  const int count = lua_gettop(lua);
  if (count < 1 || count > 2) return "wrong number of arguments to redis.register_function";
  if (count == 1) {
    if (lua_type(lua, 1) != LUA_TTABLE) {
      return "calling redis.register_function with a single argument is only applicable to Lua "
             "table (representing named arguments).";
    }
    lua_pushnil(lua);  // the function comes here
    for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
      if (const char* problem = take_field(lua, registration)) return problem;
    }
    if (!registration.has_name) return "redis.register_function must get a function name argument";
    if (!registration.has_callback) return "redis.register_function must get a callback argument";
    return nullptr;
  }
  if (lua_type(lua, 1) != LUA_TSTRING && lua_type(lua, 1) != LUA_TNUMBER) {
    return "first argument to redis.register_function must be a string";
  }
  if (lua_type(lua, 2) != LUA_TFUNCTION) {
    return "second argument to redis.register_function must be a function";
  }
  size_t size = 0;
  const char* text = lua_tolstring(lua, 1, &size);
  registration.what.name.assign(text, size);
  return nullptr;
}

int register_function(lua_State* lua) {
  ScriptVm& vm = ScriptVm::of(lua);
  if (vm.loading() == nullptr) {
    return raise(lua, "redis.register_function can only be called on FUNCTION LOAD command");
  }
  ScriptVm::Registration& registration = vm.loading()->fresh;
  registration = {};
  const char* problem = take_registration(lua, registration);
  if (problem == nullptr && !is_library_name(registration.what.name)) {
    problem =
        "Library names can only contain letters, numbers, or underscores(_) and must be at "
        "least one character long";
  }
  if (problem == nullptr && vm.loading()->has(registration.what.name)) {
    problem = "Function already exists in the library";
  }
  if (problem != nullptr) return raise(lua, problem);
  lua_pushvalue(lua, 2);
  registration.what.function = luaL_ref(lua, LUA_REGISTRYINDEX);
  vm.loading()->functions.push_back(registration.what);
  return 0;
}

void push_constants(lua_State* lua, std::string_view version) {
  const auto number = [lua](const char* name, lua_Integer value) {
    lua_pushinteger(lua, value);
    lua_setfield(lua, -2, name);
  };
  number("LOG_DEBUG", 0);
  number("LOG_VERBOSE", 1);
  number("LOG_NOTICE", 2);
  number("LOG_WARNING", 3);
  push_view(lua, version);
  lua_setfield(lua, -2, "REDIS_VERSION");
  // major << 16 | minor << 8 | patch
  lua_Integer parts[3] = {0, 0, 0};
  size_t part = 0;
  for (const char c : version) {
    if (c == '.') {
      if (++part == 3) break;
    } else if (c >= '0' && c <= '9') {
      parts[part] = parts[part] * 10 + (c - '0');
    } else {
      break;
    }
  }
  number("REDIS_VERSION_NUM", parts[0] << 16 | parts[1] << 8 | parts[2]);
}

}  // namespace

void push_redis_library(lua_State* lua, std::string_view version) {
  constexpr luaL_Reg kFunctions[] = {{"call", call},
                                     {"pcall", call_protected},
                                     {"error_reply", error_reply},
                                     {"status_reply", status_reply},
                                     {"sha1hex", sha1hex},
                                     {"log", log},
                                     {"setresp", set_protocol},
                                     {"set_repl", set_repl},
                                     {"replicate_commands", replicate_commands},
                                     {"breakpoint", breakpoint},
                                     {"debug", debug},
                                     {"acl_check_cmd", acl_check_cmd},
                                     {nullptr, nullptr}};
  luaL_newlib(lua, kFunctions);
  push_constants(lua, version);
  const auto number = [lua](const char* name, lua_Integer value) {
    lua_pushinteger(lua, value);
    lua_setfield(lua, -2, name);
  };
  number("REPL_NONE", 0);
  number("REPL_AOF", 1);
  number("REPL_SLAVE", 2);
  number("REPL_REPLICA", 2);
  number("REPL_ALL", 3);
}

void push_load_library(lua_State* lua, std::string_view version) {
  constexpr luaL_Reg kFunctions[] = {
      {"register_function", register_function}, {"log", log}, {nullptr, nullptr}};
  luaL_newlib(lua, kFunctions);
  push_constants(lua, version);
  // What is not there is an error here, too.
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, refuse_unknown_global);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
}

int refuse_unknown_global(lua_State* lua) {
  size_t size = 0;
  const char* name = luaL_tolstring(lua, 2, &size);
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", name);
}

}  // namespace redoubt
