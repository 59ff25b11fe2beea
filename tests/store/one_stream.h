// A stream of a test.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/stream.h"

namespace redoubt {

// It is freed at the end, and its memory is then all returned.
struct OneStream {
  OneStream() : stream(Stream::make(allocator)) {}
  ~OneStream() {
    size_t budget = std::numeric_limits<size_t>::max();
    EXPECT_TRUE(Stream::free_some(stream, budget));
    EXPECT_EQ(allocator.used_bytes(), 0u);
  }

  void append(StreamId id, const std::vector<std::string>& fields,
              const StreamLimits& limits = {}) {
    const std::vector<std::string_view> views(fields.begin(), fields.end());
    stream->append(id, views, limits);
  }
  Stream* operator->() const { return stream; }
  Stream& operator*() const { return *stream; }

  Allocator allocator;
  Stream* stream;
};

}  // namespace redoubt
