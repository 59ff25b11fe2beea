#include "engine/persist/rdb/value.h"

#include "engine/store/type_ops.h"

namespace redoubt {

RdbValue& RdbValue::operator=(RdbValue&& other) noexcept {
  if (this == &other) return *this;
  discard();
  allocator_ = other.allocator_;
  type_ = other.type_;
  encoding_ = other.encoding_;
  value_ = std::exchange(other.value_, nullptr);
  text_ = std::move(other.text_);
  blob_ = std::move(other.blob_);
  there_ = std::exchange(other.there_, false);
  return *this;
}

void RdbValue::discard() {
  if (value_ == nullptr) return;
  size_t everything = SIZE_MAX;
  ops_of(type_).free_some(*allocator_, encoding_, value_, everything);
  value_ = nullptr;
}

size_t RdbValue::length() const {
  if (!there_) return 0;
  if (type_ == Type::string) return blob_ ? blob_.size() : text_.size();
  // An entry without a key, to ask the type.
  Entry* entry = Entry::make(*allocator_, {.key = {},
                                           .type = type_,
                                           .encoding = encoding_,
                                           .layout = Layout::outside,
                                           .value = {},
                                           .integer = 0,
                                           .pointer = value_,
                                           .expiry_ms = {}});
  const size_t length = ops_of(type_).length(*entry);
  Entry::release(*allocator_, entry);
  return length;
}

void RdbValue::store(Database& database, std::string_view key, uint64_t hash, NewExpiry expiry) {
  ASSERT(there_);
  there_ = false;
  if (type_ == Type::string) {
    const std::string_view bytes = blob_ ? blob_.view() : std::string_view(text_);
    database.set_string(key, hash, bytes, expiry, std::move(blob_));
    return;
  }
  ASSERT(allocator_ == &database.allocator());
  database.replace_value(key, hash, type_, encoding_, std::exchange(value_, nullptr), expiry);
}

}  // namespace redoubt
