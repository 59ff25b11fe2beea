// DEL, RENAME, COPY, MOVE, OBJECT and others: what happens to values, deadlines and access clocks.
#include <gtest/gtest.h>

#include "tests/commands/local_node.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

// Values of each layout: integer, in the entry, outside of it.
const std::string kValues[] = {"12345", "hello", std::string(5000, 'x')};

class Keys : public testing::Test {
 protected:
  ~Keys() override {
    for (int db = 0; db < n.node->keyspace().count(); ++db) {
      n.node->keyspace().database(db).dict().check_invariants();
    }
    n.call({"FLUSHALL", "SYNC"});
    n.turn();
    EXPECT_EQ(n.node->keyspace().reclaim().bytes(), 0u);
  }

  LocalNode n;
};

TEST_F(Keys, DelCountsAndTellsItsEffect) {
  n.call({"SET", "a", "1"});
  n.call({"SET", "b", "2"});
  n.take_effects();
  EXPECT_EQ(n.call({"DEL", "a", "a", "nosuch", "b"}), ":2\r\n");
  EXPECT_EQ(n.take_effects(), "DEL a a nosuch b");
  EXPECT_EQ(n.call({"DEL", "a"}), kNo);
  EXPECT_EQ(n.take_effects(), "");
}

TEST_F(Keys, UnlinkFreesLargeValuesInTheBackground) {
  n.call({"SET", "a", std::string(1 << 20, 'x')});
  EXPECT_EQ(n.call({"UNLINK", "a"}), kYes);
  const auto large = n.node->used_memory();
  EXPECT_LT(large, 1u << 20);
  n.pass_ms(200);
  n.turn();
}

TEST_F(Keys, ExpiredKeyIsNotThere) {
  n.node->upkeep().set_active_expiry(false);
  n.call({"SET", "a", "1"});
  n.call({"PEXPIRE", "a", "10"});
  n.pass_ms(50);
  n.take_effects();
  EXPECT_EQ(n.call({"DEL", "a"}), kNo);
  EXPECT_EQ(n.take_effects(), "DEL a");  // by expiry, once
}

TEST_F(Keys, RenameKeepsValueDeadlineAndAccessClock) {
  for (const std::string& value : kValues) {
    n.call({"SET", "from", value});
    n.call({"PEXPIRE", "from", "100000"});
    n.pass_ms(7000);
    EXPECT_EQ(n.call({"OBJECT", "IDLETIME", "from"}), ":7\r\n");
    n.call({"SET", "to", "old"});
    n.take_effects();
    // RENAME is an access, as a lookup for writing.
    EXPECT_EQ(n.call({"RENAME", "from", "to"}), kOk);
    EXPECT_EQ(n.take_effects(), "RENAME from to");
    EXPECT_EQ(n.call({"GET", "to"}), bulk(value));
    EXPECT_EQ(n.call({"PTTL", "to"}), ":93000\r\n");
    EXPECT_EQ(n.call({"EXISTS", "from"}), kNo);
    n.call({"DEL", "to"});
  }
}

TEST_F(Keys, RenameToItself) {
  EXPECT_EQ(n.call({"RENAME", "a", "a"}), "-ERR no such key\r\n");
  n.call({"SET", "a", "1"});
  n.take_effects();
  EXPECT_EQ(n.call({"RENAME", "a", "a"}), kOk);
  EXPECT_EQ(n.call({"RENAMENX", "a", "a"}), kNo);
  EXPECT_EQ(n.take_effects(), "");
}

TEST_F(Keys, RenamenxOntoAnExpiredKey) {
  n.node->upkeep().set_active_expiry(false);
  n.call({"SET", "a", "1"});
  n.call({"SET", "b", "2"});
  EXPECT_EQ(n.call({"RENAMENX", "a", "b"}), kNo);
  n.call({"PEXPIRE", "b", "10"});
  n.pass_ms(50);
  EXPECT_EQ(n.call({"RENAMENX", "a", "b"}), kYes);
  EXPECT_EQ(n.call({"GET", "b"}), bulk("1"));
  EXPECT_EQ(n.call({"TTL", "b"}), ":-1\r\n");
}

// While clients are paused, expired keys stay; they must not be in the way of new ones.
TEST_F(Keys, WritesOverExpiredKeysDuringAPause) {
  n.node->upkeep().set_active_expiry(false);
  n.call({"SET", "a", "1"});
  for (const std::string_view key : {"b", "c"}) {
    n.call({"SET", key, "2"});
    n.call({"PEXPIRE", key, "10"});
  }
  n.pass_ms(50);
  n.node->dispatcher().pause().begin(PauseMode::all, n.env.now() + Duration::seconds(10));
  EXPECT_EQ(n.call({"COPY", "a", "b"}), kYes);
  EXPECT_EQ(n.call({"RENAME", "a", "c"}), kOk);
  EXPECT_EQ(n.call({"GET", "b"}), bulk("1"));
  EXPECT_EQ(n.call({"GET", "c"}), bulk("1"));
  EXPECT_EQ(n.call({"RANDOMKEY"}).substr(0, 4), "$1\r\n");
  n.node->dispatcher().pause().end();
}

