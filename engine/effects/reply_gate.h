// ReplyGate: replies that promise something leave when the promise holds.
//
// A source releases the effect log up to an offset: the file, up to which it is on the medium; a
// quorum, up to which a majority has it. With several sources the least offset counts, and with
// none every reply leaves at once.
//
// The need of a reply is known by key: the offset at which the last entry ends that wrote one of
// the keys that the command named, found or not. The reply of a command that reads no single key
// needs all entries. So a read of a key that no command has written does not wait.
//
// Replies of a client leave in order: a reply needs at least what the one before it needs. Messages
// (pub/sub, invalidations, MONITOR) pass the gate like replies.
//
// When a source fails, nothing above what it released will come true: the replies that are held
// become errors, and so does each that needs more, until the source recovers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/effects/write_table.h"
#include "net/output.h"

namespace redoubt {

class ReplyGate;
class HeldReplies;

// The owner of held replies, which learns when some may leave.
class ReplyHolder {
 public:
  virtual ~ReplyHolder() = default;
  // The first of them may leave: HeldReplies::take_ready() moves them out.
  virtual void on_replies_ready(HeldReplies& held) = 0;
  // Of what is held, `size` bytes, which end `behind` bytes before the end, have become these.
  virtual void on_replies_failed(size_t behind, size_t size, std::string_view replaced) = 0;
};

// The replies of one client that wait for the gate, in order. It leaves the gate's list when it is
// destroyed.
class HeldReplies {
 public:
  HeldReplies(ReplyGate& gate, ReplyHolder& holder) : gate_(gate), holder_(holder) {}
  HeldReplies(const HeldReplies&) = delete;
  HeldReplies& operator=(const HeldReplies&) = delete;
  ~HeldReplies();

  bool empty() const { return pieces_.empty(); }
  // Takes over these bytes, `replies` of them replies to requests, until the gate has released
  // `need`, and everything that is held before them.
  void hold(uint64_t need, Output& bytes, size_t replies);
  // Moves replies that may leave to `to`. Returns whether any are still held.
  bool take_ready(Output& to);

  size_t bytes() const { return bytes_; }
  // Pieces that wait for different offsets.
  size_t pieces() const { return pieces_.size(); }
  size_t memory_bytes() const;

 private:
  friend class ReplyGate;
  struct Piece {
    Piece(uint64_t needed, size_t count, OutputPool& pool)
        : need(needed), replies(count), bytes(pool) {}
    uint64_t need;
    size_t replies;
    Output bytes;
  };

  void fail(uint64_t released, std::string_view error);

  ReplyGate& gate_;
  ReplyHolder& holder_;
  std::deque<Piece> pieces_;  // needs never fall
  size_t bytes_ = 0;
  bool listed_ = false;
  HeldReplies* previous_ = nullptr;  // on the gate's list
  HeldReplies* next_ = nullptr;
};

class ReplyGate {
 public:
  using Source = uint32_t;

  ReplyGate() = default;
  ReplyGate(const ReplyGate&) = delete;
  ReplyGate& operator=(const ReplyGate&) = delete;
  ~ReplyGate();

  // --- sources

  // From now on replies also wait for this source, which has released up to `offset`. Replies to
  // reads of keys that were written before the first source was opened wait, too, unless
  // `covers_past` is false.
  Source open_source(std::string_view name, uint64_t offset, bool covers_past = true);
  // Replies do not wait for it any more.
  void close_source(Source source);
  // Never goes back.
  void release(Source source, uint64_t offset);
  // `error` is a whole line, such as "MISCONF ...".
  void fail(Source source, std::string_view error);
  // It has released up to `offset` again.
  void recover(Source source, uint64_t offset);

  bool active() const { return !sources_.empty(); }
  // The least offset of all sources; UINT64_MAX without any.
  uint64_t released() const { return released_; }
  // Not empty while a source has failed.
  const std::string& failure() const { return failure_; }

  // --- needs; only while active()

  // A key is written by the entry that is being made.
  void key_written(uint64_t key_hash) { written_.push_back(key_hash); }
  // The entry may have changed any key (FLUSHALL, SWAPDB).
  void all_written() { all_written_ = true; }
  // That entry is committed and ends at `end_offset`; or nothing came of it.
  void entry_ended(uint64_t end_offset);
  void entry_abandoned();
  // Entries from now on are of another stream, which is at this offset: what was written before
  // needs nothing of it.
  void begin_stream(uint64_t offset);
  // The need of a reply that depends on a key, or on all entries.
  uint64_t need_of(uint64_t key_hash) const {
    return std::max(writes_.find(key_hash), all_offset_);
  }
  uint64_t need_of_all() const { return last_offset_; }

  // --- replies that wait

  size_t holders() const { return holders_; }
  // Replies that are held.
  size_t held() const;
  size_t memory_bytes() const { return writes_.memory_bytes(); }
  // Asserts relations between fields.
  void check_invariants() const;

 private:
  friend class HeldReplies;
  struct OpenSource {
    Source id;
    std::string name;
    uint64_t offset;
    std::string error;  // empty: it works
  };

  OpenSource& find(Source source);
  void update();
  void add(HeldReplies& held);
  void remove(HeldReplies& held);

  std::vector<OpenSource> sources_;
  Source next_source_ = 1;
  uint64_t released_ = UINT64_MAX;
  std::string failure_;

  WriteTable writes_;
  std::vector<uint64_t> written_;  // by the entry that is being made
  bool all_written_ = false;
  uint64_t all_offset_ = 0;   // the last entry that may have changed any key
  uint64_t last_offset_ = 0;  // the last entry

  HeldReplies* first_ = nullptr;
  HeldReplies* last_ = nullptr;
  size_t holders_ = 0;
};

}  // namespace redoubt
