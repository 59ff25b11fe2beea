// The longest common subsequence of two strings.
//
// The usual table L(i, j), the length for the first i bytes of `a` and the first j of `b`, takes 4
// bytes a cell. Neighbours in a row differ by 0 or 1, so a row is one bit a cell here: bit j - 1 of
// row i is set where L(i, j) = L(i, j - 1) + 1. A row follows from the one before with a few
// operations on words of 64 cells (Hyyrö 2004, "Bit-parallel LCS-length computation revisited").
//
// The bits are enough to walk back from the end. Where a[i-1] != b[j-1], L(i, j) is the larger of
// L(i-1, j) and L(i, j-1). A set bit says that L(i, j-1) is smaller, so the way is up; a clear bit
// says that going left loses nothing. That is Redis's choice among equals: up only when it is
// strictly better.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace redoubt {

class CommonSubsequence {
 public:
  // Both strings must stay as they are. With `only_length` a single row is kept, and walk() must
  // not be called.
  CommonSubsequence(std::string_view a, std::string_view b, bool only_length);

  size_t length() const { return length_; }
  // Steps of work that it took.
  uint64_t work() const { return work_; }

  // Calls visit(i, j) for each pair of bytes a[i] == b[j] of the subsequence, from the last to the
  // first.
  template <typename Visit>
  void walk(Visit&& visit) const {
    size_t i = a_.size();
    size_t j = b_.size();
    while (i > 0 && j > 0) {
      if (a_[i - 1] == b_[j - 1]) {
        visit(--i, --j);
      } else {
        grows_at(i, j) ? --i : --j;
      }
    }
  }

 private:
  void next_row(char byte, const uint64_t* above, uint64_t* row) const;
  bool grows_at(size_t i, size_t j) const {
    const uint64_t word = rows_[(i - 1) * words_ + (j - 1) / 64];
    return (~word >> ((j - 1) % 64) & 1) != 0;
  }

  std::string_view a_;
  std::string_view b_;
  size_t words_;                // of a row
  std::vector<uint64_t> rows_;  // inverted: a clear bit is a step up
  size_t length_ = 0;
  uint64_t work_ = 0;
};

}  // namespace redoubt
