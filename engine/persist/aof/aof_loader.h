// AofLoader: applies the entries of an append-only file.
//
// An entry is applied as a whole or not at all: a MULTI without its EXEC, and a marked entry whose
// checksum is another one, change nothing. At the first damage loading stops. Damage behind all
// that the file says was synced is what a crash leaves; it is cut off where the settings allow it.
// Other damage is an error that says where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/dispatch/applier.h"
#include "engine/insight/logger.h"
#include "engine/persist/aof/aof_entries.h"
#include "engine/persist/snapshots/load_progress.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "net/env.h"
#include "net/task.h"

namespace redoubt {

// Where loading stops: behind the last entry of a second, or up to an offset of the history.
struct AofLoadEnd {
  std::optional<int64_t> unix_s;
  std::optional<uint64_t> offset;
};

// "1764500000" is a time, "offset:123456" an offset. Nothing: the text is neither.
std::optional<AofLoadEnd> parse_load_end(std::string_view text);

// How an end that is not whole is treated.
struct AofTailRules {
  bool cut_incomplete = true;                      // aof-load-truncated
  uint64_t corrupt_tail_max = 0;                   // aof-load-corrupt-tail-max-size
  const PersistPlants* plants = &kNothingPlanted;  // of a simulation
};

class AofLoader {
 public:
  struct Surroundings {
    Env& env;
    const Services& services;
    const Logger& logger;
    LoadProgress& progress;
  };

  // All of these outlive it.
  AofLoader(const Surroundings& surroundings, const AofTailRules& rules, const AofLoadEnd& end);

  // Applies a file from the byte `from` on. When the file is cut, that has reached the medium.
  // False: error() says why.
  Task<bool> load(std::string path, uint64_t from, bool is_last);
  const std::string& error() const { return error_; }
  // The end that was asked for has been reached.
  bool reached_end() const { return reached_end_; }
  // The history that the entries belong to, and the offset behind the last one that was applied;
  // without an id: the files do not say.
  const std::string& history_id() const { return entries_.history_id(); }
  uint64_t offset() const { return entries_.offset(); }
  void set_history(std::string_view id, uint64_t offset) { entries_.set_history(id, offset); }
  // The database that is selected.
  int db() const { return applier_.db(); }
  void select(int db) { applier_.select(db); }
  // Bytes of the file, without what was cut off.
  uint64_t file_bytes() const { return file_bytes_; }
  // Entries that were answered with an error.
  uint64_t failed() const { return failed_; }
  // There were lines with the time.
  bool has_times() const { return has_times_; }

 private:
  bool apply();
  bool fail(std::string_view reason);
  Task<bool> read_file(Handle file, uint64_t size);
  Task<bool> end_incomplete(Handle file, uint64_t size, bool is_last);
  Task<bool> cut(Handle file, uint64_t at);
  Task<bool> rest_is_of_a_crash(Handle file, uint64_t size);

  Env& env_;
  const Logger& logger_;
  LoadProgress& progress_;
  const AofTailRules rules_;
  const AofLoadEnd end_;
  Applier applier_;

  std::string path_;
  AofEntries entries_;
  bool damaged_ = false;  // rather than incomplete
  std::string error_;
  bool reached_end_ = false;
  bool has_times_ = false;
  uint64_t file_bytes_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace redoubt
