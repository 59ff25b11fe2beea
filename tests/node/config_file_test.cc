// Configuration files and the command line.
#include <gtest/gtest.h>

#include <map>

#include "engine/command/command_table.h"
#include "engine/config/config.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "tests/node/whole_config.h"

namespace redoubt {
namespace {

// Files that `include` finds.
struct Files {
  std::map<std::string, std::string> texts;
  int reads = 0;

  ReadFile reader() {
    return [this](const std::string& path, std::string* text, std::string* why) {
      ++reads;
      const auto found = texts.find(path);
      if (found == texts.end()) {
        *why = "no such file or directory";
        return false;
      }
      *text = found->second;
      return true;
    };
  }
};

// The error of reading this text as /etc/r.conf; empty when there is none.
std::string error_of(std::string_view text, Files files = {}) {
  WholeConfig config;
  std::string error;
  const bool good = config.parse_file("/etc/r.conf", text, files.reader(), &error);
  EXPECT_EQ(good, error.empty());
  return error;
}

std::string error_of_arguments(const std::vector<std::string>& arguments) {
  WholeConfig config;
  std::string error;
  const bool good = config.parse_arguments(arguments, &error);
  EXPECT_EQ(good, error.empty());
  return error;
}

std::string value_of(const Config& config, std::string_view name) {
  const std::string_view patterns[] = {name};
  const auto found = config.get(patterns);
  EXPECT_EQ(found.size(), 1u) << name;
  return found.empty() ? std::string() : found[0].second;
}

TEST(ConfigFile, ReadsWhatRedisConfHas) {
  WholeConfig config;
  std::string error;
  Files files;
  ASSERT_TRUE(config.parse_file("r.conf",
                                "# a comment\n"
                                "\n"
                                "   # another\r\n"
                                "PORT 7000\r\n"
                                "bind 10.0.0.1 -::1\n"
                                "maxmemory 100mb\n"
                                "maxmemory-policy Allkeys-LRU\n"
                                "requirepass \"a \\\"b\\\" \\x41\"\n"
                                "client-output-buffer-limit replica 1mb 512kb 30\n"
                                "client-output-buffer-limit normal 1k 0 0 pubsub 0 0 5\n"
                                "unixsocketperm 0700\n"
                                "timeout 5\n"
                                "timeout 6",
                                files.reader(), &error))
      << error;
  const Settings& s = config.settings();
  EXPECT_EQ(s.port, 7000);
  EXPECT_EQ(s.bind, (std::vector<std::string>{"10.0.0.1", "-::1"}));
  EXPECT_EQ(s.maxmemory, 100u << 20);
  EXPECT_EQ(s.maxmemory_policy, EvictionPolicy::allkeys_lru);
  EXPECT_EQ(s.requirepass, "a \"b\" A");
  EXPECT_EQ(s.output_limit_replica.hard_bytes, 1u << 20);
  EXPECT_EQ(s.output_limit_replica.soft_bytes, 512u << 10);
  EXPECT_EQ(s.output_limit_replica.soft_seconds, 30);
  EXPECT_EQ(s.output_limit_normal.hard_bytes, 1000u);
  EXPECT_EQ(s.output_limit_pubsub.soft_seconds, 5);
  EXPECT_EQ(s.unixsocketperm, 0700u);
  EXPECT_EQ(s.timeout_s, 6);
  EXPECT_EQ(value_of(config, "client-output-buffer-limit"),
            "normal 1000 0 0 slave 1048576 524288 30 pubsub 0 0 5");
  EXPECT_EQ(value_of(config, "unixsocketperm"), "700");
}

TEST(ConfigFile, AListMayStandInOnePairOfQuotes) {
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(config.parse_arguments(
      std::vector<std::string>{"--client-output-buffer-limit", "normal 16mb 0 0", "--bind",
                               "127.0.0.1 -192.0.2.1"},
      &error))
      << error;
  EXPECT_EQ(config.settings().output_limit_normal.hard_bytes, 16u << 20);
  EXPECT_EQ(config.settings().bind, (std::vector<std::string>{"127.0.0.1", "-192.0.2.1"}));
}

// Every name of an enumeration means its own enumerator.
TEST(ConfigFile, EnumerationsStandInOrder) {
  const auto policy = [](const std::string& name) {
    WholeConfig config;
    std::string error;
    EXPECT_TRUE(
        config.parse_arguments(std::vector<std::string>{"--maxmemory-policy", name}, &error));
    return config.settings().maxmemory_policy;
  };
  EXPECT_EQ(policy("noeviction"), EvictionPolicy::noeviction);
  EXPECT_EQ(policy("allkeys-lru"), EvictionPolicy::allkeys_lru);
  EXPECT_EQ(policy("allkeys-lfu"), EvictionPolicy::allkeys_lfu);
  EXPECT_EQ(policy("allkeys-random"), EvictionPolicy::allkeys_random);
  EXPECT_EQ(policy("volatile-lru"), EvictionPolicy::volatile_lru);
  EXPECT_EQ(policy("volatile-lfu"), EvictionPolicy::volatile_lfu);
  EXPECT_EQ(policy("volatile-random"), EvictionPolicy::volatile_random);
  EXPECT_EQ(policy("volatile-ttl"), EvictionPolicy::volatile_ttl);
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(
      config.parse_arguments(std::vector<std::string>{"--loglevel", "warning", "--log-format",
                                                      "json", "--enable-debug-command", "local",
                                                      "--enable-protected-configs", "yes"},
                             &error));
  EXPECT_EQ(config.settings().loglevel, LogLevel::warning);
  EXPECT_EQ(config.settings().log_format, LogFormat::json);
  EXPECT_EQ(config.settings().debug_command, Permission::local);
  EXPECT_EQ(config.settings().protected_configs, Permission::yes);
}

// The defaults of the table are those that settings.h shows.
TEST(ConfigFile, DefaultsAgree) {
  const WholeConfig config;
  const Settings& s = config.settings();
  const Settings d;
  EXPECT_EQ(s.bind, d.bind);
  EXPECT_EQ(s.port, d.port);
  EXPECT_EQ(s.tcp_backlog, d.tcp_backlog);
  EXPECT_EQ(s.tcp_keepalive_s, d.tcp_keepalive_s);
  EXPECT_EQ(s.timeout_s, d.timeout_s);
  EXPECT_EQ(s.unixsocket, d.unixsocket);
  EXPECT_EQ(s.unixsocketperm, d.unixsocketperm);
  EXPECT_EQ(s.protected_mode, d.protected_mode);
  EXPECT_EQ(s.maxclients, d.maxclients);
  EXPECT_EQ(s.proto_max_bulk_len, d.proto_max_bulk_len);
  EXPECT_EQ(s.client_query_buffer_limit, d.client_query_buffer_limit);
  EXPECT_EQ(s.output_limit_normal.hard_bytes, d.output_limit_normal.hard_bytes);
  EXPECT_EQ(s.output_limit_replica.hard_bytes, d.output_limit_replica.hard_bytes);
  EXPECT_EQ(s.output_limit_replica.soft_bytes, d.output_limit_replica.soft_bytes);
  EXPECT_EQ(s.output_limit_pubsub.hard_bytes, d.output_limit_pubsub.hard_bytes);
  EXPECT_EQ(s.output_limit_pubsub.soft_seconds, d.output_limit_pubsub.soft_seconds);
  EXPECT_EQ(s.databases, d.databases);
  EXPECT_EQ(s.dir, d.dir);
  EXPECT_EQ(s.loglevel, d.loglevel);
  EXPECT_EQ(s.log_format, d.log_format);
  EXPECT_EQ(s.hz, d.hz);
  EXPECT_EQ(s.maxmemory, d.maxmemory);
  EXPECT_EQ(s.maxmemory_policy, d.maxmemory_policy);
  EXPECT_EQ(s.maxmemory_samples, d.maxmemory_samples);
  EXPECT_EQ(s.maxmemory_eviction_tenacity, d.maxmemory_eviction_tenacity);
  EXPECT_EQ(s.lfu_log_factor, d.lfu_log_factor);
  EXPECT_EQ(s.lfu_decay_time_min, d.lfu_decay_time_min);
  EXPECT_EQ(s.active_expire_effort, d.active_expire_effort);
  EXPECT_EQ(s.lazyfree_lazy_user_del, d.lazyfree_lazy_user_del);
}

TEST(ConfigFile, ErrorsNameFileLineAndWhatWasExpected) {
  EXPECT_EQ(
      error_of("\n\nmaxclients many\n"),
      "/etc/r.conf:3: maxclients: expected an integer between 1 and 4294967295, got \"many\"");
  EXPECT_EQ(error_of("maxclients 0"),
            "/etc/r.conf:1: maxclients: expected an integer between 1 and 4294967295, got \"0\"");
  EXPECT_EQ(error_of("prot 1"), "/etc/r.conf:1: unknown directive \"prot\"");
  EXPECT_EQ(error_of("timeout"), "/etc/r.conf:1: timeout: expected one value, not 0");
  EXPECT_EQ(error_of("timeout 1 # seconds"), "/etc/r.conf:1: timeout: expected one value, not 3");
  EXPECT_EQ(error_of("protected-mode maybe"),
            "/etc/r.conf:1: protected-mode: expected yes or no, got \"maybe\"");
  EXPECT_EQ(
      error_of("loglevel loud"),
      "/etc/r.conf:1: loglevel: expected one of debug, verbose, notice, warning, nothing, got "
      "\"loud\"");
  EXPECT_EQ(error_of("maxmemory 1.5gb"),
            "/etc/r.conf:1: maxmemory: expected a size (such as 1048576, 1024kb or 1mb) between 0 "
            "and 18446744073709551615, got \"1.5gb\"");
  EXPECT_EQ(error_of("unixsocketperm 9"),
            "/etc/r.conf:1: unixsocketperm: expected an octal number between 0 and 777, got \"9\"");
  EXPECT_EQ(error_of("port 1\nrequirepass \"a\n"),
            "/etc/r.conf:2: requirepass: unbalanced quotes: expected a closing quote, and a blank "
            "or the end "
            "behind it");
  EXPECT_EQ(error_of("\"\" x"), "/etc/r.conf:1: expected the name of a directive, got \"\"");
  EXPECT_EQ(error_of("save 60"),
            "/etc/r.conf:1: save: expected \"\", or pairs of <seconds> <changes>, got \"60\"");
  EXPECT_EQ(error_of("client-output-buffer-limit normal 1 2"),
            "/etc/r.conf:1: client-output-buffer-limit: expected <class> <hard limit> <soft limit> "
            "<soft seconds>, got \"normal 1 2\"");
  EXPECT_EQ(error_of("rename-command GET"),
            "/etc/r.conf:1: rename-command: expected the name of a command and a new one, or \"\" "
            "to remove it");
  EXPECT_EQ(error_of("dbfilename /tmp/x"),
            "/etc/r.conf:1: dbfilename: expected a file name without a path, got \"/tmp/x\"");
}

// A password with a blank that was not quoted does not end up in a log.
TEST(ConfigFile, WordsTooManyAreNotShown) {
  EXPECT_EQ(error_of("requirepass secret word"),
            "/etc/r.conf:1: requirepass: expected one value, not 2");
}

// What this text asks for and is not there.
std::vector<std::string> missing_of(std::string_view text,
                                    const std::vector<std::string>& arguments = {}) {
  WholeConfig config;
  std::string error;
  EXPECT_TRUE(config.parse_file("/etc/r.conf", text, Files().reader(), &error)) << error;
  EXPECT_TRUE(config.parse_arguments(arguments, &error)) << error;
  return config.missing();
}

std::string one_missing(std::string_view text) {
  const std::vector<std::string> lines = missing_of(text);
  EXPECT_EQ(lines.size(), 1u);
  return lines.empty() ? std::string() : lines.front();
}

TEST(ConfigFile, ListsWhatIsNotSupported) {
  EXPECT_EQ(one_missing("cluster-enabled yes"),
            "/etc/r.conf:1: cluster-enabled: \"yes\" is not supported yet (there is no cluster "
            "mode yet)");
  EXPECT_EQ(one_missing("user alice on"),
            "/etc/r.conf:1: user is not supported yet (there is only the user \"default\" yet)");
  EXPECT_EQ(one_missing("loadmodule x.so"),
            "/etc/r.conf:1: loadmodule is not supported yet (there are no modules)");
  for (const char* text : {"tls-port 6380", "aclfile users.acl", "aof-use-rdb-preamble no",
                           "sentinel monitor x 1.1.1.1 1 1"}) {
    EXPECT_NE(one_missing(text), "") << text;
  }
  EXPECT_NE(error_of("notify-keyspace-events Kq"), "");
}

// All of it in one list; but not what a later line or argument takes back.
TEST(ConfigFile, MissingThingsAreOneList) {
  const std::string_view text =
      "cluster-enabled yes\nloadmodule a.so\nloadmodule b.so\ntls-port 6380\nreplicaof a 1\n"
      "replicaof no one\n";
  EXPECT_EQ(missing_of(text).size(), 4u);
  EXPECT_EQ(missing_of(text, {"--cluster-enabled", "no", "--tls-port", "0"}).size(), 2u);
  const std::vector<std::string> again =
      missing_of("cluster-enabled no", {"--cluster-enabled", "yes"});
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].starts_with("command line: cluster-enabled: ")) << again[0];
}

