// Commands on keys of any type: DEL, EXISTS, RENAME, COPY, MOVE, TYPE, OBJECT and the like.
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/help.h"

namespace redoubt {

namespace {

// --- DEL, UNLINK, EXISTS, TOUCH, TYPE

void remove_keys(Context& c, bool lazy) {
  int64_t removed = 0;
  c.env().count_work(c.args.size() - 2);
  for (const std::string_view key : c.args.subspan(1)) {
    if (c.peek(key) == nullptr) continue;
    c.keys().erase(c.db_index(), key, c.hash(key), lazy);
    c.modified(key, 'g', "del");
    ++removed;
  }
  c.reply.integer(removed);
}

void del_command(Context& c) {
  remove_keys(c, c.settings().lazyfree_lazy_user_del);
}

void unlink_command(Context& c) {
  remove_keys(c, true);
}

void exists_command(Context& c) {
  int64_t found = 0;
  c.env().count_work(c.args.size() - 2);
  for (const std::string_view key : c.args.subspan(1)) {
    if (c.read_untouched(key) != nullptr) ++found;
  }
  c.reply.integer(found);
}

void touch_command(Context& c) {
  int64_t found = 0;
  c.env().count_work(c.args.size() - 2);
  // Also for a client that said CLIENT NO-TOUCH ON: it asks for just this.
  for (const std::string_view key : c.args.subspan(1)) {
    if (c.keys().read(c.db_index(), key, c.hash(key), true) != nullptr) ++found;
  }
  c.reply.integer(found);
}

void type_command(Context& c) {
  const Entry* entry = c.read_untouched(c.args[1]);
  c.reply.simple(entry == nullptr ? "none" : ops_of(*entry).name);
}

// --- RENAME, RENAMENX, COPY, MOVE

std::optional<int64_t> expiry_of(const Entry& entry) {
  return entry.has_expiry() ? std::optional<int64_t>(entry.expiry_ms()) : std::nullopt;
}

// The type of a key that is about to be written anew.
std::optional<Type> type_of(Context& c, int db, std::string_view key) {
  const Entry* entry = c.keys().database(db).find(key, c.hash(key));
  return entry == nullptr ? std::nullopt : std::optional<Type>(entry->type());
}

// What these commands say last when the destination was there.
void announce_overwritten(Context& c, int db, std::string_view key, std::optional<Type> old) {
  if (!old) return;
  c.keys().feed().announce(db, key, 'o', "overwritten");
  if (type_of(c, db, key) != old) c.keys().feed().announce(db, key, 'c', "type_changed");
}

// A key that is about to be written anew goes, whether it has expired or not.
void make_room(Context& c, int db, std::string_view key) {
  c.keys().erase(db, key, c.hash(key), c.settings().lazyfree_lazy_server_del);
}

void rename_to(Context& c, bool only_new) {
  const std::string_view from = c.args[1];
  const std::string_view to = c.args[2];
  if (c.touch(from) == nullptr) {
    c.error("ERR no such key");
    return;
  }
  if (from != to) {
    if (only_new && c.touch(to) != nullptr) {
      c.reply.integer(0);
      return;
    }
    const std::optional<Type> old = type_of(c, c.db_index(), to);
    make_room(c, c.db_index(), to);
    c.db().rename(from, c.hash(from), to, c.hash(to));
    c.modified(from, 'g', "rename_from");
    c.modified(to, 'g', "rename_to", 0);
    announce_overwritten(c, c.db_index(), to, old);
  }
  if (only_new) {
    c.reply.integer(from != to ? 1 : 0);
  } else {
    c.reply.ok();
  }
}

void rename_command(Context& c) {
  rename_to(c, false);
}

void renamenx_command(Context& c) {
  rename_to(c, true);
}

// The database that an argument names; replies with an error when there is none.
std::optional<int> database_argument(Context& c, size_t index) {
  const std::optional<int> db = int_argument(c, index);
  if (!db || (*db >= 0 && *db < c.keys().count())) return db;
  c.error("ERR DB index is out of range");
  return std::nullopt;
}

struct CopyOptions {
  int db = 0;
  bool replace = false;
};

std::optional<CopyOptions> copy_options(Context& c) {
  CopyOptions options{c.db_index(), false};
  for (size_t i = 3; i < c.args.size(); ++i) {
    if (c.is(i, "replace")) {
      options.replace = true;
    } else if (c.is(i, "db") && i + 1 < c.args.size()) {
      const std::optional<int> db = database_argument(c, ++i);
      if (!db) return std::nullopt;
      options.db = *db;
    } else {
      c.syntax_error();
      return std::nullopt;
    }
  }
  return options;
}

void copy_command(Context& c) {
  const std::optional<CopyOptions> options = copy_options(c);
  if (!options) return;
  const std::string_view from = c.args[1];
  const std::string_view to = c.args[2];
  const int db = options->db;
  if (db == c.db_index() && from == to) {
    c.error("ERR source and destination objects are the same");
    return;
  }
  if (c.read(from) == nullptr || (c.touch_in(db, to) != nullptr && !options->replace)) {
    c.reply.integer(0);
    return;
  }
  const std::optional<Type> old = type_of(c, db, to);
  make_room(c, db, to);
  const Entry* source = c.db().find(from, c.hash(from));
  c.keys().database(db).insert_copy(*source, to, c.hash(to), expiry_of(*source));
  c.modified_in(db, to, 'g', "copy_to");
  announce_overwritten(c, db, to, old);
  c.reply.integer(1);
}

void move_command(Context& c) {
  const std::optional<int> db = database_argument(c, 2);
  if (!db) return;
  if (*db == c.db_index()) {
    c.error("ERR source and destination objects are the same");
    return;
  }
  const std::string_view key = c.args[1];
  const uint64_t hash = c.hash(key);
  if (c.touch(key) == nullptr || c.touch_in(*db, key) != nullptr) {
    c.reply.integer(0);
    return;
  }
  make_room(c, *db, key);
  // Each database has an allocator of its own, so the value is copied.
  const Entry* source = c.db().find(key, hash);
  Database& target = c.keys().database(*db);
  target.insert_copy(*source, key, hash, expiry_of(*source));
  target.find(key, hash)->set_fine_access(source->fine_access());
  c.keys().erase(c.db_index(), key, hash, c.settings().lazyfree_lazy_server_del);
  c.modified(key, 'g', "move_from");
  c.modified_in(*db, key, 'g', "move_to", 0);
  c.reply.integer(1);
}

// --- RANDOMKEY

void randomkey_command(Context& c) {
  // Expired keys that are met are removed, so this ends by itself; but a client should not wait for
  // a million of them.
  constexpr int kTriesMax = 1000;
  for (int tries = 0; tries < kTriesMax && c.db().size() > 0; ++tries) {
    const Entry* entry = c.db().dict().random_entry(c.random());
    if (!c.keys().expired(*entry)) {
      c.reply.bulk(entry->key());
      return;
    }
    const std::string key(entry->key());
    c.env().count_work(1);
    c.keys().removal().expire_key(c.db_index(), key, c.hash(key));
  }
  c.reply.null();
}

// --- OBJECT

bool is_lfu(EvictionPolicy policy) {
  return policy == EvictionPolicy::allkeys_lfu || policy == EvictionPolicy::volatile_lfu;
}

// The entry, or null after a null reply.
const Entry* object_of(Context& c) {
  const Entry* entry = c.peek(c.args[2]);  // a miss is counted, but is no event
  ++(entry != nullptr ? c.stats().keyspace_hits : c.stats().keyspace_misses);
  if (entry == nullptr) c.reply.null();
  return entry;
}

void object_encoding_command(Context& c) {
  if (const Entry* entry = object_of(c)) c.reply.bulk(encoding_name(entry->encoding()));
}

void object_freq_command(Context& c) {
  const Entry* entry = object_of(c);
  if (entry == nullptr) return;
  if (!is_lfu(c.settings().maxmemory_policy)) {
    c.error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
        "that when switching between policies at runtime LRU and LFU data will take some time to "
        "adjust.");
    return;
  }
  c.reply.integer(c.keys().clock().frequency(*entry));
}

void object_idletime_command(Context& c) {
  const Entry* entry = object_of(c);
  if (entry == nullptr) return;
  if (is_lfu(c.settings().maxmemory_policy)) {
    c.error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
        "switching between policies at runtime LRU and LFU data will take some time to adjust.");
    return;
  }
  c.reply.integer(c.keys().clock().idle_ms(*entry) / 1000);
}

