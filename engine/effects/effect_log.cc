#include "engine/effects/effect_log.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/store/number.h"
#include "net/assert.h"

namespace redoubt {

std::string random_hex_id(Env& env) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  while (id.size() < History::kIdLength) {
    uint64_t bits = env.entropy();
    for (int i = 0; i < 16 && id.size() < History::kIdLength; ++i, bits >>= 4) {
      id += kDigits[bits & 15];
    }
  }
  return id;
}

namespace {

// The beginning of an array or a string: its type, a number, the end of the line.
constexpr size_t kHeaderMax = 1 + 20 + 2;

char* write_line_end(char* to) {
  std::memcpy(to, "\r\n", 2);
  return to + 2;
}

char* write_header(char* to, char type, size_t number) {
  *to++ = type;
  if (number < 100) {
    if (number >= 10) *to++ = static_cast<char>('0' + number / 10);
    *to++ = static_cast<char>('0' + number % 10);
  } else {
    const IntegerText digits(static_cast<int64_t>(number));
    to += digits.view().copy(to, digits.view().size());
  }
  return write_line_end(to);
}

}  // namespace

// --- readers

uint64_t EffectReader::unread() const {
  return log_ == nullptr ? 0 : log_->end_ - std::min(position_, log_->end_);
}

size_t EffectReader::slices(size_t most, std::vector<Slice>& out) const {
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(most, unread()));
  for (size_t done = 0; done < wanted;) {
    const uint64_t from = position_ + done;
    const size_t in_segment =
        static_cast<size_t>(from - log_->first_segment_) % EffectLog::kSegmentBytes;
    const size_t size = std::min(wanted - done, EffectLog::kSegmentBytes - in_segment);
    out.push_back(as_slice({log_->at(from), size}));
    done += size;
  }
  return wanted;
}

void EffectReader::take(uint64_t bytes) {
  ASSERT(bytes <= unread());
  position_ += bytes;
  log_->free_taken();
}