TEST(ConfigFile, SettingsWithoutEffectAreOneLine) {
  WholeConfig config;
  std::string error;
  EXPECT_EQ(config.without_effect(), "");
  ASSERT_TRUE(config.parse_file("r.conf",
                                "io-threads 4\nio-threads-do-reads yes\nmasterauth secret\n"
                                "timeout 5\nactivedefrag yes\nrepl-timeout 60\n",
                                Files().reader(), &error));
  EXPECT_EQ(config.without_effect(),
            "io-threads, io-threads-do-reads (a node's commands run on one thread); activedefrag "
            "(memory is not moved to defragment it)");
}

TEST(ConfigFile, ReadsWhatConcernsTheProcess) {
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(config.parse_file(
      "r.conf",
      "daemonize yes\npidfile /run/x.pid\nsupervised auto\nsyslog-enabled yes\nsyslog-ident me\n"
      "syslog-facility local3\noom-score-adj relative\noom-score-adj-values 5 200 800\n"
      "server_cpulist 0-3:2,5\nbio-cpulist 1\nset-proc-title no\n"
      "proc-title-template \"{title}  {port}\"\nreported-redis-version 7.0.15\n"
      "socket-mark-id 7\nunixsocketgroup daemon\n",
      Files().reader(), &error))
      << error;
  const Settings& s = config.settings();
  EXPECT_TRUE(s.daemonize);
  EXPECT_EQ(s.pidfile, "/run/x.pid");
  EXPECT_EQ(s.supervision, Supervision::automatic);
  EXPECT_TRUE(s.syslog_enabled);
  EXPECT_EQ(s.syslog_ident, "me");
  EXPECT_EQ(s.syslog_facility, 4);
  EXPECT_EQ(s.oom_score_adj, OomScoreAdj::relative);
  EXPECT_EQ(s.oom_score_of_primary, 5);
  EXPECT_EQ(s.server_cpus, "0-3:2,5");
  EXPECT_EQ(s.background_cpus, "1");
  EXPECT_FALSE(s.set_process_title);
  EXPECT_EQ(s.process_title, "{title}  {port}");
  EXPECT_EQ(s.reported_redis_version, "7.0.15");
  EXPECT_EQ(s.socket_mark_id, 7u);
  EXPECT_EQ(s.unixsocketgroup, "daemon");
  EXPECT_EQ(config.missing(), std::vector<std::string>());
  for (const char* bad :
       {"server-cpulist 3-1", "server-cpulist a", "server-cpulist 0-3:0", "server-cpulist 0,",
        "server-cpulist -1", "reported-redis-version 7.4", "reported-redis-version 7.4.0.1",
        "reported-redis-version x", "reported-redis-version 7.4.256", "proc-title-template {name}",
        "proc-title-template {title"}) {
    EXPECT_NE(error_of(bad), "") << bad;
  }
}

