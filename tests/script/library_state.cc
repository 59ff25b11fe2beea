#include "tests/script/library_state.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>

#include "engine/script/libraries/libraries.h"

namespace redoubt {

namespace {

std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::general, 17);
  return std::string(text, end.ptr);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 32 || byte >= 127) {
      constexpr char kDigits[] = "0123456789abcdef";
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string value_text(lua_State* lua, int index, int depth);

std::string table_text(lua_State* lua, int index, int depth) {
  if (depth == 20) return "...";
  std::vector<std::string> entries;
  for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
    const int top = lua_gettop(lua);
    entries.push_back(value_text(lua, top - 1, depth + 1) + "=" + value_text(lua, top, depth + 1));
  }
  std::ranges::sort(entries);
  std::string text = "{";
  for (const std::string& entry : entries) text += (text.size() > 1 ? "," : "") + entry;
  return text + "}";
}

std::string value_text(lua_State* lua, int index, int depth) {
  luaL_checkstack(lua, 10, "too deep");
  switch (lua_type(lua, index)) {
    case LUA_TNIL: return "nil";
    case LUA_TBOOLEAN: return lua_toboolean(lua, index) != 0 ? "true" : "false";
    case LUA_TNUMBER: return number_text(lua_tonumber(lua, index));
    case LUA_TLIGHTUSERDATA: return "null";
    case LUA_TSTRING: {
      size_t size;
      const char* bytes = lua_tolstring(lua, index, &size);
      return quoted({bytes, size});
    }
    case LUA_TTABLE: return table_text(lua, index, depth);
    default: return luaL_typename(lua, index);
  }
}

int open_all(lua_State* lua) {
  open_libraries(lua);
  return 0;
}

}  // namespace

LibraryState::LibraryState(size_t memory_max) {
  host_.seed = 1;
  host_.left = PTRDIFF_MAX;
  host_.work = [](lua_State* lua) { luaL_error(lua, "out of work"); };
  lua_ = new_lua_state(host_);
  lua_pushcfunction(lua_, open_all);
  lua_call(lua_, 0, 0);
  host_.limit_bytes = memory_max;
}

LibraryState::~LibraryState() {
  lua_close(lua_);
}

std::string LibraryState::run(std::string_view script) {
  lua_settop(lua_, 0);
  std::string result;
  const std::string expression = "return " + std::string(script);
  int status = luaL_loadbufferx(lua_, expression.data(), expression.size(), "=s", "t");
  if (status != LUA_OK) {
    lua_settop(lua_, 0);
    status = luaL_loadbufferx(lua_, script.data(), script.size(), "=s", "t");
  }
  if (status == LUA_OK) status = lua_pcall(lua_, 0, LUA_MULTRET, 0);
  if (status != LUA_OK) {
    const char* message = lua_tostring(lua_, -1);
    result = message != nullptr ? message : "no message";
    if (result.starts_with("s:")) result.erase(0, result.find(' ') + 1);
    return "error: " + result;
  }
  const int count = lua_gettop(lua_);
  if (count == 0) return "(nothing)";
  for (int i = 1; i <= count; ++i) result += (i > 1 ? " | " : "") + value_text(lua_, i, 0);
  return result;
}

std::string LibraryState::call(const char* library, const char* name) {
  const int arguments = lua_gettop(lua_);
  lua_getglobal(lua_, library);
  lua_getfield(lua_, -1, name);
  lua_insert(lua_, 1);
  lua_pop(lua_, 1);
  if (lua_pcall(lua_, arguments, LUA_MULTRET, 0) == LUA_OK) return "";
  std::string message = text(-1);
  return message.empty() ? "an error without text" : message;
}

std::string LibraryState::call(const char* library, const char* name, std::string_view argument) {
  lua_settop(lua_, 0);
  lua_pushlstring(lua_, argument.data(), argument.size());
  return call(library, name);
}

std::string LibraryState::text(int index) {
  size_t size;
  const char* bytes = lua_tolstring(lua_, index, &size);
  return bytes == nullptr ? "" : std::string(bytes, size);
}

void expect_library_values(std::string_view section) {
  std::ifstream file("tests/script/library_values.txt");
  LibraryState state;
  std::string expression;
  std::string heading;
  size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) heading = line.substr(3);
    if (heading != section || line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("redis: ")) continue;
    if (line.starts_with("> ")) {
      expression = line.substr(2);
      continue;
    }
    EXPECT_EQ(state.run(expression), line) << expression;
    ++count;
  }
  EXPECT_GT(count, 30U);
}

}  // namespace redoubt
