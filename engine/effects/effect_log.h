// EffectLog: the stream of effects. Each change of data is appended to it as a command in its
// deterministic form, as RESP; AOF, replicas, migration and the checkers read it, and nothing else
// propagates.
//
// An entry has the effects of one call: of a command, or of a whole EXEC or script. Dispatch opens
// a group around each call and closes it behind it. A group with one effect is that effect; a group
// with several is MULTI, the effects, EXEC; a group without any is nothing. An effect outside a
// group (expiry and eviction between commands) is an entry of its own. When the database differs
// from that of the entry before, SELECT stands in front.
//
//   offset     0            65536          131072
//   segments   [ ............ ][ ............ ][ .....
//                    ^ a reader's position          ^ end_offset()   ^ the open group
//                    |------- its bytes stay --------|
//
// The bytes exist once. A reader is an offset into them; segments in front of all readers are
// freed. A reader that joins while a group is open begins behind it, so that it never sees half an
// entry.
//
// While there is no reader, nothing is encoded and the offset stands still. If data changes
// meanwhile, the offset no longer identifies the data: the history ends, and the next reader begins
// a new one (history.h).
//
// On a replica the stream is its primary's, byte for byte (append_foreign): while it is foreign,
// what is appended here is not part of it, and is not encoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/effects/history.h"
#include "net/env.h"

namespace redoubt {

class EffectLog;

// A place in an open group.
struct EffectMark {
  uint64_t tail = 0;
  uint64_t first_effect = 0;
  size_t effects = 0;
  int db = -1;
};

enum class EntryKind : uint8_t {
  effects,
  partly_known,  // of a primary's stream: it has commands that this node does not know
  control,       // PING, PUBLISH and the like: moves the offset, is not for a file
};

// A committed entry: the bytes [begin, end) of the log.
struct EffectEntry {
  uint64_t begin = 0;
  uint64_t end = 0;
  EntryKind kind = EntryKind::effects;
};

// A reader of the log. It is detached when it is destroyed; the log outlives it.
class EffectReader {
 public:
  EffectReader() = default;
  EffectReader(const EffectReader&) = delete;
  EffectReader& operator=(const EffectReader&) = delete;
  virtual ~EffectReader();

  bool attached() const { return log_ != nullptr; }
  // The offset of the first byte that it has not taken. Bytes from there on stay in the log.
  uint64_t position() const { return position_; }
  // The bytes that it has not taken.
  uint64_t unread() const;
  // Appends slices of its bytes, at most `most` bytes, to `out`; returns how many. They are valid
  // until the reader takes them.
  size_t slices(size_t most, std::vector<Slice>& out) const;
  // Moves the position forward: these bytes are not needed any more.
  void take(uint64_t bytes);
  // Copies all that it has not taken, and takes it.
  std::string take_all();

 protected:
  // An entry was committed. Called inside the command that made it, so the reader notes it and acts
  // later; it may take bytes.
  virtual void on_entry(const EffectEntry& entry) = 0;
  // Entries from now on belong to another history, which begins at the end of the log.
  virtual void on_history(const History& history) { static_cast<void>(history); }

 private:
  friend class EffectLog;

  EffectLog* log_ = nullptr;
  uint64_t position_ = 0;
};

// A reader that takes each entry whole when it is committed: checkers and tests.
class EffectConsumer : public EffectReader {
 public:
  // The bytes are valid during the call; the entry ends at `end_offset`.
  virtual void on_effect(std::string_view bytes, uint64_t end_offset) = 0;
  // The same of a control message.
  virtual void on_control(std::string_view bytes, uint64_t end_offset) {
    on_effect(bytes, end_offset);
  }

 private:
  void on_entry(const EffectEntry& entry) final {
    const std::string bytes = take_all();
    if (entry.kind == EntryKind::control) return on_control(bytes, entry.end);
    on_effect(bytes, entry.end);
  }
};

class EffectLog {
 public:
  static constexpr size_t kSegmentBytes = 64 * 1024;

  explicit EffectLog(Env& env);
  EffectLog(const EffectLog&) = delete;
  EffectLog& operator=(const EffectLog&) = delete;
  ~EffectLog();

  // Whether there is a reader, or will be from the end of the open group on.
  bool active() const { return !readers_.empty(); }
  // The offset behind the last committed entry.
  uint64_t end_offset() const { return end_; }
  // The offset behind the last entry that was no control message: data is as of there.
  uint64_t data_end() const { return data_end_; }
  // The offset of the first byte that is still there.
  uint64_t first_offset() const { return base_; }
  const History& history() const { return history_; }
  // Whether the history and end_offset() together identify the data.
  bool follows_data() const { return !changed_in_silence_; }
  // Bytes that the log takes, as counted.
  size_t memory_bytes() const { return segments_.size() * kSegmentBytes; }

  // The reader gets all entries from now on, or from the end of the open group.
  void attach(EffectReader& reader);
  // The reader gets the bytes from an older offset on. False: they are not there any more, or that
  // offset lies ahead. Not inside a group.
  bool attach_at(EffectReader& reader, uint64_t offset);
  void detach(EffectReader& reader);

