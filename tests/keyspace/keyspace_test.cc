// The keyspace by itself: look-ups, expiry, telling, transactions that are undone.
#include "engine/keyspace/keyspace.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "engine/store/hash_type.h"
#include "engine/store/string_type.h"
#include "tests/keyspace/subject.h"

namespace redoubt {
namespace {

// A value that is looked up cannot be changed: the compiler says so.
static_assert(std::is_same_v<decltype(std::declval<Database>().find("", 0)), const Entry*>);
static_assert(
    std::is_same_v<decltype(std::declval<Keyspace>().read(0, "", 0, true)), const Entry*>);
static_assert(
    std::is_same_v<decltype(std::declval<Keyspace>().touch(0, "", 0, true)), const Entry*>);
static_assert(std::is_same_v<decltype(std::declval<Keyspace>().peek(0, "", 0)), const Entry*>);
static_assert(std::is_same_v<decltype(std::declval<const Entry&>().outside()), const void*>);
static_assert(!std::is_constructible_v<HashEditor, Allocator&, const HashKey&, const HashLimits&,
                                       const Entry&>);

struct KeyspaceTest : testing::Test, Subject {
  uint64_t hash(std::string_view key) { return keys.hash(key); }
  const Entry* read(std::string_view key) { return keys.read(0, key, hash(key), true); }
};

TEST_F(KeyspaceTest, ReadsAreCountedAndSetTheClock) {
  set("a", "1");
  const uint32_t made = read("a")->fine_access();
  pass_ms(5'000);
  keys.cron();
  EXPECT_EQ(keys.peek(0, "a", hash("a"))->fine_access(), made);
  EXPECT_EQ(keys.read(0, "a", hash("a"), false)->fine_access(), made);
  EXPECT_EQ(keys.touch(0, "a", hash("a"), false)->fine_access(), made);
  EXPECT_EQ(stats.keyspace_hits, 2U);
  EXPECT_EQ(keys.touch(0, "a", hash("a"), true)->fine_access(), made + 5 * 8);
  EXPECT_EQ(stats.keyspace_hits, 2U);
  EXPECT_EQ(keys.clock().idle_ms(*read("a")), 0);

  EXPECT_EQ(read("b"), nullptr);
  EXPECT_EQ(keys.touch(0, "b", hash("b"), true), nullptr);
  EXPECT_EQ(keys.write(0, "b", hash("b"), true), nullptr);
  EXPECT_EQ(keys.peek(0, "b", hash("b")), nullptr);
  EXPECT_EQ(stats.keyspace_misses, 1U);
}

TEST_F(KeyspaceTest, AnExpiredKeyIsRemovedAndTold) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "1", now_ms() + 10);
  pass_ms(10);
  EXPECT_NE(read("a"), nullptr) << "a key lives through the millisecond of its deadline";
  pass_ms(1);
  EXPECT_EQ(read("a"), nullptr);
  EXPECT_FALSE(there("a"));
  EXPECT_EQ(witness.take(), "changed 0 a\nexpired 0 a\n");
  EXPECT_NE(take_effects().find("\r\nDEL\r\n"), std::string::npos);
  EXPECT_EQ(stats.expired_keys, 1U);
  EXPECT_EQ(stats.keyspace_misses, 1U);
}

TEST_F(KeyspaceTest, WhereAnotherNodeDecidesAnExpiredKeyIsHiddenAndStays) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "1", now_ms() + 10);
  keys.removal().set_decides(false);
  pass_ms(11);
  EXPECT_EQ(read("a"), nullptr);
  EXPECT_EQ(keys.write(0, "a", hash("a"), true), nullptr);
  EXPECT_TRUE(there("a"));
  EXPECT_EQ(witness.take() + take_effects(), "");
  keys.removal().set_decides(true);
  EXPECT_EQ(keys.peek(0, "a", hash("a")), nullptr);
  EXPECT_FALSE(there("a"));
}

// What a file or a primary says was true when it was made: a deadline that has passed meanwhile
// removes nothing.
TEST_F(KeyspaceTest, NothingExpiresWhileEffectsAreApplied) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "1", now_ms() + 10);
  pass_ms(1'000);
  keys.set_applying(true);
  EXPECT_TRUE(keys.applying());
  EXPECT_NE(read("a"), nullptr);
  set("late", "1", now_ms() - 500);
  EXPECT_NE(keys.peek(0, "late", hash("late")), nullptr);
  EXPECT_NE(keys.write(0, "late", hash("late"), true), nullptr);
  EXPECT_FALSE(keys.removal().decides());
  EXPECT_EQ(witness.take() + take_effects(), "");
  EXPECT_EQ(stats.expired_keys, 0U);
  keys.set_applying(false);
  EXPECT_EQ(read("a"), nullptr);
  EXPECT_EQ(read("late"), nullptr);
  EXPECT_FALSE(there("a") || there("late"));
  EXPECT_EQ(stats.expired_keys, 2U);
}

