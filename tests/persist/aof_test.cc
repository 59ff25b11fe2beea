// The files of the append-only log: manifest, annotations, entries.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/persist/aof/aof_check.h"
#include "engine/persist/aof/aof_entries.h"
#include "engine/persist/aof/aof_format.h"
#include "engine/persist/aof/aof_loader.h"
#include "engine/persist/aof/manifest.h"

namespace redoubt {
namespace {

using Words = std::vector<std::string>;

std::string command(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

std::string commands(const std::vector<Words>& all) {
  std::string bytes;
  for (const Words& words : all) bytes += command(words);
  return bytes;
}

// An increment with these entries, as the writer makes it.
std::string increment(const std::vector<std::string>& entries) {
  std::string file;
  append_history_line(file, std::string(40, 'a'), 1000, 1000);
  uint64_t offset = 1000;
  for (const std::string& entry : entries) {
    if (offset > 1000) append_synced_line(file, offset);
    offset += entry.size();
    append_marked_entry(file, offset, false, [&](std::string& out) { out += entry; });
  }
  return file;
}

struct Read {
  std::vector<std::vector<Words>> entries;
  std::string problem;
  bool damaged = false;
  uint64_t good_bytes = 0;
  std::string history_id;
  uint64_t offset = 0;
};

Read read(std::string_view file, size_t piece) {
  Read result;
  AofEntries entries;
  for (;;) {
    const AofEntries::Item item = entries.next();
    if (item == AofEntries::Item::need_more) {
      if (file.empty()) break;
      const std::string_view bytes = file.substr(0, piece);
      bytes.copy(entries.room(bytes.size()), bytes.size());
      entries.took(bytes.size());
      file.remove_prefix(bytes.size());
    } else if (item == AofEntries::Item::damaged) {
      result.damaged = true;
      result.problem = entries.problem();
      break;
    } else if (item == AofEntries::Item::entry) {
      result.entries.emplace_back();
      entries.for_each_command([&](std::span<const std::string_view> words) {
        result.entries.back().emplace_back(words.begin(), words.end());
        return true;
      });
    }
  }
  result.good_bytes = entries.begin();
  result.history_id = entries.history_id();
  result.offset = entries.offset();
  return result;
}

const std::vector<std::string> kEntries = {
    commands({{"SELECT", "0"}, {"SET", "a", "1"}}),
    command({"SET", "b", std::string(300, 'x')}),
    commands({{"MULTI"}, {"SET", "a", "2"}, {"DEL", "b"}, {"EXEC"}}),
    commands({{"SELECT", "3"}, {"MULTI"}, {"RPUSH", "l", ""}, {"SADD", "s", "#R:x"}, {"EXEC"}}),
    command({"HSET", "h", "f", "*1\r\n$4\r\nEXEC\r\n"}),
};

TEST(AofEntries, AreThoseThatWereWrittenInPiecesOfAnySize) {
  const std::string file = increment(kEntries);
  const Read whole = read(file, file.size());
  EXPECT_FALSE(whole.damaged);
  EXPECT_EQ(whole.good_bytes, file.size());
  EXPECT_EQ(whole.history_id, std::string(40, 'a'));
  ASSERT_EQ(whole.entries.size(), kEntries.size());
  EXPECT_EQ(whole.entries[0], (std::vector<Words>{{"SELECT", "0"}, {"SET", "a", "1"}}));
  EXPECT_EQ(whole.entries[2], (std::vector<Words>{{"SET", "a", "2"}, {"DEL", "b"}}));
  uint64_t end = 1000;
  for (const std::string& entry : kEntries) end += entry.size();
  EXPECT_EQ(whole.offset, end);
  for (size_t piece = 1; piece < 40; ++piece) {
    const Read same = read(file, piece);
    EXPECT_EQ(same.entries, whole.entries) << piece;
    EXPECT_EQ(same.good_bytes, file.size()) << piece;
  }
}

TEST(AofEntries, SayWhetherTheNodePassedOverCommands) {
  for (const bool partly_known : {false, true}) {
    std::string file;
    append_marked_entry(file, 50, partly_known,
                        [&](std::string& out) { out += command({"SET", "a", "1"}); });
    AofEntries entries;
    file.copy(entries.room(file.size()), file.size());
    entries.took(file.size());
    ASSERT_EQ(entries.next(), AofEntries::Item::entry);
    EXPECT_EQ(entries.partly_known(), partly_known);
    EXPECT_EQ(entries.entry_end_offset(), 50);
  }
}

TEST(AofEntries, OfACutFileAreThoseThatAreWhole) {
  const std::string file = increment(kEntries);
  const Read whole = read(file, file.size());
  for (size_t size = 0; size < file.size(); ++size) {
    const Read cut = read(std::string_view(file).substr(0, size), 64);
    EXPECT_FALSE(cut.damaged) << size << ": " << cut.problem;
    ASSERT_LE(cut.entries.size(), whole.entries.size());
    EXPECT_TRUE(std::equal(cut.entries.begin(), cut.entries.end(), whole.entries.begin())) << size;
    EXPECT_LE(cut.good_bytes, size);
    // What is behind is what is read when it is there.
    const Read again = read(std::string_view(file).substr(0, cut.good_bytes), 64);
    EXPECT_EQ(again.entries, cut.entries);
    EXPECT_EQ(again.good_bytes, cut.good_bytes);
  }
}

std::vector<Words> flat(const Read& seen) {
  std::vector<Words> all;
  for (const std::vector<Words>& entry : seen.entries) {
    all.insert(all.end(), entry.begin(), entry.end());
  }
  return all;
}

// Whatever byte is damaged, nothing is read that was not written. A mark whose line is damaged may
// count as another annotation: then its entry is one without a mark, and SELECT one by itself.
TEST(AofEntries, DamageIsFoundOrChangesNothing) {
  const std::string file = increment(kEntries);
  const std::vector<Words> whole = flat(read(file, file.size()));
  size_t found = 0;
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int bit : {0, 3, 6}) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const std::vector<Words> seen = flat(read(damaged, 4096));
      ASSERT_LE(seen.size(), whole.size()) << "byte " << at << " bit " << bit;
      EXPECT_TRUE(std::equal(seen.begin(), seen.end(), whole.begin()))
          << "byte " << at << " bit " << bit;
      found += seen.size() < whole.size() ? 1 : 0;
    }
  }
  EXPECT_GT(found, file.size() * 2) << "most of the bytes matter";
}

