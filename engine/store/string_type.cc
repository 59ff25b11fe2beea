#include "engine/store/string_type.h"

#include "engine/store/number.h"

namespace redoubt {

namespace {

// Unmapping costs about 0.1 us a page: from here on it is worth a trip to another thread.
constexpr size_t kSlowToFree = 256 * 1024;

// The Blob stays the entry's.
size_t footprint_of(const Entry& entry) {
  Blob blob = Blob::adopt(entry.outside());
  const size_t bytes = blob.footprint();
  blob.release();
  return bytes;
}

}  // namespace

void free_string(Allocator& allocator, Entry& entry) {
  if (entry.layout() != Layout::outside) return;
  allocator.discount(footprint_of(entry));
  Blob::adopt(entry.outside());
}

size_t string_outside_bytes(const Entry& entry) {
  return entry.layout() == Layout::outside ? footprint_of(entry) : 0;
}

size_t string_free_effort(const Entry& entry) {
  return 1 + string_outside_bytes(entry) / kSlowToFree;
}

Entry* copy_string(Allocator& allocator, const Entry& entry, std::string_view key,
                   const int64_t* expiry_ms) {
  Entry::Parts parts{.key = key,
                     .type = Type::string,
                     .encoding = entry.encoding(),
                     .layout = entry.layout(),
                     .value = {},
                     .integer = 0,
                     .pointer = nullptr,
                     .expiry_ms = {}};
  if (expiry_ms != nullptr) parts.expiry_ms = *expiry_ms;
  switch (entry.layout()) {
    case Layout::embedded: parts.value = entry.embedded(); break;
    case Layout::integer: parts.integer = entry.integer(); break;
    case Layout::outside: {
      const std::string_view bytes = Blob::view_of(entry.outside());
      Blob blob;
      blob.reserve(bytes.size());
      blob.set_size(bytes.size());
      std::memcpy(blob.data(), bytes.data(), bytes.size());
      allocator.count(blob.footprint());
      parts.pointer = blob.release();
      break;
    }
  }
  return Entry::make(allocator, parts);
}

void digest_string(const Entry& entry, Digest& digest) {
  switch (entry.layout()) {
    case Layout::embedded: digest.add(entry.embedded()); break;
    case Layout::integer: digest.add(IntegerText(entry.integer()).view()); break;
    case Layout::outside: digest.add(Blob::view_of(entry.outside())); break;
  }
}

}  // namespace redoubt
