// OwnedRequest: the arguments of a request that waits, in one allocation of its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "net/assert.h"

namespace redoubt {

class OwnedRequest {
 public:
  OwnedRequest() = default;
  explicit OwnedRequest(std::span<const std::string_view> args)
      : count_(static_cast<uint32_t>(args.size())), bytes_(args.size() * sizeof(uint32_t)) {
    for (const std::string_view arg : args) {
      ASSERT(arg.size() <= std::numeric_limits<uint32_t>::max());  // kLargestBulk
      bytes_ += arg.size();
    }
    memory_ = std::make_unique_for_overwrite<char[]>(bytes_);
    char* text = memory_.get() + args.size() * sizeof(uint32_t);
    for (size_t i = 0; i < args.size(); ++i) {
      const uint32_t size = static_cast<uint32_t>(args[i].size());
      std::memcpy(memory_.get() + i * sizeof size, &size, sizeof size);
      if (size > 0) std::memcpy(text, args[i].data(), size);
      text += size;
    }
  }

  // Sets `args` to the arguments. The views live as long as this object, moved or not.
  void views(std::vector<std::string_view>& args) const {
    args.resize(count_);
    const char* text = memory_.get() + count_ * sizeof(uint32_t);
    for (size_t i = 0; i < count_; ++i) {
      uint32_t size;
      std::memcpy(&size, memory_.get() + i * sizeof size, sizeof size);
      args[i] = {text, size};
      text += size;
    }
  }

  size_t memory_bytes() const { return bytes_; }

 private:
  std::unique_ptr<char[]> memory_;  // the sizes, then the bytes
  uint32_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace redoubt
