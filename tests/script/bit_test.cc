#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>

#include "tests/script/library_state.h"

namespace redoubt {

namespace {

std::string bit_call(LibraryState& state, const std::string& name, int64_t a, int64_t b) {
  return state.run("bit." + name + "(" + std::to_string(a) + "," + std::to_string(b) + ")");
}

std::string signed_text(uint32_t bits) {
  return std::to_string(static_cast<int32_t>(bits));
}

TEST(BitLibrary, ValuesAndErrors) {
  expect_library_values("bit");
}

RC_GTEST_PROP(BitLibrary, OperationsAreThoseOnIntegers, (int32_t left, uint32_t b)) {
  LibraryState state;
  const auto a = static_cast<uint32_t>(left);
  const auto count = static_cast<int>(b & 31);
  RC_ASSERT(bit_call(state, "band", left, b) == signed_text(a & b));
  RC_ASSERT(bit_call(state, "bor", left, b) == signed_text(a | b));
  RC_ASSERT(bit_call(state, "bxor", left, b) == signed_text(a ^ b));
  RC_ASSERT(bit_call(state, "lshift", left, b) == signed_text(a << count));
  RC_ASSERT(bit_call(state, "rshift", left, b) == signed_text(a >> count));
  RC_ASSERT(bit_call(state, "arshift", left, b) == std::to_string(left >> count));
  RC_ASSERT(bit_call(state, "rol", left, b) == signed_text(std::rotl(a, count)));
  RC_ASSERT(bit_call(state, "ror", left, b) == signed_text(std::rotr(a, count)));
}

// Its opposite is not a 32-bit integer.
TEST(BitLibrary, ToHexTakesTheMostNegativeCount) {
  LibraryState state;
  EXPECT_EQ(state.run("bit.tohex(-1, -2147483648)"), "\"FFFFFFFF\"");
  EXPECT_EQ(state.run("bit.tohex(10, 2147483648)"), "\"0000000A\"");
}

}  // namespace

}  // namespace redoubt
