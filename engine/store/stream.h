// Stream: entries by id in blocks (stream_block.h), consumer groups (stream_groups.h), and the ids
// that producers have sent (stream_idempotency.h). How far groups have read is in
// stream_progress.h.
//
// ValueMemory counts the memory of a stream and the number of its pieces.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "engine/store/digest.h"
#include "engine/store/ordered_pages.h"
#include "engine/store/snapshot_sink.h"
#include "engine/store/stream_block.h"
#include "engine/store/stream_groups.h"
#include "engine/store/stream_id.h"
#include "engine/store/stream_idempotency.h"

namespace redoubt {

// The treatment of entries that groups still refer to, when a stream is trimmed.
enum class StreamReferences : uint8_t {
  keep,          // the entry goes, the references stay
  remove,        // the references go too
  acknowledged,  // an entry goes only when every group has read and acknowledged it
};

struct StreamTrim {
  enum class Kind : uint8_t { none, length, id };
  Kind kind = Kind::none;
  bool whole_blocks = false;  // "~"
  uint64_t length = 0;
  StreamId id;
  uint64_t limit = 0;  // entries at most; 0: no limit
  StreamReferences references = StreamReferences::keep;
};

class Stream final : public StreamGroups {
 public:
  // Counts are shown, and travel, as signed numbers: one that has reached this stays.
  static constexpr auto kCountMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

  explicit Stream(Allocator& allocator) : StreamGroups(allocator) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  static Stream* make(Allocator& allocator);
  static Stream* copy(Allocator& to, const Stream& from);
  // Frees about `budget` pieces; true when everything is, the stream itself included.
  static bool free_some(Stream* stream, size_t& budget);

  size_t bytes() const { return memory_.bytes() + counted_size(sizeof(Stream)); }
  size_t pieces() const { return memory_.pieces() + 1; }

  // --- entries

  uint64_t length() const { return length_; }
  StreamId first_id() const { return first_id_; }  // 0-0 when there is none
  StreamId last_id() const { return last_id_; }    // of the last one ever added
  StreamId max_deleted_id() const { return max_deleted_id_; }
  uint64_t entries_added() const { return entries_added_; }
  // XSETID: sets the last id, how many entries were ever added and the largest id that was deleted.
  // The entries that groups have not read stay the same; their positions follow from that.
  void set_counts(StreamId last_id, uint64_t entries_added, StreamId max_deleted_id);

  // Adds an entry; its id is larger than last_id(). `fields` are names and values in turn.
  void append(StreamId id, std::span<const std::string_view> fields, const StreamLimits& limits);
  // The same in a new block.
  void append_block(StreamId id, std::span<const std::string_view> fields);
  // The same in the last block, which has room for it; `same_names`: its names are known to be
  // those of the block's first entry.
  void append_to_block(StreamId id, std::span<const std::string_view> fields, bool same_names);
  // Bytes of the last block.
  size_t last_block_bytes() const { return blocks_.empty() ? 0 : blocks_.back()->size; }
  // Deletes an entry; false when it is not there.
  bool erase(StreamId id);
  bool find(StreamId id, StreamEntry& entry) const;
  // How many entries there are from `start` to `end`, both included, at most `most` (0: no limit).
  uint64_t count_between(StreamId start, StreamId end, uint64_t most) const;
  // The largest id of an entry that is there; 0-0 when there is none.
  StreamId last_entry_id() const;
  // Removes the oldest entries; returns how many.
  // `reached` becomes the first one that was not looked at, or largest().
  uint64_t trim(const StreamTrim& how, StreamId* reached);

  size_t block_count() const { return blocks_.size(); }
  // What a snapshot says of it beside its parts.
  StreamFacts facts() const;
  // How many nodes a radix tree of the blocks' first ids has, as Redis would hold them.
  size_t radix_nodes() const;

  // The block with the first id that is not less; null when there is none.
  const StreamBlock* block_at_or_after(StreamId first) const {
    return blocks_.at(blocks_.lower_bound(first));
  }
  // Removes a group. The stream that is returned has it, and is to be freed; null when a pass has
  // taken that over.
  Stream* remove_group(StreamGroup& group);

  // --- ids that producers have sent

  // Null until it is needed for the first time.
  StreamIdempotency* idempotency() const { return idempotency_; }
  // The same, made with these limits when there is none.
  StreamIdempotency& need_idempotency(const IdempotencyLimits& limits);
  // Begins anew with other limits; the counts go on. The stream that is returned has the ids that
  // were remembered, and is to be freed.
  Stream* restart_idempotency(const IdempotencyLimits& limits);

  void digest(Digest& digest) const;

 private:
  friend class StreamCursor;

  OrderedPages<StreamBlock>::Place block_of(StreamId id) const;
  OrderedPages<StreamBlock>::Place drop_block(OrderedPages<StreamBlock>::Place place);
  uint64_t trim_block(OrderedPages<StreamBlock>::Place place, const StreamTrim& how,
                      StreamId* last_removed);
  uint64_t trim_blocks(const StreamTrim& how);
  uint64_t trim_acknowledged(const StreamTrim& how, StreamId* reached);
  bool goes_whole(const StreamBlock& block, const StreamTrim& how) const;
  void remove_block_references(const StreamBlock& block);
  void find_first_id();
  void count_added(StreamId id);
  void before_change(const StreamBlock& block) const;
  void before_idempotency_change() const;
  void insert_block(StreamBlock* block);

  uint64_t length_ = 0;
  StreamId first_id_;
  StreamId last_id_;
  StreamId max_deleted_id_;
  uint64_t entries_added_ = 0;
  OrderedPages<StreamBlock> blocks_;
  StreamIdempotency* idempotency_ = nullptr;
};

// The live entries from `start` to `end`, both included, in order or in reverse. Valid until the
// stream changes.
class StreamCursor {
 public:
  StreamCursor(const Stream& stream, StreamId start, StreamId end, bool reverse);
  // False at the end.
  bool next(StreamEntry& entry);

 private:
  bool next_in_block(StreamEntry& entry) const;

  const Stream& stream_;
  StreamId start_;
  StreamId end_;
  bool reverse_;
  OrderedPages<StreamBlock>::Place place_;
  const StreamBlock* block_ = nullptr;
  mutable uint32_t offset_ = 0;
};

}  // namespace redoubt
