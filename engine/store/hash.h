// The hash of keys: XXH3 with a secret of 192 bytes drawn from Env, so that a client cannot choose
// keys that collide.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace redoubt {

class HashKey {
 public:
  // `draw` is called for 24 random words.
  template <typename Draw>
  explicit HashKey(Draw&& draw) {
    for (uint64_t& word : secret_) word = draw();
  }

  uint64_t operator()(std::string_view key) const {
    return XXH3_64bits_withSecret(key.data(), key.size(), secret_.data(), sizeof secret_);
  }

 private:
  std::array<uint64_t, 24> secret_;
};

}  // namespace redoubt