TEST(ConfigFile, AcceptsWhatAsksForNothingMissing) {
  EXPECT_EQ(error_of("appendonly no\nsave \"\"\ncluster-enabled no\nreplicaof no one\ntls-port 0\n"
                     "io-threads 4\nrdbcompression yes\nactivedefrag yes\n"
                     "hash-max-ziplist-entries 128\nslave-read-only no\nrepl-backlog-size 10mb\n"
                     "oom-score-adj-values 0 200 800\nshutdown-on-sigterm now force\n"
                     "latency-tracking-info-percentiles 50 99.5\nnotify-keyspace-events \"\"\n"
                     "maxmemory-clients 0%\nserver_cpulist \"\"\nprimaryauth x\n"),
            "");
}

// The save points, as "seconds:changes" in one line.
std::string save_points_of(const Config& config) {
  std::string text;
  for (const SavePoint& point : config.settings().part<PersistSettings>().save_points) {
    text += (text.empty() ? "" : " ") + std::to_string(point.seconds) + ":" +
            std::to_string(point.changes);
  }
  return text;
}

TEST(ConfigFile, LinesOfSaveAddUp) {
  const auto points = [](std::string_view text, const std::vector<std::string>& arguments = {}) {
    WholeConfig config;
    std::string error;
    EXPECT_TRUE(config.parse_file("r.conf", text, Files().reader(), &error)) << error;
    EXPECT_TRUE(config.parse_arguments(arguments, &error)) << error;
    return save_points_of(config);
  };
  EXPECT_EQ(points(""), "3600:1 300:100 60:10000");
  EXPECT_EQ(points("save 900 1"), "900:1") << "not to the initial value";
  EXPECT_EQ(points("save 900 1\nsave 60 10000\n"), "900:1 60:10000");
  EXPECT_EQ(points("save 900 1 300 10\nsave 60 10000"), "900:1 300:10 60:10000");
  EXPECT_EQ(points("save \"900 1\"\nsave \"60 5 30 6\""), "900:1 60:5 30:6");
  EXPECT_EQ(points("save \"\""), "");
  EXPECT_EQ(points("save 900 1\nsave \"\"\n"), "");
  EXPECT_EQ(points("save 900 1\nsave \"\"\nsave 60 5"), "60:5") << "an empty one begins anew";
  EXPECT_EQ(points("save 900 1", {"--save", "60", "5"}), "900:1 60:5");
  EXPECT_EQ(points("save 900 1", {"--save", ""}), "");
  EXPECT_EQ(points("save 900 1", {"--save"}), "");
  EXPECT_EQ(points("", {"--save", "60 5", "--save", "30", "6"}), "60:5 30:6");
}

