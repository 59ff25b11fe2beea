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

TEST(Dict, ExpireStepFindsAllThatIsDueAndNothingElse) {
  DictFixture f;
  std::set<std::string> due;
  for (int64_t i = 0; i < 20'000; ++i) {
    const bool expires = i % 3 == 0;
    f.set(key_of(i), i, expires ? std::optional<int64_t>(i) : std::nullopt);
    if (expires && i <= 9'000) due.insert(key_of(i));
  }
  std::set<std::string> found;
  uint64_t cursor = 0;
  std::vector<Entry*> batch;
  while (f.dict_.expire_step(cursor, 9'000, 1000, [&](Entry& entry) {
    if (entry.expiry_ms() > 9'000) return false;
    found.insert(std::string(entry.key()));
    batch.push_back(&entry);
    return true;
  })) {
  }
  EXPECT_EQ(found, due);
  for (const std::string& key : found) f.erase(key);
  f.dict_.check_invariants();
  // Nothing is due any more, so no entry is looked at.
  cursor = 0;
  size_t looked_at = 0;
  while (f.dict_.expire_step(cursor, 9'000, 1000, [&](Entry&) {
    ++looked_at;
    return false;
  })) {
  }
  EXPECT_EQ(looked_at, 0u);
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
