// What the search has seen and need not see again: configurations of (how far the returns are
// dealt with, which others took effect already, the state), and with each the sets of operations of
// unknown outcome that had been used on the way there.
//
// A configuration that was reached before with fewer of those used, all others the same, could do
// all that this one can and more, because such an operation need not take effect at all. So one is
// new only if no set that was seen is a part of its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace redoubt::linearizability {

class Visited {
 public:
  // The width of the two sets, in words.
  Visited(size_t done_words, size_t used_words);

  // Whether the configuration is new; then it is seen from now on.
  bool add(uint32_t base, uint32_t state, std::span<const uint64_t> done,
           std::span<const uint64_t> used);
  uint64_t count() const { return count_; }
  size_t bytes() const { return words_.size() * sizeof(uint64_t); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // A node's words: (base, state), (next node, unused), the set done, the set used.
  uint64_t* node(uint32_t index) { return &words_[size_t{index} * stride_]; }
  static uint64_t pair(uint32_t high, uint32_t low) { return uint64_t{high} << 32u | low; }
  uint64_t hash(const uint64_t* words) const;
  bool same(const uint64_t* a, const uint64_t* b) const;
  // The slot of this configuration, or the empty one where it belongs.
  size_t find(const uint64_t* words);
  void grow();

  const size_t done_words_;
  const size_t used_words_;
  const size_t stride_;
  std::vector<uint64_t> words_;
  std::vector<uint64_t> wanted_;
  std::vector<uint32_t> slots_;  // the newest node of each; a power of two, at most half full
  size_t taken_ = 0;
  uint32_t count_ = 0;
};

}  // namespace redoubt::linearizability