RC_GTEST_PROP(AofEntries, GarbageIsNoReasonToFall, (const std::string& garbage)) {
  const std::string file = increment({kEntries[0]}) + garbage;
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}}) {
    const Read seen = read(file, piece);
    RC_ASSERT(!seen.entries.empty());
    RC_ASSERT(seen.good_bytes <= file.size());
  }
}

TEST(AofEntries, AnEntryThatComesTwiceIsDamage) {
  const std::string file = increment({kEntries[0], kEntries[1]});
  const size_t second = file.find("#S:");
  const Read seen = read(file + file.substr(second), 4096);
  EXPECT_TRUE(seen.damaged);
  EXPECT_EQ(seen.entries.size(), 2u);
  EXPECT_NE(seen.problem.find("comes twice"), std::string::npos) << seen.problem;
}

TEST(AofEntries, OfRedisHaveNoMarks) {
  const std::string file = "#TS:1700000000\r\n" + commands({{"SELECT", "1"}, {"SET", "a", "1"}}) +
                           "#a line of somebody else\r\n" + command({"DEL", "a"});
  const Read seen = read(file, 10);
  EXPECT_FALSE(seen.damaged);
  ASSERT_EQ(seen.entries.size(), 3u) << "SELECT is one by itself";
  EXPECT_TRUE(seen.history_id.empty());
}

TEST(AofEntries, ALengthThatIsClaimedTakesNoMemory) {
  for (const std::string_view claim :
       {"*1000000\r\n$4000000000\r\n", "*1\r\n$99999999999999\r\n", "*-1\r\n", "*0\r\n",
        "*1\r\n$-1\r\n", "*99999999999999999999\r\n"}) {
    AofEntries entries;
    claim.copy(entries.room(claim.size()), claim.size());
    entries.took(claim.size());
    entries.next();
    EXPECT_LT(entries.memory_bytes(), 4096u) << claim;
  }
}

TEST(AofSynced, IsSaidByWholeLinesOnly) {
  std::string line;
  append_synced_line(line, 500);
  EXPECT_TRUE(says_synced_above("x\n" + line, 499));
  EXPECT_FALSE(says_synced_above("x\n" + line, 500));
  EXPECT_FALSE(says_synced_above("x" + line, 499)) << "in the middle of something";
  EXPECT_FALSE(says_synced_above(std::string_view(line).substr(0, 10), 499));
}

