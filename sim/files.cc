#include "sim/files.h"

#include <algorithm>

#include "sim/host.h"

namespace redoubt::sim {

namespace {

uint64_t gather_size(const Op& op) {
  uint64_t size = 0;
  for (const Slice slice : op.gather) size += slice.size();
  return size;
}

}  // namespace

Files::Files(Core& core, Host& host, Disk& disk) : core_(core), host_(host), disk_(disk) {}

void Files::schedule(uint32_t slot, int64_t bytes, int64_t extra_ns) {
  Random& random = disk_.random();
  const WorldOptions& options = core_.options;
  int64_t wait = options.disk_ns + bytes * options.disk_ns_per_kb / 1024 + extra_ns;
  wait += static_cast<int64_t>(random.below(static_cast<uint64_t>(options.disk_ns) + 1));
  wait += core_.extra(Fault::disk_slow, host_.id()).ns;
  push_step(slot, host_.backend().generation(slot), host_.local_now() + Duration{wait});
}

void Files::push_step(uint32_t slot, uint32_t generation, Instant at) {
  Event event;
  event.at = at;
  event.kind = EventKind::op_step;
  event.index = slot;
  event.generation = generation;
  event.extra = host_.id();
  core_.events.push(event);
}

void Files::set_stalled(bool stalled) {
  stalled_ = stalled;
  if (stalled) return;
  for (const auto& [slot, generation] : held_) push_step(slot, generation, core_.now);
  held_.clear();
}

void Files::start(uint32_t slot) {
  const Op& op = host_.backend().op(slot);
  started_.push_back({slot, host_.backend().generation(slot), core_.now});
  int64_t bytes = 0;
  if (op.kind == OpKind::read) bytes = static_cast<int64_t>(op.into.size());
  if (op.kind == OpKind::write) bytes = static_cast<int64_t>(gather_size(op));
  int64_t extra_ns = 0;
  if (core_.happens(Fault::io_unordered, host_.id())) {
    const auto times = 10 + host_.fault_random(Fault::io_unordered).below(90);
    extra_ns = core_.options.disk_ns * static_cast<int64_t>(times);
  }
  schedule(slot, bytes, extra_ns);
  if (op.kind == OpKind::write && op.prompt) try_promptly(slot);
  if (observer_ != nullptr) observer_->at_boundary(op, IoEdge::submitted);
}

void Files::end_operation(uint32_t slot) {
  std::erase_if(started_, [&](const Started& started) {
    if (started.slot != slot) return false;
    longest_ = std::max(longest_, core_.now - started.at);
    return true;
  });
}

Duration Files::longest_stall() const {
  Duration longest = longest_;
  for (const Started& started : started_) longest = std::max(longest, core_.now - started.at);
  return longest;
}

// As the production world does it: not while a sync is on its way, and not always.
void Files::try_promptly(uint32_t slot) {
  const OpenFile* opened = file(host_.backend().op(slot));
  if (opened == nullptr || stalled_ || disk_.random().below(8) == 0) return;
  for (const Sync& sync : syncs_) {
    if (sync.inode == opened->inode) return;
  }
  Op& op = host_.backend().op(slot);
  bool again = false;
  Error error = Error::none;
  if (core_.happens(Fault::disk_error, host_.id())) {
    error = Error::input_output;
  } else {
    do {
      again = false;
      error = write_some(slot, op, again);
    } while (again && error == Error::none);
  }
  op.prompted = error == Error::none;
  prompted_.push_back({slot, error});
}

void Files::step(uint32_t slot) {
  if (stalled_) {
    core_.count(Fault::disk_stall, host_.id());
    held_.emplace_back(slot, host_.backend().generation(slot));
    return;
  }
  Op& op = host_.backend().op(slot);
  const auto prompted = std::find_if(prompted_.begin(), prompted_.end(),
                                     [slot](const Prompted& done) { return done.slot == slot; });
  bool again = false;
  Error error = Error::none;
  if (prompted != prompted_.end()) {
    error = prompted->error;
    prompted_.erase(prompted);
  } else {
    error = carry_out(slot, op, again);
  }
  if (!again) {
    end_operation(slot);
    host_.backend().finish(slot, error);
  }
  if (observer_ != nullptr) observer_->at_boundary(op, again ? IoEdge::begun : IoEdge::carried_out);
  if (armed_ > 0 && --armed_ == 0) {
    armed_event_.at = core_.now + Duration::nanoseconds(1);
    core_.events.push_first(armed_event_, armed_event_.side);
  }
}

Files::OpenFile* Files::file(const Op& op) {
  const Row* row = host_.backend().find(op.handle);
  return row != nullptr && row->type == RowType::file ? &open_[row->index] : nullptr;
}

Error Files::carry_out(uint32_t slot, Op& op, bool& again) {
  if (op.kind == skipped_) return Error::none;
  const bool syncs =
      op.kind == OpKind::sync || op.kind == OpKind::sync_data || op.kind == OpKind::sync_directory;
  if (!syncs && core_.happens(Fault::disk_error, host_.id())) return Error::input_output;
  switch (op.kind) {
    case OpKind::open: return open(op);
    case OpKind::read: return read(slot, op, again);
    case OpKind::write: return write(slot, op, again);
    case OpKind::sync:
    case OpKind::sync_data:
    case OpKind::sync_directory: return sync(slot, op, again);
    case OpKind::truncate: return truncate(op);
    case OpKind::file_size: {
      OpenFile* opened = file(op);
      if (opened == nullptr) return Error::cancelled;
      op.result.bytes = opened->inode->size();
      return Error::none;
    }
    case OpKind::rename: return disk_.rename(op.path, op.path_to);
    case OpKind::remove: return disk_.remove(op.path);
    case OpKind::list: return list(op);
    case OpKind::make_directory: {
      if (full_) {
        core_.count(Fault::disk_full, host_.id());
        return Error::no_space;
      }
      return disk_.make_directory(op.path);
    }
    default: return Error::unsupported;
  }
}

Error Files::open(Op& op) {
  if (!host_.backend().has_room()) return Error::too_many_files;
  auto inode = disk_.open(op.path, op.flags);
  if (!inode) return inode.error();
  if (op.flags.lock) {
    for (const OpenFile& other : open_) {
      if (other.lock && other.inode == *inode) return Error::locked;
    }
  }
  size_t index = 0;
  while (index < open_.size() && open_[index].inode != nullptr) ++index;
  if (index == open_.size()) open_.emplace_back();
  open_[index] = {*inode, op.flags.read, op.flags.write, op.flags.lock};
  op.result.handle = host_.backend().open_row(RowType::file, static_cast<uint32_t>(index), 0);
  return Error::none;
}

uint64_t Files::piece_of(uint64_t left) {
  if (left > 1 && core_.happens(Fault::disk_split, host_.id())) {
    return 1 + host_.fault_random(Fault::disk_split).below(left - 1);
  }
  return left;
}

Error Files::read(uint32_t slot, Op& op, bool& again) {
  OpenFile* opened = file(op);
  if (opened == nullptr) return Error::cancelled;
  if (!opened->read) return Error::invalid;
  if (opened->inode->directory()) return Error::is_directory;
  uint64_t& done = host_.backend().progress(slot);
  const auto want = static_cast<size_t>(piece_of(op.into.size() - done));
  const size_t got =
      opened->inode->read(op.offset + done, op.into.subspan(static_cast<size_t>(done), want));
  done += got;
  op.result.bytes = done;
  again = got == want && done < op.into.size();
  if (again) schedule(slot, 0);
  return Error::none;
}

// Some bytes of what is to be written, beginning with number `from`.
void Files::write_piece(Inode& inode, const Op& op, uint64_t from, uint64_t size) {
  uint64_t skip = from;
  uint64_t at = op.offset + from;
  for (const Slice slice : op.gather) {
    if (skip >= slice.size()) {
      skip -= slice.size();
      continue;
    }
    const Slice piece =
        slice.subspan(static_cast<size_t>(skip),
                      static_cast<size_t>(std::min<uint64_t>(slice.size() - skip, size)));
    inode.write(at, piece);
    at += piece.size();
    size -= piece.size();
    skip = 0;
    if (size == 0) return;
  }
}

Error Files::write(uint32_t slot, Op& op, bool& again) {
  const Error error = write_some(slot, op, again);
  if (again) schedule(slot, 0);
  return error;
}

Error Files::write_some(uint32_t slot, Op& op, bool& again) {
  OpenFile* opened = file(op);
  if (opened == nullptr) return Error::cancelled;
  if (!opened->write) return Error::invalid;
  uint64_t& done = host_.backend().progress(slot);
  uint64_t left = piece_of(gather_size(op) - done);
  const uint64_t adds = opened->inode->pages_to_add(op.offset + done, left);
  if (adds > 0 && (full_ || disk_.bytes_used() + adds * kPageSize > core_.options.disk_bytes)) {
    if (full_) core_.count(Fault::disk_full, host_.id());
    return Error::no_space;
  }
  const bool cut_short = left > 1 && core_.happens(Fault::disk_short_write, host_.id());
  Random* const random = cut_short ? &host_.fault_random(Fault::disk_short_write) : nullptr;
  if (cut_short) left = 1 + random->below(left - 1);
  write_piece(*opened->inode, op, done, left);
  done += left;
  if (cut_short) return random->coin() ? Error::no_space : Error::input_output;
  op.result.bytes = done;
  again = done < gather_size(op);
  return Error::none;
}

Error Files::begin_sync(uint32_t slot, Op& op) {
  InodeRef inode;
  if (op.kind == OpKind::sync_directory) {
    auto found = disk_.find(op.path);
    if (!found) return found.error();
    if (!(*found)->directory()) return Error::not_directory;
    inode = *found;
  } else {
    OpenFile* opened = file(op);
    if (opened == nullptr) return Error::cancelled;
    inode = opened->inode;
  }
  if (core_.happens(Fault::disk_sync_error, host_.id())) {
    inode->fail_sync();
    return Error::input_output;
  }
  const auto dirty = static_cast<int64_t>(inode->dirty_count() * kPageSize);
  syncs_.push_back({slot, inode, inode->begin_sync(), disk_.names_mark()});
  const Duration slow = core_.extra(Fault::disk_sync_slow, host_.id());
  schedule(slot, dirty, core_.options.disk_sync_ns + slow.ns);
  return Error::none;
}

void Files::save(Sync& sync) {
  if (sync.saved) return;
  sync.saved = true;
  if (sync.inode->directory()) {
    disk_.end_sync_names(sync.inode, sync.names_mark);
  } else {
    sync.inode->end_sync(sync.snapshot);
  }
}

Error Files::sync(uint32_t slot, Op& op, bool& again) {
  const auto running = std::find_if(syncs_.begin(), syncs_.end(),
                                    [slot](const Sync& sync) { return sync.slot == slot; });
  if (running == syncs_.end()) {
    const Error error = begin_sync(slot, op);
    again = error == Error::none;
    return error;
  }
  // It waits for what earlier ones have begun to write, too.
  for (auto sync = syncs_.begin(); sync != running + 1; ++sync) {
    if (sync->inode == running->inode) save(*sync);
  }
  syncs_.erase(running);
  return Error::none;
}

Error Files::truncate(Op& op) {
  OpenFile* opened = file(op);
  if (opened == nullptr) return Error::cancelled;
  if (!opened->write) return Error::invalid;
  opened->inode->truncate(op.offset);
  return Error::none;
}

Error Files::list(Op& op) {
  auto names = disk_.list(op.path);
  if (!names) return names.error();
  op.result.names = std::move(*names);
  return Error::none;
}

void Files::abandon(uint32_t slot) {
  end_operation(slot);
  Op& op = host_.backend().op(slot);
  const bool prompted =
      std::erase_if(prompted_, [slot](const Prompted& done) { return done.slot == slot; }) > 0;
  OpenFile* opened = op.kind == OpKind::write && !prompted ? file(op) : nullptr;
  if (opened == nullptr || !opened->write || full_) return;
  const uint64_t size = gather_size(op);
  const uint64_t drawn = disk_.random().below(size + 1);
  Ageing* const ageing = disk_.ageing();
  const uint64_t way = ageing == nullptr ? 0 : ageing->choose(3, "of a write came little or none");
  write_piece(*opened->inode, op, 0, ageing == nullptr ? drawn : (2 - way) * size / 2);
}

void Files::end_life(bool power_loss) {
  if (!power_loss) {
    for (Sync& sync : syncs_) save(sync);
  }
  syncs_.clear();
  prompted_.clear();
  started_.clear();
  longest_ = {};
  open_.clear();
  armed_ = 0;
}

}  // namespace redoubt::sim
