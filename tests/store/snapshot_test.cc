// Snapshot passes: what a pass has delivered has the digest of the databases at its beginning,
// whatever is written meanwhile.
#include "engine/store/snapshot.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/snapshot_digest.h"
#include "engine/store/stream_type.h"
#include "tests/sanitized.h"
#include "tests/store/random_hash_key.h"
#include "tests/store/random_writer.h"

namespace redoubt {
namespace {

// A snapshot that runs, and what it is to find.
struct Running {
  Running(RandomWriter& writer, const SnapshotLimits& limits)
      : expected(writer.digest()),
        entries(writer.entry_count()),
        snapshot(writer.sources(), limits) {}

  std::string problem() const {
    if (snapshot.end() != SnapshotEnd::complete) return "";
    if (sink.entries() != entries) {
      return "delivered " + std::to_string(sink.entries()) + " entries of " +
             std::to_string(entries);
    }
    return sink.digest().hex() == expected ? "" : "another digest";
  }

  std::string expected;
  size_t entries;
  SnapshotDigest sink;
  Snapshot snapshot;
};

struct Counts {
  size_t complete = 0;
  size_t aborted = 0;
  size_t at_once = 0;
};

// Writes and steps of snapshots in turn. What is wrong, or nothing.
class Play {
 public:
  Play(uint64_t seed, PassBug bug) : writer_(seed, bug), bug_(bug) {
    limits_ = {.whole_parts = 1 + random().below(40),
               .whole_bytes = 64 + random().below(20'000),
               .kept_bytes = random().below(4) == 0 ? 200'000u : SIZE_MAX};
  }

  std::string run(int steps, Counts* counts) {
    for (int i = 0; i < 300; ++i) writer_.write();
    std::string problem;
    for (int i = 0; i < steps && problem.empty(); ++i) {
      writer_.write();
      if (running_.size() < DatabasePasses::kMost && random().below(20) == 0) begin();
      if (running_.size() == 2) ++counts->at_once;
      for (size_t k = 0; k < running_.size() && problem.empty(); ++k) problem = step(k, counts);
      if (problem.empty() && i % 40 == 0) problem = miscounted();
      std::erase_if(running_, [](const auto& each) { return each == nullptr; });
      writer_.free_flushed();
    }
    for (; !running_.empty() && problem.empty(); running_.pop_back()) {
      running_.back()->sink.set_room(UINT64_MAX);
      size_t everything = SIZE_MAX;
      EXPECT_TRUE(running_.back()->snapshot.step(running_.back()->sink, everything));
      problem = running_.back()->problem();
    }
    running_.clear();
    writer_.check_nothing_kept();
    return problem;
  }

 private:
  Random& random() { return writer_.random(); }

  void begin() {
    if (!Snapshot::can_begin(writer_.sources())) {
      for (size_t i = 0; i < writer_.database_count(); ++i) {
        size_t budget = 50;
        writer_.database(i).passes().clear_marks(budget);
      }
      return;
    }
    running_.push_back(std::make_unique<Running>(writer_, limits_));
    if (bug_ == PassBug::mark_left) reuse_marks();
  }

  // As if the marks that other passes have left were those of the new one.
  void reuse_marks() {
    for (size_t i = 0; i < writer_.database_count(); ++i) {
      writer_.database(i).dict().for_each([](Entry& entry) {
        if (entry.marks() != 0) entry.set_marks(255);
      });
    }
  }

  // Values that were removed are freed in slices, and then all bytes are known.
  std::string miscounted() {
    for (size_t i = 0; i < writer_.database_count(); ++i) {
      size_t budget = 100'000;
      writer_.database(i).remains().free_some(budget);
    }
    return writer_.miscounted();
  }

  std::string step(size_t index, Counts* counts) {
    std::unique_ptr<Running>& each = running_[index];
    if (random().below(3) != 0) return "";
    if (random().below(300) == 0) each->snapshot.cancel();
    size_t budget = 1 + random().below(random().below(4) == 0 ? 500 : 20);
    each->sink.set_room(random().below(40));
    if (!each->snapshot.step(each->sink, budget)) return "";
    ++(each->snapshot.end() == SnapshotEnd::complete ? counts->complete : counts->aborted);
    std::string problem = each->problem();
    each = nullptr;
    return problem;
  }

  RandomWriter writer_;
  const PassBug bug_;
  SnapshotLimits limits_;
  std::vector<std::unique_ptr<Running>> running_;
};

// Plays until something is wrong.
std::string first_problem(PassBug bug, uint64_t seeds, int steps, Counts* counts) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    std::string problem = Play(seed, bug).run(steps, counts);
    if (!problem.empty()) return "seed " + std::to_string(seed) + ": " + problem;
  }
  return "";
}

TEST(Snapshot, HasTheDigestOfItsBeginning) {
  Counts counts;
  EXPECT_EQ(first_problem(PassBug::none, affordable(20, 5), 3000, &counts), "");
  EXPECT_GT(counts.complete, affordable(50, 5));
  EXPECT_GT(counts.aborted, affordable(50, 5));
  EXPECT_GT(counts.at_once, 1000u);
}

// Of a database whose removed values are freed.
size_t bytes_of_contents(const Database& database) {
  size_t bytes = database.dict().table_bytes() + database.kept_bytes();
  database.dict().for_each([&](Entry& entry) {
    bytes += counted_size(entry.footprint()) + ops_of(entry).outside_bytes(entry);
  });
  return bytes;
}

// A consumer group that is removed is kept for two passes, and counted once, until the last of them
// needs it no more.
void keep_a_group(const std::array<size_t, 2>& order) {
  const HashKey hash_key = make_hash_key();
  Database database(hash_key);
  const uint64_t hash = database.hash("s");
  Entry* entry = database.insert_value("s", hash, Type::stream, Encoding::stream,
                                       Stream::make(database.allocator()));
  Stream& stream = stream_of(*entry);
  const std::array<std::string_view, 2> fields = {"f", "v"};
  for (uint64_t i = 1; i <= 3; ++i) stream.append({i, 0}, fields, {});
  StreamGroup* group = stream.add_group("group", {}, StreamGroup::kUnknown);
  stream.add_pending(*group, stream.add_consumer(*group, "consumer", 1), {1, 0}, 1);
  const Snapshot::Source sources[] = {{0, &database}};
  std::array<SnapshotDigest, 2> sinks;
  std::vector<std::unique_ptr<Snapshot>> snapshots;
  for (size_t i = 0; i < sinks.size(); ++i) {
    snapshots.push_back(std::make_unique<Snapshot>(sources, SnapshotLimits{.whole_parts = 1}));
  }
  database.write(*entry, hash);
  EXPECT_EQ(stream.remove_group(*group), nullptr);
  EXPECT_EQ(database.used_bytes(), bytes_of_contents(database));
  for (const size_t i : order) {
    sinks[i].set_room(UINT64_MAX);
    size_t everything = SIZE_MAX;
    EXPECT_TRUE(snapshots[i]->step(sinks[i], everything));
    EXPECT_EQ(snapshots[i]->end(), SnapshotEnd::complete);
    EXPECT_EQ(database.used_bytes(), bytes_of_contents(database)) << "after pass " << i;
  }
  EXPECT_EQ(database.kept_bytes(), 0u);
}

TEST(Snapshot, CountsAGroupThatTwoPassesKeep) {
  keep_a_group({0, 1});
  keep_a_group({1, 0});
}

// A bug is found as a difference, or by an assertion.
void find(PassBug bug) {
  Counts counts;
  const std::string problem = first_problem(bug, 20, 1000, &counts);
  if (problem.empty()) return;
  fprintf(stderr, "found: %s", problem.c_str());
  abort();
}

TEST(SnapshotDeathTest, FindsAKeyMissedByGrowth) {
  EXPECT_DEATH(find(PassBug::missed_by_growth), "found: .* entries of");
}
TEST(SnapshotDeathTest, FindsAKeyLostByRename) {
  EXPECT_DEATH(find(PassBug::lost_by_rename), "found: .* entries of");
}
TEST(SnapshotDeathTest, FindsAKeyThatARenameDeliversTwice) {
  EXPECT_DEATH(find(PassBug::twice_by_rename), "found: .* entries of");
}
TEST(SnapshotDeathTest, FindsAMarkThatAnAbortedPassHasLeft) {
  EXPECT_DEATH(find(PassBug::mark_left), "found: .* entries of");
}
TEST(SnapshotDeathTest, FindsADatabaseFreedUnderThePass) {
  EXPECT_DEATH(find(PassBug::freed_by_flush), "assertion failed");
}
TEST(SnapshotDeathTest, FindsAMemberThatThePassHasMissed) {
  EXPECT_DEATH(find(PassBug::member_missed), "found: .* another digest|delivered_ == count_");
}

}  // namespace
}  // namespace redoubt