void object_refcount_command(Context& c) {
  if (object_of(c) != nullptr) c.reply.integer(1);  // no value is shared
}

void object_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
  };
  reply_help(c, lines);
}

// What the subcommands that look at a key have in common.
constexpr Command object_look(Command row) {
  row.arity = 3;
  row.flags = kReadOnly;
  row.categories = kCatKeyspace;
  row.keys = {keys_at(kKeyRO, 2)};
  row.group = "generic";
  row.complexity = "O(1)";
  row.tips = "nondeterministic_output";
  row.arguments = "key:key";
  return row;
}

constexpr Command object_subcommands[] = {
    object_look({.name = "encoding",
                 .since = "2.2.3",
                 .summary = "Inspect the internal encoding of a Redis object",
                 .handler = object_encoding_command}),
    object_look({.name = "freq",
                 .since = "4.0.0",
                 .summary = "Get the logarithmic access frequency counter of a Redis object",
                 .handler = object_freq_command}),
    help_row({.categories = kCatKeyspace,
              .since = "6.2.0",
              .group = "generic",
              .handler = object_help_command}),
    object_look({.name = "idletime",
                 .since = "2.2.3",
                 .summary = "Get the time since a Redis object was last accessed",
                 .handler = object_idletime_command}),
    object_look({.name = "refcount",
                 .since = "2.2.3",
                 .summary = "Get the number of references to the value of the key",
                 .handler = object_refcount_command}),
};

