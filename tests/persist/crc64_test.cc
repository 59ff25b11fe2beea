// The checksum of RDB files.
#include "engine/persist/rdb/crc64.h"

#include <gtest/gtest.h>

#include <string>

namespace redoubt {
namespace {

TEST(Crc64, HasTheCheckValue) {
  EXPECT_EQ(crc64(0, "123456789"), 0xE9C6D914C4B8D9CAu);
  EXPECT_EQ(crc64(0, ""), 0u);
}

TEST(Crc64, GoesOnAtAnyPlaceAndCombines) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 31 + i / 7);
  const uint64_t whole = crc64(0, text);
  for (size_t at = 0; at <= text.size(); ++at) {
    const std::string_view front = std::string_view(text).substr(0, at);
    const std::string_view back = std::string_view(text).substr(at);
    EXPECT_EQ(crc64(crc64(0, front), back), whole);
    EXPECT_EQ(crc64_combine(crc64(0, front), crc64(0, back), back.size()), whole);
  }
}

// Long texts take another way than short ones.
TEST(Crc64, IsTheSameInPiecesOfAnySize) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * i * 7 + i / 3);
  for (size_t begin = 0; begin < 20; ++begin) {
    uint64_t by_bytes = 0x123456789abcdef0;
    for (size_t end = begin; end < text.size(); ++end) {
      if ((end - begin) % 61 == 0 || end - begin < 300) {
        const std::string_view piece = std::string_view(text).substr(begin, end - begin);
        ASSERT_EQ(crc64(0x123456789abcdef0, piece), by_bytes) << begin << " to " << end;
      }
      by_bytes = crc64(by_bytes, std::string_view(text).substr(end, 1));
    }
  }
}

}  // namespace
}  // namespace redoubt
