// Fieldsets: lists that a connection has prepared for HIMPORT, each an ordered list of names of
// hash fields under a name of its own.
//
// The names of a list lie one behind the other, so that a list of a million is freed at once.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt {

class Fieldset {
 public:
  explicit Fieldset(std::span<const std::string_view> fields) {
    size_t bytes = 0;
    for (const std::string_view field : fields) bytes += field.size();
    names_.reserve(bytes);
    ends_.reserve(fields.size());
    for (const std::string_view field : fields) {
      names_ += field;
      ends_.push_back(names_.size());
    }
  }

  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t index) const {
    const size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(names_).substr(begin, ends_[index] - begin);
  }
  size_t memory_bytes() const { return names_.capacity() + ends_.capacity() * sizeof(size_t); }

 private:
  std::string names_;
  std::vector<size_t> ends_;
};

class Fieldsets {
 public:
  // Replaces the list of this name, if there is one.
  void put(std::string_view name, Fieldset fieldset) {
    discard(name);
    const auto [at, made] = sets_.emplace(std::string(name), std::move(fieldset));
    bytes_ += bytes_of(*at);
  }
  // Null when there is none of this name.
  const Fieldset* find(std::string_view name) const {
    const auto at = sets_.find(name);
    return at == sets_.end() ? nullptr : &at->second;
  }
  // False: there is none of this name.
  bool discard(std::string_view name) {
    const auto at = sets_.find(name);
    if (at == sets_.end()) return false;
    bytes_ -= bytes_of(*at);
    sets_.erase(at);
    return true;
  }
  size_t size() const { return sets_.size(); }
  size_t memory_bytes() const { return bytes_; }

 private:
  using Sets = std::map<std::string, Fieldset, std::less<>>;

  // With a node of the map.
  static size_t bytes_of(const Sets::value_type& set) {
    return sizeof set + 32 + set.first.capacity() + set.second.memory_bytes();
  }

  Sets sets_;
  size_t bytes_ = 0;
};

}  // namespace redoubt
