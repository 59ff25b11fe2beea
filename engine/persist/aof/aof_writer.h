// AofWriter: brings the stream of effects to the files of the append-only log.
//
//   log      ......|=========|.............|      entries; bytes stay until they are in the file
//                  ^         ^ written     ^ end
//                  synced
//
// One write and one sync are in flight at most. Entries that come meanwhile make the next write, so
// writes and syncs group by themselves. A write is prompt (Op::prompt): where the page cache takes
// it at once, written() has moved when flush() returns.
//
// After a write that failed the file is cut back to its last whole entry, and the same entries are
// written again by retry(). After a sync that failed nothing is synced in this file any more: what
// the medium has is not known, and a later sync that succeeds says nothing about it.
//
// The owner decides when to flush, to sync and to retry (durability.h), and which file it is.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "engine/effects/effect_log.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "net/env.h"

namespace redoubt {

class AofWriterOwner {
 public:
  // written(), synced() or the errors have changed.
  virtual void on_aof_progress() = 0;
  // A write took so long, with a sync under way when it began; or a sync did. Only after
  // set_timed(true).
  virtual void on_aof_write_took(Duration took, bool beside_sync) = 0;
  virtual void on_aof_sync_took(Duration took) = 0;

 protected:
  ~AofWriterOwner() = default;
};

class AofWriter final : private EffectReader {
 public:
  // All of these outlive it.
  AofWriter(Env& env, EffectLog& effects, AofWriterOwner& owner, TurnHook& flush_hook);
  ~AofWriter() override;

  // Begins with the effects from now on, which wait for continue_in() as after a cut. Not inside a
  // group of effects.
  void open();
  bool is_open() const { return attached(); }
  bool has_file() const { return static_cast<bool>(file_); }
  // What there is now is written and synced, as far as that is possible, and then the file is
  // closed.
  void end();

  // The entries from now on go to the next file. What was before is written and synced in this one;
  // then drained() is true, and nothing is written until continue_in(). Not inside a group.
  void cut();
  bool is_cut() const { return cut_; }
  bool drained() const;
  // The entries since the cut go to this open file of `size` bytes, which becomes the writer's. The
  // former file is closed.
  void continue_in(Handle file, uint64_t size);
  // The offset of the first byte behind the cut, and where the last entry in front of it ends that
  // is for a file.
  uint64_t cut_offset() const { return cut_offset_; }
  uint64_t cut_effects_end() const { return cut_effects_end_; }
  // No next file: entries go on into this one.
  void undo_cut();

  // Writes what there is, unless a write is in flight or has failed.
  void flush();
  // Brings to the medium what is written, unless a sync is in flight or has failed.
  void sync();
  // Writes a line that says that all of the file is on the medium, which it is: for the end of a
  // node. What is missing later was not lost in a crash.
  void seal();
  bool said_all_synced() const { return said_synced_ >= written_ || !has_file(); }
  bool sealed() const { return said_all_synced() && !seal_unsynced_; }
  // Tries again what has failed to be written.
  void retry();

  // Entries up to these offsets are in the file, or on the medium.
  uint64_t written() const { return written_; }
  uint64_t synced() const { return synced_; }
  // Bytes that entries since then take in the log.
  uint64_t unwritten_bytes() const { return unread(); }
  bool writing() const { return write_.in_flight || truncate_.in_flight; }
  bool syncing() const { return sync_.in_flight; }
  // Why the last write has failed; none while writing works.
  Error write_error() const { return write_error_; }
  // Why a sync has failed; then only another file helps.
  Error sync_error() const { return sync_error_; }
  // Bytes of the file.
  uint64_t file_bytes() const { return file_bytes_; }
  size_t memory_bytes() const { return batch_.size() + entries_.size() * sizeof(EffectEntry); }

  // Lines with the time go between the entries, one for each second.
  void set_timestamps(bool on) { timestamps_ = on; }
  // Of a simulation.
  void set_plants(const PersistPlants* plants) { plants_ = plants; }
  // Whether its owner wants to know how long writes and syncs take.
  void set_timed(bool on) { timed_ = on; }

 private:
  void on_entry(const EffectEntry& entry) override;
  void on_history(const History& history) override;
  void append_entry(const EffectEntry& entry);
  void close();
  void go_on_ending();
  void fill_batch();
  void append_time_if_new();
  void submit_write();
  void on_write_done();
  void tell_write_time();
  void on_truncated();
  void on_sync_done();

  Env& env_;
  EffectLog& effects_;
  AofWriterOwner& owner_;
  TurnHook& flush_hook_;  // requested when there is something to flush

  Handle file_;
  uint64_t file_bytes_ = 0;          // of whole entries
  std::deque<EffectEntry> entries_;  // not in a batch yet
  std::vector<Slice> slices_;        // of the entry that is appended to the batch
  std::string batch_;                // what is being written, or has failed to be
  Slice batch_slice_;
  uint64_t batch_end_ = 0;  // the offset behind it
  uint64_t written_ = 0;
  uint64_t synced_ = 0;
  uint64_t sync_covers_ = 0;  // what the sync in flight will have brought to the medium
  bool cut_ = false;
  uint64_t cut_offset_ = 0;
  uint64_t effects_end_ = 0;  // of the last entry that is for a file
  uint64_t cut_effects_end_ = 0;
  int cut_db_ = -1;     // what a foreign stream has selected at the cut
  int select_db_ = -1;  // the first entry of this file needs it selected
  // Other histories that the entries from an offset on belong to.
  std::deque<std::pair<uint64_t, std::string>> histories_;
  bool ending_ = false;
  bool truncated_ = true;  // after an error: the file ends with a whole entry
  Error write_error_ = Error::none;
  Error sync_error_ = Error::none;
  uint64_t said_synced_ = 0;  // the last line of this kind
  bool seal_unsynced_ = false;
  int64_t last_time_s_ = 0;
  bool timestamps_ = false;
  const PersistPlants* plants_ = &kNothingPlanted;
  bool timed_ = false;
  Instant write_began_ = Instant::never();  // never: it is not timed
  Instant sync_began_ = Instant::never();
  bool beside_sync_ = false;

  Op write_;
  Op truncate_;
  Op sync_;
};

}  // namespace redoubt
