// The directives of persistence.
#include <array>

#include "engine/config/directive.h"
#include "engine/persist/persist.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

using namespace directive;

void keep_save_points(Settings& settings, const DirectiveValue& value) {
  std::vector<SavePoint>& points = settings.part<PersistSettings>().save_points;
  points.clear();
  for (size_t i = 0; i + 1 < value.words.size(); i += 2) {
    const int64_t changes = parse_integer(value.words[i + 1]).value_or(0);
    points.push_back({parse_integer(value.words[i]).value_or(0), static_cast<uint64_t>(changes)});
  }
}

bool parse_until(const Directive& /*row*/, std::string_view /*current*/,
                 std::span<const std::string> words, DirectiveValue* value,
                 DirectiveProblem* problem) {
  value->text = words.empty() ? std::string() : words[0];
  *problem = {"argument must be a Unix time in seconds or offset:<number>",
              "a Unix time in seconds, or offset:NUMBER"};
  return value->text.empty() || parse_load_end(value->text).has_value();
}

constexpr std::string_view kNoChild = "a snapshot is written by the node itself, in small steps";
constexpr std::string_view kAlwaysChecked = "what is loaded or restored is always checked whole";

}  // namespace

constexpr std::array<Directive, kPersistDirectiveCount> kPersistDirectives = {
    // snapshots
    list("save", "3600 1 300 100 60 10000", parse_save).adding_up().sets(keep_save_points),
    file_name("dbfilename", "dump.rdb").guarded().sets(store<&PersistSettings::dbfilename>),
    boolean("rdbcompression", "yes").sets(store<&PersistSettings::rdb_compression>),
    boolean("rdbchecksum", "yes").immutable().sets(store<&PersistSettings::rdb_checksum>),
    choice("rdb-version", "auto", "auto|10|11|12|80").sets(store<&PersistSettings::rdb_version>),
    boolean("rdb-del-sync-files", "no").sets(store<&PersistSettings::rdb_del_sync_files>),
    boolean("rdb-save-incremental-fsync", "yes")
        .harmless("a snapshot always reaches the medium piece by piece"),
    integer("rdb-key-save-delay", "0", -kMaxInt - 1, kMaxInt).hidden().harmless(kNoChild),
    integer("key-load-delay", "0", -kMaxInt - 1, kMaxInt)
        .hidden()
        .harmless("loading goes on in small steps"),
    memory("loading-process-events-interval-bytes", "2097152", 1024, kMaxInt)
        .hidden()
        .harmless("clients are answered between any two pieces that are loaded"),
    boolean("stop-writes-on-bgsave-error", "yes")
        .sets(store<&PersistSettings::stop_writes_on_save_error>),
    choice("sanitize-dump-payload", "no", "no|yes|clients").harmless(kAlwaysChecked),
    choice("rdb-unknown-modules", "refuse", "skip|refuse")
        .sets(store<&PersistSettings::refuse_unknown_modules>),

    // the append-only log
    boolean("appendonly", "no").sets(store<&PersistSettings::append_only>),
    choice("appendfsync", "everysec", "everysec|always|no")
        .sets(store<&PersistSettings::append_fsync>),
    file_name("appendfilename", "appendonly.aof")
        .immutable()
        .sets(store<&PersistSettings::append_file_name>),
    file_name("appenddirname", "appendonlydir")
        .immutable()
        .sets(store<&PersistSettings::append_directory>),
    boolean("no-appendfsync-on-rewrite", "no").sets(store<&PersistSettings::no_fsync_on_rewrite>),
    integer("auto-aof-rewrite-percentage", "100", 0, kMaxInt)
        .sets(store<&PersistSettings::rewrite_percentage>),
    memory("auto-aof-rewrite-min-size", "67108864").sets(store<&PersistSettings::rewrite_size_min>),
    boolean("aof-load-truncated", "yes").sets(store<&PersistSettings::load_truncated>),
    memory("aof-load-corrupt-tail-max-size", "0").sets(store<&PersistSettings::corrupt_tail_max>),
    boolean("aof-use-rdb-preamble", "yes")
        .only("yes", "a base is always an RDB file; a base of commands is read"),
    boolean("aof-timestamp-enabled", "no").sets(store<&PersistSettings::timestamps>),
    boolean("aof-rewrite-incremental-fsync", "yes")
        .harmless("a base always reaches the medium piece by piece"),
    boolean("aof-disable-auto-gc", "no").sets(store<&PersistSettings::keep_history_files>),
    text("aof-until", "", parse_until)
        .immutable()
        .hidden()
        .sets(store<&PersistSettings::load_until>),
};

}  // namespace redoubt
