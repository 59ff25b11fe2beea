// The server family, CONFIG, INFO, DEBUG and MEMORY on one node.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/node/node_info.h"
#include "engine/store/number.h"
#include "server/assembly/assemble.h"
#include "tests/commands/local_node.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

std::string field(LocalNode& n, std::string_view name) {
  const std::string_view all = "everything";
  const std::string text =
      "\r\n" + n.node->info().registry().text(std::span<const std::string_view>(&all, 1));
  const size_t at = text.find("\r\n" + std::string(name) + ":");
  if (at == std::string::npos) return "(none)";
  const size_t start = at + name.size() + 3;
  return text.substr(start, text.find("\r\n", start) - start);
}

TEST(Server, FlushAndSwap) {
  LocalNode n;
  n.call({"SET", "a", "1"});
  n.session->db = 1;
  n.call({"SET", "b", "2"});
  n.take_effects();
  EXPECT_EQ(n.call({"SWAPDB", "0", "1"}), kOk);
  EXPECT_EQ(n.call({"GET", "a"}), "$1\r\n1\r\n");
  EXPECT_EQ(n.call({"FLUSHDB", "ASYNC"}), kOk);
  EXPECT_EQ(n.call({"DBSIZE"}), ":0\r\n");
  n.session->db = 0;
  EXPECT_EQ(n.call({"DBSIZE"}), ":1\r\n");
  EXPECT_EQ(n.call({"FLUSHALL", "sync"}), kOk);
  EXPECT_EQ(n.take_effects(), "SWAPDB 0 1\nFLUSHDB ASYNC\nSELECT 0\nFLUSHALL sync");
  EXPECT_EQ(n.call({"FLUSHALL", "NOW"}), "-ERR syntax error\r\n");
  n.turn();
}

TEST(Server, Time) {
  LocalNode n;
  EXPECT_EQ(n.call({"TIME"}), "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n");
  n.pass_ms(1234);
  EXPECT_EQ(n.call({"TIME"}), "*2\r\n$10\r\n1700000001\r\n$6\r\n234000\r\n");
}

TEST(Server, Shutdown) {
  LocalNode n;
  for (const std::vector<std::string_view>& wrong : {std::vector<std::string_view>{"SHUTDOWN", "x"},
                                                     {"SHUTDOWN", "SAVE", "NOSAVE"},
                                                     {"SHUTDOWN", "ABORT", "NOW"},
                                                     {"SHUTDOWN", "SAFE", "FORCE"}}) {
    EXPECT_EQ(n.call(wrong), "-ERR syntax error\r\n");
  }
  EXPECT_EQ(n.call({"SHUTDOWN", "ABORT"}), "-ERR No shutdown in progress.\r\n");
  EXPECT_FALSE(n.node->stopping());
  EXPECT_EQ(n.call({"SHUTDOWN", "NOSAVE", "NOW"}), "");
  EXPECT_TRUE(n.node->stopping());
}

TEST(Server, LolwutIsSomethingElseEachTime) {
  LocalNode n;
  std::set<std::string> pictures;
  for (const std::string_view version : {"1", "2", "5", "6", "7", "100", "-3"}) {
    const std::string picture = n.call({"LOLWUT", "VERSION", version});
    EXPECT_NE(picture.find("Redis ver. 7.4.0"), std::string::npos);
    pictures.insert(picture);
  }
  EXPECT_EQ(pictures.size(), 7u);
  EXPECT_EQ(n.call({"LOLWUT", "VERSION", "x"}), "-ERR value is not an integer or out of range\r\n");
}

TEST(ConfigCommand, SetIsAllOrNothing) {
  LocalNode n;
  EXPECT_EQ(n.call({"CONFIG", "SET", "timeout", "7", "hz", "20"}), kOk);
  EXPECT_EQ(n.node->settings().timeout_s, 7);
  EXPECT_EQ(n.call({"CONFIG", "SET", "timeout", "8", "nosuch", "1"}).substr(0, 5), "-ERR ");
  EXPECT_EQ(n.node->settings().timeout_s, 7);
  EXPECT_EQ(n.call({"CONFIG", "SET", "timeout"}),
            "-ERR wrong number of arguments for 'config|set' command\r\n");
  EXPECT_EQ(n.call({"CONFIG", "GET", "timeout", "nosuch"}), "*2\r\n$7\r\ntimeout\r\n$1\r\n7\r\n");
  n.session->protocol = Protocol::resp3;
  EXPECT_EQ(n.call({"CONFIG", "GET", "time?ut"}), "%1\r\n$7\r\ntimeout\r\n$1\r\n7\r\n");
}

