#include "engine/store/stream_idempotency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "engine/store/random.h"
#include "engine/store/stream.h"
#include "tests/store/one_stream.h"

namespace redoubt {
namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();

std::string digest_of(const Stream& stream) {
  Digest digest;
  stream.digest(digest);
  digest.end_element();
  return digest.hex();
}

// All records in one list, the oldest first.
struct Naive {
  struct Record {
    std::string producer;
    std::string id;
    uint64_t entry;
    int64_t made_ms;
  };

  bool counts(const Record& record, int64_t now_ms) const {
    return now_ms <= record.made_ms + limits.duration_s * 1000;
  }
  void record(const Record& made) {
    for (size_t i = 0; i < StreamIdempotency::kForgottenAtOnce; ++i) {
      if (records.empty() || counts(records.front(), made.made_ms)) break;
      records.erase(records.begin());
    }
    std::erase_if(records,
                  [&](const Record& r) { return r.producer == made.producer && r.id == made.id; });
    const auto his = [&](const Record& r) { return r.producer == made.producer; };
    if (std::count_if(records.begin(), records.end(), his) == limits.maxsize) {
      records.erase(std::find_if(records.begin(), records.end(), his));
    }
    records.push_back(made);
  }

  IdempotencyLimits limits;
  std::vector<Record> records;
};

TEST(StreamIdempotency, AgreesWithAList) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    OneStream stream;
    Naive naive;
    naive.limits = {.duration_s = 1 + static_cast<int64_t>(seed % 3),
                    .maxsize = 1 + static_cast<int64_t>(seed % 7)};
    StreamIdempotency& idempotency = stream->need_idempotency(naive.limits);
    int64_t now_ms = 1'000'000;
    for (uint64_t step = 1; step <= 4000; ++step) {
      now_ms += static_cast<int64_t>(random.below(60));
      // The clock jumps, back too.
      if (random.below(200) == 0) now_ms += static_cast<int64_t>(random.below(8000)) - 4000;
      const std::string producer = "p" + std::to_string(random.below(1 + seed % 5));
      const std::string id = std::to_string(random.below(12));
      const IdempotentRecord* found = idempotency.find(producer, id, now_ms);
      const auto same =
          std::find_if(naive.records.begin(), naive.records.end(), [&](const Naive::Record& r) {
            return r.producer == producer && r.id == id && naive.counts(r, now_ms);
          });
      ASSERT_EQ(found == nullptr, same == naive.records.end()) << "seed " << seed << " " << step;
      if (found != nullptr) {
        ASSERT_EQ(found->entry.ms, same->entry);
        if (random.below(20) != 0) continue;
      }
      idempotency.record(producer, id, {step, 0}, now_ms);
      naive.record({producer, id, step, now_ms});
      ASSERT_EQ(idempotency.records(), naive.records.size()) << "seed " << seed << " " << step;
    }
    EXPECT_GT(idempotency.made(), 500u);
  }
}

TEST(StreamIdempotency, CopiesAreEqualAndTheirOwn) {
  OneStream stream;
  StreamIdempotency& idempotency = stream->need_idempotency({.duration_s = 5, .maxsize = 50});
  for (uint64_t i = 0; i < 300; ++i) {
    idempotency.record("p" + std::to_string(i % 3), std::to_string(i), {i, 1}, 7);
  }
  idempotency.set_duplicates(9);
  Allocator other;
  Stream* copy = Stream::copy(other, *stream.stream);
  EXPECT_EQ(digest_of(*copy), digest_of(*stream.stream));
  EXPECT_EQ(copy->idempotency()->made(), 300u);
  EXPECT_EQ(copy->idempotency()->duplicates(), 9u);
  EXPECT_EQ(copy->idempotency()->records(), 150u);
  copy->idempotency()->record("p0", "new", {1000, 1}, 7);
  EXPECT_NE(digest_of(*copy), digest_of(*stream.stream));
  EXPECT_EQ(idempotency.find("p0", "new", 7), nullptr);
  size_t budget = kAll;
  EXPECT_TRUE(Stream::free_some(copy, budget));
  EXPECT_EQ(other.used_bytes(), 0u);
}