TEST(ConfigFile, ConfigSetReplacesTheSavePoints) {
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(config.parse_file("r.conf", "save 900 1\nsave 60 5\n", Files().reader(), &error));
  EXPECT_EQ(value_of(config, "save"), "900 1 60 5");
  ASSERT_TRUE(config.set(std::vector<std::string_view>{"save", "30 6"}, &error)) << error;
  EXPECT_EQ(save_points_of(config), "30:6");
  ASSERT_TRUE(config.set(std::vector<std::string_view>{"save", ""}, &error)) << error;
  EXPECT_EQ(save_points_of(config), "");
  EXPECT_EQ(value_of(config, "save"), "");
}

TEST(ConfigFile, ReadsWhatConcernsPersistence) {
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(config.parse_file(
      "r.conf",
      "appendonly yes\nappendfsync always\nappendfilename a.aof\nappenddirname logs\n"
      "dbfilename d.rdb\nrdbcompression no\nrdbchecksum no\nrdb-version 11\n"
      "stop-writes-on-bgsave-error no\nno-appendfsync-on-rewrite yes\n"
      "auto-aof-rewrite-percentage 50\nauto-aof-rewrite-min-size 1mb\naof-load-truncated no\n"
      "aof-load-corrupt-tail-max-size 1kb\naof-timestamp-enabled yes\naof-disable-auto-gc yes\n",
      Files().reader(), &error))
      << error;
  EXPECT_EQ(config.missing(), std::vector<std::string>());
  const PersistSettings& s = config.settings().part<PersistSettings>();
  EXPECT_TRUE(s.append_only);
  EXPECT_EQ(s.append_fsync, AppendFsync::always);
  EXPECT_EQ(s.append_file_name, "a.aof");
  EXPECT_EQ(s.append_directory, "logs");
  EXPECT_EQ(s.dbfilename, "d.rdb");
  EXPECT_FALSE(s.rdb_compression);
  EXPECT_FALSE(s.rdb_checksum);
  EXPECT_EQ(s.rdb_version, "11");
  EXPECT_FALSE(s.stop_writes_on_save_error);
  EXPECT_TRUE(s.no_fsync_on_rewrite);
  EXPECT_EQ(s.rewrite_percentage, 50);
  EXPECT_EQ(s.rewrite_size_min, 1u << 20);
  EXPECT_FALSE(s.load_truncated);
  EXPECT_EQ(s.corrupt_tail_max, 1024u);
  EXPECT_TRUE(s.timestamps);
  EXPECT_TRUE(s.keep_history_files);
  for (const auto& [name, expected] :
       {std::pair{"everysec", AppendFsync::everysec}, std::pair{"no", AppendFsync::no}}) {
    ASSERT_TRUE(config.set(std::vector<std::string_view>{"appendfsync", name}, &error));
    EXPECT_EQ(config.settings().part<PersistSettings>().append_fsync, expected);
  }
  for (const char* bad :
       {"appendfsync often", "appendfilename a/b", "appenddirname ../x", "rdb-version 9",
        "save 0 1", "save 1 -1", "save a b", "auto-aof-rewrite-percentage -1"}) {
    EXPECT_NE(error_of(bad), "") << bad;
  }
}

