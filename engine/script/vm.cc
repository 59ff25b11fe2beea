#include "engine/script/vm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "engine/config/settings.h"
#include "engine/script/libraries/libraries.h"
#include "engine/script/lua_values.h"
#include "engine/script/redis_library.h"
#include "engine/store/number.h"
#include "net/double_text.h"

namespace redoubt {

namespace {

// The interpreter reports its work this often, in operations.
constexpr ptrdiff_t kWorkStep = 10000;
// So many of them are the work of a short command, as Env::count_work() counts.
constexpr uint64_t kWorkUnit = 100;
// A script that cannot yield, because a function of C called it, goes on for so many operations
// beyond its slice.
constexpr uint64_t kOverrunMax = 10'000'000;
// What is never suspended.
constexpr ScriptVm::Slice kUnsuspended = {.time = Duration::seconds(1), .work = 100'000'000};

constexpr const char* kOverrun =
    "the script takes too long within a function that cannot be suspended";

// The text of a string or a number, without the interpreter: making one of a number may fail.
std::optional<std::string> plain_text(lua_State* lua, int index) {
  if (lua_type(lua, index) == LUA_TNUMBER) {
    return std::string(DoubleText(lua_tonumber(lua, index)).view());
  }
  if (lua_type(lua, index) != LUA_TSTRING) return std::nullopt;
  size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return std::string(text, size);
}

// The names of chunks, as errors show them.
const char* chunk_name(ScriptVm::Kind kind) {
  return kind == ScriptVm::Kind::eval ? "@user_script" : "@user_function";
}

}  // namespace

// --- the interpreter

ScriptVm& ScriptVm::of(lua_State* lua) {
  return *static_cast<VmHost&>(host_of(lua)).vm;
}

ScriptVm::ScriptVm(Kind kind, ScriptCalls& calls, Env& env, uint32_t seed, size_t bytes_max)
    : calls_(calls), env_(env), kind_(kind) {
  host_.seed = seed;
  host_.serial = 0;
  host_.left = kWorkStep;
  host_.work = on_work;
  host_.vm = this;
  host_.clock_seconds = [](LuaHost& host) {
    Env& world = static_cast<VmHost&>(host).vm->env_;
    return static_cast<double>(world.precise_now().ns) / 1e9;
  };
  main_ = new_lua_state(host_);
  ASSERT(main_ != nullptr);
  lua_pushcfunction(main_, open_in_lua);
  const int status = lua_pcall(main_, 0, 0, 0);
  ASSERT(status == LUA_OK);
  host_.limit_bytes = bytes_max;
}

ScriptVm::~ScriptVm() {
  lua_close(main_);
  ASSERT(host_.used_bytes == 0);
}

// The globals: nothing may change them, and reading one that is not there is an error.
int ScriptVm::open_in_lua(lua_State* lua) {
  ScriptVm& vm = of(lua);
  const std::string_view version = vm.calls_.services().settings.reported_redis_version;
  open_libraries(lua);
  if (vm.kind_ == Kind::eval) {
    for (const char* name : {"KEYS", "ARGV"}) {
      lua_pushboolean(lua, 0);
      lua_setglobal(lua, name);
    }
  }
  push_redis_library(lua, version);
  lua_pushvalue(lua, -1);
  lua_setglobal(lua, "redis");
  lua_setglobal(lua, "server");

  lua_pushglobaltable(lua);
  // Each library, and the metatable of strings.
  for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
    if (lua_type(lua, -1) == LUA_TTABLE && !lua_rawequal(lua, -1, -3)) lua_setreadonly(lua, -1, 1);
  }
  lua_pushliteral(lua, "");
  if (lua_getmetatable(lua, -1) != 0) {
    lua_setreadonly(lua, -1, 1);
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, refuse_unknown_global);
  lua_setfield(lua, -2, "__index");
  lua_setreadonly(lua, -1, 1);
  lua_setmetatable(lua, -2);
  lua_setreadonly(lua, -1, 1);
  lua_pop(lua, 1);

  const auto keep = [lua](lua_CFunction function) {
    lua_pushcfunction(lua, function);
    return luaL_ref(lua, LUA_REGISTRYINDEX);
  };
  vm.compile_ = keep(compile_in_lua);
  vm.load_ = keep(load_in_lua);
  vm.prepare_ = keep(prepare_in_lua);
  vm.write_ = keep(write_in_lua);
  lua_pushboolean(lua, 0);
  vm.thread_ref_ = luaL_ref(lua, LUA_REGISTRYINDEX);
  lua_pushliteral(lua, "err");
  vm.err_name_ = luaL_ref(lua, LUA_REGISTRYINDEX);
  return 0;
}

