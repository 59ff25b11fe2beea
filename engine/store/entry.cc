#include "engine/store/entry.h"

#include <new>

namespace redoubt {

namespace {

size_t key_bytes(size_t key_size) {
  return key_size < 255 ? key_size : key_size + sizeof(uint32_t);
}

}  // namespace

Entry* Entry::make(Allocator& allocator, const Parts& parts) {
  ASSERT(parts.layout != Layout::embedded || parts.value.size() <= kLargestEmbedded);
  ASSERT(parts.key.size() <= UINT32_MAX);
  const size_t payload_size = parts.layout == Layout::embedded ? parts.value.size() : 8;
  const size_t expiry_size = parts.expiry_ms ? sizeof(int64_t) : 0;
  const size_t size = sizeof(Entry) + expiry_size + key_bytes(parts.key.size()) + payload_size;
  Entry* entry = new (allocator.allocate(size)) Entry;
  entry->type_encoding_ =
      static_cast<uint8_t>(static_cast<int>(parts.type) | static_cast<int>(parts.encoding) << 4);
  entry->flags_ = static_cast<uint8_t>(parts.layout);
  if (parts.expiry_ms) entry->flags_ |= kHasExpiry;
  entry->set_access(0);
  entry->marks_ = 0;
  entry->value_length_ = static_cast<uint8_t>(parts.value.size());

  char* at = entry->bytes();
  if (parts.expiry_ms) {
    entry->set_expiry_ms(*parts.expiry_ms);
    at += sizeof(int64_t);
  }
  if (parts.key.size() < kLongKey) {
    entry->key_length_ = static_cast<uint8_t>(parts.key.size());
  } else {
    entry->key_length_ = kLongKey;
    const uint32_t length = static_cast<uint32_t>(parts.key.size());
    std::memcpy(at, &length, sizeof length);
    at += sizeof length;
  }
  if (!parts.key.empty()) std::memcpy(at, parts.key.data(), parts.key.size());
  at += parts.key.size();
  switch (parts.layout) {
    case Layout::embedded:
      if (!parts.value.empty()) std::memcpy(at, parts.value.data(), parts.value.size());
      break;
    case Layout::integer:
      entry->value_length_ = 0;
      std::memcpy(at, &parts.integer, sizeof parts.integer);
      break;
    case Layout::outside:
      entry->value_length_ = 0;
      std::memcpy(at, &parts.pointer, sizeof parts.pointer);
      break;
  }
  return entry;
}

Entry* Entry::with_expiry(Allocator& allocator, Entry* entry, std::optional<int64_t> expiry_ms) {
  Parts parts{.key = entry->key(),
              .type = entry->type(),
              .encoding = entry->encoding(),
              .layout = entry->layout(),
              .value = {},
              .integer = 0,
              .pointer = nullptr,
              .expiry_ms = expiry_ms};
  switch (entry->layout()) {
    case Layout::embedded: parts.value = entry->embedded(); break;
    case Layout::integer: parts.integer = entry->integer(); break;
    case Layout::outside: parts.pointer = entry->outside(); break;
  }
  Entry* made = make(allocator, parts);
  made->set_fine_access(entry->fine_access());
  made->set_marks(entry->marks());
  return made;
}

void Entry::set_embedded(std::string_view value) {
  ASSERT(fits_in_place(value.size()));
  if (!value.empty()) std::memmove(payload(), value.data(), value.size());
  value_length_ = static_cast<uint8_t>(value.size());
}

bool Entry::fits_in_place(size_t value_size) const {
  if (layout() != Layout::embedded || value_size > kLargestEmbedded) return false;
  const size_t size = footprint();
  return counted_size(size) == counted_size(size - value_length_ + value_size);
}

size_t Entry::footprint() const {
  return sizeof(Entry) + expiry_bytes() + key_bytes(key().size()) + payload_size();
}

}  // namespace redoubt