TEST(AofCheck, CountsWhatIsWhole) {
  const std::string file = increment(kEntries) + "*2\r\n$3\r\nDEL\r\n$1\r\n";
  size_t at = 0;
  const AofCheck check = check_aof(
      [&] {
        const std::string_view bytes = std::string_view(file).substr(at, 10);
        at += bytes.size();
        return bytes;
      },
      0);
  EXPECT_EQ(check.entries, kEntries.size());
  EXPECT_EQ(check.marked, kEntries.size());
  EXPECT_EQ(check.bytes, file.size());
  EXPECT_EQ(check.good_bytes, increment(kEntries).size());
  EXPECT_EQ(check.problem, "an entry has no end");
  EXPECT_FALSE(check.damaged);
}

// --- manifest

TEST(AofManifest, IsReadAsItWasWritten) {
  AofManifest manifest;
  manifest.base = AofManifest::File{"appendonly.aof.3.base.rdb", 3};
  manifest.history = {{"appendonly.aof.2.incr.aof", 2}, {"a name \"with\" blanks", 2}};
  manifest.increments = {{"appendonly.aof.3.incr.aof", 3}, {"appendonly.aof.5.incr.aof", 5}};
  AofManifest again;
  std::string error;
  ASSERT_TRUE(AofManifest::parse(manifest.text(), &again, &error)) << error;
  EXPECT_EQ(again, manifest);
}

TEST(AofManifest, TakesWhatRedisTakes) {
  AofManifest manifest;
  std::string error;
  ASSERT_TRUE(
      AofManifest::parse("# a comment\n"
                         "SEQ 1 TYPE b FILE one more x\r\n"
                         "file two seq 7 type i startoffset 12 endoffset 13\n",
                         &manifest, &error))
      << error;
  EXPECT_EQ(manifest.base->name, "one");
  EXPECT_EQ(manifest.last_increment(), 7u);
}

TEST(AofManifest, SaysWhatIsWrong) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"", "empty AOF manifest"},
      {"\n", "line 1: the line is empty"},
      {"file a seq 1 type b", "the last line has no end"},
      {"file a seq 1\n", "is not of the form"},
      {"file a seq 0 type b\n", "is not of the form"},
      {"file a seq 1 type x\n", "is not of the form"},
      {"file a/b seq 1 type b\n", "File can't be a path"},
      {"file a seq 1 type b\nfile b seq 2 type b\n", "line 2: Found duplicate base"},
      {"file a seq 2 type i\nfile b seq 2 type i\n", "line 2: Found a non-monotonic"},
      {"file a seq 1 type b\nfile b seq 1 type i\nfile b seq 2 type i\n", "line 3: the file is"},
      {"file a seq 1 type b\nfile a seq 1 type h\n", "line 2: the file is listed twice"},
      {"file a seq 9223372036854775807 type i\n", "the number is too large"},
  };
  for (const auto& [text, expected] : kCases) {
    AofManifest manifest;
    std::string error;
    EXPECT_FALSE(AofManifest::parse(text, &manifest, &error)) << text;
    EXPECT_NE(error.find(expected), std::string::npos) << error;
  }
}

TEST(AofManifest, KnowsTheNamesOfItsFiles) {
  const std::string prefix = "a.b";
  for (const bool rdb : {true, false}) {
    const auto base = parse_aof_name(prefix, aof_base_name(prefix, 7, rdb));
    ASSERT_TRUE(base);
    EXPECT_TRUE(base->base);
    EXPECT_EQ(base->number, 7u);
  }
  const auto increment = parse_aof_name(prefix, aof_increment_name(prefix, 12));
  ASSERT_TRUE(increment);
  EXPECT_FALSE(increment->base);
  EXPECT_EQ(increment->number, 12u);
  for (const std::string_view name :
       {"", "a.b", "a.b.", "a.b.manifest", "a.b.1", "a.b.0.incr.aof", "a.b.-1.incr.aof",
        "a.b.x.incr.aof", "a.b.1.incr.rdb", "a.b.1.base.rdb.old", "a.c.1.incr.aof", "a.b1.incr.aof",
        "a.b.9223372036854775807.incr.aof"}) {
    EXPECT_FALSE(parse_aof_name(prefix, name)) << name;
  }
}

TEST(AofLoadEnd, IsATimeOrAnOffset) {
  EXPECT_EQ(parse_load_end("1764500000")->unix_s, 1764500000);
  EXPECT_EQ(parse_load_end("offset:12")->offset, 12u);
  for (const std::string_view text : {"", "x", "offset:", "offset:-1", "-5", "1.5"}) {
    EXPECT_FALSE(parse_load_end(text)) << text;
  }
}

}  // namespace
}  // namespace redoubt
