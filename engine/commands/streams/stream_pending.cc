// Streams: entries that were delivered and not acknowledged. XPENDING, XCLAIM, XAUTOCLAIM.
#include <algorithm>
#include <limits>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/streams/stream_read.h"
#include "engine/store/stream_progress.h"

namespace redoubt {

namespace {

// The stream of argument 1, whose entry this is, and its group of argument 2. False, after an
// error.
bool find_group(Context& c, Entry* entry, Stream** stream, StreamGroup** group) {
  if (c.wrong_type(entry, Type::stream)) return false;
  *stream = entry == nullptr ? nullptr : &stream_of(*entry);
  *group = entry == nullptr ? nullptr : (*stream)->find_group(c.args[2]);
  if (*group == nullptr) error_no_group(c, c.args[1], c.args[2]);
  return *group != nullptr;
}

int64_t idle_ms(const Context& c, const StreamPending& pending) {
  return c.now_ms() - pending.delivered_ms;
}

// --- XPENDING

struct PendingFilter {
  int64_t idle_min = 0;
  StreamId start;
  StreamId end;
  uint64_t count = 0;
  size_t consumer_index = 0;  // 0: of all consumers
};

// False, after an error.
bool read_filter(Context& c, PendingFilter& filter) {
  size_t at = 3;
  if (c.is(3, "IDLE")) {
    const std::optional<int64_t> idle = c.integer(4);
    if (!idle) return false;
    filter.idle_min = *idle;
    at += 2;
    if (c.args.size() < 8) {
      c.syntax_error();
      return false;
    }
  }
  const std::optional<int64_t> count = c.integer(at + 2);
  if (!count) return false;
  filter.count = static_cast<uint64_t>(std::max<int64_t>(*count, 0));
  const std::optional<StreamId> start = range_start(c, at);
  if (!start) return false;
  const std::optional<StreamId> end = range_end(c, at + 1);
  if (!end) return false;
  filter.start = *start;
  filter.end = *end;
  if (at + 3 < c.args.size()) filter.consumer_index = at + 3;
  return true;
}

void reply_pending_summary(Context& c, const StreamGroup& group) {
  c.reply.array(4);
  c.reply.integer(static_cast<int64_t>(group.pending.size()));
  if (group.pending.empty()) {
    c.reply.null();
    c.reply.null();
    c.reply.null_array();
    return;
  }
  reply_stream_id(c, group.pending.front()->id);
  reply_stream_id(c, group.pending.back()->id);
  size_t owners = 0;
  const auto& consumers = group.consumers;
  for (auto place = consumers.first(); const StreamConsumer* consumer = consumers.at(place);
       place = consumers.next(place)) {
    owners += consumer->pending.empty() ? 0 : 1;
  }
  c.env().count_work(consumers.size());
  c.reply.array(owners);
  for (auto place = consumers.first(); const StreamConsumer* consumer = consumers.at(place);
       place = consumers.next(place)) {
    if (consumer->pending.empty()) continue;
    c.reply.array(2);
    c.reply.bulk(consumer->name());
    c.reply.bulk_integer(static_cast<int64_t>(consumer->pending.size()));
  }
}

// Calls visit(pending) for those that the filter lets through.
template <typename Visit>
void for_each_pending(Context& c, const OrderedPages<StreamPending>& pendings,
                      const PendingFilter& filter, Visit&& visit) {
  uint64_t left = filter.count;
  uint64_t seen = 0;
  for (auto place = pendings.lower_bound(filter.start); left > 0; place = pendings.next(place)) {
    const StreamPending* pending = pendings.at(place);
    if (pending == nullptr || pending->id > filter.end) break;
    ++seen;
    if (filter.idle_min != 0 && idle_ms(c, *pending) < filter.idle_min) continue;
    visit(*pending);
    --left;
  }
  c.env().count_work(seen);
}

void reply_pending(Context& c, const StreamGroup& group, const PendingFilter& filter) {
  const OrderedPages<StreamPending>* pendings = &group.pending;
  if (filter.consumer_index != 0) {
    const StreamConsumer* consumer = group.consumers.find(c.args[filter.consumer_index]);
    if (consumer == nullptr) {
      c.reply.array(0);
      return;
    }
    pendings = &consumer->pending;
  }
  size_t found = 0;
  for_each_pending(c, *pendings, filter, [&](const StreamPending&) { ++found; });
  c.reply.array(found);
  for_each_pending(c, *pendings, filter, [&](const StreamPending& pending) {
    c.reply.array(4);
    reply_stream_id(c, pending.id);
    c.reply.bulk(owner_of(pending));
    c.reply.integer(pending.consumer == nullptr ? -1 : std::max<int64_t>(idle_ms(c, pending), 0));
    c.reply.integer(static_cast<int64_t>(pending.deliveries));
  });
}

void xpending_command(Context& c) {
  const bool summary = c.args.size() == 3;
  if (!summary && (c.args.size() < 6 || c.args.size() > 9)) {
    c.syntax_error();
    return;
  }
  PendingFilter filter;
  if (!summary && !read_filter(c, filter)) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::stream)) return;
  const StreamGroup* group = entry == nullptr ? nullptr : stream_of(*entry).find_group(c.args[2]);
  if (group == nullptr) {
    error_no_group(c, c.args[1], c.args[2]);
    return;
  }
  if (summary) {
    reply_pending_summary(c, *group);
  } else {
    reply_pending(c, *group, filter);
  }
}

