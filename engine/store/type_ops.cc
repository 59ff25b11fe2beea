#include "engine/store/type_ops.h"

#include <array>
#include <cstring>

#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/stream_type.h"
#include "engine/store/string_type.h"
#include "engine/store/zset_type.h"

namespace redoubt {

namespace {

// Indexed by Type.
constexpr std::array<TypeOps, kTypeCount> kRows = {
    kStringOps,  //
    kListOps,    //
    kSetOps,     //
    kZsetOps,    //
    kHashOps,    //
    kStreamOps,  //
};

// Indexed by Encoding.
constexpr std::array<std::string_view, 11> kEncodingNames = {
    "raw",       "int",      "embstr", "listpack",   "quicklist", "intset",
    "hashtable", "skiplist", "stream", "listpackex", "hashtable"};

}  // namespace

const TypeOps& ops_of(Type type) {
  return kRows[static_cast<size_t>(type)];
}

std::string_view encoding_name(Encoding encoding) {
  return kEncodingNames[static_cast<size_t>(encoding)];
}

Entry* copy_entry(Allocator& to, const Entry& entry) {
  Entry* copy = copy_header(to, entry);
  if (entry.layout() == Layout::outside) copy->set_outside(ops_of(entry).copy(to, entry));
  return copy;
}

Entry* copy_header(Allocator& to, const Entry& entry) {
  Entry* copy = static_cast<Entry*>(to.allocate(entry.footprint()));
  std::memcpy(static_cast<void*>(copy), &entry, entry.footprint());
  return copy;
}

size_t entry_bytes(const Entry& entry) {
  constexpr size_t kDictShare = 11;  // 64 bytes for 7 entries at 85%
  return counted_size(entry.footprint()) + ops_of(entry).outside_bytes(entry) + kDictShare;
}

void digest_entry(const Entry& entry, Digest& digest) {
  const TypeOps& ops = ops_of(entry);
  digest.add(ops.name);
  ops.digest(entry, digest);
  digest.add(entry.has_expiry() ? entry.expiry_ms() : int64_t{-1});
}

}  // namespace redoubt
