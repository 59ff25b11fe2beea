// Sessions by number: for CLIENT KILL ID and CLIENT UNBLOCK, and to look at some of many at a time.
//
// Numbers rise, so a new session goes to the end of a vector and is found by halving. One that ends
// leaves a gap; when half are gaps the vector is packed. 16 bytes a session, at most twice that.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "net/assert.h"

namespace redoubt {

class Session;

class SessionIndex {
 public:
  size_t size() const { return all_.size() - gaps_; }

  // `id` is larger than all before.
  void add(uint64_t id, Session* session) {
    ASSERT(all_.empty() || all_.back().first < id);
    all_.emplace_back(id, session);
  }

  void remove(uint64_t id) {
    const auto at = first_from(id);
    ASSERT(at < all_.size() && all_[at].first == id && all_[at].second != nullptr);
    all_[at].second = nullptr;
    if (++gaps_ * 2 <= all_.size()) return;
    std::erase_if(all_, [](const auto& each) { return each.second == nullptr; });
    if (all_.capacity() > 4 * all_.size()) all_.shrink_to_fit();
    gaps_ = 0;
  }

  // Null when there is none.
  Session* find(uint64_t id) const {
    const auto at = first_from(id);
    return at < all_.size() && all_[at].first == id ? all_[at].second : nullptr;
  }

  // The session with the next larger number than `id`; null behind the last.
  Session* next_after(uint64_t id) const {
    for (size_t at = first_from(id + 1); at < all_.size(); ++at) {
      if (all_[at].second != nullptr) return all_[at].second;
    }
    return nullptr;
  }

 private:
  size_t first_from(uint64_t id) const {
    const auto at =
        std::lower_bound(all_.begin(), all_.end(), id,
                         [](const auto& each, uint64_t low) { return each.first < low; });
    return static_cast<size_t>(at - all_.begin());
  }

  std::vector<std::pair<uint64_t, Session*>> all_;  // null: a gap
  size_t gaps_ = 0;
};

}  // namespace redoubt
