// What the files of the library cjson share.
#pragma once

#include "engine/script/libraries/arguments.h"

namespace redoubt {

// What scripts can set: one for each table of functions that cjson.new makes.
struct CjsonSettings {
  enum InvalidNumbers { kRefused, kAsTheyAre, kAsNull };

  int encode_depth_max = 1000;
  int decode_depth_max = 1000;
  // A table of numbered values is too sparse for an array when its length is more than `ratio`
  // times the number of values, and more than `safe`.
  bool sparse_as_object = false;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  int digits = 14;  // of a number
  int keep_buffer = 1;
  int encode_invalid_numbers = kRefused;
  int decode_invalid_numbers = kAsTheyAre;
  // Whether an array that is empty is told from an object when it is encoded again.
  int mark_empty_arrays = 0;
};

// The field of a table's metatable that says that the table is an array.
inline constexpr char kArrayMark[] = "__is_cjson_array";

// Functions of the library have the settings as their first upvalue, and the metatable of empty
// arrays as the second.
inline CjsonSettings& cjson_settings(lua_State* lua) {
  return *static_cast<CjsonSettings*>(lua_touserdata(lua, lua_upvalueindex(1)));
}
inline void push_array_metatable(lua_State* lua) {
  lua_pushvalue(lua, lua_upvalueindex(2));
}

int cjson_encode(lua_State* lua);
int cjson_decode(lua_State* lua);

}  // namespace redoubt