TEST(StreamIdempotency, WhatIsRememberedIsCountedAndFreedInSlices) {
  Allocator allocator;
  Stream* stream = Stream::make(allocator);
  const size_t before = stream->bytes();
  StreamIdempotency& idempotency = stream->need_idempotency({.duration_s = 100, .maxsize = 1000});
  for (uint64_t i = 0; i < 5000; ++i) {
    idempotency.record("p" + std::to_string(i % 5), std::to_string(i), {i, 1}, 7);
  }
  EXPECT_GT(stream->bytes(), before + 5000 * sizeof(IdempotentRecord));
  EXPECT_GT(stream->pieces(), 5000u);
  size_t slices = 1;
  for (;; ++slices) {
    size_t budget = 100;
    if (Stream::free_some(stream, budget)) break;
    EXPECT_EQ(budget, 0u);
  }
  EXPECT_GT(slices, 50u);
  EXPECT_EQ(allocator.used_bytes(), 0u);
}

TEST(StreamIdempotency, ANewBeginningTakesTheBytesAlong) {
  OneStream stream;
  stream->need_idempotency({.duration_s = 100, .maxsize = 1000}).set_duplicates(3);
  const size_t before = stream->bytes();
  for (uint64_t i = 0; i < 700; ++i) {
    stream->idempotency()->record("p", std::to_string(i), {i, 1}, 7);
  }
  Stream* remains = stream->restart_idempotency({.duration_s = 100, .maxsize = 2});
  EXPECT_EQ(stream->bytes(), before);
  EXPECT_GT(remains->bytes(), 700 * sizeof(IdempotentRecord));
  EXPECT_EQ(stream->idempotency()->records(), 0u);
  EXPECT_EQ(stream->idempotency()->made(), 700u);
  EXPECT_EQ(stream->idempotency()->duplicates(), 3u);
  size_t budget = kAll;
  EXPECT_TRUE(Stream::free_some(remains, budget));
}

TEST(StreamIdempotency, ProducersThatSendNoMoreAreForgotten) {
  OneStream stream;
  StreamIdempotency& idempotency = stream->need_idempotency({.duration_s = 1, .maxsize = 10});
  for (uint64_t i = 0; i < 1000; ++i) {
    idempotency.record("gone" + std::to_string(i), "id", {i, 1}, 500);
  }
  EXPECT_EQ(idempotency.producers(), 1000u);
  const size_t before = stream->bytes();
  for (uint64_t i = 0; i < 100; ++i) idempotency.record("p", std::to_string(i), {i, 2}, 5000);
  EXPECT_EQ(idempotency.producers(), 1u);
  EXPECT_EQ(idempotency.records(), 10u);
  EXPECT_LT(stream->bytes(), before / 20);
}

TEST(StreamIdempotency, TimesAtTheEndOfTimeDoNotOverflow) {
  OneStream stream;
  StreamIdempotency& idempotency = stream->need_idempotency({});
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  idempotency.record("p", "a", {1, 1}, kLast);
  EXPECT_NE(idempotency.find("p", "a", kLast), nullptr);
  EXPECT_NE(idempotency.find("p", "a", 0), nullptr);
}

TEST(StreamIdempotency, EverythingIsInTheDigest) {
  const auto digest_with = [](const IdempotencyLimits& limits, std::string_view producer,
                              std::string_view id, StreamId entry, int64_t made_ms) {
    OneStream stream;
    stream->need_idempotency(limits).record(producer, id, entry, made_ms);
    return digest_of(*stream.stream);
  };
  std::vector<std::string> digests = {
      digest_with({}, "p", "a", {1, 1}, 5),
      digest_with({.duration_s = 101, .maxsize = 100}, "p", "a", {1, 1}, 5),
      digest_with({.duration_s = 100, .maxsize = 101}, "p", "a", {1, 1}, 5),
      digest_with({}, "q", "a", {1, 1}, 5),
      digest_with({}, "p", "b", {1, 1}, 5),
      digest_with({}, "p", "a", {1, 2}, 5),
      digest_with({}, "p", "a", {1, 1}, 6)};
  OneStream without;
  digests.push_back(digest_of(*without.stream));
  without->need_idempotency({});
  digests.push_back(digest_of(*without.stream));
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.end()), digests.end());
}

}  // namespace
}  // namespace redoubt
