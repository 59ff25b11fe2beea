// The allocator of small, fixed-size pieces of the keyspace.
//
// A hundred million entries of 56 bytes deserve classes of 8 bytes (malloc's are of 16) and no
// per-piece header. Pieces of one class are cut from slabs of 32 KB (128 KB for pieces above 1 KB,
// such as the dict's segments); a piece's address says which slab it is in, so that freeing needs
// no search. A slab that becomes empty is given back. Pieces above kLargestPiece come from malloc.
// It counts class sizes (counted_size), never the sizes of malloc.
//
// One Allocator belongs to one database, so that a flushed database can be freed by another thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/store/garbage.h"
#include "engine/store/regions.h"
#include "net/blob.h"

namespace redoubt {

class Allocator {
 public:
  static constexpr size_t kLargestPiece = 8192;

  Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  ~Allocator();  // everything has been released by then

  // Memory for `size` bytes, aligned to 8; to 64 when `size` is a multiple of 64
  // and at most kLargestPiece.
  void* allocate(size_t size);
  // Frees what allocate(size) returned, with the same size.
  void release(void* piece, size_t size);
  // Frees a Blob that is part of the keyspace.
  void release(Blob blob);
  // From now on large memory that is released goes there; null: it is freed at once.
  void set_garbage(Garbage* garbage) { garbage_ = garbage; }

  // For memory that is part of the keyspace but allocated elsewhere (Blobs, dict segments).
  void count(size_t bytes) { used_bytes_ += bytes; }
  void discount(size_t bytes) {
    ASSERT(bytes <= used_bytes_);
    used_bytes_ -= bytes;
  }

  // above_mark() is true while more is in use than `used` and `room` together.
  void set_mark(size_t used, size_t room) {
    mark_ = room > SIZE_MAX - used ? SIZE_MAX : used + room;
  }
  bool above_mark() const { return used_bytes_ > mark_; }

  // The source of slabs, for memory that is not cut into pieces of one class.
  Regions& regions() { return regions_; }

  // Bytes in use, as counted.
  size_t used_bytes() const { return used_bytes_; }
  // Bytes in slabs, used or not.
  size_t slab_bytes() const { return regions_.bytes(); }

 private:
  struct Slab;
  struct Piece {
    Piece* next;
  };

  static constexpr size_t kClassCount = 16 + 8 * 6;  // 8..128 by 8, then eight a doubling to 8192
  static constexpr size_t kSmallPiece = 1024;
  static size_t slab_units(size_t size) { return size <= kSmallPiece ? 1 : 4; }
  static size_t class_of(size_t size);
  static size_t size_of_class(size_t index);

  Slab* add_slab(size_t class_index);
  void unlink(Slab* slab);
  void give_back(Slab* slab);

  std::array<Slab*, kClassCount> with_room_{};  // slabs that have a free piece, most recent first
  Regions regions_;
  Garbage* garbage_ = nullptr;
  size_t used_bytes_ = 0;
  size_t mark_ = SIZE_MAX;
};

}  // namespace redoubt
