// What the commands of the hash family share. An expired field is a missing field, whether it has
// been removed already or not.
#pragma once

#include <optional>
#include <string_view>

#include "engine/commands/element.h"
#include "engine/node/context.h"
#include "engine/store/hash_type.h"

namespace redoubt {

inline HashLimits hash_limits(const Node& node) {
  return {.listpack_entries = node.settings().hash_max_listpack_entries,
          .listpack_value = node.settings().hash_max_listpack_value};
}

inline bool is_live(const HashField& field, int64_t now_ms) {
  return field.deadline_ms >= now_ms;
}

// The hash of a key, with some of its expired fields removed; null when there is none, with
// `failed` after an error when the key holds something else.
Entry* hash_to_read(Context& c, std::string_view key, bool& failed);
Entry* hash_to_write(Context& c, std::string_view key, bool& failed);

// A field that is there and has not expired.
std::optional<HashField> find_live(Context& c, const Entry* entry, std::string_view name);
// How many fields have not expired.
size_t live_fields(Context& c, const HashView& hash);
// Calls visit(HashField) for those.
template <typename Visit>
void for_each_live(Context& c, const HashView& hash, Visit&& visit) {
  const int64_t now_ms = c.now_ms();
  hash.for_each([&](const HashField& field) {
    if (is_live(field, now_ms)) visit(field);
  });
  c.node.env().count_work(hash.size());
}

// The hash of a key while a command changes it: opened on an entry, or on none for a new hash. The
// command ends it with finish().
class HashWriter {
 public:
  HashWriter(Context& c, std::string_view key, Entry* entry);
  HashWriter(const HashWriter&) = delete;
  HashWriter& operator=(const HashWriter&) = delete;

  HashEditor& editor() { return editor_; }
  // A field that is there. One that has expired is removed instead, with its effect.
  std::optional<HashField> find(std::string_view name);
  // Puts the hash into its key again. An empty one is left to remove_if_empty().
  void finish();
  // After finish() and the announcement of the change.
  void remove_if_empty();

 private:
  Context& context_;
  std::string_view key_;
  Entry* entry_;
  HashLimits limits_;
  HashEditor editor_;
  int64_t earliest_before_ms_;
  bool empty_ = false;
};

}  // namespace redoubt
