#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <variant>
#include <vector>

#include "tests/script/library_state.h"
#include "tests/script/script_value.h"

namespace redoubt {

namespace {

struct Option {
  std::string text;
  std::variant<std::monostate, double, std::string> value;
};

// Bytes by a format, kept simple: one at a time, with the values that unpacking gives back.
class NaivePacker {
 public:
  void add(const Option& option) {
    const char letter = option.text[0];
    const int number = option.text.size() > 1 ? std::stoi(option.text.substr(1)) : -1;
    switch (letter) {
      case '<': little_ = true; break;
      case '>': little_ = false; break;
      case '!': align_ = number < 0 ? 8 : number; break;
      case 'x': bytes_ += '\0'; break;
      case 's': bytes_ += std::get<std::string>(option.value) + '\0'; break;
      case 'c': bytes_ += std::get<std::string>(option.value); break;
      case 'f': add_number(to_bits<uint32_t>(static_cast<float>(number_of(option))), 4); break;
      case 'd': add_number(to_bits<uint64_t>(number_of(option)), 8); break;
      case 'b':
      case 'B': add_number(integer(option), 1); break;
      case 'h':
      case 'H': add_number(integer(option), 2); break;
      case 'l':
      case 'L':
      case 'T': add_number(integer(option), 8); break;
      default: add_number(integer(option), number < 0 ? 4 : number);
    }
  }

  const std::string& bytes() const { return bytes_; }

 private:
  static double number_of(const Option& option) { return std::get<double>(option.value); }
  static uint64_t integer(const Option& option) {
    return static_cast<uint64_t>(static_cast<int64_t>(number_of(option)));
  }
  template <typename Bits, typename Float>
  static Bits to_bits(Float number) {
    Bits bits;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }

  void add_number(uint64_t value, int size) {
    const size_t align = std::min(size, align_);
    while (align > 1 && bytes_.size() % align != 0) bytes_ += '\0';
    std::string text;
    for (int i = 0; i < size; ++i) {
      text += static_cast<char>(value & 0xFF);
      value >>= 8;
    }
    bytes_ += little_ ? text : std::string(text.rbegin(), text.rend());
  }

