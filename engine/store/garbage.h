// Garbage: large pieces of memory on their way to be freed by a background job.
//
// Unmapping costs about 0.1 us a page, so a piece of many pages is worth a trip to another thread.
// No database counts the pieces here, so there is a bound: beyond it, pieces are freed at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "net/blob.h"

namespace redoubt {

class Garbage {
 public:
  // From here on a piece is worth the trip.
  static constexpr size_t kSlowToFree = 256 * 1024;

  Garbage() = default;
  Garbage(Garbage&& other) noexcept { *this = std::move(other); }
  Garbage& operator=(Garbage&& other) noexcept {
    pieces_.swap(other.pieces_);
    blobs_.swap(other.blobs_);
    std::swap(bytes_, other.bytes_);
    std::swap(objects_, other.objects_);
    std::swap(in_flight_, other.in_flight_);
    std::swap(bytes_max_, other.bytes_max_);
    std::swap(remains_, other.remains_);
    return *this;
  }
  ~Garbage() { free_all(); }

  // Frees the pieces. bytes() stays the same.
  void free_all() {
    for (void* piece : pieces_) std::free(piece);
    pieces_.clear();
    blobs_.clear();
  }

  // How many bytes may wait here and be in flight to the background job, but for the last piece.
  void set_bytes_max(size_t bytes) { bytes_max_ = bytes; }
  void add_in_flight(size_t bytes) { in_flight_ += bytes; }
  void remove_in_flight(size_t bytes) { in_flight_ -= bytes; }
  // Whether a piece of this size is to come here.
  bool takes(size_t bytes, size_t slow = kSlowToFree) const {
    return bytes >= slow && bytes_ + in_flight_ < bytes_max_;
  }

  bool empty() const { return pieces_.empty() && blobs_.empty(); }
  size_t bytes() const { return bytes_; }
  // Values among the pieces; parts of values are not counted.
  size_t objects() const { return objects_; }

  // A whole value.
  void add(Blob blob) {
    ++objects_;
    add_part(std::move(blob));
  }
  // A part of one.
  void add_part(Blob blob) {
    bytes_ += blob.footprint();
    blobs_.push_back(std::move(blob));
  }
  // A part of one, from malloc.
  void add_part(void* piece, size_t bytes) {
    bytes_ += bytes;
    pieces_.push_back(piece);
  }

  // The pieces, in an object of their own.
  Garbage take_pieces() {
    Garbage taken;
    taken.pieces_.swap(pieces_);
    taken.blobs_.swap(blobs_);
    taken.bytes_ = std::exchange(bytes_, 0);
    taken.objects_ = std::exchange(objects_, 0);
    return taken;
  }

  // Some database has values to be freed in slices.
  void note_remains() { remains_ = true; }
  bool has_remains() const { return remains_; }
  void no_remains() { remains_ = false; }

 private:
  std::vector<void*> pieces_;
  std::vector<Blob> blobs_;
  size_t bytes_ = 0;
  size_t in_flight_ = 0;
  size_t bytes_max_ = SIZE_MAX;
  size_t objects_ = 0;
  bool remains_ = false;
};

}  // namespace redoubt
