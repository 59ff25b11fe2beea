// Remains: values that were removed from a database and are freed in slices.
//
// A value of few allocations is freed at once. One of many waits here, with its database, until
// free_some() has freed it, a number of allocations at a time. A large string, or a large piece of
// a value, goes to the garbage instead, for another thread to free (garbage.h).
#pragma once

#include <cstddef>
#include <deque>

#include "engine/store/garbage.h"
#include "engine/store/type_ops.h"

namespace redoubt {

class Remains {
 public:
  // Large pieces go to `garbage`, if there is one. Both outlive this.
  Remains(Allocator& allocator, Garbage* garbage) : allocator_(allocator), garbage_(garbage) {}
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;

  // The values that wait, and about how many bytes they take.
  size_t count() const { return values_.size(); }
  size_t bytes() const { return bytes_; }

  // Frees the value of an entry, which the entry no longer uses. A large string goes to the garbage
  // when `lazy`, and a very large one always.
  void free_value(Entry& entry, bool lazy) {
    if (entry.layout() == Layout::outside) free_outside(entry, lazy);
  }
  // Frees a value that no entry holds, which takes about `effort` allocations and `bytes` bytes.
  void discard(Type type, Encoding encoding, void* value, size_t effort, size_t bytes);
  // The same without freeing anything right now.
  void discard(Type type, Encoding encoding, void* value, size_t bytes);
  // The entry came to the database with a new value. If it has many parts and values wait here, the
  // next slice frees as many allocations more.
  void note_added(const Entry& entry) {
    if (!values_.empty() && entry.layout() == Layout::outside) [[unlikely]]
      lengthen_slice(entry);
  }
  // Frees about `budget` allocations, or as many pages, and those that note_added() asks for. The
  // budget becomes the unused part. True when nothing is left.
  bool free_some(size_t& budget);
  // Frees everything, large pieces too, in the thread that calls this.
  void free_all();

 private:
  struct Value {
    Type type;
    Encoding encoding;
    void* value;
  };

  void free_outside(Entry& entry, bool lazy);
  void lengthen_slice(const Entry& entry);

  Allocator& allocator_;
  Garbage* garbage_;
  std::deque<Value> values_;
  size_t bytes_ = 0;
  size_t extra_ = 0;           // allocations that the next slice frees more
  size_t freed_together_ = 0;  // allocations freed at once since the last slice
};

}  // namespace redoubt