// --- XCLAIM

struct ClaimOptions {
  int64_t idle_min = 0;
  std::vector<StreamId> ids;
  int64_t delivered_ms = -1;  // outside of what was: now
  int64_t deliveries = -1;    // -1: counted up
  bool force = false;
  bool just_id = false;
  StreamId last_id;
};

// One option behind the ids; `index` moves to its last argument. False, after an error.
bool read_claim_option(Context& c, size_t& index, ClaimOptions& options) {
  const bool has_value = index + 1 < c.args.size();
  if (c.is(index, "FORCE")) {
    options.force = true;
  } else if (c.is(index, "JUSTID")) {
    options.just_id = true;
  } else if (c.is(index, "IDLE") && has_value) {
    const std::optional<int64_t> idle =
        c.integer(++index, "ERR Invalid IDLE option argument for XCLAIM");
    if (!idle) return false;
    const bool sane = *idle >= 0 && *idle <= c.now_ms();
    options.delivered_ms = sane ? c.now_ms() - *idle : -1;
  } else if (c.is(index, "TIME") && has_value) {
    const std::optional<int64_t> time =
        c.integer(++index, "ERR Invalid TIME option argument for XCLAIM");
    if (!time) return false;
    options.delivered_ms = *time;
  } else if (c.is(index, "RETRYCOUNT") && has_value) {
    const std::optional<int64_t> count =
        c.integer(++index, "ERR Invalid RETRYCOUNT option argument for XCLAIM");
    if (!count) return false;
    options.deliveries = *count;
  } else if (c.is(index, "LASTID") && has_value) {
    const std::optional<StreamId> id = stream_id(c, ++index);
    if (!id) return false;
    options.last_id = *id;
  } else {
    c.error("ERR Unrecognized XCLAIM option '" + std::string(shown_name(c.args[index])) + "'");
    return false;
  }
  return true;
}

bool read_claim(Context& c, ClaimOptions& options) {
  const std::optional<int64_t> idle = c.integer(4, "ERR Invalid min-idle-time argument for XCLAIM");
  if (!idle) return false;
  options.idle_min = std::max<int64_t>(*idle, 0);
  size_t i = 5;
  for (; i < c.args.size(); ++i) {
    const std::optional<StreamId> id = parse_stream_id(c.args[i], 0);
    if (!id) break;
    options.ids.push_back(*id);
  }
  for (; i < c.args.size(); ++i) {
    if (!read_claim_option(c, i, options)) return false;
  }
  return true;
}

// A claim: who gets entries, and what was given so far.
struct Claim {
  std::string_view key;
  Stream& stream;
  StreamGroup& group;
  StreamConsumer& consumer;
  int64_t delivered_ms;
  int64_t deliveries;  // -1: counted up
  bool just_id;
};

