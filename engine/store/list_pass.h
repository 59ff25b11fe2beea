// ListPass: a snapshot pass over the nodes of a large list, from head to tail.
//
// A node carries a number for each of the two passes a database may have: that of the pass which
// has delivered it, or is older than it. Everything else that is kept hangs on a node that the pass
// has not come to: the block that the node had, and in front of it the nodes that have left the
// list there. When the node itself leaves, all of that goes to the next one. So opening a pass
// costs nothing, and a change costs no more than the block that it writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "engine/store/list_type.h"
#include "engine/store/value_pass.h"

namespace redoubt {

class ListPass final : public ValuePass {
 public:
  ListPass(PassMemory& memory, unsigned slot, const Quicklist& list);
  ~ListPass() override;

  // The elements of a node are about to change.
  void before_change(const QuicklistNode& node);
  // A node has come into the list.
  void linked(QuicklistNode& node) const { node.seen[slot()] = number_; }
  // A node has left the list, in which `after` followed it. True: the pass has taken it over,
  // unless it is `taken` already.
  bool unlinked(QuicklistNode* node, const QuicklistNode* after, bool taken);
  // The list, which has this node alone, becomes a listpack of its block.
  void packed(const QuicklistNode& node);

  uint64_t count() const override { return count_; }
  bool deliver(SnapshotSink& sink, size_t& budget) override;
  bool release_some(size_t& budget) override;

 private:
  // Nodes that have left the list, in order, linked by `next`.
  struct Chain {
    QuicklistNode* first = nullptr;
    QuicklistNode* last = nullptr;

    void append(QuicklistNode* node);
    void append(const Chain& other);
  };
  struct Kept {
    Chain before;              // in front of the node; of null: at the end of the list
    uint8_t* block = nullptr;  // that it had
  };
  using KeptMap = std::map<const QuicklistNode*, Kept>;  // found by node, never walked in order

  bool has(const QuicklistNode& node) const { return node.seen[slot()] == number_; }
  Kept take(const QuicklistNode* node);
  Kept& kept_at(const QuicklistNode* node);
  QuicklistNode* copied(const QuicklistNode& node);
  QuicklistNode* node_of(uint8_t* block);
  void hold(QuicklistNode* node);
  void drop(QuicklistNode* node);
  void drop_block(uint8_t* block);
  bool deliver_chain(SnapshotSink& sink, size_t& budget, Chain& chain);
  size_t deliver_node(SnapshotSink& sink, const QuicklistNode& node);

  const uint64_t count_;
  const uint32_t number_;
  QuicklistNode* next_;  // the node that comes next; null: the end
  bool done_ = false;
  KeptMap kept_;
  uint64_t delivered_ = 0;
};

}  // namespace redoubt
