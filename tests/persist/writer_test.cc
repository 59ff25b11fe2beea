// Which forms hold which values, and that payloads and files of any size of value come back.
#include "engine/persist/rdb/writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/persist/rdb/crc64.h"
#include "engine/persist/rdb/payload.h"
#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/stream_progress.h"
#include "engine/store/stream_type.h"
#include "engine/store/type_ops.h"
#include "engine/store/zset.h"
#include "tests/persist/rdb_files.h"
#include "tests/store/random_hash_key.h"

namespace redoubt {
namespace {

using namespace std::string_literals;

// A database that is filled, written and read again.
class RdbWriterTest : public testing::Test {
 protected:
  void set_string(const std::string& key, const std::string& value) {
    database_.set_string(key, database_.hash(key), value, NewExpiry::none());
  }
  void add_set(const std::string& key, const std::vector<std::string>& members,
               int64_t deadline_ms = kNeverExpires) {
    SetEditor set(database_.allocator(), hash_key_, limits_.set);
    for (const std::string& member : members) set.add(SetMember(member));
    if (deadline_ms != kNeverExpires) set.set_deadline(members[0], deadline_ms);
    database_.insert_value(key, database_.hash(key), Type::set, set.encoding(), set.value());
  }
  void add_hash(const std::string& key, const std::vector<std::string>& fields,
                int64_t deadline_ms = kNeverExpires) {
    HashEditor hash(database_.allocator(), hash_key_, limits_.hash);
    hash.expect_fields(fields.size());
    for (const std::string& field : fields) {
      hash.set(field, "v" + field, &field == &fields[0] ? deadline_ms : kNeverExpires);
    }
    database_.insert_value(key, database_.hash(key), Type::hash, hash.encoding(), hash.value());
  }
  void add_zset(const std::string& key, const std::vector<std::string>& members) {
    Zset zset(database_.allocator(), hash_key_, limits_.zset);
    double score = -5;
    for (const std::string& member : members) zset.set(member, score += 0.25);
    database_.insert_value(key, database_.hash(key), Type::zset, zset.encoding(), zset.payload());
  }
  void add_list(const std::string& key, const std::vector<std::string>& elements) {
    Entry* entry = database_.insert_value(key, database_.hash(key), Type::list, Encoding::listpack,
                                          Listpack::make(database_.allocator()));
    List list(database_.allocator(), *entry, limits_.list_fill);
    for (const std::string& element : elements) {
      list.before_growth(1, element.size());
      list.push(ListEnd::back, element);
    }
  }
  Stream& add_stream(const std::string& key) {
    return stream_of(*database_.insert_value(key, database_.hash(key), Type::stream,
                                             Encoding::stream,
                                             Stream::make(database_.allocator())));
  }

  std::vector<Snapshot::Source> sources() { return {{0, &database_}}; }
  std::string digest() const {
    Digest digest;
    database_.digest(digest, 0);
    return digest.hex();
  }
  // Writes and reads; also each value as a payload.
  void expect_same(const RdbWriterOptions& options = {}) {
    for (const size_t whole_parts : {size_t{1} << 30, size_t{8}}) {
      const SnapshotLimits limits{.whole_parts = whole_parts,
                                  .whole_bytes = whole_parts == 8 ? 1000 : SIZE_MAX};
      std::string error;
      const std::string file = written_file(sources(), options, limits, &error);
      ASSERT_EQ(error, "");
      LoadedFile loaded(hash_key_);
      ASSERT_TRUE(loaded.load(file, 1000, 100)) << loaded.error.text;
      ASSERT_EQ(loaded.difference(0, database_), "");
      ASSERT_EQ(loaded.digest(), digest());
    }
    database_.dict().for_each([&](Entry& entry) {
      const std::optional<std::string> payload = dump_payload(entry, options.compress);
      ASSERT_TRUE(payload);
      Database other(hash_key_);
      Restored restored = restore_payload(*payload, {other.allocator(), hash_key_, limits_});
      ASSERT_EQ(restored.end, RestoreEnd::restored) << restored.error.text;
      const uint64_t hash = other.hash(entry.key());
      restored.value.store(other, entry.key(), hash, NewExpiry::none());
      Digest digests[2];
      digest_entry(entry, digests[0]);
      digest_entry(*other.find(entry.key(), hash), digests[1]);
      for (Digest& each : digests) each.end_element();
      EXPECT_EQ(digests[0].hex(), digests[1].hex()) << entry.key();
      EXPECT_EQ(other.find(entry.key(), hash)->encoding(), entry.encoding()) << entry.key();
    });
  }
  // Why a form does not hold the database; and with which magic it is written otherwise.
  std::string refused(RdbForm form) {
    std::string error;
    written_file(sources(), {.form = form}, {}, &error);
    return error;
  }
  std::string magic() {
    std::string error;
    return written_file(sources(), {.form = RdbForm::automatic}, {}, &error).substr(0, 9);
  }

