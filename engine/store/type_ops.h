// TypeOps: a row of operations for each type of value. No other code branches on the type of a
// value. With functions that use the rows for whole entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/digest.h"
#include "engine/store/entry.h"
#include "engine/store/hash.h"
#include "engine/store/value_pass.h"

namespace redoubt {

struct TypeOps {
  // The reply of TYPE.
  std::string_view name;
  // Frees an outside payload, at most `budget` allocations of it, and subtracts their number from
  // the budget. True when all is freed; otherwise `value` becomes the rest.
  bool (*free_some)(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
  // Bytes of the outside payload, as counted; 0 when there is none. Known without a walk.
  size_t (*outside_bytes)(const Entry& entry);
  // The number of allocations in the value, more or less: a value of many is freed in slices.
  size_t (*free_effort)(const Entry& entry);
  // A copy of the outside payload, perhaps for another database.
  void* (*copy)(Allocator& to, const Entry& entry);
  // Adds the value, not the key, in a form that does not depend on encoding or layout.
  void (*digest)(const Entry& entry, Digest& digest);
  // How many elements there are; bytes of a string.
  size_t (*length)(const Entry& entry);
  // The passes that are open on the parts of the value; null when it has no parts, or, for strings,
  // no place to list them (PassMemory::strings).
  PassList* (*passes)(const Entry& entry);
  // Opens a pass on the parts of a value.
  std::unique_ptr<ValuePass> (*open_pass)(PassMemory& memory, unsigned slot, const Entry& entry);
  // When the first part of the value expires on its own, Unix time in ms, or the largest number;
  // null for types without such parts.
  int64_t (*next_expiry)(const Entry& entry) = nullptr;
  // Removes parts that had expired before `now_ms`, at most `most` of them, and appends their
  // names. Null where next_expiry is null.
  void (*remove_expired)(Allocator& allocator, const HashKey& hash_key, Entry& entry,
                         int64_t now_ms, size_t most, std::vector<std::string>& names) = nullptr;
};

const TypeOps& ops_of(Type type);
inline const TypeOps& ops_of(const Entry& entry) {
  return ops_of(entry.type());
}

std::string_view encoding_name(Encoding encoding);

// A copy of an entry and its value. The caller owns it.
Entry* copy_entry(Allocator& to, const Entry& entry);
// A copy of an entry that shares the value outside of it. The caller owns the copy alone.
Entry* copy_header(Allocator& to, const Entry& entry);
// Bytes of an entry, as counted, with its value and its share of the dict.
size_t entry_bytes(const Entry& entry);
// Adds the value and the expiry of an entry, not its key.
void digest_entry(const Entry& entry, Digest& digest);

}  // namespace redoubt
