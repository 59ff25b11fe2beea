#include "tests/script/script_value.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace redoubt {

namespace {

double draw_number() {
  const auto whole = static_cast<double>(*rc::gen::arbitrary<int64_t>());
  switch (draw_in(0, 5)) {
    case 0: return draw_in(-200, 200);
    case 1: return std::fmod(whole, 1e14);
    case 2: return std::fmod(whole, 70000) / 8;
    case 3: return std::ldexp(1, draw_in(0, 46));
    default: return -std::ldexp(1, draw_in(0, 46)) - draw_in(0, 2);
  }
}

std::string draw_text() {
  if (draw_in(0, 10) == 0) return std::string(draw_in(0, 70000), 'x');
  return *rc::gen::arbitrary<std::string>();
}

std::vector<ScriptValue> draw_items(int depth) {
  std::vector<ScriptValue> items(draw_in(1, draw_in(0, 20) == 0 ? 70 : 5));
  for (ScriptValue& item : items) item = draw_script_value(depth - 1);
  return items;
}

}  // namespace

int draw_in(int least, int most) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, most));
}

ScriptValue script_null() {
  return {};
}

ScriptValue script_number(double number) {
  ScriptValue value;
  value.kind = ScriptValue::kNumber;
  value.number = number;
  return value;
}

ScriptValue script_text(std::string text) {
  ScriptValue value;
  value.kind = ScriptValue::kString;
  value.text = std::move(text);
  return value;
}

ScriptValue draw_script_value(int depth) {
  ScriptValue value;
  // More often than not a table, where it may be.
  const int kind = draw_in(0, depth > 0 ? 9 : 4);
  value.kind = static_cast<ScriptValue::Kind>(kind < 4 ? kind : 4 + kind % 2);
  switch (value.kind) {
    case ScriptValue::kNull: break;
    case ScriptValue::kBoolean: value.boolean = *rc::gen::arbitrary<bool>(); break;
    case ScriptValue::kNumber: value.number = draw_number(); break;
    case ScriptValue::kString: value.text = draw_text(); break;
    case ScriptValue::kArray: value.items = draw_items(depth); break;
    case ScriptValue::kMap: {
      std::map<std::string, ScriptValue> entries;
      for (int i = draw_in(0, 4); i > 0; --i) {
        entries[*rc::gen::arbitrary<std::string>()] = draw_script_value(depth - 1);
      }
      value.entries.assign(entries.begin(), entries.end());
    }
  }
  return value;
}

void push_script_value(lua_State* lua, const ScriptValue& value) {
  luaL_checkstack(lua, 8, "in a test");
  switch (value.kind) {
    case ScriptValue::kNull: return lua_pushlightuserdata(lua, nullptr);
    case ScriptValue::kBoolean: return lua_pushboolean(lua, value.boolean);
    case ScriptValue::kNumber: return lua_pushnumber(lua, value.number);
    case ScriptValue::kString: lua_pushlstring(lua, value.text.data(), value.text.size()); return;
    case ScriptValue::kArray:
      lua_newtable(lua);
      for (size_t i = 0; i < value.items.size(); ++i) {
        push_script_value(lua, value.items[i]);
        lua_rawseti(lua, -2, static_cast<lua_Integer>(i + 1));
      }
      return;
    case ScriptValue::kMap:
      lua_newtable(lua);
      for (const auto& [key, item] : value.entries) {
        lua_pushlstring(lua, key.data(), key.size());
        push_script_value(lua, item);
        lua_rawset(lua, -3);
      }
  }
}

namespace {

void read_table(lua_State* lua, int index, ScriptValue& value) {
  value.items.resize(lua_rawlen(lua, index));
  value.kind = value.items.empty() ? ScriptValue::kMap : ScriptValue::kArray;
  std::map<std::string, ScriptValue> entries;
  size_t count = 0;
  for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
    ++count;
    ScriptValue item = script_value_at(lua, lua_gettop(lua));
    if (lua_type(lua, -2) == LUA_TSTRING) {
      size_t size;
      const char* key = lua_tolstring(lua, -2, &size);
      entries[std::string(key, size)] = std::move(item);
    } else {
      const auto place = static_cast<size_t>(lua_tonumber(lua, -2));
      if (place >= 1 && place <= value.items.size()) value.items[place - 1] = std::move(item);
    }
  }
  EXPECT_EQ(count, std::max(value.items.size(), entries.size())) << "an array or a map";
  value.entries.assign(entries.begin(), entries.end());
}

}  // namespace

ScriptValue script_value_at(lua_State* lua, int index) {
  luaL_checkstack(lua, 8, "in a test");
  ScriptValue value;
  switch (lua_type(lua, index)) {
    case LUA_TBOOLEAN:
      value.kind = ScriptValue::kBoolean;
      value.boolean = lua_toboolean(lua, index) != 0;
      return value;
    case LUA_TNUMBER: return script_number(lua_tonumber(lua, index));
    case LUA_TSTRING: {
      size_t size;
      const char* bytes = lua_tolstring(lua, index, &size);
      return script_text(std::string(bytes, size));
    }
    case LUA_TTABLE: read_table(lua, index, value); return value;
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA: return script_null();
    default: ADD_FAILURE() << "a value of another type"; return value;
  }
}

}  // namespace redoubt
