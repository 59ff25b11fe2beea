#include "engine/commands/bits/bitmap_ops.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "net/assert.h"

namespace redoubt {

namespace {

uint64_t load_word(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// 16 bytes at once, from and to any address.
typedef uint64_t Lanes __attribute__((vector_size(16)));

Lanes load_lanes(const char* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

void store_lanes(char* to, Lanes lanes) {
  std::memcpy(to, &lanes, sizeof lanes);
}

// The bytes as a number whose most significant bit is the first one.
uint64_t load_in_order(const char* from) {
  return __builtin_bswap64(load_word(from));
}

uint64_t byte_at(std::string_view bytes, uint64_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

}  // namespace

uint64_t count_bits(std::string_view bytes) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  const auto count_at = [&](size_t offset) {
    return static_cast<uint64_t>(std::popcount(load_word(at + offset)));
  };
  // Four sums, because an addition waits for the one before.
  uint64_t a = 0;
  uint64_t b = 0;
  uint64_t c = 0;
  uint64_t d = 0;
  for (; end - at >= 32; at += 32) {
    a += count_at(0);
    b += count_at(8);
    c += count_at(16);
    d += count_at(24);
  }
  uint64_t sum = a + b + c + d;
  for (; end - at >= 8; at += 8) sum += count_at(0);
  for (; at != end; ++at) {
    sum += static_cast<uint64_t>(std::popcount(static_cast<unsigned char>(*at)));
  }
  return sum;
}

uint64_t count_bits_between(std::string_view bytes, uint64_t first, uint64_t last) {
  ASSERT(first <= last && last / 8 < bytes.size());
  const uint64_t first_byte = first / 8;
  const uint64_t last_byte = last / 8;
  uint64_t sum = count_bits(bytes.substr(first_byte, last_byte - first_byte + 1));
  const uint64_t before = byte_at(bytes, first_byte) >> (8 - first % 8);
  const uint64_t behind = byte_at(bytes, last_byte) & ((uint64_t{1} << (7 - last % 8)) - 1);
  sum -= static_cast<uint64_t>(std::popcount(before));
  sum -= static_cast<uint64_t>(std::popcount(behind));
  return sum;
}

namespace {

// The first byte from `index` on, below `end`, that may differ from `filler`, which is 0x00 or
// 0xff: whole blocks of it are passed over.
uint64_t skip_filler(std::string_view bytes, uint64_t index, uint64_t end, uint64_t filler) {
  constexpr uint64_t kStep = 4 * sizeof(Lanes);
  const Lanes fill = {filler, filler};
  for (; end - index >= kStep; index += kStep) {
    const char* at = bytes.data() + index;
    const Lanes differences = ((load_lanes(at) ^ fill) | (load_lanes(at + 16) ^ fill)) |
                              ((load_lanes(at + 32) ^ fill) | (load_lanes(at + 48) ^ fill));
    if ((differences[0] | differences[1]) != 0) break;
  }
  return index;
}

}  // namespace

std::optional<uint64_t> find_bit(std::string_view bytes, uint64_t first, uint64_t last,
                                 bool value) {
  ASSERT(first <= last && last / 8 < bytes.size());
  // Looks for a set bit in the bytes, or in their complement.
  const uint64_t flip = value ? 0 : ~uint64_t{0};
  uint64_t index = first / 8;
  const uint64_t end = last / 8 + 1;
  const auto found = [&](uint64_t bit) {
    return bit <= last ? std::optional<uint64_t>(bit) : std::nullopt;
  };
  const uint64_t head = ((byte_at(bytes, index) ^ flip) & 0xff) & (uint64_t{0xff} >> (first % 8));
  if (head != 0) return found(index * 8 + static_cast<uint64_t>(std::countl_zero(head)) - 56);
  index = skip_filler(bytes, index + 1, end, flip);
  for (; end - index >= 8; index += 8) {
    const uint64_t word = load_in_order(bytes.data() + index) ^ flip;
    if (word != 0) return found(index * 8 + static_cast<uint64_t>(std::countl_zero(word)));
  }
  for (; index < end; ++index) {
    const uint64_t byte = (byte_at(bytes, index) ^ flip) & 0xff;
    if (byte != 0) return found(index * 8 + static_cast<uint64_t>(std::countl_zero(byte)) - 56);
  }
  return std::nullopt;
}

namespace {

// A result is made block by block, so that it stays in the nearest cache while the sources pass by.
// Work is done on whole Lanes; blocks have room for that.
constexpr size_t kBlockBytes = 4096;
using Block = std::array<char, kBlockBytes>;

// result[i] = step(result[i], source[i]). The two do not overlap.
template <typename Step>
void combine_block(char* __restrict result, const char* __restrict source, size_t size, Step step) {
  for (size_t i = 0; i < size; i += sizeof(Lanes)) {
    store_lanes(result + i, step(load_lanes(result + i), load_lanes(source + i)));
  }
}

void and_block(char* result, const char* source, size_t size) {
  combine_block(result, source, size, [](Lanes a, Lanes b) { return a & b; });
}

void or_block(char* result, const char* source, size_t size) {
  combine_block(result, source, size, [](Lanes a, Lanes b) { return a | b; });
}

// One block of a result after the other.
class BlockOperation {
 public:
  explicit BlockOperation(BitOperation operation) : operation_(operation) {}

  // `size` is a multiple of Lanes, and so much there is of each source.
  void begin(char* result, const char* first, size_t size) {
    result_ = result;
    size_ = size;
    std::memcpy(result, first, size);
    if (operation_ > BitOperation::invert) std::memset(extra_.data(), 0, size);
  }

  void add(const char* next) {
    switch (operation_) {
      case BitOperation::and_all: and_block(result_, next, size_); break;
      case BitOperation::or_all: or_block(result_, next, size_); break;
      case BitOperation::xor_all:
        combine_block(result_, next, size_, [](Lanes a, Lanes b) { return a ^ b; });
        break;
      case BitOperation::invert: break;
      case BitOperation::diff:
      case BitOperation::diff1:
      case BitOperation::and_or: or_block(extra_.data(), next, size_); break;
      case BitOperation::one:
        for (size_t i = 0; i < size_; i += sizeof(Lanes)) {
          const Lanes seen = load_lanes(result_ + i);
          const Lanes added = load_lanes(next + i);
          store_lanes(extra_.data() + i, load_lanes(extra_.data() + i) | (seen & added));
          store_lanes(result_ + i, seen | added);
        }
        break;
    }
  }

  // The source has no bytes in this block. True: no other source can change the result any more.
  bool add_nothing() {
    if (operation_ != BitOperation::and_all) return false;
    std::memset(result_, 0, size_);
    return true;
  }

  void end() {
    switch (operation_) {
      case BitOperation::and_all:
      case BitOperation::or_all:
      case BitOperation::xor_all: break;
      case BitOperation::invert:
        for (size_t i = 0; i < size_; i += sizeof(Lanes)) {
          store_lanes(result_ + i, ~load_lanes(result_ + i));
        }
        break;
      case BitOperation::diff:
      case BitOperation::one:
        combine_block(result_, extra_.data(), size_, [](Lanes a, Lanes b) { return a & ~b; });
        break;
      case BitOperation::diff1:
        combine_block(result_, extra_.data(), size_, [](Lanes a, Lanes b) { return b & ~a; });
        break;
      case BitOperation::and_or: and_block(result_, extra_.data(), size_); break;
    }
  }

 private:
  BitOperation operation_;
  char* result_ = nullptr;
  size_t size_ = 0;
  // The union of the sources behind the first; with `one`, the bits that two sources have.
  Block extra_;
};

// `size` bytes of a source at `offset`, followed by zeros in `scratch` when the source ends in
// them.
const char* block_of(std::string_view source, size_t offset, size_t size, Block& scratch) {
  const size_t present = offset < source.size() ? std::min(source.size() - offset, size) : 0;
  if (present == size) return source.data() + offset;
  if (present != 0) std::memcpy(scratch.data(), source.data() + offset, present);
  std::memset(scratch.data() + present, 0, size - present);
  return scratch.data();
}

}  // namespace

void combine_bits(BitOperation operation, std::span<const std::string_view> sources,
                  std::span<char> to) {
  ASSERT(!sources.empty());
  Block scratch;
  Block last;
  BlockOperation block(operation);
  for (size_t offset = 0; offset < to.size(); offset += kBlockBytes) {
    const size_t used = std::min(kBlockBytes, to.size() - offset);
    const size_t size = (used + sizeof(Lanes) - 1) / sizeof(Lanes) * sizeof(Lanes);
    char* result = used == size ? to.data() + offset : last.data();
    block.begin(result, block_of(sources[0], offset, size, scratch), size);
    for (const std::string_view source : sources.subspan(1)) {
      if (offset < source.size()) {
        block.add(block_of(source, offset, size, scratch));
      } else if (block.add_nothing()) {
        break;
      }
    }
    block.end();
    if (result == last.data()) std::memcpy(to.data() + offset, result, used);
  }
}

}  // namespace redoubt
