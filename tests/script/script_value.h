// Values as tests of the libraries generate them: what JSON and MessagePack both have.
#pragma once

#include <lua.hpp>
#include <string>
#include <utility>
#include <vector>

namespace redoubt {

struct ScriptValue {
  enum Kind { kNull, kBoolean, kNumber, kString, kArray, kMap };

  Kind kind = kNull;
  bool boolean = false;
  double number = 0;
  std::string text;
  std::vector<ScriptValue> items;                            // of an array: at least one
  std::vector<std::pair<std::string, ScriptValue>> entries;  // of a map, by their keys

  bool operator==(const ScriptValue&) const = default;
};

ScriptValue script_null();
ScriptValue script_number(double number);
ScriptValue script_text(std::string text);

// Draws a number of [least, most) with RapidCheck, whose own ranges are narrow in the first cases.
int draw_in(int least, int most);

// Draws a value with RapidCheck, of at most `depth` levels of arrays and maps. Numbers have at most
// 14 digits.
ScriptValue draw_script_value(int depth);

// Pushes a value; null is cjson.null.
void push_script_value(lua_State* lua, const ScriptValue& value);

// The value at an index; an empty table is a map. nil is null, too.
ScriptValue script_value_at(lua_State* lua, int index);

}  // namespace redoubt
