#include "engine/command/command_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/config/config.h"
#include "engine/config/config_text.h"
#include "engine/store/number.h"
#include "net/assert.h"
#include "net/text.h"

namespace redoubt {

namespace {

size_t name_hash(uint64_t start, size_t size) {
  return static_cast<size_t>(((start + size) * 0x9e3779b97f4a7c15) >> 40);
}

uint32_t derived_categories(const Command& row) {
  uint32_t categories = row.categories;
  if ((row.flags & kWrite) != 0) categories |= kCatWrite;
  if ((row.flags & kReadOnly) != 0 && (categories & kCatScripting) == 0) categories |= kCatRead;
  if ((row.flags & kAdmin) != 0) categories |= kCatAdmin | kCatDangerous;
  if ((row.flags & kPubSub) != 0) categories |= kCatPubSub;
  if ((row.flags & kBlocking) != 0) categories |= kCatBlocking;
  categories |= (row.flags & kFast) != 0 ? kCatFast : kCatSlow;
  return categories;
}

uint32_t derived_concerns(const Command& row) {
  uint32_t concerns = kConcernAll;
  const auto add_if = [&concerns](bool holds, uint32_t concern) {
    if (holds) concerns |= concern;
  };
  add_if((row.flags & (kWrite | kMayReplicate)) != 0, kConcernWrites);
  add_if((row.flags & kDenyOom) != 0, kConcernMemory);
  add_if(row.find_keys != nullptr || row.keys[0].begin != KeySpec::Begin::none, kConcernKeys);
  add_if((row.flags & kLoading) == 0, kConcernNotLoading);
  add_if((row.flags & kStale) == 0, kConcernNotStale);
  add_if((row.flags & kAllowBusy) == 0, kConcernNotBusy);
  add_if(row.handler == nullptr, kConcernNoHandler);
  return concerns;
}

}  // namespace

CommandTable::CommandTable(std::span<const std::span<const Command>> families) {
  for (const std::span<const Command>& family : families) {
    for (const Command& row : family) all_.push_back(add(row, nullptr));
  }
  rebuild();
}

CommandTable::~CommandTable() {
  for (CommandEntry* entry : owned_) delete entry;
}

CommandEntry* CommandTable::add(const Command& row, CommandEntry* container) {
  CommandEntry* entry = new CommandEntry;
  owned_.push_back(entry);
  entry->row = &row;
  entry->container = container;
  entry->name =
      container == nullptr ? std::string(row.name) : container->name + "|" + std::string(row.name);
  entry->concerns = derived_concerns(row);
  entry->categories = derived_categories(row);
  if (row.keys[0].begin == KeySpec::Begin::index && row.keys[0].find == KeySpec::Find::range) {
    entry->first_key = row.keys[0].index;
  }
  for (const Command& sub : row.subcommands) entry->subcommands.push_back(add(sub, entry));
  return entry;
}

void CommandTable::rebuild() {
  std::sort(all_.begin(), all_.end(),
            [](const CommandEntry* a, const CommandEntry* b) { return a->name < b->name; });
  size_t size = 16;
  while (size < all_.size() * 4) size *= 2;
  slots_.assign(size, {});
  for (CommandEntry* entry : all_) {
    const uint64_t start = lower_start(entry->name);
    size_t at = name_hash(start, entry->name.size()) & (size - 1);
    while (slots_[at].entry != nullptr) at = (at + 1) & (size - 1);
    slots_[at] = {start, entry};
  }
}

CommandEntry* CommandTable::find(std::string_view name) const {
  constexpr size_t kStart = sizeof(Slot::start);
  const uint64_t start = lower_start(name);
  const size_t mask = slots_.size() - 1;
  for (size_t at = name_hash(start, name.size()) & mask; slots_[at].entry != nullptr;
       at = (at + 1) & mask) {
    if (slots_[at].start != start) continue;
    const std::string& other = slots_[at].entry->name;
    if (other.size() != name.size()) continue;
    if (name.size() <= kStart) return slots_[at].entry;
    const auto rest = [](std::string_view text) { return text.substr(kStart); };
    if (equal_ignoring_case(rest(name), rest(other))) return slots_[at].entry;
  }
  return nullptr;
}

CommandEntry* CommandTable::resolve(std::span<const std::string_view> args,
                                    CommandEntry** container) const {
  ASSERT(!args.empty());
  CommandEntry* entry = find(args[0]);
  if (entry == nullptr || entry->subcommands.empty() || args.size() < 2) return entry;
  for (CommandEntry* sub : entry->subcommands) {
    if (equal_ignoring_case(args[1], sub->row->name)) return sub;
  }
  *container = entry;
  return nullptr;
}

bool CommandTable::rename(std::span<const RenamedCommand> lines, std::string* error) {
  for (const RenamedCommand& line : lines) {
    CommandEntry* entry = find(line.from);
    if (entry == nullptr) {
      *error = fmt::format("{}: rename-command: expected the name of a command, got {}", line.place,
                           quote_for_message(line.from));
      return false;
    }
    if (!line.to.empty() && find(line.to) != nullptr) {
      *error = fmt::format("{}: rename-command: expected a name that is free, got {}", line.place,
                           quote_for_message(line.to));
      return false;
    }
    if (line.to.empty()) {
      std::erase(all_, entry);
    } else {
      entry->name = to_lower(line.to);
    }
    rebuild();
  }
  return true;
}

void CommandTable::reset_statistics() {
  for (CommandEntry* entry : owned_) {
    entry->calls = entry->nsec = entry->rejected_calls = entry->failed_calls = 0;
    entry->latency.reset();
  }
}

bool keys_of_spec(const KeySpec& spec, std::span<const std::string_view> args,
                  std::vector<int>& out) {
  const int count = static_cast<int>(args.size());
  int begin = spec.index;
  if (spec.begin == KeySpec::Begin::keyword) {
    const bool backwards = spec.index < 0;
    int at = backwards ? count + spec.index : spec.index;
    while (at > 0 && at < count &&
           !equal_ignoring_case(args[static_cast<size_t>(at)], spec.keyword)) {
      at += backwards ? -1 : 1;
    }
    if (at <= 0 || at >= count) return true;  // the keyword is optional
    begin = at + 1;
  }
  // Keys up to the last argument may be none, where the arity allows that (PFMERGE destination),
  // and so may that of an optional word.
  const bool may_be_none = spec.begin == KeySpec::Begin::keyword ||
                           (spec.find == KeySpec::Find::range && spec.last_or_keynum == -1);
  if (begin >= count) return begin == count && may_be_none;
  int first = begin;
  int last;
  if (spec.find == KeySpec::Find::range) {
    last = spec.last_or_keynum < 0 ? count + spec.last_or_keynum : begin + spec.last_or_keynum;
    if (spec.last_or_keynum == -1 && spec.limit_or_first > 1) {
      last = begin + (count - begin) / spec.limit_or_first - 1;
    }
  } else {
    const size_t at = static_cast<size_t>(begin + spec.last_or_keynum);
    const std::optional<int64_t> keys =
        at < args.size() ? parse_integer(args[at]) : std::optional<int64_t>{};
    if (!keys || *keys < 0 || *keys > count) return false;
    first = begin + spec.limit_or_first;
    last = first + (static_cast<int>(*keys) - 1) * spec.step;
  }
  if (last >= count) return false;
  for (int i = first; i <= last; i += spec.step) out.push_back(i);
  return true;
}

bool find_keys(const Command& row, std::span<const std::string_view> args, std::vector<int>& out) {
  if (row.find_keys != nullptr) return row.find_keys(args, out);
  for (const KeySpec& spec : row.keys) {
    if (spec.begin == KeySpec::Begin::none) break;
    if ((spec.flags & kKeyNotKey) != 0) continue;
    if (!keys_of_spec(spec, args, out)) return false;
  }
  return true;
}

}  // namespace redoubt
