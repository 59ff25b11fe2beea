#include "engine/store/allocator.h"

#include <bit>
#include <cstdlib>
#include <new>

namespace redoubt {

// The head of a slab's memory. Pieces are first cut in order (`cut`), then reused from `free`.
struct alignas(64) Allocator::Slab {
  Slab* next;
  Slab* previous;
  Piece* free;
  uint32_t class_index;
  uint32_t used;   // pieces handed out
  uint32_t cut;    // pieces cut so far
  uint32_t total;  // pieces that fit
  Regions::Region* origin;

  bool full() const { return used == total; }
};

size_t Allocator::class_of(size_t size) {
  if (size <= 128) return (size + 7) / 8 - 1;
  const size_t doubling = static_cast<size_t>(std::bit_width(size - 1)) - 8;  // 129..256 is 0
  const size_t step = size_t{16} << doubling;
  return 16 + doubling * 8 + (size - (size_t{128} << doubling) + step - 1) / step - 1;
}

size_t Allocator::size_of_class(size_t index) {
  if (index < 16) return (index + 1) * 8;
  const size_t doubling = (index - 16) / 8;
  return (size_t{128} << doubling) + ((index - 16) % 8 + 1) * (size_t{16} << doubling);
}

Allocator::~Allocator() {
  for (Slab* slab : with_room_) {
    while (slab != nullptr) {
      ASSERT(slab->used == 0);
      Slab* next = slab->next;
      give_back(slab);
      slab = next;
    }
  }
}

Allocator::Slab* Allocator::add_slab(size_t class_index) {
  const size_t piece = size_of_class(class_index);
  const size_t units = slab_units(piece);
  const Regions::Unit unit = regions_.get(units);
  const size_t room = units * Regions::kUnitBytes - sizeof(Slab);
  Slab* slab = new (unit.memory) Slab{with_room_[class_index],
                                      nullptr,
                                      nullptr,
                                      static_cast<uint32_t>(class_index),
                                      0,
                                      0,
                                      static_cast<uint32_t>(room / piece),
                                      unit.origin};
  if (slab->next != nullptr) slab->next->previous = slab;
  with_room_[class_index] = slab;
  return slab;
}

void Allocator::unlink(Slab* slab) {
  if (slab->previous != nullptr) {
    slab->previous->next = slab->next;
  } else {
    with_room_[slab->class_index] = slab->next;
  }
  if (slab->next != nullptr) slab->next->previous = slab->previous;
}

void Allocator::give_back(Slab* slab) {
  unlink(slab);
  regions_.give_back({slab, slab->origin}, slab_units(size_of_class(slab->class_index)));
}

void* Allocator::allocate(size_t size) {
  ASSERT(size > 0);
  if (size > kLargestPiece) {
    const size_t bytes = counted_size(size);
    void* memory = std::malloc(bytes);
    ASSERT(memory != nullptr);
    used_bytes_ += bytes;
    return memory;
  }
  const size_t class_index = class_of(size);
  const size_t piece_bytes = size_of_class(class_index);
  Slab* slab = with_room_[class_index];
  if (slab == nullptr) slab = add_slab(class_index);
  used_bytes_ += piece_bytes;
  ++slab->used;
  void* memory;
  if (slab->free != nullptr) {
    memory = slab->free;
    slab->free = slab->free->next;
  } else {
    memory = reinterpret_cast<char*>(slab + 1) + slab->cut * piece_bytes;
    ++slab->cut;
  }
  if (slab->full()) unlink(slab);
  return memory;
}

void Allocator::release(void* memory, size_t size) {
  if (size > kLargestPiece) {
    const size_t bytes = counted_size(size);
    discount(bytes);
    if (garbage_ != nullptr && garbage_->takes(bytes)) {
      garbage_->add_part(memory, bytes);
    } else {
      std::free(memory);
    }
    return;
  }
  const uintptr_t slab_bytes = slab_units(size) * Regions::kUnitBytes;
  Slab* slab = reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(memory) & ~(slab_bytes - 1));
  ASSERT(slab->class_index == class_of(size) && slab->used > 0);
  discount(size_of_class(slab->class_index));
  if (slab->full()) {
    Slab*& head = with_room_[slab->class_index];
    slab->next = head;
    slab->previous = nullptr;
    if (head != nullptr) head->previous = slab;
    head = slab;
  }
  Piece* piece = static_cast<Piece*>(memory);
  piece->next = slab->free;
  slab->free = piece;
  --slab->used;
  // In a small database the last slab of a class stays when it is empty: a key set and deleted in
  // turns would otherwise allocate a slab each time. Slabs of regions are cheap to get, and a large
  // piece costs more to fill than a slab to get: a list passes through all those classes while it
  // grows, and the next class is to use the same memory.
  const bool only = slab->next == nullptr && slab->previous == nullptr;
  const bool stays = only && slab->origin == nullptr && size <= kSmallPiece;
  if (slab->used == 0 && !stays) give_back(slab);
}

void Allocator::release(Blob blob) {
  const size_t bytes = blob.footprint();
  discount(bytes);
  if (garbage_ != nullptr && garbage_->takes(bytes)) garbage_->add_part(std::move(blob));
}

}  // namespace redoubt