// The initial values of the rows are those that persist_settings.h shows.
TEST(ConfigFile, DefaultsOfPersistenceAgree) {
  const WholeConfig config;
  const PersistSettings& s = config.settings().part<PersistSettings>();
  const PersistSettings d;
  ASSERT_EQ(s.save_points.size(), d.save_points.size());
  for (size_t i = 0; i < d.save_points.size(); ++i) {
    EXPECT_EQ(s.save_points[i].seconds, d.save_points[i].seconds);
    EXPECT_EQ(s.save_points[i].changes, d.save_points[i].changes);
  }
  EXPECT_EQ(s.dbfilename, d.dbfilename);
  EXPECT_EQ(s.rdb_compression, d.rdb_compression);
  EXPECT_EQ(s.rdb_checksum, d.rdb_checksum);
  EXPECT_EQ(s.rdb_version, d.rdb_version);
  EXPECT_EQ(s.rdb_del_sync_files, d.rdb_del_sync_files);
  EXPECT_EQ(s.stop_writes_on_save_error, d.stop_writes_on_save_error);
  EXPECT_EQ(s.refuse_unknown_modules, d.refuse_unknown_modules);
  EXPECT_EQ(s.append_only, d.append_only);
  EXPECT_EQ(s.append_fsync, d.append_fsync);
  EXPECT_EQ(s.append_file_name, d.append_file_name);
  EXPECT_EQ(s.append_directory, d.append_directory);
  EXPECT_EQ(s.no_fsync_on_rewrite, d.no_fsync_on_rewrite);
  EXPECT_EQ(s.rewrite_percentage, d.rewrite_percentage);
  EXPECT_EQ(s.rewrite_size_min, d.rewrite_size_min);
  EXPECT_EQ(s.load_truncated, d.load_truncated);
  EXPECT_EQ(s.corrupt_tail_max, d.corrupt_tail_max);
  EXPECT_EQ(s.timestamps, d.timestamps);
  EXPECT_EQ(s.keep_history_files, d.keep_history_files);
  EXPECT_EQ(s.load_until, d.load_until);
}

