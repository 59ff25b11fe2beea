// Streams of events, and where two of them part.
#include "sim/first_difference/first_difference.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/naive.h"

namespace redoubt::sim {
namespace {

struct EchoOptions {
  uint64_t seed = 5;
  bool disturb = false;  // half way through
  Duration length = Duration::seconds(2);
};

// The events of a small world.
std::string events_of(const EchoOptions& options) {
  std::string bytes;
  EventWriter writer([&](std::string_view more) { bytes += more; });
  WorldOptions world_options;
  world_options.faults.net_delay = 200;
  world_options.sink = &writer;
  World world(options.seed, world_options);
  Seen seen;
  const HostId server = world.add_host({.name = "server"}, make_echo);
  const HostId client = world.add_host({.name = "client"}, story(naive_client, &seen, "10.0.0.1"));
  world.boot(server);
  world.boot(client);
  world.run_for(Duration{options.length.ns / 2});
  if (options.disturb) world.note(client, 7, "a stone");
  world.run_for(Duration{options.length.ns / 2});
  writer.finish("digest " + world.digest_text());
  return bytes;
}

// Gives its bytes in pieces of odd sizes.
EventReader reader_of(std::string_view bytes, size_t piece = 1'000'000) {
  return EventReader([bytes, piece](std::span<char> into) mutable {
    const size_t size = std::min({bytes.size(), into.size(), piece});
    std::ranges::copy(bytes.substr(0, size), into.begin());
    bytes.remove_prefix(size);
    return size;
  });
}

Comparison compare(std::string_view left, std::string_view right, size_t piece = 1'000'000) {
  EventReader one = reader_of(left, piece);
  EventReader other = reader_of(right);
  return compare_events(one, other);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(FirstDifference, ThereIsNoneInTheSameRun) {
  const std::string bytes = events_of({});
  for (const size_t piece : {1u, 7u, 1'000'000u}) {
    const Comparison comparison = compare(bytes, events_of({}), piece);
    EXPECT_FALSE(comparison.difference);
    EXPECT_GT(comparison.events, 300u);
    EXPECT_TRUE(comparison.outcome.starts_with("digest ")) << comparison.outcome;
  }
}

TEST(FirstDifference, IsTheOneThatWasPlanted) {
  const Comparison comparison = compare(events_of({}), events_of({.disturb = true}));
  ASSERT_TRUE(comparison.difference);
  const FirstDifference& difference = *comparison.difference;
  EXPECT_TRUE(has(difference.right, "1.000000000 client note 7 a stone")) << difference.right;
  EXPECT_FALSE(has(difference.left, "a stone"));
  EXPECT_EQ(difference.place, comparison.events);
  EXPECT_GT(difference.place, 100u);
  ASSERT_EQ(difference.before.size(), 5u);
  EXPECT_TRUE(has(difference.before[4], "0.99")) << difference.before[4];
}

TEST(FirstDifference, MayBeTheFirstEvent) {
  const Comparison comparison = compare(events_of({.seed = 5}), events_of({.seed = 6}));
  ASSERT_TRUE(comparison.difference);
  EXPECT_LT(comparison.difference->place, 20u);
  EXPECT_NE(comparison.difference->left, comparison.difference->right);
}

TEST(FirstDifference, MayBeTheEnd) {
  const std::string whole = events_of({.length = Duration::milliseconds(500)});
  const std::string longer = events_of({.length = Duration::milliseconds(900)});
  const Comparison comparison = compare(whole, longer);
  ASSERT_TRUE(comparison.difference);
  EXPECT_TRUE(has(comparison.difference->left, "the run ends: digest "));
  EXPECT_FALSE(has(comparison.difference->right, "the run ends"));
}

// A process that died has no end; what it did until then is compared.
TEST(FirstDifference, BrokenStreamsAreNeverTheSame) {
  const std::string whole = events_of({});
  const std::string cut = whole.substr(0, whole.size() / 2);
  for (const std::string_view other : {std::string_view(whole), std::string_view(cut)}) {
    const Comparison comparison = compare(cut, other);
    ASSERT_TRUE(comparison.difference);
    EXPECT_GT(comparison.events, 100u);
    EXPECT_EQ(comparison.difference->left, "the run breaks off");
  }
  EXPECT_TRUE(compare("", "").difference);
  EXPECT_TRUE(compare("no events at all", "no events at all").difference);
}

// The text is longer than what a record keeps of it.
TEST(FirstDifference, SeesTheEndOfALongText) {
  const auto events_with = [](char last) {
    std::string bytes;
    EventWriter writer([&](std::string_view more) { bytes += more; });
    WorldOptions options;
    options.sink = &writer;
    World world(1, options);
    world.add_host({.name = "host"}, make_echo);
    world.note(0, 1, std::string(100'000, 'x') + last);
    writer.finish("");
    return bytes;
  };
  EXPECT_FALSE(compare(events_with('a'), events_with('a')).difference);
  const Comparison comparison = compare(events_with('a'), events_with('b'));
  ASSERT_TRUE(comparison.difference);
  EXPECT_TRUE(has(comparison.difference->left, "... 100001 bytes")) << comparison.difference->left;
}

TEST(FirstDifference, WatchingChangesNothing) {
  WorldOptions options;
  std::string bytes;
  EventWriter writer([&](std::string_view more) { bytes += more; });
  std::string digests[2];
  for (int i = 0; i < 2; ++i) {
    options.sink = i == 0 ? nullptr : &writer;
    World world(3, options);
    world.boot(world.add_host({.name = "server"}, make_echo));
    world.run_for(Duration::seconds(1));
    digests[i] = world.digest_text();
  }
  EXPECT_EQ(digests[0], digests[1]);
}

}  // namespace
}  // namespace redoubt::sim
