// StreamBlock: consecutive entries of a stream in one piece of memory.
//
// Entries of a stream tend to have the same field names, and ids that lie close together. So the
// names of the first entry stand once in front of the block, an entry that has the same ones holds
// only values, and an id is stored as its difference to the block's first one:
//
//   names: for each a length and bytes
//   entry: size of the body
//          body: flags; ms - first ms; seq (or seq - first seq when the ms are equal);
//                lengths and bytes of the values, or the count of fields and names and values
//          size of all that, readable from behind
//
// Numbers are varints of 7 bits a byte. An entry with a short value takes 8 bytes. An entry that is
// deleted is marked; the block goes when its last one does.
//
// Where a block ends can be seen by clients: trimming with "~" removes whole blocks. So blocks end
// where Redis's do, whose size in its own format is counted along (listpack_bytes).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/store/ordered_pages.h"
#include "engine/store/stream_id.h"

namespace redoubt {

// Where a block is full: stream-node-max-bytes, stream-node-max-entries; 0: no limit.
struct StreamLimits {
  uint64_t block_bytes_max = 4096;
  uint64_t block_entries_max = 100;
};

struct StreamBlock;

// An entry in its block; valid until the stream changes.
class StreamEntry {
 public:
  StreamId id;
  uint32_t field_count = 0;

  // Whether the names of the fields are those of its block (StreamBlock::for_each_name).
  bool has_block_names() const { return names_ != nullptr; }
  // Calls visit(field, value) for each field.
  template <typename Visit>
  void for_each_field(Visit&& visit) const {
    const char* name_at = names_;
    const char* at = fields_;
    for (uint32_t i = 0; i < field_count; ++i) {
      const std::string_view name = read_text(names_ != nullptr ? name_at : at);
      const std::string_view value = read_text(at);
      visit(name, value);
    }
  }

 private:
  friend struct StreamBlock;
  static std::string_view read_text(const char*& at);

  const char* names_ = nullptr;  // null: the names are with the values
  const char* fields_ = nullptr;
  uint32_t at_ = 0;     // offset of the entry
  uint32_t next_ = 0;   // offset behind it
  uint32_t flags_ = 0;  // offset of the flags
  bool deleted_ = false;
};

struct StreamBlock {
  // All entries of one XADD, names included, are shorter than this.
  static constexpr size_t kEntryBytesMax = size_t{1} << 30;

  StreamId first;  // of the first entry that it ever had
  StreamId last;   // of the last one, deleted or not
  uint32_t size;   // bytes behind this header
  uint32_t capacity;
  uint32_t live;   // entries that are not deleted
  uint32_t total;  // all entries
  uint32_t names_end;
  uint32_t field_count;     // of the first entry
  uint32_t begin;           // no live entry is before this offset
  uint32_t listpack_bytes;  // without the counts of entries

  StreamId key() const { return first; }

  // A new block with one entry. `fields` are names and values in turn.
  static StreamBlock* make(ValueMemory& memory, StreamId id,
                           std::span<const std::string_view> fields);
  static StreamBlock* copy(ValueMemory& memory, const StreamBlock& block);
  static void free(ValueMemory& memory, StreamBlock* block);

  // Whether an entry with these fields has to go to a new block.
  bool is_full(std::span<const std::string_view> fields, const StreamLimits& limits) const;
  // Calls visit(name) for the names that stand in front of the block.
  template <typename Visit>
  void for_each_name(Visit&& visit) const {
    const char* at = data();
    for (uint32_t i = 0; i < field_count; ++i) visit(StreamEntry::read_text(at));
  }
  // Whether these fields have the names of the first entry.
  bool has_same_names(std::span<const std::string_view> fields) const;
  // Adds an entry with a larger id; `same_names` is has_same_names(). The block may move.
  static StreamBlock* append(ValueMemory& memory, StreamBlock* block, StreamId id,
                             std::span<const std::string_view> fields, bool same_names);

  // The next live entry from an offset on; false at the end. Begin with `begin`.
  bool read_next(uint32_t& offset, StreamEntry& entry) const;
  // The live entry that ends at an offset, or one before it. Begin with `size`.
  bool read_previous(uint32_t& offset, StreamEntry& entry) const;
  // The live entry with this id.
  bool find(StreamId id, StreamEntry& entry) const;

  // How many live entries are from `start` to `end`.
  uint64_t count_between(StreamId start, StreamId end) const;

  // Marks a live entry as deleted.
  void erase(const StreamEntry& entry);

 private:
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  void read(uint32_t offset, StreamEntry& entry) const;
  void write_entry(StreamId id, std::span<const std::string_view> fields, bool same_names);
  static StreamBlock* reserve(ValueMemory& memory, StreamBlock* block, size_t bytes);
};

}  // namespace redoubt
