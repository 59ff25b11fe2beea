#include "engine/effects/reply_gate.h"

#include <algorithm>
#include <utility>

#include "net/assert.h"

namespace redoubt {

// --- the replies of one client

HeldReplies::~HeldReplies() {
  if (listed_) gate_.remove(*this);
}

void HeldReplies::hold(uint64_t need, Output& bytes, size_t replies) {
  if (!pieces_.empty()) need = std::max(need, pieces_.back().need);
  const size_t size = bytes.bytes();
  if (pieces_.empty() || pieces_.back().need != need) {
    pieces_.emplace_back(need, replies, bytes.pool());
  } else {
    pieces_.back().replies += replies;
  }
  bytes.move_to(pieces_.back().bytes);
  bytes_ += size;
  if (!gate_.failure().empty()) fail(gate_.released(), gate_.failure());
  if (!listed_) gate_.add(*this);
}

bool HeldReplies::take_ready(Output& to) {
  while (!pieces_.empty() && pieces_.front().need <= gate_.released()) {
    bytes_ -= pieces_.front().bytes.bytes();
    pieces_.front().bytes.move_to(to);
    pieces_.pop_front();
  }
  if (pieces_.empty() && listed_) gate_.remove(*this);
  return !pieces_.empty();
}

// Replies that need more than is released become errors, which need nothing.
void HeldReplies::fail(uint64_t released, std::string_view error) {
  size_t behind = bytes_;
  for (Piece& piece : pieces_) {
    const size_t size = piece.bytes.bytes();
    behind -= size;
    if (piece.need <= released) continue;
    std::string errors;
    for (size_t i = 0; i < piece.replies; ++i) {
      errors += '-';
      errors += error;
      errors += "\r\n";
    }
    piece.bytes.clear();
    piece.bytes.append(errors);
    holder_.on_replies_failed(behind, size, errors);
    bytes_ = bytes_ - size + errors.size();
    piece.need = released;
  }
}

size_t HeldReplies::memory_bytes() const {
  size_t bytes = sizeof *this + pieces_.size() * sizeof(Piece);
  for (const Piece& piece : pieces_) bytes += piece.bytes.memory_bytes();
  return bytes;
}

// --- sources

ReplyGate::~ReplyGate() {
  ASSERT(first_ == nullptr);
}

ReplyGate::Source ReplyGate::open_source(std::string_view name, uint64_t offset, bool covers_past) {
  // The new source also counts for earlier writes, but their keys were not noted.
  if (sources_.empty() && covers_past) all_offset_ = last_offset_;
  const Source id = next_source_++;
  sources_.push_back({id, std::string(name), offset, {}});
  update();
  return id;
}

void ReplyGate::close_source(Source source) {
  std::erase_if(sources_, [&](const OpenSource& open) { return open.id == source; });
  if (sources_.empty()) {
    writes_.clear();
    written_.clear();
    all_written_ = false;
  }
  update();
}

ReplyGate::OpenSource& ReplyGate::find(Source source) {
  const auto found = std::find_if(sources_.begin(), sources_.end(),
                                  [&](const OpenSource& open) { return open.id == source; });
  ASSERT(found != sources_.end());
  return *found;
}

void ReplyGate::release(Source source, uint64_t offset) {
  OpenSource& from = find(source);
  if (!from.error.empty() || offset <= from.offset) return;
  from.offset = offset;
  update();
}

void ReplyGate::fail(Source source, std::string_view error) {
  ASSERT(!error.empty());
  find(source).error = error;
  update();
}

void ReplyGate::recover(Source source, uint64_t offset) {
  OpenSource& from = find(source);
  ASSERT(offset >= from.offset);
  from.error.clear();
  from.offset = offset;
  update();
}

// The sources have changed: releases the replies that may leave now.
void ReplyGate::update() {
  released_ = UINT64_MAX;
  failure_.clear();
  for (const OpenSource& source : sources_) {
    released_ = std::min(released_, source.offset);
    if (failure_.empty()) failure_ = source.error;
  }
  writes_.release(released_);
  std::vector<HeldReplies*> holders;
  for (HeldReplies* held = first_; held != nullptr; held = held->next_) holders.push_back(held);
  for (HeldReplies* held : holders) {
    if (!failure_.empty()) held->fail(released_, failure_);
  }
  // A holder may end others during the call.
  for (HeldReplies* held = first_; held != nullptr;) {
    HeldReplies* next = held->next_;
    if (held->pieces_.front().need <= released_) held->holder_.on_replies_ready(*held);
    held = next;
  }
}

// --- needs

void ReplyGate::entry_ended(uint64_t end_offset) {
  ASSERT(end_offset >= last_offset_);
  last_offset_ = end_offset;
  if (all_written_) all_offset_ = end_offset;
  for (const uint64_t hash : written_) writes_.add(hash, end_offset);
  written_.clear();
  all_written_ = false;
}

void ReplyGate::entry_abandoned() {
  written_.clear();
  all_written_ = false;
}

void ReplyGate::begin_stream(uint64_t offset) {
  writes_.clear();
  entry_abandoned();
  all_offset_ = 0;
  last_offset_ = offset;
}

// --- replies that wait

void ReplyGate::add(HeldReplies& held) {
  ASSERT(!held.listed_);
  held.listed_ = true;
  held.previous_ = last_;
  held.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &held;
  last_ = &held;
  ++holders_;
}

void ReplyGate::remove(HeldReplies& held) {
  ASSERT(held.listed_ && holders_ > 0);
  held.listed_ = false;
  (held.previous_ == nullptr ? first_ : held.previous_->next_) = held.next_;
  (held.next_ == nullptr ? last_ : held.next_->previous_) = held.previous_;
  held.previous_ = held.next_ = nullptr;
  --holders_;
}

size_t ReplyGate::held() const {
  size_t count = 0;
  for (const HeldReplies* held = first_; held != nullptr; held = held->next_) {
    for (const HeldReplies::Piece& piece : held->pieces_) count += piece.replies;
  }
  return count;
}

void ReplyGate::check_invariants() const {
  size_t count = 0;
  for (const HeldReplies* held = first_; held != nullptr; held = held->next_, ++count) {
    ASSERT(held->listed_ && !held->pieces_.empty());
    uint64_t need = 0;
    size_t bytes = 0;
    for (const HeldReplies::Piece& piece : held->pieces_) {
      ASSERT(piece.need >= need);
      need = piece.need;
      bytes += piece.bytes.bytes();
    }
    ASSERT(bytes == held->bytes_);
    ASSERT(failure_.empty() || need <= released_);
  }
  ASSERT(count == holders_);
  ASSERT(all_offset_ <= last_offset_);
}

}  // namespace redoubt
