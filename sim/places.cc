#include "sim/places.h"

#include "net/assert.h"
#include "sim/world.h"

namespace redoubt {

namespace sim {

namespace {

constexpr PlaceRow kMarks[] = {
#define X(name, text) {#name, text},
    REDOUBT_MARKS(X)
#undef X
};
constexpr PlaceRow kUnlucky[] = {
#define X(name, text) {#name, text},
    REDOUBT_UNLUCKY_PLACES(X)
#undef X
};

PlacesOfRun* under_way = nullptr;

}  // namespace

std::span<const PlaceRow> mark_rows() {
  return kMarks;
}

std::span<const PlaceRow> unlucky_rows() {
  return kUnlucky;
}

Unlucky draw_unlucky(uint64_t seed) {
  Unlucky unlucky{};
  for (size_t i = 0; i < kUnluckyCount; ++i) {
    Random random(seed, std::string("place ") + std::string(kUnlucky[i].name));
    const bool on = random.below(4) == 0;
    const int64_t ppm = random.between_log(100, 1'000'000);
    if (on) unlucky[i] = ppm;
  }
  return unlucky;
}

std::string unlucky_text(const Unlucky& unlucky) {
  std::string text;
  for (size_t i = 0; i < kUnluckyCount; ++i) {
    if (unlucky[i] == 0) continue;
    text += (text.empty() ? "" : " ") + std::string(kUnlucky[i].name) + "=" +
            std::to_string(unlucky[i]);
  }
  return text;
}

PlacesOfRun::PlacesOfRun(uint64_t seed, const Unlucky& unlucky)
    : unlucky_(unlucky), random_(seed, "places") {
  ASSERT(under_way == nullptr);
  under_way = this;
}

PlacesOfRun::~PlacesOfRun() {
  under_way = nullptr;
}

uint64_t times_unlucky(UnluckyPlace place) {
  return under_way == nullptr ? 0 : under_way->times_[static_cast<size_t>(place)];
}

void PlacesOfRun::happened(size_t place) {
  ++times_[place];
  if (world_ != nullptr) world_->note(kNoHost, times_[place], kUnlucky[place].name);
}

void PlacesOfRun::leave() {
  if (world_ != nullptr && random_.draws() > 0) world_->note(kNoHost, random_.draws(), "places");
  world_ = nullptr;
}

}  // namespace sim

void reached(Mark mark) {
  if (sim::under_way != nullptr) ++sim::under_way->marks_[static_cast<size_t>(mark)];
}

bool unlucky(UnluckyPlace place) {
  if (sim::under_way == nullptr) return false;
  const int64_t ppm = sim::under_way->unlucky_[static_cast<size_t>(place)];
  if (ppm <= 0 || !sim::under_way->random_.chance(ppm)) return false;
  sim::under_way->happened(static_cast<size_t>(place));
  return true;
}

}  // namespace redoubt
