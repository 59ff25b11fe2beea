#include "engine/store/string_type.h"

#include "engine/store/number.h"
#include "engine/store/string_pass.h"

namespace redoubt {

namespace {

// The Blob stays the entry's.
size_t footprint_of(const Entry& entry) {
  return Blob::footprint_of(entry.outside());
}

}  // namespace

bool free_some_string(Allocator& allocator, Encoding, void*& value, size_t& budget) {
  allocator.release(Blob::adopt(value));
  budget -= budget > 0 ? 1 : 0;
  return true;
}

size_t string_outside_bytes(const Entry& entry) {
  return entry.layout() == Layout::outside ? footprint_of(entry) : 0;
}

size_t string_free_effort(const Entry&) {
  return 1;
}

void* copy_string(Allocator& to, const Entry& entry) {
  const std::string_view bytes = Blob::view_of(entry.outside());
  Blob blob;
  blob.reserve(bytes.size());
  blob.set_size(bytes.size());
  std::memcpy(blob.data(), bytes.data(), bytes.size());
  to.count(blob.footprint());
  return blob.release();
}

void digest_string(const Entry& entry, Digest& digest) {
  switch (entry.layout()) {
    case Layout::embedded: digest.add(entry.embedded()); break;
    case Layout::integer: digest.add(IntegerText(entry.integer()).view()); break;
    case Layout::outside: digest.add(Blob::view_of(entry.outside())); break;
  }
}

std::optional<int64_t> string_integer(const Entry& entry) {
  switch (entry.layout()) {
    case Layout::integer: return entry.integer();
    case Layout::embedded: return parse_integer(entry.embedded());
    case Layout::outside: break;
  }
  return parse_integer(Blob::view_of(entry.outside()));
}

size_t string_length(const Entry& entry) {
  switch (entry.layout()) {
    case Layout::embedded: return entry.embedded().size();
    case Layout::integer: return IntegerText(entry.integer()).view().size();
    case Layout::outside: break;
  }
  return Blob::view_of(entry.outside()).size();
}

std::unique_ptr<ValuePass> open_string_pass(PassMemory& memory, unsigned slot, const Entry& entry) {
  return std::make_unique<StringPass>(memory, slot, entry.outside());
}

}  // namespace redoubt
