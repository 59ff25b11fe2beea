// AofManifest: which files hold the data, in the order in which they are loaded. It is the file
// <appendfilename>.manifest in the directory of the append-only files, and changes only as a whole.
//
//   file appendonly.aof.1.base.rdb seq 1 type b
//   file appendonly.aof.1.incr.aof seq 1 type i
//
// The data is the base, then all increments. Files of type h are no longer part of it and wait to
// be removed. The form is that of Redis 7.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt {

struct AofManifest {
  struct File {
    std::string name;  // without a directory
    uint64_t number = 0;

    bool operator==(const File&) const = default;
  };

  std::optional<File> base;
  std::vector<File> increments;  // by number
  std::vector<File> history;     // not needed any more, the newest first

  bool empty() const { return !base && increments.empty(); }
  uint64_t last_base() const { return base ? base->number : 0; }
  uint64_t last_increment() const { return increments.empty() ? 0 : increments.back().number; }

  // The text of the file.
  std::string text() const;
  // False: *error says what is wrong with the text, with the number of the line.
  static bool parse(std::string_view text, AofManifest* manifest, std::string* error);

  bool operator==(const AofManifest&) const = default;
};

// The names of files of an append-only log that is called `prefix` (appendfilename).
std::string aof_manifest_name(std::string_view prefix);
std::string aof_base_name(std::string_view prefix, uint64_t number, bool rdb);
std::string aof_increment_name(std::string_view prefix, uint64_t number);

struct AofFileName {
  bool base = false;  // otherwise an increment
  uint64_t number = 0;
};
// Nothing: no file of that log has this name.
std::optional<AofFileName> parse_aof_name(std::string_view prefix, std::string_view name);

}  // namespace redoubt
