#include "sim/linearizability/visited.h"

#include <algorithm>

#include "net/assert.h"
#include "sim/linearizability/string_table.h"

namespace redoubt::linearizability {

Visited::Visited(size_t done_words, size_t used_words)
    : done_words_(done_words),
      used_words_(used_words),
      stride_(2 + done_words + used_words),
      wanted_(stride_),
      slots_(1'024, kNone) {}

bool Visited::add(uint32_t base, uint32_t state, std::span<const uint64_t> done,
                  std::span<const uint64_t> used) {
  ASSERT(done.size() == done_words_ && used.size() == used_words_ && count_ < kNone);
  wanted_[0] = pair(base, state);
  std::ranges::copy(done, wanted_.begin() + 2);
  std::ranges::copy(used, wanted_.begin() + 2 + static_cast<std::ptrdiff_t>(done_words_));
  const size_t slot = find(wanted_.data());
  const uint64_t* const mine = wanted_.data() + 2 + done_words_;
  for (uint32_t at = slots_[slot]; at != kNone;) {
    const uint64_t* const seen = node(at);
    const uint64_t* const theirs = seen + 2 + done_words_;
    bool part = true;
    for (size_t i = 0; i < used_words_ && part; ++i) part = (theirs[i] & ~mine[i]) == 0;
    if (part) return false;
    at = static_cast<uint32_t>(seen[1]);
  }
  if (slots_[slot] == kNone) ++taken_;
  wanted_[1] = slots_[slot];
  words_.insert(words_.end(), wanted_.begin(), wanted_.end());
  slots_[slot] = count_++;
  if (taken_ * 2 > slots_.size()) grow();
  return true;
}

uint64_t Visited::hash(const uint64_t* words) const {
  uint64_t mixed = words[0];
  for (size_t i = 0; i < done_words_; ++i) mixed = mix_words(mixed, words[2 + i]);
  return mix_words(mixed, done_words_);
}

bool Visited::same(const uint64_t* a, const uint64_t* b) const {
  return a[0] == b[0] && std::equal(a + 2, a + 2 + done_words_, b + 2);
}

size_t Visited::find(const uint64_t* words) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash(words) & mask;
  while (slots_[at] != kNone && !same(node(slots_[at]), words)) at = (at + 1) & mask;
  return at;
}

void Visited::grow() {
  const std::vector<uint32_t> old = std::move(slots_);
  slots_.assign(old.size() * 4, kNone);
  for (const uint32_t newest : old) {
    if (newest != kNone) slots_[find(node(newest))] = newest;
  }
}

}  // namespace redoubt::linearizability
