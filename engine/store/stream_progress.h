// StreamProgress: how far consumer groups have read a stream.
//
// The lag of a group is the number of entries behind its last id. It follows from two counts: of
// the entries ever added, and of those among them up to the last id of the group. XDEL makes a hole
// that neither count tells of; only the largest id ever deleted is known. So the lag is unknown
// while that id is behind the group's, and so is the group's count when it steps over a hole, until
// it has reached the last entry. Entries that a trim removes are in front of all others: a group
// behind which only those are missing can read all entries that are there.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/store/stream.h"

namespace redoubt {

class StreamProgress {
 public:
  // A view: the stream outlives it. The groups of the functions below are groups of the stream.
  explicit StreamProgress(const Stream& stream) : stream_(stream) {}

  // The group has read the entry of this id, the next one behind its last.
  void advance(StreamGroup& group, StreamId id) const;
  // The last id of the group becomes a larger one; there may be entries between the two.
  void advance_over(StreamGroup& group, StreamId id) const;
  // The last id of the group becomes this one, the `entries_read`-th entry ever added, or kUnknown.
  // A number that contradicts the stream is replaced.
  void set_position(StreamGroup& group, StreamId id, int64_t entries_read) const;
  // How many entries the group has not read; nothing when that cannot be told.
  std::optional<int64_t> lag(const StreamGroup& group) const;

  // Whether the group's count holds, and the stream has each entry that was added behind its last
  // id.
  bool knows_position(const StreamGroup& group) const;
  // How many entries were added up to this one, from the first ever; kUnknown when deletions hide
  // it.
  int64_t entries_up_to(StreamId id) const;

 private:
  bool may_miss_entries_after(StreamId id) const;
  int64_t checked_position(const StreamGroup& group, StreamId id, int64_t entries_read) const;

  const Stream& stream_;
};

}  // namespace redoubt
