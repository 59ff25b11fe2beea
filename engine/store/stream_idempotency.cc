#include "engine/store/stream_idempotency.h"

#include <new>

namespace redoubt {

namespace {

constexpr int64_t kMsPerSecond = 1000;

// An object with a text behind it.
template <typename T>
T* with_text(ValueMemory& memory, std::string_view text) {
  char* piece = static_cast<char*>(memory.allocate(sizeof(T) + text.size()));
  T* made = new (piece) T();
  if (!text.empty()) std::memcpy(piece + sizeof(T), text.data(), text.size());
  return made;
}

}  // namespace

StreamIdempotency* StreamIdempotency::make(ValueMemory& stream, const IdempotencyLimits& limits) {
  return new (stream.allocate(sizeof(StreamIdempotency))) StreamIdempotency(stream, limits);
}

bool StreamIdempotency::counts(const IdempotentRecord& record, int64_t now_ms) const {
  int64_t last_ms = 0;
  const bool never_ends =
      __builtin_add_overflow(record.made_ms, limits_.duration_s * kMsPerSecond, &last_ms);
  return never_ends || now_ms <= last_ms;
}

const IdempotentRecord* StreamIdempotency::find(std::string_view producer, std::string_view id,
                                                int64_t now_ms) const {
  const IdempotentProducer* sender = by_name_.find(producer);
  if (sender == nullptr) return nullptr;
  const IdempotentRecord* record = sender->by_id.find(id);
  return record != nullptr && counts(*record, now_ms) ? record : nullptr;
}

void StreamIdempotency::record(std::string_view producer, std::string_view id, StreamId entry,
                               int64_t now_ms) {
  ASSERT(limits_.maxsize > 0);
  forget_old(now_ms);
  if (IdempotentProducer* sender = by_name_.find(producer)) {
    if (IdempotentRecord* same = sender->by_id.find(id)) remove(*sender, *same);
  }
  // Looked for each time: the last record takes its producer along.
  IdempotentProducer* sender = by_name_.find(producer);
  while (sender != nullptr && sender->by_id.size() >= static_cast<size_t>(limits_.maxsize)) {
    remove(*sender, *sender->by_age.front());
    sender = by_name_.find(producer);
  }
  if (sender == nullptr) sender = add_producer(producer);
  add(*sender, id, entry, now_ms, made_++);
}

bool StreamIdempotency::restore(std::string_view producer, std::string_view id, StreamId entry,
                                int64_t made_ms, uint64_t number) {
  if (number < made_) return false;
  IdempotentProducer* sender = by_name_.find(producer);
  if (sender != nullptr && sender->by_id.find(id) != nullptr) return false;
  if (sender == nullptr) sender = add_producer(producer);
  add(*sender, id, entry, made_ms, number);
  made_ = number + 1;
  return true;
}

// --- records

IdempotentProducer* StreamIdempotency::add_producer(std::string_view name) {
  IdempotentProducer* producer = with_text<IdempotentProducer>(memory_, name);
  producer->name_size = name.size();
  by_name_.insert(memory_, producer);
  return producer;
}

// Numbers only grow, so that a producer's place by its oldest record changes with the first alone.
void StreamIdempotency::add(IdempotentProducer& producer, std::string_view id, StreamId entry,
                            int64_t made_ms, uint64_t number) {
  IdempotentRecord* record = with_text<IdempotentRecord>(memory_, id);
  record->id_size = id.size();
  record->entry = entry;
  record->made_ms = made_ms;
  record->number = number;
  const bool first = producer.by_age.empty();
  producer.by_id.insert(memory_, record);
  producer.by_age.insert(memory_, record);
  if (first) by_oldest_.insert(memory_, &producer);
  ++records_;
}

void StreamIdempotency::remove(IdempotentProducer& producer, IdempotentRecord& record) {
  const bool oldest = producer.by_age.front() == &record;
  if (oldest) by_oldest_.remove(memory_, record.number);
  producer.by_id.remove(memory_, record.id());
  producer.by_age.remove(memory_, record.number);
  free_record(&record);
  --records_;
  if (producer.by_age.empty()) {
    by_name_.remove(memory_, producer.name());
    free_producer(&producer);
  } else if (oldest) {
    by_oldest_.insert(memory_, &producer);
  }
}

void StreamIdempotency::forget_old(int64_t now_ms) {
  for (size_t i = 0; i < kForgottenAtOnce; ++i) {
    IdempotentProducer* producer = by_oldest_.front();
    if (producer == nullptr || counts(*producer->by_age.front(), now_ms)) return;
    remove(*producer, *producer->by_age.front());
  }
}

void StreamIdempotency::free_record(IdempotentRecord* record) {
  memory_.release(record, sizeof(IdempotentRecord) + record->id_size);
}

void StreamIdempotency::free_producer(IdempotentProducer* producer) {
  memory_.release(producer, sizeof(IdempotentProducer) + producer->name_size);
}

// --- copying, freeing, digest

StreamIdempotency* StreamIdempotency::copy(ValueMemory& stream, const StreamIdempotency& from) {
  StreamIdempotency* made = make(stream, from.limits_);
  made->made_ = from.made_;
  made->duplicates_ = from.duplicates_;
  for (auto place = from.by_name_.first();
       const IdempotentProducer* producer = from.by_name_.at(place);
       place = from.by_name_.next(place)) {
    IdempotentProducer* sender = made->add_producer(producer->name());
    for (auto at = producer->by_age.first();
         const IdempotentRecord* record = producer->by_age.at(at); at = producer->by_age.next(at)) {
      made->add(*sender, record->id(), record->entry, record->made_ms, record->number);
    }
  }
  return made;
}

bool StreamIdempotency::free_some(ValueMemory& stream, StreamIdempotency* object, size_t& budget) {
  ValueMemory& memory = object->memory_;
  // Before the records that it is ordered by.
  while (!object->by_oldest_.empty()) {
    if (budget == 0) return false;
    --budget;
    object->by_oldest_.pop_back(memory);
  }
  while (IdempotentProducer* producer = object->by_name_.back()) {
    while (!producer->by_id.empty()) {
      if (budget == 0) return false;
      --budget;
      producer->by_id.pop_back(memory);
    }
    while (!producer->by_age.empty()) {
      if (budget == 0) return false;
      --budget;
      object->free_record(producer->by_age.pop_back(memory));
    }
    if (budget == 0) return false;
    --budget;
    object->by_name_.pop_back(memory);
    object->free_producer(producer);
  }
  stream.release(object, sizeof(StreamIdempotency));
  return true;
}

void StreamIdempotency::move_to(ValueMemory& from, ValueMemory& to) {
  memory_.move_to(to);
  from.disown(sizeof(StreamIdempotency));
  to.adopt(sizeof(StreamIdempotency));
}

void StreamIdempotency::digest(Digest& digest) const {
  digest.add(limits_.duration_s);
  digest.add(limits_.maxsize);
  digest.add(static_cast<int64_t>(made_));
  for (auto place = by_name_.first(); const IdempotentProducer* producer = by_name_.at(place);
       place = by_name_.next(place)) {
    digest.add(producer->name());
    for (auto at = producer->by_age.first();
         const IdempotentRecord* record = producer->by_age.at(at); at = producer->by_age.next(at)) {
      digest.add(record->id());
      digest.add(static_cast<int64_t>(record->entry.ms));
      digest.add(static_cast<int64_t>(record->entry.seq));
      digest.add(record->made_ms);
      digest.add(static_cast<int64_t>(record->number));
    }
  }
}

}  // namespace redoubt
