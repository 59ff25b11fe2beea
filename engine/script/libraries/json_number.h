// Numbers in JSON, and what strtod reads beside them.
#pragma once

#include <string_view>

namespace redoubt {

// True for a text that begins with a number, or with what strtod would take for one, that JSON does
// not have: a plus sign, a leading zero, hexadecimal digits, an infinity, a NaN.
bool is_beyond_json(std::string_view text);

// The number that `text` begins with, as strtod of the C locale reads it, in `value`. Returns how
// many bytes it has; 0 if there is none.
size_t read_json_number(std::string_view text, double& value);

}  // namespace redoubt
