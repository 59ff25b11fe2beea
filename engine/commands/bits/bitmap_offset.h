// The offset of a bit, as SETBIT, GETBIT and BITFIELD take it.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/dispatch/context.h"
#include "engine/store/string_type.h"

namespace redoubt {

// The offset that argument `index` gives; an error is replied when it is none. With `field_bits`,
// "#3" stands for the third field of so many bits.
std::optional<uint64_t> bit_offset(Context& c, size_t index, int field_bits = 0);

// The bytes of a string, none when there is no entry.
inline std::string_view bytes_of(const Entry* entry, StringScratch& scratch) {
  return entry == nullptr ? std::string_view{} : string_value(*entry, scratch);
}

}  // namespace redoubt
