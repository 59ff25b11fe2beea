// JSON as values: null as cjson.null, an object as a table, an array as a table from 1 on. A byte 0
// outside a string ends the input.
#include "engine/script/libraries/cjson_settings.h"
#include "engine/script/libraries/json_number.h"
#include "engine/script/libraries/text_buffer.h"

namespace redoubt {

namespace {

enum class JsonToken {
  kObjectBegin,
  kObjectEnd,
  kArrayBegin,
  kArrayEnd,
  kString,
  kNumber,
  kBoolean,
  kNull,
  kColon,
  kComma,
  kEnd,
};

// As error messages have them.
constexpr const char* kJsonTokenNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END",
                                           "T_STRING",    "T_NUMBER",  "T_BOOLEAN",   "T_NULL",
                                           "T_COLON",     "T_COMMA",   "T_END"};

int hexadecimal_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char letter = static_cast<char>(c | 0x20);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

class JsonDecoder {
 public:
  JsonDecoder(lua_State* lua, const CjsonSettings& settings, std::string_view text)
      : lua_(lua), settings_(settings), text_(text), unescaped_(lua) {}

  // Pushes the value that is the whole text.
  void whole() {
    next("value");
    value();
    next("the end");
    if (token_ != JsonToken::kEnd) fail("the end");
  }

 private:
  // --- Values. Each begins at a token that is already read.

  void value() {
    switch (token_) {
      case JsonToken::kString: push_string(); return;
      case JsonToken::kNumber: return lua_pushnumber(lua_, number_);
      case JsonToken::kBoolean: return lua_pushboolean(lua_, boolean_);
      case JsonToken::kNull: return lua_pushlightuserdata(lua_, nullptr);
      case JsonToken::kObjectBegin: return object();
      case JsonToken::kArrayBegin: return array();
      default: fail("value");
    }
  }

  void push_string() { lua_pushlstring(lua_, string_.data(), string_.size()); }

  void descend() {
    ++depth_;
    if (depth_ <= settings_.decode_depth_max && stack_holds(lua_, 2, TextBuffer::kSlots)) return;
    luaL_error(lua_, "Found too many nested data structures (%d) at character %d", depth_,
               static_cast<int>(at_));
  }

  void object() {
    descend();
    lua_newtable(lua_);
    next("object key string");
    while (token_ != JsonToken::kObjectEnd) {
      if (token_ != JsonToken::kString) fail("object key string");
      push_string();
      next("colon");
      if (token_ != JsonToken::kColon) fail("colon");
      next("value");
      value();
      lua_rawset(lua_, -3);
      next("comma or object end");
      if (token_ == JsonToken::kObjectEnd) break;
      if (token_ != JsonToken::kComma) fail("comma or object end");
      next("object key string");
      if (token_ == JsonToken::kObjectEnd) fail("object key string");
    }
    --depth_;
  }

  void array() {
    descend();
    lua_newtable(lua_);
    next("value");
    if (token_ == JsonToken::kArrayEnd) {
      if (settings_.mark_empty_arrays != 0) {
        push_array_metatable(lua_);
        lua_setmetatable(lua_, -2);
      }
    } else {
      elements();
    }
    --depth_;
  }

  void elements() {
    for (lua_Integer i = 1;; ++i) {
      value();
      lua_rawseti(lua_, -2, i);
      next("comma or array end");
      if (token_ == JsonToken::kArrayEnd) return;
      if (token_ != JsonToken::kComma) fail("comma or array end");
      next("value");
    }
  }

  // --- Tokens.

  void fail_with(const char* expected, const char* found, size_t position) {
    luaL_error(lua_, "Expected %s but found %s at character %d", expected, found,
               static_cast<int>(position + 1));
  }
  void fail(const char* expected) {
    fail_with(expected, kJsonTokenNames[static_cast<int>(token_)], start_);
  }

  // The byte at a position; 0 at the end of the text and behind it.
  char byte(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }

  void take(JsonToken token, size_t size) {
    token_ = token;
    at_ += size;
  }

  // Reads a token. `expected` is for the error if there is none.
  void next(const char* expected) {
    while (byte(at_) == ' ' || byte(at_) == '\t' || byte(at_) == '\n' || byte(at_) == '\r') ++at_;
    start_ = at_;
    count_work(lua_, 1);
    switch (byte(at_)) {
      case '\0': token_ = JsonToken::kEnd; return;
      case '{': return take(JsonToken::kObjectBegin, 1);
      case '}': return take(JsonToken::kObjectEnd, 1);
      case '[': return take(JsonToken::kArrayBegin, 1);
      case ']': return take(JsonToken::kArrayEnd, 1);
      case ':': return take(JsonToken::kColon, 1);
      case ',': return take(JsonToken::kComma, 1);
      case '"': return string_token(expected);
      default: break;
    }
    const char c = byte(at_);
    if (c == '-' || (c >= '0' && c <= '9')) return number_token(expected);
    word_token(expected);
  }

