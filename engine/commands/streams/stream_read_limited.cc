// Streams: XREAD and XREADGROUP with MAXCOUNT, MAXSIZE or CLAIM.
//
// Each stream is read when those in front of it were: what they gave counts, and a stream that is
// named twice gives an entry once. So how many streams and entries a reply has is known at its end
// only, and it is put together from the back: entries behind their number, streams behind theirs.
#include <algorithm>
#include <limits>

#include "engine/commands/streams/stream_read.h"
#include "engine/store/stream_progress.h"

namespace redoubt {

namespace {

class LimitedReader {
 public:
  LimitedReader(Context& c, const ReadOptions& options)
      : c_(c),
        options_(options),
        reply_(c.reply),
        streams_(reply_.output().pool()),
        entries_(reply_.output().pool()) {}

  bool read(const std::vector<ReadSource>& sources);

 private:
  void read_source(const ReadSource& source);
  void read_history(const ReadSource& source, StreamConsumer& consumer);
  void claim_pending(const ReadSource& source, StreamConsumer& consumer);
  void claim(const ReadSource& source, StreamConsumer& consumer, StreamPending& pending);
  void read_new(const ReadSource& source, StreamConsumer& consumer);
  void read_plain(const ReadSource& source);

  bool is_full() const { return full_ || (options_.count != 0 && found_ >= options_.count); }
  uint64_t room() const;
  template <typename Write>
  bool add(Write write);
  void finish_source(const ReadSource& source);

