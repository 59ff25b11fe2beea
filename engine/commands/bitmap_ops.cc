#include "engine/commands/bitmap_ops.h"

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

// The bytes as a number whose most significant bit is the first one.
uint64_t load_in_order(const char* from) {
  return __builtin_bswap64(load_word(from));
}

uint64_t byte_at(std::string_view bytes, uint64_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

}  // namespace

uint64_t count_bits(std::string_view bytes) {
  constexpr size_t kStep = 4 * sizeof(uint64_t);
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  // Four sums, because each depends on itself only.
  uint64_t sums[4] = {0, 0, 0, 0};
  for (; static_cast<size_t>(end - at) >= kStep; at += kStep) {
    for (size_t k = 0; k < 4; ++k) {
      sums[k] += static_cast<uint64_t>(std::popcount(load_word(at + 8 * k)));
    }
  }
  uint64_t sum = sums[0] + sums[1] + sums[2] + sums[3];
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
  ++index;
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

constexpr size_t kBlockWords = 256;
constexpr size_t kBlockBytes = kBlockWords * sizeof(uint64_t);

// One block of a result. Sources are given as kBlockBytes bytes that need not be aligned.
class BlockOperation {
 public:
  explicit BlockOperation(BitOperation operation) : operation_(operation) {}

  void begin(const char* first) {
    std::memcpy(result_.data(), first, kBlockBytes);
    extra_.fill(0);
  }

  void add(const char* next) {
    switch (operation_) {
      case BitOperation::and_all:
        each([&](size_t w) { result_[w] &= load_word(next + 8 * w); });
        break;
      case BitOperation::or_all:
        each([&](size_t w) { result_[w] |= load_word(next + 8 * w); });
        break;
      case BitOperation::xor_all:
        each([&](size_t w) { result_[w] ^= load_word(next + 8 * w); });
        break;
      case BitOperation::invert: break;
      case BitOperation::diff:
      case BitOperation::diff1:
      case BitOperation::and_or:
        each([&](size_t w) { extra_[w] |= load_word(next + 8 * w); });
        break;
      case BitOperation::one:
        each([&](size_t w) {
          const uint64_t word = load_word(next + 8 * w);
          extra_[w] |= result_[w] & word;
          result_[w] |= word;
        });
        break;
    }
  }

  const uint64_t* end() {
    switch (operation_) {
      case BitOperation::and_all:
      case BitOperation::or_all:
      case BitOperation::xor_all: break;
      case BitOperation::invert: each([&](size_t w) { result_[w] = ~result_[w]; }); break;
      case BitOperation::diff:
      case BitOperation::one: each([&](size_t w) { result_[w] &= ~extra_[w]; }); break;
      case BitOperation::diff1:
        each([&](size_t w) { result_[w] = extra_[w] & ~result_[w]; });
        break;
      case BitOperation::and_or: each([&](size_t w) { result_[w] &= extra_[w]; }); break;
    }
    return result_.data();
  }

 private:
  template <typename Step>
  static void each(Step&& step) {
    for (size_t w = 0; w < kBlockWords; ++w) step(w);
  }

  BitOperation operation_;
  std::array<uint64_t, kBlockWords> result_;
  // The union of the sources behind the first; with `one`, the bits that two sources have.
  std::array<uint64_t, kBlockWords> extra_;
};

// The block of a source at `offset`, followed by zeros in `scratch` when the source ends in it.
const char* block_of(std::string_view source, size_t offset,
                     std::array<char, kBlockBytes>& scratch) {
  const size_t present = offset < source.size() ? std::min(source.size() - offset, kBlockBytes) : 0;
  if (present == kBlockBytes) return source.data() + offset;
  if (present != 0) std::memcpy(scratch.data(), source.data() + offset, present);
  std::memset(scratch.data() + present, 0, kBlockBytes - present);
  return scratch.data();
}

}  // namespace

void combine_bits(BitOperation operation, std::span<const std::string_view> sources,
                  std::span<char> to) {
  ASSERT(!sources.empty());
  std::array<char, kBlockBytes> scratch;
  BlockOperation block(operation);
  for (size_t offset = 0; offset < to.size(); offset += kBlockBytes) {
    block.begin(block_of(sources[0], offset, scratch));
    for (const std::string_view source : sources.subspan(1)) {
      // Zeros change nothing, unless everything is to be set.
      if (offset >= source.size() && operation != BitOperation::and_all) continue;
      block.add(block_of(source, offset, scratch));
      if (offset >= source.size()) break;
    }
    std::memcpy(to.data() + offset, block.end(), std::min(kBlockBytes, to.size() - offset));
  }
}

}  // namespace redoubt
