// Regions: what is given back is used again, and goes back to the system when nobody needs it.
#include "engine/store/regions.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
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

// In pieces of one unit a region has 64.
TEST(Regions, WhoGrowsWantsASpareOneInTimeAndUsesItNext) {
  Regions regions;
  bool wished = false;
  regions.set_wish(&wished);
  Pieces pieces(regions);
  pieces.get(24 + 64 + 32, 1);  // from malloc, from the first region, and from the second
  EXPECT_FALSE(wished);
  pieces.get(1, 1);
  EXPECT_TRUE(wished);
  ASSERT_TRUE(regions.wants_spare());
  SpareRegion spare = regions.take_spare();
  EXPECT_FALSE(regions.wants_spare());  // it is on its way
  char* memory = spare.memory();
  spare.touch();
  ASSERT_TRUE(regions.give_spare(spare));
  EXPECT_FALSE(regions.wants_spare());

  wished = false;
  pieces.get(31, 1);
  Pieces more(regions);
  more.get(32, 1);
  EXPECT_EQ(more.taken.front().first.memory, memory);
  EXPECT_FALSE(wished);
  more.get(1, 1);
  EXPECT_TRUE(wished);
  regions.set_wish(nullptr);
  more.get(1, 1);
}

TEST(Regions, ASpareGoesBackWhenNothingGrowsAnyMore) {
  Regions regions;
  Pieces pieces(regions);
  pieces.get(24 + 64 + 40, 1);
  SpareRegion spare = regions.take_spare();
  ASSERT_TRUE(regions.give_spare(spare));
  EXPECT_TRUE(regions.has_spare());
  regions.trim(0);
  EXPECT_TRUE(regions.has_spare());  // it grew since the beginning
  regions.trim(0);
  EXPECT_FALSE(regions.has_spare());
  EXPECT_FALSE(regions.wants_spare());
  pieces.get(3, 1);
  EXPECT_FALSE(regions.wants_spare());  // slowly
  pieces.get(1, 1);
  EXPECT_TRUE(regions.wants_spare());
}

TEST(Regions, ASpareOutlivesTheDatabaseThatAskedForIt) {
  std::optional<Regions> regions(std::in_place);
  SpareRegion spare;
  {
    Pieces pieces(*regions);
    pieces.get(24 + 64 + 40, 1);
    spare = regions->take_spare();
  }
  regions.reset();
  spare.touch();
  Regions others;
  EXPECT_FALSE(others.give_spare(spare));
}

size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  size_t lines = 0;
  for (std::string line; std::getline(maps, line);) ++lines;
  return lines;
}

// The kernel allows 65,530 by default: of two for a region, 63 GB would be the end.
TEST(Regions, GrowingTakesNextToNoMappings) {
  Regions regions;
  Pieces pieces(regions);
  pieces.get(64 * 4, 1);
  const size_t before = mappings();
  constexpr size_t kRegions = 5000;  // 10 GB of address space; some are touched
  for (size_t i = 0; i < kRegions; ++i) {
    pieces.get(64, 1);
    if (i % 500 == 0) *static_cast<char*>(pieces.taken.back().first.memory) = 1;
  }
  EXPECT_LT(mappings(), before + 60);
  // Nor does giving back every other one, and taking them again.
  std::vector<std::pair<Regions::Unit, size_t>> kept;
  for (size_t i = 0; i < pieces.taken.size(); ++i) {
    if (i / 64 % 2 == 0) {
      kept.push_back(pieces.taken[i]);
    } else {
      regions.give_back(pieces.taken[i].first, 1);
    }
  }
  pieces.taken.swap(kept);
  while (regions.trim(1000)) {
  }
  regions.trim(SIZE_MAX);
  EXPECT_EQ(regions.empty_regions(), 0u);
  EXPECT_LT(mappings(), before + 60);
  pieces.get(64 * 1000, 1);
  EXPECT_LT(mappings(), before + 60);
}

}  // namespace
}  // namespace redoubt
