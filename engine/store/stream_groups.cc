// Streams: consumer groups, their consumers and pending entries, and how far groups have read.
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

bool Stream::has_tombstone_after(StreamId id) const {
  if (length_ == 0 || max_deleted_id_.is_zero()) return false;
  if (first_id_ > max_deleted_id_) return false;
  return id <= max_deleted_id_;
}

// How many entries were added up to this one, from the first ever; kUnknown when deletions hide it.
int64_t Stream::entries_up_to(StreamId id) const {
  const auto added = static_cast<int64_t>(entries_added_);
  if (added == 0) return 0;
  if (length_ == 0 && id <= last_id_) return added;
  if (id == last_id_) return added;
  if (id > last_id_) return StreamGroup::kUnknown;
  if (max_deleted_id_.is_zero() || max_deleted_id_ < first_id_) {
    const auto there = static_cast<int64_t>(length_);
    if (id < first_id_) return added - there;
    if (id == first_id_) return added - there + 1;
  }
  return StreamGroup::kUnknown;
}

void Stream::advance(StreamGroup& group, StreamId id) const {
  const bool known = group.entries_read != StreamGroup::kUnknown &&
                     group.entries_read < static_cast<int64_t>(kCountMax);
  if (known && !has_tombstone_after(id)) {
    ++group.entries_read;
  } else if (entries_added_ > 0) {
    group.entries_read = entries_up_to(id);
  }
  group.last_id = id;
}

std::optional<int64_t> Stream::lag(const StreamGroup& group) const {
  if (entries_added_ == 0) return 0;
  const auto added = static_cast<int64_t>(entries_added_);
  if (group.entries_read != StreamGroup::kUnknown && !has_tombstone_after(group.last_id)) {
    return added - group.entries_read;
  }
  const int64_t read = entries_up_to(group.last_id);
  if (read == StreamGroup::kUnknown) return std::nullopt;
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
