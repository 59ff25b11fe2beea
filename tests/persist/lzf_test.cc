// LZF: what is compressed comes back, and nothing is read or written beyond what is there.
#include "engine/persist/rdb/lzf.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/store/random.h"

namespace redoubt {
namespace {

// Text with repetitions of all lengths and distances.
std::string some_text(Random& random, size_t size) {
  std::string text;
  while (text.size() < size) {
    if (!text.empty() && random.below(3) == 0) {
      const size_t from = random.below(text.size());
      const size_t count = 1 + random.below(random.below(4) == 0 ? 600 : 12);
      for (size_t i = 0; i < count; ++i) text += text[from + i];
    } else {
      for (size_t i = random.below(60); i > 0; --i) text += static_cast<char>(random.below(256));
    }
  }
  text.resize(size);
  return text;
}

// In memory of exactly this size, so that a sanitizer sees each byte beyond it.
std::unique_ptr<char[]> exact(std::string_view text) {
  auto bytes = std::make_unique<char[]>(text.size());
  text.copy(bytes.get(), text.size());
  return bytes;
}

TEST(Lzf, WhatIsCompressedComesBack) {
  LzfCompressor compressor;
  Random random(1);
  for (int i = 0; i < 400; ++i) {
    const std::string text = some_text(random, 4 + random.below(i % 20 == 0 ? 100'000 : 3000));
    const auto in = exact(text);
    const auto packed = std::make_unique<char[]>(text.size());
    const size_t size = compressor.compress({in.get(), text.size()}, packed.get(), text.size() - 4);
    if (size == 0) continue;
    ASSERT_LE(size, text.size() - 4);
    ASSERT_LE(text.size(), size * kLzfExpansionMax);
    const auto tight = exact({packed.get(), size});
    const auto out = std::make_unique<char[]>(text.size());
    ASSERT_TRUE(lzf_decompress({tight.get(), size}, out.get(), text.size()));
    ASSERT_EQ(std::string_view(out.get(), text.size()), text);
    EXPECT_FALSE(lzf_decompress({tight.get(), size}, out.get(), text.size() - 1));
    EXPECT_FALSE(lzf_decompress({tight.get(), size - 1}, out.get(), text.size()));
  }
}

TEST(Lzf, TheSameTextAlwaysBecomesTheSame) {
  Random random(2);
  const std::string text = some_text(random, 5000);
  std::string results[2];
  LzfCompressor used;
  for (std::string& result : results) {
    result.resize(text.size());
    result.resize(used.compress(text, result.data(), result.size()));
    std::string other(3000, 'x');
    std::string scratch(3000, ' ');
    used.compress(other, scratch.data(), scratch.size());
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_FALSE(results[0].empty());
}

TEST(Lzf, ManyEqualBytesAndNoRoom) {
  LzfCompressor compressor;
  const std::string text(100'000, 'a');
  std::string packed(text.size(), ' ');
  const size_t size = compressor.compress(text, packed.data(), packed.size());
  EXPECT_GT(size, 0u);
  EXPECT_LT(size, text.size() / 80);
  EXPECT_EQ(compressor.compress(text, packed.data(), size - 1), 0u);
  EXPECT_EQ(compressor.compress("abc", packed.data(), 100), 0u);
}

TEST(Lzf, AnyBytesAreNoDanger) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string packed;
    for (size_t k = random.below(30); k > 0; --k) packed += static_cast<char>(random.below(256));
    const auto in = exact(packed);
    const size_t size = random.below(300);
    const auto out = std::make_unique<char[]>(size);
    lzf_decompress({in.get(), packed.size()}, out.get(), size);
  }
}

}  // namespace
}  // namespace redoubt
