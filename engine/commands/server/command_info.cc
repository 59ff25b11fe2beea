#include "engine/commands/server/command_info.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "net/text.h"

namespace redoubt {

namespace {

// Names of bits, in the order in which Redis lists them.
struct BitName {
  uint32_t bit;
  std::string_view name;
};

constexpr BitName kFlagNames[] = {
    {kWrite, "write"},
    {kReadOnly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr BitName kCategoryNames[] = {
    {kCatKeyspace, "@keyspace"},
    {kCatRead, "@read"},
    {kCatWrite, "@write"},
    {kCatSet, "@set"},
    {kCatSortedSet, "@sortedset"},
    {kCatList, "@list"},
    {kCatHash, "@hash"},
    {kCatString, "@string"},
    {kCatBitmap, "@bitmap"},
    {kCatHyperLogLog, "@hyperloglog"},
    {kCatGeo, "@geo"},
    {kCatStream, "@stream"},
    {kCatPubSub, "@pubsub"},
    {kCatAdmin, "@admin"},
    {kCatFast, "@fast"},
    {kCatSlow, "@slow"},
    {kCatBlocking, "@blocking"},
    {kCatDangerous, "@dangerous"},
    {kCatConnection, "@connection"},
    {kCatTransaction, "@transaction"},
    {kCatScripting, "@scripting"},
};

constexpr BitName kKeyFlagNames[] = {
    {kKeyRO, "RO"},
    {kKeyRW, "RW"},
    {kKeyOW, "OW"},
    {kKeyRM, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariableFlags, "variable_flags"},
};

// A set of status lines.
void reply_bits(ReplyWriter& reply, std::span<const BitName> names, uint32_t bits) {
  const auto is_set = [&](const BitName& name) { return (bits & name.bit) != 0; };
  reply.set(static_cast<size_t>(std::count_if(names.begin(), names.end(), is_set)));
  for (const BitName& name : names) {
    if (is_set(name)) reply.simple(name.name);
  }
}

// A set of the words in a text with single blanks between them.
void reply_words(ReplyWriter& reply, std::string_view text) {
  reply.set(text.empty() ? 0 : 1 + static_cast<size_t>(std::count(text.begin(), text.end(), ' ')));
  while (!text.empty()) {
    const size_t end = text.find(' ');
    reply.bulk(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void number(ReplyWriter& reply, std::string_view name, int value) {
  reply.bulk(name);
  reply.integer(value);
}

void reply_unknown(ReplyWriter& reply) {
  reply.map(2);
  reply.bulk("type");
  reply.bulk("unknown");
  reply.bulk("spec");
  reply.map(0);
}

void reply_begin_search(ReplyWriter& reply, const KeySpec& spec) {
  if (spec.begin == KeySpec::Begin::unknown) {
    reply_unknown(reply);
    return;
  }
  const bool keyword = spec.begin == KeySpec::Begin::keyword;
  reply.map(2);
  reply.bulk("type");
  reply.bulk(keyword ? "keyword" : "index");
  reply.bulk("spec");
  if (!keyword) {
    reply.map(1);
    number(reply, "index", spec.index);
    return;
  }
  reply.map(2);
  reply.bulk("keyword");
  reply.bulk(spec.keyword);
  number(reply, "startfrom", spec.index);
}

void reply_find_keys(ReplyWriter& reply, const KeySpec& spec) {
  if (spec.begin == KeySpec::Begin::unknown) {
    reply_unknown(reply);
    return;
  }
  const bool range = spec.find == KeySpec::Find::range;
  reply.map(2);
  reply.bulk("type");
  reply.bulk(range ? "range" : "keynum");
  reply.bulk("spec");
  reply.map(3);
  if (range) {
    number(reply, "lastkey", spec.last_or_keynum);
    number(reply, "keystep", spec.step);
    number(reply, "limit", spec.limit_or_first);
  } else {
    number(reply, "keynumidx", spec.last_or_keynum);
    number(reply, "firstkey", spec.limit_or_first);
    number(reply, "keystep", spec.step);
  }
}

void reply_key_spec(ReplyWriter& reply, const KeySpec& spec) {
  reply.map(3 + size_t{!spec.notes.empty()});
  if (!spec.notes.empty()) {
    reply.bulk("notes");
    reply.bulk(spec.notes);
  }
  reply.bulk("flags");
  reply_key_flags(reply, spec.flags);
  reply.bulk("begin_search");
  reply_begin_search(reply, spec);
  reply.bulk("find_keys");
  reply_find_keys(reply, spec);
}

size_t spec_count(const Command& row) {
  const auto unused = [](const KeySpec& spec) { return spec.begin == KeySpec::Begin::none; };
  return static_cast<size_t>(std::find_if(row.keys.begin(), row.keys.end(), unused) -
                             row.keys.begin());
}

}  // namespace

const CommandEntry* find_by_full_name(const CommandTable& table, std::string_view name) {
  const size_t bar = name.find('|');
  const CommandEntry* entry = table.find(name.substr(0, bar));
  if (entry == nullptr || bar == std::string_view::npos) return entry;
  for (const CommandEntry* sub : entry->subcommands) {
    if (equal_ignoring_case(name.substr(bar + 1), sub->row->name)) return sub;
  }
  return nullptr;
}

uint32_t category_named(std::string_view name) {
  for (const BitName& category : kCategoryNames) {
    if (equal_ignoring_case(name, category.name.substr(1))) return category.bit;
  }
  return 0;
}

KeyRange legacy_key_range(const Command& row) {
  const size_t count = spec_count(row);
  const auto is_range = [](const KeySpec& spec) {
    return spec.begin == KeySpec::Begin::index && spec.find == KeySpec::Find::range;
  };
  const auto last_of = [](const KeySpec& spec) {
    return spec.last_or_keynum < 0 ? spec.last_or_keynum : spec.index + spec.last_or_keynum;
  };
  KeyRange range;
  if (count == 1 && is_range(row.keys[0])) {
    return {row.keys[0].index, last_of(row.keys[0]), row.keys[0].step, false};
  }
  for (size_t i = 0; i < count; ++i) {
    const KeySpec& spec = row.keys[i];
    // Only what continues the range so far belongs to it.
    if (!is_range(spec) || spec.step != 1 || (range.last != 0 && range.last != spec.index - 1)) {
      range.incomplete = true;
      continue;
    }
    if (range.first == 0) range.first = spec.index;
    range.last = last_of(spec);
    range.step = 1;
  }
  return range;
}

void reply_key_flags(ReplyWriter& reply, uint32_t flags) {
  reply_bits(reply, kKeyFlagNames, flags);
}

void reply_command_info(ReplyWriter& reply, const CommandEntry& entry) {
  const Command& row = *entry.row;
  const KeyRange range = legacy_key_range(row);
  reply.array(10);
  reply.bulk(entry.name);
  reply.integer(row.arity);
  reply_bits(reply, kFlagNames, row.flags);
  reply.integer(range.first);
  reply.integer(range.last);
  reply.integer(range.step);
  reply_bits(reply, kCategoryNames, entry.categories);
  reply_words(reply, row.tips);
  const size_t specs = spec_count(row);
  reply.set(specs);
  for (size_t i = 0; i < specs; ++i) reply_key_spec(reply, row.keys[i]);
  reply.array(entry.subcommands.size());
  for (const CommandEntry* sub : entry.subcommands) reply_command_info(reply, *sub);
}

bool find_keys_and_flags(const Command& row, std::span<const std::string_view> args,
                         std::vector<FoundKey>& out) {
  std::vector<int> indexes;
  if (row.find_keys != nullptr) {
    if (!row.find_keys(args, indexes)) return false;
    // The first key is that of the first specification; what SORT stores to is that of the last.
    const uint32_t other_flags = row.keys[spec_count(row) - 1].flags;
    for (const int index : indexes) {
      out.push_back({index, index == indexes.front() ? row.keys[0].flags : other_flags});
    }
    return true;
  }
  for (size_t i = 0; i < spec_count(row); ++i) {
    const KeySpec& spec = row.keys[i];
    if ((spec.flags & kKeyNotKey) != 0) continue;
    indexes.clear();
    if (!keys_of_spec(spec, args, indexes)) return false;
    if (spec.find == KeySpec::Find::keynum && indexes.empty()) return false;  // a count of 0
    const uint32_t flags = (spec.flags & kKeyVariableFlags) != 0 && row.key_flags != nullptr
                               ? row.key_flags(args)
                               : spec.flags;
    for (const int index : indexes) out.push_back({index, flags});
  }
  return true;
}

}  // namespace redoubt
