#include "engine/store/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "net/assert.h"
#include "net/places.h"

namespace redoubt::hyperloglog {

namespace {

constexpr uint64_t kSeed = 0xadc83b19;
constexpr int kIndexBits = 14;
constexpr int kRankBits = 64 - kIndexBits;
constexpr size_t kEstimateAt = 8;
constexpr size_t kFlagAt = 15;
constexpr uint8_t kOutOfDate = 0x80;
constexpr size_t kZeroMax = 64;
constexpr size_t kValueRunMax = 4;

uint8_t byte_at(std::string_view value, size_t at) {
  return static_cast<uint8_t>(value[at]);
}

uint64_t load_word(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace

uint64_t murmur_hash(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint64_t hash = seed ^ (bytes.size() * kMultiplier);
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word = load_word(at) * kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
  }
  if (left > 0) {
    uint64_t tail = 0;
    std::memcpy(&tail, at, left);
    hash = (hash ^ tail) * kMultiplier;
  }
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

Observation observe(std::string_view element) {
  const uint64_t hash = murmur_hash(element, kSeed);
  const uint64_t rest = (hash >> kIndexBits) | (uint64_t{1} << kRankBits);
  return {.index = static_cast<uint32_t>(hash & (kRegisters - 1)),
          .value = static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

// --- the header

bool has_header(std::string_view value) {
  if (value.size() < kHeaderBytes || !value.starts_with("HYLL")) return false;
  const uint8_t encoding = byte_at(value, 4);
  return encoding == 1 || (encoding == 0 && value.size() == kDenseBytes);
}

std::optional<uint64_t> cached_estimate(std::string_view value) {
  if ((byte_at(value, kFlagAt) & kOutOfDate) != 0) return std::nullopt;
  return load_word(value.data() + kEstimateAt);
}

void set_cached_estimate(std::span<char> value, uint64_t estimate) {
  std::memcpy(value.data() + kEstimateAt, &estimate, sizeof estimate);
}

void invalidate_estimate(std::span<char> value) {
  value[kFlagAt] = static_cast<char>(static_cast<uint8_t>(value[kFlagAt]) | kOutOfDate);
}

std::string_view empty_value() {
  return std::string_view("HYLL\1\0\0\0\0\0\0\0\0\0\0\0\x7f\xff", kHeaderBytes + 2);
}

// --- dense

bool set_dense(std::span<char> value, Observation observation) {
  ASSERT(value.size() == kDenseBytes && observation.index < kRegisters);
  // Bits 6n to 6n + 5. The second byte of the last register is its first one.
  uint8_t* registers = reinterpret_cast<uint8_t*>(value.data()) + kHeaderBytes;
  const size_t bit = size_t{observation.index} * 6;
  uint8_t* low = registers + bit / 8;
  const unsigned shift = bit % 8;
  uint8_t* high = shift > 2 ? low + 1 : low;
  const unsigned both = static_cast<unsigned>(*low | *high << 8);
  if (((both >> shift) & 63) >= observation.value) return false;
  const unsigned changed = (both & ~(63u << shift)) | static_cast<unsigned>(observation.value)
                                                          << shift;
  *low = static_cast<uint8_t>(changed);
  if (high != low) *high = static_cast<uint8_t>(changed >> 8);
  return true;
}

namespace {

// 16 registers at once: 12 bytes of a dense value, and one byte a register.
typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint32_t Words __attribute__((vector_size(16)));
constexpr size_t kPackedBytes = 12;
constexpr size_t kGroup = 16;

// Each word has three packed bytes in front, and then four bytes with a register each.
Bytes unpack(const char* from) {
  Bytes packed = {};
  std::memcpy(&packed, from, kPackedBytes);
  const Bytes spread = __builtin_shufflevector(packed, Bytes{}, 0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8,
                                               16, 9, 10, 11, 16);
  Words words;
  std::memcpy(&words, &spread, sizeof words);
  words = (words & 0x3f) | ((words << 2) & 0x3f00) | ((words << 4) & 0x3f0000) |
          ((words << 6) & 0x3f000000);
  Bytes registers;
  std::memcpy(&registers, &words, sizeof registers);
  return registers;
}

void pack(char* to, const uint8_t* from) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  words = (words & 0x3f) | ((words >> 2) & 0xfc0) | ((words >> 4) & 0x3f000) |
          ((words >> 6) & 0xfc0000);
  Bytes spread;
  std::memcpy(&spread, &words, sizeof spread);
  const Bytes packed = __builtin_shufflevector(spread, Bytes{}, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13,
                                               14, 16, 16, 16, 16);
  std::memcpy(to, &packed, kPackedBytes);
}

void merge_dense(Registers& registers, std::string_view value) {
  const char* from = value.data() + kHeaderBytes;
  for (size_t i = 0; i < kRegisters; i += kGroup, from += kPackedBytes) {
    const Bytes theirs = unpack(from);
    Bytes ours;
    std::memcpy(&ours, &registers[i], sizeof ours);
    ours = ours > theirs ? ours : theirs;
    std::memcpy(&registers[i], &ours, sizeof ours);
  }
}

}  // namespace

void write_dense(std::span<char> value, const Registers& registers) {
  ASSERT(value.size() == kDenseBytes);
  char* to = value.data() + kHeaderBytes;
  for (size_t i = 0; i < kRegisters; i += kGroup, to += kPackedBytes) pack(to, &registers[i]);
}

// --- sparse

// An opcode: how many bytes it takes, for how many registers it stands, and their value.
struct SparseEditor::Run {
  size_t at = 0;
  size_t bytes = 1;
  size_t first = 0;
  size_t count = 0;
  uint8_t value = 0;
};

namespace {

struct Opcode {
  size_t bytes = 1;
  size_t count = 0;
  uint8_t value = 0;
};

// The opcode at `at`, which is inside. An XZERO without its second byte has 0 there.
Opcode read_opcode(std::string_view value, size_t at) {
  const uint8_t byte = byte_at(value, at);
  if ((byte & 0x80) != 0) {
    return {.bytes = 1,
            .count = size_t{byte & 3u} + 1,
            .value = static_cast<uint8_t>(((byte >> 2) & 31) + 1)};
  }
  if ((byte & 0x40) == 0) return {.bytes = 1, .count = size_t{byte} + 1, .value = 0};
  const uint8_t second = at + 1 < value.size() ? byte_at(value, at + 1) : 0;
  return {.bytes = 2, .count = (size_t{byte & 63u} << 8 | second) + 1, .value = 0};
}

char value_opcode(uint8_t value, size_t count) {
  return static_cast<char>(0x80 | (value - 1) << 2 | static_cast<int>(count - 1));
}

// Writes opcodes for a run; returns their size.
size_t write_run(char* to, uint8_t value, size_t count) {
  if (value != 0) {
    to[0] = value_opcode(value, count);
    return 1;
  }
  if (count <= kZeroMax) {
    to[0] = static_cast<char>(count - 1);
    return 1;
  }
  to[0] = static_cast<char>(0x40 | (count - 1) >> 8);
  to[1] = static_cast<char>((count - 1) & 0xff);
  return 2;
}

// Calls visit(first, count, value) for each run of a sparse value. False: the runs are not of
// kRegisters registers in all.
template <typename Visit>
bool for_each_run(std::string_view value, Visit&& visit) {
  size_t first = 0;
  for (size_t at = kHeaderBytes; at < value.size();) {
    const Opcode opcode = read_opcode(value, at);
    if (opcode.count > kRegisters - first) return false;
    visit(first, opcode.count, opcode.value);
    first += opcode.count;
    at += opcode.bytes;
  }
  return first == kRegisters;
}

bool merge_sparse(Registers& registers, std::string_view value) {
  return for_each_run(value, [&](size_t first, size_t count, uint8_t run_value) {
    if (run_value == 0) return;
    for (size_t i = first; i < first + count; ++i) {
      registers[i] = std::max(registers[i], run_value);
    }
  });
}

}  // namespace

bool make_dense(std::string_view sparse, std::span<char> dense) {
  ASSERT(dense.size() == kDenseBytes);
  REDOUBT_REACHED(hyperloglog_dense);
  Registers registers;
  registers.fill(0);
  if (!merge_sparse(registers, sparse)) return false;
  std::memcpy(dense.data(), sparse.data(), kHeaderBytes);
  dense[4] = 0;
  write_dense(dense, registers);
  return true;
}

bool SparseEditor::load(std::string_view value) {
  if (value.size() > kSparseBytesMax) return false;
  std::memcpy(bytes_.data(), value.data(), value.size());
  size_ = value.size();
  return true;
}

SparseEditor::Result SparseEditor::set(Observation observation, size_t bytes_max) {
  if (observation.value > kLargestSparseValue) return Result::too_large;
  Run run;
  size_t previous = kHeaderBytes;
  for (run.at = kHeaderBytes; run.at < size_;) {
    const Opcode opcode = read_opcode(value(), run.at);
    run.bytes = opcode.bytes;
    run.count = opcode.count;
    run.value = opcode.value;
    if (observation.index < run.first + run.count) break;
    previous = run.at;
    run.at += run.bytes;
    run.first += run.count;
  }
  if (run.at + run.bytes > size_) return Result::corrupt;
  if (run.value >= observation.value) return Result::unchanged;
  if (run.count == 1 && run.bytes == 1) {
    bytes_[run.at] = value_opcode(observation.value, 1);
  } else {
    const Result result = replace(run, observation, bytes_max);
    if (result != Result::changed) return result;
  }
  merge_near(previous);
  invalidate_estimate({bytes_.data(), size_});
  return Result::changed;
}

// A run becomes up to three: the part in front of the register, the register, the part behind it.
SparseEditor::Result SparseEditor::replace(const Run& run, Observation observation,
                                           size_t bytes_max) {
  std::array<char, 6> runs;
  size_t length = 0;
  const size_t before = observation.index - run.first;
  const size_t behind = run.count - before - 1;
  if (before > 0) length += write_run(runs.data() + length, run.value, before);
  length += write_run(runs.data() + length, observation.value, 1);
  if (behind > 0) length += write_run(runs.data() + length, run.value, behind);
  const size_t new_size = size_ + length - run.bytes;
  if (length > run.bytes && new_size > bytes_max) return Result::too_large;
  if (new_size > kSparseBytesMax) return Result::too_large;
  const size_t next = run.at + run.bytes;
  std::memmove(bytes_.data() + run.at + length, bytes_.data() + next, size_ - next);
  std::memcpy(bytes_.data() + run.at, runs.data(), length);
  size_ = new_size;
  return Result::changed;
}

// Joins neighbours of the same value, five opcodes from `at` on, so that the value stays short.
void SparseEditor::merge_near(size_t at) {
  for (int steps = 0; steps < 5 && at < size_; ++steps) {
    const Opcode left = read_opcode(value(), at);
    if (left.value != 0 && at + 1 < size_) {
      const Opcode right = read_opcode(value(), at + 1);
      if (right.value == left.value && left.count + right.count <= kValueRunMax) {
        bytes_[at + 1] = value_opcode(left.value, left.count + right.count);
        std::memmove(bytes_.data() + at, bytes_.data() + at + 1, size_ - at - 1);
        --size_;
        continue;
      }
    }
    at += left.bytes;
  }
}

bool merge(Registers& registers, std::string_view value) {
  if (!is_dense(value)) return merge_sparse(registers, value);
  merge_dense(registers, value);
  return true;
}

// --- the estimate

namespace {

// How many registers have each value.
using Histogram = std::array<uint32_t, 64>;

double sigma(double x) {
  if (x == 1.0) return std::numeric_limits<double>::infinity();
  double y = 1;
  double sum = x;
  for (;;) {
    x *= x;
    const double before = sum;
    sum += x * y;
    y += y;
    if (before == sum) return sum;
  }
}

double tau(double x) {
  if (x == 0.0 || x == 1.0) return 0.0;
  double y = 1;
  double sum = 1 - x;
  for (;;) {
    x = std::sqrt(x);
    const double before = sum;
    y *= 0.5;
    sum -= (1 - x) * (1 - x) * y;
    if (before == sum) return sum / 3;
  }
}

uint64_t estimate(const Histogram& histogram) {
  constexpr double kAlpha = 0.721347520444481703680;  // 1 / (2 ln 2)
  constexpr double kCount = kRegisters;
  double sum = kCount * tau((kCount - histogram[kRankBits + 1]) / kCount);
  for (size_t value = kRankBits; value >= 1; --value) sum = (sum + histogram[value]) * 0.5;
  sum += kCount * sigma(histogram[0] / kCount);
  const double result = kAlpha * kCount * kCount / sum;
  // Registers that no element can have set make it infinite: a number that is none, as in Redis.
  constexpr double kLimit = 9223372036854775808.0;
  if (!(result < kLimit)) return uint64_t{1} << 63;
  const auto whole = static_cast<uint64_t>(result);
  return result - static_cast<double>(whole) >= 0.5 ? whole + 1 : whole;
}

// Four tables, because the same count is often raised twice in a row.
Histogram count_values(const Registers& registers) {
  std::array<std::array<uint16_t, 64>, 4> tables{};
  for (size_t i = 0; i < kRegisters; i += 4) {
    ++tables[0][registers[i]];
    ++tables[1][registers[i + 1]];
    ++tables[2][registers[i + 2]];
    ++tables[3][registers[i + 3]];
  }
  Histogram histogram;
  for (size_t value = 0; value < histogram.size(); ++value) {
    histogram[value] =
        uint32_t{tables[0][value]} + tables[1][value] + tables[2][value] + tables[3][value];
  }
  return histogram;
}

}  // namespace

uint64_t estimate(const Registers& registers) {
  return estimate(count_values(registers));
}

std::optional<uint64_t> estimate(std::string_view value) {
  if (is_dense(value)) {
    Registers registers;
    read_registers(registers, value);
    return estimate(registers);
  }
  Histogram histogram{};
  const bool whole = for_each_run(value, [&](size_t, size_t count, uint8_t run_value) {
    histogram[run_value] += static_cast<uint32_t>(count);
  });
  return whole ? std::optional(estimate(histogram)) : std::nullopt;
}

std::string describe(std::string_view sparse) {
  std::string text;
  for (size_t at = kHeaderBytes; at < sparse.size();) {
    const Opcode opcode = read_opcode(sparse, at);
    if (!text.empty()) text += ' ';
    if (opcode.value != 0) {
      text += "v:" + std::to_string(opcode.value) + "," + std::to_string(opcode.count);
    } else {
      text += (opcode.bytes == 2 ? "Z:" : "z:") + std::to_string(opcode.count);
    }
    at += opcode.bytes;
  }
  return text;
}

}  // namespace redoubt::hyperloglog
