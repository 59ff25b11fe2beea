#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>

#include "tests/script/library_state.h"
#include "tests/script/script_value.h"

namespace redoubt {

namespace {

std::string space() {
  return std::string(*rc::gen::element("", "", "", " ", "\t", "\r\n", "  "));
}

std::string escaped_byte(char c) {
  char text[8];
  std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned char>(c));
  return text;
}

// A string with each byte in one of its forms. Bytes beyond ASCII stand for themselves, as an
// escape is a character.
std::string naive_string(const std::string& text) {
  std::string json = "\"";
  auto choice = *rc::gen::arbitrary<uint64_t>();
  for (char c : text) {
    choice = std::rotl(choice, 7);
    const bool ascii = static_cast<unsigned char>(c) < 0x80;
    const bool has_to = c == '"' || c == '\\' || c == '\0';
    if (ascii && (has_to || choice % 4 == 0)) {
      json += escaped_byte(c);
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string naive_number_text(double number) {
  char text[64];
  // All forms that keep 14 digits.
  const char* formats[] = {"%.14g", "%.17g", "%.13e", "%.16E"};
  std::snprintf(text, sizeof text, formats[draw_in(0, 4)], number);
  return text;
}

std::string naive_json(const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::kNull: return "null";
    case ScriptValue::kBoolean: return value.boolean ? "true" : "false";
    case ScriptValue::kNumber: return naive_number_text(value.number);
    case ScriptValue::kString: return naive_string(value.text);
    case ScriptValue::kArray: {
      std::string json;
      for (const ScriptValue& item : value.items) {
        json += (json.empty() ? "[" : ",") + space() + naive_json(item) + space();
      }
      return json + "]";
    }
    case ScriptValue::kMap: {
      std::string json = "{" + space();
      for (const auto& [key, item] : value.entries) {
        if (json.find('"') != std::string::npos) json += ",";
        json += space() + naive_string(key) + space() + ":" + space() + naive_json(item) + space();
      }
      return json + "}";
    }
  }
  return {};
}

TEST(CjsonLibrary, ValuesAndErrors) {
  expect_library_values("cjson");
}

RC_GTEST_PROP(CjsonLibrary, DecodesEveryForm, ()) {
  LibraryState state;
  const ScriptValue value = draw_script_value(4);
  const std::string json = space() + naive_json(value) + space();
  RC_ASSERT(state.call("cjson", "decode", json) == "");
  RC_ASSERT(lua_gettop(state.lua()) == 1);
  RC_ASSERT(script_value_at(state.lua(), 1) == value);
}

RC_GTEST_PROP(CjsonLibrary, DecodesWhatItEncodes, ()) {
  LibraryState state;
  const ScriptValue value = draw_script_value(4);
  lua_settop(state.lua(), 0);
  push_script_value(state.lua(), value);
  RC_ASSERT(state.call("cjson", "encode") == "");
  RC_ASSERT(state.call("cjson", "decode", state.text(1)) == "");
  RC_ASSERT(script_value_at(state.lua(), 1) == value);
}

RC_GTEST_PROP(CjsonLibrary, NumbersAreWrittenAsPrintfDoes, (uint64_t bits, bool whole)) {
  LibraryState state;
  auto number = whole ? static_cast<double>(static_cast<int64_t>(bits)) : 0;
  if (!whole) number = std::bit_cast<double>(bits);
  if (!std::isfinite(number)) return;
  const int digits = draw_in(1, 15);
  lua_settop(state.lua(), 0);
  lua_pushnumber(state.lua(), digits);
  RC_ASSERT(state.call("cjson", "encode_number_precision") == "");
  lua_settop(state.lua(), 0);
  lua_pushnumber(state.lua(), number);
  RC_ASSERT(state.call("cjson", "encode") == "");
  char text[64];
  std::snprintf(text, sizeof text, "%.*g", digits, number);
  RC_ASSERT(state.text(1) == text);
}

RC_GTEST_PROP(CjsonLibrary, NumbersAreReadAsStrtodDoes, ()) {
  LibraryState state;
  const std::string letters = "0123456789.eE+-xXpPaAinfnaNty()_";
  std::string json = std::to_string(draw_in(-20, 20));
  if (draw_in(0, 4) == 0) json = *rc::gen::element("0x", "-0x", "in", "na", "-i", "+", "");
  for (int i = draw_in(0, 9); i > 0; --i) {
    json += letters[static_cast<size_t>(draw_in(0, static_cast<int>(letters.size())))];
  }
  char* end;
  const double expected = std::strtod(json.c_str(), &end);
  const bool whole = !json.empty() && *end == '\0' && json[0] != '.';
  const std::string error = state.call("cjson", "decode", json);
  RC_ASSERT(error.empty() == whole);
  if (!whole) return;
  const double got = lua_tonumber(state.lua(), 1);
  RC_ASSERT(got == expected || (std::isnan(got) && std::isnan(expected)));
  RC_ASSERT(std::signbit(got) == std::signbit(expected) || std::isnan(got));
}

RC_GTEST_PROP(CjsonLibrary, CharactersOutsideTheFirstPlane, ()) {
  LibraryState state;
  const int code = draw_in(0x10000, 0x110000);
  char json[32];
  std::snprintf(json, sizeof json, "\"\\u%04X\\u%04x\"", 0xD800 + ((code - 0x10000) >> 10),
                0xDC00 + (code & 0x3FF));
  RC_ASSERT(state.call("cjson", "decode", json) == "");
  const std::string text = state.text(1);
  RC_ASSERT(text.size() == 4U);
  int decoded = text[0] & 7;
  for (int i = 1; i < 4; ++i) decoded = decoded << 6 | (text[i] & 0x3F);
  RC_ASSERT(decoded == code);
}

RC_GTEST_PROP(CjsonLibrary, AnyBytesAreAValueOrAnError, ()) {
  LibraryState state(size_t{8} << 20);
  const std::string letters("[]{},:\"\\ tfn1-0.eu\0a\xE9\n", 23);
  std::string json;
  for (int i = draw_in(0, 40); i > 0; --i) {
    json += letters[static_cast<size_t>(draw_in(0, static_cast<int>(letters.size())))];
  }
  const std::string error = state.call("cjson", "decode", json);
  RC_ASSERT(error.empty() || error.starts_with("Expected ") || error.starts_with("JSON parser"));
}

// As in newer Redis; off at the start.
TEST(CjsonLibrary, EmptyArraysCanBeToldFromObjects) {
  LibraryState state;
  EXPECT_EQ(state.run("cjson.encode(cjson.decode('[[],{}]'))"), "\"[{},{}]\"");
  EXPECT_EQ(state.run("cjson.decode_array_with_array_mt(true)"), "true");
  EXPECT_EQ(state.run("cjson.encode(cjson.decode('[[],{}]'))"), "\"[[],{}]\"");
  EXPECT_EQ(state.run("cjson.encode(cjson.decode('[]'))"), "\"[]\"");
  EXPECT_EQ(state.run("local t = cjson.decode('[]') t[1] = 2 return cjson.encode(t)"), "\"[2]\"");
  EXPECT_EQ(state.run("local t = cjson.decode('[]') t.a = 2 return cjson.encode(t)"),
            "\"{\\\"a\\\":2}\"");
  EXPECT_EQ(state.run("cjson.decode_array_with_array_mt('off')"), "false");
  EXPECT_EQ(state.run("cjson.encode(cjson.decode('[]'))"), "\"{}\"");
  EXPECT_EQ(state.run("cjson.decode_array_with_array_mt('null')"),
            "error: bad argument #1 to 'decode_array_with_array_mt' (invalid option 'null')");
}

TEST(CjsonLibrary, NewHasSettingsOfItsOwn) {
  LibraryState state;
  EXPECT_EQ(state.run("local c = cjson.new() c.encode_max_depth(3) c.encode_number_precision(3) "
                      "return c.encode_max_depth(), cjson.encode_max_depth(), c.encode(1/3), "
                      "cjson.encode(1/3), c.null == cjson.null"),
            "3 | 1000 | \"0.333\" | \"0.33333333333333\" | true");
}

// However deep a script allows it.
TEST(CjsonLibrary, DepthHasALimit) {
  LibraryState state;
  EXPECT_EQ(state.run("cjson.encode_max_depth(2^31-1), cjson.decode_max_depth(2^31-1)"),
            "2147483647 | 2147483647");
  EXPECT_EQ(state.run("local t = {} t[1] = t return cjson.encode(t)"),
            "error: Cannot serialise, excessive nesting (7998)");
  EXPECT_EQ(state.run("cjson.decode(string.rep('[', 1000000))"),
            "error: Found too many nested data structures (7999) at character 7999");
}

// A table that is in itself many times, and an array of nulls, are limited by work and by memory.
TEST(CjsonLibrary, WorkAndMemoryAreCounted) {
  const char* bomb =
      "local t = {} for i = 1, 30 do t = {t,t,t,t,t,t,t,t,t,t} end return cjson.encode(t)";
  LibraryState state;
  state.limit_work(1'000'000);
  EXPECT_EQ(state.run(bomb), "error: out of work");
  LibraryState small(size_t{4} << 20);
  EXPECT_EQ(small.run(bomb), "error: not enough memory");
  EXPECT_EQ(small.run("cjson.encode_sparse_array(false, 0) return cjson.encode({[2^31-1]=1})"),
            "error: not enough memory");
}

// With a little more memory each time, until there is enough.
TEST(CjsonLibrary, EveryAllocationMayFail) {
  const char* script =
      "local t = {} for i = 1, 40 do t[i] = {a = string.rep('x', 90), b = {i, i / 3}} end "
      "local c = cjson.new() local u = c.decode(c.encode(t)) "
      "return #u, u[40].b[1], #cmsgpack.unpack(cmsgpack.pack(u)), #struct.pack('s', "
      "cjson.encode(u))";
  size_t limit = 0;
  size_t failures = 0;
  std::string result;
  for (; result != "40 | 40 | 40 | 4777"; limit += 250) {
    ASSERT_LT(limit, size_t{1} << 20) << result;
    LibraryState state(limit);
    result = state.run(script);
    if (!result.starts_with("error: ")) continue;
    ASSERT_EQ(result, "error: not enough memory");
    ++failures;
  }
  EXPECT_GT(failures, 100U);
}

}  // namespace

}  // namespace redoubt
