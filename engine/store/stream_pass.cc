#include "engine/store/stream_pass.h"

#include <algorithm>
#include <utility>

#include "engine/store/database.h"

namespace redoubt {

namespace {

constexpr size_t kTouchedBytes = 128;  // a node of a map, as counted
constexpr size_t kYoungerBytes = 56;

size_t bytes_of(const StreamBlock& block) {
  return counted_size(sizeof(StreamBlock) + block.capacity);
}

}  // namespace

StreamPass::StreamPass(PassMemory& memory, unsigned slot, const Stream& stream)
    : ValuePass(memory, stream.passes(), slot),
      stream_(stream),
      facts_(stream.facts()),
      own_(memory.allocator()) {
  copy_groups();
  table_bytes_ = counted_bytes();
  memory.count(table_bytes_);
}

StreamPass::~StreamPass() {
  size_t everything = SIZE_MAX;
  release_some(everything);
  memory().discount(younger_.size() * kYoungerBytes + table_bytes_);
  for (Group& group : groups_) drop_remains(group);
  drop_idempotency();
}

void StreamPass::copy_groups() {
  const OrderedPages<StreamGroup>& groups = stream_.groups();
  groups_.reserve(groups.size());
  for (auto place = groups.first(); const StreamGroup* group = groups.at(place);
       place = groups.next(place)) {
    group_index_.emplace(group, groups_.size());
    Group& made = groups_.emplace_back();
    made.live = group;
    made.name = group->name();
    made.last_id = group->last_id;
    made.entries_read = group->entries_read;
    made.pending = group->pending.size();
    made.consumers.reserve(group->consumers.size());
    for (auto at = group->consumers.first();
         const StreamConsumer* consumer = group->consumers.at(at); at = group->consumers.next(at)) {
      made.consumers.push_back(
          {std::string(consumer->name()), consumer->seen_ms, consumer->active_ms});
    }
  }
}

// Of what was copied at opening.
size_t StreamPass::counted_bytes() const {
  size_t bytes = 0;
  for (const Group& group : groups_) {
    bytes += sizeof(Group) + kYoungerBytes + group.name.size();
    for (const Consumer& consumer : group.consumers) {
      bytes += sizeof(Consumer) + consumer.name.size();
    }
  }
  return bytes;
}

KeptStream::KeptStream(Database& database, Stream* stream)
    : database_(database), stream_(stream), bytes_(stream->bytes()) {
  database_.passes().kept_total() += bytes_;
}

KeptStream::~KeptStream() {
  ASSERT(bytes_ == stream_->bytes() && bytes_ <= database_.passes().kept_bytes());
  database_.passes().kept_total() -= bytes_;
  database_.remains().discard(Type::stream, Encoding::stream, stream_, stream_->pieces(),
                              stream_->bytes());
}

// --- changes

void StreamPass::before_change(const StreamBlock& block) {
  if (stage_ > Stage::entries || block.first < next_block_ || block.first > facts_.last_id) return;
  if (younger_.contains(block.first)) return;
  const auto [at, added] = blocks_.try_emplace(block.first, nullptr);
  if (!added) return;
  at->second = StreamBlock::copy(own_, block);
  memory().hold(bytes_of(*at->second));
}

void StreamPass::added(StreamId first) {
  if (stage_ > Stage::entries || first < next_block_ || first > facts_.last_id) return;
  if (younger_.insert(first).second) memory().count(kYoungerBytes);
}

bool StreamPass::removed(StreamBlock* block, bool taken) {
  if (stage_ > Stage::entries || block->first < next_block_ || block->first > facts_.last_id) {
    return false;
  }
  if (younger_.contains(block->first)) return false;
  const auto [at, added] = blocks_.try_emplace(block->first, block);
  if (!added) return false;
  if (taken) {
    at->second = StreamBlock::copy(own_, *block);
  } else {
    own_.adopt(sizeof(StreamBlock) + block->capacity);
  }
  memory().hold(bytes_of(*at->second));
  return !taken;
}

void StreamPass::before_pending(const StreamGroup& group, StreamId id,
                                const StreamPending* pending) {
  if (stage_ > Stage::groups) return;
  const auto found = group_index_.find(&group);
  if (found == group_index_.end() || found->second < group_) return;
  Group& state = groups_[found->second];
  if (id < state.next) return;
  const auto [at, added] = state.touched.try_emplace(id);
  if (!added) return;
  if (pending != nullptr) {
    at->second = {.there = true,
                  .owned = pending->consumer != nullptr,
                  .consumer = std::string(owner_of(*pending)),
                  .delivered_ms = pending->delivered_ms,
                  .deliveries = pending->deliveries};
  }
  memory().count(counted_size(kTouchedBytes + at->second.consumer.size()));
}

void StreamPass::group_removed(const StreamGroup& group, const Shared<KeptStream>& remains) {
  const auto found = group_index_.find(&group);
  if (found == group_index_.end()) return;
  const size_t index = found->second;
  // Another group may be made where this one was.
  group_index_.erase(found);
  if (stage_ > Stage::groups || index < group_) return;
  groups_[index].remains = remains;
  memory().hold_shared(remains->bytes());
}

void StreamPass::before_idempotency_change() {
  if (!facts_.idempotency || idempotency_ != nullptr || stage_ == Stage::done) return;
  const size_t before = own_.bytes();
  idempotency_ = StreamIdempotency::copy(own_, *stream_.idempotency());
  memory().hold(own_.bytes() - before);
}

// --- delivery

void StreamPass::drop_block(std::map<StreamId, StreamBlock*>::iterator at) {
  memory().let_go(bytes_of(*at->second));
  StreamBlock::free(own_, at->second);
  blocks_.erase(at);
}

void StreamPass::drop_idempotency() {
  if (idempotency_ == nullptr) return;
  const size_t before = own_.bytes();
  size_t everything = SIZE_MAX;
  StreamIdempotency::free_some(own_, idempotency_, everything);
  memory().let_go(before - own_.bytes());
  idempotency_ = nullptr;
}

void StreamPass::deliver_block(SnapshotSink& sink, size_t& budget, const StreamBlock& block) {
  StreamEntry entry;
  uint32_t offset = block.begin;
  sink.stream_block(block);
  while (block.read_next(offset, entry)) {
    sink.stream_entry(entry);
    ++delivered_;
    budget -= budget > 0 ? 1 : 0;
  }
}

bool StreamPass::deliver_entries(SnapshotSink& sink, size_t& budget) {
  for (;;) {
    if (budget == 0 || !sink.takes_more()) return false;
    const StreamBlock* live = stream_.block_at_or_after(next_block_);
    if (live != nullptr && live->first > facts_.last_id) live = nullptr;
    const auto kept = blocks_.begin();
    if (live == nullptr && kept == blocks_.end()) break;
    const bool from_kept = kept != blocks_.end() && (live == nullptr || kept->first <= live->first);
    StreamId reached = from_kept ? kept->first : live->first;
    if (from_kept) {
      deliver_block(sink, budget, *kept->second);
      drop_block(kept);
    } else if (!younger_.contains(live->first)) {
      deliver_block(sink, budget, *live);
    }
    budget -= budget > 0 ? 1 : 0;
    if (!reached.increment()) break;
    next_block_ = reached;
  }
  ASSERT(delivered_ == facts_.length && blocks_.empty());
  return true;
}

void StreamPass::begin_group(SnapshotSink& sink, size_t& budget, const Group& group) {
  sink.stream_group({.name = group.name,
                     .last_id = group.last_id,
                     .entries_read = group.entries_read,
                     .consumers = group.consumers.size(),
                     .pending = group.pending});
  for (const Consumer& consumer : group.consumers) {
    sink.stream_consumer({consumer.name, consumer.seen_ms, consumer.active_ms});
    budget -= budget > 0 ? 1 : 0;
  }
}

void StreamPass::forget(Group& group, std::map<StreamId, Pending>::iterator at) {
  memory().discount(counted_size(kTouchedBytes + at->second.consumer.size()));
  group.touched.erase(at);
}

bool StreamPass::deliver_pending(SnapshotSink& sink, size_t& budget, Group& group) {
  for (;;) {
    if (budget == 0 || !sink.takes_more()) return false;
    --budget;
    const OrderedPages<StreamPending>& list = group.live->pending;
    const StreamPending* live = list.at(list.lower_bound(group.next));
    const auto touched = group.touched.begin();
    if (live == nullptr && touched == group.touched.end()) break;
    StreamId reached;
    if (touched != group.touched.end() && (live == nullptr || touched->first <= live->id)) {
      const Pending& was = touched->second;
      reached = touched->first;
      if (was.there) {
        sink.stream_pending({reached, was.owned, was.consumer, was.delivered_ms, was.deliveries});
        ++group.delivered;
      }
      forget(group, touched);
    } else {
      reached = live->id;
      sink.stream_pending({reached, live->consumer != nullptr, owner_of(*live), live->delivered_ms,
                           live->deliveries});
      ++group.delivered;
    }
    if (!reached.increment()) break;
    group.next = reached;
  }
  ASSERT(group.delivered == group.pending && group.touched.empty());
  return true;
}

bool StreamPass::deliver_groups(SnapshotSink& sink, size_t& budget) {
  for (; group_ < groups_.size(); ++group_, in_group_ = false) {
    if (budget == 0 || !sink.takes_more()) return false;
    Group& group = groups_[group_];
    if (!in_group_) {
      begin_group(sink, budget, group);
      in_group_ = true;
    }
    if (!deliver_pending(sink, budget, group)) return false;
    drop_remains(group);
  }
  return true;
}

void StreamPass::drop_remains(Group& group) {
  if (group.remains) memory().let_go_shared(group.remains->bytes());
  group.remains = {};
}

bool StreamPass::deliver(SnapshotSink& sink, size_t& budget) {
  if (stage_ == Stage::facts) {
    if (budget == 0 || !sink.takes_more()) return false;
    sink.stream_facts(facts_);
    stage_ = Stage::entries;
  }
  if (stage_ == Stage::entries) {
    if (!deliver_entries(sink, budget)) return false;
    stage_ = Stage::groups;
  }
  if (stage_ == Stage::groups) {
    if (!deliver_groups(sink, budget)) return false;
    stage_ = Stage::idempotency;
  }
  if (stage_ == Stage::idempotency) {
    if (budget == 0 || !sink.takes_more()) return false;
    if (facts_.idempotency) {
      sink.stream_idempotency(idempotency_ != nullptr ? *idempotency_ : *stream_.idempotency());
    }
    drop_idempotency();
    stage_ = Stage::done;
  }
  return true;
}

bool StreamPass::release_some(size_t& budget) {
  for (; !blocks_.empty(); --budget) {
    if (budget == 0) return false;
    drop_block(blocks_.begin());
  }
  for (Group& group : groups_) {
    for (; !group.touched.empty(); --budget) {
      if (budget == 0) return false;
      forget(group, group.touched.begin());
    }
  }
  return true;
}

}  // namespace redoubt
