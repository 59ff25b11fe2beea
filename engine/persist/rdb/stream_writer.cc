#include "engine/persist/rdb/stream_writer.h"

#include <algorithm>
#include <cstring>

#include "net/assert.h"

namespace redoubt {

namespace {

constexpr int64_t kSameNames = 2;

}  // namespace

void RdbStreamWriter::add(int64_t number) {
  Listpack::append_encoded(node_, number);
  ++elements_;
}

void RdbStreamWriter::add(std::string_view text) {
  Listpack::append_encoded(node_, text);
  ++elements_;
}

void RdbStreamWriter::begin(RdbType type, const StreamFacts& facts) {
  type_ = type;
  facts_ = facts;
  entries_open_ = true;
  group_open_ = false;
  groups_written_ = 0;
  idempotency_written_ = false;
  entries_left_ = 0;
  out_.length(facts.blocks);
}

// The counts of entries and the names that most of them have.
void RdbStreamWriter::block(const StreamBlock& block) {
  ASSERT(block.live > 0 && entries_left_ == 0);
  entries_left_ = block.live;
  master_ = block.first;
  elements_ = 0;
  node_.assign(Listpack::kHeaderBytes, '\0');
  add(static_cast<int64_t>(entries_left_));
  add(int64_t{0});  // deleted ones are not written
  add(static_cast<int64_t>(block.field_count));
  block.for_each_name([&](std::string_view name) { add(name); });
  add(int64_t{0});
}

void RdbStreamWriter::entry(const StreamEntry& entry) {
  ASSERT(entries_left_ > 0);
  const size_t before = elements_;
  const bool same_names = entry.has_block_names();
  add(same_names ? kSameNames : int64_t{0});
  add(static_cast<int64_t>(entry.id.ms - master_.ms));
  add(static_cast<int64_t>(entry.id.seq - master_.seq));
  if (!same_names) add(static_cast<int64_t>(entry.field_count));
  entry.for_each_field([&](std::string_view name, std::string_view value) {
    if (!same_names) add(name);
    add(value);
  });
  add(static_cast<int64_t>(elements_ - before));
  if (--entries_left_ == 0) end_node();
}

void RdbStreamWriter::end_node() {
  Listpack::finish_encoded(node_, elements_);
  out_.length(2 * sizeof(uint64_t));
  out_.id_of_bytes(master_);
  out_.blob(node_);
  node_.clear();
}

void RdbStreamWriter::end_entries() {
  if (!entries_open_) return;
  entries_open_ = false;
  ASSERT(entries_left_ == 0);
  out_.length(facts_.length);
  out_.id_of_lengths(facts_.last_id);
  if (type_ != RdbType::stream) {
    out_.id_of_lengths(facts_.first_id);
    out_.id_of_lengths(facts_.max_deleted_id);
    out_.length(facts_.entries_added);
  }
  out_.length(facts_.groups);
}

// --- groups

void RdbStreamWriter::group(const StreamGroupFacts& group) {
  end_entries();
  end_group();
  group_open_ = true;
  ++groups_written_;
  pending_left_ = group.pending;
  out_.text(group.name);
  out_.id_of_lengths(group.last_id);
  out_.length(static_cast<uint64_t>(group.entries_read));
  out_.length(group.pending);
}

void RdbStreamWriter::consumer(const StreamConsumerFacts& consumer) {
  consumers_.push_back({std::string(consumer.name), consumer.seen_ms, consumer.active_ms, {}});
}

void RdbStreamWriter::pending(const StreamPendingFacts& pending) {
  ASSERT(pending_left_ > 0);
  --pending_left_;
  out_.id_of_bytes(pending.id);
  out_.little(pending.delivered_ms);
  out_.length(pending.deliveries);
  if (!pending.owned) {
    unowned_.push_back(pending.id);
    return;
  }
  // Consumers are in order of their names.
  const auto owner = std::lower_bound(
      consumers_.begin(), consumers_.end(), pending.consumer,
      [](const Consumer& each, std::string_view name) { return each.name < name; });
  ASSERT(owner != consumers_.end() && owner->name == pending.consumer);
  owner->pending.push_back(pending.id);
}

void RdbStreamWriter::end_group() {
  if (!group_open_) return;
  group_open_ = false;
  ASSERT(pending_left_ == 0);
  out_.length(consumers_.size());
  for (const Consumer& consumer : consumers_) {
    out_.text(consumer.name);
    out_.little(consumer.seen_ms);
    if (type_ != RdbType::stream2) out_.little(consumer.active_ms);
    out_.length(consumer.pending.size());
    for (const StreamId id : consumer.pending) out_.id_of_bytes(id);
  }
  if (type_ == RdbType::stream_redoubt) {
    out_.length(unowned_.size());
    for (const StreamId id : unowned_) out_.id_of_bytes(id);
  }
  ASSERT(unowned_.empty() || type_ == RdbType::stream_redoubt);
  consumers_.clear();
  unowned_.clear();
}

// --- what producers sent

void RdbStreamWriter::idempotency(const StreamIdempotency& idempotency) {
  end_entries();
  end_group();
  ASSERT(type_ == RdbType::stream_redoubt && !idempotency_written_);
  idempotency_written_ = true;
  struct Numbered {
    uint64_t number;
    size_t producer;
    const IdempotentRecord* record;
  };
  std::vector<Numbered> records;
  out_.length(1);
  out_.length(static_cast<uint64_t>(idempotency.limits().duration_s));
  out_.length(static_cast<uint64_t>(idempotency.limits().maxsize));
  out_.length(idempotency.made());
  out_.length(idempotency.duplicates());
  out_.length(idempotency.producers());
  size_t producers = 0;
  idempotency.for_each_producer([&](const IdempotentProducer& producer) {
    out_.text(producer.name());
    for (auto at = producer.by_age.first(); const IdempotentRecord* record = producer.by_age.at(at);
         at = producer.by_age.next(at)) {
      records.push_back({record->number, producers, record});
    }
    ++producers;
  });
  std::sort(records.begin(), records.end(),
            [](const Numbered& a, const Numbered& b) { return a.number < b.number; });
  out_.length(records.size());
  for (const Numbered& each : records) {
    out_.length(each.producer);
    out_.text(each.record->id());
    out_.id_of_lengths(each.record->entry);
    out_.little(each.record->made_ms);
    out_.length(each.number);
  }
}

void RdbStreamWriter::end() {
  end_entries();
  end_group();
  ASSERT(groups_written_ == facts_.groups);
  if (type_ == RdbType::stream_redoubt && !idempotency_written_) out_.length(0);
}

void RdbStreamWriter::write(RdbType type, const Stream& stream) {
  begin(type, stream.facts());
  StreamId next;
  while (const StreamBlock* at = stream.block_at_or_after(next)) {
    block(*at);
    StreamEntry each;
    uint32_t offset = at->begin;
    while (at->read_next(offset, each)) entry(each);
    next = at->first;
    if (!next.increment()) break;
  }
  const OrderedPages<StreamGroup>& groups = stream.groups();
  for (auto place = groups.first(); const StreamGroup* each = groups.at(place);
       place = groups.next(place)) {
    group({.name = each->name(),
           .last_id = each->last_id,
           .entries_read = each->entries_read,
           .consumers = each->consumers.size(),
           .pending = each->pending.size()});
    for (auto at = each->consumers.first(); const StreamConsumer* one = each->consumers.at(at);
         at = each->consumers.next(at)) {
      consumer({one->name(), one->seen_ms, one->active_ms});
    }
    for (auto at = each->pending.first(); const StreamPending* one = each->pending.at(at);
         at = each->pending.next(at)) {
      pending(
          {one->id, one->consumer != nullptr, owner_of(*one), one->delivered_ms, one->deliveries});
    }
  }
  if (stream.idempotency() != nullptr) idempotency(*stream.idempotency());
  end();
}

}  // namespace redoubt