  Context& c_;
  const ReadOptions& options_;
  ReplyWriter reply_;       // of the command
  Output streams_;          // those that were read
  Output entries_;          // of the stream that is being read
  size_t served_ = 0;       // streams
  uint64_t found_ = 0;      // entries of the stream that is being read
  uint64_t total_ = 0;      // entries of all
  uint64_t bytes_ = 0;      // of all entries
  bool full_ = false;       // MAXCOUNT or MAXSIZE is reached
  bool empty_too_ = false;  // a stream without entries is shown
};

// How many more entries this stream may give, as far as they are counted.
uint64_t LimitedReader::room() const {
  uint64_t room = std::numeric_limits<uint64_t>::max();
  if (options_.count != 0) room = options_.count - found_;
  if (options_.total != 0) room = std::min(room, options_.total - total_);
  return room;
}

// Writes an entry. False, and it is taken back, when it would make the reply too large.
template <typename Write>
bool LimitedReader::add(Write write) {
  const size_t before = entries_.bytes();
  write();
  const size_t size = entries_.bytes() - before;
  if (options_.bytes_max != 0 && total_ > 0 && bytes_ + size > options_.bytes_max) {
    entries_.drop_back(size);
    full_ = true;
    return false;
  }
  bytes_ += size;
  ++found_;
  ++total_;
  full_ = total_ == options_.total;
  return true;
}

// Entries that were delivered to the consumer before and not acknowledged: no change of the key.
void LimitedReader::read_history(const ReadSource& source, StreamConsumer& consumer) {
  StreamId start = source.after;
  start.increment();
  auto place = consumer.pending.lower_bound(start);
  for (; !is_full(); place = consumer.pending.next(place)) {
    StreamPending* pending = consumer.pending.at(place);
    if (pending == nullptr) break;
    StreamEntry entry;
    const bool there = source.stream->find(pending->id, entry);
    const bool added = add([&] {
      if (there) {
        reply_stream_entry(c_, entry);
        return;
      }
      c_.reply.array(2);
      reply_stream_id(c_, pending->id);
      c_.reply.null_array();
    });
    if (!added || !there) continue;
    source.changing->assign(*source.group, *pending, &consumer, c_.now_ms());
    count_delivery(*pending);
    effect_of_claim(c_, source.key, *source.group, *pending);
  }
  empty_too_ = !full_;
}

// Those that have been idle for long enough, the longest first. Entries that are not in the stream
// any more are nobody's.
void LimitedReader::claim_pending(const ReadSource& source, StreamConsumer& consumer) {
  StreamGroup& group = *source.group;
  std::vector<StreamPending*> idle;
  std::vector<StreamPending*> gone;
  uint64_t left = room();
  auto place = group.by_delivery.first();
  for (; left > 0; place = group.by_delivery.next(place)) {
    StreamPending* pending = group.by_delivery.at(place);
    if (pending == nullptr || c_.now_ms() - pending->delivered_ms < *options_.claim_idle_ms) break;
    StreamEntry entry;
    const bool there = source.stream->find(pending->id, entry);
    (there ? idle : gone).push_back(pending);
    left -= there ? 1 : 0;
  }
  c_.env().count_work(idle.size() + gone.size());
  for (StreamPending* pending : gone) {
    const StreamId id = pending->id;
    source.changing->remove_pending(group, pending);
    effect_of_removal(c_, source.key, group, id);
  }
  for (StreamPending* pending : idle) {
    if (!is_full()) claim(source, consumer, *pending);
  }
  if (!gone.empty() || found_ > 0) modified_without_event(c_, source.key);
}

void LimitedReader::claim(const ReadSource& source, StreamConsumer& consumer,
                          StreamPending& pending) {
  StreamEntry entry;
  source.stream->find(pending.id, entry);
  const int64_t idle = pending.consumer == nullptr ? -1 : c_.now_ms() - pending.delivered_ms;
  const bool added = add([&] {
    c_.reply.array(4);
    reply_stream_entry_parts(c_, entry);
    c_.reply.integer(idle);
    c_.reply.integer(static_cast<int64_t>(pending.deliveries));
  });
  if (!added) return;
  source.changing->assign(*source.group, pending, &consumer, c_.now_ms());
  count_delivery(pending);
  consumer.active_ms = c_.now_ms();
  effect_of_claim(c_, source.key, *source.group, pending);
}

// Entries that the group has not read.
void LimitedReader::read_new(const ReadSource& source, StreamConsumer& consumer) {
  if (options_.claim_idle_ms) claim_pending(source, consumer);
  StreamId start = source.group->last_id;
  if (is_full() || !start.increment()) return;
  StreamCursor cursor(*source.stream, start, StreamId::largest(), false);
  StreamEntry entry;
  const uint64_t before = found_;
  while (!is_full() && cursor.next(entry)) {
    const bool added = add([&] {
      c_.reply.array(options_.claim_idle_ms ? 4 : 2);
      reply_stream_entry_parts(c_, entry);
      if (!options_.claim_idle_ms) return;
      c_.reply.integer(0);
      c_.reply.integer(0);
    });
    if (!added) break;
    StreamProgress(*source.changing).advance(*source.group, entry.id);
    if (!options_.no_ack) deliver(c_, source, consumer, entry.id);
  }
  if (found_ == before) return;
  modified_without_event(c_, source.key);
  effect_of_reading(c_, source.key, *source.group);
}

void LimitedReader::read_plain(const ReadSource& source) {
  StreamId start = source.after;
  if (!start.increment()) return;
  StreamCursor cursor(*source.stream, start, StreamId::largest(), false);
  StreamEntry entry;
  while (!is_full() && cursor.next(entry)) {
    if (!add([&] { reply_stream_entry(c_, entry); })) break;
  }
}

void LimitedReader::read_source(const ReadSource& source) {
  found_ = 0;
  empty_too_ = false;
  c_.reply = ReplyWriter(entries_, reply_.protocol());
  StreamConsumer* consumer = nullptr;
  if (source.group != nullptr) consumer = &reading_consumer(c_, options_, source);
  if (full_ || source.stream == nullptr) return;
  if (consumer == nullptr) {
    read_plain(source);
  } else if (source.is_new) {
    read_new(source, *consumer);
  } else {
    read_history(source, *consumer);
  }
  c_.env().count_work(found_);
  if (found_ > 0 || empty_too_) finish_source(source);
}

void LimitedReader::finish_source(const ReadSource& source) {
  ++served_;
  ReplyWriter reply(streams_, reply_.protocol());
  if (!reply.resp3()) reply.array(2);
  reply.bulk(source.key);
  reply.array(found_);
  entries_.move_to(streams_);
}

bool LimitedReader::read(const std::vector<ReadSource>& sources) {
  for (const ReadSource& source : sources) read_source(source);
  c_.reply = reply_;
  if (served_ == 0) return false;
  reply_.resp3() ? reply_.map(served_) : reply_.array(served_);
  streams_.move_to(reply_.output());
  return true;
}

}  // namespace

bool serve_limited(Context& c, const ReadOptions& options, const std::vector<ReadSource>& sources) {
  return LimitedReader(c, options).read(sources);
}

Instant next_claim(const Context& c, const ReadOptions& options,
                   const std::vector<ReadSource>& sources) {
  constexpr int64_t kLongestMs = int64_t{100} * 366 * 24 * 3600 * 1000;
  Instant earliest = Instant::never();
  if (!options.claim_idle_ms || *options.claim_idle_ms > kLongestMs) return earliest;
  for (const ReadSource& source : sources) {
    if (!source.is_new || source.group == nullptr) continue;
    const StreamPending* first = source.group->by_delivery.front();
    if (first == nullptr) continue;
    const int64_t idle = c.now_ms() - first->delivered_ms;
    // The clock may have been set back, by any amount.
    const int64_t left = std::clamp<int64_t>(*options.claim_idle_ms - idle, 1, kLongestMs);
    earliest = std::min(earliest, c.env().now() + Duration::milliseconds(left));
  }
  return earliest;
}

}  // namespace redoubt
