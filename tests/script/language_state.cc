#include "tests/script/language_state.h"

#include <gtest/gtest.h>

namespace redoubt {

namespace {

int open_base_protected(lua_State* lua) {
  open_base(lua);
  return 0;
}

void work_without_end(lua_State* lua) {
  host_of(lua).left = PTRDIFF_MAX / 2;
}

void kill_script(lua_State* lua) {
  host_of(lua).left = 0;
  host_of(lua).killed = true;
  luaL_error(lua, "killed");
}

// With tostring and select of the state: results that are nil count.
std::string joined_results(lua_State* lua, int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    lua_getglobal(lua, "tostring");
    lua_pushvalue(lua, i);
    lua_call(lua, 1, 1);
    size_t size = 0;
    const char* bytes = lua_tolstring(lua, -1, &size);
    if (i > 1) text += " | ";
    text.append(bytes, size);
    lua_pop(lua, 1);
  }
  return text;
}

}  // namespace

LanguageState::LanguageState(unsigned seed) {
  host_.seed = seed;
  host_.left = PTRDIFF_MAX / 2;
  host_.work = work_without_end;
  lua_ = new_lua_state(host_);
  lua_pushcfunction(lua_, open_base_protected);
  EXPECT_EQ(lua_pcall(lua_, 0, 0, 0), LUA_OK);
}

LanguageState::~LanguageState() {
  lua_close(lua_);
  EXPECT_EQ(host_.used_bytes, 0u);
}

std::string LanguageState::run(std::string_view chunk) {
  lua_settop(lua_, 0);
  int status = luaL_loadbufferx(lua_, chunk.data(), chunk.size(), "=s", nullptr);
  if (status == LUA_OK) status = lua_pcall(lua_, 0, LUA_MULTRET, 0);
  host_.killed = false;
  const ptrdiff_t left = host_.left;
  const size_t limit = host_.limit_bytes;
  host_.left = PTRDIFF_MAX / 2;
  host_.limit_bytes = SIZE_MAX;
  const std::string text = joined_results(lua_, lua_gettop(lua_));
  host_.left = left;
  host_.limit_bytes = limit;
  return status == LUA_OK ? text : "error: " + text;
}

std::string LanguageState::eval(std::string_view expression) {
  return run("return " + std::string(expression));
}

void LanguageState::kill_after(ptrdiff_t work_max) {
  host_.work = work_max == 0 ? work_without_end : kill_script;
  host_.left = work_max == 0 ? PTRDIFF_MAX / 2 : work_max;
}

}  // namespace redoubt