// Calls one of the functions above, which gets `argument`. False, with the error's text: it failed.
bool ScriptVm::protect(int function, void* argument, std::string* error) {
  lua_rawgeti(main_, LUA_REGISTRYINDEX, function);
  lua_pushlightuserdata(main_, argument);
  const bool good = lua_pcall(main_, 1, 0, 0) == LUA_OK;
  if (!running_) host_.killed = false;
  if (!good && error != nullptr) {
    if (lua_type(main_, -1) == LUA_TTABLE) {
      lua_pushliteral(main_, "err");
      lua_rawget(main_, -2);
      lua_replace(main_, -2);
    }
    *error = plain_text(main_, -1).value_or("nil");
  }
  lua_settop(main_, 0);
  return good;
}

// --- compiling

namespace {

struct Source {
  std::string_view code;
  int function = 0;
};

// Pushes the compiled code, or raises its error.
void push_chunk(lua_State* lua, std::string_view code, const char* name) {
  if (luaL_loadbufferx(lua, code.data(), code.size(), name, "t") != LUA_OK) lua_error(lua);
}

}  // namespace

std::optional<int> ScriptVm::compile(std::string_view code, std::string* error) {
  Source source{code};
  begin_slice(kUnsuspended);
  if (!protect(compile_, &source, error)) return std::nullopt;
  return source.function;
}

int ScriptVm::compile_in_lua(lua_State* lua) {
  auto& source = *static_cast<Source*>(lua_touserdata(lua, 1));
  push_chunk(lua, source.code, chunk_name(of(lua).kind_));
  source.function = luaL_ref(lua, LUA_REGISTRYINDEX);
  return 0;
}

void ScriptVm::release(int function) {
  luaL_unref(main_, LUA_REGISTRYINDEX, function);
}

// --- libraries of functions

bool ScriptVm::Loading::has(std::string_view name) const {
  return std::any_of(functions.begin(), functions.end(),
                     [name](const Registered& each) { return each.name == name; });
}

std::optional<std::vector<ScriptVm::Registered>> ScriptVm::load_library(std::string_view code,
                                                                        bool trusted,
                                                                        std::string* error) {
  ASSERT(!running_ && loading_ == nullptr);
  Loading loading;
  Source source{code};
  loading_ = &loading;
  begin_slice(kUnsuspended);
  const size_t limit = host_.limit_bytes;
  if (trusted) host_.limit_bytes = SIZE_MAX;
  const bool good = protect(load_, &source, error);
  host_.limit_bytes = limit;
  loading_ = nullptr;
  if (good) return std::move(loading.functions);
  for (const Registered& each : loading.functions) release(each.function);
  return std::nullopt;
}

// The code's environment is a table of its own, which shows what there is while it is loaded, and
// all globals from then on.
int ScriptVm::load_in_lua(lua_State* lua) {
  ScriptVm& vm = of(lua);
  const auto& source = *static_cast<const Source*>(lua_touserdata(lua, 1));
  if (luaL_loadbufferx(lua, source.code.data(), source.code.size(), chunk_name(vm.kind_), "t") !=
      LUA_OK) {
    lua_pushliteral(lua, "Error compiling function: ");
    lua_insert(lua, -2);
    lua_concat(lua, 2);
    return lua_error(lua);
  }
  lua_createtable(lua, 0, 1);  // the environment
  lua_createtable(lua, 0, 1);  // its metatable
  lua_createtable(lua, 0, 2);  // what it shows
  push_load_library(lua, vm.calls_.services().settings.reported_redis_version);
  lua_setreadonly(lua, -1, 1);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -3, "redis");
  lua_setfield(lua, -2, "server");
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, refuse_unknown_global);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  lua_setreadonly(lua, -1, 1);
  lua_setfield(lua, -2, "__index");
  lua_pushvalue(lua, -1);
  lua_setmetatable(lua, -3);
  lua_pushvalue(lua, -2);
  lua_setreadonly(lua, -1, 1);
  // chunk, environment, metatable, environment
  lua_setupvalue(lua, -4, 1);
  lua_pushvalue(lua, -3);
  if (lua_pcall(lua, 0, 0, 0) != LUA_OK) {
    lua_pushliteral(lua, "Error registering functions: ");
    lua_insert(lua, -2);
    if (lua_type(lua, -1) == LUA_TTABLE) {
      lua_pushliteral(lua, "err");
      lua_rawget(lua, -2);
      lua_replace(lua, -2);
    } else {
      lua_pushliteral(lua, "ERR ");
      lua_insert(lua, -2);
      luaL_tolstring(lua, -1, nullptr);
      lua_replace(lua, -2);
      lua_concat(lua, 2);
    }
    lua_concat(lua, 2);
    return lua_error(lua);
  }
  lua_pushglobaltable(lua);
  lua_setfield(lua, -2, "__index");
  lua_setreadonly(lua, -1, 1);
  return 0;
}

