// What a value type is to the rest of the store: a row of operations. Nothing else branches on the
// type of a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/store/digest.h"
#include "engine/store/entry.h"

namespace redoubt {

struct TypeOps {
  // What TYPE answers.
  std::string_view name;
  // Frees what an outside payload points to.
  void (*free_outside)(Allocator& allocator, Entry& entry);
  // Bytes of the outside payload, as counted; 0 when there is none.
  size_t (*outside_bytes)(const Entry& entry);
  // Allocations that freeing the value takes, more or less: large ones are freed in the background.
  size_t (*free_effort)(const Entry& entry);
  // A copy of the value under another key and expiry, in another database perhaps.
  Entry* (*copy)(Allocator& allocator, const Entry& entry, std::string_view key,
                 const int64_t* expiry_ms);
  // Adds the value, not the key, in a form that does not depend on encoding or layout.
  void (*digest)(const Entry& entry, Digest& digest);
};

const TypeOps& ops_of(Type type);
inline const TypeOps& ops_of(const Entry& entry) {
  return ops_of(entry.type());
}

std::string_view encoding_name(Encoding encoding);

}  // namespace redoubt