TEST(ConfigFile, IncludesNest) {
  Files files;
  files.texts["a.conf"] = "timeout 1\ninclude b.conf\nhz 20\n";
  files.texts["b.conf"] = "timeout 2\nmaxclients 7\n";
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(
      config.parse_file("r.conf", "maxclients 1\ninclude a.conf\nhz 30\n", files.reader(), &error))
      << error;
  EXPECT_EQ(config.settings().timeout_s, 2);
  EXPECT_EQ(config.settings().maxclients, 7u);
  EXPECT_EQ(config.settings().hz, 30);
}

TEST(ConfigFile, IncludesPatterns) {
  Files files;
  files.texts["d/a.conf"] = "timeout 1\nhz 20\n";
  files.texts["d/b.conf"] = "timeout 2\n";
  const FindFiles find = [](const std::string& pattern) {
    return pattern == "d/*.conf" ? std::vector<std::string>{"d/a.conf", "d/b.conf"}
                                 : std::vector<std::string>();
  };
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(config.parse_file("r.conf", "include d/*.conf\ninclude none/*.conf\n", files.reader(),
                                &error, find))
      << error;
  EXPECT_EQ(config.settings().timeout_s, 2);
  EXPECT_EQ(config.settings().hz, 20);
  files.texts["d/b.conf"] = "timeout soon\n";
  EXPECT_FALSE(
      WholeConfig().parse_file("r.conf", "include d/*.conf", files.reader(), &error, find));
  EXPECT_TRUE(error.starts_with("d/b.conf:1: timeout: expected")) << error;
}

