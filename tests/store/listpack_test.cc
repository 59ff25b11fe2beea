#include "engine/store/listpack.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace redoubt {
namespace {

using Bytes = std::vector<uint8_t>;

// A block and the allocator that it comes from.
struct Pack {
  Pack() : block(Listpack::make(allocator)) {}
  ~Pack() {
    if (block != nullptr) Listpack::free(allocator, block);
  }
  Pack(const Pack&) = delete;
  Pack& operator=(const Pack&) = delete;

  void append(std::string_view text) { block = Listpack::append(allocator, block, text); }
  Bytes bytes() const { return {block, block + Listpack::bytes(block)}; }

  Allocator allocator;
  uint8_t* block;
};

std::string text_at(const uint8_t* at) {
  std::optional<IntegerText> scratch;
  return std::string(Listpack::text(at, scratch));
}

std::vector<std::string> forwards(const uint8_t* block) {
  std::vector<std::string> out;
  for (auto at = Listpack::first(block); at != nullptr; at = Listpack::next(block, at)) {
    out.push_back(text_at(at));
  }
  return out;
}

std::vector<std::string> backwards(const uint8_t* block) {
  std::vector<std::string> out;
  for (auto at = Listpack::last(block); at != nullptr; at = Listpack::previous(block, at)) {
    out.push_back(text_at(at));
  }
  return {out.rbegin(), out.rend()};
}

// The format is what files and other servers hold, so it is spelled out here.
TEST(Listpack, BytesOfEachEncoding) {
  const std::vector<std::pair<std::string, Bytes>> cases = {
      {"0", {0x00, 1}},
      {"9", {0x09, 1}},
      {"99", {0x63, 1}},
      {"127", {0x7F, 1}},
      {"128", {0xC0, 0x80, 2}},
      {"4095", {0xCF, 0xFF, 2}},
      {"-1", {0xDF, 0xFF, 2}},
      {"-4096", {0xD0, 0x00, 2}},
      {"4096", {0xF1, 0x00, 0x10, 3}},
      {"-32768", {0xF1, 0x00, 0x80, 3}},
      {"32768", {0xF2, 0x00, 0x80, 0x00, 4}},
      {"-8388608", {0xF2, 0x00, 0x00, 0x80, 4}},
      {"8388608", {0xF3, 0x00, 0x00, 0x80, 0x00, 5}},
      {"-2147483648", {0xF3, 0x00, 0x00, 0x00, 0x80, 5}},
      {"2147483648", {0xF4, 0x00, 0x00, 0x00, 0x80, 0, 0, 0, 0, 9}},
      {"-9223372036854775808", {0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9}},
      {"9223372036854775807", {0xF4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 9}},
      {"", {0x80, 1}},
      {"ab", {0x82, 'a', 'b', 3}},
      {"01", {0x82, '0', '1', 3}},
      {"-0", {0x82, '-', '0', 3}},
  };
  for (const auto& [text, element] : cases) {
    Pack pack;
    pack.append(text);
    Bytes expected = {static_cast<uint8_t>(7 + element.size()), 0, 0, 0, 1, 0};
    expected.insert(expected.end(), element.begin(), element.end());
    expected.push_back(0xFF);
    EXPECT_EQ(pack.bytes(), expected) << text;
    EXPECT_EQ(forwards(pack.block), std::vector<std::string>{text});
    EXPECT_EQ(Listpack::element_bytes(text), element.size()) << text;
  }
}

TEST(Listpack, HeadsAndLengthsOfStrings) {
  // Size of the text, bytes of the head, bytes of the length.
  const size_t cases[][3] = {{63, 1, 1},    {64, 2, 1},    {125, 2, 1},        {126, 2, 2},
                             {4095, 2, 2},  {4096, 5, 2},  {16377, 5, 2},      {16378, 5, 3},
                             {16379, 5, 3}, {70000, 5, 3}, {2097151 - 5, 5, 4}};
  for (const auto& [size, head, length] : cases) {
    Pack pack;
    pack.append(std::string(size, 'x'));
    EXPECT_EQ(Listpack::bytes(pack.block), 7 + head + size + length) << size;
    pack.append("behind");
    EXPECT_EQ(Listpack::text_size(Listpack::first(pack.block)), size);
    EXPECT_EQ(backwards(pack.block), forwards(pack.block));
    EXPECT_EQ(Listpack::validate(Listpack::span(pack.block)), 2u);
  }
  Pack pack;
  pack.append(std::string(126, 'x'));  // 128 bytes: 1, then 0 with the mark of one more in front
  EXPECT_EQ(pack.block[6 + 128], 1);
  EXPECT_EQ(pack.block[6 + 129], 0x80);
}

TEST(Listpack, CountsBeyondTheHeader) {
  Pack pack;
  for (int i = 0; i < 65534; ++i) pack.append("1");
  EXPECT_EQ(Listpack::count(pack.block), 65534u);
  for (int i = 0; i < 3; ++i) pack.append("2");
  EXPECT_EQ(Listpack::count(pack.block), 65537u);
  EXPECT_EQ(Listpack::validate(Listpack::span(pack.block)), 65537u);
  EXPECT_EQ(text_at(Listpack::seek(pack.block, -3)), "2");
  EXPECT_EQ(text_at(Listpack::seek(pack.block, -4)), "1");
  pack.block = Listpack::erase(pack.allocator, pack.block, Listpack::first(pack.block), 65530);
  EXPECT_EQ(Listpack::count(pack.block), 7u);
  EXPECT_EQ(pack.block[4], 7);
}

// Sizes that take five bytes behind the text; none of them is written, nor read.
TEST(Listpack, TheLengthOfAVeryLargeTextTakesUpToFiveBytes) {
  constexpr size_t kLongest = 268'435'456;
  const std::unique_ptr<char[]> text(new char[kLongest]);
  const auto beside = [&](size_t size) {
    return Listpack::element_bytes(std::string_view(text.get(), size)) - size;
  };
  EXPECT_EQ(beside(2'097'151 - 6), 5u + 3u);
  EXPECT_EQ(beside(2'097'151 - 5), 5u + 4u);
  EXPECT_EQ(beside(268'435'455 - 6), 5u + 4u);
  EXPECT_EQ(beside(268'435'455 - 5), 5u + 5u);
}

// Counts of which the header knows no more than that they are large.
TEST(Listpack, CountsStayUnknownWhileTheyAreLarge) {
  Pack pack;
  for (int i = 0; i < 65'540; ++i) pack.append("1");
  const auto told = [](const uint8_t* block) { return block[4] | block[5] << 8; };
  pack.block = Listpack::erase(pack.allocator, pack.block, Listpack::first(pack.block), 2);
  EXPECT_EQ(told(pack.block), 65'535);
  EXPECT_EQ(Listpack::count(pack.block), 65'538u);
  const uint8_t* first = Listpack::first(pack.block);
  uint8_t* slice = Listpack::slice(pack.allocator, pack.block, first, nullptr, 65'538);
  EXPECT_EQ(told(slice), 65'535);
  EXPECT_EQ(Listpack::count(slice), 65'538u);
  Listpack::free(pack.allocator, slice);
  Pack joined;
  joined.append("2");
  joined.block = Listpack::append_all(joined.allocator, joined.block, pack.block);
  EXPECT_EQ(told(joined.block), 65'535);
  EXPECT_EQ(Listpack::count(joined.block), 65'539u);
}

TEST(Listpack, RemovesAsManyAsAskedForBehindThoseThatStay) {
  const auto left = [](size_t skip, size_t limit) {
    Pack pack;
    for (const char* text : {"a", "5", "b", "5", "c", "5", "5"}) pack.append(text);
    size_t removed = 0;
    pack.block =
        Listpack::remove(pack.allocator, pack.block, Listpack::Wanted("5"), skip, limit, &removed);
    EXPECT_EQ(Listpack::count(pack.block), 7 - removed);
    EXPECT_EQ(Listpack::validate(Listpack::span(pack.block)), 7 - removed);
    EXPECT_EQ(pack.allocator.used_bytes(), Listpack::counted_bytes(pack.block));
    std::string all;
    for (const std::string& text : forwards(pack.block)) all += text;
    return all;
  };
  EXPECT_EQ(left(0, 0), "a5b5c55");
  EXPECT_EQ(left(0, 1), "ab5c55");
  EXPECT_EQ(left(0, 9), "abc");
  EXPECT_EQ(left(1, 2), "a5bc5");
  EXPECT_EQ(left(2, 9), "a5b5c");
  EXPECT_EQ(left(4, 9), "a5b5c55");
}

TEST(Listpack, ASmallIntegerInALargeEncodingAndAnIntegerAsTextAreThemselves) {
  const Bytes block = {21,  0, 0,    0,    5, 0,    0xF1, 5,    0, 3,   0x81,
                       '7', 2, 0xC0, 0x05, 2, 0x08, 1,    0x05, 1, 0xFF};
  EXPECT_EQ(Listpack::validate(block), 5u);
  EXPECT_EQ(forwards(block.data()), (std::vector<std::string>{"5", "7", "5", "8", "5"}));
  const uint8_t* first = Listpack::first(block.data());
  EXPECT_EQ(Listpack::find(block.data(), first, "7"), Listpack::seek(block.data(), 1));
  EXPECT_EQ(Listpack::find(block.data(), first, "5"), first);
  EXPECT_EQ(Listpack::integer(Listpack::seek(block.data(), 1)), 7);
}

TEST(Listpack, FindSkips) {
  Pack pack;
  for (const char* text : {"a", "b", "b", "a", "12", "13"}) pack.append(text);
  const uint8_t* first = Listpack::first(pack.block);
  EXPECT_EQ(Listpack::find(pack.block, first, "b", 1), Listpack::seek(pack.block, 2));
  EXPECT_EQ(Listpack::find(pack.block, first, "12", 1), Listpack::seek(pack.block, 4));
  EXPECT_EQ(Listpack::find(pack.block, first, "13", 1), nullptr);
  EXPECT_EQ(Listpack::find(pack.block, Listpack::seek(pack.block, 1), "13", 1),
            Listpack::seek(pack.block, 5));
  EXPECT_EQ(Listpack::find(pack.block, nullptr, "a"), nullptr);
  // The end is reached among those that are skipped.
  EXPECT_EQ(Listpack::find(pack.block, Listpack::seek(pack.block, 1), "x", 1), nullptr);
  EXPECT_EQ(Listpack::find(pack.block, first, "x", 3), nullptr);
}

// Whatever is cut off, added or turned over, each wrong block is refused, or is another right one.
TEST(Listpack, ValidatesBlocksOfUnknownOrigin) {
  Pack pack;
  for (const char* text : {"a", "5", "300", "70000", "12345678901", "-1"}) pack.append(text);
  pack.append(std::string(200, 'x'));
  pack.append(std::string(5000, 'y'));
  const Bytes good = pack.bytes();
  ASSERT_TRUE(Listpack::validate(good).has_value());
  for (size_t size = 0; size < good.size(); ++size) {
    // Memory of exactly this size, so that a sanitizer sees reads behind it.
    const std::unique_ptr<uint8_t[]> cut(new uint8_t[size]);
    std::copy_n(good.begin(), size, cut.get());
    EXPECT_FALSE(Listpack::validate({cut.get(), size}).has_value()) << size;
    if (size < 7) continue;
    const auto total = static_cast<uint32_t>(size);
    std::memcpy(cut.get(), &total, sizeof total);
    cut[size - 1] = 0xFF;
    EXPECT_FALSE(Listpack::validate({cut.get(), size}).has_value()) << size;
  }
  for (size_t at = 0; at < 60; ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes bad = good;
      bad[at] = static_cast<uint8_t>(value);
      const auto count = Listpack::validate(bad);
      if (!count.has_value()) continue;
      EXPECT_EQ(backwards(bad.data()).size(), *count);
    }
  }
  Bytes wrong_count = good;
  wrong_count[4] = 1;
  EXPECT_FALSE(Listpack::validate(wrong_count).has_value());
  wrong_count[4] = wrong_count[5] = 0xFF;
  EXPECT_EQ(Listpack::validate(wrong_count), 8u);
  EXPECT_EQ(Listpack::count(wrong_count.data()), 8u);
}

TEST(Listpack, TakesWhatItsClassTakes) {
  Pack pack;
  for (int i = 0; i < 500; ++i) {
    pack.append("element:" + std::to_string(i));
    ASSERT_EQ(pack.allocator.used_bytes(), Listpack::counted_bytes(pack.block));
  }
  while (!Listpack::empty(pack.block)) {
    pack.block = Listpack::erase(pack.allocator, pack.block, Listpack::last(pack.block), 1);
    ASSERT_EQ(pack.allocator.used_bytes(), Listpack::counted_bytes(pack.block));
  }
}

rc::Gen<std::string> texts() {
  const auto number =
      rc::gen::map(rc::gen::pair(rc::gen::arbitrary<int64_t>(), rc::gen::inRange(0, 64)),
                   [](const std::pair<int64_t, int>& drawn) {
                     return std::to_string(drawn.first >> drawn.second);
                   });
  const auto sized = rc::gen::map(
      rc::gen::element<size_t>(0, 1, 2, 10, 62, 63, 64, 65, 120, 125, 126, 127, 4095, 4096),
      [](size_t size) { return std::string(size, 'z'); });
  return rc::gen::oneOf(
      number, sized, rc::gen::arbitrary<std::string>(),
      rc::gen::map(rc::gen::inRange(0, 30), [](int i) { return std::to_string(i); }));
}

using Elements = std::vector<std::string>;

void check(const Pack& pack, const Elements& model) {
  RC_ASSERT(forwards(pack.block) == model);
  RC_ASSERT(backwards(pack.block) == model);
  RC_ASSERT(Listpack::count(pack.block) == model.size());
  RC_ASSERT(Listpack::validate(Listpack::span(pack.block)) == model.size());
  RC_ASSERT(pack.allocator.used_bytes() == Listpack::counted_bytes(pack.block));
}

// One random change of both.
void change(Pack& pack, Elements& model) {
  const auto size = model.size();
  const auto index = *rc::gen::inRange<size_t>(0, size + 1);
  const auto place = [&](size_t i) { return Listpack::seek(pack.block, static_cast<int64_t>(i)); };
  const std::string text = *texts();
  const uint8_t* at = nullptr;
  switch (*rc::gen::inRange(0, 6)) {
    case 0:
    case 1:
      pack.block = Listpack::insert(pack.allocator, pack.block, place(index), text, &at);
      model.insert(model.begin() + static_cast<ptrdiff_t>(index), text);
      RC_ASSERT(text_at(at) == text && at == place(index));
      break;
    case 2:
      pack.block = Listpack::prepend(pack.allocator, pack.block, text);
      model.insert(model.begin(), text);
      break;
    case 3: {
      if (index == size) break;
      pack.block = Listpack::replace(pack.allocator, pack.block, place(index), text, &at);
      model[index] = text;
      RC_ASSERT(text_at(at) == text && at == place(index));
      break;
    }
    case 4: {
      if (index == size) break;
      const auto count = *rc::gen::inRange<size_t>(0, 5);
      const auto erased = std::min(count, size - index);
      pack.block = Listpack::erase(pack.allocator, pack.block, place(index), count, &at);
      const auto from = model.begin() + static_cast<ptrdiff_t>(index);
      model.erase(from, from + static_cast<ptrdiff_t>(erased));
      RC_ASSERT(at == place(index));
      break;
    }
    default: {
      const auto number = *rc::gen::arbitrary<int64_t>();
      pack.block = Listpack::insert(pack.allocator, pack.block, place(index), number, &at);
      model.insert(model.begin() + static_cast<ptrdiff_t>(index), std::to_string(number));
      RC_ASSERT(Listpack::integer(at) == number);
    }
  }
}

RC_GTEST_PROP(Listpack, AgreesWithAVector, ()) {
  Pack pack;
  Elements model;
  const int steps = *rc::gen::inRange(0, 60);
  for (int i = 0; i < steps; ++i) {
    change(pack, model);
    check(pack, model);
  }
}

RC_GTEST_PROP(Listpack, FindsAndSeeksAsAVectorDoes, ()) {
  Pack pack;
  const auto model = *rc::gen::container<Elements>(texts());
  for (const std::string& text : model) pack.append(text);
  const auto wanted =
      model.empty() ? *texts() : *rc::gen::oneOf(rc::gen::elementOf(model), texts());
  const auto found = Listpack::find(pack.block, Listpack::first(pack.block), wanted);
  const auto expected = std::find(model.begin(), model.end(), wanted);
  RC_ASSERT((found == nullptr) == (expected == model.end()));
  if (found != nullptr) {
    RC_ASSERT(Listpack::seek(pack.block, expected - model.begin()) == found);
    RC_ASSERT(Listpack::seek(pack.block, expected - model.end()) == found);
    RC_ASSERT(Listpack::equal(found, wanted));
    RC_ASSERT(Listpack::text_size(found) == wanted.size());
  }
  RC_ASSERT(Listpack::seek(pack.block, static_cast<int64_t>(model.size())) == nullptr);
  RC_ASSERT(Listpack::seek(pack.block, -static_cast<int64_t>(model.size()) - 1) == nullptr);
}

RC_GTEST_PROP(Listpack, IsCutAndJoined, ()) {
  Pack pack;
  const auto model = *rc::gen::container<Elements>(texts());
  for (const std::string& text : model) pack.append(text);
  const auto cut = *rc::gen::inRange<size_t>(0, model.size() + 1);
  const uint8_t* at = Listpack::seek(pack.block, static_cast<int64_t>(cut));
  const uint8_t* first = Listpack::seek(pack.block, 0);
  uint8_t* front = first == nullptr ? Listpack::make(pack.allocator)
                                    : Listpack::slice(pack.allocator, pack.block, first, at, cut);
  uint8_t* back =
      at == nullptr ? Listpack::make(pack.allocator)
                    : Listpack::slice(pack.allocator, pack.block, at, nullptr, model.size() - cut);
  RC_ASSERT(forwards(front) ==
            Elements(model.begin(), model.begin() + static_cast<ptrdiff_t>(cut)));
  RC_ASSERT(Listpack::validate(Listpack::span(back)) == model.size() - cut);
  if (*rc::gen::arbitrary<bool>()) {
    front = Listpack::append_all(pack.allocator, front, back);
    RC_ASSERT(forwards(front) == model);
    RC_ASSERT(Listpack::count(front) == model.size());
  } else {
    back = Listpack::prepend_all(pack.allocator, back, front);
    RC_ASSERT(backwards(back) == model);
  }
  Listpack::free(pack.allocator, front);
  Listpack::free(pack.allocator, back);
  check(pack, model);
}

}  // namespace
}  // namespace redoubt
