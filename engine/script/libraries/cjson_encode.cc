// A value as JSON. A table whose keys are all whole numbers from 1 on is an array, with null where
// numbers are missing; another one, and the empty one, is an object. Objects have their keys in the
// order of `next`.
#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>

#include "engine/script/libraries/cjson_settings.h"
#include "engine/script/libraries/text_buffer.h"

namespace redoubt {

namespace {

// The escape of each byte: 0 for none, 'u' for \u00XX.
constexpr std::array<char, 256> kJsonEscapes = [] {
  std::array<char, 256> escapes{};
  for (size_t c = 0; c < 32; ++c) escapes[c] = 'u';
  escapes[127] = 'u';
  escapes['\b'] = 'b';
  escapes['\t'] = 't';
  escapes['\n'] = 'n';
  escapes['\f'] = 'f';
  escapes['\r'] = 'r';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['/'] = '/';
  return escapes;
}();

class JsonEncoder {
 public:
  JsonEncoder(lua_State* lua, const CjsonSettings& settings)
      : lua_(lua), settings_(settings), out_(lua) {}

  // The value on top of the stack, which stays there.
  void value() {
    count_work(lua_, 1);
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING: return string();
      case LUA_TNUMBER: return number();
      case LUA_TBOOLEAN: return out_.append(lua_toboolean(lua_, -1) != 0 ? "true" : "false");
      case LUA_TTABLE: return table();
      case LUA_TNIL: return out_.append("null");
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(lua_, -1) == nullptr) return out_.append("null");
        [[fallthrough]];
      default: refuse("type not supported");
    }
  }

  void push() const { out_.push(); }

 private:
  // The buffer's, and the argument's: its value is on the stack twice.
  static constexpr int kOwnSlots = TextBuffer::kSlots + 1;

  // The value on top cannot be encoded.
  void refuse(const char* reason) {
    luaL_error(lua_, "Cannot serialise %s: %s", luaL_typename(lua_, -1), reason);
  }

  void string() {
    size_t size;
    const char* bytes = lua_tolstring(lua_, -1, &size);
    count_byte_work(lua_, size);
    out_.append('"');
    // What needs no escape is copied at once.
    size_t from = 0;
    for (size_t i = 0; i < size; ++i) {
      const auto c = static_cast<unsigned char>(bytes[i]);
      if (kJsonEscapes[c] == 0) continue;
      out_.append(std::string_view(bytes + from, i - from));
      from = i + 1;
      escaped(c);
    }
    out_.append(std::string_view(bytes + from, size - from));
    out_.append('"');
  }

  void escaped(unsigned char c) {
    out_.append('\\');
    out_.append(kJsonEscapes[c]);
    if (kJsonEscapes[c] != 'u') return;
    constexpr char kDigits[] = "0123456789abcdef";
    const char digits[4] = {'0', '0', kDigits[c >> 4], kDigits[c & 15]};
    out_.append(std::string_view(digits, sizeof digits));
  }

  void number() {
    const double value = lua_tonumber(lua_, -1);
    if (!std::isfinite(value)) {
      if (settings_.encode_invalid_numbers == CjsonSettings::kRefused) {
        refuse("must not be NaN or Inf");
      }
      if (settings_.encode_invalid_numbers == CjsonSettings::kAsNull) return out_.append("null");
      return out_.append(std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    }
    constexpr size_t kNumberBytesMax = 32;  // a sign, 14 digits, a point, an exponent, 3 zeros
    char* text = out_.room(kNumberBytesMax);
    const auto end = std::to_chars(text, text + kNumberBytesMax, value, std::chars_format::general,
                                   settings_.digits);
    out_.used(static_cast<size_t>(end.ptr - text));
  }

  void table() {
    ++depth_;
    if (depth_ > settings_.encode_depth_max || !stack_holds(lua_, 3, kOwnSlots)) {
      luaL_error(lua_, "Cannot serialise, excessive nesting (%d)", depth_);
    }
    const int length = array_length();
    if (length > 0) {
      array(length);
    } else if (is_marked_and_empty()) {
      out_.append("[]");
    } else {
      object();
    }
    --depth_;
  }

  // The length of the array that the table is; 0 or -1 for an object.
  int array_length() {
    int largest = 0;
    int64_t count = 0;
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0; lua_pop(lua_, 1)) {
      const double key = lua_type(lua_, -2) == LUA_TNUMBER ? lua_tonumber(lua_, -2) : 0;
      if (!(key >= 1 && key <= INT_MAX && key == std::floor(key))) {
        lua_pop(lua_, 2);
        return -1;
      }
      largest = std::max(largest, static_cast<int>(key));
      ++count;
    }
    count_work(lua_, static_cast<size_t>(count));
    if (settings_.sparse_ratio > 0 && largest > count * settings_.sparse_ratio &&
        largest > settings_.sparse_safe) {
      if (!settings_.sparse_as_object) refuse("excessively sparse array");
      return -1;
    }
    return largest;
  }

  bool is_marked_and_empty() {
    if (lua_getmetatable(lua_, -1) == 0) return false;
    lua_pushstring(lua_, kArrayMark);
    lua_rawget(lua_, -2);
    bool empty = lua_toboolean(lua_, -1) != 0;
    lua_pop(lua_, 2);
    if (!empty) return false;
    lua_pushnil(lua_);
    empty = lua_next(lua_, -2) == 0;
    if (!empty) lua_pop(lua_, 2);
    return empty;
  }

  void array(int length) {
    out_.append('[');
    for (int i = 1; i <= length; ++i) {
      if (i > 1) out_.append(',');
      lua_rawgeti(lua_, -1, i);
      value();
      lua_pop(lua_, 1);
    }
    out_.append(']');
  }

  void object() {
    out_.append('{');
    bool first = true;
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0; lua_pop(lua_, 1)) {
      if (!first) out_.append(',');
      first = false;
      lua_pushvalue(lua_, -2);
      key();
      lua_pop(lua_, 1);
      out_.append(':');
      value();
    }
    out_.append('}');
  }

  void key() {
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING: return string();
      case LUA_TNUMBER:
        out_.append('"');
        number();
        return out_.append('"');
      default: refuse("table key must be a number or string");
    }
  }

  lua_State* lua_;
  const CjsonSettings& settings_;
  TextBuffer out_;
  int depth_ = 0;
};

}  // namespace

int cjson_encode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  JsonEncoder encoder(lua, cjson_settings(lua));
  lua_pushvalue(lua, 1);
  encoder.value();
  encoder.push();
  return 1;
}

}  // namespace redoubt
