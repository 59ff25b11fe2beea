#include "sim/linearizability/string_table.h"

#include <cstring>

namespace redoubt::linearizability {

uint64_t mix_words(uint64_t left, uint64_t right) {
  uint64_t mixed = (left ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9 + right;
  mixed = (mixed ^ (mixed >> 30)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 29);
}

uint64_t mix_bytes(std::string_view bytes) {
  uint64_t mixed = bytes.size();
  while (bytes.size() >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    mixed = mix_words(mixed, word);
    bytes.remove_prefix(8);
  }
  uint64_t tail = 0;
  if (!bytes.empty()) std::memcpy(&tail, bytes.data(), bytes.size());
  return mix_words(mixed, tail);
}

StringTable::StringTable() : slots_(64, kNone) {}

uint32_t StringTable::number_of(std::string_view text) {
  if (texts_.size() * 2 >= slots_.size()) grow();
  const size_t mask = slots_.size() - 1;
  size_t at = mix_bytes(text) & mask;
  for (; slots_[at] != kNone; at = (at + 1) & mask) {
    if (texts_[slots_[at]] == text) return slots_[at];
  }
  slots_[at] = static_cast<uint32_t>(texts_.size());
  texts_.emplace_back(text);
  bytes_ += text.size();
  return slots_[at];
}

void StringTable::grow() {
  slots_.assign(slots_.size() * 4, kNone);
  const size_t mask = slots_.size() - 1;
  for (uint32_t number = 0; number < texts_.size(); ++number) {
    size_t at = mix_bytes(texts_[number]) & mask;
    while (slots_[at] != kNone) at = (at + 1) & mask;
    slots_[at] = number;
  }
}

}  // namespace redoubt::linearizability
