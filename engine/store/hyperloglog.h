// HyperLogLog: an estimate of how many different elements were added, in 12 KB at most, with a
// standard error of 0.81%. The value is a string in the byte format that Redis documents, because
// clients read it with GET and it travels in dumps:
//
//   bytes 0..3   "HYLL"
//   byte  4      encoding: 0 dense, 1 sparse
//   bytes 5..7   zero
//   bytes 8..15  the last estimate, little-endian; its highest bit says that it is out of date
//   then         16384 registers
//
// Dense: 6 bits a register, from the least significant bit of the first byte on. Sparse: runs of
// registers, one opcode after the other,
//
//   00nnnnnn            n + 1 registers that are zero (ZERO)
//   01nnnnnn nnnnnnnn   n + 1 registers that are zero (XZERO)
//   1vvvvvnn            n + 1 registers of value v + 1 (VAL)
//
// An element's 64-bit hash picks a register with its low 14 bits; the register keeps the largest
// position of the lowest set bit among the other 50. The estimate is that of Otmar Ertl ("New
// cardinality estimation algorithms for HyperLogLog sketches", 2017).
//
// The bytes may come from a client's SET, so nothing here trusts them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace redoubt::hyperloglog {

inline constexpr size_t kRegisters = 16384;
inline constexpr size_t kHeaderBytes = 16;
inline constexpr size_t kDenseBytes = kHeaderBytes + kRegisters * 6 / 8;
// No sparse value that is in order is longer: each opcode byte stands for a register at least, and
// XZERO takes two bytes.
inline constexpr size_t kSparseBytesMax = kHeaderBytes + 2 * kRegisters;
inline constexpr uint8_t kLargestSparseValue = 32;

// One byte a register, for merging.
using Registers = std::array<uint8_t, kRegisters>;

// The register of an element, and the least value that the element demands of it.
struct Observation {
  uint32_t index;
  uint8_t value;
};
Observation observe(std::string_view element);

// MurmurHash64A, byte order little-endian.
uint64_t murmur_hash(std::string_view bytes, uint64_t seed);

// Whether the header is that of a HyperLogLog, and the length right for a dense one.
bool has_header(std::string_view value);
// Only with has_header().
inline bool is_dense(std::string_view value) {
  return value[4] == 0;
}
// The estimate in the header, when it is up to date.
std::optional<uint64_t> cached_estimate(std::string_view value);
void set_cached_estimate(std::span<char> value, uint64_t estimate);
void invalidate_estimate(std::span<char> value);

// Raises a register of a dense value. False: it was as high already.
bool set_dense(std::span<char> value, Observation observation);
// The empty sparse value, 18 bytes.
std::string_view empty_value();
// Writes the dense form of a sparse value, kDenseBytes. False: the value is corrupt.
bool make_dense(std::string_view sparse, std::span<char> dense);

// A sparse value that is being changed, in a buffer of its own.
class SparseEditor {
 public:
  enum class Result : uint8_t {
    unchanged,
    changed,
    too_large,  // the value has to become dense for this
    corrupt,
  };

  // Copies a sparse value; false when it is too long to be one.
  bool load(std::string_view value);
  // Raises a register; the value grows to `bytes_max` at most.
  Result set(Observation observation, size_t bytes_max);
  std::string_view value() const { return {bytes_.data(), size_}; }

 private:
  struct Run;

  Result replace(const Run& run, Observation observation, size_t bytes_max);
  void merge_near(size_t at);

  size_t size_ = 0;
  std::array<char, kSparseBytesMax + 8> bytes_;
};

// Raises registers to those of a value. False: the value is corrupt.
bool merge(Registers& registers, std::string_view value);
// The value's registers; corrupt ones are not accepted.
inline bool read_registers(Registers& registers, std::string_view value) {
  registers.fill(0);
  return merge(registers, value);
}
// Makes the dense value's registers these.
void write_dense(std::span<char> value, const Registers& registers);

// The estimate. Nothing: the value is corrupt.
std::optional<uint64_t> estimate(std::string_view value);
uint64_t estimate(const Registers& registers);

// A sparse value's opcodes as text: "Z:16378 v:1,1 z:5".
std::string describe(std::string_view sparse);

}  // namespace redoubt::hyperloglog
