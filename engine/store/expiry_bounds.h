// ExpiryBounds: where in a dict's directory something may expire, and when at the earliest.
//
// A bound for 16 directory entries (a group), for 64 groups (a section) and for the whole: no entry
// with a deadline in a segment that the directory reaches there expires before it. A bound of
// kNever means that nothing there expires at all. So a round of the active expiry skips entries
// that are not due without reading a segment, and finds entries that expire even when they are
// rare.
//
// Bounds only get too low by themselves, as entries go or their deadlines are moved; a reader of
// all segments of a group sets its bound anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace redoubt {

class ExpiryBounds {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr size_t kGroup = 16;  // directory entries

  // For a directory of one entry.
  ExpiryBounds() : groups_(1, kNever), sections_(1, kNever) {}

  int64_t earliest() const { return whole_; }
  int64_t of_group(size_t group) const { return groups_[group]; }
  size_t groups() const { return groups_.size(); }
  static size_t group_of(size_t directory_index) { return directory_index / kGroup; }

  // Something that `count` directory entries from `first` on reach expires at `expiry_ms`.
  void lower(size_t first, size_t count, int64_t expiry_ms);
  // Nothing in the group expires before `bound_ms`.
  void set_group(size_t group, int64_t bound_ms);
  // The first group from `group` on where something may expire before `time_ms`; groups() when
  // there is none.
  size_t next_group(size_t group, int64_t time_ms) const;

  // The directory has doubled: each entry has become two, or two have become one.
  void double_directory(size_t directory_size);
  void halve_directory(size_t directory_size);

  size_t bytes() const { return (groups_.size() + sections_.size()) * sizeof(int64_t); }

 private:
  static constexpr size_t kSection = 64;  // groups

  void compute_sections();
  void compute_section(size_t section);

  std::vector<int64_t> groups_;
  std::vector<int64_t> sections_;
  int64_t whole_ = kNever;
};

}  // namespace redoubt
