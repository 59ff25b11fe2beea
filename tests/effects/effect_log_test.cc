// The log of effects against a naive one: a string of all bytes, and a list of entries.
#include "engine/effects/effect_log.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/commands/quiet_world.h"

namespace redoubt {
namespace {

std::string resp(std::initializer_list<std::string_view> args) {
  std::string out = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    out += "$" + std::to_string(arg.size()) + "\r\n" + std::string(arg) + "\r\n";
  }
  return out;
}

class Recorder final : public EffectReader {
 public:
  std::vector<EffectEntry> entries;

 private:
  void on_entry(const EffectEntry& entry) override { entries.push_back(entry); }
};

struct EffectLogTest : testing::Test {
  void append(int db, std::initializer_list<std::string_view> args) {
    log.append(db, std::span(args.begin(), args.size()));
  }

  QuietWorld world{1};
  EffectLog log{world.env};
};

TEST_F(EffectLogTest, AGroupWithOneEffectIsThatEffect) {
  Recorder reader;
  log.attach(reader);
  log.open_group();
  append(0, {"SET", "a", "1"});
  EXPECT_EQ(reader.unread(), 0U);  // not before the group is closed
  log.close_group();
  EXPECT_EQ(reader.take_all(), resp({"SELECT", "0"}) + resp({"SET", "a", "1"}));
  ASSERT_EQ(reader.entries.size(), 1U);
  EXPECT_EQ(reader.entries[0].end, log.end_offset());
}

TEST_F(EffectLogTest, AGroupWithSeveralIsInMulti) {
  Recorder reader;
  log.attach(reader);
  log.open_group();
  append(2, {"SET", "a", "1"});
  append(2, {"DEL", "b"});
  log.open_group();
  append(0, {"DEL", "c"});
  log.close_group();
  log.close_group();
  EXPECT_EQ(reader.take_all(), resp({"SELECT", "2"}) + resp({"MULTI"}) + resp({"SET", "a", "1"}) +
                                   resp({"DEL", "b"}) + resp({"SELECT", "0"}) + resp({"DEL", "c"}) +
                                   resp({"EXEC"}));
  EXPECT_EQ(reader.entries.size(), 1U);
}

TEST_F(EffectLogTest, AGroupThatIsRewoundLeavesWhatWasThereAtTheMark) {
  const std::string a = resp({"SET", "a", "1"});
  const std::string b = resp({"SET", "b", "1"});
  const std::string multi = resp({"MULTI"});
  const std::string exec = resp({"EXEC"});
  for (size_t before = 0; before < 3; ++before) {
    for (size_t undone = 0; undone < 3; ++undone) {
      for (size_t behind = 0; behind < 2; ++behind) {
        EffectLog fresh{world.env};
        Recorder reader;
        fresh.attach(reader);
        const auto put = [&](int db, std::initializer_list<std::string_view> args) {
          fresh.append(db, std::span(args.begin(), args.size()));
        };
        put(0, {"SET", "first", "1"});
        reader.take_all();
        fresh.open_group();
        for (size_t i = 0; i < before; ++i) put(0, {"SET", "a", "1"});
        const EffectMark mark = fresh.mark_group();
        for (size_t i = 0; i < undone; ++i) put(3, {"SET", "undone", "1"});
        fresh.rewind_group(mark);
        for (size_t i = 0; i < behind; ++i) put(0, {"SET", "b", "1"});
        fresh.close_group();
        std::string all;
        for (size_t i = 0; i < before; ++i) all += a;
        for (size_t i = 0; i < behind; ++i) all += b;
        // A mark behind an effect has put it behind MULTI already.
        const bool wrapped = before > 0;
        EXPECT_EQ(reader.take_all(), wrapped ? multi + all + exec : all)
            << before << " " << undone << " " << behind;
        put(3, {"SET", "last", "1"});
        EXPECT_EQ(reader.take_all(), resp({"SELECT", "3"}) + resp({"SET", "last", "1"}));
      }
    }
  }
}

TEST_F(EffectLogTest, AGroupMayBeRewoundWhenItsLastReaderHasLeft) {
  auto reader = std::make_unique<Recorder>();
  log.attach(*reader);
  log.open_group();
  append(0, {"SET", "a", "1"});
  append(0, {"SET", "b", "1"});
  const EffectMark mark = log.mark_group();
  append(0, {"SET", "c", "1"});
  reader.reset();
  append(0, {"SET", "d", "1"});
  log.rewind_group(mark);
  log.close_group();
  Recorder other;
  log.attach(other);
  append(0, {"SET", "e", "1"});
  EXPECT_EQ(other.take_all(), resp({"SELECT", "0"}) + resp({"SET", "e", "1"}));
}

TEST_F(EffectLogTest, AnAbandonedGroupLeavesNothing) {
  Recorder reader;
  log.attach(reader);
  append(0, {"SET", "a", "1"});
  reader.take_all();
  log.open_group();
  append(3, {"SET", "a", "2"});
  append(4, {"SET", "a", "3"});
  log.abandon_group();
  append(0, {"SET", "b", "1"});
  log.close_group();
  EXPECT_EQ(reader.take_all(), resp({"SET", "b", "1"}));
}

TEST_F(EffectLogTest, AReaderThatJoinsInAGroupBeginsBehindIt) {
  Recorder first;
  Recorder second;
  log.attach(first);
  log.open_group();
  append(0, {"SET", "a", "1"});
  log.attach(second);
  append(0, {"SET", "a", "2"});
  log.close_group();
  EXPECT_EQ(second.unread(), 0U);
  EXPECT_TRUE(second.entries.empty());
  append(0, {"SET", "a", "3"});
  EXPECT_EQ(second.take_all(), resp({"SELECT", "0"}) + resp({"SET", "a", "3"}));
}

TEST_F(EffectLogTest, TheHistoryEndsWhenDataChangesInSilence) {
  Recorder reader;
  log.attach(reader);
  const std::string id = log.history().id;
  EXPECT_EQ(id.size(), History::kIdLength);
  append(0, {"SET", "a", "1"});
  const uint64_t end = log.end_offset();
  log.detach(reader);
  log.attach(reader);
  EXPECT_EQ(log.history().id, id);  // nothing has happened
  log.detach(reader);
  append(0, {"SET", "a", "2"});
  EXPECT_EQ(log.end_offset(), end);
  log.attach(reader);
  EXPECT_NE(log.history().id, id);
  EXPECT_TRUE(log.history().second_id.empty());
}

TEST_F(EffectLogTest, AReaderMayLeaveWhenItIsTold) {
  struct Leaver final : EffectReader {
    explicit Leaver(EffectLog& from) : log(from) {}
    void on_entry(const EffectEntry&) override { log.detach(*this); }
    EffectLog& log;
  } leaver(log);
  Recorder other;
  log.attach(leaver);
  log.attach(other);
  append(0, {"SET", "a", "1"});
  EXPECT_FALSE(leaver.attached());
  EXPECT_EQ(other.entries.size(), 1U);
  log.check_invariants();
}

TEST_F(EffectLogTest, ForeignBytesPassUnchangedAndControlBytesAreMarked) {
  Recorder reader;
  log.set_foreign(true);
  log.adopt_history({std::string(40, 'a'), {}, History::kNoSecond}, 1000);
  log.append_foreign("*1\r\n$4\r\nPING\r\n", EntryKind::control, 0);
  EXPECT_EQ(log.end_offset(), 1014U);  // the primary's offset, though nobody reads
  log.attach(reader);
  EXPECT_EQ(log.history().id, std::string(40, 'a'));
  append(0, {"SET", "own", "1"});  // what this node has of its own is not part of the stream
  log.append_foreign("*1\r\n$4\r\nPING\r\n", EntryKind::control, 0);
  log.append_foreign(resp({"SET", "k", "v"}), EntryKind::effects, 3);
  EXPECT_EQ(log.foreign_db(), 3);
  EXPECT_EQ(reader.take_all(), "*1\r\n$4\r\nPING\r\n" + resp({"SET", "k", "v"}));
  EXPECT_TRUE(log.follows_data());
  ASSERT_EQ(reader.entries.size(), 2U);
  EXPECT_EQ(reader.entries[0].kind, EntryKind::control);
  EXPECT_EQ(reader.entries[1].kind, EntryKind::effects);
}

TEST_F(EffectLogTest, ActionsRunBehindTheEntryOfTheGroup) {
  Recorder reader;
  log.attach(reader);
  std::vector<uint64_t> seen;
  const auto note = [&] { seen.push_back(log.end_offset()); };
  log.after_group(note);  // at once
  log.open_group();
  log.after_group(note);
  append(0, {"SET", "a", "1"});
  log.open_group();
  log.close_group();
  EXPECT_EQ(seen.size(), 1U);
  log.close_group();
  EXPECT_EQ(seen, (std::vector<uint64_t>{0, log.end_offset()}));
  log.open_group();  // without effects
  log.after_group([&] { log.continue_history(std::string(40, 'b')); });
  log.close_group();
  EXPECT_EQ(log.history().id, std::string(40, 'b'));
}

TEST_F(EffectLogTest, AReaderThatBeginsAFileHasTheDatabaseSelectedAgain) {
  Recorder reader;
  log.attach(reader);
  append(3, {"SET", "a", "1"});
  reader.take_all();
  append(3, {"SET", "a", "2"});
  EXPECT_EQ(reader.take_all(), resp({"SET", "a", "2"}));
  log.select_again();
  append(3, {"SET", "a", "3"});
  append(3, {"SET", "a", "4"});
  EXPECT_EQ(reader.take_all(),
            resp({"SELECT", "3"}) + resp({"SET", "a", "3"}) + resp({"SET", "a", "4"}));
  log.select_again();
  log.open_group();
  append(3, {"SET", "b", "1"});
  append(3, {"SET", "b", "2"});
  log.close_group();
  EXPECT_EQ(reader.take_all(), resp({"SELECT", "3"}) + resp({"MULTI"}) + resp({"SET", "b", "1"}) +
                                   resp({"SET", "b", "2"}) + resp({"EXEC"}));
  log.check_invariants();
}

TEST_F(EffectLogTest, WhatIsReplayedIsNotAppendedAndDoesNotEndTheHistory) {
  Recorder reader;
  log.attach(reader);
  const std::string id = log.history().id;
  append(0, {"SET", "a", "1"});
  reader.take_all();
  const uint64_t end = log.end_offset();
  log.set_replayed(true);
  append(0, {"SET", "a", "2"});
  log.open_group();
  append(5, {"SET", "a", "3"});
  log.close_group();
  EXPECT_EQ(reader.unread(), 0U);
  EXPECT_EQ(log.end_offset(), end);
  log.set_replayed(false);
  append(0, {"SET", "a", "4"});
  EXPECT_EQ(reader.take_all(), resp({"SET", "a", "4"}));
  EXPECT_EQ(reader.entries.size(), 2U);

  log.detach(reader);
  log.set_replayed(true);
  append(0, {"SET", "a", "5"});
  log.set_replayed(false);
  EXPECT_TRUE(log.follows_data());
  log.attach(reader);
  EXPECT_EQ(log.history().id, id);
  log.detach(reader);
  append(0, {"SET", "a", "6"});
  EXPECT_FALSE(log.follows_data());
  log.check_invariants();
}

TEST_F(EffectLogTest, AReaderThatComesDuringAReplayGetsWhatFollowsIt) {
  Recorder reader;
  log.set_replayed(true);
  log.attach(reader);
  append(0, {"SET", "a", "1"});
  EXPECT_EQ(reader.unread(), 0U);
  log.set_replayed(false);
  append(0, {"SET", "a", "2"});
  EXPECT_EQ(reader.take_all(), resp({"SELECT", "0"}) + resp({"SET", "a", "2"}));
}

TEST(History, ContinuesWhatIsTheSameUpToTheFork) {
  History history{std::string(40, 'a'), {}, History::kNoSecond};
  EXPECT_TRUE(history.continues(std::string(40, 'a'), 100, 50, 100));
  EXPECT_FALSE(history.continues(std::string(40, 'a'), 101, 50, 100));  // from the future
  EXPECT_FALSE(history.continues(std::string(40, 'a'), 49, 50, 100));   // gone
  EXPECT_FALSE(history.continues(std::string(40, 'b'), 60, 50, 100));
  history.fork(std::string(40, 'b'), 80);
  EXPECT_TRUE(history.continues(std::string(40, 'a'), 80, 50, 100));
  EXPECT_FALSE(history.continues(std::string(40, 'a'), 81, 50, 100));  // ahead of what they share
  EXPECT_TRUE(history.continues(std::string(40, 'b'), 81, 50, 100));
  EXPECT_FALSE(history.continues("", 60, 50, 100));
}

// Random groups of random sizes, readers that come, go, lag and take pieces: each sees exactly the
// bytes that a naive log has from its first entry on, and memory does not grow beyond what is
// unread.
RC_GTEST_PROP(EffectLog, ReadersSeeWhatTheNaiveLogHas, ()) {
  struct Follower {
    std::unique_ptr<Recorder> reader;
    std::string expected;
    std::string seen;
  };
  QuietWorld world(1);
  EffectLog log(world.env);
  std::array<Follower, 3> followers;
  const auto random_size = [] {
    return static_cast<size_t>(*rc::gen::weightedOneOf<int>(
        {{8, rc::gen::inRange(0, 100)}, {1, rc::gen::inRange(60'000, 140'000)}}));
  };
  const int steps = *rc::gen::inRange(1, 80);
  for (int step = 0; step < steps; ++step) {
    Follower& one = followers[static_cast<size_t>(*rc::gen::inRange(0, 3))];
    const int what = *rc::gen::inRange(0, 10);
    if (what == 0) {
      one = {};
      one.reader = std::make_unique<Recorder>();
      log.attach(*one.reader);
    } else if (what == 1) {
      one = {};
    } else if (what <= 4 && one.reader != nullptr) {
      std::vector<Slice> slices;
      const size_t got = one.reader->slices(random_size(), slices);
      for (const Slice slice : slices) {
        one.seen.append(reinterpret_cast<const char*>(slice.data()), slice.size());
      }
      one.reader->take(got);
    } else {
      std::array<bool, 3> was_there{};
      for (size_t i = 0; i < 3; ++i) was_there[i] = followers[i].reader != nullptr;
      const uint64_t before = log.end_offset();
      Recorder watch;
      log.attach(watch);
      log.open_group();
      const int count = *rc::gen::inRange(0, 4);
      for (int i = 0; i < count; ++i) {
        const std::string value(random_size(), 'v');
        const std::string_view args[] = {"SET", "key", value};
        log.append(*rc::gen::inRange(0, 2), args);
        if (*rc::gen::inRange(0, 12) == 0) log.abandon_group();
      }
      log.close_group();
      std::vector<Slice> slices;
      watch.slices(SIZE_MAX, slices);
      RC_ASSERT(watch.unread() == log.end_offset() - before);
      std::string entry;
      for (const Slice slice : slices) {
        entry.append(reinterpret_cast<const char*>(slice.data()), slice.size());
      }
      for (size_t i = 0; i < 3; ++i) {
        if (was_there[i]) followers[i].expected += entry;
      }
    }
    log.check_invariants();
  }
  uint64_t most_unread = 0;
  for (Follower& one : followers) {
    if (one.reader == nullptr) continue;
    most_unread = std::max(most_unread, one.reader->unread());
  }
  RC_ASSERT(log.memory_bytes() <= most_unread + 2 * EffectLog::kSegmentBytes);
  for (Follower& one : followers) {
    if (one.reader == nullptr) continue;
    one.seen += one.reader->take_all();
    RC_ASSERT(one.seen == one.expected);
  }
}

}  // namespace
}  // namespace redoubt