// --- running

std::string_view ScriptVm::Words::Number::write(double value) {
  constexpr double kIntegerEnd = 9223372036854775808.0;
  const bool integer = value == std::trunc(value) && value >= -kIntegerEnd && value < kIntegerEnd;
  const auto put = [this](std::string_view digits) {
    return std::string_view(text.data(), digits.copy(text.data(), text.size()));
  };
  if (integer) return put(IntegerText(static_cast<int64_t>(value)).view());
  return put(DoubleText(value).view());
}

void ScriptVm::begin_slice(const Slice& slice) {
  slice_ = slice;
  slice_began_ = env_.precise_now();
  slice_work_ = overrun_ = 0;
  host_.left = kWorkStep;
}

ScriptVm::Outcome ScriptVm::start(const Call& call, const Slice& slice) {
  ASSERT(!running_ && !has_result_);
  running_ = true;
  call_ = call;
  error_.clear();
  begin_slice(slice);
  std::string problem;
  if (!protect(prepare_, nullptr, &problem)) {
    if (thread_ != nullptr) lua_settop(thread_, 0);
    error_ = fmt::format("ERR {} script: {}", problem, call_.name);
    running_ = false;
    return Outcome::failed;
  }
  return resume(kind_ == Kind::functions ? 2 : 0);
}

// Puts the function and its arguments on the coroutine's stack.
int ScriptVm::prepare_in_lua(lua_State* lua) {
  of(lua).prepare(lua);
  return 0;
}

namespace {

void push_words(lua_State* lua, std::span<const std::string_view> words) {
  lua_createtable(lua, static_cast<int>(words.size()), 0);
  lua_Integer i = 0;
  for (const std::string_view word : words) {
    lua_pushlstring(lua, word.data(), word.size());
    lua_rawseti(lua, -2, ++i);
  }
}

}  // namespace

void ScriptVm::prepare(lua_State* lua) {
  if (thread_ == nullptr) {
    lua_State* thread = lua_newthread(lua);
    lua_rawseti(lua, LUA_REGISTRYINDEX, thread_ref_);
    thread_ = host_.script = thread;
  }
  lua_rawgeti(lua, LUA_REGISTRYINDEX, call_.function);
  if (kind_ == Kind::functions) {
    push_words(lua, call_.keys);
    push_words(lua, call_.args);
    luaL_checkstack(thread_, 4, nullptr);
    lua_xmove(lua, thread_, 3);
    return;
  }
  luaL_checkstack(thread_, 4, nullptr);
  lua_pushglobaltable(lua);
  push_words(lua, call_.args);
  push_words(lua, call_.keys);
  // Nothing fails while the globals can be changed: both fields are there, with false at first.
  lua_setreadonly(lua, -3, 0);
  lua_setfield(lua, -3, "KEYS");
  lua_setfield(lua, -2, "ARGV");
  lua_setreadonly(lua, -1, 1);
  lua_pop(lua, 1);
  lua_xmove(lua, thread_, 1);
}

ScriptVm::Outcome ScriptVm::go_on(const Slice& slice) {
  ASSERT(running_ && host_.suspended);
  host_.suspended = false;
  begin_slice(slice);
  return resume(0);
}

ScriptVm::Outcome ScriptVm::resume(int arguments) {
  int results = 0;
  lua_sethook(thread_, nullptr, 0, 0);
  const int status = lua_resume(thread_, main_, arguments, &results);
  if (status == LUA_YIELD && host_.suspended) return Outcome::suspended;
  running_ = false;
  if (status == LUA_OK) {
    lua_settop(thread_, results == 0 ? 0 : 1);
    if (results == 0) lua_pushnil(thread_);
    has_result_ = true;
    // A script may return an error.
    if (lua_type(thread_, -1) == LUA_TTABLE) {
      lua_rawgeti(thread_, LUA_REGISTRYINDEX, err_name_);
      lua_rawget(thread_, -2);
      if (lua_type(thread_, -1) == LUA_TSTRING) error_ = *plain_text(thread_, -1);
      if (error_.starts_with('-')) error_.erase(0, 1);
      lua_pop(thread_, 1);
    }
    return Outcome::done;
  }
  if (status == LUA_YIELD) {
    error_ =
        fmt::format("ERR attempt to yield across metamethod/C-call boundary script: {}, on {}:{}.",
                    call_.name, chunk_name(kind_), 1);
  } else {
    take_error();
  }
  thread_ = host_.script = nullptr;  // it is of no more use
  host_.killed = false;
  return Outcome::failed;
}