TEST(ConfigFile, ErrorsOfIncludedFilesNameThem) {
  Files files;
  files.texts["a.conf"] = "\ninclude b.conf\n";
  files.texts["b.conf"] = "# x\ntimeout soon\n";
  EXPECT_EQ(error_of("include a.conf", files),
            "b.conf:2: timeout: expected an integer between 0 and 2147483647, got \"soon\"");
  EXPECT_EQ(error_of("hz 1\ninclude c.conf", files),
            "/etc/r.conf:2: include: cannot read \"c.conf\": no such file or directory");
  EXPECT_EQ(error_of("include"), "/etc/r.conf:1: include: expected one path");
  EXPECT_EQ(error_of("include a b"), "/etc/r.conf:1: include: expected one path");
}

TEST(ConfigFile, IncludesAreBounded) {
  Files deep;
  deep.texts["self.conf"] = "include self.conf\n";
  EXPECT_EQ(error_of("include self.conf", deep),
            "self.conf:1: include: expected at most 16 files within each other");

  // Twice itself, 16 deep, would be 65,536 files.
  Files wide;
  wide.texts["twice.conf"] = "include leaf.conf\ninclude leaf.conf\n";
  wide.texts["leaf.conf"] = "";
  std::string text;
  for (int i = 0; i < 200; ++i) text += "include twice.conf\n";
  WholeConfig config;
  std::string error;
  EXPECT_FALSE(config.parse_file("r.conf", text, wide.reader(), &error));
  EXPECT_NE(error.find("expected at most 256 files altogether"), std::string::npos) << error;
  EXPECT_LE(wide.reads, 256);
}

