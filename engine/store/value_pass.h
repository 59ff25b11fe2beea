// ValuePass: a snapshot pass over the parts of one big value.
//
// A big value is delivered in parts, between which writers go on. So does one that is written
// before the pass comes to it: the write opens the value pass first, which costs a few allocations,
// not a copy. From then on the value reports each change to the pass before it happens, and the
// pass keeps parts that it has not delivered yet as they were: a field that is removed or replaced
// is handed over, one that changes in place is copied. A value that goes as a whole is handed over
// as a whole.
//
//   value        has a list of the passes that are open on it (PassList), mostly empty
//   ValuePass    the state of a SnapshotPass for a value: cursor, and the parts that it keeps
//   KeptEntry    an entry that only passes hold; shared by those that have not used it
//
// TablePass is the one for tables of members (hash, set, sorted set); list_pass.h, stream_pass.h
// and string_pass.h have the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/allocator.h"
#include "engine/store/entry.h"
#include "engine/store/member_table.h"
#include "engine/store/shared.h"
#include "engine/store/snapshot_sink.h"
#include "net/assert.h"

namespace redoubt {

class Database;
class ValuePass;

// The passes that are open on a value: at most as many as on its database.
struct PassList {
  ValuePass* first = nullptr;

  bool empty() const { return first == nullptr; }
};

// Memory that is kept for one pass. All of it is counted by the database's allocator.
class PassMemory {
 public:
  // `total` is the memory that is kept for all passes of the database.
  PassMemory(Database& database, size_t& total, PassList& strings, size_t limit)
      : database_(database), total_(total), strings_(strings), limit_(limit) {}
  PassMemory(const PassMemory&) = delete;
  PassMemory& operator=(const PassMemory&) = delete;
  ~PassMemory() { ASSERT(own_ == 0 && shared_ == 0); }

  Database& database() { return database_; }
  Allocator& allocator();
  // The open passes of large strings, which have no object of their own to list them.
  PassList& strings() { return strings_; }

  // A piece of the database's memory is kept for this pass from now on, or no longer.
  void hold(size_t bytes) {
    own_ += bytes;
    total_ += bytes;
    check_limit();
  }
  void let_go(size_t bytes) {
    ASSERT(bytes <= own_ && bytes <= total_);
    own_ -= bytes;
    total_ -= bytes;
  }
  // The same for memory that is not counted yet.
  void count(size_t bytes) {
    allocator().count(bytes);
    hold(bytes);
  }
  void discount(size_t bytes) {
    allocator().discount(bytes);
    let_go(bytes);
  }
  // The memory is kept for other passes too, and the share counts it in the total.
  void hold_shared(size_t bytes) {
    shared_ += bytes;
    check_limit();
  }
  void let_go_shared(size_t bytes) {
    ASSERT(bytes <= shared_);
    shared_ -= bytes;
  }

  size_t bytes_kept() const { return own_ + shared_; }
  // More than the limit was to be kept: the pass has failed.
  bool exhausted() const { return exhausted_; }
  // The pass has ended or failed, and keeps nothing more.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

 private:
  void check_limit() {
    if (bytes_kept() > limit_) exhausted_ = stopped_ = true;
  }

  Database& database_;
  size_t& total_;
  PassList& strings_;
  const size_t limit_;
  size_t own_ = 0;
  size_t shared_ = 0;
  bool exhausted_ = false;
  bool stopped_ = false;
};

// An entry with its value that only passes hold.
class KeptEntry {
 public:
  // Takes the entry over. Its bytes are added to `total` as long as this lives.
  KeptEntry(Database& database, size_t& total, Entry* entry);
  KeptEntry(const KeptEntry&) = delete;
  KeptEntry& operator=(const KeptEntry&) = delete;
  ~KeptEntry();

  const Entry& entry() const { return *entry_; }
  size_t bytes() const { return bytes_; }

  size_t owners = 0;