void take(Context& c, const Claim& claim, StreamPending& pending) {
  claim.stream.assign(claim.group, pending, &claim.consumer, claim.delivered_ms);
  if (claim.deliveries >= 0) {
    pending.deliveries = static_cast<uint64_t>(claim.deliveries);
  } else if (!claim.just_id) {
    count_delivery(pending);
  }
  claim.consumer.active_ms = c.now_ms();
  modified_without_event(c, claim.key);
  effect_of_claim(c, claim.key, claim.group, pending);
}

// An entry is not in the stream any more, so that nobody can claim it.
void drop(Context& c, const Claim& claim, StreamPending* pending) {
  const StreamId id = pending->id;
  claim.stream.remove_pending(claim.group, pending);
  modified_without_event(c, claim.key);
  effect_of_removal(c, claim.key, claim.group, id);
}

// Whether this entry was claimed.
bool claim_one(Context& c, const Claim& claim, const ClaimOptions& options, StreamId id) {
  StreamPending* pending = claim.group.pending.find(id);
  StreamEntry entry;
  if (!claim.stream.find(id, entry)) {
    if (pending != nullptr) drop(c, claim, pending);
    return false;
  }
  if (pending == nullptr) {
    if (!options.force) return false;
    pending = claim.stream.add_pending(claim.group, &claim.consumer, id, claim.delivered_ms);
  } else if (options.idle_min > 0 && idle_ms(c, *pending) < options.idle_min) {
    return false;
  }
  take(c, claim, *pending);
  return true;
}

void reply_claimed(Context& c, const Claim& claim, const std::vector<StreamId>& ids) {
  c.reply.array(ids.size());
  for (const StreamId id : ids) {
    StreamEntry entry;
    if (claim.just_id) {
      reply_stream_id(c, id);
    } else if (claim.stream.find(id, entry)) {
      reply_stream_entry(c, entry);
    }
  }
}

void xclaim_command(Context& c) {
  const std::string_view key = c.args[1];
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
  if (!find_group(c, c.write(key), &stream, &group)) return;
  ClaimOptions options;
  if (!read_claim(c, options)) return;
  const bool advanced = options.last_id > group->last_id;
  if (advanced) StreamProgress(*stream).advance_over(*group, options.last_id);
  int64_t delivered = options.delivered_ms;
  if (delivered < 0 || (delivered > c.now_ms() && !c.keys().applying())) delivered = c.now_ms();
  const Claim claim{.key = key,
                    .stream = *stream,
                    .group = *group,
                    .consumer = consumer_for(c, *stream, *group, key, c.args[3]),
                    .delivered_ms = delivered,
                    .deliveries = options.deliveries,
                    .just_id = options.just_id};
  std::vector<StreamId> claimed;
  for (const StreamId id : options.ids) {
    if (claim_one(c, claim, options, id)) claimed.push_back(id);
  }
  if (advanced) {
    modified_without_event(c, key);
    effect_of_reading(c, key, *group);
  }
  reply_claimed(c, claim, claimed);
}

// --- XAUTOCLAIM

struct AutoClaimOptions {
  int64_t idle_min = 0;
  StreamId start;
  uint64_t count = 100;
  bool just_id = false;
};

