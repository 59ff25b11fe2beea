#include "engine/store/expiry_bounds.h"

#include <algorithm>
#include <utility>

#include "net/assert.h"

namespace redoubt {

void ExpiryBounds::lower(size_t first, size_t count, int64_t expiry_ms) {
  ASSERT(count > 0 && group_of(first + count - 1) < groups_.size());
  for (size_t group = group_of(first); group <= group_of(first + count - 1); ++group) {
    groups_[group] = std::min(groups_[group], expiry_ms);
    int64_t& section = sections_[group / kSection];
    section = std::min(section, expiry_ms);
  }
  whole_ = std::min(whole_, expiry_ms);
}

void ExpiryBounds::set_group(size_t group, int64_t bound_ms) {
  const int64_t before = std::exchange(groups_[group], bound_ms);
  if (before == bound_ms) return;
  const size_t section = group / kSection;
  const int64_t section_before = sections_[section];
  compute_section(section);
  if (sections_[section] < section_before || section_before == whole_) {
    whole_ = *std::min_element(sections_.begin(), sections_.end());
  }
}

void ExpiryBounds::compute_section(size_t section) {
  const size_t first = section * kSection;
  const size_t end = std::min(first + kSection, groups_.size());
  int64_t bound = kNever;
  for (size_t group = first; group < end; ++group) bound = std::min(bound, groups_[group]);
  sections_[section] = bound;
}

void ExpiryBounds::compute_sections() {
  sections_.resize((groups_.size() + kSection - 1) / kSection);
  for (size_t section = 0; section < sections_.size(); ++section) compute_section(section);
  whole_ = *std::min_element(sections_.begin(), sections_.end());
}

size_t ExpiryBounds::next_group(size_t group, int64_t time_ms) const {
  if (whole_ >= time_ms) return groups_.size();
  while (group < groups_.size()) {
    if (group % kSection == 0) {
      // Sections without anything are passed over whole.
      size_t section = group / kSection;
      while (section < sections_.size() && sections_[section] >= time_ms) ++section;
      if (section == sections_.size()) return groups_.size();
      group = std::max(group, section * kSection);
    }
    if (groups_[group] < time_ms) return group;
    ++group;
  }
  return groups_.size();
}

void ExpiryBounds::double_directory(size_t directory_size) {
  if (directory_size <= groups_.size() * kGroup) return;
  std::vector<int64_t> doubled(groups_.size() * 2);
  for (size_t i = 0; i < doubled.size(); ++i) doubled[i] = groups_[i / 2];
  groups_.swap(doubled);
  compute_sections();
}

void ExpiryBounds::halve_directory(size_t directory_size) {
  if (groups_.size() == 1 || directory_size >= groups_.size() * kGroup) return;
  std::vector<int64_t> halved(groups_.size() / 2);
  for (size_t i = 0; i < halved.size(); ++i) {
    halved[i] = std::min(groups_[2 * i], groups_[2 * i + 1]);
  }
  groups_.swap(halved);
  compute_sections();
}

}  // namespace redoubt
