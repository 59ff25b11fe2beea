#include "engine/store/type_ops.h"

#include <array>

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

}  // namespace redoubt
