#include "engine/persist/aof/aof_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/persist/aof/aof_format.h"
#include "net/places.h"

namespace redoubt {

namespace {

// So much is written at once, and more only where one entry is larger.
constexpr size_t kBatchBytes = 1 << 20;
// What a batch keeps of its memory between writes.
constexpr size_t kKeptBytes = 256 << 10;

// For a planted bug.
bool removes(const std::vector<Slice>& slices) {
  const std::string_view begin(reinterpret_cast<const char*>(slices.front().data()),
                               std::min<size_t>(slices.front().size(), 16));
  return begin.find("\r\nDEL\r") != std::string_view::npos;
}

}  // namespace

AofWriter::AofWriter(Env& env, EffectLog& effects, AofWriterOwner& owner, TurnHook& flush_hook)
    : env_(env), effects_(effects), owner_(owner), flush_hook_(flush_hook) {
  write_.kind = OpKind::write;
  write_.prompt = true;
  truncate_.kind = OpKind::truncate;
  sync_.kind = OpKind::sync_data;
  write_.owner = truncate_.owner = sync_.owner = this;
  write_.on_done = [](Op& op) { static_cast<AofWriter*>(op.owner)->on_write_done(); };
  truncate_.on_done = [](Op& op) { static_cast<AofWriter*>(op.owner)->on_truncated(); };
  sync_.on_done = [](Op& op) { static_cast<AofWriter*>(op.owner)->on_sync_done(); };
}

// The world has forgotten what was in flight.
AofWriter::~AofWriter() {
  ASSERT(!writing() && !syncing());
  if (file_) env_.close(file_);
}

// --- files

void AofWriter::open() {
  ASSERT(!is_open() && !file_);
  effects_.attach(*this);
  written_ = synced_ = batch_end_ = effects_end_ = position();
  write_error_ = sync_error_ = Error::none;
  cut_ = false;
  cut();
}

void AofWriter::end() {
  if (!is_open() || ending_) return;
  ending_ = true;
  if (!cut_) cut();
  go_on_ending();
}

void AofWriter::go_on_ending() {
  if (writing() || syncing()) return;
  const bool failed = write_error_ != Error::none || sync_error_ != Error::none;
  if (failed || !file_ || drained()) return close();
  flush();
  if (!writing()) sync();
}

void AofWriter::close() {
  ASSERT(is_open() && !writing() && !syncing());
  effects_.detach(*this);
  entries_.clear();
  histories_.clear();
  batch_ = {};
  ending_ = cut_ = false;
  if (file_) env_.close(std::exchange(file_, {}));
}

void AofWriter::cut() {
  // A log may end while a command is suspended: without the command's entry.
  ASSERT(is_open() && !cut_ && (ending_ || !effects_.in_group()));
  cut_ = true;
  cut_offset_ = effects_.end_offset();
  cut_effects_end_ = effects_end_;
  // The file is to say by itself which database its first entry is for.
  cut_db_ = effects_.foreign() ? effects_.foreign_db() : -1;
  if (kSimulation && plants_->select_missing) {
    cut_db_ = -1;
  } else if (!effects_.in_group()) {
    effects_.select_again();
  }
}

bool AofWriter::drained() const {
  return cut_ && !writing() && !syncing() && batch_.empty() && written_ >= cut_offset_ &&
         (synced_ >= cut_offset_ || sync_error_ != Error::none);
}

void AofWriter::continue_in(Handle file, uint64_t size) {
  ASSERT(file && drained() && position() >= cut_offset_);
  if (file_) env_.close(file_);
  file_ = file;
  file_bytes_ = size;
  truncated_ = true;
  write_error_ = sync_error_ = Error::none;
  last_time_s_ = 0;
  said_synced_ = synced_ = written_;
  cut_ = false;
  select_db_ = cut_db_;
  // The file begins with the history as of the cut.
  while (!histories_.empty() && histories_.front().first <= cut_offset_) histories_.pop_front();
  if (!entries_.empty()) env_.request(flush_hook_);
}

void AofWriter::undo_cut() {
  cut_ = false;
  if (!entries_.empty()) env_.request(flush_hook_);
}

// --- writing

void AofWriter::on_entry(const EffectEntry& entry) {
  entries_.push_back(entry);
  if (entry.kind != EntryKind::control) effects_end_ = entry.end;
  env_.request(flush_hook_);
}

void AofWriter::on_history(const History& history) {
  histories_.emplace_back(effects_.end_offset(), history.id);
}

void AofWriter::append_entry(const EffectEntry& entry) {
  if (batch_.empty() && synced_ > said_synced_) append_synced_line(batch_, synced_);
  said_synced_ = std::max(said_synced_, synced_);
  for (; !histories_.empty() && histories_.front().first <= entry.begin; histories_.pop_front()) {
    const auto& [offset, id] = histories_.front();
    append_history_line(batch_, id, offset, offset);
  }
  if (timestamps_) append_time_if_new();
  slices_.clear();
  EffectReader::slices(static_cast<size_t>(entry.end - entry.begin), slices_);
  if (kSimulation && plants_->removal_not_written && removes(slices_)) return;
  const bool partly_known = entry.kind == EntryKind::partly_known;
  append_marked_entry(batch_, entry.end, partly_known, [&](std::string& out) {
    if (select_db_ >= 0) append_select(out, std::exchange(select_db_, -1));
    for (const Slice slice : slices_) {
      out.append(reinterpret_cast<const char*>(slice.data()), slice.size());
    }
  });
}

void AofWriter::append_time_if_new() {
  const int64_t now_s = env_.wall().unix_s();
  if (now_s != std::exchange(last_time_s_, now_s)) append_time_line(batch_, now_s);
}

// Entries from the log, as many as make a batch.
void AofWriter::fill_batch() {
  while (!entries_.empty() && batch_.size() < kBatchBytes) {
    const EffectEntry entry = entries_.front();
    if (cut_ && entry.end > cut_offset_) return;
    ASSERT(entry.begin == position());
    const size_t size = static_cast<size_t>(entry.end - entry.begin);
    if (entry.kind != EntryKind::control) append_entry(entry);
    take(size);
    batch_end_ = entry.end;
    entries_.pop_front();
    if (REDOUBT_UNLUCKY(aof_entry_alone)) return;
  }
}

void AofWriter::flush() {
  if (!is_open() || writing() || write_error_ != Error::none || !truncated_) return;
  if (entries_.empty() || !file_) return;
  if (cut_ && entries_.front().end > cut_offset_) return;
  fill_batch();
  if (!batch_.empty()) return submit_write();
  written_ = batch_end_;  // nothing of it was for a file
}

void AofWriter::submit_write() {
  ASSERT(!writing() && truncated_ && !batch_.empty());
  write_.handle = file_;
  write_.offset = file_bytes_;
  batch_slice_ = as_slice(batch_);
  write_.gather = std::span<const Slice>(&batch_slice_, 1);
  write_.result = {};
  write_began_ = timed_ ? env_.precise_now() : Instant::never();
  beside_sync_ = syncing();
  env_.submit(write_);
  if (write_.prompted || (kSimulation && plants_->acknowledged_early)) written_ = batch_end_;
  if (write_.prompted) tell_write_time();
}

void AofWriter::tell_write_time() {
  const Instant began = std::exchange(write_began_, Instant::never());
  if (began != Instant::never()) {
    owner_.on_aof_write_took(env_.precise_now() - began, beside_sync_);
  }
}

void AofWriter::on_write_done() {
  tell_write_time();
  if (!write_.result.ok() && !(kSimulation && plants_->write_error_ignored)) {
    write_error_ = write_.result.error;
    truncated_ = false;
    // Bytes of the batch may be there. The next write would not begin behind a whole entry.
    truncate_.handle = file_;
    truncate_.offset = file_bytes_;
    truncate_.result = {};
    env_.submit(truncate_);
    return owner_.on_aof_progress();
  }
  write_error_ = Error::none;
  file_bytes_ += batch_.size();
  written_ = batch_end_;
  batch_.clear();
  if (batch_.capacity() > kKeptBytes) batch_ = {};
  if (!entries_.empty()) env_.request(flush_hook_);
  if (ending_) go_on_ending();
  owner_.on_aof_progress();
}

void AofWriter::on_truncated() {
  truncated_ = truncate_.result.ok();
  if (ending_) go_on_ending();
  owner_.on_aof_progress();
}

void AofWriter::seal() {
  ASSERT(is_open() && !writing() && !syncing() && synced_ == written_ && batch_.empty());
  if (sealed() || !file_) return;
  append_synced_line(batch_, synced_);
  said_synced_ = synced_;
  seal_unsynced_ = true;
  submit_write();
}

void AofWriter::retry() {
  if (!is_open() || writing() || write_error_ == Error::none) return;
  if (!truncated_) {
    truncate_.handle = file_;
    truncate_.offset = file_bytes_;
    truncate_.result = {};
    env_.submit(truncate_);
    return;
  }
  submit_write();
}

// --- syncing

void AofWriter::sync() {
  if (!is_open() || syncing() || sync_error_ != Error::none) return;
  if (synced_ == written_ && !seal_unsynced_) return;
  seal_unsynced_ = false;
  sync_covers_ = written_;
  sync_.handle = file_;
  sync_.result = {};
  sync_began_ = timed_ ? env_.precise_now() : Instant::never();
  env_.submit(sync_);
}

void AofWriter::on_sync_done() {
  if (sync_began_ != Instant::never()) owner_.on_aof_sync_took(env_.precise_now() - sync_began_);
  if (sync_.result.ok() || (kSimulation && plants_->sync_error_ignored)) {
    synced_ = std::max(synced_, sync_covers_);
  } else {
    sync_error_ = sync_.result.error;
  }
  if (ending_) go_on_ending();
  owner_.on_aof_progress();
}

}  // namespace redoubt