constexpr std::string_view kSumOfShards = "request_policy:multi_shard response_policy:agg_sum";

constexpr Command generic_rows[] = {
    {.name = "copy",
     .arity = -3,
     .flags = kWrite | kDenyOom | kOtherDatabases,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1), keys_at(kKeyOW | kKeyUpdate, 2)},
     .since = "6.2.0",
     .group = "generic",
     .complexity =
         "O(N) worst case for collections, where N is the number of nested items. O(1) for string "
         "values.",
     .summary = "Copy a key",
     .arguments = "source:key destination:key#1 [destination-db:integer(DB)] [replace(REPLACE)]",
     .handler = copy_command},
    {.name = "del",
     .arity = -2,
     .flags = kWrite,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRM | kKeyDelete, 1, -1)},
     .since = "1.0.0",
     .group = "generic",
     .complexity =
         "O(N) where N is the number of keys that will be removed. When a key to remove holds a "
         "value other than a string, the individual complexity for this key is O(M) where M is the "
         "number of elements in the list, set, sorted set or hash. Removing a single key that "
         "holds a string value is O(1).",
     .summary = "Delete a key",
     .tips = kSumOfShards,
     .arguments = "key:key...",
     .handler = del_command},
    {.name = "exists",
     .arity = -2,
     .flags = kReadOnly | kFast,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRO, 1, -1)},
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N) where N is the number of keys to check.",
     .summary = "Determine if a key exists",
     .tips = kSumOfShards,
     .arguments = "key:key...",
     .history = "3.0.3: Accepts multiple `key` arguments.",
     .handler = exists_command},
    {.name = "move",
     .arity = 3,
     .flags = kWrite | kFast | kOtherDatabases,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Move a key to another database",
     .arguments = "key:key db:integer",
     .handler = move_command},
    {.name = "object",
     .arity = -2,
     .since = "2.2.3",
     .group = "generic",
     .complexity = "Depends on subcommand.",
     .summary = "A container for object introspection commands",
     .subcommands = object_subcommands},
    {.name = "randomkey",
     .arity = 1,
     .flags = kReadOnly,
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Return a random key from the keyspace",
     .tips = "request_policy:all_shards nondeterministic_output",
     .handler = randomkey_command},
    {.name = "rename",
     .arity = 3,
     .flags = kWrite,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1), keys_at(kKeyOW | kKeyUpdate, 2)},
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Rename a key",
     .arguments = "key:key newkey:key#1",
     .handler = rename_command},
    {.name = "renamenx",
     .arity = 3,
     .flags = kWrite | kFast,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1), keys_at(kKeyOW | kKeyInsert, 2)},
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Rename a key, only if the new key does not exist",
     .arguments = "key:key newkey:key#1",
     .history =
         "3.2.0: The command no longer returns an error when source and destination names are the "
         "same.",
     .handler = renamenx_command},
    {.name = "touch",
     .arity = -2,
     .flags = kReadOnly | kFast,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRO, 1, -1)},
     .since = "3.2.1",
     .group = "generic",
     .complexity = "O(N) where N is the number of keys that will be touched.",
     .summary =
         "Alters the last access time of a key(s). Returns the number of existing keys specified.",
     .tips = kSumOfShards,
     .arguments = "key:key...",
     .handler = touch_command},
    {.name = "type",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Determine the type stored at key",
     .arguments = "key:key",
     .handler = type_command},
    {.name = "unlink",
     .arity = -2,
     .flags = kWrite | kFast,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRM | kKeyDelete, 1, -1)},
     .since = "4.0.0",
     .group = "generic",
     .complexity =
         "O(1) for each key removed regardless of its size. Then the command does O(N) work in a "
         "different thread in order to reclaim memory, where N is the number of allocations the "
         "deleted objects where composed of.",
     .summary =
         "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non "
         "blocking.",
     .tips = kSumOfShards,
     .arguments = "key:key...",
     .handler = unlink_command},
};

}  // namespace

std::span<const Command> generic_commands() {
  return generic_rows;
}

}  // namespace redoubt
