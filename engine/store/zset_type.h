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
PassList* zset_passes(const Entry& entry);
std::unique_ptr<ValuePass> open_zset_pass(PassMemory& memory, unsigned slot, const Entry& entry);

inline constexpr TypeOps kZsetOps = {
    .name = "zset",
    .free_some = free_some_zset,
    .outside_bytes = zset_outside_bytes,
    .free_effort = zset_free_effort,
    .copy = copy_zset,
    .digest = digest_zset,
    .length = zset_length,
    .passes = zset_passes,
    .open_pass = open_zset_pass,
};

}  // namespace redoubt
