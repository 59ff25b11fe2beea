// Marks and unlucky places of product code (net/places.h) in a simulation: which are unlucky is
// part of a run, which marks were reached is counted. A process runs one simulation at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/places.h"
#include "sim/random.h"

namespace redoubt::sim {

class World;

struct PlaceRow {
  std::string_view name;
  std::string_view description;
};

// In the order of Mark and of UnluckyPlace.
std::span<const PlaceRow> mark_rows();
std::span<const PlaceRow> unlucky_rows();

#define X(...) +1
constexpr size_t kMarkCount = 0 REDOUBT_MARKS(X);
constexpr size_t kUnluckyCount = 0 REDOUBT_UNLUCKY_PLACES(X);
#undef X

using MarkCounts = std::array<uint64_t, kMarkCount>;
// In how many cases of a million each place is unlucky.
using Unlucky = std::array<int64_t, kUnluckyCount>;

// Each place is unlucky in a quarter of the runs, as often as it happens.
Unlucky draw_unlucky(uint64_t seed);
// "window_of_one=500", those that are unlucky.
std::string unlucky_text(const Unlucky& unlucky);

// How often this place was unlucky in the run that is under way; 0 when there is none.
uint64_t times_unlucky(UnluckyPlace place);

// From here until the end of its life these places are unlucky and marks are counted, from zero.
class PlacesOfRun {
 public:
  PlacesOfRun(uint64_t seed, const Unlucky& unlucky);
  ~PlacesOfRun();
  PlacesOfRun(const PlacesOfRun&) = delete;
  PlacesOfRun& operator=(const PlacesOfRun&) = delete;

  // What happens at unlucky places is part of this world's digest; of no digest without one.
  void enter(World& world) { world_ = &world; }
  // The end of the run: how often places were asked is part of the digest, too.
  void leave();

  const MarkCounts& marks() const { return marks_; }

 private:
  friend void redoubt::reached(Mark mark);
  friend bool redoubt::unlucky(UnluckyPlace place);
  friend uint64_t times_unlucky(UnluckyPlace place);

  void happened(size_t place);

  const Unlucky unlucky_;
  Random random_;
  World* world_ = nullptr;
  MarkCounts marks_{};
  std::array<uint64_t, kUnluckyCount> times_{};
};

}  // namespace redoubt::sim
