// Strings: integers of 8 bytes, values of up to 255 bytes in the entry, larger ones in a Blob.
#pragma once

#include "engine/store/type_ops.h"

namespace redoubt {

void free_string(Allocator& allocator, Entry& entry);
size_t string_outside_bytes(const Entry& entry);
size_t string_free_effort(const Entry& entry);
Entry* copy_string(Allocator& allocator, const Entry& entry, std::string_view key,
                   const int64_t* expiry_ms);
void digest_string(const Entry& entry, Digest& digest);

inline constexpr TypeOps kStringOps = {
    .name = "string",
    .free_outside = free_string,
    .outside_bytes = string_outside_bytes,
    .free_effort = string_free_effort,
    .copy = copy_string,
    .digest = digest_string,
};

}  // namespace redoubt
