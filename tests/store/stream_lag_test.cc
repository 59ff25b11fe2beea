// Lag of consumer groups: exact, or not told.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/store/random.h"
#include "engine/store/stream_progress.h"
#include "tests/store/one_stream.h"

namespace redoubt {
namespace {

struct NaiveStream {
  std::set<StreamId> entries;

  int64_t behind(StreamId id) const {
    return std::distance(entries.upper_bound(id), entries.end());
  }
};

// A stream and groups that do everything that moves either, beside a set of the ids that are there.
class LagTrial {
 public:
  explicit LagTrial(uint64_t seed) : random_(seed) {
    for (int i = 0; i < kGroups; ++i) {
      stream_->add_group(std::to_string(i), {}, StreamGroup::kUnknown);
    }
  }

  void step() {
    StreamGroup& group = *stream_->find_group(std::to_string(random_.below(kGroups)));
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2: append(); break;
      case 3: erase(); break;
      case 4: trim(); break;
      case 5: set_position(group); break;
      case 6: advance_over(group); break;
      case 7:
        if (random_.below(8) == 0) set_counts();
        break;
      default: read(group); break;
    }
  }

  void check() {
    for (int i = 0; i < kGroups; ++i) {
      const StreamGroup& group = *stream_->find_group(std::to_string(i));
      const std::optional<int64_t> lag = StreamProgress(*stream_).lag(group);
      if (lag) {
        ASSERT_EQ(*lag, naive_.behind(group.last_id));
        ++told_;
      }
      ++asked_;
      if (naive_.behind(group.last_id) == 0) {
        ASSERT_TRUE(lag);
      }
    }
  }

  // How many of a hundred lags were told.
  uint64_t told_percent() const { return told_ * 100 / asked_; }

 private:
  static constexpr int kGroups = 3;

  StreamId any_id() { return {random_.below(stream_->last_id().ms + 3), random_.below(2)}; }

  void append() {
    const StreamId id = {stream_->last_id().ms + 1 + random_.below(2), 0};
    stream_.append(id, {"f", "v"}, {.block_bytes_max = 4096, .block_entries_max = 3});
    naive_.entries.insert(id);
  }

  void erase() {
    if (naive_.entries.empty()) return;
    auto at = naive_.entries.lower_bound(any_id());
    if (at == naive_.entries.end()) at = naive_.entries.begin();
    ASSERT_TRUE(stream_->erase(*at));
    naive_.entries.erase(at);
  }

  void trim() {
    StreamTrim how;
    how.references = static_cast<StreamReferences>(random_.below(3));
    how.whole_blocks = random_.below(2) == 0;
    how.kind = random_.below(2) == 0 ? StreamTrim::Kind::length : StreamTrim::Kind::id;
    how.length = random_.below(8);
    how.id = any_id();
    StreamId reached;
    stream_->trim(how, &reached);
    naive_.entries.clear();
    StreamCursor cursor(*stream_.stream, {}, StreamId::largest(), false);
    for (StreamEntry entry; cursor.next(entry);) naive_.entries.insert(entry.id);
  }

  void set_position(StreamGroup& group) {
    const int64_t read = static_cast<int64_t>(random_.below(stream_->entries_added() + 4)) - 1;
    StreamProgress(*stream_).set_position(
        group, random_.below(3) == 0 ? stream_->last_id() : any_id(), read);
  }

  void advance_over(StreamGroup& group) {
    const StreamId id = any_id();
    if (id > group.last_id) StreamProgress(*stream_).advance_over(group, id);
  }

  void set_counts() {
    const uint64_t added = stream_->length() + random_.below(10);
    const StreamId least = std::max(stream_->last_entry_id(), stream_->max_deleted_id());
    const StreamId deleted = random_.below(2) == 0 ? stream_->max_deleted_id() : any_id();
    const StreamId last = std::max(least, std::max(any_id(), deleted));
    stream_->set_counts(last, added, deleted);
  }

  void read(StreamGroup& group) {
    for (uint64_t n = random_.below(3) + 1; n > 0; --n) {
      const auto next = naive_.entries.upper_bound(group.last_id);
      if (next == naive_.entries.end()) return;
      StreamProgress(*stream_).advance(group, *next);
    }
  }

  Random random_;
  OneStream stream_;
  NaiveStream naive_;
  uint64_t told_ = 0;
  uint64_t asked_ = 0;
};

TEST(StreamLag, IsExactOrNotTold) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    LagTrial trial(seed);
    for (int step = 0; step < 300; ++step) {
      trial.step();
      trial.check();
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "step " << step;
    }
    EXPECT_GT(trial.told_percent(), 40u);
  }
}

