// Lists, sets, hashes and sorted sets that are put together from elements of a file. The encoding
// is what commands would have chosen for so many elements of these sizes.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/persist/rdb/limits.h"
#include "engine/persist/rdb/value.h"
#include "engine/store/deadlines.h"

namespace redoubt {

// An element, member or field as it was read.
struct RdbElement {
  std::string_view text;   // element, member, name of a field
  std::string_view value;  // of a field
  double score = 0;        // of a member of a sorted set
  int64_t deadline_ms = kNeverExpires;
};

// What values are made with.
struct RdbMaker {
  Allocator& allocator;
  const HashKey& hash_key;
  const RdbLimits& limits;
};

class RdbCollection {
 public:
  virtual ~RdbCollection() = default;

  // For a collection of this type with `count` elements in all. Takes no memory for them.
  static std::unique_ptr<RdbCollection> make(Type type, const RdbMaker& maker, uint64_t count);
  // The elements are a listpack or intset that has been checked, which can be taken as it is. No
  // value: it cannot, or not before each element has been looked at alone.
  static RdbValue adopt(Type type, Encoding encoding, const RdbMaker& maker,
                        std::string_view block);

  // Null, or what is wrong with the element: it is there already.
  virtual const char* add(const RdbElement& element) = 0;
  // The value, of at least one element. Nothing else is called then.
  virtual RdbValue finish() = 0;
};

}  // namespace redoubt
