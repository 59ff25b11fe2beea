#include "engine/persist/rdb/stream_parser.h"

#include <algorithm>
#include <limits>

#include "engine/store/stream_progress.h"

namespace redoubt {

namespace {

constexpr int64_t kDeleted = 1;
constexpr int64_t kSameNames = 2;
constexpr auto kCountMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
constexpr char kDamagedNode[] = "a damaged node of a stream";

}  // namespace

void RdbStreamParser::begin(RdbType type, Allocator& allocator) {
  reset();
  type_ = type;
  stream_ = Stream::make(allocator);
  value_ = RdbValue(allocator, Type::stream, Encoding::stream, stream_);
  state_ = State::node_count;
}

void RdbStreamParser::reset() {
  value_ = {};
  stream_ = nullptr;
  state_ = State::done;
  block_.reset();
  names_.clear();
  fields_.clear();
  producers_.clear();
}

RdbStep RdbStreamParser::run(RdbInput& in, size_t& budget) {
  while (state_ != State::done) {
    if (budget == 0) return RdbStep::more_steps;
    const RdbStep step = run_once(in, budget);
    if (step != RdbStep::done) return step;
  }
  return RdbStep::done;
}

// One item, or a change of state.
RdbStep RdbStreamParser::run_once(RdbInput& in, size_t& budget) {
  switch (state_) {
    case State::node_count: {
      RdbInput head = in;
      nodes_left_ = head.length();
      if (!in.take(head)) return stopped(in);
      state_ = nodes_left_ > 0 ? State::node : State::facts;
      return RdbStep::done;
    }
    case State::node: return run_node(in, budget);
    case State::entries: return run_entries(in, budget);
    case State::facts: return run_facts(in);
    case State::group_count: {
      RdbInput head = in;
      groups_left_ = head.length();
      if (!in.take(head)) return stopped(in);
      state_ = State::group_end;
      return RdbStep::done;
    }
    case State::group: return run_group(in, budget);
    case State::pending: return run_pending(in, budget);
    case State::consumer_count: {
      RdbInput head = in;
      consumers_left_ = head.length();
      if (!in.take(head)) return stopped(in);
      state_ = State::consumer;
      return RdbStep::done;
    }
    case State::consumer: return run_consumer(in, budget);
    case State::consumer_ids: return run_consumer_ids(in, budget);
    case State::unowned_count: return run_unowned_count(in);
    case State::unowned: return run_unowned(in, budget);
    case State::group_end:
      if (groups_left_ > 0) {
        --groups_left_;
        state_ = State::group;
      } else {
        state_ = has_idempotency() ? State::idempotency : State::done;
      }
      return RdbStep::done;
    case State::idempotency: return run_idempotency(in);
    case State::producer: return run_producer(in, budget);
    case State::record: return run_record(in, budget);
    case State::idempotency_end: return run_idempotency_end(in);
    case State::done: break;
  }
  UNREACHABLE();
}

// --- entries

RdbStep RdbStreamParser::run_node(RdbInput& in, size_t& budget) {
  RdbInput item = in;
  item.skip_text();
  item.skip_text();
  if (!in.take_failure(item)) return stopped(in);
  RdbInput again = in;
  again.text(text_);
  if (again.good() && text_.view().size() != 16) again.fail("a node's id that is not one");
  if (!in.take_failure(again)) return stopped(in);
  const std::string_view id = text_.view();
  RdbInput id_bytes({reinterpret_cast<const uint8_t*>(id.data()), id.size()}, 0);
  master_ = id_bytes.id_of_bytes();
  again.text(text_);
  if (!in.take_failure(again)) return stopped(in);
  spend(budget, 4 * text_.view().size());
  block_bytes_ = text_.take();
  block_ = RdbBlob::checked(RdbBlobKind::listpack, block_bytes_);
  if (!block_) return failed(in, kDamagedNode);
  elements_left_ = block_->count();
  if (const char* why = begin_node()) return failed(in, why);
  in = again;
  --nodes_left_;
  state_ = State::entries;
  return RdbStep::done;
}

bool RdbStreamParser::take_number(int64_t& number) {
  if (elements_left_ == 0) return false;
  --elements_left_;
  const Listpack::Element element = block_->next();
  const std::optional<int64_t> value =
      element.is_number ? element.number : parse_integer(element.text);
  number = value.value_or(0);
  return value.has_value();
}

bool RdbStreamParser::take_text(std::string_view& text, std::deque<IntegerText>& digits) {
  if (elements_left_ == 0) return false;
  --elements_left_;
  const Listpack::Element element = block_->next();
  text = element.is_number ? digits.emplace_back(element.number).view() : element.text;
  return true;
}

// Counts and names in front of the entries.
const char* RdbStreamParser::begin_node() {
  int64_t name_count = 0;
  names_.clear();
  name_digits_.clear();
  block_begun_ = false;
  if (!take_number(live_left_) || !take_number(deleted_left_) || !take_number(name_count)) {
    return kDamagedNode;
  }
  if (live_left_ < 0 || deleted_left_ < 0 || name_count < 0 ||
      static_cast<uint64_t>(name_count) > elements_left_) {
    return kDamagedNode;
  }
  names_.resize(static_cast<size_t>(name_count));
  for (std::string_view& name : names_) take_text(name, name_digits_);
  int64_t zero = 0;
  return take_number(zero) && zero == 0 ? nullptr : kDamagedNode;
}

// Names and values of an entry.
const char* RdbStreamParser::take_fields(bool same_names) {
  size_t count = names_.size();
  if (!same_names) {
    int64_t number = 0;
    if (!take_number(number) || number < 0 || static_cast<uint64_t>(number) > elements_left_ / 2) {
      return kDamagedNode;
    }
    count = static_cast<size_t>(number);
  }
  // Each value is an element, so this is bounded by what there is.
  if (count == 0 || count > elements_left_) return kDamagedNode;
  fields_.resize(2 * count);
  field_digits_.clear();
  for (size_t i = 0; i < count; ++i) {
    if (same_names) {
      fields_[2 * i] = names_[i];
    } else {
      take_text(fields_[2 * i], field_digits_);
    }
    if (!take_text(fields_[2 * i + 1], field_digits_)) return kDamagedNode;
  }
  return nullptr;
}

// An entry: flags, ms and seq as differences to the node's id; then with kSameNames the values, or
// else the number of fields and names and values in turn; then the number of elements before this.
const char* RdbStreamParser::entry(size_t& bytes) {
  const size_t elements_before = elements_left_;
  int64_t flags = 0;
  int64_t ms = 0;
  int64_t seq = 0;
  if (!take_number(flags) || !take_number(ms) || !take_number(seq)) return kDamagedNode;
  if (flags < 0 || flags > (kDeleted | kSameNames)) return kDamagedNode;
  const bool same_names = (flags & kSameNames) != 0;
  if (const char* why = take_fields(same_names)) return why;
  const size_t taken = elements_before - elements_left_;
  int64_t told = 0;
  if (!take_number(told) || told < 0 || static_cast<size_t>(told) != taken) return kDamagedNode;

  for (const std::string_view each : fields_) bytes += each.size();
  if ((flags & kDeleted) != 0) {
    return deleted_left_-- > 0 ? nullptr : kDamagedNode;
  }
  const StreamId id{master_.ms + static_cast<uint64_t>(ms),
                    master_.seq + static_cast<uint64_t>(seq)};
  if (live_left_-- <= 0) return kDamagedNode;
  if (id <= stream_->last_id()) return "an entry of a stream with an id that is not larger";
  if (bytes >= StreamBlock::kEntryBytesMax) return "an entry of a stream that is too large";
  append(id, same_names, bytes);
  return nullptr;
}

// The names of a node stand once in its block: entries that have them must not repeat them, however
// many there are. So the first of them begins a block when the one there is begins otherwise.
void RdbStreamParser::append(StreamId id, bool same_names, size_t bytes) {
  const bool full = stream_->last_block_bytes() + bytes >= StreamBlock::kEntryBytesMax;
  if (!block_begun_ || full || (same_names && !block_has_names_)) {
    stream_->append_block(id, fields_);
    block_begun_ = true;
    block_has_names_ = same_names;
  } else if (same_names) {
    stream_->append_to_block(id, fields_, true);
  } else {
    stream_->append(id, fields_, {.block_bytes_max = 0, .block_entries_max = 0});
  }
}

RdbStep RdbStreamParser::run_entries(RdbInput& in, size_t& budget) {
  while (elements_left_ > 0) {
    if (budget == 0) return RdbStep::more_steps;
    size_t bytes = 0;
    const size_t before = elements_left_;
    if (const char* why = entry(bytes)) return failed(in, why);
    spend(budget, 16 * (before - elements_left_));
  }
  if (live_left_ != 0 || deleted_left_ != 0) return failed(in, kDamagedNode);
  state_ = nodes_left_ > 0 ? State::node : State::facts;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_facts(RdbInput& in) {
  RdbInput item = in;
  // Redis 5 wrote streams whose length was not the number of their entries; later versions load
  // them. The entries count.
  const uint64_t told = item.length();
  const uint64_t length = stream_->length();
  const StreamId last_id = item.id_of_lengths();
  StreamId max_deleted_id;
  uint64_t entries_added = std::max(length, told);
  if (has_counts()) {
    item.id_of_lengths();  // the first id, which follows from the entries
    max_deleted_id = item.id_of_lengths();
    entries_added = item.length();
  }
  if (!in.take_failure(item)) return stopped(in);
  if (last_id < stream_->last_id() || last_id < max_deleted_id) {
    return failed(in, "a stream whose last id is not the largest");
  }
  if (entries_added < length || entries_added > kCountMax) {
    return failed(in, "a stream with a wrong count of entries added");
  }
  stream_->set_counts(last_id, entries_added, max_deleted_id);
  in = item;
  state_ = State::group_count;
  return RdbStep::done;
}

// --- groups

RdbStep RdbStreamParser::run_group(RdbInput& in, size_t& budget) {
  RdbInput item = in;
  item.skip_text();
  item.id_of_lengths();
  if (has_counts()) item.length();
  item.length();
  if (!in.take_failure(item)) return stopped(in);
  RdbInput again = in;
  again.text(text_);
  const StreamId last_id = again.id_of_lengths();
  int64_t entries_read = StreamProgress(*stream_).entries_up_to(last_id);
  if (has_counts()) entries_read = static_cast<int64_t>(again.length());
  left_ = again.length();
  if (!in.take_failure(again)) return stopped(in);
  // XSETID may leave a group of an empty stream with less than nothing read.
  if (entries_read < -static_cast<int64_t>(kCountMax / 2))
    return failed(in, "a group with a wrong position");
  if (stream_->find_group(text_.view()) != nullptr) {
    return failed(in, "a group that is there twice");
  }
  group_ = stream_->add_group(text_.view(), {}, StreamGroup::kUnknown);
  StreamProgress(*stream_).set_position(*group_, last_id, entries_read);
  spend(budget, text_.view().size());
  in = again;
  state_ = State::pending;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_pending(RdbInput& in, size_t& budget) {
  for (; left_ > 0; --left_) {
    if (budget == 0) return RdbStep::more_steps;
    RdbInput item = in;
    const StreamId id = item.id_of_bytes();
    const auto delivered_ms = item.little<int64_t>();
    const uint64_t deliveries = item.length();
    if (!in.take_failure(item)) return stopped(in);
    if (group_->pending.find(id) != nullptr) return failed(in, "an entry that is pending twice");
    if (delivered_ms < 0) return failed(in, "a delivery at a time that is none");
    stream_->add_pending(*group_, nullptr, id, delivered_ms)->deliveries = deliveries;
    in = item;
    spend(budget, 0);
  }
  state_ = State::consumer_count;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_consumer(RdbInput& in, size_t& budget) {
  if (consumers_left_ == 0) {
    if (!has_unowned() && group_->unowned > 0) {
      return failed(in, "a pending entry that no consumer has");
    }
    state_ = has_unowned() ? State::unowned_count : State::group_end;
    return RdbStep::done;
  }
  RdbInput item = in;
  item.skip_text();
  item.skip(has_active() ? 16 : 8);
  item.length();
  if (!in.take_failure(item)) return stopped(in);
  RdbInput again = in;
  again.text(text_);
  const auto seen_ms = again.little<int64_t>();
  const int64_t active_ms = has_active() ? again.little<int64_t>() : seen_ms;
  left_ = again.length();
  if (!in.take_failure(again)) return stopped(in);
  if (seen_ms < 0 || active_ms < -1) return failed(in, "a consumer seen at a time that is none");
  if (group_->consumers.find(text_.view()) != nullptr) {
    return failed(in, "a consumer that is there twice");
  }
  consumer_ = stream_->add_consumer(*group_, text_.view(), seen_ms);
  consumer_->active_ms = active_ms;
  spend(budget, text_.view().size());
  in = again;
  --consumers_left_;
  state_ = State::consumer_ids;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_consumer_ids(RdbInput& in, size_t& budget) {
  for (; left_ > 0; --left_) {
    if (budget == 0) return RdbStep::more_steps;
    RdbInput item = in;
    const StreamId id = item.id_of_bytes();
    if (!in.take_failure(item)) return stopped(in);
    StreamPending* pending = group_->pending.find(id);
    if (pending == nullptr || pending->consumer != nullptr) {
      return failed(in, "a consumer with an entry that is not pending, or another one's");
    }
    stream_->assign(*group_, *pending, consumer_, pending->delivered_ms);
    in = item;
    spend(budget, 0);
  }
  state_ = State::consumer;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_unowned_count(RdbInput& in) {
  RdbInput item = in;
  left_ = item.length();
  if (!in.take_failure(item)) return stopped(in);
  if (left_ != group_->unowned) return failed(in, "a pending entry that no consumer has");
  in = item;
  state_ = State::unowned;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_unowned(RdbInput& in, size_t& budget) {
  for (; left_ > 0; --left_) {
    if (budget == 0) return RdbStep::more_steps;
    RdbInput item = in;
    const StreamId id = item.id_of_bytes();
    if (!in.take_failure(item)) return stopped(in);
    const StreamPending* pending = group_->pending.find(id);
    if (pending == nullptr || pending->consumer != nullptr) {
      return failed(in, "an entry that nobody has and that is not pending, or somebody's");
    }
    in = item;
    spend(budget, 0);
  }
  state_ = State::group_end;
  return RdbStep::done;
}

// --- what producers sent
//
// Redis's form: duration, records at most, count of producers; each with its records; the counts at
// the end. Ours has the counts in front, all producers, and then the records of all of them.

RdbStep RdbStreamParser::run_idempotency(RdbInput& in) {
  RdbInput item = in;
  bool there = true;
  if (is_ours()) {
    const uint64_t flag = item.length();
    if (flag > 1) item.fail("a stream with an unknown part");
    there = flag == 1;
  }
  uint64_t duration_s = 1;
  uint64_t maxsize = 1;
  if (there) {
    duration_s = item.length();
    maxsize = item.length();
    if (is_ours()) {
      ids_made_ = item.length();
      duplicates_ = item.length();
    }
    producers_left_ = item.length();
  }
  if (!in.take_failure(item)) return stopped(in);
  if (duration_s < 1 || duration_s > IdempotencyLimits::kDurationMax || maxsize < 1 ||
      maxsize > IdempotencyLimits::kRecordsMax) {
    return failed(in, "limits of a stream's producers that are out of range");
  }
  in = item;
  if (!there) {
    state_ = State::done;
    return RdbStep::done;
  }
  limits_ = {.duration_s = static_cast<int64_t>(duration_s),
             .maxsize = static_cast<int64_t>(maxsize)};
  state_ = State::producer;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_producer(RdbInput& in, size_t& budget) {
  RdbInput item = in;
  if (producers_left_ == 0) {
    if (!is_ours()) {
      state_ = State::idempotency_end;
      return RdbStep::done;
    }
    left_ = item.length();
    if (!in.take(item)) return stopped(in);
    state_ = State::record;
    return RdbStep::done;
  }
  item.skip_text();
  if (!is_ours()) item.length();
  if (!in.take_failure(item)) return stopped(in);
  RdbInput again = in;
  again.text(text_);
  if (!is_ours()) left_ = again.length();
  if (!in.take(again)) return stopped(in);
  producer_ = text_.take();
  spend(budget, producer_.size());
  --producers_left_;
  if (is_ours()) {
    producers_.push_back(std::move(producer_));
  } else {
    state_ = State::record;
  }
  return RdbStep::done;
}

const char* RdbStreamParser::restore(std::string_view producer, std::string_view id, StreamId entry,
                                     int64_t made_ms, uint64_t number) {
  if (made_ms < 0 || number >= kCountMax) return "a producer's record made at a time that is none";
  StreamIdempotency& all = stream_->need_idempotency(limits_);
  return all.restore(producer, id, entry, made_ms, number)
             ? nullptr
             : "a producer's record that is there twice";
}

RdbStep RdbStreamParser::run_record(RdbInput& in, size_t& budget) {
  for (; left_ > 0; --left_) {
    if (budget == 0) return RdbStep::more_steps;
    RdbInput item = in;
    const uint64_t producer = is_ours() ? item.length() : 0;
    RdbInput rest = item;
    rest.skip_text();
    const StreamId entry = rest.id_of_lengths();
    int64_t made_ms = static_cast<int64_t>(std::min(entry.ms, kCountMax));
    const StreamIdempotency* all = stream_->idempotency();
    uint64_t number = all != nullptr ? all->made() : 0;
    if (is_ours()) {
      made_ms = rest.little<int64_t>();
      number = rest.length();
    }
    if (!in.take_failure(rest)) return stopped(in);
    item.text(text_);
    if (!in.take_failure(item)) return stopped(in);
    if (is_ours() && producer >= producers_.size()) {
      return failed(in, "a record of a producer that is not there");
    }
    const std::string& name = is_ours() ? producers_[producer] : producer_;
    if (const char* why = restore(name, text_.view(), entry, made_ms, number)) {
      return failed(in, why);
    }
    in = rest;
    spend(budget, text_.view().size());
  }
  state_ = is_ours() ? State::idempotency_end : State::producer;
  return RdbStep::done;
}

RdbStep RdbStreamParser::run_idempotency_end(RdbInput& in) {
  RdbInput item = in;
  if (!is_ours()) {
    ids_made_ = item.length();
    duplicates_ = item.length();
  }
  if (!in.take_failure(item)) return stopped(in);
  const StreamIdempotency* there = stream_->idempotency();
  const uint64_t records = there != nullptr ? there->made() : 0;
  if (ids_made_ > kCountMax || duplicates_ > kCountMax || (is_ours() && ids_made_ < records)) {
    return failed(in, "a wrong count of what producers sent");
  }
  in = item;
  state_ = State::done;
  // Redis writes limits for each stream, used or not.
  const bool unused =
      there == nullptr && ids_made_ == 0 && duplicates_ == 0 && limits_ == IdempotencyLimits{};
  if (unused && !is_ours()) return RdbStep::done;
  StreamIdempotency& all = stream_->need_idempotency(limits_);
  all.set_made(std::max(ids_made_, records));
  all.set_duplicates(duplicates_);
  return RdbStep::done;
}

}  // namespace redoubt
