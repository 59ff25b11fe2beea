// The logs of commands that stood out: those that took long (SLOWLOG), those with a large request
// and those with a large reply (COMMANDLOG). Each keeps the newest entries up to its maximum.
//
// An entry holds the command's arguments in short: no more than 32 of 128 bytes by default, so that
// a log's memory is bounded by its length, whatever clients send.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt {

class CommandLog {
 public:
  enum class Kind : uint8_t { slow, large_request, large_reply };
  static constexpr size_t kKinds = 3;

  struct Entry {
    uint64_t id = 0;  // grows by one with each entry of its kind
    int64_t unix_s = 0;
    int64_t value = 0;  // microseconds, or bytes
    std::vector<std::string> args;
    std::string address;
    std::string client_name;
  };

  // Adds an entry, whose id is given here, and drops the oldest ones above `entries_max`.
  void add(Kind kind, Entry entry, size_t entries_max);
  // Newest first.
  const std::deque<Entry>& entries(Kind kind) const { return of(kind).entries; }
  // Forgets the entries; ids go on.
  void reset(Kind kind) { of(kind).entries.clear(); }

 private:
  struct Log {
    std::deque<Entry> entries;
    uint64_t next_id = 0;
  };

  Log& of(Kind kind) { return logs_[static_cast<size_t>(kind)]; }
  const Log& of(Kind kind) const { return logs_[static_cast<size_t>(kind)]; }

  std::array<Log, kKinds> logs_;
};

// Arguments for an entry: of more than `args_max` the last one says how many there were more, and
// of a longer one than `bytes_max` its end says how many bytes more.
std::vector<std::string> shorten_arguments(std::span<const std::string_view> args, size_t args_max,
                                           size_t bytes_max);

}  // namespace redoubt
