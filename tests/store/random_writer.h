// RandomWriter: changes databases in every way that the store knows, at random: what a snapshot
// pass has to stand. Some of it can be done wrongly on purpose.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/database.h"
#include "engine/store/random.h"
#include "engine/store/snapshot.h"
#include "engine/store/stream.h"

namespace redoubt {

// Bugs of passes, as a writer can bring them about.
enum class PassBug : uint8_t {
  none,
  missed_by_growth,  // the table has grown, and the pass takes an entry for visited
  lost_by_rename,    // an entry gets another key, and the pass is not told
  twice_by_rename,   // under its new key it is visited again
  mark_left,         // marks of an aborted pass are taken for those of the next one
  freed_by_flush,    // a flushed database is freed under the pass
  member_missed,     // a member of a big value changes, and the pass is not told
};

class RandomWriter {
 public:
  RandomWriter(uint64_t seed, PassBug bug);
  ~RandomWriter();

  // One change, small or large.
  void write();
  // The databases as a snapshot's sources.
  std::vector<Snapshot::Source> sources();
  std::string digest() const;
  // Frees flushed databases that no pass uses.
  void free_flushed();
  // The bytes that databases count and those of what they have, if they differ; or nothing.
  std::string miscounted() const;
  // No pass runs: nothing may be kept for one.
  void check_nothing_kept();

  Database& database(size_t index) { return *databases_[index]; }
  size_t database_count() const { return databases_.size(); }
  size_t entry_count() const;
  Random& random() { return random_; }

 private:
  struct Key {
    std::string name;
    uint64_t hash;
  };

  std::unique_ptr<Database> make_database();
  Database& db() { return *databases_[current_]; }
  bool chance(uint64_t percent) { return random_.below(100) < percent; }
  Key key();
  Key key_called(std::string name);
  std::string text(size_t most);
  std::string member() { return "member" + std::to_string(random_.below(big_ * 2)); }
  NewExpiry expiry();

  Entry* of_type(const Key& key, Type type);
  void write_string();
  void update_bytes();
  void write_set();
  void write_hash();
  void write_zset();
  void write_list();
  void change_list(Entry& entry);
  void write_stream();
  void change_entries(Stream& stream);
  void change_groups(Stream& stream);
  void erase();
  void rename();
  void copy();
  void flush();
  void fill();
  template <typename Change>
  void change_members(Entry& entry, Change&& change);

  HashKey hash_key_;
  Random random_;
  const PassBug bug_;
  const size_t big_;  // members of a big value
  std::vector<std::unique_ptr<Database>> databases_;
  std::vector<std::unique_ptr<Database>> flushed_;
  size_t current_ = 0;
  uint64_t stream_ms_ = 1;
};

}  // namespace redoubt
