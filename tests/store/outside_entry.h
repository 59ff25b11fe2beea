// The entry of a key "k" that has a value made by a test.
#pragma once

#include "engine/store/entry.h"

namespace redoubt {

// `value` is as the encoding wants it, and the entry's from now on.
inline Entry* outside_entry(Allocator& allocator, Type type, Encoding encoding, void* value) {
  return Entry::make(allocator, {.key = "k",
                                 .type = type,
                                 .encoding = encoding,
                                 .layout = Layout::outside,
                                 .value = {},
                                 .integer = 0,
                                 .pointer = value,
                                 .expiry_ms = {}});
}

}  // namespace redoubt
