// Strings that are kept once each and named by numbers: states, and identities of operations.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt::linearizability {

// A mix of the bytes of a text, the same everywhere.
uint64_t mix_bytes(std::string_view bytes);
uint64_t mix_words(uint64_t left, uint64_t right);

class StringTable {
 public:
  StringTable();

  // The number of this string; new ones are numbered from 0.
  uint32_t number_of(std::string_view text);
  const std::string& text(uint32_t number) const { return texts_[number]; }
  uint32_t count() const { return static_cast<uint32_t>(texts_.size()); }
  // Of the strings.
  size_t bytes() const { return bytes_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  void grow();

  std::deque<std::string> texts_;
  std::vector<uint32_t> slots_;  // a power of two, at most half full
  size_t bytes_ = 0;
};

}  // namespace redoubt::linearizability
