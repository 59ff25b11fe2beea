#include "engine/script/libraries/bit.h"

#include <algorithm>
#include <bit>

#include "engine/script/libraries/arguments.h"

namespace redoubt {

namespace {

// A number modulo 2^32, rounded to the nearest integer, halves to the even one. The sum with
// 1.5 * 2^52 has the integer in its low bits. For numbers beyond +-2^51 the documentation of BitOp
// leaves the result undefined; it is the same here, as scripts may have come to rely on it.
uint32_t bits_argument(lua_State* lua, int argument) {
  const double number = luaL_checknumber(lua, argument);
  return static_cast<uint32_t>(std::bit_cast<uint64_t>(number + 6755399441055744.0));
}

int push_bits(lua_State* lua, uint32_t bits) {
  push_integer(lua, static_cast<int32_t>(bits));
  return 1;
}

int bit_tobit(lua_State* lua) {
  return push_bits(lua, bits_argument(lua, 1));
}

int bit_bnot(lua_State* lua) {
  return push_bits(lua, ~bits_argument(lua, 1));
}

// The result for all arguments, of which there is at least one.
template <typename Combine>
int fold_bits(lua_State* lua, Combine combine) {
  uint32_t bits = bits_argument(lua, 1);
  for (int i = lua_gettop(lua); i > 1; --i) bits = combine(bits, bits_argument(lua, i));
  return push_bits(lua, bits);
}

int bit_band(lua_State* lua) {
  return fold_bits(lua, [](uint32_t a, uint32_t b) { return a & b; });
}

int bit_bor(lua_State* lua) {
  return fold_bits(lua, [](uint32_t a, uint32_t b) { return a | b; });
}

int bit_bxor(lua_State* lua) {
  return fold_bits(lua, [](uint32_t a, uint32_t b) { return a ^ b; });
}

// Of the count, five bits matter.
template <typename Shift>
int shift_bits(lua_State* lua, Shift shift) {
  const uint32_t bits = bits_argument(lua, 1);
  const auto count = static_cast<int>(bits_argument(lua, 2) & 31);
  return push_bits(lua, shift(bits, count));
}

int bit_lshift(lua_State* lua) {
  return shift_bits(lua, [](uint32_t bits, int count) { return bits << count; });
}

int bit_rshift(lua_State* lua) {
  return shift_bits(lua, [](uint32_t bits, int count) { return bits >> count; });
}

int bit_arshift(lua_State* lua) {
  return shift_bits(lua, [](uint32_t bits, int count) {
    return static_cast<uint32_t>(static_cast<int32_t>(bits) >> count);
  });
}

int bit_rol(lua_State* lua) {
  return shift_bits(lua, [](uint32_t bits, int count) { return std::rotl(bits, count); });
}

int bit_ror(lua_State* lua) {
  return shift_bits(lua, [](uint32_t bits, int count) { return std::rotr(bits, count); });
}

int bit_bswap(lua_State* lua) {
  return push_bits(lua, __builtin_bswap32(bits_argument(lua, 1)));
}

// The last digits, as many as the second argument says; a negative count asks for capital letters.
// The count stays unsigned: its most negative value has no opposite.
int bit_tohex(lua_State* lua) {
  uint32_t bits = bits_argument(lua, 1);
  const uint32_t wanted = lua_isnone(lua, 2) ? 8 : bits_argument(lua, 2);
  const bool capitals = static_cast<int32_t>(wanted) < 0;
  const uint32_t count = std::min<uint32_t>(capitals ? 0 - wanted : wanted, 8);
  const char* digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
  char text[8];
  for (uint32_t i = count; i-- > 0; bits >>= 4) text[i] = digits[bits & 15];
  lua_pushlstring(lua, text, count);
  return 1;
}

constexpr luaL_Reg kBitFunctions[] = {
    {"tobit", bit_tobit}, {"bnot", bit_bnot},     {"band", bit_band},     {"bor", bit_bor},
    {"bxor", bit_bxor},   {"lshift", bit_lshift}, {"rshift", bit_rshift}, {"arshift", bit_arshift},
    {"rol", bit_rol},     {"ror", bit_ror},       {"bswap", bit_bswap},   {"tohex", bit_tohex},
    {nullptr, nullptr},
};

}  // namespace

void open_bit(lua_State* lua) {
  lua_newtable(lua);
  luaL_setfuncs(lua, kBitFunctions, 0);
}

}  // namespace redoubt
