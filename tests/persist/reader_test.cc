// What is refused, where and with which words; and what stands beside keys.
#include "engine/persist/rdb/reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "engine/persist/rdb/crc64.h"
#include "engine/persist/rdb/json.h"
#include "engine/persist/rdb/output.h"
#include "engine/store/stream_type.h"
#include "engine/store/string_type.h"
#include "tests/persist/rdb_files.h"
#include "tests/store/random_hash_key.h"

namespace redoubt {
namespace {

using namespace std::string_literals;

std::string little(uint64_t value, size_t bytes = 8) {
  return {reinterpret_cast<const char*>(&value), bytes};
}

// With an end and a checksum.
std::string finished(std::string file) {
  file += '\xff';
  return file + little(crc64(0, file));
}

std::string file_of(std::string_view body, std::string_view magic = "REDIS0010") {
  return finished(std::string(magic) + std::string(body));
}

// How a file is read; "" for a file with which nothing is wrong.
std::string problem(std::string_view file, const RdbReaderOptions& options = {}) {
  const HashKey hash_key = make_hash_key();
  std::string first;
  for (const size_t chunk : {SIZE_MAX, size_t{1}, size_t{5}}) {
    LoadedFile loaded(hash_key);
    const bool whole = loaded.load(file, chunk, chunk == 5 ? 1 : 1000, {}, options);
    const std::string text =
        whole ? "" : loaded.error.text + " at " + std::to_string(loaded.error.offset);
    if (chunk == SIZE_MAX) {
      first = text;
    } else {
      EXPECT_EQ(text, first) << "in chunks of " << chunk;
    }
  }
  return first;
}

TEST(RdbReader, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem(""), "the file ends too early at 0");
  EXPECT_EQ(problem("REDIX0010"), "no RDB file: it does not begin like one at 0");
  EXPECT_EQ(problem("REDIS00x0"), "no RDB file: its version is no number at 0");
  EXPECT_EQ(problem("REDIS0016"), "an RDB version that is not known here at 0");
  EXPECT_EQ(problem("REDIS0000"), "an RDB version that is not known here at 0");
  EXPECT_EQ(problem("VALKEY081"), "an RDB version that is not known here at 0");
  EXPECT_EQ(problem("REDIS0010\0\1a\1"s), "the file ends too early at 13");
  EXPECT_EQ(problem("REDIS0010\xff"s), "the file ends too early at 10");
  EXPECT_EQ(problem("REDIS0010\xff"s + little(1)), "the checksum is not that of the file at 10");
  EXPECT_EQ(problem(file_of("\xfe\x10")), "a database that is not there at 9");
  EXPECT_EQ(problem(file_of("\0\1a\1b\0\1a\1c"s)), "a key that is there twice, in key 'a' at 14");
  EXPECT_EQ(problem(file_of("\x63\1a\1b")), "an unknown type, in key 'a' at 9");
  EXPECT_EQ(problem(file_of("\xc8\1a\1b")), "an unknown type, in key 'a' at 9");
  EXPECT_EQ(problem(file_of("\xf3\1a")), "an unknown type at 9");
  EXPECT_EQ(problem(file_of("\xf6\1a")),
            "a function in the form of before Redis 7.0's release at 9");
  EXPECT_EQ(problem(file_of("\0\x82"s)), "a byte that begins no length at 9");
  EXPECT_EQ(problem(file_of("\0\1\xff\xc4"s)), "an unknown form of string, in key '\\xff' at 12");
  EXPECT_EQ(problem(file_of("\2\1s\2\1x\1x")), "an element that is there twice, in key 's' at 15");
  EXPECT_EQ(problem(file_of("\5\1z\1\1m"s + little(0x7ff8000000000000))),
            "a score that is not a number, in key 'z' at 13");
  EXPECT_EQ(problem(file_of("\3\1z\1\1m\xfd")), "a score that is not a number, in key 'z' at 13");
  EXPECT_EQ(problem(file_of("\3\1z\1\1m\2x1")), "a score that is not a number, in key 'z' at 13");
  EXPECT_EQ(problem(file_of("\x12\1l\1\3\1x")), "an unknown kind of list node, in key 'l' at 13");
  EXPECT_EQ(problem(file_of("\x12\1l\1\1\0"s)), "a list node without bytes, in key 'l' at 13");
  EXPECT_EQ(problem(file_of("\x10\1h\x07\1\0\0\0\0\0\xff"s)),
            "a damaged block of elements, in key 'h' at 12");
}

TEST(RdbReader, LooksAtBlocksAsAWhole) {
  // A hash of three elements; a set with a member twice; scores that are none.
  EXPECT_EQ(problem(file_of("\x10\1h\x0d\x0d\0\0\0\3\0\1\1\2\1\3\1\xff"s)),
            "a block with the wrong number of elements, in key 'h' at 12");
  EXPECT_EQ(problem(file_of("\x14\1s\x0d\x0d\0\0\0\3\0\1\1\2\1\1\1\xff"s, "REDIS0011")),
            "an element that is there twice, in key 's' at 26");
  EXPECT_EQ(problem(file_of("\x11\1z\x0c\x0c\0\0\0\2\0\1\1\x81x\2\xff"s)),
            "a score that is not a number, in key 'z' at 25");
  // An intset out of order, and a ziplist whose entries do not say where they begin.
  EXPECT_EQ(problem(file_of("\x0b\1i\x0c\2\0\0\0\2\0\0\0\5\0\4\0"s)),
            "a damaged block of elements, in key 'i' at 12");
  EXPECT_EQ(problem(file_of("\x0a\1l\x0f\x0f\0\0\0\x0c\0\0\0\2\0\0\xf2\3\xf3\xff"s)),
            "a damaged block of elements, in key 'l' at 12");
  EXPECT_EQ(problem(file_of("\x0a\1l\x0f\x0f\0\0\0\x0c\0\0\0\2\0\0\xf2\2\xf3\xff"s)), "");
}

TEST(RdbReader, HostileLengthsTakeNoMemory) {
  const HashKey hash_key = make_hash_key();
  const std::string huge = "\x81\x3f\xff\xff\xff\xff\xff\xff\xff"s;
  for (const std::string& body :
       {"\1\1l" + huge, "\2\1s" + huge, "\4\1h" + huge, "\5\1z" + huge, "\x0e\1l" + huge,
        "\x12\1l" + huge, "\x0f\1x" + huge, "\xfb" + huge + huge, "\x18\1h" + little(1) + huge,
        "\x13\1x\0\0\0\0\0\0\0\0\0"s + huge, "\x13\1x\0\0\0\0\0\0\0\0\0\1\1g\0\0\0"s + huge}) {
    LoadedFile loaded(hash_key);
    EXPECT_FALSE(loaded.load("REDIS0012" + body, SIZE_MAX, 100));
    EXPECT_EQ(loaded.error.text, "the file ends too early");
    EXPECT_LT(loaded.databases[0]->used_bytes(), 20'000u);
  }
  // A string that claims to be longer than compression can make it, and one that is too long.
  EXPECT_EQ(problem(file_of("\0\1k\xc3\5\x80\x7f\xff\xff\xff"
                            "12345"s)),
            "a compressed string that claims to be longer than it can be, in key 'k' at 12");
  EXPECT_EQ(problem(file_of("\0\1k"s + huge)), "a string that is too long, in key 'k' at 12");
}

// The names of a node stand once in a file: entries that have them must not become as long each.
TEST(RdbReader, NamesOfStreamEntriesAreNotRepeated) {
  constexpr int64_t kEntries = 5000;
  const std::string name(60'000, 'n');
  std::string node(Listpack::kHeaderBytes, '\0');
  size_t elements = 0;
  const auto add = [&](auto value) {
    Listpack::append_encoded(node, value);
    ++elements;
  };
  // The first entry, which has another name, or is deleted.
  for (const int64_t first_flags : {0, 3}) {
    node.assign(Listpack::kHeaderBytes, '\0');
    elements = 0;
    add(first_flags == 0 ? kEntries + 1 : kEntries);
    add(int64_t{first_flags == 0 ? 0 : 1});
    add(int64_t{1});
    add(std::string_view(name));
    add(int64_t{0});
    add(first_flags);
    add(int64_t{0});
    add(int64_t{0});
    if (first_flags == 0) {
      add(int64_t{1});
      add(std::string_view("other"));
    }
    add(int64_t{1});
    add(int64_t{first_flags == 0 ? 6 : 4});
    for (int64_t i = 1; i <= kEntries; ++i) {
      for (const int64_t number : {int64_t{2}, i, int64_t{0}, int64_t{7}, int64_t{4}}) add(number);
    }
    Listpack::finish_encoded(node, elements);
    RdbOutput out(false);
    out.raw("REDIS0009\x0f\1s\1\x10"s);
    out.id_of_bytes({0, 1});
    out.blob(node);
    const auto length = static_cast<uint64_t>(first_flags == 0 ? kEntries + 1 : kEntries);
    out.length(length);
    out.id_of_lengths({kEntries, 1});
    out.length(0);
    const HashKey hash_key = make_hash_key();
    LoadedFile loaded(hash_key);
    const std::string file = finished(out.bytes());
    ASSERT_TRUE(loaded.load(file, SIZE_MAX, 100)) << loaded.error.text;
    EXPECT_LT(loaded.databases[0]->used_bytes(), 3 * file.size());
    const Entry* entry = loaded.databases[0]->find("s", loaded.databases[0]->hash("s"));
    EXPECT_EQ(stream_of(*entry).length(), length);
  }
}

TEST(RdbReader, TheVersionSaysWhatANumberMeans) {
  const std::string old = "\x16\1h\1\5\1f\1v"s;
  const std::string valkey = "\x16\1h\1\1f\1v" + little(UINT64_MAX);
  EXPECT_EQ(problem(file_of(old, "REDIS0012")), "");
  EXPECT_EQ(problem(file_of(valkey, "VALKEY080")), "");
  EXPECT_NE(problem(file_of(old, "VALKEY080")), "");
  EXPECT_EQ(problem(file_of("\x18\1h" + little(1) + "\1\5\1f\1v"s, "VALKEY080")),
            "an unknown type, in key 'h' at 9");
  const std::string import = "\xf3\3job\1\5\6"s;
  EXPECT_EQ(problem(file_of(import, "VALKEY080")), "");
  const std::string meta = "\xf3\1\1\2\3\4\2\7\0\0\1k\1v"s;
  EXPECT_EQ(problem(file_of(meta, "REDIS0013"), {.skip_modules = true}), "");
  EXPECT_EQ(problem(file_of(meta, "REDIS0013")), "data of a module that is not there at 9");
}

// Values keep 0 for none.
TEST(RdbReader, ADeadlineOfZeroIsOneThatIsOver) {
  const HashKey hash_key = make_hash_key();
  LoadedFile loaded(hash_key);
  const std::string set = "\xc8\1s\1\1m" + little(0);
  ASSERT_TRUE(loaded.load(file_of("\x18\1h" + little(0) + "\1\1\1f\1v"s + set, "REDOUBT01"), 1, 1));
  Database& database = *loaded.databases[0];
  RdbKey key;
  EXPECT_EQ(
      rdb_json_line(key, *database.find("h", database.hash("h"))),
      "{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":[[\"f\",\"v\"]],\"expire_ms\":null,"
      "\"field_expire_ms\":[[\"f\",1]]}");
  EXPECT_EQ(rdb_json_line(key, *database.find("s", database.hash("s"))),
            "{\"db\":0,\"key\":\"s\",\"type\":\"set\",\"value\":[\"m\"],\"expire_ms\":null,"
            "\"field_expire_ms\":[[\"m\",1]]}");
}

TEST(RdbReader, ChecksumsAndWhatStandsBehindThem) {
  const HashKey hash_key = make_hash_key();
  const std::string body = "\0\1a\1b"s;
  std::string damaged = file_of(body);
  damaged[13] ^= 1;
  EXPECT_NE(problem(damaged), "");
  EXPECT_EQ(problem(damaged, {.verify_checksum = false}), "");
  // Version 4 has none, and 0 stands for none.
  EXPECT_EQ(problem("REDIS0004" + body + "\xff"), "");
  EXPECT_EQ(problem("REDIS0010" + body + "\xff" + little(0)), "");
  for (const size_t chunk : {SIZE_MAX, size_t{3}}) {
    LoadedFile loaded(hash_key);
    EXPECT_TRUE(loaded.load(file_of(body) + "*1\r\n$4\r\nPING\r\n", chunk, 100));
    EXPECT_EQ(loaded.rest, "*1\r\n$4\r\nPING\r\n");
  }
}

TEST(RdbReader, ModulesAreRefusedOrPassedOver) {
  const std::string value = "\7\1m\1\2\5\1\6\3" + little(0, 4) + "\4" + little(0) + "\5\2ab\0"s;
  const std::string aux = "\xf7\1\2\2\2\7\0"s;
  EXPECT_EQ(problem(file_of(value)), "a value of a module that is not there, in key 'm' at 9");
  EXPECT_EQ(problem(file_of(aux)), "data of a module that is not there at 9");
  const HashKey hash_key = make_hash_key();
  LoadedFile loaded(hash_key);
  EXPECT_TRUE(loaded.load(file_of(aux + value + "\0\1k\1v"s), 1, 1, {}, {.skip_modules = true}));
  EXPECT_EQ(loaded.databases[0]->size(), 1u);
  EXPECT_EQ(loaded.skipped_keys, std::vector<std::string>{"m"});
  EXPECT_EQ(problem(file_of("\7\1m\1\2\5\7\7"), {.skip_modules = true}),
            "an unknown part of a module's data, in key 'm' at 15");
}

// What is asked and told, as lines.
class Recorder final : public RdbListener {
 public:
  explicit Recorder(const HashKey& hash_key) : database_(hash_key) {}

  Database* database(uint64_t index) override {
    log += "database " + std::to_string(index) + "\n";
    return &database_;
  }
  void sizes(uint64_t keys, uint64_t expiring) override {
    log += "sizes " + std::to_string(keys) + " " + std::to_string(expiring) + "\n";
  }
  bool keeps(const RdbKey& key) override {
    log += "keeps " + about(key) + "\n";
    return key.expiry_ms.value_or(INT64_MAX) > 100;
  }
  bool replaces(const RdbKey& key) override {
    log += "replaces " + about(key) + "\n";
    return true;
  }
  void loaded(const RdbKey& key, Database& database) override {
    const Entry* entry = database.find(key.name, key.hash);
    log += rdb_json_line(key, *entry) + "\n";
  }
  void aux(std::string_view name, std::string_view value) override {
    log += "aux " + std::string(name) + "=" + std::string(value) + "\n";
  }
  void function(std::string_view source) override {
    log += "function " + std::string(source) + "\n";
  }

  std::string log;

 private:
  static std::string about(const RdbKey& key) {
    std::string text(key.name);
    if (key.expiry_ms) text += " until " + std::to_string(*key.expiry_ms);
    if (key.idle_s) text += " idle " + std::to_string(*key.idle_s);
    if (key.frequency) text += " used " + std::to_string(*key.frequency);
    return text;
  }

  Database database_;
};

TEST(RdbReader, TellsItsListenerOfEverything) {
  const std::string file = file_of(
      "\xfa\3ver\xc0\7\xf5\2#!\xfe\3\xfb\2\1"
      "\xfc"s +
      little(100) + "\xf8\5\0\1a\1b"s + "\xfc" + little(200) + "\xf9\6\0\1a\1b"s +
      "\2\1a\1\1x\xfd"s + little(1, 4) + "\0\1t\1u"s);
  const HashKey hash_key = make_hash_key();
  for (const size_t chunk : {file.size(), size_t{1}}) {
    Recorder recorder(hash_key);
    RdbReader reader(recorder, hash_key, RdbLimits{}, {});
    RdbReader::Status status = RdbReader::Status::needs_bytes;
    for (size_t at = 0; status != RdbReader::Status::done; at += chunk) {
      reader.feed(std::string_view(file).substr(at, chunk));
      size_t budget = 1000;
      status = reader.step(budget);
      ASSERT_NE(status, RdbReader::Status::failed) << reader.error().text;
    }
    EXPECT_EQ(reader.offset(), file.size());
    EXPECT_EQ(reader.keys(), 3u);
    EXPECT_EQ(recorder.log,
              "aux ver=7\n"
              "function #!\n"
              "database 3\n"
              "sizes 2 1\n"
              "keeps a until 100 idle 5\n"
              "keeps a until 200 used 6\n"
              "{\"db\":3,\"key\":\"a\",\"type\":\"string\",\"value\":\"b\",\"expire_ms\":200,"
              "\"freq\":6}\n"
              "keeps a\n"
              "replaces a\n"
              "{\"db\":3,\"key\":\"a\",\"type\":\"set\",\"value\":[\"x\"],\"expire_ms\":null}\n"
              "keeps t until 1000\n"
              "{\"db\":3,\"key\":\"t\",\"type\":\"string\",\"value\":\"u\",\"expire_ms\":1000}\n");
  }
}

TEST(RdbReader, AStepDoesNoMoreThanItsBudget) {
  std::string body = "\2\1s\x80\0\0\x27\x10"s;
  for (int i = 0; i < 10'000; ++i) body += "\xc1" + little(i, 2);
  const std::string file = file_of(body);
  const HashKey hash_key = make_hash_key();
  LoadedFile loaded(hash_key);
  RdbReader reader(loaded, hash_key, RdbLimits{}, {});
  reader.feed(file);
  uint64_t before = 0;
  for (;;) {
    size_t budget = 10;
    const RdbReader::Status status = reader.step(budget);
    EXPECT_LE(reader.offset() - before, 60u);
    before = reader.offset();
    if (status == RdbReader::Status::done) break;
    ASSERT_EQ(status, RdbReader::Status::more_steps);
  }
  EXPECT_EQ(reader.keys(), 1u);
}

TEST(RdbReader, ALargeStringDoesNotWaitInTheBuffer) {
  const std::string value(3'000'000, 'v');
  const std::string file = file_of("\0\1k\x80\0\x2d\xc6\xc0"s + value);
  const HashKey hash_key = make_hash_key();
  LoadedFile loaded(hash_key);
  RdbReader reader(loaded, hash_key, RdbLimits{}, {});
  for (std::string_view left = file; !left.empty();
       left.remove_prefix(std::min<size_t>(left.size(), 65536))) {
    reader.feed(left.substr(0, 65536));
    size_t budget = 100'000;
    ASSERT_NE(reader.step(budget), RdbReader::Status::failed);
    EXPECT_EQ(reader.rest().size(), 0u);
  }
  const Entry* entry = loaded.databases[0]->find("k", loaded.databases[0]->hash("k"));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(string_length(*entry), value.size());
}

}  // namespace
}  // namespace redoubt
