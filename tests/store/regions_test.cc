// Regions: what is given back is used again, and goes back to the system when nobody needs it.
#include "engine/store/regions.h"

#include <gtest/gtest.h>

#include <vector>

namespace redoubt {
namespace {

struct Pieces {
  explicit Pieces(Regions& from) : regions(from) {}
  ~Pieces() { give_back_all(); }
  void get(size_t count, size_t units) {
    for (size_t i = 0; i < count; ++i) taken.push_back({regions.get(units), units});
  }
  void give_back_all() {
    for (const auto& [unit, units] : taken) regions.give_back(unit, units);
    taken.clear();
  }

  Regions& regions;
  std::vector<std::pair<Regions::Unit, size_t>> taken;
};

TEST(Regions, WhatIsEmptyServesPiecesOfBothSizes) {
  Regions regions;
  Pieces pieces(regions);
  pieces.get(24, 1);  // from malloc
  Pieces more(regions);
  more.get(64 * 3, 1);
  EXPECT_EQ(regions.empty_regions(), 0u);
  more.give_back_all();
  EXPECT_EQ(regions.empty_regions(), 3u);
  more.get(16, 4);
  EXPECT_EQ(regions.empty_regions(), 2u);
  EXPECT_EQ(regions.bytes(), (24 + 64) * Regions::kUnitBytes);
}

TEST(Regions, OnlyWhatWasNotNeededSinceTheLastTimeGoes) {
  Regions regions;
  Pieces pieces(regions);
  pieces.get(24, 1);
  Pieces more(regions);
  more.get(64 * 10, 1);
  more.give_back_all();
  EXPECT_FALSE(regions.trim(100));  // they were in use since the beginning
  EXPECT_EQ(regions.empty_regions(), 10u);
  more.get(64 * 4, 1);
  more.give_back_all();
  EXPECT_FALSE(regions.trim(100));  // four of them were needed
  EXPECT_EQ(regions.empty_regions(), 4u);
  EXPECT_TRUE(regions.trim(3));
  EXPECT_EQ(regions.empty_regions(), 1u);
  EXPECT_FALSE(regions.trim(3));
  EXPECT_EQ(regions.empty_regions(), 0u);
}

}  // namespace
}  // namespace redoubt
