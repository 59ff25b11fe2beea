// The disk of one machine: a page cache and a medium, files and directories.
//
// Programs see the cache. What they write reaches the medium by sync; names (created, removed,
// renamed) by sync of their directory. Nothing else is promised, and lose_power() takes the least
// favourable view that a disk and its file system are known to take:
//  - a file that was not synced is kept as it was in the cache, or lost: as it was on the medium,
//  or
//    torn: each 512-byte sector that differs is the new one or the old one, its length is the old
//    or the new one; and bytes that were not synced may be garbage, a sector at a time;
//  - of the changes to names that were not synced, each one happened or not, whatever came after; a
//    rename happens as a whole;
//  - a sync that failed saves nothing, and the next one does not save what that one should have,
//    unless it was written again (as Linux has it: the pages are clean after the failure).
//
// How probable each of these is, is the caller's. On top of that, bytes of the medium may change,
// and a disk may be emptied or become what it was before.
//
// Contents are pages of 4 KB shared between cache and medium and copied on write, so that a sync
// costs as much as was written since the last one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/expected.h"
#include "net/op.h"
#include "sim/random.h"

namespace redoubt::sim {

constexpr size_t kPageSize = 4096;
constexpr size_t kSectorSize = 512;

struct Page {
  std::array<std::byte, kPageSize> bytes;
};
using PageRef = std::shared_ptr<Page>;  // null: all zero

// What becomes of what was not synced when power fails, each in so many of a million cases; or how
// often each has happened.
struct PowerLoss {
  int64_t lost = 0;         // a file
  int64_t torn = 0;         // a file that is not lost
  int64_t garbage = 0;      // a file that has sectors of garbage
  int64_t name_lost = 0;    // of names created and removed
  int64_t rename_lost = 0;  // of renames

  bool operator==(const PowerLoss&) const = default;
};

// Decides instead of chance what becomes of what was not synced (sim/crash_points.h tries all there
// is). Every number below `count` is a way that this can go; 0 is as programs saw it, `what` says
// the others.
class Ageing {
 public:
  virtual ~Ageing() = default;
  virtual size_t choose(size_t count, std::string_view what) = 0;
};

// A medium at some moment: a file, or a directory with what is in it. Pages are shared.
struct DiskImage {
  bool directory = false;
  std::vector<std::string> names;
  std::vector<DiskImage> children;
  std::vector<PageRef> pages;
  uint64_t size = 0;
};

// A file or a directory.
class Inode {
 public:
  Inode(bool directory, uint64_t* pages_used) : directory_(directory), pages_used_(pages_used) {}
  ~Inode();
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  bool directory() const { return directory_; }
  uint64_t size() const { return size_; }
  // How many pages a write here would add.
  uint64_t pages_to_add(uint64_t offset, uint64_t size) const;

  size_t read(uint64_t offset, std::span<std::byte> into) const;
  void write(uint64_t offset, Slice bytes);
  void truncate(uint64_t size);

  // A sync in two steps: what is in the cache at its beginning is on the medium after its end.
  struct Snapshot {
    std::vector<std::pair<size_t, PageRef>> pages;
    uint64_t size = 0;
  };
  Snapshot begin_sync();
  void end_sync(const Snapshot& snapshot);
  // What is dirty counts as clean without having been saved.
  void fail_sync();
  size_t dirty_count() const { return dirty_.size(); }

  // Adds to `happened`; each kind of mishap draws from a stream of its own, made from `seed`.
  void lose_power(uint64_t seed, const PowerLoss& ppm, PowerLoss& happened);
  // As `ageing` decides: the old length or the new one, each sector old or new, garbage or none.
  void lose_power(Ageing& ageing, std::string_view name);

  // The medium: pages that are not all zero; some bytes of one change; all of it.
  std::vector<size_t> durable_pages() const;
  void rot(size_t index, Random& random);
  DiskImage image() const;
  void restore(const DiskImage& image);