// maxmemory is looked at on the short way through dispatch only when the node was told.
TEST(ConfigCommand, SetIsToldToTheNode) {
  LocalNode n;
  for (int i = 0; i < 100; ++i) n.call({"SET", "k" + std::to_string(i), std::string(1000, 'x')});
  EXPECT_EQ(n.call({"CONFIG", "SET", "maxmemory", "20000", "maxmemory-policy", "allkeys-lru"}),
            kOk);
  n.call({"SET", "k", "v"});
  EXPECT_GT(n.node->stats().evicted_keys, 50u);
}

TEST(ConfigCommand, Resetstat) {
  LocalNode n;
  n.call({"GET", "a"});
  n.call({"NOSUCH"});
  EXPECT_EQ(field(n, "keyspace_misses"), "1");
  EXPECT_EQ(field(n, "errorstat_ERR"), "count=1");
  EXPECT_EQ(n.call({"CONFIG", "RESETSTAT"}), kOk);
  EXPECT_EQ(field(n, "keyspace_misses"), "0");
  EXPECT_EQ(field(n, "errorstat_ERR"), "(none)");
  EXPECT_EQ(field(n, "cmdstat_get"), "(none)");
}

TEST(ConfigCommand, RewriteWithoutAFile) {
  LocalNode n;
  EXPECT_EQ(n.call({"CONFIG", "REWRITE"}), "-ERR The server is running without a config file\r\n");
}

// --- INFO