  // Appends the effect of a command in database `db`: its name, which is the canonical one, and its
  // arguments. Without a reader it only notes that data changed.
  void append(int db, std::span<const std::string_view> args) {
    if (!encodes_) {
      if (!replayed_ && !foreign_) changed_in_silence_ = true;
      return;
    }
    encode_effect(db, args);
  }
  // What is appended is in the log already (it is loaded again), and is not appended, from now on,
  // or no longer. Not inside a group.
  void set_replayed(bool replayed) {
    ASSERT(depth_ == 0);
    replayed_ = replayed;
    update_encodes();
  }
  // The stream is a primary's from now on, or this node's own again. Not inside a group.
  void set_foreign(bool foreign) {
    ASSERT(depth_ == 0);
    foreign_ = foreign;
    db_ = -1;
    update_encodes();
  }
  bool foreign() const { return foreign_; }
  // Passes on an entry of the primary's stream unchanged; behind it the stream has selected the
  // database `db`. Not inside a group.
  void append_foreign(std::string_view bytes, EntryKind kind, int db);
  // The database that the primary's stream has selected at the end.
  int foreign_db() const { return foreign_db_; }
  void set_foreign_db(int db) { foreign_db_ = db; }
  // A message that moves the offset but is no effect, such as PING. Not inside a group. Nothing
  // happens while the stream is foreign, or nobody reads it.
  void append_control(std::span<const std::string_view> args);
  // The same within a command (PUBLISH): it follows the entry of the open group.
  void append_message(std::span<const std::string_view> args);

  // All effects between these two are one entry. Groups nest: the outermost one counts.
  void open_group() { ++depth_; }
  void close_group() {
    ASSERT(depth_ > 0);
    if (--depth_ == 0 && (effects_ > 0 || follow_up_)) commit_group();
  }
  bool in_group() const { return depth_ > 0; }
  // Does this behind the open group and its entry, or at once when there is none: a change of role
  // that a command asks for.
  void after_group(std::function<void()> action);
  // The next effect begins with SELECT, whatever its database: for a reader that begins a file
  // there. Not inside a group.
  void select_again() {
    ASSERT(depth_ == 0);
    db_ = -1;
  }
  // Removes the effects that the open group has appended so far. The group stays open.
  void abandon_group();
  // Where the open group stands now; what is appended from now on can be removed again. A mark
  // holds until the group is closed, or rewound to an earlier one.
  EffectMark mark_group();
  // Removes what the open group has appended since the mark.
  void rewind_group(const EffectMark& mark);
  // The effects that the open group has so far.
  size_t effects_in_group() const { return effects_; }

  // The history goes on under another id (a replica was promoted); the old id becomes the second
  // one.
  void continue_history(std::string_view new_id);
  // The same with an id that is drawn.
  void continue_history();
  // The history is that of a primary from now on (a replica after a full synchronisation). Readers
  // lose what they have not taken, and go on at this offset.
  void adopt_history(const History& history, uint64_t offset);
  // The offset says nothing about the data any more.
  void end_history() { changed_in_silence_ = true; }

  // Asserts relations between fields.
  void check_invariants() const;

 private:
  friend class EffectReader;
  using Segment = std::unique_ptr<char[]>;

  void encode_effect(int db, std::span<const std::string_view> args);
  void encode(std::span<const std::string_view> args);
  void put(std::string_view bytes);
  char* room_for(size_t size) const;
  void rewind(uint64_t offset);
  void wrap_in_multi();
  void commit_group();
  void commit(EntryKind kind);
  void update_encodes() { encodes_ = !readers_.empty() && !replayed_ && !foreign_; }
  void tell_history();
  void admit_joining();
  void free_taken();
  char* at(uint64_t offset) const;

  Env& env_;
  History history_;
  bool changed_in_silence_ = true;  // the history has not begun

  bool replayed_ = false;
  bool foreign_ = false;
  int foreign_db_ = 0;
  bool encodes_ = false;  // somebody reads what is appended
  // For behind the open group.
  bool follow_up_ = false;  // there is some of these, or a reader that joins
  std::vector<std::vector<std::string>> messages_;
  std::vector<std::function<void()>> actions_;

  std::vector<EffectReader*> readers_;
  std::vector<EffectReader*> joining_;  // begin behind the open group
  std::deque<Segment> segments_;
  uint64_t base_ = 0;           // offset of the first byte that is there
  uint64_t end_ = 0;            // behind the last committed entry
  uint64_t data_end_ = 0;       // behind the last one that was no control message
  uint64_t tail_ = 0;           // behind the effects of the open group
  uint64_t first_segment_ = 0;  // offset of the first segment's first byte

  int db_ = -1;  // the database that the readers have selected; -1: they need a SELECT
  int depth_ = 0;
  size_t effects_ = 0;         // of the open group
  bool wrapped_ = false;       // MULTI stands in front of them
  uint64_t first_effect_ = 0;  // where its first one begins, behind the SELECT in front of all
  int db_before_ = -1;         // of the open group, before its first effect
};

// In the header, so that code with RTTI can derive from it.
inline EffectReader::~EffectReader() {
  if (log_ != nullptr) log_->detach(*this);
}

}  // namespace redoubt
