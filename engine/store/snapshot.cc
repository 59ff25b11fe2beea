#include "engine/store/snapshot.h"

#include <algorithm>
#include <utility>

#include "engine/store/database.h"

namespace redoubt {

namespace {

// Bytes of a place in the list of kept entries, and of a value pass, as counted.
constexpr size_t kWaitingBytes = 64;
constexpr size_t kValuePassBytes = 256;

}  // namespace

SnapshotPass::SnapshotPass(Database& database, const SnapshotLimits& limits)
    : database_(database),
      limits_(limits),
      memory_(database, database.passes().kept_total(), database.passes().strings(),
              limits.kept_bytes),
      joined_(database.passes().join(*this)) {}

SnapshotPass::~SnapshotPass() {
  cancel();
  size_t everything = SIZE_MAX;
  release_some(everything);
}

void SnapshotPass::finish(SnapshotEnd end) {
  if (end_ != SnapshotEnd::none) return;
  ASSERT(end != SnapshotEnd::complete || (came_round_ && waiting_.empty()));
  end_ = end;
  memory_.stop();
  database_.passes().leave(joined_, came_round_, cursor_);
}

bool SnapshotPass::in_parts(const Entry& entry) const {
  if (entry.layout() != Layout::outside) return false;
  const TypeOps& ops = ops_of(entry);
  if (entry.type() != Type::string && ops.passes(entry) == nullptr) return false;
  return ops.free_effort(entry) > limits_.whole_parts ||
         ops.outside_bytes(entry) > limits_.whole_bytes;
}

// An entry that has left the table, or a copy of one.
void SnapshotPass::keep(Shared<KeptEntry> kept) {
  const Entry& entry = kept->entry();
  Waiting& waiting = waiting_.emplace_back();
  waiting.kept = KeptShare(memory_, std::move(kept));
  memory_.count(kWaitingBytes);
  if (!in_parts(entry)) return;
  memory_.count(kValuePassBytes);
  waiting.parts = ops_of(entry).open_pass(memory_, joined_.slot, entry);
}

// A value that its entry keeps.
void SnapshotPass::open(const Entry& entry) {
  Waiting& waiting = waiting_.emplace_back();
  waiting.header = copy_header(database_.allocator(), entry);
  memory_.hold(counted_size(waiting.header->footprint()));
  memory_.count(kWaitingBytes + kValuePassBytes);
  waiting.parts = ops_of(entry).open_pass(memory_, joined_.slot, entry);
}

void SnapshotPass::release_front() {
  Waiting& front = waiting_.front();
  memory_.discount(kWaitingBytes + (front.parts != nullptr ? kValuePassBytes : 0));
  front.parts = nullptr;
  if (front.header != nullptr) {
    memory_.let_go(counted_size(front.header->footprint()));
    Entry::release(database_.allocator(), front.header);
  }
  waiting_.pop_front();
}

bool SnapshotPass::release_some(size_t& budget) {
  ASSERT(end_ != SnapshotEnd::none);
  while (!waiting_.empty()) {
    ValuePass* parts = waiting_.front().parts.get();
    if (budget == 0 || (parts != nullptr && !parts->release_some(budget))) return false;
    budget -= budget > 0 ? 1 : 0;
    release_front();
  }
  if (!std::exchange(detached_, true)) database_.passes().detach();
  return true;
}

bool SnapshotPass::deliver(SnapshotSink& sink, size_t& budget, Waiting& waiting) {
  const Entry& entry = waiting.header != nullptr ? *waiting.header : waiting.kept.entry();
  if (!waiting.begun) {
    if (budget == 0 || !sink.takes_more()) return false;
    --budget;
    if (waiting.parts == nullptr) {
      sink.entry(entry);
      return true;
    }
    if (waiting.parts->has_deadlines()) sink.expect_deadlines();
    sink.begin_value(entry, waiting.parts->count());
    waiting.begun = true;
  }
  if (!waiting.parts->deliver(sink, budget)) return false;
  sink.end_value();
  return true;
}

bool SnapshotPass::step_kept(SnapshotSink& sink, size_t& budget) {
  if (memory_.exhausted()) finish(SnapshotEnd::kept_too_much);
  while (end_ == SnapshotEnd::none && !waiting_.empty()) {
    if (!deliver(sink, budget, waiting_.front())) return false;
    release_front();
  }
  return true;
}

// Visits a bucket, or passes over empty ones.
void SnapshotPass::advance(SnapshotSink& sink, size_t& budget) {
  const uint8_t mine = joined_.mark;
  const auto to_clear = static_cast<uint8_t>(mine | database_.passes().to_clear(joined_.slot));
  database_.dict().prefetch_scan(cursor_ >> 16);
  const uint64_t next = database_.dict().scan(cursor_ >> 16, [&](Entry& entry) {
    const uint8_t marks = entry.marks();
    if ((marks & to_clear) != 0) entry.set_marks(static_cast<uint8_t>(marks & ~to_clear));
    if ((marks & mine) != 0) return;
    if (in_parts(entry)) {
      open(entry);
    } else {
      sink.entry(entry);
    }
    budget -= budget > 0 ? 1 : 0;
  });
  budget -= budget > 0 ? 1 : 0;  // buckets may be empty
  cursor_ = next << 16;
  came_round_ = next == Dict::kCursorEnd;
}

bool SnapshotPass::step(SnapshotSink& sink, size_t& budget) {
  while (end_ == SnapshotEnd::none) {
    if (!step_kept(sink, budget)) return false;
    if (end_ != SnapshotEnd::none) break;
    if (came_round_) {
      finish(SnapshotEnd::complete);
      break;
    }
    if (budget == 0 || !sink.takes_more()) return false;
    advance(sink, budget);
  }
  return true;
}

// --- several databases

bool Snapshot::can_begin(std::span<const Source> sources) {
  return std::all_of(sources.begin(), sources.end(),
                     [](const Source& source) { return source.database->passes().has_room(); });
}

Snapshot::Snapshot(std::span<const Source> sources, const SnapshotLimits& limits)
    : kept_bytes_max_(limits.kept_bytes) {
  parts_.reserve(sources.size());
  for (const Source& source : sources) {
    parts_.push_back({source.index, std::make_unique<SnapshotPass>(*source.database, limits)});
  }
}

void Snapshot::fail(SnapshotEnd end) {
  ASSERT(end != SnapshotEnd::none);
  if (end_ != SnapshotEnd::none) return;
  end_ = end;
  for (const Part& part : parts_) part.pass->cancel();
}

// Steps one pass. False: it has more to do, or the snapshot has failed with it.
bool Snapshot::step_part(SnapshotSink& sink, const Part& part, bool only_kept, size_t& budget) {
  SnapshotPass& pass = *part.pass;
  const bool has_some = pass.keeps_entries() || (!only_kept && pass.database().size() > 0);
  if (has_some && selected_ != part.index) {
    if (budget == 0 || !sink.takes_more()) return false;
    sink.database(part.index);
    selected_ = part.index;
  }
  const bool done = only_kept ? pass.step_kept(sink, budget) : pass.step(sink, budget);
  if (pass.end() == SnapshotEnd::kept_too_much) fail(SnapshotEnd::kept_too_much);
  return done && end_ == SnapshotEnd::none;
}

bool Snapshot::step_all(SnapshotSink& sink, size_t& budget) {
  const auto running = [](const Part& part) { return part.pass->end() == SnapshotEnd::none; };
  // A value that was begun comes first: nothing may come between its parts.
  for (const Part& part : parts_) {
    if (part.pass->in_value() && !step_part(sink, part, true, budget)) return false;
  }
  for (const bool only_kept : {true, false}) {
    for (const Part& part : parts_) {
      if (running(part) && !step_part(sink, part, only_kept, budget)) return false;
    }
  }
  return true;
}

bool Snapshot::step(SnapshotSink& sink, size_t& budget) {
  if (end_ == SnapshotEnd::none && kept_bytes() > kept_bytes_max_) {
    fail(SnapshotEnd::kept_too_much);
  }
  if (end_ == SnapshotEnd::none && step_all(sink, budget)) end_ = SnapshotEnd::complete;
  return end_ != SnapshotEnd::none && release_some(budget);
}

bool Snapshot::release_some(size_t& budget) {
  for (const Part& part : parts_) {
    if (!part.pass->release_some(budget)) return false;
  }
  return true;
}

bool Snapshot::uses(const Database& database) const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [&](const Part& part) { return &part.pass->database() == &database; });
}

size_t Snapshot::kept_bytes() const {
  size_t bytes = 0;
  for (const Part& part : parts_) bytes += part.pass->kept_bytes();
  return bytes;
}

}  // namespace redoubt
