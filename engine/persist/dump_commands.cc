#include "engine/persist/dump_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "engine/dispatch/context.h"
#include "engine/persist/migration.h"
#include "engine/persist/persist.h"
#include "engine/persist/rdb/payload.h"
#include "engine/persist/snapshots/snapshot_loader.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

void dump_command(Context& c) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.read(key);
  if (entry == nullptr) {
    c.reply.null();
    return;
  }
  const PersistSettings& settings = c.part<Persistence>().settings();
  const std::optional<std::string> payload = dump_payload(*entry, settings.rdb_compression);
  ASSERT(payload);  // some form holds every value
  c.env().count_work(payload->size() >> 6);
  c.reply.bulk(*payload);
}

// --- RESTORE

namespace {

struct RestoreOptions {
  bool replace = false;
  bool absolute = false;
  std::optional<int64_t> idle_s;
  std::optional<int64_t> frequency;
  int64_t ttl_ms = 0;
};

// Nothing, after an error reply, when they make no sense.
std::optional<RestoreOptions> restore_options(Context& c) {
  RestoreOptions options;
  for (size_t i = 4; i < c.args.size(); ++i) {
    const bool has_value = i + 1 < c.args.size();
    if (c.is(i, "replace")) {
      options.replace = true;
    } else if (c.is(i, "absttl")) {
      options.absolute = true;
    } else if (c.is(i, "idletime") && has_value && !options.frequency) {
      options.idle_s = c.integer(++i);
      if (!options.idle_s) return std::nullopt;
      if (*options.idle_s < 0) {
        c.error("ERR Invalid IDLETIME value, must be >= 0");
        return std::nullopt;
      }
    } else if (c.is(i, "freq") && has_value && !options.idle_s) {
      options.frequency = c.integer(++i);
      if (!options.frequency) return std::nullopt;
      if (*options.frequency < 0 || *options.frequency > 255) {
        c.error("ERR Invalid FREQ value, must be >= 0 and <= 255");
        return std::nullopt;
      }
    } else {
      c.syntax_error();
      return std::nullopt;
    }
  }
  return options;
}

void set_use(Context& c, const Entry& entry, const RestoreOptions& options) {
  const AccessClock& clock = c.keys().clock();
  if (options.idle_s && !clock.counts_uses()) {
    clock.set_idle(entry, static_cast<uint64_t>(*options.idle_s));
  }
  if (options.frequency && clock.counts_uses()) {
    clock.set_frequency(entry, static_cast<uint8_t>(*options.frequency));
  }
}

// The key that was there goes; its deadline was in the past already. True: the reply was given.
bool leave_nothing(Context& c, std::string_view key, bool existed) {
  if (existed) {
    const bool lazy = c.settings().lazyfree_lazy_server_del;
    c.keys().erase(c.db_index(), key, c.hash(key), lazy);
    c.modified(key, 'g', "del");
    c.effect({lazy ? "UNLINK" : "DEL", key});
  }
  c.reply.ok();
  return true;
}

}  // namespace

// RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ counter].
void restore_command(Context& c) {
  std::optional<RestoreOptions> options = restore_options(c);
  if (!options) return;
  const std::string_view key = c.args[1];
  const bool existed = c.touch(key) != nullptr;
  if (existed && !options->replace) {
    c.error("BUSYKEY Target key name already exists.");
    return;
  }
  const std::optional<int64_t> ttl = c.integer(2);
  if (!ttl) return;
  if (*ttl < 0) {
    c.error("ERR Invalid TTL value, must be >= 0");
    return;
  }
  int64_t deadline_ms = *ttl;
  if (*ttl > 0 && !options->absolute && __builtin_add_overflow(*ttl, c.now_ms(), &deadline_ms)) {
    c.error("ERR Invalid TTL value, must be >= 0");
    return;
  }
  const std::string_view payload = c.args[3];
  Restored restored = restore_payload(payload, {.allocator = c.db().allocator(),
                                                .hash_key = c.hash_key(),
                                                .limits = rdb_limits(c.settings())});
  c.env().count_work(payload.size() >> 6);
  switch (restored.end) {
    case RestoreEnd::wrong_checksum:
      c.error("ERR DUMP payload version or checksum are wrong");
      return;
    case RestoreEnd::bad_format: c.error("ERR Bad data format"); return;
    case RestoreEnd::restored: break;
  }
  if (*ttl > 0 && deadline_ms < c.past_ms()) {
    leave_nothing(c, key, existed);
    return;
  }
  restored.value.store(c.db(), key, c.hash(key),
                       *ttl > 0 ? NewExpiry::at(deadline_ms) : NewExpiry::none());
  const Entry* entry = c.db().find(key, c.hash(key));
  ASSERT(entry != nullptr);
  set_use(c, *entry, *options);
  c.modified(key, 'g', "restore");
  c.effect({"RESTORE", key, IntegerText(*ttl > 0 ? deadline_ms : 0).view(), payload, "REPLACE",
            "ABSTTL"});
  c.reply.ok();
}

// --- MIGRATE

bool find_migrated_keys(std::span<const std::string_view> args, std::vector<int>& indexes) {
  if (!args[3].empty()) {
    indexes.push_back(3);
    return true;
  }
  for (size_t i = 6; i < args.size(); ++i) {
    if (!equal_ignoring_case(args[i], "KEYS")) continue;
    for (size_t key = i + 1; key < args.size(); ++key) indexes.push_back(static_cast<int>(key));
    return true;
  }
  return false;
}

void migrate_command(Context& c) {
  begin_migration(c);
}

}  // namespace redoubt
