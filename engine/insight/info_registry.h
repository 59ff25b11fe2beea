// InfoRegistry: the rows of INFO, registered by what they speak of.
//
// A room has static tables of its rows, each with its name, its kind and a function that reads the
// value from the room's object. When a node is made, each room registers its tables together with
// the object, as groups of a section; that is all that a node pays for them. INFO renders sections,
// and for_each_number() walks over the same rows for whoever wants numbers instead of a text.
//
//   constexpr InfoRow kRows[] = {
//       counter<Stats>("expired_keys", [](const Stats& s) { return s.expired_keys; }),
//       ...
//   };
//   registry.add({.section = InfoSection::stats, .place = 2, .rows = kRows, .owner = &stats});
//
// A row whose function returns an empty optional is left out: a field is true or absent. Rows
// whose names depend on the data (a line for each command, for each database) are written by a
// function of their group.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace redoubt {

// Sections, in INFO's order.
enum class InfoSection : uint8_t {
  server,
  clients,
  memory,
  persistence,
  stats,
  replication,
  cpu,
  modules,
  commandstats,
  errorstats,
  latencystats,
  cluster,
  keyspace,
  keysizes,
};

// counter: a number that only grows until CONFIG RESETSTAT; gauge: a number that goes both ways;
// text: anything else.
enum class InfoKind : uint8_t { counter, gauge, text };

// A number with so many decimals.
struct InfoDecimal {
  double value;
  int decimals;
};

// Writes "name:value" lines to the end of a text.
class InfoWriter {
 public:
  explicit InfoWriter(std::string& out) : out_(out) {}

  void section(std::string_view title);
  template <typename Value>
  void field(std::string_view name, const Value& value) {
    out_ += name;
    out_ += ':';
    put(value);
    out_ += "\r\n";
  }
  template <typename Value>
  void field(std::string_view name, const std::optional<Value>& value) {
    if (value) field(name, *value);
  }

 private:
  void put(std::string_view text) { out_ += text; }
  void put(const std::string& text) { out_ += text; }
  void put(const char* text) { out_ += text; }
  void put(InfoDecimal number);
  template <std::integral Number>
  void put(Number number) {
    if constexpr (std::is_signed_v<Number>) {
      put_signed(number);
    } else {
      put_unsigned(number);
    }
  }
  void put_signed(int64_t number);
  void put_unsigned(uint64_t number);

  std::string& out_;
};

struct InfoRow {
  std::string_view name;
  InfoKind kind;
  // Writes the row, or nothing when there is nothing to say.
  void (*write)(const InfoRow& row, void* owner, InfoWriter& out);
};

// Rows of an owner. `Read` is a lambda without captures: what it returns for the owner is the
// value, an integer, an InfoDecimal, a text, or an optional of these.
template <typename Owner, typename Read>
consteval InfoRow info_row(InfoKind kind, std::string_view name, Read) {
  return {name, kind, [](const InfoRow& row, void* owner, InfoWriter& out) {
            out.field(row.name, Read{}(*static_cast<Owner*>(owner)));
          }};
}
template <typename Owner, typename Read>
consteval InfoRow counter(std::string_view name, Read read) {
  return info_row<Owner>(InfoKind::counter, name, read);
}
template <typename Owner, typename Read>
consteval InfoRow gauge(std::string_view name, Read read) {
  return info_row<Owner>(InfoKind::gauge, name, read);
}
template <typename Owner, typename Read>
consteval InfoRow text_row(std::string_view name, Read read) {
  return info_row<Owner>(InfoKind::text, name, read);
}

struct InfoGroup {
  InfoSection section;
  int place = 0;  // groups of a section stand in the order of their places, which differ
  std::span<const InfoRow> rows = {};
  void* owner = nullptr;  // of the rows; outlives the registry
  // Rows without fixed names, behind the others; null: none.
  void (*write)(void* owner, InfoWriter& out) = nullptr;
  // Called before the rows are read, for an owner that gathers facts; null: nothing is to be done.
  void (*prepare)(void* owner) = nullptr;
};

class InfoRegistry {
 public:
  InfoRegistry() = default;
  InfoRegistry(const InfoRegistry&) = delete;
  InfoRegistry& operator=(const InfoRegistry&) = delete;

  void add(const InfoGroup& group);
  // All groups, in INFO's order.
  std::span<const InfoGroup> groups() const { return groups_; }

  // INFO with these arguments: names of sections in any case, "default", "all", "everything". None
  // means the default ones. Names of no section are passed over.
  std::string text(std::span<const std::string_view> names) const;

  // Calls visit(row, value) for the counters and gauges of all sections; the value is the number as
  // INFO writes it, and valid during the call.
  template <typename Visit>
  void for_each_number(Visit&& visit) const {
    std::string line;
    for (const InfoGroup& group : groups_) {
      if (group.prepare != nullptr) group.prepare(group.owner);
      for (const InfoRow& row : group.rows) {
        if (row.kind == InfoKind::text) continue;
        line.clear();
        InfoWriter out(line);
        row.write(row, group.owner, out);
        if (line.empty()) continue;
        visit(row, std::string_view(line).substr(row.name.size() + 1,
                                                 line.size() - row.name.size() - 3));
      }
    }
  }

 private:
  std::vector<InfoGroup> groups_;
};

// "1.50K": as INFO shortens sizes for people.
std::string human_bytes(uint64_t bytes);
// part / whole; 0 without a whole.
double ratio(uint64_t part, uint64_t whole);
// The same as "12.34%".
std::string percent_text(uint64_t part, uint64_t whole);

}  // namespace redoubt
