#include "engine/store/stream.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <utility>

#include "engine/store/stream_pass.h"
#include "engine/store/stream_progress.h"

namespace redoubt {

Stream* Stream::make(Allocator& allocator) {
  return new (allocator.allocate(sizeof(Stream))) Stream(allocator);
}

// --- entries

// The block that has the id if any has; behind the last one when all are behind the id.
OrderedPages<StreamBlock>::Place Stream::block_of(StreamId id) const {
  const OrderedPages<StreamBlock>::Place place = blocks_.lower_bound(id);
  const StreamBlock* block = blocks_.at(place);
  if (block != nullptr && block->first == id) return place;
  return blocks_.previous(place);
}

void Stream::append(StreamId id, std::span<const std::string_view> fields,
                    const StreamLimits& limits) {
  ASSERT(id > last_id_ && !fields.empty() && fields.size() % 2 == 0);
  const StreamBlock* last = blocks_.back();
  if (last == nullptr || last->is_full(fields, limits)) {
    append_block(id, fields);
  } else {
    append_to_block(id, fields, last->has_same_names(fields));
  }
}

void Stream::append_block(StreamId id, std::span<const std::string_view> fields) {
  ASSERT(id > last_id_ && !fields.empty() && fields.size() % 2 == 0);
  insert_block(StreamBlock::make(memory_, id, fields));
  count_added(id);
}

void Stream::append_to_block(StreamId id, std::span<const std::string_view> fields,
                             bool same_names) {
  ASSERT(id > last_id_ && !fields.empty() && fields.size() % 2 == 0);
  StreamBlock* last = blocks_.back();
  before_change(*last);
  StreamBlock* moved = StreamBlock::append(memory_, last, id, fields, same_names);
  if (moved != last) blocks_.replace_back(moved);
  count_added(id);
}

// An entry has been added.
void Stream::count_added(StreamId id) {
  if (length_ == 0) first_id_ = id;
  last_id_ = id;
  ++length_;
  if (entries_added_ < kCountMax) ++entries_added_;
}

bool Stream::find(StreamId id, StreamEntry& entry) const {
  const StreamBlock* block = blocks_.at(block_of(id));
  return block != nullptr && block->find(id, entry);
}

bool Stream::erase(StreamId id) {
  const OrderedPages<StreamBlock>::Place place = block_of(id);
  StreamBlock* block = blocks_.at(place);
  StreamEntry entry;
  if (block == nullptr || !block->find(id, entry)) return false;
  before_change(*block);
  block->erase(entry);
  --length_;
  if (block->live == 0) drop_block(place);
  if (id > max_deleted_id_) max_deleted_id_ = id;
  if (id == first_id_) find_first_id();
  return true;
}

// Returns the place of the block behind it.
OrderedPages<StreamBlock>::Place Stream::drop_block(OrderedPages<StreamBlock>::Place place) {
  StreamBlock* block = blocks_.at(place);
  const OrderedPages<StreamBlock>::Place next = blocks_.remove_at(memory_, place);
  if (!passes_.empty()) [[unlikely]] {
    const size_t size = sizeof(StreamBlock) + block->capacity;
    bool taken = false;
    for_each_pass<StreamPass>(
        passes_, [&](StreamPass& pass) { taken = pass.removed(block, taken) || taken; });
    if (taken) {
      memory_.disown(size);
      return next;
    }
  }
  StreamBlock::free(memory_, block);
  return next;
}

// --- reports to passes

void Stream::insert_block(StreamBlock* block) {
  if (!passes_.empty()) [[unlikely]]
    for_each_pass<StreamPass>(passes_, [&](StreamPass& pass) { pass.added(block->first); });
  blocks_.insert(memory_, block);
}

void Stream::before_change(const StreamBlock& block) const {
  if (!passes_.empty()) [[unlikely]]
    for_each_pass<StreamPass>(passes_, [&](StreamPass& pass) { pass.before_change(block); });
}

void Stream::before_idempotency_change() const {
  if (!passes_.empty()) [[unlikely]]
    for_each_pass<StreamPass>(passes_, [](StreamPass& pass) { pass.before_idempotency_change(); });
}

void Stream::find_first_id() {
  StreamEntry entry;
  const StreamBlock* block = blocks_.front();
  if (block == nullptr) {
    first_id_ = {};
    return;
  }
  uint32_t offset = block->begin;
  const bool found = block->read_next(offset, entry);
  ASSERT(found);
  first_id_ = entry.id;
}

uint64_t Stream::count_between(StreamId start, StreamId end, uint64_t most) const {
  const uint64_t limit = most == 0 ? StreamId::kMax : most;
  if (start <= first_id_ && end >= last_id_) return std::min(length_, limit);
  uint64_t count = 0;
  OrderedPages<StreamBlock>::Place place = block_of(start);
  if (blocks_.at(place) == nullptr) place = blocks_.first();
  for (; count < limit; place = blocks_.next(place)) {
    const StreamBlock* block = blocks_.at(place);
    if (block == nullptr || block->first > end) break;
    if (start <= block->first && block->last <= end) {
      count += block->live;
    } else {
      count += block->count_between(start, end);
    }
  }
  return std::min(count, limit);
}

StreamId Stream::last_entry_id() const {
  const StreamBlock* block = blocks_.back();
  if (block == nullptr) return {};
  StreamEntry entry;
  uint32_t offset = block->size;
  const bool found = block->read_previous(offset, entry);
  ASSERT(found);
  return entry.id;
}

StreamFacts Stream::facts() const {
  StreamFacts facts{.first_id = first_id_,
                    .last_id = last_id_,
                    .max_deleted_id = max_deleted_id_,
                    .entries_added = entries_added_,
                    .length = length_,
                    .groups = groups_.size(),
                    .blocks = blocks_.size(),
                    .idempotency = idempotency_ != nullptr};
  for (auto place = groups_.first(); const StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    facts.unowned += group->unowned;
  }
  return facts;
}

// --- trimming

bool Stream::goes_whole(const StreamBlock& block, const StreamTrim& how) const {
  return how.kind == StreamTrim::Kind::length ? length_ - block.live >= how.length
                                              : block.last < how.id;
}

uint64_t Stream::trim(const StreamTrim& how, StreamId* reached) {
  if (how.kind == StreamTrim::Kind::none) return 0;
  const bool by_entry = how.references == StreamReferences::acknowledged && !groups_.empty();
  const uint64_t removed = by_entry ? trim_acknowledged(how, reached) : trim_blocks(how);
  if (removed > 0) find_first_id();
  if (!by_entry) *reached = length_ == 0 ? StreamId::largest() : first_id_;
  return removed;
}

uint64_t Stream::trim_blocks(const StreamTrim& how) {
  uint64_t removed = 0;
  while (const StreamBlock* block = blocks_.front()) {
    if (how.kind == StreamTrim::Kind::length && length_ <= how.length) break;
    if (how.limit != 0 && removed + block->live > how.limit) break;
    if (!goes_whole(*block, how)) {
      StreamId last_removed;
      if (!how.whole_blocks) removed += trim_block(blocks_.first(), how, &last_removed);
      // Its last entry, which is behind the limit, was deleted before.
      if (block->live == 0) drop_block(blocks_.first());
      break;
    }
    if (how.references == StreamReferences::remove) remove_block_references(*block);
    length_ -= block->live;
    removed += block->live;
    drop_block(blocks_.first());
  }
  return removed;
}

// Entries of a block that does not go as a whole, except those that a group needs still.
// `last_removed` becomes the last one that is removed, if any is.
uint64_t Stream::trim_block(OrderedPages<StreamBlock>::Place place, const StreamTrim& how,
                            StreamId* last_removed) {
  StreamBlock* block = blocks_.at(place);
  StreamEntry entry;
  uint64_t removed = 0;
  uint32_t offset = block->begin;
  while (block->read_next(offset, entry)) {
    const bool enough =
        how.kind == StreamTrim::Kind::length ? length_ <= how.length : entry.id >= how.id;
    if (enough) break;
    if (how.references == StreamReferences::acknowledged && !is_acknowledged(entry.id)) continue;
    if (how.references == StreamReferences::remove) remove_references(entry.id);
    before_change(*block);
    block->erase(entry);
    --length_;
    ++removed;
    *last_removed = entry.id;
  }
  return removed;
}

// Block by block, as far as a trim of everything would go.
uint64_t Stream::trim_acknowledged(const StreamTrim& how, StreamId* reached) {
  uint64_t removed = 0;
  uint64_t seen = 0;
  StreamId last_removed;
  OrderedPages<StreamBlock>::Place place = blocks_.first();
  while (const StreamBlock* block = blocks_.at(place)) {
    if (how.kind == StreamTrim::Kind::length && length_ <= how.length) break;
    if (how.kind == StreamTrim::Kind::id && block->first >= how.id) break;
    seen += block->live;
    if (how.limit != 0 && seen > how.limit) break;
    if (how.whole_blocks && !goes_whole(*block, how)) break;
    removed += trim_block(place, how, &last_removed);
    place = block->live == 0 ? drop_block(place) : blocks_.next(place);
  }
  const StreamBlock* next = blocks_.at(place);
  *reached = next == nullptr ? StreamId::largest() : next->first;
  find_first_id();
  // Entries that are left in front of removed ones make a hole, as XDEL does.
  if (length_ > 0 && last_removed > first_id_) {
    max_deleted_id_ = std::max(max_deleted_id_, last_removed);
  }
  return removed;
}

void Stream::remove_block_references(const StreamBlock& block) {
  if (groups_.empty()) return;
  StreamEntry entry;
  uint32_t offset = block.begin;
  while (block.read_next(offset, entry)) remove_references(entry.id);
}

// --- what Redis would hold

size_t Stream::radix_nodes() const {
  // Keys of 16 bytes, big-endian. A node for each key's end; a node for each place where keys part;
  // one for the bytes between two such places, when there are any behind the first byte, which
  // stands in the node where keys part.
  constexpr size_t kCounted = 4096;
  constexpr size_t kKeyBytes = 16;
  if (blocks_.empty()) return 1;
  const auto common = [](StreamId a, StreamId b) -> size_t {
    const uint64_t high = a.ms ^ b.ms;
    const uint64_t low = a.seq ^ b.seq;
    return high != 0 ? static_cast<size_t>(std::countl_zero(high)) / 8
                     : 8 + static_cast<size_t>(std::countl_zero(low)) / 8;
  };
  std::array<size_t, kKeyBytes + 1> parting;  // where the keys so far part, and the latest does too
  size_t depth = 0;
  size_t nodes = 0;
  size_t count = 0;
  // The path from the last parting place above `to` down to `from` is complete.
  const auto close_edge = [&](size_t above, size_t below) { nodes += below - above > 1 ? 1 : 0; };
  StreamId previous;
  OrderedPages<StreamBlock>::Place place = blocks_.first();
  for (; count < kCounted; place = blocks_.next(place), ++count) {
    const StreamBlock* block = blocks_.at(place);
    if (block == nullptr) break;
    ++nodes;
    if (count > 0) {
      const size_t at = common(previous, block->first);
      size_t below = kKeyBytes;
      while (depth > 0 && parting[depth - 1] > at) {
        close_edge(parting[depth - 1], below);
        below = parting[--depth];
      }
      close_edge(at, below);
      if (depth == 0 || parting[depth - 1] != at) {
        parting[depth++] = at;
        ++nodes;
      }
    }
    previous = block->first;
  }
  size_t below = kKeyBytes;
  while (depth > 0) {
    close_edge(parting[depth - 1], below);
    below = parting[--depth];
  }
  nodes += below > 0 ? 1 : 0;
  return nodes * blocks_.size() / count;
}

// --- copying, freeing, digest

Stream* Stream::copy(Allocator& to, const Stream& from) {
  Stream* made = make(to);
  made->length_ = from.length_;
  made->first_id_ = from.first_id_;
  made->last_id_ = from.last_id_;
  made->max_deleted_id_ = from.max_deleted_id_;
  made->entries_added_ = from.entries_added_;
  for (auto place = from.blocks_.first(); const StreamBlock* block = from.blocks_.at(place);
       place = from.blocks_.next(place)) {
    made->blocks_.insert(made->memory_, StreamBlock::copy(made->memory_, *block));
  }
  made->copy_groups(from);
  if (from.idempotency_ != nullptr) {
    made->idempotency_ = StreamIdempotency::copy(made->memory_, *from.idempotency_);
  }
  return made;
}

bool Stream::free_some(Stream* stream, size_t& budget) {
  while (!stream->blocks_.empty()) {
    if (budget == 0) return false;
    --budget;
    StreamBlock::free(stream->memory_, stream->blocks_.pop_back(stream->memory_));
  }
  if (!stream->free_groups(budget)) return false;
  if (stream->idempotency_ != nullptr) {
    if (!StreamIdempotency::free_some(stream->memory_, stream->idempotency_, budget)) return false;
    stream->idempotency_ = nullptr;
  }
  ASSERT(stream->passes_.empty());
  ASSERT(stream->memory_.pieces() == 0 && stream->memory_.bytes() == 0);
  stream->memory_.allocator().release(stream, sizeof(Stream));
  return true;
}

void Stream::digest(Digest& digest) const {
  const auto add_id = [&](StreamId id) {
    digest.add(static_cast<int64_t>(id.ms));
    digest.add(static_cast<int64_t>(id.seq));
  };
  add_id(last_id_);
  add_id(max_deleted_id_);
  digest.add(static_cast<int64_t>(entries_added_));
  digest.add(static_cast<int64_t>(length_));
  StreamCursor cursor(*this, {}, StreamId::largest(), false);
  for (StreamEntry entry; cursor.next(entry);) {
    add_id(entry.id);
    entry.for_each_field([&](std::string_view field, std::string_view value) {
      digest.add(field);
      digest.add(value);
    });
  }
  for (auto place = groups_.first(); const StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    digest.add(group->name());
    add_id(group->last_id);
    digest.add(group->entries_read);
    for (auto at = group->consumers.first(); const StreamConsumer* each = group->consumers.at(at);
         at = group->consumers.next(at)) {
      digest.add(each->name());
    }
    for (auto at = group->pending.first(); const StreamPending* pending = group->pending.at(at);
         at = group->pending.next(at)) {
      add_id(pending->id);
      digest.add(int64_t{pending->consumer != nullptr});
      digest.add(owner_of(*pending));
      digest.add(pending->delivered_ms);
      digest.add(static_cast<int64_t>(pending->deliveries));
    }
  }
  if (idempotency_ != nullptr) idempotency_->digest(digest);
}

// --- groups

Stream* Stream::remove_group(StreamGroup& group) {
  Stream* remains = make(memory_.allocator());
  move_group(group, *remains);
  if (passes_.empty()) [[likely]]
    return remains;
  Shared<KeptStream> kept;
  for_each_pass<StreamPass>(passes_, [&](StreamPass& pass) {
    if (!kept) kept = Shared(new KeptStream(pass.memory().database(), remains));
    pass.group_removed(group, kept);
  });
  // When no pass needs it, it has gone with `kept`.
  return kept ? nullptr : remains;
}

void Stream::set_counts(StreamId last_id, uint64_t entries_added, StreamId max_deleted_id) {
  ASSERT(entries_added >= length_ && entries_added <= kCountMax);
  ASSERT(last_id >= max_deleted_id && last_id >= last_entry_id());
  const StreamProgress progress(*this);
  const bool same =
      last_id >= last_id_ && entries_added == entries_added_ && max_deleted_id == max_deleted_id_;
  // Another count of added entries leaves the entries that a group has not read the same.
  const uint64_t shift = entries_added - entries_added_;
  for (auto place = groups_.first(); StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (same) break;
    const bool stays = progress.knows_position(*group) && group->last_id <= last_id;
    group->entries_read =
        stays ? group->entries_read + static_cast<int64_t>(shift) : StreamGroup::kUnknown;
  }
  last_id_ = last_id;
  entries_added_ = entries_added;
  max_deleted_id_ = max_deleted_id;
  for (auto place = groups_.first(); StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (same || group->entries_read != StreamGroup::kUnknown) continue;
    group->entries_read = progress.entries_up_to(group->last_id);
  }
}

// --- ids that producers have sent

StreamIdempotency& Stream::need_idempotency(const IdempotencyLimits& limits) {
  before_idempotency_change();
  if (idempotency_ == nullptr) idempotency_ = StreamIdempotency::make(memory_, limits);
  return *idempotency_;
}

Stream* Stream::restart_idempotency(const IdempotencyLimits& limits) {
  ASSERT(idempotency_ != nullptr);
  before_idempotency_change();
  Stream* remains = make(memory_.allocator());
  remains->idempotency_ = std::exchange(idempotency_, StreamIdempotency::make(memory_, limits));
  remains->idempotency_->move_to(memory_, remains->memory_);
  idempotency_->set_made(remains->idempotency_->made());
  idempotency_->set_duplicates(remains->idempotency_->duplicates());
  return remains;
}

// --- cursor

StreamCursor::StreamCursor(const Stream& stream, StreamId start, StreamId end, bool reverse)
    : stream_(stream), start_(start), end_(end), reverse_(reverse) {
  place_ = stream.block_of(reverse ? end : start);
  // In front of all blocks: a walk forward begins with the first, one backward is at its end.
  if (!reverse && stream.blocks_.at(place_) == nullptr) place_ = stream.blocks_.first();
  block_ = stream.blocks_.at(place_);
  if (!reverse && block_ != nullptr && block_->last < start) {
    place_ = stream.blocks_.next(place_);
    block_ = stream.blocks_.at(place_);
  }
  if (block_ != nullptr) offset_ = reverse ? block_->size : block_->begin;
}

bool StreamCursor::next_in_block(StreamEntry& entry) const {
  return reverse_ ? block_->read_previous(offset_, entry) : block_->read_next(offset_, entry);
}

bool StreamCursor::next(StreamEntry& entry) {
  while (block_ != nullptr) {
    while (next_in_block(entry)) {
      if (reverse_ ? entry.id < start_ : entry.id > end_) {
        block_ = nullptr;
        return false;
      }
      if (reverse_ ? entry.id <= end_ : entry.id >= start_) return true;
    }
    place_ = reverse_ ? stream_.blocks_.previous(place_) : stream_.blocks_.next(place_);
    block_ = stream_.blocks_.at(place_);
    if (block_ != nullptr) offset_ = reverse_ ? block_->size : block_->begin;
  }
  return false;
}

}  // namespace redoubt
