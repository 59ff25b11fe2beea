#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "tests/script/library_state.h"
#include "tests/script/script_value.h"

namespace redoubt {

namespace {

std::string big_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// One of the forms that can hold a number: `form` says which of them; 0 is the shortest.
std::string naive_number(double number, int form) {
  std::vector<std::string> forms;
  if (number == std::floor(number) && std::abs(number) < 9e18) {
    const auto whole = static_cast<int64_t>(number);
    const auto bits = static_cast<uint64_t>(whole);
    if (whole >= -32 && whole < 128) forms.push_back(big_endian(bits, 1));
    for (int width = 0; width < 4; ++width) {
      const int bytes = 1 << width;
      const bool fits = bytes == 8 || (whole >= 0 && whole >> (8 * bytes) == 0);
      if (whole >= 0 && fits)
        forms.push_back(big_endian(0xCC + width, 1) + big_endian(bits, bytes));
    }
    for (int width = 0; width < 4; ++width) {
      const int bytes = 1 << width;
      const int64_t half = int64_t{1} << (8 * bytes - 1 - (bytes == 8 ? 1 : 0));
      if (bytes != 8 && !(whole >= -half && whole < half)) continue;
      forms.push_back(big_endian(0xD0 + width, 1) + big_endian(bits, bytes));
    }
  }
  const auto narrow = static_cast<float>(number);
  if (narrow == number) forms.push_back('\xCA' + big_endian(std::bit_cast<uint32_t>(narrow), 4));
  forms.push_back('\xCB' + big_endian(std::bit_cast<uint64_t>(number), 8));
  return forms[static_cast<size_t>(form) % forms.size()];
}

// A count in one of its forms: in the mark, in 8 bits if there is such a form, in 16 and in 32.
std::string naive_count(size_t count, int form, uint8_t fix, size_t fix_max, uint8_t mark8,
                        uint8_t mark16) {
  std::vector<std::string> forms;
  if (count <= fix_max) forms.push_back(big_endian(fix + count, 1));
  if (mark8 != 0 && count < 0x100) forms.push_back(big_endian(mark8, 1) + big_endian(count, 1));
  if (count < 0x10000) forms.push_back(big_endian(mark16, 1) + big_endian(count, 2));
  forms.push_back(big_endian(mark16 + 1, 1) + big_endian(count, 4));
  return forms[static_cast<size_t>(form) % forms.size()];
}

// `form` says which form is taken where there are several: 0 for the shortest, or -1 for any.
std::string naive_msgpack(const ScriptValue& value, int form) {
  auto pick = [&] { return form < 0 ? draw_in(0, 1000) : form; };
  switch (value.kind) {
    case ScriptValue::kNull: return "\xC0";
    case ScriptValue::kBoolean: return value.boolean ? "\xC3" : "\xC2";
    case ScriptValue::kNumber: return naive_number(value.number, pick());
    case ScriptValue::kString:
      return naive_count(value.text.size(), pick(), 0xA0, 31, 0xD9, 0xDA) + value.text;
    case ScriptValue::kArray: {
      std::string bytes = naive_count(value.items.size(), pick(), 0x90, 15, 0, 0xDC);
      for (const ScriptValue& item : value.items) bytes += naive_msgpack(item, form);
      return bytes;
    }
    case ScriptValue::kMap: {
      std::string bytes = naive_count(value.entries.size(), pick(), 0x80, 15, 0, 0xDE);
      for (const auto& [key, item] : value.entries) {
        bytes += naive_msgpack(script_text(key), form) + naive_msgpack(item, form);
      }
      return bytes;
    }
  }
  return {};
}

// With nil, which a table does not hold, only outside tables.
ScriptValue without_null(ScriptValue value) {
  for (ScriptValue& item : value.items) {
    item = item.kind == ScriptValue::kNull ? script_number(0) : without_null(item);
  }
  for (auto& [key, item] : value.entries) {
    item = item.kind == ScriptValue::kNull ? script_number(0) : without_null(item);
  }
  return value;
}

bool has_map(const ScriptValue& value) {
  if (value.kind == ScriptValue::kMap) return true;
  return std::ranges::any_of(value.items, has_map);
}

TEST(CmsgpackLibrary, ValuesAndErrors) {
  expect_library_values("cmsgpack");
}

RC_GTEST_PROP(CmsgpackLibrary, UnpacksEveryForm, ()) {
  LibraryState state;
  const ScriptValue value = without_null(draw_script_value(4));
  RC_ASSERT(state.call("cmsgpack", "unpack", naive_msgpack(value, -1)) == "");
  RC_ASSERT(script_value_at(state.lua(), 1) == value);
}

RC_GTEST_PROP(CmsgpackLibrary, PacksTheShortestForm, ()) {
  LibraryState state;
  const ScriptValue value = without_null(draw_script_value(4));
  lua_settop(state.lua(), 0);
  push_script_value(state.lua(), value);
  RC_ASSERT(state.call("cmsgpack", "pack") == "");
  const std::string packed = state.text(1);
  // The order of a map's keys is Lua's, and an empty one is an array.
  if (!has_map(value)) RC_ASSERT(packed == naive_msgpack(value, 0));
  RC_ASSERT(packed.size() == naive_msgpack(value, 0).size());
  RC_ASSERT(state.call("cmsgpack", "unpack", packed) == "");
  RC_ASSERT(script_value_at(state.lua(), 1) == value);
}

RC_GTEST_PROP(CmsgpackLibrary, MissingBytesAreAnErrorAtEveryPlace, ()) {
  LibraryState state;
  const std::string packed = naive_msgpack(without_null(draw_script_value(3)), -1);
  const std::string part =
      packed.substr(0, static_cast<size_t>(draw_in(1, static_cast<int>(packed.size()) + 1)));
  if (part.size() == packed.size()) return;
  RC_ASSERT(state.call("cmsgpack", "unpack", part) == "Missing bytes in input.");
}

RC_GTEST_PROP(CmsgpackLibrary, OneAfterAnotherAreAllOfThem, ()) {
  LibraryState state;
  std::string packed;
  std::vector<ScriptValue> values(draw_in(1, 6));
  for (ScriptValue& value : values) packed += naive_msgpack(value = draw_script_value(0), -1);
  double offset = 0;
  for (const ScriptValue& value : values) {
    RC_ASSERT(offset >= 0);
    lua_settop(state.lua(), 0);
    lua_pushlstring(state.lua(), packed.data(), packed.size());
    lua_pushnumber(state.lua(), offset);
    RC_ASSERT(state.call("cmsgpack", "unpack_one") == "");
    offset = lua_tonumber(state.lua(), 1);
    RC_ASSERT(script_value_at(state.lua(), 2) == value);
  }
  RC_ASSERT(offset == -1);
}

// A length of 4 GB in five bytes, also where many of them are inside each other.
TEST(CmsgpackLibrary, ClaimedLengthsTakeNoMemory) {
  LibraryState state(size_t{2} << 20);
  for (const char* mark : {"\xDB", "\xDD", "\xDF"}) {
    const size_t before = state.memory();
    EXPECT_EQ(state.call("cmsgpack", "unpack", std::string(mark) + "\xFF\xFF\xFF\xFF"),
              "Missing bytes in input.");
    EXPECT_LT(state.memory(), before + 4096);
  }
  std::string nested;
  for (int i = 0; i < 3000; ++i) nested += "\xDD\xFF\xFF\xFF\xFF";
  EXPECT_EQ(state.call("cmsgpack", "unpack", nested), "Missing bytes in input.");
}

// Two copies of a table in each of 16 levels would be 65,536 of them, ten 10^15.
TEST(CmsgpackLibrary, WorkIsCounted) {
  LibraryState state;
  state.limit_work(1'000'000);
  EXPECT_EQ(state.run("local t = {1} for i = 1, 15 do t = {t,t,t,t,t,t,t,t,t,t} end "
                      "return cmsgpack.pack(t)"),
            "error: out of work");
}

RC_GTEST_PROP(CmsgpackLibrary, AnyBytesAreAValueOrAnError, (const std::vector<uint8_t>& bytes)) {
  LibraryState state(size_t{8} << 20);
  const std::string text(bytes.begin(), bytes.end());
  const std::string error = state.call("cmsgpack", "unpack", text);
  if (error.empty()) return;
  RC_ASSERT(error == "Missing bytes in input." || error == "Bad data format in input." ||
            error == "table index is nil" || error == "table index is NaN");
}

}  // namespace

}  // namespace redoubt
