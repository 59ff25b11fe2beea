#include "engine/insight/info_registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/store/number.h"
#include "net/assert.h"
#include "net/text.h"

namespace redoubt {

namespace {

struct Section {
  InfoSection section;
  std::string_view title;
  bool in_default;
};

constexpr Section kSections[] = {
    {InfoSection::server, "Server", true},
    {InfoSection::clients, "Clients", true},
    {InfoSection::memory, "Memory", true},
    {InfoSection::persistence, "Persistence", true},
    {InfoSection::stats, "Stats", true},
    {InfoSection::replication, "Replication", true},
    {InfoSection::cpu, "CPU", true},
    {InfoSection::modules, "Modules", true},
    {InfoSection::commandstats, "Commandstats", false},
    {InfoSection::errorstats, "Errorstats", true},
    {InfoSection::latencystats, "Latencystats", false},
    {InfoSection::cluster, "Cluster", true},
    {InfoSection::keyspace, "Keyspace", true},
    {InfoSection::keysizes, "Keysizes", false},
};

bool asked_for(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.in_default;
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return equal_ignoring_case(name, section.title) || equal_ignoring_case(name, "all") ||
           equal_ignoring_case(name, "everything") ||
           (section.in_default && equal_ignoring_case(name, "default"));
  });
}

bool stands_before(const InfoGroup& a, const InfoGroup& b) {
  return a.section != b.section ? a.section < b.section : a.place < b.place;
}

}  // namespace

// --- InfoWriter

void InfoWriter::section(std::string_view title) {
  if (!out_.empty()) out_ += "\r\n";
  out_ += "# ";
  out_ += title;
  out_ += "\r\n";
}

void InfoWriter::put(InfoDecimal number) {
  out_ += FixedText(number.value, number.decimals).view();
}

void InfoWriter::put_signed(int64_t number) {
  out_ += std::to_string(number);
}

void InfoWriter::put_unsigned(uint64_t number) {
  out_ += std::to_string(number);
}

// --- InfoRegistry

void InfoRegistry::add(const InfoGroup& group) {
  ASSERT(group.owner != nullptr);
  const auto at = std::lower_bound(groups_.begin(), groups_.end(), group, stands_before);
  ASSERT(at == groups_.end() || stands_before(group, *at));
  groups_.insert(at, group);
}

std::string InfoRegistry::text(std::span<const std::string_view> names) const {
  std::string text;
  InfoWriter out(text);
  auto group = groups_.begin();
  for (const Section& section : kSections) {
    const bool asked = asked_for(section, names);
    if (asked) out.section(section.title);
    for (; group != groups_.end() && group->section == section.section; ++group) {
      if (!asked) continue;
      if (group->prepare != nullptr) group->prepare(group->owner);
      for (const InfoRow& row : group->rows) row.write(row, group->owner, out);
      if (group->write != nullptr) group->write(group->owner, out);
    }
  }
  return text;
}

// --- values

std::string human_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  constexpr std::string_view units = "KMGTP";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", FixedText(value, 2).view(), units[unit]);
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent_text(uint64_t part, uint64_t whole) {
  return fmt::format("{}%", FixedText(ratio(part, whole) * 100, 2).view());
}

}  // namespace redoubt
