// The world's failures as values. Expected is [[nodiscard]]: a failure is handled or passed on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "net/assert.h"

namespace redoubt {

// What the world can answer instead of doing what it was asked. Both worlds use the same words; the
// io_uring world maps errno values onto them.
enum class Error : uint8_t {
  none,
  cancelled,          // the operation was cancelled or its handle closed
  not_found,          // no such file, directory or host
  exists,             // the name exists already
  access_denied,      // permission
  address_in_use,     // a listener with that address exists
  address_not_found,  // the address is not one of this machine
  refused,            // nobody listens there
  reset,              // the peer broke the connection
  closed,             // orderly end of the stream by the peer (receive), or a broken pipe (send)
  unreachable,        // no route
  timed_out,          //
  no_space,           // disk full or quota
  too_many_files,     // out of file descriptors
  no_memory,          //
  read_only,          // file system mounted read-only
  is_directory,       //
  not_directory,      //
  not_empty,          // removing a directory that has entries
  invalid,            // an argument the world does not accept
  input_output,       // the medium failed
  locked,             // another process holds the file's lock
  unsupported,        // this world or kernel cannot do it
};

// A short text for a log line or an error reply, such as "no space left on device". Static storage.
std::string_view describe(Error error);

// A value or an Error.
template <typename T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : value_(std::move(value)) {}
  Expected(Error error) : error_(error) { ASSERT(error != Error::none); }

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error error() const { return error_; }

  T& value() {
    ASSERT(ok());
    return *value_;
  }
  const T& value() const {
    ASSERT(ok());
    return *value_;
  }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }

 private:
  std::optional<T> value_;
  Error error_ = Error::none;
};

}  // namespace redoubt
