// DEBUG: for tests and for those who look inside. Off by default: enable-debug-command.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/clients/session.h"
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/server/local_client.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"
#include "engine/persist/persist.h"
#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/listpack.h"
#include "engine/store/number.h"
#include "engine/store/set_type.h"
#include "engine/store/string_type.h"
#include "engine/store/zset.h"
#include "net/text.h"

namespace redoubt {

namespace {

bool allowed(const Context& c) {
  return permits(c.settings().debug_command, is_local(c.session));
}

// Bytes of the value in an RDB file without compression, as "serializedlength" tells; for other
// types than strings the bytes that it takes in memory.
size_t serialized_length(const Entry& entry) {
  if (entry.type() != Type::string) return ops_of(entry).outside_bytes(entry);
  if (const std::optional<int64_t> value = string_integer(entry)) {
    const auto fits = [&](int64_t bits) {
      return *value >= -(int64_t{1} << (bits - 1)) && *value < int64_t{1} << (bits - 1);
    };
    if (fits(8)) return 2;
    if (fits(16)) return 3;
    if (fits(32)) return 5;
  }
  const size_t size = string_length(entry);
  return size + (size < 64 ? 1 : size < 16384 ? 2 : 5);
}

// Without the address that Redis shows: the same run answers the same anywhere.
void debug_object(Context& c) {
  const Entry* entry = c.db().find(c.args[2], c.hash(c.args[2]));
  if (entry == nullptr) {
    c.error("ERR no such key");
    return;
  }
  std::string line = fmt::format(
      "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
      encoding_name(entry->encoding()), serialized_length(*entry), entry->access(),
      c.keys().clock().idle_ms(*entry) / 1000);
  if (entry->encoding() == Encoding::quicklist) {
    const Quicklist& list = *static_cast<const Quicklist*>(entry->outside());
    const double average = static_cast<double>(list.count) / static_cast<double>(list.node_count);
    line += fmt::format(
        " ql_nodes:{} ql_avg_node:{} ql_listpack_max:{} ql_compressed:0 ql_uncompressed_size:{}",
        list.node_count, FixedText(average, 2).view(), c.settings().list_max_listpack_size,
        list.counted_bytes);
  }
  c.reply.simple(line);
}

// --- tables and blocks

std::string table_text(std::string_view name, size_t slots, size_t elements, size_t bytes) {
  if (elements == 0) return "No stats available for empty dictionaries\n";
  return fmt::format(
      "Hash table 0 stats ({}):\n table size: {}\n number of elements: {}\n bytes of the table: "
      "{}\n",
      name, slots, elements, bytes);
}

void debug_htstats(Context& c) {
  const std::optional<int64_t> index = c.integer(2);
  if (!index) return;
  if (*index < 0 || *index >= c.keys().count()) {
    c.error("ERR Out of range database");
    return;
  }
  const Dict& dict = c.keys().database(static_cast<int>(*index)).dict();
  std::string text = "[Dictionary HT]\n";
  text += table_text("main hash table", dict.slot_count(), dict.size(), dict.table_bytes());
  if (dict.size() > 0) {
    c.env().count_work(dict.slot_count() / 16);
    text += fmt::format(" buckets that have overflowed: {}\n", dict.overflowed_buckets());
  }
  // Deadlines stand in the entries of the main table.
  text += "[Expires HT]\n";
  text += dict.expiring() == 0 ? "No stats available for empty dictionaries\n"
                               : fmt::format(" number of elements: {}\n", dict.expiring());
  c.reply.verbatim("txt", text);
}

// The table of a value; null when its encoding has none.
const MemberBlocks* table_of(const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::hashtable:
      if (entry.type() == Type::hash) return &HashView(entry).table().fields;
      return &SetView(entry).table();
    case Encoding::expiring_hashtable: return &SetView(entry).table();
    case Encoding::skiplist: return &ZsetView(entry).skiplist().members;
    default: return nullptr;
  }
}

// The entry of a key; null, after an error, when there is none.
const Entry* existing(Context& c) {
  const Entry* entry = c.peek(c.args[2]);
  if (entry == nullptr) c.error("ERR no such key");
  return entry;
}

void debug_htstats_key(Context& c) {
  const Entry* entry = existing(c);
  if (entry == nullptr) return;
  const MemberBlocks* table = table_of(*entry);
  if (table == nullptr) {
    c.error("ERR The value stored at the specified key is not represented using an hash table");
    return;
  }
  c.env().count_work(table->size() / 16);
  c.reply.verbatim("txt", table_text("main hash table", table->slot_count(), table->size(),
                                     table->table_bytes()));
}

void debug_listpack(Context& c) {
  const Entry* entry = existing(c);
  if (entry == nullptr) return;
  const uint8_t* block = nullptr;
  if (entry->encoding() == Encoding::listpack) {
    block = static_cast<const uint8_t*>(entry->outside());
  } else if (entry->encoding() == Encoding::listpackex) {
    block = HashView(*entry).block();
  }
  if (block == nullptr) {
    c.error("ERR Not a listpack encoded object.");
    return;
  }
  c.reply.simple(fmt::format("Listpack of {} elements in {} bytes", Listpack::count(block),
                             Listpack::bytes(block)));
}

// --- for those who write clients

// The text as an error reply: whole, with whatever code it begins with.
void debug_error(Context& c) {
  c.error(c.args[2]);
}

void debug_log(Context& c) {
  c.node().log(LogLevel::warning, fmt::format("DEBUG LOG: {}", c.args[2]));
  c.reply.ok();
}

// Whether a text matches a glob pattern, as KEYS has them.
void debug_stringmatch_len(Context& c) {
  c.reply.integer(glob_matches(c.args[2], c.args[3]) ? 1 : 0);
}

void debug_sleep(Context& c) {
  constexpr double kLongest = 24 * 3600;
  // A line that ended in two carriage returns leaves one behind the number.
  std::string_view text = c.args[2];
  while (text.ends_with('\r') || text.ends_with(' ')) text.remove_suffix(1);
  const std::optional<double> seconds = parse_double(text);
  if (!seconds) {
    c.error("ERR value is not a valid float");
    return;
  }
  const double bounded = std::clamp(*seconds, 0.0, kLongest);
  c.env().backend().stall(Duration::microseconds(static_cast<int64_t>(bounded * 1e6)));
  c.reply.ok();
}

void debug_set_active_expire(Context& c) {
  const std::optional<int64_t> on = c.integer(2);
  if (!on) return;
  c.node().upkeep().set_active_expiry(*on != 0);
  c.reply.ok();
}

void debug_populate(Context& c) {
  constexpr int64_t kKeysMax = 100'000'000;
  constexpr int64_t kBytesMax = int64_t{64} << 30;
  const auto positive = [&](size_t index, int64_t largest) -> std::optional<int64_t> {
    const std::optional<int64_t> value = parse_integer(c.args[index]);
    if (value && *value >= 0 && *value <= largest) return value;
    c.error(value && *value > largest ? "ERR value is out of range"
                                      : "ERR value is out of range, must be positive");
    return std::nullopt;
  };
  const std::optional<int64_t> count = positive(2, kKeysMax);
  if (!count) return;
  const std::string_view prefix = c.args.size() > 3 ? c.args[3] : "key";
  std::optional<int64_t> size = 0;
  if (c.args.size() > 4) {
    size = positive(4, static_cast<int64_t>(c.settings().proto_max_bulk_len));
    if (!size) return;
  }
  if ((*size + static_cast<int64_t>(prefix.size())) > kBytesMax / std::max<int64_t>(*count, 1)) {
    c.error("ERR value is out of range");
    return;
  }
  c.env().count_work(static_cast<uint64_t>(*count));
  for (int64_t i = 0; i < *count; ++i) {
    const std::string key = fmt::format("{}:{}", prefix, i);
    std::string value = fmt::format("value:{}", i);
    if (*size > 0) value.resize(static_cast<size_t>(*size), '\0');
    if (c.peek(key) != nullptr) continue;
    c.db().set_string(key, c.hash(key), value, NewExpiry::none());
    c.modified(key, '$', "set");
    c.effect({"SET", key, value});
  }
  c.reply.ok();
}

// --- DIGEST

void debug_digest(Context& c) {
  Digest digest;
  for (int i = 0; i < c.keys().count(); ++i) {
    c.keys().database(i).digest(digest, i);
    c.env().count_work(c.keys().database(i).size());
  }
  c.reply.simple(digest.hex());
}

void debug_digest_value(Context& c) {
  c.reply.array(c.args.size() - 2);
  for (const std::string_view key : c.args.subspan(2)) {
    Digest digest;
    if (const Entry* entry = c.db().find(key, c.hash(key))) {
      digest_entry(*entry, digest);
      digest.end_element();
    }
    c.reply.simple(digest.hex());
  }
}

// --- PROTOCOL: a reply of each type, for those who write clients

void protocol_array(ReplyWriter& reply) {
  reply.array(3);
  for (int i = 0; i < 3; ++i) reply.integer(i);
}

void protocol_set(ReplyWriter& reply) {
  reply.set(3);
  for (int i = 0; i < 3; ++i) reply.integer(i);
}

void protocol_map(ReplyWriter& reply) {
  reply.map(3);
  for (int i = 0; i < 3; ++i) {
    reply.integer(i);
    reply.boolean(i == 1);
  }
}

void protocol_attribute(ReplyWriter& reply) {
  if (reply.resp3()) {
    reply.attribute(1);
    reply.bulk("key-popularity");
    reply.array(2);
    reply.bulk("key:123");
    reply.integer(90);
  }
  reply.bulk("Some real reply following the attribute");
}

void protocol_push(ReplyWriter& reply) {
  reply.push(2);
  reply.bulk("server-cpu-usage");
  reply.integer(42);
}

struct ProtocolType {
  std::string_view name;
  void (*write)(ReplyWriter&);
};

constexpr ProtocolType kProtocolTypes[] = {
    {"string", [](ReplyWriter& reply) { reply.bulk("Hello World"); }},
    {"integer", [](ReplyWriter& reply) { reply.integer(12345); }},
    {"double", [](ReplyWriter& reply) { reply.real(3.141); }},
    {"bignum",
     [](ReplyWriter& reply) { reply.big_number("1234567999999999999999999999999999999"); }},
    {"null", [](ReplyWriter& reply) { reply.null(); }},
    {"array", protocol_array},
    {"set", protocol_set},
    {"map", protocol_map},
    {"attrib", protocol_attribute},
    {"push", protocol_push},
    {"verbatim", [](ReplyWriter& reply) { reply.verbatim("txt", "This is a verbatim\nstring"); }},
    {"true", [](ReplyWriter& reply) { reply.boolean(true); }},
    {"false", [](ReplyWriter& reply) { reply.boolean(false); }},
};

void debug_protocol(Context& c) {
  for (const ProtocolType& type : kProtocolTypes) {
    if (c.is(2, type.name)) {
      type.write(c.reply);
      return;
    }
  }
  c.error(
      "ERR Wrong protocol type name. Please use one of the following: "
      "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

void debug_help(Context& c) {
  constexpr std::string_view lines[] = {
      "DIGEST",
      "    Return a hexadecimal digest of all data.",
      "DIGEST-VALUE <key> [<key> ...]",
      "    Return a hexadecimal digest of the value of each key.",
      "ERROR <string>",
      "    Reply with <string> as an error.",
      "HTSTATS <dbid>",
      "    Show the size of the table of a database.",
      "HTSTATS-KEY <key>",
      "    The same for the table of a large hash, set or sorted set.",
      "LISTPACK <key>",
      "    Show the size of the listpack of a small value.",
      "LOADAOF",
      "    Complete the AOF, remove all keys and load it.",
      "LOG <message>",
      "    Write <message> to the log.",
      "OBJECT <key>",
      "    Show how the value of the key is stored.",
      "POPULATE <count> [<prefix>] [<size>]",
      "    Create <count> strings named <prefix>:<number> ('key' without a prefix). Values are",
      "    'value:<number>', filled up with zero bytes or cut to <size>.",
      "PROTOCOL <type>",
      "    Reply with a value of the type: string, integer, double, bignum, null, array, set,",
      "    map, attrib, push, verbatim, true, false.",
      "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
      "    Save the RDB file, remove all keys and load it. NOSAVE: load the file that is there;",
      "    NOFLUSH: remove nothing before; MERGE: keys of the file replace those that are there.",
      "SET-ACTIVE-EXPIRE <0|1>",
      "    With 0, expired keys are only removed when somebody asks for them.",
      "SLEEP <seconds>",
      "    Stop the server for <seconds>. Decimals allowed.",
      "STRINGMATCH-LEN <pattern> <string>",
      "    Return 1 if the string matches the glob-style pattern, else 0.",
  };
  reply_help(c, lines);
}

// --- loading again

void reload(Context& c, const Persistence::Reload& what) {
  Persistence& persistence = c.part<Persistence>();
  if (persistence.reloading() || persistence.saver().saving() || persistence.aof().rewriting()) {
    c.error("ERR A save, a rewrite or another reload is in progress");
    return;
  }
  if (!c.dispatcher().may_block(c.session)) {
    c.error("ERR DEBUG RELOAD and LOADAOF are not possible in a transaction");
    return;
  }
  const DeferredReply reply = c.defer();
  persistence.reload(what, [&dispatcher = c.dispatcher(), reply](std::string_view error) {
    dispatcher.finish_deferred(
        reply, error.empty() ? std::string() : fmt::format("ERR Error trying to load: {}", error),
        true);
  });
}

void debug_reload(Context& c) {
  Persistence::Reload what;
  for (size_t i = 2; i < c.args.size(); ++i) {
    if (c.is(i, "nosave")) {
      what.save = false;
    } else if (c.is(i, "noflush")) {
      what.flush = false;
    } else if (c.is(i, "merge")) {
      what.merge = true;
    } else {
      c.error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
      return;
    }
  }
  reload(c, what);
}

void debug_loadaof(Context& c) {
  if (c.part<Persistence>().aof().state() != Aof::State::on) {
    c.error("ERR DEBUG LOADAOF needs appendonly to be on");
    return;
  }
  reload(c, {.from_aof = true});
}

struct Subcommand {
  std::string_view name;
  size_t fewest;  // arguments, with DEBUG and its own name
  size_t most;
  void (*run)(Context&);
};

constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

constexpr Subcommand kSubcommands[] = {
    {"digest", 2, 2, debug_digest},     {"digest-value", 2, kAnyNumber, debug_digest_value},
    {"error", 3, 3, debug_error},       {"help", 2, 2, debug_help},
    {"htstats", 3, 3, debug_htstats},   {"htstats-key", 3, 3, debug_htstats_key},
    {"listpack", 3, 3, debug_listpack}, {"log", 3, 3, debug_log},
    {"loadaof", 2, 2, debug_loadaof},   {"object", 3, 3, debug_object},
    {"populate", 3, 5, debug_populate}, {"protocol", 3, 3, debug_protocol},
    {"reload", 2, 5, debug_reload},     {"set-active-expire", 3, 3, debug_set_active_expire},
    {"sleep", 3, 3, debug_sleep},       {"stringmatch-len", 4, 4, debug_stringmatch_len},
};

// What Redis has beside these, and why it is not here.
struct Refusal {
  std::string_view name;
  std::string_view why;
};
constexpr std::string_view kNoCrash = "a client does not end the server";
constexpr std::string_view kNoReplicas = "there are no replicas";
constexpr std::string_view kNoCluster = "there is no cluster";
constexpr std::string_view kOtherInside = "the server is built otherwise inside";

constexpr Refusal kRefused[] = {
    {"aof-flush-sleep", kOtherInside},
    {"assert", kNoCrash},
    {"change-repl-id", kNoReplicas},
    {"client-eviction", kOtherInside},
    {"clusterlink", kNoCluster},
    {"config-rewrite-force-all", "CONFIG REWRITE writes what differs from the defaults"},
    {"crash-and-recover", kNoCrash},
    {"dict-resizing", kOtherInside},
    {"drop-cluster-packet-filter", kNoCluster},
    {"leak", "memory is not lost on purpose"},
    {"mallctl", "MEMORY MALLOC-STATS shows what the allocator counts"},
    {"mallctl-str", "MEMORY MALLOC-STATS shows what the allocator counts"},
    {"oom", kNoCrash},
    {"panic", kNoCrash},
    {"pause-cron", kOtherInside},
    {"quicklist", "DEBUG OBJECT shows the size of a list"},
    {"quicklist-packed-threshold", kOtherInside},
    {"replicate", kNoReplicas},
    {"replybuffer", kOtherInside},
    {"restart", kNoCrash},
    {"sdslen", "MEMORY USAGE shows the size of a value"},
    {"segfault", kNoCrash},
    {"set-disable-deny-scripts", "there are no scripts"},
    {"set-skip-checksum-validation", "checksums are always verified"},
    {"stringmatch-test", kOtherInside},
    {"structsize", kOtherInside},
};

void debug_command(Context& c) {
  if (!allowed(c)) {
    c.error(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
        "you can run it from a local connection, otherwise you need to set this option in the "
        "configuration file, and then restart the server.");
    return;
  }
  for (const Subcommand& sub : kSubcommands) {
    if (c.is(1, sub.name) && c.args.size() >= sub.fewest && c.args.size() <= sub.most) {
      sub.run(c);
      return;
    }
  }
  for (const Refusal& refusal : kRefused) {
    if (!c.is(1, refusal.name)) continue;
    c.error(fmt::format("ERR DEBUG {} is not supported: {}", to_upper(refusal.name), refusal.why));
    return;
  }
  c.error(fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
                      c.args[1].substr(0, kShownArgument), to_upper(c.args[0])));
}

constexpr Command debug_rows[] = {
    {.name = "debug",
     .arity = -2,
     .flags = kAdmin | kNoScript | kLoading | kStale | kSystemCommand,
     .since = "1.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for debugging commands",
     .handler = debug_command},
};

}  // namespace

std::span<const Command> debug_commands() {
  return debug_rows;
}

}  // namespace redoubt
