#include "net/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace redoubt {
namespace {

uint64_t slowly(std::string_view text) {
  uint64_t word = 0;
  for (size_t i = 0; i < std::min<size_t>(text.size(), 8); ++i) {
    word |= static_cast<uint64_t>(static_cast<unsigned char>(to_lower(text[i]))) << (8 * i);
  }
  return word;
}

TEST(LowerStart, IsWhatALoopOverTheCharactersGives) {
  for (int c = 0; c < 256; ++c) {
    for (size_t size = 0; size <= 10; ++size) {
      for (size_t at = 0; at < size; ++at) {
        std::string text = std::string("aZ@[`{\x80\xffzA").substr(0, size);
        text[at] = static_cast<char>(c);
        EXPECT_EQ(lower_start(text), slowly(text)) << c << " at " << at << " of " << size;
      }
    }
  }
  EXPECT_EQ(lower_start({}), 0u);
}

}  // namespace
}  // namespace redoubt
