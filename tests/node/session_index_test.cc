// The index of sessions: against a map, with gaps and packing.
#include "engine/clients/session_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace redoubt {
namespace {

// Never followed: the index keeps pointers only.
Session* session_of(uint64_t id) {
  return reinterpret_cast<Session*>(id * 16);
}

TEST(SessionIndex, AgreesWithAMap) {
  std::mt19937_64 random(1);
  SessionIndex index;
  std::map<uint64_t, Session*> expected;
  uint64_t next_id = 1;
  for (int step = 0; step < 20'000; ++step) {
    const bool growing = step / 4'000 % 2 == 0;
    if (expected.empty() || (random() % 4 != 0) == growing) {
      next_id += 1 + random() % 3;
      index.add(next_id, session_of(next_id));
      expected[next_id] = session_of(next_id);
    } else {
      auto victim = expected.lower_bound(random() % next_id);
      if (victim == expected.end()) victim = expected.begin();
      index.remove(victim->first);
      expected.erase(victim);
    }
    ASSERT_EQ(index.size(), expected.size());
    const uint64_t asked = random() % (next_id + 2);
    const auto at = expected.find(asked);
    ASSERT_EQ(index.find(asked), at == expected.end() ? nullptr : at->second) << asked;
    const auto after = expected.upper_bound(asked);
    ASSERT_EQ(index.next_after(asked), after == expected.end() ? nullptr : after->second) << asked;
  }
}

}  // namespace
}  // namespace redoubt
