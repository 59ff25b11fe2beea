// Shared: an object with several owners in one thread, deleted with the last.
//
// Like std::shared_ptr, without its atomic counter.
#pragma once

#include <cstddef>
#include <utility>

namespace redoubt {

// `T` has a member `size_t owners = 0`.
template <typename T>
class Shared {
 public:
  Shared() = default;
  // Takes over an object that `new` has made.
  explicit Shared(T* object) : object_(object) {
    if (object_ != nullptr) ++object_->owners;
  }
  Shared(const Shared& other) : Shared(other.object_) {}
  Shared(Shared&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Shared& operator=(Shared other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Shared() {
    if (object_ != nullptr && --object_->owners == 0) delete object_;
  }

  explicit operator bool() const { return object_ != nullptr; }
  T* operator->() const { return object_; }

 private:
  T* object_ = nullptr;
};

}  // namespace redoubt
