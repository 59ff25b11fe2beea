// Elements that stand together in one string: listpacks, ziplists, zipmaps and intsets.
//
// Nothing in a blob is believed before all of it has been checked. What has been checked can be
// walked without a bound.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/store/listpack.h"

namespace redoubt {

enum class RdbBlobKind : uint8_t { listpack, ziplist, zipmap, intset };

class RdbBlob {
 public:
  // The elements of a blob; nothing when it is not one of this kind. A zipmap has two elements a
  // pair. Bytes are to outlive the object.
  static std::optional<RdbBlob> checked(RdbBlobKind kind, std::string_view bytes);

  // Elements in all.
  size_t count() const { return count_; }
  // The next element; there is one. Text points into the blob.
  Listpack::Element next();

 private:
  RdbBlob(RdbBlobKind kind, const uint8_t* at, size_t count)
      : kind_(kind), at_(at), count_(count) {}

  RdbBlobKind kind_;
  const uint8_t* at_;
  size_t count_;
  size_t width_ = 0;       // of an intset's integers
  bool at_value_ = false;  // of a zipmap
};

}  // namespace redoubt
