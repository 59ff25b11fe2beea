// RdbValue: a value that has been read and that no entry has yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/store/database.h"
#include "engine/store/entry.h"
#include "net/blob.h"

namespace redoubt {

class RdbValue {
 public:
  // None: a collection without elements, or a module's value that was skipped.
  RdbValue() = default;
  // A string.
  explicit RdbValue(std::string text) : type_(Type::string), text_(std::move(text)), there_(true) {}
  explicit RdbValue(Blob blob) : type_(Type::string), blob_(std::move(blob)), there_(true) {}
  // Another value, which is taken over, from this allocator.
  RdbValue(Allocator& allocator, Type type, Encoding encoding, void* value)
      : allocator_(&allocator), type_(type), encoding_(encoding), value_(value), there_(true) {}
  RdbValue(RdbValue&& other) noexcept { *this = std::move(other); }
  RdbValue& operator=(RdbValue&& other) noexcept;
  // Frees the value.
  ~RdbValue() { discard(); }

  bool there() const { return there_; }
  // With a value.
  Type type() const { return type_; }
  // Elements, bytes of a string.
  size_t length() const;

  // Gives the value to a key of the database whose allocator it is from, whatever the key was.
  void store(Database& database, std::string_view key, uint64_t hash, NewExpiry expiry);

 private:
  void discard();

  Allocator* allocator_ = nullptr;
  Type type_ = Type::string;
  Encoding encoding_ = Encoding::raw;
  void* value_ = nullptr;
  std::string text_;
  Blob blob_;
  bool there_ = false;
};

}  // namespace redoubt
