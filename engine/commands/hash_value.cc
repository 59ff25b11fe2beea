#include "engine/commands/hash_value.h"

namespace redoubt {

namespace {

// So many expired fields are removed when a command meets them; the rest is left to the active
// expiry.
constexpr size_t kExpiredAtOnce = 64;

Entry* without_expired(Context& c, Entry* entry, bool& failed) {
  failed = c.wrong_type(entry, Type::hash);
  if (failed || entry == nullptr) return nullptr;
  if (HashView(*entry).earliest_ms() >= c.now_ms()) [[likely]]
    return entry;
  return c.node.expire_fields(c.session.db, *entry, kExpiredAtOnce) ? entry : nullptr;
}

HashEditor open(Context& c, const HashLimits& limits, const Entry* entry) {
  Allocator& allocator = c.db().allocator();
  if (entry == nullptr) return {allocator, c.node.hash_key(), limits};
  return {allocator, c.node.hash_key(), limits, *entry};
}

}  // namespace

Entry* hash_to_read(Context& c, std::string_view key, bool& failed) {
  return without_expired(c, c.lookup(key), failed);
}

Entry* hash_to_write(Context& c, std::string_view key, bool& failed) {
  return without_expired(c, c.lookup_write(key), failed);
}

std::optional<HashField> find_live(Context& c, const Entry* entry, std::string_view name) {
  if (entry == nullptr) return std::nullopt;
  std::optional<HashField> field = HashView(*entry).find(name);
  if (field && !is_live(*field, c.now_ms())) return std::nullopt;
  return field;
}

size_t live_fields(Context& c, const HashView& hash) {
  if (hash.earliest_ms() >= c.now_ms()) return hash.size();
  size_t count = 0;
  for_each_live(c, hash, [&](const HashField&) { ++count; });
  return count;
}

HashWriter::HashWriter(Context& c, std::string_view key, Entry* entry)
    : context_(c),
      key_(key),
      entry_(entry),
      limits_(hash_limits(c.node)),
      editor_(open(c, limits_, entry)),
      earliest_before_ms_(editor_.view().earliest_ms()) {}

std::optional<HashField> HashWriter::find(std::string_view name) {
  std::optional<HashField> field = editor_.view().find(name);
  if (!field || is_live(*field, context_.now_ms())) return field;
  editor_.remove(name);
  context_.node.fields_expired(context_.session.db, key_, {&name, 1});
  return std::nullopt;
}

void HashWriter::finish() {
  empty_ = editor_.size() == 0;
  if (entry_ != nullptr) {
    editor_.store(*entry_);
    context_.db().parts_expiry_changed(key_, earliest_before_ms_, editor_.view().earliest_ms());
  } else if (empty_) {
    editor_.discard();
  } else {
    context_.db().insert_value(key_, context_.hash(key_), Type::hash, editor_.encoding(),
                               editor_.value());
  }
}

void HashWriter::remove_if_empty() {
  if (empty_ && entry_ != nullptr) context_.remove_empty(key_);
}

}  // namespace redoubt