std::string EffectReader::take_all() {
  std::vector<Slice> parts;
  const size_t size = slices(SIZE_MAX, parts);
  std::string bytes;
  bytes.reserve(size);
  for (const Slice part : parts) {
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  take(size);
  return bytes;
}

EffectLog::EffectLog(Env& env) : env_(env) {}

EffectLog::~EffectLog() {
  for (EffectReader* reader : readers_) reader->log_ = nullptr;
  for (EffectReader* reader : joining_) reader->log_ = nullptr;
}

void EffectLog::attach(EffectReader& reader) {
  ASSERT(!reader.attached());
  reader.log_ = this;
  joining_.push_back(&reader);
  follow_up_ = true;
  reader.position_ = UINT64_MAX;  // it has no bytes yet
  if (depth_ == 0) admit_joining();
}

bool EffectLog::attach_at(EffectReader& reader, uint64_t offset) {
  ASSERT(!reader.attached() && depth_ == 0);
  if (readers_.empty() || offset < base_ || offset > end_) return false;
  reader.log_ = this;
  reader.position_ = offset;
  readers_.push_back(&reader);
  update_encodes();
  return true;
}

void EffectLog::admit_joining() {
  ASSERT(depth_ == 0 && tail_ == end_);
  if (readers_.empty() && changed_in_silence_) {
    history_ = {random_hex_id(env_), {}, History::kNoSecond};
    changed_in_silence_ = false;
  }
  for (EffectReader* reader : joining_) {
    reader->position_ = end_;
    readers_.push_back(reader);
  }
  update_encodes();
  joining_.clear();
  db_ = -1;
}

void EffectLog::detach(EffectReader& reader) {
  ASSERT(reader.log_ == this);
  reader.log_ = nullptr;
  if (std::erase(joining_, &reader) > 0) return;
  std::erase(readers_, &reader);
  update_encodes();
  if (!readers_.empty()) {
    free_taken();
    return;
  }
  // No reader will get the rest of an open group.
  if (effects_ > 0) changed_in_silence_ = true;
  messages_.clear();
  effects_ = 0;
  wrapped_ = false;
  db_ = -1;
  segments_.clear();
  base_ = tail_ = end_;
  first_segment_ = end_;
}

// Segments in front of all readers go.
void EffectLog::free_taken() {
  uint64_t needed = end_;
  for (const EffectReader* reader : readers_) needed = std::min(needed, reader->position_);
  while (!segments_.empty() && first_segment_ + kSegmentBytes <= needed) {
    segments_.pop_front();
    first_segment_ += kSegmentBytes;
  }
  base_ = segments_.empty() ? end_ : std::max(base_, first_segment_);
}

// --- bytes

char* EffectLog::at(uint64_t offset) const {
  const size_t distance = static_cast<size_t>(offset - first_segment_);
  ASSERT(distance / kSegmentBytes < segments_.size());
  return segments_[distance / kSegmentBytes].get() + distance % kSegmentBytes;
}

void EffectLog::put(std::string_view bytes) {
  if (segments_.empty()) first_segment_ = tail_;
  while (!bytes.empty()) {
    const size_t distance = static_cast<size_t>(tail_ - first_segment_);
    if (distance == segments_.size() * kSegmentBytes) {
      segments_.push_back(std::make_unique_for_overwrite<char[]>(kSegmentBytes));
    }
    const size_t room = segments_.size() * kSegmentBytes - distance;
    const size_t size = std::min(room, bytes.size());
    std::memcpy(at(tail_), bytes.data(), size);
    bytes.remove_prefix(size);
    tail_ += size;
  }
}

// Forgets what lies behind `offset`.
void EffectLog::rewind(uint64_t offset) {
  ASSERT(offset >= end_ && offset <= tail_);
  tail_ = offset;
  const size_t used = static_cast<size_t>(tail_ - first_segment_);
  while (segments_.size() * kSegmentBytes >= used + kSegmentBytes) segments_.pop_back();
}

// Where the next bytes go, when the last segment has room for so many.
char* EffectLog::room_for(size_t size) const {
  const size_t used = static_cast<size_t>(tail_ - first_segment_);
  const bool fits = !segments_.empty() && segments_.size() * kSegmentBytes - used >= size;
  return fits ? at(tail_) : nullptr;
}

void EffectLog::encode(std::span<const std::string_view> args) {
  size_t most = kHeaderMax;
  for (const std::string_view arg : args) most += kHeaderMax + arg.size() + 2;
  if (char* const begin = room_for(most)) {
    char* to = write_header(begin, '*', args.size());
    for (const std::string_view arg : args) {
      to = write_header(to, '$', arg.size());
      to += arg.copy(to, arg.size());
      to = write_line_end(to);
    }
    tail_ += static_cast<uint64_t>(to - begin);
    return;
  }
  char header[kHeaderMax];
  const auto put_header = [&](char type, size_t number) {
    put({header, static_cast<size_t>(write_header(header, type, number) - header)});
  };
  put_header('*', args.size());
  for (const std::string_view arg : args) {
    put_header('$', arg.size());
    put(arg);
    put("\r\n");
  }
}

// --- entries

void EffectLog::encode_effect(int db, std::span<const std::string_view> args) {
  ASSERT(!args.empty() && db >= 0);
  if (effects_ == 0) {
    ASSERT(tail_ == end_);
    db_before_ = db_;
    first_effect_ = tail_;
  }
  if (effects_ == 1 && !wrapped_) wrap_in_multi();
  if (db != db_) {
    const IntegerText digits(db);
    const std::string_view select[] = {"SELECT", digits.view()};
    encode(select);
    db_ = db;
    if (effects_ == 0) first_effect_ = tail_;
  }
  encode(args);
  ++effects_;
  if (depth_ == 0) commit(EntryKind::effects);
}

// A second effect follows: the first one moves behind a MULTI.
void EffectLog::wrap_in_multi() {
  std::string first;
  first.reserve(static_cast<size_t>(tail_ - first_effect_));
  for (uint64_t from = first_effect_; from < tail_;) {
    const size_t in_segment = static_cast<size_t>(from - first_segment_) % kSegmentBytes;
    const size_t size =
        static_cast<size_t>(std::min<uint64_t>(tail_ - from, kSegmentBytes - in_segment));
    first.append(at(from), size);
    from += size;
  }
  rewind(first_effect_);
  constexpr std::string_view multi[] = {"MULTI"};
  encode(multi);
  put(first);
  wrapped_ = true;
}

void EffectLog::commit_group() {
  ASSERT(depth_ == 0);
  if (effects_ > 0) {
    if (wrapped_) {
      constexpr std::string_view exec[] = {"EXEC"};
      encode(exec);
    }
    commit(EntryKind::effects);
  }
  for (const std::vector<std::string>& message : std::exchange(messages_, {})) {
    append_control(std::vector<std::string_view>(message.begin(), message.end()));
  }
  follow_up_ = false;
  if (!joining_.empty()) admit_joining();
  for (const std::function<void()>& action : std::exchange(actions_, {})) action();
}

void EffectLog::after_group(std::function<void()> action) {
  if (depth_ == 0) return action();
  actions_.push_back(std::move(action));
  follow_up_ = true;
}

void EffectLog::commit(EntryKind kind) {
  ASSERT(tail_ > end_ && !readers_.empty());
  const EffectEntry entry{.begin = end_, .end = tail_, .kind = kind};
  end_ = tail_;
  if (kind != EntryKind::control) data_end_ = end_;
  effects_ = 0;
  wrapped_ = false;
  // A reader may leave during the call.
  for (size_t i = 0; i < readers_.size();) {
    EffectReader* reader = readers_[i];
    reader->on_entry(entry);
    if (i < readers_.size() && readers_[i] == reader) ++i;
  }
}

void EffectLog::abandon_group() {
  ASSERT(depth_ > 0);
  if (effects_ == 0) return;
  rewind(end_);
  db_ = db_before_;
  effects_ = 0;
  wrapped_ = false;
}

EffectMark EffectLog::mark_group() {
  ASSERT(depth_ > 0);
  // A MULTI would move the effects that are there.
  if (effects_ == 1 && !wrapped_) wrap_in_multi();
  return {.tail = tail_, .first_effect = first_effect_, .effects = effects_, .db = db_};
}

void EffectLog::rewind_group(const EffectMark& mark) {
  ASSERT(depth_ > 0);
  // The last reader has left since the mark, and with it what it had not got.
  if (effects_ < mark.effects || readers_.empty()) return abandon_group();
  ASSERT(mark.tail <= tail_);
  if (mark.effects == 0) return abandon_group();
  rewind(mark.tail);
  effects_ = mark.effects;
  first_effect_ = mark.first_effect;
  db_ = mark.db;
}

void EffectLog::append_foreign(std::string_view bytes, EntryKind kind, int db) {
  ASSERT(depth_ == 0 && effects_ == 0 && foreign_);
  foreign_db_ = db;
  if (bytes.empty()) return;
  if (readers_.empty()) {
    // The offset is the primary's, with or without readers.
    ASSERT(segments_.empty());
    base_ = end_ = tail_ = first_segment_ = end_ + bytes.size();
    if (kind != EntryKind::control) data_end_ = end_;
    return;
  }
  put(bytes);
  commit(kind);
}

void EffectLog::append_control(std::span<const std::string_view> args) {
  ASSERT(depth_ == 0 && effects_ == 0);
  if (!encodes_) return;
  encode(args);
  commit(EntryKind::control);
}

void EffectLog::append_message(std::span<const std::string_view> args) {
  if (!encodes_) return;
  if (depth_ == 0) return append_control(args);
  messages_.emplace_back(args.begin(), args.end());
  follow_up_ = true;
}

// --- history

void EffectLog::continue_history(std::string_view new_id) {
  ASSERT(depth_ == 0);
  if (changed_in_silence_) {
    history_ = {std::string(new_id), {}, History::kNoSecond};
    changed_in_silence_ = false;
  } else {
    history_.fork(new_id, end_);
  }
  db_ = -1;
  tell_history();
}

void EffectLog::tell_history() {
  for (EffectReader* reader : readers_) reader->on_history(history_);
}

void EffectLog::continue_history() {
  continue_history(random_hex_id(env_));
}

void EffectLog::adopt_history(const History& history, uint64_t offset) {
  ASSERT(depth_ == 0 && effects_ == 0);
  ASSERT(history.id.size() == History::kIdLength);
  history_ = history;
  changed_in_silence_ = false;
  segments_.clear();
  base_ = end_ = data_end_ = tail_ = first_segment_ = offset;
  db_ = -1;
  for (EffectReader* reader : readers_) reader->position_ = offset;
  tell_history();
}

void EffectLog::check_invariants() const {
  ASSERT(base_ <= end_ && end_ <= tail_ && data_end_ <= end_);
  ASSERT(tail_ == end_ || effects_ > 0);
  ASSERT(depth_ > 0 || tail_ == end_);
  ASSERT(depth_ > 0 || joining_.empty());
  ASSERT(!readers_.empty() || segments_.empty());
  ASSERT(segments_.empty() || first_segment_ <= base_);
  ASSERT(first_segment_ + segments_.size() * kSegmentBytes >= tail_);
  for (const EffectReader* reader : readers_) {
    ASSERT(reader->position_ >= base_ && reader->position_ <= end_);
  }
}

}  // namespace redoubt