void append_numbered(OneStream& stream, uint64_t first, uint64_t last) {
  for (uint64_t i = first; i <= last; ++i) stream.append({i, 0}, {"f", "v"});
}

void trim_below(OneStream& stream, uint64_t ms) {
  StreamTrim how;
  how.kind = StreamTrim::Kind::id;
  how.id = {ms, 0};
  StreamId reached;
  stream->trim(how, &reached);
}

TEST(StreamLag, IsKnownAsLongAsNothingIsDeleted) {
  OneStream stream;
  append_numbered(stream, 1, 20);
  StreamGroup* group = stream->add_group("g", {}, StreamGroup::kUnknown);
  for (uint64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(StreamProgress(*stream).lag(*group), static_cast<int64_t>(21 - i));
    if (i == 10) trim_below(stream, 5);
    StreamProgress(*stream).advance(*group, {i, 0});
    EXPECT_EQ(group->entries_read, static_cast<int64_t>(i));
  }
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 0);
}

TEST(StreamLag, TrimmedEntriesAreNotAhead) {
  OneStream stream;
  append_numbered(stream, 1, 5);
  StreamGroup* group = stream->add_group("g", {}, StreamGroup::kUnknown);
  StreamProgress(*stream).advance(*group, {1, 0});
  trim_below(stream, 4);
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 2);
  StreamProgress(*stream).advance(*group, {4, 0});
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 1);
  EXPECT_EQ(group->entries_read, 4);
}

TEST(StreamLag, HoleBehindTheGroup) {
  OneStream stream;
  append_numbered(stream, 1, 4);
  StreamGroup* group = stream->add_group("g", {}, StreamGroup::kUnknown);
  StreamProgress(*stream).advance(*group, {1, 0});
  StreamProgress(*stream).advance(*group, {2, 0});
  stream->erase({3, 0});
  EXPECT_EQ(StreamProgress(*stream).lag(*group), std::nullopt);
  StreamProgress(*stream).advance(*group, {4, 0});
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 0);
  EXPECT_EQ(group->entries_read, 4);
}

TEST(StreamLag, HoleAtTheGroupsOwnEntryHidesNothing) {
  OneStream stream;
  append_numbered(stream, 1, 4);
  StreamGroup* group = stream->add_group("g", {}, StreamGroup::kUnknown);
  StreamProgress(*stream).advance(*group, {1, 0});
  StreamProgress(*stream).advance(*group, {2, 0});
  stream->erase({2, 0});
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 2);
  StreamProgress(*stream).advance(*group, {3, 0});
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 1);
}

TEST(StreamLag, NumberThatTheStreamContradictsIsNotBelieved) {
  OneStream stream;
  append_numbered(stream, 1, 1);
  StreamGroup* group = stream->add_group("g", {}, StreamGroup::kUnknown);
  StreamProgress(*stream).set_position(*group, {1, 0}, 100);
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 0);
  EXPECT_EQ(group->entries_read, 1);
  append_numbered(stream, 2, 5);
  StreamProgress(*stream).set_position(*group, {3, 0}, 100);
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 2);
  EXPECT_EQ(group->entries_read, 3);
  StreamProgress(*stream).set_position(*group, {3, 0}, 3);
  EXPECT_EQ(StreamProgress(*stream).lag(*group), 2);
}

TEST(StreamLag, TrimOfWhatIsAcknowledgedLeavesAHole) {
  OneStream stream;
  append_numbered(stream, 1, 4);
  StreamGroup* first = stream->add_group("first", {}, StreamGroup::kUnknown);
  StreamConsumer* consumer = stream->add_consumer(*first, "c", 1);
  for (uint64_t i = 1; i <= 3; ++i) StreamProgress(*stream).advance(*first, {i, 0});
  stream->add_pending(*first, consumer, {1, 0}, 1);
  StreamTrim how;
  how.kind = StreamTrim::Kind::length;
  how.references = StreamReferences::acknowledged;
  StreamId reached;
  EXPECT_EQ(stream->trim(how, &reached), 2u);
  EXPECT_EQ(stream->max_deleted_id(), (StreamId{3, 0}));
  EXPECT_EQ(StreamProgress(*stream).lag(*first), 1);
  StreamGroup* second = stream->add_group("second", {}, StreamGroup::kUnknown);
  StreamProgress(*stream).set_position(*second, {1, 0}, 1);
  EXPECT_EQ(StreamProgress(*stream).lag(*second), std::nullopt);
}

}  // namespace
}  // namespace redoubt
