// Effects as something that makes them durable would receive them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/effects/effect_log.h"

namespace redoubt {

class FakeLog final : public EffectConsumer {
 public:
  void on_effect(std::string_view bytes, uint64_t end_offset) override {
    written.append(bytes);
    offset = end_offset;
  }
  std::string written;
  uint64_t offset = 0;
};

}  // namespace redoubt