// Memory of a new database is summed anew with its first key, also when it has taken the place of
// one that was flushed.
TEST_F(KeyspaceTest, TheFirstKeyOfADatabaseIsAboveItsMark) {
  const auto above = [this](int db) { return keys.database(db).allocator().above_mark(); };
  EXPECT_FALSE(above(0));
  set("a", "1");
  EXPECT_TRUE(above(0));
  keys.database(0).allocator().set_mark(keys.database(0).used_bytes(), 1'000'000);
  set("b", "1");
  EXPECT_FALSE(above(0));
  for (const bool lazy : {false, true}) {
    keys.flush(lazy ? 0 : -1, lazy);
    EXPECT_FALSE(above(0));
    set("a", "1");
    EXPECT_TRUE(above(0)) << lazy;
  }
}

TEST_F(KeyspaceTest, OnlyThoseWhoListenAreTold) {
  Witness first;
  Witness second;
  keys.feed().modified(0, "a", '$', "set");
  keys.feed().set_listening(first, true);
  keys.feed().set_listening(first, true);
  keys.feed().modified(0, "b", '$', "set");
  keys.feed().set_listening(second, true);
  keys.feed().set_listening(first, false);
  keys.feed().set_listening(first, false);
  keys.feed().modified(1, "c", '$', "set");
  keys.feed().announce(1, "c", 't', "xtrim");  // not a further change
  EXPECT_EQ(first.take(), "changed 0 b\n");
  EXPECT_EQ(second.take(), "changed 1 c\n");
}

TEST_F(KeyspaceTest, TheGateKnowsWhichKeysWereWritten) {
  gate.open_source("file", 0);
  keys.feed().modified(0, "a", '$', "set");
  gate.entry_ended(10);
  EXPECT_EQ(gate.need_of(keys.gate_key(0, "a")), 10U);
  EXPECT_EQ(gate.need_of(keys.gate_key(1, "a")), 0U);
  EXPECT_EQ(gate.need_of(keys.gate_key(0, "b")), 0U);
  keys.flush(-1, false);
  gate.entry_ended(20);
  EXPECT_EQ(gate.need_of(keys.gate_key(0, "b")), 20U);
  keys.swap(0, 1);
  gate.entry_ended(30);
  EXPECT_EQ(gate.need_of(keys.gate_key(0, "b")), 30U);
}

TEST_F(KeyspaceTest, EvictedKeysAreTold) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "1", 0, 3);
  keys.removal().evict(3, "a");
  EXPECT_FALSE(there("a", 3));
  EXPECT_EQ(witness.take(), "changed 3 a\nevicted 3 a\n");
  EXPECT_EQ(stats.evicted_keys, 1U);
}

TEST_F(KeyspaceTest, SwappedDatabasesAreTold) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "1", 0, 2);
  keys.swap(2, 5);
  EXPECT_TRUE(there("a", 5));
  EXPECT_FALSE(there("a", 2));
  EXPECT_EQ(witness.take(), "database 2 \ndatabase 5 \n");
}

TEST_F(KeyspaceTest, LargeDatabasesAreFreedElsewhere) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "1");
  set("b", "1", 0, 1);
  EXPECT_EQ(keys.flush(0, false), 1U);
  EXPECT_EQ(keys.reclaim().objects(), 0U);
  EXPECT_EQ(witness.take(), "database 0 \nflushed\n");
  EXPECT_EQ(keys.flush(-1, true), 1U);
  EXPECT_EQ(keys.reclaim().objects(), 1U);
  EXPECT_EQ(witness.take(), "database 1 \nflushed\n");
  for (int i = 0; i < 1001; ++i) set("key:" + std::to_string(i), "1");
  EXPECT_EQ(keys.flush(-1, false), 1001U);
  EXPECT_EQ(keys.reclaim().objects(), 1002U) << "until another thread has freed them";
}

// --- parts that expire

struct PartsTest : KeyspaceTest {
  // A hash of which `expiring` fields expire in 10 ms.
  void make_hash(std::string_view key, int fields, int expiring) {
    Database& db = keys.database(0);
    const HashLimits limits;
    HashEditor hash_editor(db.allocator(), keys.hash_key(), limits);
    for (int i = 0; i < fields; ++i) {
      hash_editor.set("f" + std::to_string(i), "v", i < expiring ? now_ms() + 10 : kNeverExpires);
    }
    db.insert_value(key, hash(key), Type::hash, hash_editor.encoding(), hash_editor.value());
  }
  const Entry& hash_of(std::string_view key) { return *keys.peek(0, key, hash(key)); }
};

