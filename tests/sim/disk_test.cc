#include "sim/disk.h"

#include <gtest/gtest.h>

#include <set>

namespace redoubt::sim {
namespace {

constexpr OpenFlags kWritable = {.read = true, .write = true, .create = true};

// As unfavourable as it gets: half is lost, half of the rest torn, and some of it garbage.
constexpr PowerLoss kHalf = {.lost = 250'000,
                             .torn = 666'666,
                             .garbage = 250'000,
                             .name_lost = 500'000,
                             .rename_lost = 500'000};
constexpr PowerLoss kTorn = {
    .lost = 0, .torn = 1'000'000, .garbage = 250'000, .name_lost = 500'000, .rename_lost = 500'000};

InodeRef make(Disk& disk, std::string_view path) {
  return disk.open(path, kWritable).value();
}

void write(const InodeRef& file, uint64_t offset, std::string_view text) {
  file->write(offset, as_slice(text));
}

void sync(const InodeRef& file) {
  file->end_sync(file->begin_sync());
}

void sync_names(Disk& disk, std::string_view path) {
  disk.end_sync_names(disk.find(path).value(), disk.names_mark());
}

TEST(Disk, ReadsWhatWasWritten) {
  Disk disk(Random(1));
  const InodeRef file = make(disk, "f");
  write(file, 0, "hello");
  write(file, 10'000, "world");
  EXPECT_EQ(file->size(), 10'005u);
  const std::string all = disk.contents("/data/f").value();
  EXPECT_EQ(all.substr(0, 5), "hello");
  EXPECT_EQ(all.substr(5, 9'995), std::string(9'995, '\0'));
  EXPECT_EQ(all.substr(10'000), "world");
  EXPECT_EQ(disk.bytes_used(), 2 * kPageSize);
}

TEST(Disk, WhatWasCutOffReadsAsZero) {
  Disk disk(Random(1));
  const InodeRef file = make(disk, "f");
  write(file, 0, std::string(9'000, 'x'));
  sync(file);
  file->truncate(100);
  file->truncate(9'000);
  sync(file);
  sync_names(disk, "/data");
  std::string expected(100, 'x');
  expected.resize(9'000);
  EXPECT_EQ(disk.contents("f").value(), expected);
  disk.lose_power(kTorn);
  EXPECT_EQ(disk.contents("f").value(), expected);
}

TEST(Disk, NamesAndTheirErrors) {
  Disk disk(Random(1));
  EXPECT_EQ(disk.open("none", {.read = true}).error(), Error::not_found);
  make(disk, "a");
  OpenFlags exclusive = kWritable;
  exclusive.exclusive = true;
  EXPECT_EQ(disk.open("a", exclusive).error(), Error::exists);
  EXPECT_EQ(disk.open("a/b", kWritable).error(), Error::not_directory);
  EXPECT_EQ(disk.open("no/b", kWritable).error(), Error::not_found);
  EXPECT_EQ(disk.make_directory("d"), Error::none);
  EXPECT_EQ(disk.make_directory("d"), Error::exists);
  EXPECT_EQ(disk.open("d", kWritable).error(), Error::is_directory);
  make(disk, "d/x");
  EXPECT_EQ(disk.remove("d"), Error::not_empty);
  EXPECT_EQ(disk.rename("d", "d/inside"), Error::invalid);
  EXPECT_EQ(disk.rename("a", "d"), Error::is_directory);
  EXPECT_EQ(disk.rename("d", "a"), Error::not_directory);
  EXPECT_EQ(disk.rename("a", "d/../d/y"), Error::none);
  EXPECT_EQ(disk.list("d").value(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(disk.list("d/x").error(), Error::not_directory);
  EXPECT_EQ(disk.remove("d/x"), Error::none);
  EXPECT_EQ(disk.remove("d/x"), Error::not_found);
  EXPECT_EQ(disk.open(std::string(300, 'n'), kWritable).error(), Error::invalid);
}

TEST(Disk, AnOpenFileOutlivesItsName) {
  Disk disk(Random(1));
  const InodeRef file = make(disk, "f");
  write(file, 0, "still here");
  disk.remove("f");
  std::byte bytes[5];
  EXPECT_EQ(file->read(0, bytes), 5u);
}

TEST(Disk, WhatWasSyncedSurvives) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Disk disk{Random(seed)};
    const InodeRef file = make(disk, "f");
    write(file, 0, std::string(10'000, 's'));
    sync(file);
    sync_names(disk, "/data");
    write(file, 5'000, std::string(10, 'u'));
    disk.lose_power(kTorn);
    const std::string text = disk.contents("f").value();
    ASSERT_EQ(text.size(), 10'000u);
    // Only the sector of the unsynced bytes may be anything but what was synced.
    ASSERT_EQ(text.substr(0, 4'608), std::string(4'608, 's'));
    ASSERT_EQ(text.substr(5'120), std::string(4'880, 's'));
  }
}

TEST(Disk, UnsyncedBytesAreKeptLostOrTorn) {
  std::set<std::string> kinds;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Disk disk{Random(seed)};
    const InodeRef file = make(disk, "f");
    sync_names(disk, "/data");
    write(file, 0, std::string(8'192, 'o'));
    sync(file);
    write(file, 0, std::string(8'192, 'n'));
    disk.lose_power(kHalf);
    const std::string text = disk.contents("f").value();
    const bool has_old = text.find('o') != std::string::npos;
    const bool has_new = text.find('n') != std::string::npos;
    const bool garbage = text.find_first_not_of("on") != std::string::npos;
    kinds.insert(garbage ? "garbage" : has_old && has_new ? "torn" : has_old ? "lost" : "kept");
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"garbage", "kept", "lost", "torn"}));
}

TEST(Disk, UnsyncedNamesMayVanish) {
  std::set<std::string> kinds;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Disk disk{Random(seed)};
    write(make(disk, "a"), 0, "content");
    sync(disk.find("a").value());
    sync_names(disk, "/data");
    disk.rename("a", "b");
    make(disk, "c");
    disk.lose_power(kHalf);
    std::string names;
    const auto listed = disk.list("/data");
    for (const std::string& name : listed.value()) names += name + " ";
    kinds.insert(names);
    // A rename happens as a whole.
    const std::string survivor = disk.contents("a").ok() ? "a" : "b";
    ASSERT_EQ(disk.contents(survivor).value(), "content");
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"b ", "b c ", "a ", "a c "}));
}

TEST(Disk, AFailedSyncSavesNothingForGood) {
  Disk disk(Random(1));
  const InodeRef file = make(disk, "f");
  sync_names(disk, "/data");
  write(file, 0, std::string(4'096, 'a'));
  file->fail_sync();
  sync(file);  // succeeds, and does not save those pages
  EXPECT_EQ(disk.contents("f").value(), std::string(4'096, 'a'));
  bool lost = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Disk again{Random(seed)};
    const InodeRef same = make(again, "f");
    sync_names(again, "/data");
    write(same, 0, std::string(4'096, 'a'));
    same->fail_sync();
    sync(same);
    again.lose_power({.lost = 500'000, .torn = 0, .garbage = 0, .name_lost = 0, .rename_lost = 0});
    lost = lost || again.contents("f").value() != std::string(4'096, 'a');
  }
  EXPECT_TRUE(lost);
}

// What has happened is counted, and nothing else happens.
TEST(Disk, CountsWhatAPowerLossDoes) {
  PowerLoss total;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Disk disk{Random(seed)};
    const InodeRef file = make(disk, "f");
    make(disk, "old");
    sync_names(disk, "/data");
    write(file, 0, std::string(8'192, 'o'));
    sync(file);
    write(file, 0, std::string(8'192, 'n'));
    disk.rename("old", "new");
    make(disk, "made");
    const PowerLoss happened = disk.lose_power(kHalf);
    const std::string text = disk.contents("f").value();
    const bool has_old = text.find('o') != std::string::npos;
    const bool has_new = text.find('n') != std::string::npos;
    const bool garbage = text.find_first_not_of("on") != std::string::npos;
    EXPECT_EQ(happened.garbage, garbage ? 1 : 0);
    if (!garbage) {
      EXPECT_EQ(happened.torn, has_old && has_new ? 1 : 0);
      EXPECT_EQ(happened.lost, !has_new ? 1 : 0);
    }
    EXPECT_EQ(happened.name_lost, disk.find("made").ok() ? 0 : 1);
    EXPECT_EQ(happened.rename_lost, disk.find("new").ok() ? 0 : 1);
    EXPECT_EQ(disk.lose_power(kHalf), PowerLoss());
    total.lost += happened.lost;
    total.torn += happened.torn;
    total.garbage += happened.garbage;
  }
  EXPECT_GT(total.lost, 10);
  EXPECT_GT(total.torn, 10);
  EXPECT_GT(total.garbage, 10);
}

TEST(Disk, WithoutMishapsPowerLossLosesNothing) {
  Disk disk(Random(1));
  write(make(disk, "f"), 0, std::string(8'192, 'n'));
  disk.rename("f", "g");
  EXPECT_EQ(disk.lose_power({}), PowerLoss());
  EXPECT_EQ(disk.contents("g").value(), std::string(8'192, 'n'));
}

// One kind of mishap draws nothing from another.
TEST(Disk, GarbageDoesNotChangeWhatIsTorn) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::string texts[2];
    for (const int garbage : {0, 1}) {
      Disk disk{Random(seed)};
      const InodeRef file = make(disk, "f");
      write(file, 0, std::string(8'192, 'o'));
      sync(file);
      write(file, 0, std::string(8'192, 'n'));
      PowerLoss ppm;
      ppm.torn = 1'000'000;
      ppm.garbage = garbage * 1'000'000;
      disk.lose_power(ppm);
      texts[garbage] = disk.contents("f").value();
    }
    EXPECT_NE(texts[0], texts[1]);
    for (size_t at = 0; at < 8'192; at += kSectorSize) {
      const std::string with = texts[1].substr(at, kSectorSize);
      if (with.find_first_not_of(with[0]) != std::string::npos) continue;  // garbage
      EXPECT_EQ(with, texts[0].substr(at, kSectorSize));
    }
  }
}

TEST(Disk, RotChangesAFewSyncedBytes) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Disk disk(Random(1));
    EXPECT_FALSE(disk.can_rot());
    const std::string text(10'000, 'x');
    const InodeRef file = make(disk, "f");
    write(file, 0, text);
    EXPECT_FALSE(disk.can_rot());
    sync(file);
    EXPECT_TRUE(disk.can_rot());
    Random random(seed);
    EXPECT_TRUE(disk.rot(random));
    const std::string after = disk.contents("f").value();
    size_t changed = 0;
    for (size_t i = 0; i < text.size(); ++i) changed += after[i] != text[i] ? 1 : 0;
    EXPECT_GE(changed, 1u);
    EXPECT_LE(changed, 8u);
    // What is written again and synced is sound again.
    write(file, 0, text);
    sync(file);
    sync_names(disk, "/data");
    disk.lose_power(kTorn);
    EXPECT_EQ(disk.contents("f").value(), text);
  }
}

TEST(Disk, RotUnderAWriteShowsWhenThatIsLost) {
  Disk disk(Random(1));
  const InodeRef file = make(disk, "f");
  write(file, 0, std::string(100, 'o'));
  sync(file);
  write(file, 0, std::string(100, 'n'));
  Random random(1);
  EXPECT_TRUE(disk.rot(random));
  EXPECT_EQ(disk.contents("f").value(), std::string(100, 'n'));
  PowerLoss ppm;
  ppm.lost = 1'000'000;
  disk.lose_power(ppm);
  const std::string text = disk.contents("f").value();
  EXPECT_NE(text, std::string(100, 'o'));
  EXPECT_EQ(text.size(), 100u);
}

TEST(Disk, AnImageIsWhatWasSyncedThen) {
  Disk disk(Random(1));
  disk.make_directory("d");
  const InodeRef file = make(disk, "d/f");
  write(file, 0, std::string(5'000, 'a'));
  sync(file);
  sync_names(disk, "/data");
  sync_names(disk, "d");
  write(file, 100, "not synced");
  make(disk, "unsynced");
  const DiskImage image = disk.image();
  write(file, 0, std::string(9'000, 'b'));
  sync(file);
  disk.rename("d/f", "g");
  disk.restore(image);
  EXPECT_EQ(disk.contents("d/f").value(), std::string(5'000, 'a'));
  EXPECT_EQ(disk.list("/data").value(), std::vector<std::string>{"d"});
  EXPECT_EQ(disk.bytes_used(), (2 + 3) * kPageSize);  // `file` still holds three
  // It is on the medium.
  disk.lose_power(kHalf);
  EXPECT_EQ(disk.contents("d/f").value(), std::string(5'000, 'a'));
  disk.wipe();
  EXPECT_EQ(disk.list("/data").value(), std::vector<std::string>{});
  EXPECT_EQ(disk.bytes_used(), 3 * kPageSize);
}

TEST(Disk, SpaceComesBack) {
  Disk disk(Random(5));
  for (int i = 0; i < 10; ++i) {
    const InodeRef file = make(disk, "f");
    write(file, 0, std::string(100'000, 'x'));
    sync(file);
    sync_names(disk, "/data");
    write(file, 3, "y");
    disk.lose_power(kHalf);
  }
  disk.remove("f");
  sync_names(disk, "/data");
  EXPECT_EQ(disk.bytes_used(), 0u);
}

}  // namespace
}  // namespace redoubt::sim