TEST(Info, Sections) {
  LocalNode n;
  const auto titles = [&](std::vector<std::string_view> names) {
    std::string all;
    const std::string text = n.node->info().registry().text(names);
    for (size_t at = text.find("# "); at != std::string::npos; at = text.find("# ", at + 1)) {
      all += text.substr(at + 2, text.find("\r\n", at) - at - 2) + " ";
    }
    return all;
  };
  EXPECT_EQ(titles({}),
            "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster "
            "Keyspace ");
  EXPECT_EQ(titles({}), titles({"default"}));
  EXPECT_EQ(titles({"all"}),
            "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats "
            "Errorstats Latencystats Cluster Keyspace Keysizes ");
  EXPECT_EQ(titles({"everything"}), titles({"ALL"}));
  EXPECT_EQ(titles({"keyspace", "SERVER", "keyspace", "nosuch"}), "Server Keyspace ");
  EXPECT_EQ(n.call({"INFO", "nosuch"}), "$0\r\n\r\n");
  EXPECT_EQ(n.call({"INFO", "cluster"}), "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
  n.session->protocol = Protocol::resp3;
  EXPECT_EQ(n.call({"INFO", "cluster"}), "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
}

TEST(Info, HashesWithFieldsThatExpireAreCounted) {
  LocalNode n;
  const auto count = [&] {
    const std::string text = field(n, "db0");
    return text.substr(text.find("subexpiry="));
  };
  n.call({"HSET", "a", "f", "1", "g", "2"});
  EXPECT_EQ(count(), "subexpiry=0");
  n.call({"HEXPIRE", "a", "100", "FIELDS", "2", "f", "g"});
  n.call({"HSETEX", "b", "EX", "50", "FIELDS", "1", "f", "1"});
  EXPECT_EQ(count(), "subexpiry=2");
  n.call({"HPERSIST", "a", "FIELDS", "1", "f"});
  EXPECT_EQ(count(), "subexpiry=2");
  n.call({"HDEL", "a", "g"});
  EXPECT_EQ(count(), "subexpiry=1");
  n.call({"COPY", "b", "c"});
  n.call({"DEL", "b"});
  EXPECT_EQ(count(), "subexpiry=1");
  n.call({"HPERSIST", "c", "FIELDS", "1", "f"});
  EXPECT_EQ(count(), "subexpiry=0");
}

TEST(Info, Numbers) {
  LocalNode n;
  for (int i = 0; i < 10; ++i) n.call({"SET", "k" + std::to_string(i), "v"});
  n.call({"PEXPIRE", "k1", "5000"});
  n.call({"PEXPIRE", "k2", "7000"});
  n.call({"GET", "k1"});
  n.call({"GET", "nosuch"});
  n.call({"EXPIRE", "k1", "x"});
  n.call({"EXPIRE"});
  EXPECT_EQ(field(n, "redis_version"), "7.4.0");
  EXPECT_EQ(field(n, "role"), "master");
  EXPECT_EQ(field(n, "db0"), "keys=10,expires=2,avg_ttl=6000,subexpiry=0");
  EXPECT_EQ(field(n, "db1"), "(none)");
  EXPECT_EQ(field(n, "keyspace_hits"), "1");
  EXPECT_EQ(field(n, "keyspace_misses"), "1");
  EXPECT_EQ(field(n, "total_error_replies"), "2");
  EXPECT_EQ(field(n, "used_memory"),
            std::to_string(n.node->used_memory() + n.node->effects().memory_bytes()));
  EXPECT_EQ(field(n, "cmdstat_set").substr(0, 9), "calls=10,");
  const std::string expire = field(n, "cmdstat_expire");
  EXPECT_TRUE(expire.ends_with("rejected_calls=1,failed_calls=1")) << expire;
  n.pass_ms(90'000'000);
  EXPECT_EQ(field(n, "uptime_in_days"), "1");
  EXPECT_EQ(field(n, "expired_keys"), "2");
}

// As redis-server counts them, one by one; what expires is no change that a client made.
TEST(Info, ChangesAreCountedOnce) {
  struct Step {
    std::vector<std::string_view> command;
    uint64_t changes;
  };
  const std::vector<Step> steps = {
      {{"SET", "a", "1"}, 1},
      {{"SET", "a", "1", "EX", "10"}, 1},
      {{"SET", "a", "1", "PXAT", "9999999999999", "GET"}, 1},
      {{"SET", "a", "1", "NX"}, 0},
      {{"SETEX", "a", "10", "x"}, 1},
      {{"PSETEX", "a", "10000", "x"}, 1},
      {{"GETEX", "a", "EX", "100"}, 1},
      {{"GETEX", "a", "PERSIST"}, 1},
      {{"GETEX", "a", "PERSIST"}, 0},
      {{"MSET", "a", "1", "b", "2", "c", "3"}, 3},
      {{"MSETEX", "2", "a", "1", "b", "2", "EX", "100"}, 2},
      {{"INCREX", "a", "BYINT", "1", "EX", "50"}, 1},
      {{"INCREX", "a", "BYINT", "1", "PERSIST"}, 1},
      {{"BITFIELD", "f", "SET", "u8", "0", "255", "SET", "u8", "8", "1"}, 2},
      {{"BITFIELD", "f", "SET", "u8", "0", "255"}, 0},
      {{"BITFIELD", "f", "SET", "u8", "80", "0"}, 1},
      {{"RENAME", "a", "d"}, 1},
      {{"RENAMENX", "d", "a"}, 1},
      {{"COPY", "a", "e", "DB", "1"}, 1},
      {{"MOVE", "b", "1"}, 1},
      {{"SWAPDB", "1", "2"}, 1},
      {{"DEL", "a", "nosuch", "c"}, 2},
      {{"FLUSHDB"}, 1},
      {{"FLUSHALL"}, 2},
      {{"FLUSHALL"}, 0},
  };
  LocalNode n;
  for (const Step& step : steps) {
    const uint64_t before = n.node->keyspace().changes();
    const std::string reply = n.call(step.command);
    EXPECT_EQ(n.node->keyspace().changes() - before, step.changes)
        << step.command[0] << " " << step.command.back() << " " << reply;
  }
  n.call({"SET", "a", "1", "PX", "10"});
  const uint64_t before = n.node->keyspace().changes();
  n.pass_ms(20);
  EXPECT_EQ(n.call({"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(field(n, "rdb_changes_since_last_save"), std::to_string(before));
}

// A large string that is overwritten is freed as lazyfree-lazy-server-del says.
TEST(Info, OverwrittenStringsAreFreedLazily) {
  LocalNode n;
  const std::string large(1 << 20, 'x');
  const auto freed_after = [&](std::vector<std::string_view> overwrite) {
    n.call({"SET", "k", large});
    const uint64_t before = n.node->stats().lazyfreed_objects;
    n.call(std::move(overwrite));
    n.pass_ms(200);  // what waits is collected by the cron
    n.turn();
    return n.node->stats().lazyfreed_objects - before;
  };
  EXPECT_EQ(freed_after({"SET", "k", "small"}), 0u);
  n.call({"CONFIG", "SET", "lazyfree-lazy-server-del", "yes"});
  EXPECT_EQ(freed_after({"SET", "k", "small"}), 1u);
  EXPECT_EQ(freed_after({"SET", "k", "1"}), 1u);
  EXPECT_EQ(freed_after({"MSET", "k", "small", "l", "small"}), 1u);
  EXPECT_EQ(freed_after({"RENAME", "l", "k"}), 1u);
  n.call({"CONFIG", "SET", "lazyfree-lazy-server-del", "no"});
  EXPECT_EQ(freed_after({"SET", "k", "1"}), 0u);
}

// Looking at a node does not change what it does.
TEST(Info, TouchesNothing) {
  LocalNode a;
  LocalNode b;
  for (LocalNode* n : {&a, &b}) {
    for (int i = 0; i < 100; ++i) {
      n->call({"SET", "k" + std::to_string(i), "v"});
      n->call({"PEXPIRE", "k" + std::to_string(i), "100000"});
    }
  }
  for (int i = 0; i < 10; ++i) a.call({"INFO", "everything"});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.call({"RANDOMKEY"}), b.call({"RANDOMKEY"}));
}

// A world whose allocator can be asked.
class AskedBackend : public QuietBackend {
 public:
  using QuietBackend::QuietBackend;
  AllocatorFacts allocator_facts() override { return facts; }
  std::string allocator_report() override { return "a report\n"; }
  ProcessFacts process_facts() override {
    ProcessFacts of;
    of.resident_bytes = 10'000'000;
    return of;
  }

  AllocatorFacts facts{"an-allocator-1", 2'000'000, 3'000'000, 6'000'000};
};

TEST(Info, MemoryOfAnEmptyServer) {
  LocalNodeOn<AskedBackend> n;
  const auto value = [&](std::string_view name) {
    const std::string_view section = "memory";
    const std::string text =
        n.node->info().registry().text(std::span<const std::string_view>(&section, 1));
    const size_t at = text.find("\r\n" + std::string(name) + ":") + name.size() + 3;
    return text.substr(at, text.find("\r\n", at) - at);
  };
  const uint64_t startup = std::stoull(value("used_memory_startup"));
  EXPECT_LE(startup, 2'000'000u);
  EXPECT_GT(startup, 1'900'000u);
  const uint64_t effects = n.node->effects().memory_bytes();
  EXPECT_EQ(value("used_memory"), std::to_string(startup + n.node->used_memory() + effects));
  EXPECT_EQ(value("mem_not_counted_for_evict"),
            std::to_string(n.node->upkeep().not_counted_for_eviction() + effects));
  EXPECT_EQ(value("mem_allocator"), "an-allocator-1");
  EXPECT_EQ(value("allocator_frag_ratio"), "1.50");
  EXPECT_EQ(value("allocator_rss_bytes"), "3000000");
  const double fragmentation = std::stod(value("mem_fragmentation_ratio"));
  EXPECT_TRUE(fragmentation > 4 && fragmentation < 6) << fragmentation;
  n.backend.facts.allocated = 50'000'000;
  EXPECT_EQ(value("used_memory_startup"), std::to_string(startup)) << "measured once";
  EXPECT_EQ(value("allocator_allocated"), "50000000");
  EXPECT_NE(n.call({"MEMORY", "MALLOC-STATS"}).find("a report\n"), std::string::npos);
  n.session->protocol = Protocol::resp3;
  EXPECT_TRUE(n.call({"MEMORY", "STATS"}).starts_with("%20\r\n"));
}

TEST(Info, ReplicationIsThatOfTheLog) {
  LocalNode n;  // reads its effects
  n.call({"SET", "k", "v"});
  EXPECT_EQ(field(n, "master_replid"), n.node->effects().history().id);
  EXPECT_EQ(field(n, "master_replid").size(), 40u);
  EXPECT_EQ(field(n, "master_replid2"), std::string(40, '0'));
  EXPECT_EQ(field(n, "second_repl_offset"), "-1");
  EXPECT_NE(field(n, "master_repl_offset"), "0");
  EXPECT_EQ(field(n, "master_repl_offset"), std::to_string(n.node->effects().end_offset()));
  EXPECT_EQ(field(n, "repl_backlog_active"), "0") << "nobody replicates";
  EXPECT_EQ(field(n, "repl_backlog_size"), "1048576");
  n.call({"CONFIG", "SET", "repl-backlog-size", "2mb"});
  EXPECT_EQ(field(n, "repl_backlog_size"), "2097152");
}

TEST(Info, ErrorsAndTheLoop) {
  LocalNode n;
  n.call({"NOSUCH"});
  EXPECT_EQ(field(n, "unexpected_error_replies"), "1");
  const auto cycles = [&] { return std::stoull(field(n, "eventloop_cycles")); };
  const uint64_t before = cycles();
  for (int i = 0; i < 20; ++i) n.pass_ms(100);
  EXPECT_GE(cycles(), before + 20);
  EXPECT_GE(std::stoull(field(n, "instantaneous_eventloop_cycles_per_sec")), 10u);
  n.call({"CONFIG", "RESETSTAT"});
  EXPECT_LE(cycles(), 1u);
  EXPECT_EQ(field(n, "eventloop_duration_sum"), "0");
}

// The registry of a whole node, with something in every section.
TEST(InfoRows, AreUniqueAndNumbersAreNumbers) {
  LocalNodeOn<AskedBackend> n;
  n.call({"SET", "k", "v"});
  const InfoRegistry& registry = n.node->info().registry();
  std::map<InfoSection, std::set<std::string_view>> names;
  std::set<std::string_view> everywhere;
  InfoSection last = InfoSection::server;
  for (const InfoGroup& group : registry.groups()) {
    EXPECT_LE(last, group.section);
    last = group.section;
    for (const InfoRow& row : group.rows) {
      EXPECT_TRUE(names[group.section].insert(row.name).second) << row.name;
      EXPECT_TRUE(everywhere.insert(row.name).second) << row.name;
    }
  }
  std::set<std::string_view> numbers;
  registry.for_each_number([&](const InfoRow& row, std::string_view value) {
    EXPECT_TRUE(numbers.insert(row.name).second) << row.name;
    EXPECT_TRUE(parse_double(value).has_value()) << row.name << ":" << value;
    EXPECT_FALSE(row.kind == InfoKind::counter && value.starts_with('-')) << row.name;
  });
  EXPECT_TRUE(numbers.contains("used_memory"));
  EXPECT_TRUE(numbers.contains("total_commands_processed"));
  EXPECT_FALSE(numbers.contains("redis_version"));
}

TEST(Info, RowsStandInTheOrderOfRedis) {
  LocalNode n;
  const std::string_view all = "everything";
  const std::string text =
      n.node->info().registry().text(std::span<const std::string_view>(&all, 1));
  size_t at = 0;
  for (const std::string_view name : {"redis_version",
                                      "os",
                                      "run_id",
                                      "executable",
                                      "connected_clients",
                                      "maxclients",
                                      "client_recent_max_input_buffer",
                                      "blocked_clients",
                                      "tracking_clients",
                                      "watching_clients",
                                      "clients_in_timeout_table",
                                      "total_watched_keys",
                                      "total_blocking_keys",
                                      "used_memory",
                                      "used_memory_rss",
                                      "used_memory_peak",
                                      "total_system_memory",
                                      "maxmemory",
                                      "mem_fragmentation_ratio",
                                      "mem_not_counted_for_evict",
                                      "mem_replication_backlog",
                                      "mem_clients_normal",
                                      "mem_allocator",
                                      "lazyfree_pending_objects",
                                      "lazyfreed_objects",
                                      "loading",
                                      "rdb_changes_since_last_save",
                                      "rdb_bgsave_in_progress",
                                      "aof_enabled",
                                      "total_connections_received",
                                      "expired_keys",
                                      "keyspace_misses",
                                      "pubsub_channels",
                                      "tracking_total_keys",
                                      "unexpected_error_replies",
                                      "eventloop_cycles",
                                      "eventloop_duration_sum",
                                      "eventloop_duration_cmd_sum",
                                      "instantaneous_eventloop_cycles_per_sec",
                                      "acl_access_denied_auth",
                                      "role",
                                      "master_replid",
                                      "master_repl_offset",
                                      "repl_backlog_active",
                                      "repl_backlog_size",
                                      "repl_backlog_histlen",
                                      "used_cpu_sys",
                                      "cluster_enabled"}) {
    const size_t next = text.find("\r\n" + std::string(name) + ":");
    ASSERT_NE(next, std::string::npos) << name;
    EXPECT_GE(next, at) << name;
    at = next;
  }
}

TEST(Info, HumanSizes) {
  LocalNode n({"maxmemory", "1610612736"});
  EXPECT_EQ(field(n, "maxmemory_human"), "1.50G");
  n.call({"CONFIG", "SET", "maxmemory", "1023"});
  EXPECT_EQ(field(n, "maxmemory_human"), "1023B");
}

// --- DEBUG

TEST(Debug, IsOffByDefault) {
  LocalNode n;
  EXPECT_EQ(n.call({"DEBUG", "SLEEP", "0"}).substr(0, 30), "-ERR DEBUG command not allowed");
}

class DebugOn : public testing::Test {
 protected:
  DebugOn() {
    auto config = make_config();
    std::string error;
    const std::vector<std::string> arguments = {"--enable-debug-command", "local", "--save", ""};
    EXPECT_TRUE(config->parse_arguments(arguments, &error)) << error;
    world.turn();
    node = make_node(world.env, std::move(config));
    session = &node->clients().make_local();
  }
  ~DebugOn() override {
    world.turn();
    node->clients().drop_local(*session);
  }
  std::string call(std::vector<std::string_view> args) {
    return node->dispatcher().execute(*session, args);
  }

  QuietWorld world{1};
  std::unique_ptr<Node> node;
  Session* session = nullptr;
};

TEST_F(DebugOn, SleepStallsTheWorld) {
  const Instant before = world.backend.now();
  EXPECT_EQ(call({"DEBUG", "SLEEP", "1.5"}), kOk);
  EXPECT_EQ((world.backend.now() - before).ms(), 1500);
  EXPECT_EQ(call({"DEBUG", "SLEEP", "-1e300"}), kOk);
  EXPECT_EQ((world.backend.now() - before).ms(), 1500);
  EXPECT_EQ(call({"DEBUG", "SLEEP", "1e300"}), kOk);
  EXPECT_EQ((world.backend.now() - before).s(), 1 + 24 * 3600);
  EXPECT_EQ(call({"DEBUG", "SLEEP", "soon"}), "-ERR value is not a valid float\r\n");
  EXPECT_EQ(call({"DEBUG", "SLEEP", "0\r"}), kOk) << "of a line that ended in two of them";
}

TEST_F(DebugOn, PopulateAndDigest) {
  const std::string empty = call({"DEBUG", "DIGEST"});
  EXPECT_EQ(empty, "+" + std::string(40, '0') + "\r\n");
  EXPECT_EQ(call({"DEBUG", "POPULATE", "1000"}), kOk);
  EXPECT_EQ(call({"DEBUG", "POPULATE", "10", "other", "300"}), kOk);
  EXPECT_EQ(call({"DBSIZE"}), ":1010\r\n");
  EXPECT_EQ(call({"GET", "key:999"}), "$9\r\nvalue:999\r\n");
  EXPECT_EQ(call({"GET", "other:9"}).substr(0, 13), "$300\r\nvalue:9");
  const std::string full = call({"DEBUG", "DIGEST"});
  EXPECT_NE(full, empty);
  // Where a key is, and how its value is stored, does not show.
  call({"RENAME", "key:1", "tmp"});
  EXPECT_NE(call({"DEBUG", "DIGEST"}), full);
  call({"RENAME", "tmp", "key:1"});
  EXPECT_EQ(call({"DEBUG", "DIGEST"}), full);
  const std::string values = call({"DEBUG", "DIGEST-VALUE", "key:1", "nosuch"});
  EXPECT_EQ(values.substr(values.size() - 44), "\n+" + std::string(40, '0') + "\r\n");
}

TEST_F(DebugOn, PopulateIsBounded) {
  for (const std::vector<std::string_view>& wrong :
       {std::vector<std::string_view>{"DEBUG", "POPULATE", "100000001"},
        {"DEBUG", "POPULATE", "1", "k", "9999999999"},
        {"DEBUG", "POPULATE", "100000000", "k", "1000000"},
        {"DEBUG", "POPULATE", "99999999999999999999"}}) {
    EXPECT_TRUE(call(wrong).starts_with("-ERR value is out of range")) << wrong[2];
  }
  EXPECT_EQ(call({"DBSIZE"}), ":0\r\n");
}

TEST_F(DebugOn, ObjectAndWhatIsRefused) {
  EXPECT_EQ(call({"DEBUG", "OBJECT", "k"}), "-ERR no such key\r\n");
  call({"SET", "k", "100"});
  EXPECT_EQ(call({"DEBUG", "OBJECT", "k"}),
            "+Value at:0x0 refcount:1 encoding:int serializedlength:2 lru:0 "
            "lru_seconds_idle:0\r\n");
  EXPECT_EQ(call({"DEBUG", "SEGFAULT"}),
            "-ERR DEBUG SEGFAULT is not supported: a client does not end the server\r\n");
  EXPECT_EQ(call({"DEBUG", "reload", "NOSAVE"}),
            "-ERR DEBUG RELOAD and LOADAOF are not possible in a transaction\r\n")
      << "a session that cannot wait";
  for (const std::string_view sub : {"JMAP", "NOSUCH", "OBJECT"}) {
    EXPECT_EQ(call({"DEBUG", sub}), "-ERR unknown subcommand or wrong number of arguments for '" +
                                        std::string(sub) + "'. Try DEBUG HELP.\r\n");
  }
}

TEST_F(DebugOn, Error) {
  EXPECT_EQ(call({"DEBUG", "ERROR", "MYCODE of my own"}), "-MYCODE of my own\r\n");
  EXPECT_EQ(call({"DEBUG", "ERROR", "two\r\nlines"}).substr(0, 4), "-two");
  EXPECT_EQ(call({"DEBUG", "STRINGMATCH-LEN", "a*[b-d]", "axxc"}), ":1\r\n");
  EXPECT_EQ(call({"DEBUG", "STRINGMATCH-LEN", "a*[b-d]", "axxe"}), ":0\r\n");
  EXPECT_EQ(call({"DEBUG", "LOG", "hello"}), kOk);
}

TEST_F(DebugOn, Tables) {
  const auto has = [](const std::string& text, std::string_view line) {
    return text.find(std::string(line) + "\n") != std::string::npos;
  };
  EXPECT_EQ(call({"DEBUG", "HTSTATS", "16"}), "-ERR Out of range database\r\n");
  EXPECT_TRUE(has(call({"DEBUG", "HTSTATS", "0"}), "No stats available for empty dictionaries"));
  call({"SET", "k", "v", "EX", "100"});
  call({"HSET", "small", "f", "v"});
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "m" + std::to_string(i);
    call({"SADD", "set", name});
    call({"HSET", "hash", name, "v"});
    call({"ZADD", "zset", "1", name});
  }
  const std::string database = call({"DEBUG", "HTSTATS", "0"});
  EXPECT_TRUE(has(database, " number of elements: 5")) << database;
  EXPECT_TRUE(has(database, "[Expires HT]\n number of elements: 1")) << database;
  for (const std::string_view key : {"set", "hash", "zset"}) {
    const std::string table = call({"DEBUG", "HTSTATS-KEY", key});
    EXPECT_TRUE(has(table, " number of elements: 1000")) << table;
    const size_t at = table.find("table size: ");
    ASSERT_NE(at, std::string::npos) << table;
    const size_t slots = std::stoul(table.substr(at + 12));
    EXPECT_TRUE(slots >= 1000 && slots < 4000) << table;
  }
  EXPECT_EQ(call({"DEBUG", "HTSTATS-KEY", "nosuch"}), "-ERR no such key\r\n");
  for (const std::string_view key : {"k", "small"}) {
    EXPECT_EQ(call({"DEBUG", "HTSTATS-KEY", key}),
              "-ERR The value stored at the specified key is not represented using an hash "
              "table\r\n");
  }
  EXPECT_EQ(call({"DEBUG", "LISTPACK", "small"}), "+Listpack of 2 elements in 13 bytes\r\n");
  EXPECT_EQ(call({"DEBUG", "LISTPACK", "set"}), "-ERR Not a listpack encoded object.\r\n");
}

TEST_F(DebugOn, ObjectOfALongList) {
  for (int i = 0; i < 100; ++i) call({"RPUSH", "l", std::string(1000, 'x')});
  const std::string line = call({"DEBUG", "OBJECT", "l"});
  EXPECT_NE(line.find(" ql_nodes:15 ql_avg_node:6.67 ql_listpack_max:-2 ql_compressed:0 "),
            std::string::npos)
      << line;
}

TEST_F(DebugOn, SetActiveExpire) {
  call({"SET", "k", "v"});
  call({"PEXPIRE", "k", "10"});
  EXPECT_EQ(call({"DEBUG", "SET-ACTIVE-EXPIRE", "0"}), kOk);
  world.backend.advance(Duration::seconds(10));
  for (int i = 0; i < 20; ++i) world.turn();
  EXPECT_EQ(call({"DBSIZE"}), ":1\r\n");
  EXPECT_EQ(call({"DEBUG", "SET-ACTIVE-EXPIRE", "1"}), kOk);
  world.backend.advance(Duration::seconds(1));
  for (int i = 0; i < 20; ++i) world.turn();
  EXPECT_EQ(call({"DBSIZE"}), ":0\r\n");
}

// --- MEMORY, HELP

TEST(Memory, UsageAndStats) {
  LocalNode n;
  EXPECT_EQ(n.call({"MEMORY", "USAGE", "k"}), "$-1\r\n");
  n.call({"SET", "k", std::string(100000, 'x')});
  const std::string usage = n.call({"MEMORY", "USAGE", "k", "SAMPLES", "0"});
  EXPECT_GE(std::stol(usage.substr(1)), 100000);
  n.session->protocol = Protocol::resp3;
  const std::string stats = n.call({"MEMORY", "STATS"});
  // In this world the allocator cannot be asked.
  EXPECT_TRUE(stats.starts_with("%14\r\n")) << stats;
  EXPECT_EQ(stats.find("allocator"), std::string::npos);
  EXPECT_NE(stats.find("total.allocated\r\n:" +
                       std::to_string(n.node->used_memory() + n.node->effects().memory_bytes())),
            std::string::npos)
      << stats;
  EXPECT_NE(stats.find("keys.count\r\n:1\r\n"), std::string::npos);
}

TEST(Help, Shape) {
  LocalNode n;
  for (const std::string_view container : {"CONFIG", "OBJECT", "COMMAND", "MEMORY"}) {
    const std::string help = n.call({container, "HELP"});
    EXPECT_EQ(help[0], '*');
    const size_t lines = std::stoul(help.substr(1));
    size_t seen = 0;
    for (size_t at = help.find("\r\n+"); at != std::string::npos; at = help.find("\r\n+", at + 1)) {
      ++seen;
    }
    EXPECT_EQ(seen, lines);
    EXPECT_NE(help.find("+" + std::string(container) +
                        " <subcommand> [<arg> [value] [opt] ...]. "
                        "Subcommands are:\r\n"),
              std::string::npos);
    EXPECT_TRUE(help.ends_with("+HELP\r\n+    Prints this help.\r\n"));
  }
}

}  // namespace
}  // namespace redoubt