TEST_F(PartsTest, ExpiredPartsAreRemovedAndTold) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  make_hash("h", 3, 2);
  EXPECT_TRUE(keys.removal().expire_parts(0, hash_of("h"), 10));
  EXPECT_EQ(witness.take(), "");
  pass_ms(11);
  EXPECT_TRUE(keys.removal().expire_parts(0, hash_of("h"), 1));
  EXPECT_EQ(witness.take(), "changed 0 h\nparts 0 h\nf0\n");
  EXPECT_TRUE(keys.removal().expire_parts(0, hash_of("h"), 10));
  EXPECT_EQ(witness.take(), "changed 0 h\nparts 0 h\nf1\n");
  EXPECT_EQ(HashView(hash_of("h")).size(), 1U);
  EXPECT_EQ(keys.database(0).expiring_parts().count(), 0U);
  EXPECT_EQ(stats.expired_parts, 2U);
}

TEST_F(PartsTest, AValueWithoutPartsGoes) {
  make_hash("h", 2, 2);
  pass_ms(11);
  EXPECT_FALSE(keys.removal().expire_all_parts(0, hash_of("h")));
  EXPECT_FALSE(there("h"));
  EXPECT_NE(take_effects().find("HDEL"), std::string::npos);
}

TEST_F(PartsTest, WhereDataStandsStillPartsStay) {
  make_hash("h", 2, 2);
  keys.removal().set_decides(false);
  pass_ms(11);
  EXPECT_TRUE(keys.removal().expire_all_parts(0, hash_of("h")));
  EXPECT_EQ(HashView(hash_of("h")).size(), 2U);
}

TEST_F(PartsTest, ATransactionThatMayBeUndoneRemovesOnlyWhatItKeeps) {
  make_hash("h", 2, 1);
  pass_ms(11);
  keys.begin_rollback();
  EXPECT_TRUE(keys.removal().expire_parts(0, hash_of("h"), 10));
  EXPECT_EQ(HashView(hash_of("h")).size(), 2U);
  keys.rollback()->keep(0, "h");
  EXPECT_TRUE(keys.removal().expire_parts(0, hash_of("h"), 10));
  EXPECT_EQ(HashView(hash_of("h")).size(), 1U);
  keys.undo_rollback();
  EXPECT_EQ(HashView(hash_of("h")).size(), 2U);
}

// --- transactions

TEST_F(KeyspaceTest, WhatATransactionDidIsToldWhenItHasSucceeded) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("gone", "1", now_ms() + 10);
  pass_ms(11);
  keys.begin_rollback();
  keys.rollback()->keep(0, "a");
  set("a", "1");
  keys.count_changes(1);
  keys.feed().modified(0, "a", '$', "set");
  EXPECT_EQ(read("gone"), nullptr);
  EXPECT_EQ(witness.take(), "");
  keys.commit_rollback();
  EXPECT_EQ(witness.take(), "changed 0 a\nchanged 0 gone\nexpired 0 gone\n");
  EXPECT_EQ(keys.changes(), 1U);
  EXPECT_EQ(keys.rollback(), nullptr);
}

TEST_F(KeyspaceTest, WhatIsUndoneIsNeverTold) {
  Witness witness;
  keys.feed().set_listening(witness, true);
  set("a", "before", now_ms() + 1'000);
  set("gone", "1", now_ms() + 10);
  pass_ms(11);
  keys.begin_rollback();
  for (const std::string_view key : {"a", "b"}) keys.rollback()->keep(0, key);
  set("a", "after");
  keys.feed().modified(0, "a", '$', "set");
  set("b", "new");
  keys.feed().modified(0, "b", '$', "set");
  keys.count_changes(2);
  EXPECT_EQ(read("gone"), nullptr);
  keys.undo_rollback();
  EXPECT_EQ(witness.take(), "");
  EXPECT_EQ(keys.changes(), 0U);
  EXPECT_FALSE(there("b"));
  EXPECT_TRUE(there("gone")) << "it comes back, and expires again";
  StringScratch scratch;
  EXPECT_EQ(string_value(*read("a"), scratch), "before");
  EXPECT_TRUE(read("a")->has_expiry());
}

// --- the access clock

TEST_F(KeyspaceTest, UnderLrmOnlyChangesCountAsUse) {
  settings.maxmemory_policy = EvictionPolicy::allkeys_lrm;
  keys.settings_changed();
  set("a", "1");
  const uint32_t made = keys.peek(0, "a", hash("a"))->fine_access();
  pass_ms(10'000);
  keys.cron();
  EXPECT_EQ(read("a")->fine_access(), made);
  keys.feed().modified(0, "a", '$', "append");
  EXPECT_EQ(read("a")->fine_access(), made + 80);
}

TEST_F(KeyspaceTest, UnderLfuReadsAreCounted) {
  settings.maxmemory_policy = EvictionPolicy::allkeys_lfu;
  keys.settings_changed();
  set("a", "1");
  const int before = keys.clock().frequency(*keys.peek(0, "a", hash("a")));
  for (int i = 0; i < 1'000; ++i) read("a");
  EXPECT_GT(keys.clock().frequency(*keys.peek(0, "a", hash("a"))), before);
}

}  // namespace
}  // namespace redoubt