  const HashKey hash_key_ = make_hash_key();
  RdbLimits limits_;
  Database database_{hash_key_};
};

TEST_F(RdbWriterTest, StringsOfAllSizes) {
  for (const size_t size :
       {0u,   1u,   11u,   12u,   20u,    21u,    44u,     45u,      63u,      64u,
        255u, 256u, 4095u, 4096u, 16383u, 16384u, 70'000u, 262'143u, 262'144u, 600'000u}) {
    set_string("same" + std::to_string(size), std::string(size, 'x'));
    std::string mixed;
    for (size_t i = 0; mixed.size() < size; ++i) mixed += std::to_string(i * 7919);
    set_string("mixed" + std::to_string(size), mixed.substr(0, size));
  }
  for (const int64_t number :
       {0L, 1L, -1L, 127L, 128L, -128L, -129L, 32767L, 32768L, -32769L, 2147483647L, 2147483648L,
        -2147483648L, -2147483649L, INT64_MAX, INT64_MIN}) {
    set_string("number" + std::to_string(number), std::to_string(number));
    set_string(std::to_string(number), "its name is a number");
  }
  for (const char* text : {"012", "+1", "-0", " 1", "1 ", "-", "99999999999"})
    set_string(text, text);
  expect_same();
  expect_same({.compress = false});
}

TEST_F(RdbWriterTest, CollectionsOfAllSizes) {
  std::vector<std::string> texts;
  std::vector<std::string> numbers;
  size_t count = 0;
  for (const size_t size : {1u, 2u, 63u, 64u, 127u, 128u, 129u, 512u, 513u, 16'500u}) {
    for (; count < size; ++count) {
      texts.push_back((count % 3 == 0 ? "member:" : "m") + std::to_string(count * count));
      numbers.push_back(std::to_string(static_cast<int64_t>(count) * 1'000'003 - 40));
    }
    const std::string name = std::to_string(size);
    add_list("list" + name, texts);
    add_list("list of numbers" + name, numbers);
    add_set("set" + name, texts);
    add_set("set of numbers" + name, numbers);
    add_hash("hash" + name, texts);
    add_zset("zset" + name, texts);
    add_zset("zset of numbers" + name, numbers);
  }
  for (const size_t size : {64u, 65u, 5000u, 9000u, 70'000u}) {
    const std::string large(size, 'l');
    const std::string name = "large" + std::to_string(size);
    add_list("list" + name, {"a", large, "b", large});
    add_set("set" + name, {"a", large});
    add_hash("hash" + name, {"a", large});
    add_zset("zset" + name, {"a", large});
  }
  expect_same();
  expect_same({.form = RdbForm::redis11, .compress = false});
  expect_same({.form = RdbForm::redoubt1});
}

TEST_F(RdbWriterTest, MoreElementsThanAHeaderCounts) {
  limits_.set.listpack_entries = limits_.hash.listpack_entries = 1'000'000;
  limits_.zset.entries_max = 1'000'000;
  // More than 65535 elements, so that none is counted.
  std::string block(Listpack::kHeaderBytes, '\0');
  for (int64_t i = 0; i < 40'000; ++i) {
    Listpack::append_encoded(block, "m" + std::to_string(100'000 + i));
    Listpack::append_encoded(block, i);
  }
  Listpack::finish_encoded(block, 80'000);
  const auto* bytes = reinterpret_cast<const uint8_t*>(block.data());
  uint8_t* made = Listpack::make(database_.allocator(), {bytes, block.size()});
  database_.insert_value("z", database_.hash("z"), Type::zset, Encoding::listpack, made);
  made = Listpack::make(database_.allocator(), {bytes, block.size()});
  database_.insert_value("h", database_.hash("h"), Type::hash, Encoding::listpack, made);
  expect_same();
}

TEST_F(RdbWriterTest, EachFormHoldsWhatItHolds) {
  set_string("s", "plain");
  EXPECT_EQ(magic(), "REDIS0010");
  for (int form = 0; form <= static_cast<int>(RdbForm::automatic); ++form) {
    EXPECT_EQ(refused(static_cast<RdbForm>(form)), "");
  }
  add_hash("h", {"f", "g"}, 5);
  EXPECT_EQ(magic(), "REDIS0012");
  EXPECT_EQ(refused(RdbForm::redis10),
            "key 'h' of database 0: hashes whose fields have deadlines cannot be written as RDB "
            "version 10");
  EXPECT_NE(refused(RdbForm::redis11), "");
  EXPECT_EQ(refused(RdbForm::redis12), "");
  EXPECT_EQ(refused(RdbForm::valkey80), "");
  expect_same({.form = RdbForm::redis12});
  expect_same({.form = RdbForm::valkey80});
  add_hash("late", {"f"}, kRedisDeadlineMax + 1);
  EXPECT_EQ(magic(), "REDOUBT01");
  EXPECT_NE(refused(RdbForm::redis12), "");
  EXPECT_EQ(refused(RdbForm::valkey80), "");
  add_set("members", {"a", "b"}, 5);
  EXPECT_EQ(refused(RdbForm::valkey80),
            "key 'members' of database 0: sets whose members have deadlines cannot be written as "
            "RDB Valkey's version 80");
  EXPECT_EQ(refused(RdbForm::redoubt1), "");
  expect_same({.form = RdbForm::automatic});
  expect_same({.form = RdbForm::redoubt1});
}

TEST_F(RdbWriterTest, DeadlinesInLargeHashesAndSets) {
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i) names.push_back("name" + std::to_string(i));
  add_hash("with", names, 1'000'000'000'000);
  add_hash("without", names);
  EXPECT_EQ(magic(), "REDIS0012");
  expect_same({.form = RdbForm::automatic});
  expect_same({.form = RdbForm::valkey80});
  add_set("set", names, 1'000'000'000'000);
  expect_same({.form = RdbForm::automatic});
}

// Deadlines that have come and gone again leave encodings, but need no newer form.
TEST_F(RdbWriterTest, WhatHasNoDeadlineAnyMoreNeedsNothingNewer) {
  add_hash("h", {"f", "g"}, 5);
  HashEditor hash(database_.allocator(), hash_key_, limits_.hash,
                  *database_.write("h", database_.hash("h")));
  hash.set_deadline("f", kNeverExpires);
  hash.store(*database_.write("h", database_.hash("h")));
  EXPECT_EQ(magic(), "REDIS0010");
  EXPECT_EQ(refused(RdbForm::redis10), "");
}

TEST_F(RdbWriterTest, Streams) {
  Stream& stream = add_stream("stream");
  const auto append = [&](uint64_t ms, uint64_t seq, std::vector<std::string_view> fields) {
    stream.append({ms, seq}, fields, {.block_bytes_max = 4096, .block_entries_max = 3});
  };
  append(5, 7, {"f", "1"});
  append(6, 0, {"f", "-129"});
  append(6, 1, {"other", "x", "more", "y"});
  append(StreamId::kMax, 0, {"f", std::string_view("a\0b", 3)});
  append(StreamId::kMax, StreamId::kMax - 1, {"f", ""});
  stream.erase({5, 7});
  expect_same();
  StreamGroup* group = stream.add_group("g", {}, StreamGroup::kUnknown);
  StreamProgress(stream).set_position(*group, {6, 1}, 3);
  StreamConsumer* one = stream.add_consumer(*group, "one", 10);
  one->active_ms = 9;
  stream.add_consumer(*group, "none", 11);
  stream.add_pending(*group, one, {6, 0}, 8)->deliveries = 1'000'000;
  stream.add_pending(*group, one, {5, 7}, 8);
  add_stream("empty");
  EXPECT_EQ(magic(), "REDIS0010");
  expect_same();
  expect_same({.form = RdbForm::redis11});
  stream.add_pending(*group, nullptr, {6, 1}, 0);
  EXPECT_EQ(refused(RdbForm::redis12),
            "key 'stream' of database 0: streams with pending entries that no consumer has cannot "
            "be written as RDB version 12");
  expect_same({.form = RdbForm::automatic});
  add_stream("sent").need_idempotency({.duration_s = 7, .maxsize = 8});
  StreamIdempotency& sent = stream.need_idempotency({.duration_s = 9, .maxsize = 2});
  for (int i = 0; i < 5; ++i) {
    sent.record(i % 2 == 0 ? "even" : "odd", std::to_string(i), {6, 1}, 1000 + i);
  }
  sent.set_duplicates(4);
  expect_same({.form = RdbForm::automatic});
  EXPECT_EQ(magic(), "REDOUBT01");
}

TEST_F(RdbWriterTest, BlocksOfStreamsStayBlocks) {
  Stream& stream = add_stream("s");
  std::vector<std::string_view> fields{"f", "v"};
  for (uint64_t i = 1; i <= 250; ++i) stream.append({i, 0}, fields, {});
  std::string error;
  const std::string file = written_file(sources(), {}, {.whole_parts = 2}, &error);
  LoadedFile loaded(hash_key_);
  ASSERT_TRUE(loaded.load(file, SIZE_MAX, SIZE_MAX));
  const Database& database = *loaded.databases[0];
  EXPECT_EQ(stream_of(*database.find("s", database.hash("s"))).block_count(), stream.block_count());
}

TEST_F(RdbWriterTest, PayloadsThatAreNone) {
  set_string("s", "value");
  const std::string good = *dump_payload(*database_.find("s", database_.hash("s")), true);
  EXPECT_EQ(good.substr(0, good.size() - 8), "\0\5value\x0a\0"s);
  const auto end_of = [&](const std::string& payload) {
    return restore_payload(payload, {database_.allocator(), hash_key_, limits_}).end;
  };
  const auto with_footer = [](std::string payload, uint16_t version) {
    payload.append(reinterpret_cast<const char*>(&version), 2);
    const uint64_t crc = crc64(0, payload);
    return payload.append(reinterpret_cast<const char*>(&crc), 8);
  };
  EXPECT_EQ(end_of(good), RestoreEnd::restored);
  EXPECT_EQ(end_of(with_footer("\0\5value"s, 10)), RestoreEnd::restored);
  for (const uint16_t version : {16, 79, 81, 0x5200, 0xFFFF}) {
    EXPECT_EQ(end_of(with_footer("\0\5value"s, version)), RestoreEnd::wrong_checksum);
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] ^= 4;
    EXPECT_EQ(end_of(damaged), RestoreEnd::wrong_checksum);
    EXPECT_EQ(end_of(good.substr(0, i)), RestoreEnd::wrong_checksum);
  }
  EXPECT_EQ(end_of(good.substr(0, good.size() - 8) + std::string(8, '\0')),
            RestoreEnd::wrong_checksum);
  for (const std::string& bad : {"\0"s, "\0\6value"s, "\0\5value!"s, "\x63\1v"s, "\2\0"s, "\7\1\0"s,
                                 "\xc8\1\1a"s + std::string(8, 1), "\xff"s}) {
    EXPECT_EQ(end_of(with_footer(bad, 10)), RestoreEnd::bad_format) << bad;
  }
}

TEST_F(RdbWriterTest, WhatStandsBesideKeys) {
  set_string("a", "1");
  database_.set_expiry("a", database_.hash("a"), 77);
  RdbWriterOptions options;
  options.aux = {{"redis-ver", "7.0.15"}, {"ctime", "5"}};
  options.functions = {"#!lua name=x\n"};
  options.sizes = {{0, 1, 1}, {3, 9, 9}};
  options.use = RdbUse::idle_s;
  options.use_of = [](const Entry&) { return 300; };
  std::string error;
  const std::string file = written_file(sources(), options, {}, &error);
  const std::string head =
      "REDIS0010\xfa\x09redis-ver\x06"
      "7.0.15\xfa\5ctime\xc0\5"
      "\xf5\x0d#!lua name=x\n\xfe\0\xfb\1\1\xfc\x4d\0\0\0\0\0\0\0"
      "\xf8\x41\x2c\0\1a\xc0\1\xff"s;
  EXPECT_EQ(file.substr(0, file.size() - 8), head);
  uint64_t told = 0;
  std::memcpy(&told, file.data() + file.size() - 8, 8);
  EXPECT_EQ(told, crc64(0, head));
  options.checksum = false;
  options.use = RdbUse::frequency;
  options.use_of = [](const Entry&) { return 255; };
  const std::string other = written_file(sources(), options, {}, &error);
  EXPECT_NE(other.find("\xf9\xff"), std::string::npos);
  EXPECT_EQ(other.substr(other.size() - 8), std::string(8, '\0'));
}

}  // namespace
}  // namespace redoubt
