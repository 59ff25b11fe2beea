// Strings: integers of 8 bytes, values of up to 255 bytes in the entry, larger ones in a Blob.
#pragma once

#include "engine/store/type_ops.h"

namespace redoubt {

bool free_some_string(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t string_outside_bytes(const Entry& entry);
size_t string_free_effort(const Entry& entry);
void* copy_string(Allocator& to, const Entry& entry);
void digest_string(const Entry& entry, Digest& digest);
size_t string_length(const Entry& entry);
std::unique_ptr<ValuePass> open_string_pass(PassMemory& memory, unsigned slot, const Entry& entry);

inline constexpr TypeOps kStringOps = {
    .name = "string",
    .free_some = free_some_string,
    .outside_bytes = string_outside_bytes,
    .free_effort = string_free_effort,
    .copy = copy_string,
    .digest = digest_string,
    .length = string_length,
    .passes = [](const Entry&) -> PassList* { return nullptr; },
    .open_pass = open_string_pass,
};

}  // namespace redoubt