  using Names = std::map<std::string, std::shared_ptr<Inode>, std::less<>>;
  Names names;          // a directory's, as programs see them
  Names durable_names;  // as they are on the medium

 private:
  std::byte* page_for_write(size_t index);
  void mark_dirty(size_t index);
  void resize_pages(size_t count);
  void set_pages(std::vector<PageRef> pages, uint64_t size);
  // True when some of it is new and some is old.
  template <typename TakesNew>
  bool tear(uint64_t size, TakesNew takes_new);
  void settle();
  bool is_kept(uint64_t at, std::byte byte) const;
  bool is_new(size_t sector) const;
  bool garble(Random& random, const std::vector<size_t>& unsynced);
  std::vector<size_t> unsynced_sectors() const;

  const bool directory_;
  uint64_t* const pages_used_;
  std::vector<PageRef> pages_;
  uint64_t size_ = 0;
  std::vector<PageRef> durable_pages_;
  uint64_t durable_size_ = 0;
  std::vector<size_t> dirty_;      // indices of pages written since the last sync began
  std::vector<uint8_t> is_dirty_;  // by page index
};

using InodeRef = std::shared_ptr<Inode>;

class Disk {
 public:
  explicit Disk(Random random);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Paths are absolute, or relative to the node's own directory, /data.
  Expected<InodeRef> open(std::string_view path, OpenFlags flags);
  Error rename(std::string_view from, std::string_view to);
  Error remove(std::string_view path);
  Expected<std::vector<std::string>> list(std::string_view path);
  Error make_directory(std::string_view path);
  Expected<InodeRef> find(std::string_view path);

  // Names in two steps, as files: changes up to the mark are on the medium after end_sync_names().
  uint64_t names_mark() const { return next_change_; }
  void end_sync_names(const InodeRef& directory, uint64_t mark);

  // Everything that was not synced is at the mercy of the disk's own random stream. Returns what
  // has happened.
  PowerLoss lose_power(const PowerLoss& ppm);
  // Decides from now on what a power loss does; null: chance, as the caller of lose_power() says.
  // Not owned.
  void set_ageing(Ageing* ageing) { ageing_ = ageing; }
  Ageing* ageing() const { return ageing_; }
  // Some bytes that were synced are others from now on; nobody is told. False when there are none.
  bool rot(Random& random);
  bool can_rot() const;
  // Nobody has a file open.
  void wipe();
  DiskImage image() const;
  void restore(const DiskImage& image);

  Random& random() { return random_; }
  const Random& random() const { return random_; }
  uint64_t bytes_used() const { return pages_used_ * kPageSize; }

  // For tests and checkers: a whole file as programs see it.
  Expected<std::string> contents(std::string_view path);

 private:
  // A change to names that is not on the medium yet. `from` is null for a creation, `to` for a
  // removal, both are there for a rename.
  struct Change {
    uint64_t number;
    InodeRef inode;
    InodeRef from;
    std::string from_name;
    InodeRef to;
    std::string to_name;
  };
  struct Place {
    InodeRef directory;
    std::string name;  // empty: the root itself
    InodeRef inode;    // null when there is none
  };

  Expected<Place> locate(std::string_view path);
  void change(Change change);
  static void apply(const Change& change);
  static std::string change_text(const Change& change);
  void age();
  static bool contains(const InodeRef& tree, const InodeRef& wanted);
  void lose_power_below(const InodeRef& inode, const PowerLoss& ppm, PowerLoss& happened);
  struct RotPlace {
    Inode* inode;
    size_t page;
  };
  static void find_rot(const InodeRef& inode, std::vector<RotPlace>& places);

  Random random_;
  Ageing* ageing_ = nullptr;
  uint64_t pages_used_ = 0;
  InodeRef root_;
  std::vector<Change> changes_;
  uint64_t next_change_ = 1;
};

}  // namespace redoubt::sim
