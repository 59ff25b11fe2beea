// HIMPORT: hashes whose fields a connection names once, and then sends only their values.
//
// The names are the connection's; what is stored is a hash like any other.
#include <algorithm>
#include <vector>

#include "engine/clients/fieldsets.h"
#include "engine/commands/families.h"
#include "engine/commands/hashes/hash_value.h"
#include "engine/commands/strings/string_options.h"

namespace redoubt {

namespace {

void himport_prepare_command(Context& c) {
  const std::span<const std::string_view> fields = c.args.subspan(3);
  c.env().count_work(fields.size());
  std::vector<std::string_view> sorted(fields.begin(), fields.end());
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    c.error("ERR duplicate field name in fieldset");
    return;
  }
  if (c.fieldsets() == nullptr) c.fieldsets() = std::make_unique<Fieldsets>();
  c.fieldsets()->put(c.args[2], Fieldset(fields));
  c.reply.ok();
}

// A hash of these fields and the values from argument `first` on, in place of what the key holds.
void replace_hash(Context& c, std::string_view key, const Fieldset& fields, size_t first) {
  const HashLimits limits = hash_limits(c.settings());
  HashEditor hash(c.db().allocator(), c.hash_key(), limits);
  hash.expect_fields(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    hash.expect(fields[i]);
    hash.expect(c.args[first + i]);
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    hash.set(fields[i], c.args[first + i], kNeverExpires, large_blob(c, first + i));
  }
  c.db().replace_value(key, c.hash(key), Type::hash, hash.encoding(), hash.value(),
                       NewExpiry::none());
}

// The fields by name; what the key held before goes in the same step.
void effect_of_import(Context& c, std::string_view key, const Fieldset& fields, size_t first,
                      bool replaced) {
  if (!c.effects().active()) return;
  std::vector<std::string_view> args = {"HSET", key};
  args.reserve(2 + 2 * fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    args.push_back(fields[i]);
    args.push_back(c.args[first + i]);
  }
  if (replaced) c.effect({"DEL", key});
  c.effect(args);
}

void himport_set_command(Context& c) {
  constexpr size_t kFirstValue = 4;
  const std::string_view key = c.args[2];
  const Fieldset* fields = c.fieldsets() == nullptr ? nullptr : c.fieldsets()->find(c.args[3]);
  if (fields == nullptr) {
    c.error("ERR no such fieldset");
    return;
  }
  if (c.args.size() - kFirstValue != fields->size()) {
    c.error("ERR value count does not match fieldset field count");
    return;
  }
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::hash)) return;
  const bool replaced = entry != nullptr;
  c.env().count_work(fields->size());
  replace_hash(c, key, *fields, kFirstValue);
  c.modified(key, 'h', "hset");
  std::vector<std::string_view> names;
  names.reserve(fields->size());
  for (size_t i = 0; i < fields->size(); ++i) names.push_back((*fields)[i]);
  c.announce_fields(key, "hset", names);
  effect_of_import(c, key, *fields, kFirstValue, replaced);
  c.reply.ok();
}

void himport_discard_command(Context& c) {
  const bool gone = c.fieldsets() != nullptr && c.fieldsets()->discard(c.args[2]);
  c.reply.integer(gone ? 1 : 0);
}

void himport_discardall_command(Context& c) {
  const size_t count = c.fieldsets() == nullptr ? 0 : c.fieldsets()->size();
  c.fieldsets().reset();
  c.reply.integer(static_cast<int64_t>(count));
}

// What the subcommands have in common.
constexpr Command import_row(Command row) {
  row.categories = kCatHash;
  row.since = "8.10.0";
  row.group = "hash";
  return row;
}

constexpr Command himport_subcommands[] = {
    import_row({.name = "discard",
                .arity = 3,
                .complexity = "O(1)",
                .summary = "Forgets a list of field names of this connection.",
                .tips = "request_policy:all_shards",
                .arguments = "fieldset-name:string",
                .handler = himport_discard_command}),
    import_row({.name = "discardall",
                .arity = 2,
                .complexity = "O(N) where N is the number of lists of field names.",
                .summary = "Forgets all lists of field names of this connection.",
                .tips = "request_policy:all_shards",
                .handler = himport_discardall_command}),
    import_row({.name = "prepare",
                .arity = -4,
                .flags = kDenyOom,
                .complexity = "O(N*log(N)) where N is the number of fields.",
                .summary = "Names the fields of the hashes that this connection is going to set.",
                .tips = "request_policy:all_shards",
                .arguments = "fieldset-name:string field:string...",
                .handler = himport_prepare_command}),
    import_row({.name = "set",
                .arity = -5,
                .flags = kWrite | kDenyOom,
                .keys = {keys_at(kKeyOW | kKeyUpdate, 2)},
                .complexity = "O(N) where N is the number of fields.",
                .summary = "Sets a key to a hash of fields that were named before.",
                .arguments = "key:key fieldset-name:string value:string...",
                .handler = himport_set_command}),
};

constexpr Command hash_import_rows[] = {
    {.name = "himport",
     .arity = -2,
     .since = "8.10.0",
     .group = "hash",
     .complexity = "Depends on subcommand.",
     .summary = "A container of commands that set many hashes with the same fields.",
     .subcommands = himport_subcommands},
};

}  // namespace

std::span<const Command> hash_import_commands() {
  return hash_import_rows;
}

}  // namespace redoubt