 private:
  Database& database_;
  size_t& total_;
  Entry* entry_;
  size_t bytes_;
};

// A share in an entry that is kept, counted for one pass.
class KeptShare {
 public:
  KeptShare() = default;
  KeptShare(PassMemory& memory, Shared<KeptEntry> kept) : memory_(&memory), kept_(std::move(kept)) {
    memory_->hold_shared(kept_->bytes());
  }
  KeptShare(KeptShare&& other) noexcept : memory_(other.memory_), kept_(std::move(other.kept_)) {}
  KeptShare& operator=(KeptShare&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~KeptShare() {
    if (kept_) memory_->let_go_shared(kept_->bytes());
  }

  explicit operator bool() const { return static_cast<bool>(kept_); }
  const Entry& entry() const { return kept_->entry(); }

 private:
  PassMemory* memory_ = nullptr;
  Shared<KeptEntry> kept_;
};

class ValuePass {
 public:
  // Joins the value's list. `slot` is the number of the pass on its database: 0 or 1.
  ValuePass(PassMemory& memory, PassList& list, unsigned slot);
  ValuePass(const ValuePass&) = delete;
  ValuePass& operator=(const ValuePass&) = delete;
  virtual ~ValuePass();

  // How many parts the value had when the pass was opened.
  virtual uint64_t count() const = 0;
  // Whether parts of it had deadlines then.
  virtual bool has_deadlines() const { return false; }
  // Delivers parts until all are delivered (true), the budget is used up, a part each, or the sink
  // takes no more.
  virtual bool deliver(SnapshotSink& sink, size_t& budget) = 0;
  // Frees the parts that it keeps, for a pass that has ended, as SnapshotPass::release_some().
  virtual bool release_some(size_t& budget) = 0;

  // The value has lost its entry; the pass has a share in it, and goes on.
  void hold(KeptShare share) { share_ = std::move(share); }
  // The value goes and takes nothing along that this pass needs.
  void leave();
  // Whether it is no longer interested in changes.
  bool finished() const { return memory_.stopped(); }

  ValuePass* next() const { return next_; }
  PassMemory& memory() { return memory_; }
  unsigned slot() const { return slot_; }

 private:
  PassMemory& memory_;
  PassList* list_;
  ValuePass* next_;
  const unsigned slot_;
  KeptShare share_;  // the last to go: others point into the value
};

// Calls visit(Pass&) for the passes on a value that want to know of changes.
template <typename Pass, typename Visit>
void for_each_pass(const PassList& list, Visit&& visit) {
  for (ValuePass* pass = list.first; pass != nullptr;) {
    ValuePass* next = pass->next();
    if (!pass->finished()) visit(*static_cast<Pass*>(pass));
    pass = next;
  }
}

// A pass over a table of members. The cursor is a place on the circle of hashes, so that it stays
// right when the table grows. `Kind` knows the items:
//   Trait                        that of the MemberTable
//   bytes(item)                  as counted
//   copy(allocator, item), release(allocator, item)
//   deliver(sink, item)
template <typename Kind>
class TablePass final : public ValuePass {
 public:
  using Trait = typename Kind::Trait;
  using Item = typename Trait::Item;

  TablePass(PassMemory& memory, PassList& list, unsigned slot, const MemberTable<Trait>& table,
            bool has_deadlines = false)
      : ValuePass(memory, list, slot),
        table_(table),
        count_(table.size()),
        has_deadlines_(has_deadlines) {}
  ~TablePass() override {
    size_t everything = SIZE_MAX;
    release_some(everything);
  }

  // Something is added, changes or goes. True when it has to be kept as it is.
  bool touch(std::string_view key, uint64_t hash) {
    if (at_end_ || hash < cursor_) return false;
    if (!touched_.emplace(hash, key).second) return false;
    memory().count(bytes_of(key));
    return true;
  }
  // Keeps an item, which is this pass's from now on.
  void keep(Item* item) {
    memory().hold(Kind::bytes(*item));
    kept_.push_back(item);
  }

  uint64_t count() const override { return count_; }
  bool has_deadlines() const override { return has_deadlines_; }

