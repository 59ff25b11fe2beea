// What --check-aof finds in a file of an append-only log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace redoubt {

struct AofCheck {
  uint64_t good_bytes = 0;  // up to the end of the last whole entry
  uint64_t bytes = 0;       // that were read
  uint64_t entries = 0;
  uint64_t marked = 0;   // of them with a checksum, which is right
  std::string problem;   // with what is behind the good bytes; empty: nothing is wrong
  bool damaged = false;  // rather than incomplete
};

// Gives the next bytes of a file, up to as many as it likes, at the end none.
using AofRead = std::function<std::string_view()>;

// Reads a file of commands that begins at byte `from` of its file.
AofCheck check_aof(const AofRead& read, uint64_t from);

}  // namespace redoubt
