// Any bytes as a listpack of unknown origin: what validate() accepts can be walked both ways,
// searched and edited, and stays valid. The input is a number of edits, three bytes for each, and
// the block.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "engine/store/listpack.h"

namespace {

using namespace redoubt;

// The bytes that a block would have to have are put right when `repair` says so, so that changes
// of the size do not hide everything else.
std::vector<uint8_t> block_of(const uint8_t* data, size_t size, bool repair) {
  std::vector<uint8_t> block(data, data + size);
  if (!repair || size < Listpack::kEmptyBytes) return block;
  const auto total = static_cast<uint32_t>(size);
  std::memcpy(block.data(), &total, sizeof total);
  block[4] = block[5] = block.back() = 0xFF;
  return block;
}

void walk(const uint8_t* block, size_t count) {
  std::vector<const uint8_t*> places;
  for (auto at = Listpack::first(block); at != nullptr; at = Listpack::next(block, at)) {
    places.push_back(at);
  }
  ASSERT(places.size() == count && Listpack::count(block) == count);
  size_t left = count;
  for (auto at = Listpack::last(block); at != nullptr; at = Listpack::previous(block, at)) {
    ASSERT(left > 0 && places[--left] == at);
  }
  ASSERT(left == 0);
  for (size_t i = 0; i < count; i += 1 + count / 16) {
    std::optional<IntegerText> scratch;
    const std::string text(Listpack::text(places[i], scratch));
    ASSERT(Listpack::equal(places[i], text) && Listpack::text_size(places[i]) == text.size());
    const uint8_t* found = Listpack::find(block, places[0], text);
    ASSERT(found != nullptr && found <= places[i]);
    ASSERT(Listpack::seek(block, static_cast<int64_t>(i)) == places[i]);
  }
}

uint8_t* edit(Allocator& allocator, uint8_t* block, const uint8_t* edits) {
  const auto count = static_cast<int64_t>(Listpack::count(block));
  const uint8_t* at = Listpack::seek(block, count == 0 ? 0 : edits[1] % count);
  const std::string text(edits[2], 'x');
  switch (edits[0] % 6) {
    case 0: return Listpack::insert(allocator, block, at, text);
    case 1: return Listpack::insert(allocator, block, at, int64_t{1} << edits[2] % 63);
    case 2: return at == nullptr ? block : Listpack::replace(allocator, block, at, text);
    case 3: return at == nullptr ? block : Listpack::erase(allocator, block, at, edits[2]);
    case 4: return Listpack::prepend(allocator, block, text);
    default: return Listpack::append(allocator, block, text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t edit_count = std::min<size_t>(data[0] & 15, (size - 1) / 3);
  const uint8_t* edits = data + 1;
  const size_t head = 1 + 3 * edit_count;
  const std::vector<uint8_t> given = block_of(data + head, size - head, (data[0] & 16) != 0);

  const std::optional<size_t> count = Listpack::validate(given);
  if (!count.has_value()) return 0;
  walk(given.data(), *count);
  Allocator allocator;
  uint8_t* block = Listpack::make(allocator, given);
  for (size_t i = 0; i < edit_count; ++i) {
    block = edit(allocator, block, edits + 3 * i);
    const std::optional<size_t> valid = Listpack::validate(Listpack::span(block));
    ASSERT(valid.has_value());
    walk(block, *valid);
  }
  Listpack::free(allocator, block);
  return 0;
}
