#include "sim/program/surroundings.h"

#include <clocale>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>

#include "sim/random.h"

extern char** environ;

namespace redoubt::sim {
namespace {

// The first of these that this machine has. None writes numbers or characters as C does.
std::string foreign_locale() {
  for (const char* name : {"tr_TR.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8", "en_US.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    std::setlocale(LC_ALL, "C");
    return name;
  }
  return "C";
}

// Many pieces of each size, of which every second one is given back, in no order.
void make_holes() {
  constexpr size_t kPieces = 256;
  Random random(1);
  for (size_t size = 16; size <= 1'024; size += 16) {
    std::vector<std::unique_ptr<char[]>> freed;
    freed.reserve(kPieces);
    for (size_t i = 0; i < kPieces; ++i) {
      freed.push_back(std::make_unique<char[]>(size - 8));
      // Stays for good, so that its neighbours do not grow together.
      static_cast<void>(std::make_unique<char[]>(size - 8).release());
    }
    for (size_t i = kPieces; i > 1; --i) std::swap(freed[i - 1], freed[random.below(i)]);
  }
}

void stain_stack() {
  volatile char stain[1 << 18];
  for (volatile char& c : stain) c = 0x5e;
}

}  // namespace

Surroundings plain_surroundings() {
  return {.name = "plain",
          .description = "fixed addresses, LC_ALL=C TZ=UTC0",
          .randomised = false,
          .environment = {"LC_ALL=C", "TZ=UTC0"}};
}

Surroundings foreign_surroundings() {
  const std::string locale = foreign_locale();
  return {.name = "foreign",
          .description = "random addresses, a heap with holes, LC_ALL=" + locale + " TZ=XYZ-5:45",
          .randomised = true,
          .environment = {"LC_ALL=" + locale, "TZ=XYZ-5:45", "MALLOC_PERTURB_=165",
                          "PADDING=" + std::string(20'000, 'x')}};
}

std::vector<std::string> environment_in(const Surroundings& surroundings) {
  std::vector<std::string> result = surroundings.environment;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view inherited = *at;
    bool replaced = false;
    for (const std::string& own : surroundings.environment) {
      const std::string_view name = std::string_view(own).substr(0, own.find('=') + 1);
      replaced = replaced || inherited.starts_with(name);
    }
    if (!replaced) result.emplace_back(inherited);
  }
  return result;
}

void enter_surroundings(const std::string& name) {
  if (name != "plain" && name != "foreign") return;
  std::setlocale(LC_ALL, "");
  tzset();
  if (name == "plain") return;
  make_holes();
  stain_stack();
}

}  // namespace redoubt::sim