  void word_token(const char* expected) {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("true") || rest.starts_with("false")) {
      boolean_ = rest.starts_with("true") ? 1 : 0;
      return take(JsonToken::kBoolean, boolean_ != 0 ? 4 : 5);
    }
    if (rest.starts_with("null")) return take(JsonToken::kNull, 4);
    if (settings_.decode_invalid_numbers != 0 && is_beyond_json(rest)) {
      return number_token(expected);
    }
    fail_with(expected, "invalid token", start_);
  }

  void number_token(const char* expected) {
    const std::string_view rest = text_.substr(at_);
    size_t size = 0;
    if (settings_.decode_invalid_numbers != 0 || !is_beyond_json(rest)) {
      size = read_json_number(rest, number_);
    }
    if (size == 0) fail_with(expected, "invalid number", start_);
    take(JsonToken::kNumber, size);
  }

  // A string without escapes is a part of the text, another one is put together in unescaped_.
  void string_token(const char* expected) {
    ++at_;
    token_ = JsonToken::kString;
    const size_t begin = at_;
    size_t from = at_;
    unescaped_.clear();
    while (byte(at_) != '"') {
      if (byte(at_) == '\0') fail_with(expected, "unexpected end of string", at_);
      if (byte(at_) != '\\') {
        ++at_;
        continue;
      }
      unescaped_.append(text_.substr(from, at_ - from));
      escape(expected);
      from = at_;
    }
    count_byte_work(lua_, at_ - begin);
    const std::string_view last = text_.substr(from, at_ - from);
    ++at_;
    string_ = last;
    if (from == begin) return;
    unescaped_.append(last);
    string_ = unescaped_.text();
  }

  void escape(const char* expected) {
    const char c = byte(at_ + 1);
    if (c == 'u') return unicode_escape(expected);
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t which = kLetters.find(c);
    if (which == std::string_view::npos) fail_with(expected, "invalid escape code", at_);
    unescaped_.append(kMeanings[which]);
    at_ += 2;
  }

  // The number in \uXXXX at a position; -1 if there is none.
  int code_unit(size_t position) const {
    if (byte(position) != '\\' || byte(position + 1) != 'u') return -1;
    int unit = 0;
    for (size_t i = 2; i < 6; ++i) {
      const int digit = hexadecimal_value(byte(position + i));
      if (digit < 0) return -1;
      unit = 16 * unit + digit;
    }
    return unit;
  }

  // Two halves of a surrogate pair are one character.
  void unicode_escape(const char* expected) {
    int code = code_unit(at_);
    size_t size = 6;
    if (code >= 0xD800 && code < 0xE000) {
      const int low = code_unit(at_ + size);
      const bool pair = code < 0xDC00 && low >= 0xDC00 && low < 0xE000;
      code = pair ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : -1;
      size = 12;
    }
    if (code < 0) fail_with(expected, "invalid unicode escape code", at_);
    append_utf8(static_cast<uint32_t>(code));
    at_ += size;
  }

  void append_utf8(uint32_t code) {
    if (code < 0x80) return unescaped_.append(static_cast<char>(code));
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    constexpr uint32_t kFirst[] = {0, 0xC0, 0xE0, 0xF0};
    unescaped_.append(static_cast<char>(kFirst[more] | code >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) {
      unescaped_.append(static_cast<char>(0x80 | (code >> (6 * i) & 0x3F)));
    }
  }

  lua_State* lua_;
  const CjsonSettings& settings_;
  std::string_view text_;
  TextBuffer unescaped_;
  size_t at_ = 0;     // behind the token
  size_t start_ = 0;  // of the token
  int depth_ = 0;
  JsonToken token_ = JsonToken::kEnd;
  std::string_view string_;
  double number_ = 0;
  int boolean_ = 0;
};

}  // namespace

int cjson_decode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  size_t size;
  const char* bytes = luaL_checklstring(lua, 1, &size);
  // In UTF-16 and UTF-32 one of the first two bytes of any JSON is 0.
  if (size >= 2 && (bytes[0] == '\0' || bytes[1] == '\0')) {
    return luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
  }
  JsonDecoder decoder(lua, cjson_settings(lua), std::string_view(bytes, size));
  decoder.whole();
  return 1;
}

}  // namespace redoubt
