// Configuration files and the command line.
#include <gtest/gtest.h>

#include <map>

#include "engine/command/command_table.h"
#include "engine/config/config.h"

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
  Config config;
  std::string error;
  const bool good = config.parse_file("/etc/r.conf", text, files.reader(), &error);
  EXPECT_EQ(good, error.empty());
  return error;
}

std::string error_of_arguments(const std::vector<std::string>& arguments) {
  Config config;
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
  Config config;
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
  Config config;
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
    Config config;
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
  Config config;
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
  const Config config;
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
  Config config;
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
  EXPECT_EQ(one_missing("appendonly yes"),
            "/etc/r.conf:1: appendonly: \"yes\" is not supported yet (data is not written to files "
            "yet)");
  EXPECT_EQ(
      one_missing("\nslaveof 10.0.0.1 6379"),
      "/etc/r.conf:2: slaveof: \"10.0.0.1 6379\" is not supported yet (there is no replication "
      "yet)");
  EXPECT_EQ(one_missing("user alice on"),
            "/etc/r.conf:1: user is not supported yet (there is only the user \"default\" yet)");
  EXPECT_EQ(one_missing("loadmodule x.so"),
            "/etc/r.conf:1: loadmodule is not supported yet (there are no modules)");
  for (const char* text :
       {"save 3600 1", "cluster-enabled yes", "tls-port 6380", "aclfile users.acl",
        "replicaof 10.0.0.1 6379", "min-replicas-to-write 1", "shutdown-on-sigterm save",
        "sentinel monitor x 1.1.1.1 1 1"}) {
    EXPECT_NE(one_missing(text), "") << text;
  }
  EXPECT_NE(error_of("notify-keyspace-events Kq"), "");
}

// All of it in one list; but not what a later line or argument takes back.
TEST(ConfigFile, MissingThingsAreOneList) {
  const std::string_view text =
      "appendonly yes\nloadmodule a.so\nloadmodule b.so\ntls-port 6380\nsave 60 1\nsave \"\"\n";
  EXPECT_EQ(missing_of(text).size(), 4u);
  EXPECT_EQ(missing_of(text, {"--appendonly", "no", "--tls-port", "0"}).size(), 2u);
  const std::vector<std::string> again = missing_of("appendonly no", {"--appendonly", "yes"});
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].starts_with("command line: appendonly: ")) << again[0];
}

TEST(ConfigFile, SettingsWithoutEffectAreOneLine) {
  Config config;
  std::string error;
  EXPECT_EQ(config.without_effect(), "");
  ASSERT_TRUE(config.parse_file("r.conf",
                                "io-threads 4\nio-threads-do-reads yes\nmasterauth secret\n"
                                "timeout 5\nactivedefrag yes\nrepl-timeout 60\n",
                                Files().reader(), &error));
  EXPECT_EQ(config.without_effect(),
            "io-threads, io-threads-do-reads (a node's commands run on one thread); activedefrag "
            "(memory is not moved to defragment it); masterauth (there is no replication yet)");
}

TEST(ConfigFile, ReadsWhatConcernsTheProcess) {
  Config config;
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

TEST(ConfigFile, IncludesNest) {
  Files files;
  files.texts["a.conf"] = "timeout 1\ninclude b.conf\nhz 20\n";
  files.texts["b.conf"] = "timeout 2\nmaxclients 7\n";
  Config config;
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
  Config config;
  std::string error;
  ASSERT_TRUE(config.parse_file("r.conf", "include d/*.conf\ninclude none/*.conf\n", files.reader(),
                                &error, find))
      << error;
  EXPECT_EQ(config.settings().timeout_s, 2);
  EXPECT_EQ(config.settings().hz, 20);
  files.texts["d/b.conf"] = "timeout soon\n";
  EXPECT_FALSE(Config().parse_file("r.conf", "include d/*.conf", files.reader(), &error, find));
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
  Config config;
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
  Config config;
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
  Config config;
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
  Config config;
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
