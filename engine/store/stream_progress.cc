#include "engine/store/stream_progress.h"

#include <algorithm>

#include "net/assert.h"

namespace redoubt {

// Whether entries with a larger id than this one may have been deleted out of those that are there.
bool StreamProgress::may_miss_entries_after(StreamId id) const {
  return stream_.length() > 0 && stream_.max_deleted_id() > id &&
         stream_.max_deleted_id() >= stream_.first_id();
}

bool StreamProgress::knows_position(const StreamGroup& group) const {
  return group.entries_read != StreamGroup::kUnknown &&
         stream_.entries_added() < Stream::kCountMax && group.last_id >= stream_.first_id() &&
         !may_miss_entries_after(group.last_id);
}

int64_t StreamProgress::entries_up_to(StreamId id) const {
  const auto added = static_cast<int64_t>(stream_.entries_added());
  // Entries that come may have ids up to it.
  if (id > stream_.last_id()) return StreamGroup::kUnknown;
  if (stream_.length() == 0 || id == stream_.last_id()) return added;
  if (stream_.max_deleted_id().is_zero() || stream_.max_deleted_id() < stream_.first_id()) {
    const auto there = static_cast<int64_t>(stream_.length());
    if (id < stream_.first_id()) return added - there;
    if (id == stream_.first_id()) return added - there + 1;
  }
  return StreamGroup::kUnknown;
}

void StreamProgress::advance(StreamGroup& group, StreamId id) const {
  ASSERT(id > group.last_id);
  group.entries_read = knows_position(group) ? group.entries_read + 1 : entries_up_to(id);
  group.last_id = id;
}

void StreamProgress::advance_over(StreamGroup& group, StreamId id) const {
  ASSERT(id > group.last_id);
  StreamId next = group.last_id;
  next.increment();
  const bool known = knows_position(group) && id <= stream_.last_id();
  group.entries_read =
      known ? group.entries_read + static_cast<int64_t>(stream_.count_between(next, id, 0))
            : entries_up_to(id);
  group.last_id = id;
}

void StreamProgress::set_position(StreamGroup& group, StreamId id, int64_t entries_read) const {
  group.entries_read = checked_position(group, id, entries_read);
  group.last_id = id;
}

int64_t StreamProgress::checked_position(const StreamGroup& group, StreamId id,
                                         int64_t entries_read) const {
  if (entries_read == StreamGroup::kUnknown || id > stream_.last_id()) return StreamGroup::kUnknown;
  const auto added = static_cast<int64_t>(stream_.entries_added());
  const auto gone_at_most = added - static_cast<int64_t>(stream_.length());
  // Nothing counts on it: entries behind the id are missing.
  if (may_miss_entries_after(id)) return std::min(entries_read, added);
  if (id < stream_.first_id() || stream_.length() == 0) return std::min(entries_read, gone_at_most);
  if (const int64_t known = entries_up_to(id); known != StreamGroup::kUnknown) return known;
  const bool from_group = knows_position(group) && id >= group.last_id;
  StreamId next = from_group ? group.last_id : id;
  next.increment();
  const auto between = [&](StreamId end) {
    return static_cast<int64_t>(stream_.count_between(next, end, 0));
  };
  return from_group ? group.entries_read + between(id) : added - between(StreamId::largest());
}

std::optional<int64_t> StreamProgress::lag(const StreamGroup& group) const {
  if (stream_.length() == 0 || group.last_id >= stream_.last_id() ||
      group.last_id >= stream_.last_entry_id())
    return 0;
  if (may_miss_entries_after(group.last_id)) return std::nullopt;
  if (group.last_id < stream_.first_id()) return static_cast<int64_t>(stream_.length());
  const auto added = static_cast<int64_t>(stream_.entries_added());
  const int64_t read = knows_position(group) ? group.entries_read : entries_up_to(group.last_id);
  if (read == StreamGroup::kUnknown) return std::nullopt;
  ASSERT(read >= 0 && read < added && added - read < static_cast<int64_t>(stream_.length()));
  return added - read;
}

}  // namespace redoubt
