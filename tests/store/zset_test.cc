#include "engine/store/zset.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "engine/store/zset_type.h"
#include "tests/store/random_hash_key.h"

namespace redoubt {
namespace {

using Scores = std::map<std::string, double>;
using Members = std::vector<std::pair<std::string, double>>;

Members in_order(const Scores& model) {
  Members members(model.begin(), model.end());
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second < b.second : a.first < b.first;
  });
  return members;
}

void expect_equal(const Zset& zset, const Scores& model) {
  const Members members = in_order(model);
  RC_ASSERT(zset.size() == members.size());
  ZsetView::Cursor at = zset.at_rank(0);
  for (size_t i = 0; i < members.size(); ++i, at.next()) {
    RC_ASSERT(at.member() == members[i].first);
    RC_ASSERT(at.score() == members[i].second);
    RC_ASSERT(zset.rank(members[i].first)->rank == i);
    RC_ASSERT(zset.score(members[i].first) == members[i].second);
  }
  RC_ASSERT(!at);
  RC_ASSERT(!zset.rank("nobody"));
  for (size_t i = members.size(); i > 0; --i) {
    RC_ASSERT(zset.at_rank(i - 1).member() == members[i - 1].first);
  }
}

double any_score(Random& random) {
  switch (random.below(8)) {
    case 0: return static_cast<double>(random.below(1000)) / 8;
    case 1: return static_cast<double>(random.below(1000)) / 7;
    case 2: return random.below(2) == 0 ? std::numeric_limits<double>::infinity() : -1e300;
    case 3: return static_cast<double>(random.below(uint64_t{1} << 53));
    default: return static_cast<double>(random.below(30)) - 10;
  }
}

std::string any_member(Random& random) {
  if (random.below(40) == 0) return std::string(50 + random.below(300), 'x');
  const uint64_t number = random.below(200);
  return random.below(2) == 0 ? std::to_string(number) : "m" + std::to_string(number);
}

RC_GTEST_PROP(Zset, AgreesWithAMap, (uint64_t seed)) {
  Random random(seed);
  Allocator allocator;
  const HashKey hash_key = make_hash_key(seed);
  const ZsetLimits limits{random.below(3) == 0 ? 100'000 : random.below(200), random.below(400)};
  Zset zset(allocator, hash_key, limits);
  Scores model;
  const uint64_t steps = random.below(600);
  for (uint64_t i = 0; i < steps; ++i) {
    const std::string member = any_member(random);
    if (random.below(4) == 0) {
      RC_ASSERT(zset.erase(member) == (model.erase(member) > 0));
    } else if (random.below(60) == 0 && !model.empty()) {
      const size_t from = random.below(model.size());
      const size_t to = from + random.below(std::min<size_t>(model.size() - from, 30) + 1);
      const Members members = in_order(model);
      for (size_t k = from; k < to; ++k) model.erase(members[k].first);
      zset.erase(RankRange{from, to});
    } else {
      const double score = any_score(random);
      zset.set(member, score);
      model[member] = score;
    }
  }
  expect_equal(zset, model);
  for (int look = 0; look < 10; ++look) {
    const ScoreRange range{{any_score(random), random.below(2) == 0},
                           {any_score(random), random.below(2) == 0}};
    const auto within = [&](const auto& each) {
      return (range.min.exclusive ? each.second > range.min.score
                                  : each.second >= range.min.score) &&
             (range.max.exclusive ? each.second < range.max.score : each.second <= range.max.score);
    };
    const Members members = in_order(model);
    const RankRange ranks = zset.ranks_of(range);
    RC_ASSERT(ranks.size() ==
              static_cast<size_t>(std::count_if(members.begin(), members.end(), within)));
    for (size_t k = ranks.from; k < ranks.to; ++k) RC_ASSERT(within(members[k]));
  }
  if (zset.big()) {
    const SkiplistZset& skiplist = static_cast<const ZsetView&>(zset).skiplist();
    RC_ASSERT(skiplist.tree.size() == skiplist.members.size());
    skiplist.tree.check_invariants();
    skiplist.members.check_invariants();
    RC_ASSERT(skiplist.bytes() == allocator.used_bytes());
  }
  zset.destroy();
  RC_ASSERT(allocator.used_bytes() == 0u);
}

RC_GTEST_PROP(Zset, ABuilderSortsWhatItGets, (uint64_t seed)) {
  Random random(seed);
  Allocator allocator;
  const HashKey hash_key = make_hash_key(seed);
  ZsetBuilder builder(allocator, hash_key, {random.below(200), 64});
  Scores model;
  for (uint64_t i = 0, count = random.below(600); i < count; ++i) {
    const std::string member = any_member(random);
    const double score = any_score(random);
    builder.add(member, score, [&](double old) { return std::max(old, score); });
    const auto [at, fresh] = model.emplace(member, score);
    if (!fresh) at->second = std::max(at->second, score);
  }
  Zset zset = builder.finish();
  expect_equal(zset, model);
  zset.destroy();
  RC_ASSERT(allocator.used_bytes() == 0u);
}

TEST(Zset, AMemberOfAThousandIsSmall) {
  for (const double scale : {1.0, 0.37}) {
    Allocator allocator;
    const HashKey hash_key = make_hash_key(1);
    Zset zset(allocator, hash_key, {128, 64});
    Random random(1);
    for (int i = 0; i < 1000; ++i) {
      zset.set("member:" + std::to_string(i % 100), static_cast<double>(i));
      zset.set("mem:" + std::to_string(10'000 + i),
               static_cast<double>(random.below(100'000)) * scale);
    }
    EXPECT_EQ(zset.size(), 1100u);
    EXPECT_LT(static_cast<double>(allocator.used_bytes()) / static_cast<double>(zset.size()), 45)
        << scale;
    zset.destroy();
  }
}

TEST(Zset, IsFreedInSlices) {
  Allocator allocator;
  const HashKey hash_key = make_hash_key(1);
  Zset zset(allocator, hash_key, {128, 64});
  for (int i = 0; i < 50'000; ++i) zset.set(std::to_string(i), i);
  void* payload = zset.payload();
  size_t budget = 1000;
  int slices = 1;
  while (!free_some_zset(allocator, zset.encoding(), payload, budget)) {
    budget = 1000;
    ++slices;
  }
  EXPECT_GT(slices, 50);
  EXPECT_EQ(allocator.used_bytes(), 0u);
}

}  // namespace
}  // namespace redoubt
