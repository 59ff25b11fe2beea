// CRC-64 as RDB files and DUMP payloads have it: the polynomial of Jones, reflected in and out,
// begun with 0 and not inverted at the end. So leading zero bytes change nothing, and the checksum
// of two texts in a row is the sum (exclusive or) of the second one's and the first one's, moved on
// by the length of the second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace redoubt {

// The checksum of what has `crc`, with more bytes behind it. Begin with 0.
uint64_t crc64(uint64_t crc, std::string_view bytes);

// The checksum of two texts in a row, from theirs and the length of the second.
uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes);

}  // namespace redoubt
