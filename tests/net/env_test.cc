#include "net/env.h"

#include <gtest/gtest.h>

#include "tests/net/fake_backend.h"

namespace redoubt {
namespace {

TEST(Env, CountsTurnsAndTheTimeTheyTake) {
  FakeBackend backend;
  Env env(backend);
  const auto pass = [&](int64_t us) { backend.time.ns += us * 1000; };
  env.begin_turn();
  pass(30);
  env.end_turn();
  env.rest(backend.time);
  EXPECT_EQ(env.turns(), 1u);
  EXPECT_EQ(env.busy_time().us(), 30);
  pass(1000);  // it waits
  env.begin_turn();
  pass(5);
  env.end_turn();
  pass(1);
  env.begin_turn();  // there was more to do at once
  pass(4);
  env.end_turn();
  env.rest(backend.time);
  env.rest({backend.time.ns + 1'000'000});
  EXPECT_EQ(env.turns(), 3u);
  EXPECT_EQ(env.busy_time().us(), 40);
}

}  // namespace
}  // namespace redoubt
