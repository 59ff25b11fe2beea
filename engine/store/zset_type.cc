#include "engine/store/zset_type.h"

#include <bit>

#include "engine/store/zset.h"

namespace redoubt {

namespace {

bool is_big(const Entry& entry) {
  return entry.encoding() == Encoding::skiplist;
}
const SkiplistZset& skiplist_of(const Entry& entry) {
  return *static_cast<const SkiplistZset*>(entry.outside());
}
const uint8_t* block_of(const Entry& entry) {
  return static_cast<const uint8_t*>(entry.outside());
}

}  // namespace

bool free_some_zset(Allocator& allocator, Encoding encoding, void*& value, size_t& budget) {
  if (encoding != Encoding::skiplist) {
    Listpack::free(allocator, static_cast<uint8_t*>(value));
    budget -= budget > 0 ? 1 : 0;
    return true;
  }
  // The tree's nodes go first, a budgeted item for each pointer: it is the smaller part.
  SkiplistZset* zset = static_cast<SkiplistZset*>(value);
  if (!zset->tree.clear_some(budget, [](ZsetItem*) {})) return false;
  if (!zset->members.clear_some(allocator, budget,
                                [&](ZsetItem* item) { ZsetItem::release(allocator, item); })) {
    return false;
  }
  ASSERT(zset->passes.empty());
  zset->~SkiplistZset();
  allocator.release(zset, sizeof(SkiplistZset));
  budget -= budget > 0 ? 1 : 0;
  return true;
}

size_t zset_outside_bytes(const Entry& entry) {
  return is_big(entry) ? skiplist_of(entry).bytes() : Listpack::counted_bytes(block_of(entry));
}

size_t zset_free_effort(const Entry& entry) {
  return is_big(entry) ? skiplist_of(entry).members.size() + 1 : 1;
}

void* copy_zset(Allocator& to, const Entry& entry) {
  if (!is_big(entry)) return Listpack::copy(to, block_of(entry));
  const SkiplistZset& from = skiplist_of(entry);
  const HashKey& hash_key = from.members.hash_key();
  auto* copy = new (to.allocate(sizeof(SkiplistZset))) SkiplistZset(to, hash_key);
  for (auto at = from.tree.first(); at; at.next()) {
    ZsetItem* item = ZsetItem::make(to, at.item()->member(), at.item()->score());
    copy->item_bytes += counted_size(item->footprint());
    copy->members.insert(to, item, copy->members.hash(item->member()));
    copy->tree.append(item);
  }
  return copy;
}

void digest_zset(const Entry& entry, Digest& digest) {
  const ZsetView zset(entry);
  digest.add(static_cast<int64_t>(zset.size()));
  for (ZsetView::Cursor at = zset.at_rank(0); at; at.next()) {
    digest.add(at.member());
    digest.add(std::bit_cast<int64_t>(at.score() + 0.0));
  }
}

PassList* zset_passes(const Entry& entry) {
  return is_big(entry) ? &skiplist_of(entry).passes : nullptr;
}

std::unique_ptr<ValuePass> open_zset_pass(PassMemory& memory, unsigned slot, const Entry& entry) {
  const SkiplistZset& zset = skiplist_of(entry);
  return std::make_unique<TablePass<ZsetPassKind>>(memory, zset.passes, slot, zset.members);
}

size_t zset_length(const Entry& entry) {
  return is_big(entry) ? skiplist_of(entry).tree.size() : Listpack::count(block_of(entry)) / 2;
}

}  // namespace redoubt
