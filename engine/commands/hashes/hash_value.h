// What the commands of the hash family share. An expired field is a missing field, whether it has
// been removed already or not.
#pragma once

#include <optional>
#include <string_view>

#include "engine/commands/element.h"
#include "engine/commands/part_expiry.h"
#include "engine/commands/part_writer.h"
#include "engine/dispatch/context.h"
#include "engine/store/hash_type.h"

namespace redoubt {

inline HashLimits hash_limits(const Settings& settings) {
  return {.listpack_entries = settings.hash_max_listpack_entries,
          .listpack_value = settings.hash_max_listpack_value};
}

inline bool is_live(const HashField& field, int64_t now_ms) {
  return field.deadline_ms >= now_ms;
}

// The hash of a key, with some of its expired fields removed; null when there is none, with
// `failed` after an error when the key holds something else.
const Entry* hash_to_read(Context& c, std::string_view key, bool& failed);
Entry* hash_to_write(Context& c, std::string_view key, bool& failed);

// A field that is there and has not expired.
std::optional<HashField> find_live(Context& c, const Entry* entry, std::string_view name);
// How many fields have not expired.
size_t live_fields(Context& c, const HashView& hash);
// Calls visit(HashField) for those.
template <typename Visit>
void for_each_live(Context& c, const HashView& hash, Visit&& visit) {
  const int64_t now_ms = c.past_ms();
  hash.for_each([&](const HashField& field) {
    if (is_live(field, now_ms)) visit(field);
  });
  c.env().count_work(hash.size());
}

// Hashes as values whose parts expire (part_writer.h, part_expiry.h).
struct HashFields {
  using Editor = HashEditor;
  using Limits = HashLimits;
  using Part = HashField;
  static constexpr Type kType = Type::hash;
  static constexpr PartWords kWords = {
      .list = "FIELDS",
      .no_list = "ERR Mandatory argument FIELDS is missing or not at the right position",
      .no_number = "ERR Parameter `numFields` should be greater than 0",
      .not_positive = "ERR Number of fields must be a positive integer",
      .other_number = "ERR The `numfields` parameter must match the number of arguments",
      .event_class = 'h',
      .expires = "hexpire",
      .persists = "hpersist",
      .removed = "hdel",
      .expire_command = "HPEXPIREAT",
      .persist_command = "HPERSIST",
      .remove_command = "HDEL"};

  static Limits limits(const Settings& settings) { return hash_limits(settings); }
  static Editor open(Context& c, const Limits& limits, Entry* entry, size_t more) {
    Allocator& allocator = c.db().allocator();
    if (entry == nullptr) return {allocator, c.hash_key(), limits};
    Editor editor(allocator, c.hash_key(), limits, *entry);
    editor.expect_fields(more);
    return editor;
  }
  static const Entry* to_read(Context& c, std::string_view key, bool& failed) {
    return hash_to_read(c, key, failed);
  }
  static Entry* to_write(Context& c, std::string_view key, bool& failed) {
    return hash_to_write(c, key, failed);
  }
  static std::optional<Part> find_live(Context& c, const Entry* entry, std::string_view name) {
    return redoubt::find_live(c, entry, name);
  }
};

using HashWriter = PartWriter<HashFields>;

}  // namespace redoubt