TEST(ConfigFile, LongLinesAndFilesAreRefused) {
  EXPECT_EQ(error_of("requirepass " + std::string(70'000, 'x')),
            "/etc/r.conf:1: expected at most 65536 bytes in a line");
  EXPECT_NE(error_of(std::string(17 << 20, '\n')), "");
  EXPECT_LT(error_of(std::string(60'000, 'x')).size(), 400u);
}

TEST(ConfigFile, RenamedCommandsKeepTheirOrder) {
  WholeConfig config;
  std::string error;
  Files files;
  ASSERT_TRUE(config.parse_file("r.conf",
                                "rename-command FLUSHALL \"\"\nrename-command CONFIG hidden-config",
                                files.reader(), &error));
  const std::vector<RenamedCommand> expected = {{"FLUSHALL", "", "r.conf:1"},
                                                {"CONFIG", "hidden-config", "r.conf:2"}};
  EXPECT_EQ(config.renamed_commands(), expected);
}

// What CommandTable says to the rename-command lines of this text.
std::string error_of_renaming(std::string_view text, CommandTable& table) {
  WholeConfig config;
  std::string error;
  Files files;
  EXPECT_TRUE(config.parse_file("r.conf", text, files.reader(), &error)) << error;
  const bool good = table.rename(config.renamed_commands(), &error);
  EXPECT_EQ(good, error.empty());
  return error;
}

TEST(ConfigFile, RenamingTakesCommandsThatExistToNamesThatAreFree) {
  static constexpr Command rows[] = {{.name = "get"}, {.name = "keys"}, {.name = "set"}};
  const std::span<const Command> families[] = {rows};
  CommandTable table(families);
  EXPECT_EQ(error_of_renaming("rename-command GET fetch\nrename-command Keys \"\"", table), "");
  EXPECT_EQ(table.find("get"), nullptr);
  EXPECT_EQ(table.find("keys"), nullptr);
  EXPECT_EQ(table.find("FETCH")->row, &rows[0]);
  EXPECT_EQ(error_of_renaming("\nrename-command get take", table),
            "r.conf:2: rename-command: expected the name of a command, got \"get\"");
  EXPECT_EQ(error_of_renaming("rename-command SET Fetch", table),
            "r.conf:1: rename-command: expected a name that is free, got \"Fetch\"");
}

// --- the command line

TEST(ConfigArguments, TakeValuesUpToTheNextName) {
  WholeConfig config;
  std::string error;
  ASSERT_TRUE(config.parse_arguments(
      std::vector<std::string>{"--port", "7000", "--bind", "10.0.0.1", "::1", "--save",
                               "--maxmemory", "1gb", "--proc-title-template", "--my--title",
                               "--hz 20", "--save", "", "--rename-command", "get", ""},
      &error))
      << error;
  EXPECT_EQ(config.settings().port, 7000);
  EXPECT_EQ(config.settings().bind, (std::vector<std::string>{"10.0.0.1", "::1"}));
  EXPECT_EQ(config.settings().maxmemory, 1u << 30);
  EXPECT_EQ(config.settings().hz, 20);
  EXPECT_EQ(value_of(config, "proc-title-template"), "--my--title");
  EXPECT_EQ(config.renamed_commands(), (std::vector<RenamedCommand>{{"get", "", "command line"}}));
}

TEST(ConfigArguments, ErrorsSayWhatWasExpected) {
  EXPECT_EQ(error_of_arguments({"--port", "many"}),
            "command line: port: expected an integer between 0 and 65535, got \"many\"");
  EXPECT_EQ(error_of_arguments({"--port"}), "command line: port: expected one value, not 0");
  EXPECT_EQ(error_of_arguments({"--port=7000"}), "command line: unknown directive \"port=7000\"");
  EXPECT_EQ(error_of_arguments({"-p", "7000"}),
            "command line: expected \"--name value\", got \"-p\"");
  EXPECT_EQ(error_of_arguments({"--"}), "command line: expected \"--name value\", got \"--\"");
  EXPECT_EQ(error_of_arguments({"--port", "1", "2"}),
            "command line: port: expected one value, not 2");
  EXPECT_EQ(error_of_arguments({"--include", "a.conf"}),
            "command line: include: expected in a file, not on the command line");
  EXPECT_EQ(error_of_arguments({"--daemonize", "maybe"}),
            "command line: daemonize: expected yes or no, got \"maybe\"");
}

}  // namespace
}  // namespace redoubt