  bool deliver(SnapshotSink& sink, size_t& budget) override {
    while (!kept_.empty()) {
      if (budget == 0 || !sink.takes_more()) return false;
      hand_out(sink, *kept_.back(), budget);
      drop(kept_.back());
      kept_.pop_back();
    }
    while (!at_end_) {
      if (budget == 0 || !sink.takes_more()) return false;
      const uint64_t next = table_.scan(cursor_ >> 16, [&](Item& item) {
        if (!is_touched(item)) hand_out(sink, item, budget);
      });
      budget -= budget > 0 ? 1 : 0;  // blocks may be empty
      advance(next);
    }
    ASSERT(delivered_ == count_);
    return true;
  }

  bool release_some(size_t& budget) override {
    for (; !kept_.empty(); --budget) {
      if (budget == 0) return false;
      drop(kept_.back());
      kept_.pop_back();
    }
    for (; !touched_.empty(); --budget) {
      if (budget == 0) return false;
      forget(touched_.begin());
    }
    return true;
  }

 private:
  using Touched = std::set<std::pair<uint64_t, std::string>>;

  // A node of the tree, as counted.
  static size_t bytes_of(std::string_view key) { return counted_size(72 + key.size()); }

  bool is_touched(const Item& item) const {
    if (touched_.empty()) return false;
    const std::string_view key = Trait::key(item);
    return touched_.contains({table_.hash(key), std::string(key)});
  }
  void hand_out(SnapshotSink& sink, const Item& item, size_t& budget) {
    Kind::deliver(sink, item);
    ++delivered_;
    budget -= budget > 0 ? 1 : 0;
  }
  void drop(Item* item) {
    memory().let_go(Kind::bytes(*item));
    Kind::release(memory().allocator(), item);
  }
  Touched::iterator forget(Touched::iterator at) {
    memory().discount(bytes_of(at->second));
    return touched_.erase(at);
  }
  void advance(uint64_t next) {
    at_end_ = next == MemberBlocks::kCursorEnd;
    cursor_ = next << 16;
    for (auto at = touched_.begin(); at != touched_.end() && (at_end_ || at->first < cursor_);) {
      at = forget(at);
    }
  }

  const MemberTable<Trait>& table_;
  const uint64_t count_;
  const bool has_deadlines_;
  uint64_t delivered_ = 0;
  uint64_t cursor_ = 0;  // hashes below it have been visited
  bool at_end_ = false;
  Touched touched_;          // ahead of the cursor: the item in the table is not as it was
  std::vector<Item*> kept_;  // items as they were, to be delivered first
};

// An item is about to change in place.
template <typename Kind>
void before_item_change(const PassList& list, const typename Kind::Trait::Item& item,
                        uint64_t hash) {
  for_each_pass<TablePass<Kind>>(list, [&](TablePass<Kind>& pass) {
    if (!pass.touch(Kind::Trait::key(item), hash)) return;
    pass.keep(Kind::copy(pass.memory().allocator(), item));
  });
}

// An item with this key is added.
template <typename Kind>
void before_item_insert(const PassList& list, std::string_view key, uint64_t hash) {
  for_each_pass<TablePass<Kind>>(list, [&](TablePass<Kind>& pass) { pass.touch(key, hash); });
}

// An item has left its table. True when a pass has taken it over; otherwise it is the caller's to
// release. Either way it no longer counts as the value's.
template <typename Kind>
bool take_item(const PassList& list, typename Kind::Trait::Item* item, uint64_t hash) {
  TablePass<Kind>* taker = nullptr;
  for_each_pass<TablePass<Kind>>(list, [&](TablePass<Kind>& pass) {
    if (!pass.touch(Kind::Trait::key(*item), hash)) return;
    if (taker != nullptr) taker->keep(Kind::copy(pass.memory().allocator(), *item));
    taker = &pass;
  });
  if (taker != nullptr) taker->keep(item);
  return taker != nullptr;
}

}  // namespace redoubt
