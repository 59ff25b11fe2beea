// Streams: consumer groups, their consumers and pending entries, and how far groups have read.
#include <algorithm>
#include <new>

#include "engine/store/stream.h"
#include "engine/store/stream_pass.h"

namespace redoubt {

namespace {

StreamConsumer* make_consumer(ValueMemory& memory, std::string_view name) {
  char* piece = static_cast<char*>(memory.allocate(sizeof(StreamConsumer) + name.size()));
  StreamConsumer* made = new (piece) StreamConsumer();
  made->name_size = name.size();
  if (!name.empty()) std::memcpy(piece + sizeof(StreamConsumer), name.data(), name.size());
  return made;
}

void free_consumer(ValueMemory& memory, StreamConsumer* consumer) {
  memory.release(consumer, sizeof(StreamConsumer) + consumer->name_size);
}

void free_pending(ValueMemory& memory, StreamPending* pending) {
  memory.release(pending, sizeof(StreamPending));
}

}  // namespace

StreamGroup* Stream::add_group(std::string_view name, StreamId last_id, int64_t entries_read) {
  char* piece = static_cast<char*>(memory_.allocate(sizeof(StreamGroup) + name.size()));
  StreamGroup* group = new (piece) StreamGroup(memory_);
  group->name_size = name.size();
  if (!name.empty()) std::memcpy(piece + sizeof(StreamGroup), name.data(), name.size());
  group->last_id = last_id;
  group->entries_read = entries_read;
  groups_.insert(memory_, group);
  return group;
}

Stream* Stream::remove_group(StreamGroup& group) {
  Stream* remains = make(memory_.allocator());
  groups_.remove(memory_, group.name());
  group.memory.move_to(remains->memory_);
  const size_t size = sizeof(StreamGroup) + group.name_size;
  memory_.disown(size);
  remains->memory_.adopt(size);
  remains->groups_.insert(remains->memory_, &group);
  if (passes_.empty()) [[likely]]
    return remains;
  Shared<KeptStream> kept;
  bool taken = false;
  for_each_pass<StreamPass>(passes_, [&](StreamPass& pass) {
    if (!kept) kept = Shared(new KeptStream(pass.memory().database(), remains));
    taken = pass.group_removed(group, kept, taken) || taken;
  });
  // When no pass needs it, it has gone with `kept`.
  return kept ? nullptr : remains;
}

StreamConsumer* Stream::add_consumer(StreamGroup& group, std::string_view name, int64_t now_ms) {
  StreamConsumer* consumer = make_consumer(group.memory, name);
  consumer->seen_ms = now_ms;
  group.consumers.insert(group.memory, consumer);
  return consumer;
}

void Stream::remove_consumer(StreamGroup& group, StreamConsumer& consumer) {
  while (StreamPending* pending = consumer.pending.pop_back(group.memory)) {
    before_pending(group, pending->id, pending);
    group.pending.remove(group.memory, pending->id);
    group.by_delivery.remove(group.memory, OrderByDelivery::key(*pending));
    free_pending(group.memory, pending);
  }
  group.consumers.remove(group.memory, consumer.name());
  free_consumer(group.memory, &consumer);
}

StreamPending* Stream::add_pending(StreamGroup& group, StreamConsumer* consumer, StreamId id,
                                   int64_t delivered_ms) {
  before_pending(group, id, nullptr);
  StreamPending* pending = new (group.memory.allocate(sizeof(StreamPending))) StreamPending();
  pending->id = id;
  pending->delivered_ms = delivered_ms;
  pending->consumer = consumer;
  group.pending.insert(group.memory, pending);
  group.by_delivery.insert(group.memory, pending);
  if (consumer != nullptr) {
    consumer->pending.insert(group.memory, pending);
  } else {
    ++group.unowned;
  }
  return pending;
}

void Stream::remove_pending(StreamGroup& group, StreamPending* pending) {
  before_pending(group, pending->id, pending);
  group.pending.remove(group.memory, pending->id);
  group.by_delivery.remove(group.memory, OrderByDelivery::key(*pending));
  if (pending->consumer != nullptr) {
    pending->consumer->pending.remove(group.memory, pending->id);
  } else {
    --group.unowned;
  }
  free_pending(group.memory, pending);
}

void Stream::assign(StreamGroup& group, StreamPending& pending, StreamConsumer* consumer,
                    int64_t delivered_ms) {
  before_pending(group, pending.id, &pending);
  if (pending.delivered_ms != delivered_ms) {
    group.by_delivery.remove(group.memory, OrderByDelivery::key(pending));
    pending.delivered_ms = delivered_ms;
    group.by_delivery.insert(group.memory, &pending);
  }
  if (pending.consumer == consumer) return;
  if (pending.consumer != nullptr) {
    pending.consumer->pending.remove(group.memory, pending.id);
  } else {
    --group.unowned;
  }
  if (consumer != nullptr) {
    consumer->pending.insert(group.memory, &pending);
  } else {
    ++group.unowned;
  }
  pending.consumer = consumer;
}

bool Stream::is_acknowledged(StreamId id) const {
  for (auto place = groups_.first(); const StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (id > group->last_id || group->pending.find(id) != nullptr) return false;
  }
  return true;
}

void Stream::remove_references(StreamId id) {
  for (auto place = groups_.first(); StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (StreamPending* pending = group->pending.find(id)) remove_pending(*group, pending);
  }
}

// --- how far groups have read
//
// The lag of a group is the number of entries behind its last id. It follows from two counts: of
// the entries ever added, and of those among them up to the last id of the group. XDEL makes a hole
// that neither count tells of; only the largest id ever deleted is known. So the lag is unknown
// while that id is behind the group's, and so is what the group has read when it steps over a hole,
// until it has reached the last entry. Entries that a trim removes are in front of all others: a
// group behind which only those are missing has all that are there to read.

// Whether entries with a larger id than this one may have been deleted out of those that are there.
bool Stream::may_miss_entries_after(StreamId id) const {
  return length_ > 0 && max_deleted_id_ > id && max_deleted_id_ >= first_id_;
}

// Whether the group's count holds, and the stream has each entry that was added behind its last id.
bool Stream::knows_position(const StreamGroup& group) const {
  return group.entries_read != StreamGroup::kUnknown && entries_added_ < kCountMax &&
         group.last_id >= first_id_ && !may_miss_entries_after(group.last_id);
}

int64_t Stream::entries_up_to(StreamId id) const {
  const auto added = static_cast<int64_t>(entries_added_);
  // Entries that come may have ids up to it.
  if (id > last_id_) return StreamGroup::kUnknown;
  if (length_ == 0 || id == last_id_) return added;
  if (max_deleted_id_.is_zero() || max_deleted_id_ < first_id_) {
    const auto there = static_cast<int64_t>(length_);
    if (id < first_id_) return added - there;
    if (id == first_id_) return added - there + 1;
  }
  return StreamGroup::kUnknown;
}

void Stream::advance(StreamGroup& group, StreamId id) const {
  ASSERT(id > group.last_id);
  group.entries_read = knows_position(group) ? group.entries_read + 1 : entries_up_to(id);
  group.last_id = id;
}

void Stream::advance_over(StreamGroup& group, StreamId id) const {
  ASSERT(id > group.last_id);
  StreamId next = group.last_id;
  next.increment();
  const bool known = knows_position(group) && id <= last_id_;
  group.entries_read = known ? group.entries_read + static_cast<int64_t>(count_between(next, id, 0))
                             : entries_up_to(id);
  group.last_id = id;
}

void Stream::set_position(StreamGroup& group, StreamId id, int64_t entries_read) const {
  group.entries_read = checked_position(group, id, entries_read);
  group.last_id = id;
}

int64_t Stream::checked_position(const StreamGroup& group, StreamId id,
                                 int64_t entries_read) const {
  if (entries_read == StreamGroup::kUnknown || id > last_id_) return StreamGroup::kUnknown;
  const auto added = static_cast<int64_t>(entries_added_);
  const auto gone_at_most = added - static_cast<int64_t>(length_);
  // Nothing counts on it: entries behind the id are missing.
  if (may_miss_entries_after(id)) return std::min(entries_read, added);
  if (id < first_id_ || length_ == 0) return std::min(entries_read, gone_at_most);
  if (const int64_t known = entries_up_to(id); known != StreamGroup::kUnknown) return known;
  const bool from_group = knows_position(group) && id >= group.last_id;
  StreamId next = from_group ? group.last_id : id;
  next.increment();
  const auto between = [&](StreamId end) {
    return static_cast<int64_t>(count_between(next, end, 0));
  };
  return from_group ? group.entries_read + between(id) : added - between(StreamId::largest());
}

void Stream::set_counts(StreamId last_id, uint64_t entries_added, StreamId max_deleted_id) {
  ASSERT(entries_added >= length_ && entries_added <= kCountMax);
  ASSERT(last_id >= max_deleted_id && last_id >= last_entry_id());
  const bool same =
      last_id >= last_id_ && entries_added == entries_added_ && max_deleted_id == max_deleted_id_;
  // What a group has not read is not changed by another count of what was added.
  const uint64_t shift = entries_added - entries_added_;
  for (auto place = groups_.first(); StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (same) break;
    const bool stays = knows_position(*group) && group->last_id <= last_id;
    group->entries_read =
        stays ? group->entries_read + static_cast<int64_t>(shift) : StreamGroup::kUnknown;
  }
  last_id_ = last_id;
  entries_added_ = entries_added;
  max_deleted_id_ = max_deleted_id;
  for (auto place = groups_.first(); StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (same || group->entries_read != StreamGroup::kUnknown) continue;
    group->entries_read = entries_up_to(group->last_id);
  }
}

std::optional<int64_t> Stream::lag(const StreamGroup& group) const {
  if (length_ == 0 || group.last_id >= last_id_ || group.last_id >= last_entry_id()) return 0;
  if (may_miss_entries_after(group.last_id)) return std::nullopt;
  if (group.last_id < first_id_) return static_cast<int64_t>(length_);
  const auto added = static_cast<int64_t>(entries_added_);
  const int64_t read = knows_position(group) ? group.entries_read : entries_up_to(group.last_id);
  if (read == StreamGroup::kUnknown) return std::nullopt;
  ASSERT(read >= 0 && read < added && added - read < static_cast<int64_t>(length_));
  return added - read;
}

// --- copying and freeing

void Stream::copy_group(const StreamGroup& from) {
  StreamGroup* group = add_group(from.name(), from.last_id, from.entries_read);
  for (auto place = from.consumers.first();
       const StreamConsumer* consumer = from.consumers.at(place);
       place = from.consumers.next(place)) {
    StreamConsumer* made = add_consumer(*group, consumer->name(), consumer->seen_ms);
    made->active_ms = consumer->active_ms;
    for (auto at = consumer->pending.first();
         const StreamPending* pending = consumer->pending.at(at); at = consumer->pending.next(at)) {
      add_pending(*group, made, pending->id, pending->delivered_ms)->deliveries =
          pending->deliveries;
    }
  }
  if (from.unowned == 0) return;
  for (auto at = from.pending.first(); const StreamPending* pending = from.pending.at(at);
       at = from.pending.next(at)) {
    if (pending->consumer != nullptr) continue;
    add_pending(*group, nullptr, pending->id, pending->delivered_ms)->deliveries =
        pending->deliveries;
  }
}

bool Stream::free_group(StreamGroup& group, size_t& budget) {
  while (!group.by_delivery.empty()) {
    if (budget == 0) return false;
    --budget;
    group.by_delivery.pop_back(group.memory);
  }
  while (StreamConsumer* consumer = group.consumers.back()) {
    while (!consumer->pending.empty()) {
      if (budget == 0) return false;
      --budget;
      consumer->pending.pop_back(group.memory);
    }
    if (budget == 0) return false;
    --budget;
    group.consumers.pop_back(group.memory);
    free_consumer(group.memory, consumer);
  }
  while (!group.pending.empty()) {
    if (budget == 0) return false;
    --budget;
    free_pending(group.memory, group.pending.pop_back(group.memory));
  }
  return true;
}

}  // namespace redoubt
