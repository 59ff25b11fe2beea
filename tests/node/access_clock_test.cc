// Stamps of use over months: nothing wraps, and the wall clock does not matter.
#include "engine/keyspace/access_clock.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/net/fake_backend.h"

namespace redoubt {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kDayMs = 24 * kHourMs;

class AccessClocks : public testing::Test {
 protected:
  AccessClocks() : env_(backend_), hash_key_([this] { return ++seed_; }) {
    backend_.time = Instant{12'345'678'000'000};
    env_.begin_turn();
    clock_.advance();
    databases_.push_back(std::make_unique<Database>(hash_key_));
    for (int i = 0; i < 2000; ++i) set("key" + std::to_string(i));
  }

  void set_policy(EvictionPolicy policy) {
    settings_.maxmemory_policy = policy;
    clock_.settings_changed();
    databases_[0]->set_access_for_new(clock_.stamp());
  }
  void set(const std::string& key) {
    databases_[0]->set_access_for_new(clock_.stamp());
    databases_[0]->set_string(key, databases_[0]->hash(key), "v", NewExpiry::none());
  }
  const Entry& entry(const std::string& key) {
    return *databases_[0]->find(key, databases_[0]->hash(key));
  }
  // Time passes, an hour at a time.
  void pass(int64_t ms) {
    for (int64_t passed = 0; passed < ms; passed += kHourMs) {
      backend_.time.ns += kHourMs * 1'000'000;
      env_.begin_turn();
      clock_.advance();
      clock_.keep_from_wrapping(databases_);
    }
  }

  FakeBackend backend_;
  Env env_;
  uint64_t seed_ = 0;
  HashKey hash_key_;
  Random random_{1};
  Settings settings_;
  AccessClock clock_{env_, random_, settings_};
  std::vector<std::unique_ptr<Database>> databases_;
};

TEST_F(AccessClocks, IdleTimesAreExactForMonthsAndNeverWrap) {
  set("old");
  pass(200 * kDayMs);
  set("young");
  EXPECT_EQ(clock_.idle_ms(entry("old")), 200 * kDayMs);
  EXPECT_EQ(clock_.idle_ms(entry("young")), 0);
  pass(130 * kDayMs);
  EXPECT_EQ(clock_.idle_ms(entry("old")), 330 * kDayMs);
  EXPECT_EQ(clock_.idle_ms(entry("young")), 130 * kDayMs);
  // From here on it stands still, as far as one pass over all entries lets it.
  for (int i = 0; i < 8; ++i) {
    pass(100 * kDayMs);
    for (const char* key : {"old", "key0", "key1999"}) {
      EXPECT_GE(clock_.idle_ms(entry(key)), 339 * kDayMs);
      EXPECT_LE(clock_.idle_ms(entry(key)), 343 * kDayMs);
    }
    EXPECT_GT(clock_.eviction_score(entry("old")), 0u);
  }
  EXPECT_GE(clock_.idle_ms(entry("young")), 339 * kDayMs);
}

TEST_F(AccessClocks, CountersDecayOnceAndForAll) {
  set_policy(EvictionPolicy::allkeys_lfu);
  set("used");
  for (int i = 0; i < 1000; ++i) clock_.touch(entry("used"));
  const int used = clock_.frequency(entry("used"));
  EXPECT_GT(used, 8);
  pass(kHourMs);
  EXPECT_EQ(clock_.frequency(entry("used")), 0);
  for (int i = 0; i < 12; ++i) {
    pass(23 * kDayMs);
    EXPECT_EQ(clock_.frequency(entry("used")), 0) << i;
  }
  // A decay so slow that moving the stamp up must not lose what has passed.
  settings_.lfu_decay_time_min = 30 * 24 * 60;
  for (int i = 0; i < 100'000; ++i) clock_.touch(entry("used"));
  const int before = clock_.frequency(entry("used"));
  pass(301 * kDayMs);
  EXPECT_EQ(clock_.frequency(entry("used")), before - 10);
}

}  // namespace
}  // namespace redoubt
