#include "engine/store/list_pass.h"

#include <algorithm>
#include <new>
#include <utility>

namespace redoubt {

namespace {

constexpr size_t kKeptBytes = 80;  // a node of the map, as counted

}  // namespace

ListPass::ListPass(PassMemory& memory, unsigned slot, const Quicklist& list)
    : ValuePass(memory, list.passes, slot),
      count_(list.count),
      number_(++list.pass_number),
      next_(list.head) {}

ListPass::~ListPass() {
  size_t everything = SIZE_MAX;
  release_some(everything);
}

void ListPass::Chain::append(QuicklistNode* node) {
  node->next = nullptr;
  (last != nullptr ? last->next : first) = node;
  last = node;
}

void ListPass::Chain::append(const Chain& other) {
  if (other.first == nullptr) return;
  (last != nullptr ? last->next : first) = other.first;
  last = other.last;
}

ListPass::Kept& ListPass::kept_at(const QuicklistNode* node) {
  const auto [at, added] = kept_.try_emplace(node);
  if (added) memory().count(kKeptBytes);
  return at->second;
}

// Takes out what hangs on a node.
ListPass::Kept ListPass::take(const QuicklistNode* node) {
  const auto at = kept_.find(node);
  if (at == kept_.end()) return {};
  const Kept kept = at->second;
  kept_.erase(at);
  memory().discount(kKeptBytes);
  return kept;
}

QuicklistNode* ListPass::copied(const QuicklistNode& node) {
  return copy_list_node(memory().allocator(), node);
}

QuicklistNode* ListPass::node_of(uint8_t* block) {
  return new (memory().allocator().allocate(sizeof(QuicklistNode)))
      QuicklistNode{nullptr, nullptr, block, static_cast<uint32_t>(Listpack::count(block)),
                    static_cast<uint32_t>(Listpack::bytes(block))};
}

void ListPass::hold(QuicklistNode* node) {
  memory().hold(list_node_bytes(*node));
}

void ListPass::drop(QuicklistNode* node) {
  memory().let_go(list_node_bytes(*node));
  free_list_node(memory().allocator(), node);
}

void ListPass::drop_block(uint8_t* block) {
  memory().let_go(Listpack::counted_bytes(block));
  Listpack::free(memory().allocator(), block);
}

void ListPass::before_change(const QuicklistNode& node) {
  if (done_ || has(node)) return;
  ASSERT(!node.is_plain());
  Kept& kept = kept_at(&node);
  if (kept.block != nullptr) return;
  kept.block = Listpack::copy(memory().allocator(), node.block());
  memory().hold(Listpack::counted_bytes(kept.block));
}

bool ListPass::unlinked(QuicklistNode* node, const QuicklistNode* after, bool taken) {
  if (done_) return false;
  const bool needed = !has(*node);
  if (next_ == node) next_ = const_cast<QuicklistNode*>(after);
  Kept kept = take(node);
  bool takes = false;
  if (needed) {
    QuicklistNode* left = node;
    if (kept.block != nullptr) {
      memory().let_go(Listpack::counted_bytes(kept.block));
      left = node_of(kept.block);
    } else if (taken) {
      left = copied(*node);
    } else {
      takes = true;
    }
    hold(left);
    kept.before.append(left);
  }
  if (kept.before.first == nullptr) return false;
  Chain& chain = kept_at(after).before;
  kept.before.append(chain);
  chain = kept.before;
  return takes;
}

void ListPass::packed(const QuicklistNode& node) {
  if (!done_) {
    Kept kept = take(&node);
    if (!has(node)) {
      if (kept.block != nullptr) memory().let_go(Listpack::counted_bytes(kept.block));
      QuicklistNode* left = kept.block != nullptr ? node_of(kept.block) : copied(node);
      hold(left);
      kept.before.append(left);
    }
    if (kept.before.first != nullptr) {
      Chain& chain = kept_at(nullptr).before;
      kept.before.append(chain);
      chain = kept.before;
    }
    next_ = nullptr;
  }
  leave();
}

size_t ListPass::deliver_node(SnapshotSink& sink, const QuicklistNode& node) {
  if (node.is_plain()) {
    sink.list_element(Blob::view_of(node.data));
    return 1;
  }
  std::optional<IntegerText> digits;
  for (const uint8_t* at = Listpack::first(node.block()); at != nullptr;
       at = Listpack::next(node.block(), at)) {
    sink.list_element(Listpack::text(at, digits));
  }
  return Listpack::count(node.block());
}

bool ListPass::deliver_chain(SnapshotSink& sink, size_t& budget, Chain& chain) {
  while (chain.first != nullptr) {
    if (budget == 0 || !sink.takes_more()) return false;
    QuicklistNode* node = std::exchange(chain.first, chain.first->next);
    const size_t elements = deliver_node(sink, *node);
    delivered_ += elements;
    budget -= std::min(budget, elements);
    drop(node);
  }
  chain.last = nullptr;
  return true;
}

bool ListPass::deliver(SnapshotSink& sink, size_t& budget) {
  while (!done_) {
    const auto at = kept_.find(next_);
    if (at != kept_.end() && !deliver_chain(sink, budget, at->second.before)) return false;
    if (next_ == nullptr) {
      take(nullptr);
      done_ = true;
      break;
    }
    if (budget == 0 || !sink.takes_more()) return false;
    const Kept kept = take(next_);
    if (!has(*next_)) {
      QuicklistNode was = *next_;
      if (kept.block != nullptr) was.data = kept.block;
      const size_t elements = deliver_node(sink, was);
      delivered_ += elements;
      budget -= std::min(budget, elements);
      next_->seen[slot()] = number_;
    } else {
      --budget;
    }
    if (kept.block != nullptr) drop_block(kept.block);
    next_ = next_->next;
  }
  ASSERT(delivered_ == count_);
  return true;
}

bool ListPass::release_some(size_t& budget) {
  while (!kept_.empty()) {
    Kept& kept = kept_.begin()->second;
    for (QuicklistNode*& first = kept.before.first; first != nullptr; --budget) {
      if (budget == 0) return false;
      drop(std::exchange(first, first->next));
    }
    if (budget == 0) return false;
    --budget;
    const Kept rest = take(kept_.begin()->first);
    if (rest.block != nullptr) drop_block(rest.block);
  }
  return true;
}

}  // namespace redoubt
