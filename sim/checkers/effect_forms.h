// The forms that effects may have. An effect is applied later, by a clock and with random numbers
// that are not the node's: what it says has to be what was done, not what was asked for.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sim/checkers/side_checker.h"

namespace redoubt::sim {

// Why an effect with these words could give something else where it is applied; empty: it cannot.
std::string wrong_effect_form(std::span<const std::string_view> words);

class EffectFormChecker final : public SideChecker {
 public:
  using SideChecker::SideChecker;
  void effect(std::span<const std::string_view> words) override;
};

}  // namespace redoubt::sim