TEST_F(Keys, Copy) {
  for (const std::string& value : kValues) {
    n.call({"SET", "from", value});
    n.call({"PEXPIRE", "from", "100000"});
    n.take_effects();
    EXPECT_EQ(n.call({"COPY", "from", "to"}), kYes);
    EXPECT_EQ(n.take_effects(), "COPY from to");
    EXPECT_EQ(n.call({"GET", "to"}), bulk(value));
    EXPECT_EQ(n.call({"PTTL", "to"}), ":100000\r\n");
    n.call({"SET", "from", "other"});
    EXPECT_EQ(n.call({"GET", "to"}), bulk(value));
    EXPECT_EQ(n.call({"COPY", "from", "to"}), kNo);
    EXPECT_EQ(n.call({"COPY", "from", "to", "REPLACE"}), kYes);
    EXPECT_EQ(n.call({"GET", "to"}), bulk("other"));
    EXPECT_EQ(n.call({"TTL", "to"}), ":-1\r\n");
    EXPECT_EQ(n.call({"COPY", "from", "from", "DB", "3"}), kYes);
    n.session->db = 3;
    EXPECT_EQ(n.call({"GET", "from"}), bulk("other"));
    n.session->db = 0;
    n.call({"FLUSHALL"});
  }
}

TEST_F(Keys, Move) {
  for (const std::string& value : kValues) {
    n.call({"SET", "k", value});
    n.call({"PEXPIRE", "k", "100000"});
    EXPECT_EQ(n.call({"MOVE", "k", "2"}), kYes);
    EXPECT_EQ(n.call({"EXISTS", "k"}), kNo);
    n.session->db = 2;
    EXPECT_EQ(n.call({"GET", "k"}), bulk(value));
    EXPECT_EQ(n.call({"PTTL", "k"}), ":100000\r\n");
    EXPECT_EQ(n.call({"MOVE", "k", "2"}), "-ERR source and destination objects are the same\r\n");
    n.session->db = 0;
    n.call({"SET", "k", "mine"});
    EXPECT_EQ(n.call({"MOVE", "k", "2"}), kNo);
    EXPECT_EQ(n.call({"GET", "k"}), bulk("mine"));
    EXPECT_EQ(n.call({"MOVE", "k", "16"}), "-ERR DB index is out of range\r\n");
    n.call({"FLUSHALL"});
  }
}

TEST_F(Keys, HitsAndMissesOfWhatOnlyLooks) {
  n.call({"SET", "a", "1"});
  n.pass_ms(3000);
  n.call({"CONFIG", "RESETSTAT"});
  n.call({"EXISTS", "a", "b"});
  n.call({"TYPE", "a"});
  n.call({"TTL", "b"});
  n.call({"OBJECT", "ENCODING", "a"});
  EXPECT_EQ(n.node->stats().keyspace_hits, 3u);
  EXPECT_EQ(n.node->stats().keyspace_misses, 2u);
  EXPECT_EQ(n.call({"OBJECT", "IDLETIME", "a"}), ":3\r\n");
  EXPECT_EQ(n.call({"TOUCH", "a", "b"}), kYes);
  EXPECT_EQ(n.call({"OBJECT", "IDLETIME", "a"}), ":0\r\n");
}

TEST_F(Keys, ObjectUnderBothKindsOfPolicy) {
  n.call({"SET", "a", "1"});
  EXPECT_EQ(n.call({"OBJECT", "FREQ", "a"}).substr(0, 29), "-ERR An LFU maxmemory policy ");
  EXPECT_EQ(n.call({"OBJECT", "REFCOUNT", "a"}), kYes);
  EXPECT_EQ(n.call({"OBJECT", "FREQ", "nosuch"}), "$-1\r\n");
  n.call({"CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"});
  n.call({"SET", "b", "1"});
  EXPECT_EQ(n.call({"OBJECT", "FREQ", "b"}), ":5\r\n");
  EXPECT_EQ(n.call({"OBJECT", "IDLETIME", "b"}).substr(0, 29), "-ERR An LFU maxmemory policy ");
}

TEST_F(Keys, RandomkeySkipsExpiredKeys) {
  EXPECT_EQ(n.call({"RANDOMKEY"}), "$-1\r\n");
  n.node->upkeep().set_active_expiry(false);
  for (int i = 0; i < 50; ++i) {
    const std::string key = "gone" + std::to_string(i);
    n.call({"SET", key, "1"});
    n.call({"PEXPIRE", key, "10"});
  }
  n.call({"SET", "live", "1"});
  n.pass_ms(50);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(n.call({"RANDOMKEY"}), bulk("live"));
  n.call({"DEL", "live"});
  EXPECT_EQ(n.call({"RANDOMKEY"}), "$-1\r\n");
  EXPECT_EQ(n.call({"DBSIZE"}), kNo);
}

}  // namespace
}  // namespace redoubt
