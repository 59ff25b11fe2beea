#include "engine/store/stream_groups.h"

#include <cstring>
#include <new>

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

StreamGroup* StreamGroups::add_group(std::string_view name, StreamId last_id,
                                     int64_t entries_read) {
  char* piece = static_cast<char*>(memory_.allocate(sizeof(StreamGroup) + name.size()));
  StreamGroup* group = new (piece) StreamGroup(memory_);
  group->name_size = name.size();
  if (!name.empty()) std::memcpy(piece + sizeof(StreamGroup), name.data(), name.size());
  group->last_id = last_id;
  group->entries_read = entries_read;
  groups_.insert(memory_, group);
  return group;
}

void StreamGroups::move_group(StreamGroup& group, StreamGroups& to) {
  const size_t size = sizeof(StreamGroup) + group.name_size;
  groups_.remove(memory_, group.name());
  group.memory.move_to(to.memory_);
  memory_.disown(size);
  to.memory_.adopt(size);
  to.groups_.insert(to.memory_, &group);
}

StreamConsumer* StreamGroups::add_consumer(StreamGroup& group, std::string_view name,
                                           int64_t now_ms) {
  StreamConsumer* consumer = make_consumer(group.memory, name);
  consumer->seen_ms = now_ms;
  group.consumers.insert(group.memory, consumer);
  return consumer;
}

void StreamGroups::remove_consumer(StreamGroup& group, StreamConsumer& consumer) {
  while (StreamPending* pending = consumer.pending.pop_back(group.memory)) {
    before_pending(group, pending->id, pending);
    group.pending.remove(group.memory, pending->id);
    group.by_delivery.remove(group.memory, OrderByDelivery::key(*pending));
    free_pending(group.memory, pending);
  }
  group.consumers.remove(group.memory, consumer.name());
  free_consumer(group.memory, &consumer);
}

// A pending entry changes, comes (null) or goes.
void StreamGroups::before_pending(const StreamGroup& group, StreamId id,
                                  const StreamPending* pending) const {
  if (!passes_.empty()) [[unlikely]]
    for_each_pass<StreamPass>(passes_,
                              [&](StreamPass& pass) { pass.before_pending(group, id, pending); });
}

StreamPending* StreamGroups::add_pending(StreamGroup& group, StreamConsumer* consumer, StreamId id,
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

void StreamGroups::remove_pending(StreamGroup& group, StreamPending* pending) {
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

void StreamGroups::assign(StreamGroup& group, StreamPending& pending, StreamConsumer* consumer,
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

bool StreamGroups::is_acknowledged(StreamId id) const {
  for (auto place = groups_.first(); const StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (id > group->last_id || group->pending.find(id) != nullptr) return false;
  }
  return true;
}

void StreamGroups::remove_references(StreamId id) {
  for (auto place = groups_.first(); StreamGroup* group = groups_.at(place);
       place = groups_.next(place)) {
    if (StreamPending* pending = group->pending.find(id)) remove_pending(*group, pending);
  }
}

// --- copying and freeing

void StreamGroups::copy_groups(const StreamGroups& from) {
  for (auto place = from.groups_.first(); const StreamGroup* group = from.groups_.at(place);
       place = from.groups_.next(place)) {
    copy_group(*group);
  }
}

bool StreamGroups::free_groups(size_t& budget) {
  while (StreamGroup* group = groups_.back()) {
    if (!free_group(*group, budget) || budget == 0) return false;
    --budget;
    groups_.pop_back(memory_);
    memory_.release(group, sizeof(StreamGroup) + group->name_size);
  }
  return true;
}

void StreamGroups::copy_group(const StreamGroup& from) {
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

bool StreamGroups::free_group(StreamGroup& group, size_t& budget) {
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
