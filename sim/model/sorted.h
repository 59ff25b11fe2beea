// Sets of strings and maps from strings, in order. What the model needs of std::set and std::map,
// as sorted vectors: the model copies whole values, and these are copied at once instead of node by
// node. Iterators and references hold until the container changes.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace redoubt::sim {

// What both share. `Item` is a string, or a pair whose first part is one.
template <typename Item>
class Sorted {
 public:
  using value_type = Item;
  using iterator = typename std::vector<Item>::iterator;
  using const_iterator = typename std::vector<Item>::const_iterator;

  Sorted() = default;
  template <typename Iterator>
  Sorted(Iterator first, Iterator last) {
    insert(first, last);
  }

  iterator begin() { return items_.begin(); }
  iterator end() { return items_.end(); }
  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  void clear() { items_.clear(); }

  iterator find(std::string_view key) {
    const iterator place = place_of(items_, key);
    return place != end() && key_of(*place) == key ? place : end();
  }
  const_iterator find(std::string_view key) const {
    const const_iterator place = place_of(items_, key);
    return place != end() && key_of(*place) == key ? place : end();
  }
  bool contains(std::string_view key) const { return find(key) != end(); }

  iterator erase(const_iterator place) { return items_.erase(place); }
  size_t erase(std::string_view key) {
    const iterator place = find(key);
    if (place == end()) {
      return 0;
    }
    items_.erase(place);
    return 1;
  }

  // Where the item is now, and whether it was not there before.
  std::pair<iterator, bool> insert(Item item) {
    const iterator place = place_of(items_, key_of(item));
    if (place != end() && key_of(*place) == key_of(item)) {
      return {place, false};
    }
    return {items_.insert(place, std::move(item)), true};
  }
  template <typename Iterator>
  void insert(Iterator first, Iterator last) {
    for (; first != last; ++first) {
      insert(*first);
    }
  }

  bool operator==(const Sorted&) const = default;

  template <typename Predicate>
  friend size_t erase_if(Sorted& sorted, Predicate predicate) {
    return std::erase_if(sorted.items_, predicate);
  }

 protected:
  static std::string_view key_of(const std::string& item) { return item; }
  template <typename Value>
  static std::string_view key_of(const std::pair<std::string, Value>& item) {
    return item.first;
  }
  template <typename Items>
  static auto place_of(Items& items, std::string_view key) {
    return std::lower_bound(
        items.begin(), items.end(), key,
        [](const Item& item, std::string_view wanted) { return key_of(item) < wanted; });
  }

  std::vector<Item> items_;
};

using SortedSet = Sorted<std::string>;

template <typename Value>
class SortedMap : public Sorted<std::pair<std::string, Value>> {
 public:
  using Sorted<std::pair<std::string, Value>>::Sorted;

  std::pair<typename SortedMap::iterator, bool> emplace(std::string key, Value value) {
    return this->insert({std::move(key), std::move(value)});
  }
  Value& operator[](std::string_view key) {
    const auto place = this->place_of(this->items_, key);
    if (place != this->end() && place->first == key) {
      return place->second;
    }
    return this->items_.insert(place, {std::string(key), Value()})->second;
  }
};

}  // namespace redoubt::sim
