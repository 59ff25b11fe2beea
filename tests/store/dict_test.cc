#include "engine/store/dict.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/store/random_hash_key.h"

namespace redoubt {
namespace {

// A dict of integers, with the entries that it needs.
class DictFixture {
 public:
  explicit DictFixture(uint64_t seed = 1)
      : hash_key_(make_hash_key(seed)), dict_(allocator_, hash_key_) {}
  ~DictFixture() {
    dict_.for_each([&](Entry& entry) { Entry::release(allocator_, &entry); });
  }

  void set(std::string_view key, int64_t value, std::optional<int64_t> expiry = {}) {
    const uint64_t hash = dict_.hash(key);
    Entry* made = Entry::make(allocator_, {.key = key,
                                           .type = Type::string,
                                           .encoding = Encoding::integer,
                                           .layout = Layout::integer,
                                           .value = {},
                                           .integer = value,
                                           .pointer = nullptr,
                                           .expiry_ms = expiry});
    const Dict::Place at = dict_.find(key, hash);
    if (!at) {
      dict_.insert(made, hash);
      return;
    }
    Entry* old = at.entry();
    dict_.replace(at, made);
    Entry::release(allocator_, old);
  }
  bool erase(std::string_view key) {
    const uint64_t hash = dict_.hash(key);
    const Dict::Place at = dict_.find(key, hash);
    if (!at) return false;
    Entry::release(allocator_, dict_.erase(at, hash));
    return true;
  }
  std::optional<int64_t> get(std::string_view key) {
    const Dict::Place at = dict_.find(key, dict_.hash(key));
    if (!at) return std::nullopt;
    return at.entry()->integer();
  }