// "text script: name, on @user_script:line."
void ScriptVm::take_error() {
  std::string text;
  if (lua_type(thread_, -1) == LUA_TTABLE) {
    lua_rawgeti(thread_, LUA_REGISTRYINDEX, err_name_);
    lua_rawget(thread_, -2);
    text = lua_type(thread_, -1) == LUA_TSTRING ? *plain_text(thread_, -1)
                                                : "ERR (error object is a table value)";
  } else if (const std::optional<std::string> line = plain_text(thread_, -1)) {
    text = "ERR " + *line;
  } else if (lua_type(thread_, -1) == LUA_TNIL) {
    text = "ERR nil";
  } else {
    text = fmt::format("ERR (error object is a {} value)", luaL_typename(thread_, -1));
  }
  error_ = fmt::format("{} script: {}{}.", text, call_.name, place_of_error());
}

// ", on source:line" of the function that raised the error, or of the one that called a function of
// C that did.
std::string ScriptVm::place_of_error() const {
  lua_Debug place;
  for (int level = 0; level < 2 && lua_getstack(thread_, level, &place) != 0; ++level) {
    if (lua_getinfo(thread_, "Sl", &place) == 0) break;
    if (place.what[0] == 'C' && level == 0) continue;
    return fmt::format(", on {}:{}", place.source, place.currentline);
  }
  return {};
}

void ScriptVm::give_up(std::string_view reason) {
  ASSERT(running_ && host_.suspended);
  error_ = fmt::format("ERR {} script: {}{}.", reason, call_.name, place_of_error());
  running_ = host_.suspended = false;
  thread_ = host_.script = nullptr;  // never to be continued
}

void ScriptVm::write_result(ReplyWriter& reply) {
  ASSERT(has_result_);
  const size_t before = reply.output().bytes();
  reply_ = &reply;
  std::string problem;
  // The value waits on the coroutine's stack.
  begin_slice(kUnsuspended);
  if (!protect(write_, nullptr, &problem)) {
    reply.output().drop_back(reply.output().bytes() - before);
    reply.error(fmt::format("ERR {} script: {}", problem, call_.name));
  }
  reply_ = nullptr;
}

int ScriptVm::write_in_lua(lua_State* lua) {
  ScriptVm& vm = of(lua);
  lua_xmove(vm.thread_, lua, 1);
  write_value(lua, *vm.reply_, vm.calls_.protocol());
  return 0;
}

void ScriptVm::finish() {
  ASSERT(!running_);
  has_result_ = false;
  constexpr size_t kWordsKept = 1024;
  if (words_.views.capacity() > kWordsKept) words_ = {};
  if (thread_ != nullptr) lua_settop(thread_, 0);
}

// --- work

size_t ScriptVm::take_call_work() {
  const uint64_t before = std::exchange(counted_work_, env_.work());
  return static_cast<size_t>((counted_work_ - before) * kWorkUnit);
}

void ScriptVm::on_work(lua_State* lua) {
  ScriptVm& vm = of(lua);
  vm.host_.left = kWorkStep;
  vm.env_.count_work(kWorkStep / kWorkUnit);
  vm.slice_work_ += kWorkStep;
  // What is not the script itself, such as compiling it, is bounded by its work alone: a host that
  // was paused changes nothing.
  const Duration passed = vm.running_ ? vm.env_.precise_now() - vm.slice_began_ : Duration{0};
  const bool used_up = passed.ns == 0 ? vm.slice_work_ >= vm.slice_.work : passed >= vm.slice_.time;
  if (!used_up) return;
  // Within a function of C that has to wait for its end: that is bounded, too.
  if (vm.running_) suspend_soon(lua);
  vm.overrun_ += kWorkStep;
  if (vm.overrun_ <= kOverrunMax && vm.running_) return;
  // It would hold the node; no script catches this.
  vm.host_.killed = true;
  vm.host_.left = 0;
  luaL_error(lua, "%s", kOverrun);
}

}  // namespace redoubt
