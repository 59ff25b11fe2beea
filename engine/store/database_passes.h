// DatabasePasses: the snapshot passes that run on a database, and the reports of writers to them.
//
// A pass is a point in time: it delivers each entry that was there when it began, once, as it was
// then. It walks the circle of hashes, so that *visited* means that the hash is below its cursor,
// whatever the table has become meanwhile. A writer calls in here before it changes an entry, and
// when it adds or removes one; an entry that the pass has not visited yet is then
//
//   copied                      when it changes and its value is small
//   given a value pass          when it changes, or gets another key, and its value is big
//   handed over                 when it is replaced or removed, whatever its size
//
// and is marked, with the bit of the pass, so that the pass does not visit its new form. Entries
// that are added in front of the cursor are marked too: they are younger. So a mark says that the
// pass has the entry already, or that the entry is younger than the pass. The cursor takes marks
// away as it passes, and none is set behind it; a pass that ends before its cursor has come round
// leaves marks, so its bit is not used again until the marks have been cleared, by the cursor of a
// later pass that begins and ends after it, or by clear_marks(). Nobody waits for that: there are
// eight bits, and two passes at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/store/value_pass.h"

namespace redoubt {

class Database;
class SnapshotPass;

class DatabasePasses {
 public:
  static constexpr size_t kMost = 2;

  explicit DatabasePasses(Database& database) : database_(database) {}
  DatabasePasses(const DatabasePasses&) = delete;
  DatabasePasses& operator=(const DatabasePasses&) = delete;
  ~DatabasePasses() { ASSERT(!any() && kept_bytes_ == 0); }

  // --- for writers. They need not call these functions while there is no pass.

  // Whether there is a pass that runs, or that has ended and still keeps memory.
  bool any() const { return attached_ != 0; }
  // The entry, its value or its expiry is about to change, or the value to be given to another key.
  void before_change(const Entry& entry, uint64_t hash);
  // Bytes of a string that lies outside of its entry are about to change, after before_change();
  // the Blob has moved to another place.
  void before_bytes_change(const void* block, size_t from, size_t size);
  void bytes_moved(const void* block, const void* moved_to);
  // The entry is new under its key, or has been put there in place of another one.
  void added(const Entry& entry, uint64_t hash);
  // The entry has left the table. True: passes need it, and have taken it over with its value.
  bool take(Entry* entry, uint64_t hash);

  // --- for passes

  // Whether another pass can begin: there are fewer than two, and a bit without marks.
  bool has_room() const;
  struct Joined {
    unsigned slot;  // 0 or 1
    uint8_t mark;
  };
  Joined join(SnapshotPass& pass);
  // The pass ends; its cursor has passed all hashes, or stands at this one.
  void leave(const Joined& joined, bool came_round, uint64_t cursor);
  // A pass that has ended has freed its memory.
  void detach() {
    ASSERT(attached_ > 0);
    --attached_;
  }
  // Marks that this pass takes away as it goes.
  uint8_t to_clear(unsigned slot) const { return to_clear_[slot]; }

  // Clears marks that passes have left, looking at about `budget` entries. The budget becomes the
  // unused part. True when there is none left.
  bool clear_marks(size_t& budget);
  bool has_marks_to_clear() const { return stale_ != 0; }

  // Bytes that are kept for passes only. They are part of the database's used_bytes().
  size_t kept_bytes() const { return kept_bytes_; }
  size_t& kept_total() { return kept_bytes_; }
  PassList& strings() { return strings_; }

 private:
  template <typename Visit>
  void for_each_needing(const Entry& entry, uint64_t hash, Visit&& visit);
  PassList* passes_of(const Entry& entry);
  void cleared(uint8_t marks);

  Database& database_;
  size_t attached_ = 0;
  std::array<SnapshotPass*, kMost> passes_{};
  std::array<Joined, kMost> joined_{};
  std::array<uint8_t, kMost> to_clear_{};
  uint8_t used_ = 0;       // marks of the passes that run
  uint8_t stale_ = 0;      // marks that passes have left, in front of clear_at_
  uint64_t clear_at_ = 0;  // the cursor of clear_marks()
  size_t kept_bytes_ = 0;
  PassList strings_;
};

}  // namespace redoubt
