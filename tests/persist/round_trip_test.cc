// What is written is what is read: databases at random, whole and in parts, in chunks of any size.
#include <gtest/gtest.h>

#include <string>

#include "tests/persist/rdb_files.h"
#include "tests/store/random_hash_key.h"
#include "tests/store/random_writer.h"

namespace redoubt {
namespace {

const RdbLimits kSmallLimits{
    .list_fill = 4,
    .set = {.intset_entries = 16, .listpack_entries = 8, .listpack_value = 32},
    .hash = {.listpack_entries = 8, .listpack_value = 32},
    .zset = {.entries_max = 8, .value_bytes_max = 32}};

// Whether all is as it was, and no chunk size makes a difference.
void expect_same(RandomWriter& writer, const RdbWriterOptions& options,
                 const SnapshotLimits& limits, const HashKey& hash_key) {
  std::string error;
  const std::string file = written_file(writer.sources(), options, limits, &error);
  if (!error.empty()) {
    EXPECT_LT(options.form, RdbForm::redoubt1) << error;
    return;
  }
  for (const size_t chunk : {size_t{1} << 30, size_t{4096}, size_t{7}}) {
    if (chunk < 100 && file.size() > 300'000) continue;
    LoadedFile loaded(hash_key);
    const size_t budget = chunk == 4096 ? 10 : 1'000'000;
    ASSERT_TRUE(loaded.load(file, chunk, budget, kSmallLimits))
        << loaded.error.text << " at " << loaded.error.offset << " of " << file.size();
    for (size_t i = 0; i < writer.database_count(); ++i) {
      ASSERT_EQ(loaded.difference(i, writer.database(i)), "");
    }
    ASSERT_EQ(loaded.digest(), writer.digest());
    ASSERT_EQ(loaded.rest, "");
  }
}

TEST(RdbRoundTrip, DatabasesAtRandom) {
  const HashKey hash_key = make_hash_key(99);
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    RandomWriter writer(seed, PassBug::none);
    for (int i = 0; i < 400; ++i) writer.write();
    Random& random = writer.random();
    RdbWriterOptions options;
    options.form =
        random.below(3) == 0 ? static_cast<RdbForm>(random.below(6)) : RdbForm::automatic;
    options.compress = random.below(2) == 0;
    options.checksum = random.below(4) != 0;
    SnapshotLimits limits;
    if (random.below(2) == 0) {
      limits.whole_parts = 1 + random.below(40);
      limits.whole_bytes = 64 + random.below(20'000);
    }
    expect_same(writer, options, limits, hash_key);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace redoubt