  std::string bytes_;
  bool little_ = true;
  int align_ = 1;
};

double draw_integer(int bits, bool with_sign) {
  const auto any = *rc::gen::arbitrary<uint64_t>();
  // Not more than a double has.
  const uint64_t value = any & ((uint64_t{1} << std::min(bits, 53)) - 1);
  const auto half = with_sign ? static_cast<double>(uint64_t{1} << (std::min(bits, 53) - 1)) : 0;
  return static_cast<double>(value) - half;
}

Option draw_option() {
  const std::string letters = "bBhHlLTiIfdsxc<>!";
  const char letter = letters[static_cast<size_t>(draw_in(0, static_cast<int>(letters.size())))];
  Option option{std::string(1, letter), {}};
  switch (letter) {
    case 'b':
    case 'B': option.value = draw_integer(8, letter == 'b'); break;
    case 'h':
    case 'H': option.value = draw_integer(16, letter == 'h'); break;
    case 'l': option.value = draw_integer(64, true); break;
    case 'L':
    case 'T': option.value = draw_integer(64, false); break;
    case 'i':
    case 'I': {
      // Powers of two, so that alignment means what one thinks.
      const int size = 1 << draw_in(0, 4);
      option.text += std::to_string(size);
      option.value = draw_integer(8 * size, letter == 'i');
      break;
    }
    case 'f': option.value = draw_integer(24, true) / 64; break;
    case 'd': option.value = draw_integer(50, true) / 1024; break;
    case 's': option.value = std::string(draw_in(0, 20), 'x'); break;
    case 'c': {
      const auto text = *rc::gen::nonEmpty<std::string>();
      option.text += std::to_string(text.size());
      option.value = text;
      break;
    }
    case '!':
      if (*rc::gen::arbitrary<bool>()) {
        option.text += std::to_string(1 << draw_in(0, 5));
      }
      break;
    default: break;
  }
  return option;
}

std::string format_of(const std::vector<Option>& options) {
  std::string format;
  for (const Option& option : options) format += option.text;
  return format;
}

void push_packed(lua_State* lua, const std::vector<Option>& options) {
  lua_settop(lua, 0);
  const std::string format = format_of(options);
  lua_pushlstring(lua, format.data(), format.size());
  for (const Option& option : options) {
    if (const auto* number = std::get_if<double>(&option.value)) lua_pushnumber(lua, *number);
    if (const auto* text = std::get_if<std::string>(&option.value)) {
      lua_pushlstring(lua, text->data(), text->size());
    }
  }
}

TEST(StructLibrary, ValuesAndErrors) {
  expect_library_values("struct");
}

RC_GTEST_PROP(StructLibrary, PacksAsTheModelAndUnpacksTheSame, ()) {
  LibraryState state;
  lua_State* lua = state.lua();
  std::vector<Option> options(draw_in(0, 12));
  NaivePacker model;
  for (Option& option : options) model.add(option = draw_option());
  push_packed(lua, options);
  RC_ASSERT(state.call("struct", "pack") == "");
  RC_ASSERT(state.text(1) == model.bytes());

  const std::string format = format_of(options);
  lua_settop(lua, 0);
  lua_pushlstring(lua, format.data(), format.size());
  lua_pushlstring(lua, model.bytes().data(), model.bytes().size());
  RC_ASSERT(state.call("struct", "unpack") == "");
  int index = 1;
  for (const Option& option : options) {
    if (const auto* number = std::get_if<double>(&option.value)) {
      RC_ASSERT(lua_tonumber(lua, index++) == *number);
    }
    if (const auto* text = std::get_if<std::string>(&option.value)) {
      RC_ASSERT(state.text(index++) == *text);
    }
  }
  RC_ASSERT(lua_gettop(lua) == index);
  RC_ASSERT(lua_tonumber(lua, index) == static_cast<double>(model.bytes().size() + 1));

  if (format.find('s') != std::string::npos) return;
  RC_ASSERT(state.call("struct", "size", format) == "");
  RC_ASSERT(lua_tonumber(lua, 1) == static_cast<double>(model.bytes().size()));
}

RC_GTEST_PROP(StructLibrary, AnyFormatAndBytesAreValuesOrAnError, (const std::string& bytes)) {
  LibraryState state(size_t{8} << 20);
  lua_State* lua = state.lua();
  const std::string letters = "bBhHlLTiIfdsxc<>! 0123456789z";
  std::string format;
  for (int i = draw_in(0, 30); i > 0; --i) {
    format += letters[static_cast<size_t>(draw_in(0, static_cast<int>(letters.size())))];
  }
  for (const char* name : {"unpack", "pack"}) {
    lua_settop(lua, 0);
    lua_pushlstring(lua, format.data(), format.size());
    lua_pushlstring(lua, bytes.data(), bytes.size());
    lua_pushnumber(lua, draw_in(-10, 10));
    state.call("struct", name);
  }
  state.call("struct", "size", format);
}

// The padding of an option behind the end is not counted, however far behind it is.
TEST(StructLibrary, PositionsFarBehindTheEnd) {
  LibraryState state;
  for (const char* position : {"-1", "-6", "-7", "-8", "2^62", "2^63", "-2^63", "9", "10"}) {
    EXPECT_EQ(state.run("struct.unpack('!8l', '12345678', " + std::string(position) + ")"),
              "error: bad argument #2 to 'unpack' (data string too short)")
        << position;
  }
}

TEST(StructLibrary, WorkIsCounted) {
  LibraryState state;
  state.limit_work(100'000);
  EXPECT_EQ(state.run("struct.size(string.rep('b', 1000000))"), "error: out of work");
}

}  // namespace

}  // namespace redoubt