  Allocator allocator_;
  HashKey hash_key_;
  Dict dict_;
};

std::string key_of(int64_t i) {
  return "key:" + std::to_string(i);
}

RC_GTEST_PROP(Dict, AgreesWithAMap, (uint64_t seed)) {
  DictFixture f(seed);
  std::map<std::string, int64_t> model;
  Random random(seed + 1);
  const uint64_t keys = 1 + random.below(3000);
  const int64_t operations = *rc::gen::inRange<int64_t>(0, 6000);
  for (int64_t i = 0; i < operations; ++i) {
    const std::string key = key_of(static_cast<int64_t>(random.below(keys)));
    if (random.below(3) == 0) {
      RC_ASSERT(f.erase(key) == (model.erase(key) == 1));
    } else {
      const bool expires = random.below(4) == 0;
      f.set(key, i, expires ? std::optional<int64_t>(i) : std::nullopt);
      model[key] = i;
    }
  }
  RC_ASSERT(f.dict_.size() == model.size());
  for (const auto& [key, value] : model) RC_ASSERT(f.get(key) == value);
  f.dict_.check_invariants();
}

TEST(Dict, GrowsAndShrinksWithItsTableInProportion) {
  DictFixture f;
  constexpr int64_t kKeys = 200'000;
  for (int64_t i = 0; i < kKeys; ++i) f.set(key_of(i), i);
  f.dict_.check_invariants();
  // 64 bytes for 7 entries, full to 70% at least.
  EXPECT_LT(f.dict_.table_bytes(), kKeys * 64 / 7 * 100 / 70);
  for (int64_t i = 0; i < kKeys; ++i) {
    if (i % 1000 == 0) continue;
    EXPECT_TRUE(f.erase(key_of(i)));
  }
  f.dict_.check_invariants();
  EXPECT_EQ(f.dict_.size(), 200u);
  EXPECT_LT(f.dict_.table_bytes(), 200 * 64u);
}

TEST(Dict, LoadStaysHighAtEverySize) {
  DictFixture f;
  double worst = 1;
  int64_t next = 0;
  for (const int64_t size :
       {100'000, 120'000, 140'000, 160'000, 180'000, 200'000, 230'000, 260'000}) {
    for (; next < size; ++next) f.set(key_of(next), next);
    worst = std::min(worst, static_cast<double>(size) / static_cast<double>(f.dict_.slot_count()));
  }
  EXPECT_GT(worst, 0.7);
}

// The guarantee of SCAN, and more: what is there all the time is returned exactly once, however the
// table grows and shrinks meanwhile.
RC_GTEST_PROP(Dict, ScanReturnsWhatStaysExactlyOnce, (uint64_t seed)) {
  DictFixture f(seed);
  Random random(seed);
  const int64_t stable = static_cast<int64_t>(random.below(2000));
  for (int64_t i = 0; i < stable; ++i) f.set("stay:" + std::to_string(i), i);
  int64_t others = 0;
  std::map<std::string, int> seen;
  uint64_t cursor = 0;
  do {
    cursor = f.dict_.scan(cursor, [&](Entry& entry) { ++seen[std::string(entry.key())]; });
    const uint64_t change = random.below(400);
    if (random.below(2) == 0) {
      for (uint64_t i = 0; i < change; ++i) f.set("go:" + std::to_string(others++), 0);
    } else {
      for (uint64_t i = 0; i < change && others > 0; ++i) f.erase("go:" + std::to_string(--others));
    }
    if (others > 4000) {
      while (others > 0) f.erase("go:" + std::to_string(--others));
    }
  } while (cursor != Dict::kCursorEnd);
  for (int64_t i = 0; i < stable; ++i) RC_ASSERT(seen["stay:" + std::to_string(i)] == 1);
}

TEST(Dict, ErasingInTheOrderOfTheTableMovesFewEntries) {
  constexpr int kKeys = 50'000;
  DictFixture f;
  for (int i = 0; i < kKeys; ++i) f.set("key:" + std::to_string(i), i);
  const uint64_t before = f.dict_.moved();
  uint64_t cursor = 0;
  do {
    std::vector<std::string> keys;
    cursor = f.dict_.scan(cursor, [&](Entry& entry) { keys.emplace_back(entry.key()); });
    for (const std::string& key : keys) f.erase(key);
  } while (cursor != Dict::kCursorEnd);
  EXPECT_EQ(f.dict_.size(), 0u);
  EXPECT_LT(f.dict_.moved() - before,
            uint64_t{kKeys} * 16);  // 112 each when every erase tries to shrink
}

TEST(Dict, ScanCursorsFitIntoADouble) {
  DictFixture f;
  for (int64_t i = 0; i < 50'000; ++i) f.set(key_of(i), i);
  uint64_t cursor = 0;
  uint64_t largest = 0;
  do {
    cursor = f.dict_.scan(cursor, [](Entry&) {});
    largest = std::max(largest, cursor);
  } while (cursor != Dict::kCursorEnd);
  EXPECT_LT(largest, uint64_t{1} << 48);
}

// Erases what is due, and says how much work that was.
size_t expire(DictFixture& f, int64_t now_ms, size_t budget, std::set<std::string>* keys) {
  size_t work = 0;
  uint64_t cursor = 0;
  std::vector<Entry*> due;
  bool more = true;
  bool found_some = false;  // in this round
  while (more || found_some) {
    if (!more) found_some = false;
    due.clear();
    size_t left = budget;
    more = f.dict_.find_expired(cursor, now_ms, left, due);
    found_some = found_some || !due.empty();
    EXPECT_LE(due.size(), 28 + budget / Dict::kDueCost);
    work += budget - left;
    std::vector<std::string> names;
    for (const Entry* entry : due) {
      EXPECT_LT(entry->expiry_ms(), now_ms);
      names.emplace_back(entry->key());
    }
    for (const std::string& name : names) {
      EXPECT_TRUE(f.erase(name));
      EXPECT_TRUE(keys->insert(name).second);
    }
  }
  EXPECT_EQ(cursor, 0u);
  return work;
}

TEST(Dict, ExpiryFindsAllThatIsDueAndNothingElse) {
  for (const size_t budget : {1u, 100u, 1'000'000u}) {
    DictFixture f;
    std::set<std::string> due;
    for (int64_t i = 0; i < 20'000; ++i) {
      const bool expires = i % 3 == 0;
      f.set(key_of(i), i, expires ? std::optional<int64_t>(i) : std::nullopt);
      if (expires && i < 9'000) due.insert(key_of(i));
    }
    std::set<std::string> found;
    expire(f, 9'000, budget, &found);
    EXPECT_EQ(found, due);
    f.dict_.check_invariants();
    // Nothing is due any more, so hardly an entry is looked at.
    found.clear();
    EXPECT_LE(expire(f, 9'000, budget, &found), 64u);
    EXPECT_TRUE(found.empty());
  }
}

TEST(Dict, AKeyThatFallsDueCostsALookAtItsNeighboursOnly) {
  DictFixture f;
  constexpr int64_t kKeys = 50'000;
  constexpr int64_t kNow = 1'700'000'000'000;
  constexpr int64_t kHour = 3'600'000;
  Random random(5);
  for (int64_t i = 0; i < kKeys; ++i) {
    f.set(key_of(i), i, kNow + 1 + static_cast<int64_t>(random.below(kHour)));
  }
  std::set<std::string> found;
  size_t work = 0;
  for (int64_t now = kNow; now < kNow + kHour / 60; now += 100) {
    work += expire(f, now, 1'000'000, &found);
  }
  f.dict_.check_invariants();
  EXPECT_GT(found.size(), kKeys / 60 / 2);
  // Each segment is read once, to count from the clock; then four buckets for a key.
  EXPECT_LT(work, found.size() * (Dict::kDueCost + 80));
}

TEST(Dict, KeysThatDoNotFallDueCostNothing) {
  DictFixture f;
  for (int64_t i = 0; i < 100'000; ++i) f.set(key_of(i), i);
  f.set("one", 1, 5'000);
  std::set<std::string> found;
  EXPECT_EQ(f.dict_.earliest_expiry_ms(), 5'000);
  EXPECT_EQ(expire(f, 4'000, 1'000'000, &found), 0u);
  EXPECT_LE(expire(f, 6'000, 1'000'000, &found), Dict::kDueCost + 64u);
  EXPECT_EQ(found.size(), 1u);
  EXPECT_EQ(f.dict_.earliest_expiry_ms(), ExpiryBounds::kNever);
}

// Deadlines that come, go and move, a clock that jumps, a table that grows and shrinks.
RC_GTEST_PROP(Dict, ExpiryAgreesWithAMap, (uint64_t seed)) {
  DictFixture f(seed);
  std::map<std::string, std::optional<int64_t>> model;
  Random random(seed + 1);
  const uint64_t keys = 1 + random.below(6000);
  int64_t now = 1'000'000'000;
  for (int round = 0; round < 6; ++round) {
    const uint64_t reach = uint64_t{1} << (4 + random.below(36));
    const uint64_t kind = random.below(4);
    for (uint64_t i = random.below(1500); i > 0; --i) {
      const std::string key = key_of(static_cast<int64_t>(random.below(keys)));
      if (random.below(4) < kind) {
        f.erase(key);
        model.erase(key);
        continue;
      }
      std::optional<int64_t> expiry;
      if (random.below(3) != 0) expiry = now + static_cast<int64_t>(random.below(reach));
      f.set(key, 1, expiry);
      model[key] = expiry;
    }
    now += static_cast<int64_t>(random.below(reach)) - static_cast<int64_t>(random.below(3000));
    std::set<std::string> found;
    expire(f, now, random.below(2) == 0 ? 50 : 1'000'000, &found);
    std::set<std::string> due;
    for (const auto& [key, expiry] : model) {
      if (expiry && *expiry < now) due.insert(key);
    }
    RC_ASSERT(found == due);
    for (const std::string& key : due) model.erase(key);
  }
  f.dict_.check_invariants();
}

TEST(Dict, SamplesOfExpiringEntriesAreFoundHoweverRareTheyAre) {
  DictFixture f;
  for (int64_t i = 0; i < 300'000; ++i)
    f.set(key_of(i), i, i < 100'000 ? std::optional<int64_t>(5) : std::nullopt);
  Random random(9);
  Entry* sampled[5];
  EXPECT_EQ(f.dict_.sample(random, true, sampled, 5), 5u);
  for (int64_t i = 0; i < 300'000; ++i) f.set(key_of(i), i);
  EXPECT_EQ(f.dict_.sample(random, true, sampled, 5), 0u);
  std::set<std::string> seen;
  for (int64_t i = 0; i < 5; ++i) f.set(key_of(i * 1000), i, 1'000'000);
  for (int i = 0; i < 100; ++i) {
    const size_t count = f.dict_.sample(random, true, sampled, 5);
    EXPECT_GT(count, 0u);
    for (size_t k = 0; k < count; ++k) seen.emplace(sampled[k]->key());
  }
  EXPECT_EQ(seen.size(), 5u);
}

// Turnover at constant size: entries that were displaced while their bucket was full come home, so
// a miss looks into more than one bucket no more often than in a table that was filled at once.
TEST(Dict, TurnoverLeavesNoMarksBehind) {
  constexpr int64_t kKeys = 40'000;
  DictFixture fresh;
  for (int64_t i = 0; i < kKeys; ++i) fresh.set(key_of(i), i);
  DictFixture used;
  for (int64_t i = 0; i < kKeys; ++i) used.set(key_of(i), i);
  for (int64_t i = kKeys; i < 10 * kKeys; ++i) {
    used.erase(key_of(i - kKeys));
    used.set(key_of(i), i);
  }
  used.dict_.check_invariants();
  EXPECT_LT(used.dict_.overflowed_buckets(), fresh.dict_.overflowed_buckets() * 11 / 10);
}

TEST(Dict, RandomEntriesAreNearlyUniform) {
  DictFixture f;
  constexpr int64_t kKeys = 1000;
  for (int64_t i = 0; i < kKeys; ++i) f.set(key_of(i), i);
  Random random(7);
  std::map<int64_t, int> drawn;
  for (int i = 0; i < 100'000; ++i) ++drawn[f.dict_.random_entry(random)->integer()];
  EXPECT_EQ(drawn.size(), static_cast<size_t>(kKeys));
  for (const auto& [key, count] : drawn) {
    EXPECT_GT(count, 30) << key;
    EXPECT_LT(count, 250) << key;
  }
}

TEST(Allocator, CountsClassesAndGivesEverythingBack) {
  Allocator allocator;
  Random random(3);
  std::vector<std::pair<void*, size_t>> pieces;
  size_t counted = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random.below(3) != 0 || pieces.empty()) {
      const size_t size = 1 + random.below(random.below(4) == 0 ? 12'000 : 300);
      void* piece = allocator.allocate(size);
      std::memset(piece, 0xab, size);
      counted += counted_size(size);
      pieces.push_back({piece, size});
    } else {
      const size_t at = random.below(pieces.size());
      allocator.release(pieces[at].first, pieces[at].second);
      counted -= counted_size(pieces[at].second);
      pieces[at] = pieces.back();
      pieces.pop_back();
    }
    ASSERT_EQ(allocator.used_bytes(), counted);
  }
  for (const auto& [piece, size] : pieces) allocator.release(piece, size);
  EXPECT_EQ(allocator.used_bytes(), 0u);
}

TEST(Allocator, LineSizedPiecesAreLineAligned) {
  Allocator allocator;
  for (const size_t size : {64, 128, 256, 512, 1024, 2048, 4096, 5120, 6144, 7168, 8192}) {
    void* a = allocator.allocate(size);
    void* b = allocator.allocate(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u) << size;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b) % 64, 0u) << size;
    allocator.release(a, size);
    allocator.release(b, size);
  }
}

}  // namespace
}  // namespace redoubt
