// Strings: integers of 8 bytes, values of up to 255 bytes in the entry, larger ones in a Blob.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/store/number.h"
#include "engine/store/type_ops.h"
#include "net/blob.h"

namespace redoubt {

// Memory for the text of a string that is an integer.
class StringScratch {
 public:
  std::string_view text_of(int64_t value) {
    text_.emplace(value);
    return text_->view();
  }

 private:
  std::optional<IntegerText> text_;
};

// The bytes of a string entry; valid until the next write or use of the scratch.
inline std::string_view string_value(const Entry& entry, StringScratch& scratch) {
  switch (entry.layout()) {
    case Layout::embedded: return entry.embedded();
    case Layout::integer: return scratch.text_of(entry.integer());
    case Layout::outside: break;
  }
  return Blob::view_of(entry.outside());
}
// The value of a string entry as an integer, when it is one in canonical form.
std::optional<int64_t> string_integer(const Entry& entry);
// The number of its bytes.
size_t string_length(const Entry& entry);

// --- operations of the type

bool free_some_string(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t string_outside_bytes(const Entry& entry);
size_t string_free_effort(const Entry& entry);
void* copy_string(Allocator& to, const Entry& entry);
void digest_string(const Entry& entry, Digest& digest);
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
