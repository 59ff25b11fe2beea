// ExpiringParts: the keys of a database whose values have parts that expire on their own (fields of
// a hash, members of a set), by the first deadline of each value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "engine/store/entry.h"

namespace redoubt {

class ExpiringParts {
 public:
  // The allocator counts the memory, and outlives this.
  explicit ExpiringParts(Allocator& allocator) : allocator_(allocator) {}
  ExpiringParts(const ExpiringParts&) = delete;
  ExpiringParts& operator=(const ExpiringParts&) = delete;

  size_t count() const { return keys_.size(); }
  // The key whose value has the part that expires first, if that is before `now_ms`.
  std::optional<std::string_view> first_before(int64_t now_ms) const {
    if (keys_.empty() || keys_.begin()->first >= now_ms) return std::nullopt;
    return keys_.begin()->second;
  }

  // A change in place has moved the first deadline of a value.
  void changed(std::string_view key, int64_t before_ms, int64_t after_ms);
  // The entry comes to the database, or leaves it.
  void add(const Entry& entry) {
    if (entry.layout() == Layout::outside) follow(entry, true);
  }
  void remove(const Entry& entry) {
    if (entry.layout() == Layout::outside) follow(entry, false);
  }

 private:
  void follow(const Entry& entry, bool comes);

  Allocator& allocator_;
  std::set<std::pair<int64_t, std::string>> keys_;
};

}  // namespace redoubt