// False, after an error.
bool read_auto_claim(Context& c, AutoClaimOptions& options) {
  constexpr int64_t kCountMax = std::numeric_limits<int64_t>::max() / 16;
  const std::optional<int64_t> idle =
      c.integer(4, "ERR Invalid min-idle-time argument for XAUTOCLAIM");
  if (!idle) return false;
  options.idle_min = std::max<int64_t>(*idle, 0);
  const std::optional<StreamId> start = range_start(c, 5);
  if (!start) return false;
  options.start = *start;
  for (size_t i = 6; i < c.args.size(); ++i) {
    if (c.is(i, "COUNT") && i + 1 < c.args.size()) {
      const std::optional<int64_t> count =
          c.integer_between(++i, 1, kCountMax, "ERR COUNT must be > 0");
      if (!count) return false;
      options.count = static_cast<uint64_t>(*count);
    } else if (c.is(i, "JUSTID")) {
      options.just_id = true;
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

struct AutoClaimed {
  std::vector<StreamId> claimed;
  std::vector<StreamId> deleted;
  StreamId next;  // where the next call is to start; 0-0 at the end
};

AutoClaimed claim_from(Context& c, const Claim& claim, const AutoClaimOptions& options) {
  constexpr uint64_t kLookedAtPerEntry = 10;
  AutoClaimed result;
  uint64_t left = options.count;
  uint64_t attempts = options.count * kLookedAtPerEntry;
  const auto& pendings = claim.group.pending;
  auto place = pendings.lower_bound(options.start);
  StreamPending* pending = pendings.at(place);
  for (; pending != nullptr && left > 0 && attempts > 0; --attempts, pending = pendings.at(place)) {
    c.env().count_work(1);
    const StreamId id = pending->id;
    StreamEntry entry;
    if (!claim.stream.find(id, entry)) {
      drop(c, claim, pending);
      result.deleted.push_back(id);
      --left;
      place = pendings.lower_bound(id);
      continue;
    }
    place = pendings.next(place);
    if (options.idle_min > 0 && idle_ms(c, *pending) < options.idle_min) continue;
    take(c, claim, *pending);
    result.claimed.push_back(id);
    --left;
  }
  if (pending != nullptr) result.next = pending->id;
  return result;
}

void xautoclaim_command(Context& c) {
  AutoClaimOptions options;
  if (!read_auto_claim(c, options)) return;
  const std::string_view key = c.args[1];
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
  if (!find_group(c, c.write(key), &stream, &group)) return;
  const Claim claim{.key = key,
                    .stream = *stream,
                    .group = *group,
                    .consumer = consumer_for(c, *stream, *group, key, c.args[3]),
                    .delivered_ms = c.now_ms(),
                    .deliveries = -1,
                    .just_id = options.just_id};
  const AutoClaimed result = claim_from(c, claim, options);
  c.reply.array(3);
  reply_stream_id(c, result.next);
  reply_claimed(c, claim, result.claimed);
  c.reply.array(result.deleted.size());
  for (const StreamId id : result.deleted) reply_stream_id(c, id);
}

constexpr Command stream_pending_rows[] = {
    {.name = "xautoclaim",
     .arity = -6,
     .flags = kWrite | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "6.2.0",
     .group = "stream",
     .complexity = "O(1) if COUNT is small.",
     .summary = "Changes (or acquires) ownership of messages in a consumer group, as if "
                "the messages were delivered to the specified consumer.",
     .tips = "nondeterministic_output",
     .arguments = "key:key group:string consumer:string min-idle-time:string start:string "
                  "[count:integer(COUNT)] [justid(JUSTID)]",
     .history = "7.0.0: Added an element to the reply array, containing deleted entries "
                "the command cleared from the PEL",
     .handler = xautoclaim_command},
    {.name = "xclaim",
     .arity = -6,
     .flags = kWrite | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N) with N being the number of messages in the PEL of the consumer "
                   "group.",
     .summary = "Changes (or acquires) ownership of a message in a consumer group, as if "
                "the message was delivered to the specified consumer.",
     .tips = "nondeterministic_output",
     .arguments = "key:key group:string consumer:string min-idle-time:string id:string... "
                  "[ms:integer(IDLE)] [unix-time-milliseconds:unix-time(TIME)] "
                  "[count:integer(RETRYCOUNT)] [force(FORCE)] [justid(JUSTID)] "
                  "[id:string(LASTID)]",
     .handler = xclaim_command},
    {.name = "xpending",
     .arity = -3,
     .flags = kReadOnly,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(N) with N being the number of elements returned, so asking for a "
                   "small fixed number of entries per call is O(1). O(M), where M is the "
                   "total number of entries scanned when used with the IDLE filter. When "
                   "the command returns just the summary and the list of consumers is "
                   "small, it runs in O(1) time; otherwise, an additional O(N) time for "
                   "iterating every consumer.",
     .summary = "Return information and entries from a stream consumer group pending "
                "entries list, that are messages fetched but never acknowledged.",
     .tips = "nondeterministic_output",
     .arguments = "key:key group:string [filters:{[min-idle-time:integer(IDLE)@6.2.0] "
                  "start:string end:string count:integer [consumer:string]}]",
     .history = "6.2.0: Added the `IDLE` option and exclusive range intervals.",
     .handler = xpending_command},
};

}  // namespace

std::span<const Command> stream_pending_commands() {
  return stream_pending_rows;
}

}  // namespace redoubt
