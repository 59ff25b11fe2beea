// The row of operations of sorted sets.
#pragma once

#include "engine/store/type_ops.h"

namespace redoubt {

bool free_some_zset(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t zset_outside_bytes(const Entry& entry);
size_t zset_free_effort(const Entry& entry);
void* copy_zset(Allocator& to, const Entry& entry);
void digest_zset(const Entry& entry, Digest& digest);
size_t zset_length(const Entry& entry);

inline constexpr TypeOps kZsetOps = {"zset",           free_some_zset, zset_outside_bytes,
                                     zset_free_effort, copy_zset,      digest_zset,
                                     zset_length};

}  // namespace redoubt
