// Lists.
//
// A small list is one listpack. Beyond list-max-listpack-size it is a quicklist: a chain of nodes
// of one listpack each, so that both ends stay cheap and a change in the middle moves one block. An
// element that is larger than a node may be is a node of its own, a Blob as it came from the
// client.
//
// A list goes over to a quicklist when a command is about to make it too large, and back when it
// has become one node of half the limits; in between nothing changes, so that a list at the limit
// does not go to and fro. Nodes are not compressed.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/store/listpack.h"
#include "engine/store/type_ops.h"
#include "net/blob.h"

namespace redoubt {

// A node of a quicklist: a listpack of at least one element, or one large element.
struct QuicklistNode {
  QuicklistNode* previous;
  QuicklistNode* next;
  void* data;      // a listpack, or a Blob's block
  uint32_t count;  // elements
  uint32_t bytes;  // of the listpack; 0: one large element
  // The passes that have it, or are older, by slot (list_pass.h).
  mutable uint32_t seen[2] = {0, 0};

  bool is_plain() const { return bytes == 0; }
  const uint8_t* block() const { return static_cast<const uint8_t*>(data); }
};

// The value of a large list.
struct Quicklist {
  QuicklistNode* head;
  QuicklistNode* tail;
  size_t count;  // elements
  size_t node_count;
  size_t counted_bytes;  // of the nodes and their data, not of this object
  mutable PassList passes;
  mutable uint32_t pass_number = 0;  // of the latest pass
};

// A place in a list, for walking it in both directions. Valid until the list changes, but for the
// changes that take a cursor and say where it then is.
class ListCursor {
 public:
  ListCursor() = default;
  // The element at an index, negative from the end; none when there is no such.
  static ListCursor at(const Entry& entry, int64_t index);

  // Whether it stands at an element.
  explicit operator bool() const { return at_ != nullptr || node_ != nullptr; }
  // The element; a string points into the list.
  Listpack::Element element() const {
    if (at_ != nullptr) return Listpack::get(at_);
    return {Blob::view_of(node_->data)};
  }
  // To the neighbour, or to none behind either end.
  void next() {
    if (at_ != nullptr) at_ = Listpack::next(block_, at_);
    if (at_ == nullptr) next_node();
  }
  void previous() {
    if (at_ != nullptr) at_ = Listpack::previous(block_, at_);
    if (at_ == nullptr) previous_node();
  }

 private:
  friend class List;
  ListCursor(QuicklistNode* node, const uint8_t* block, const uint8_t* at)
      : node_(node), block_(block), at_(at) {}
  static ListCursor in_node(QuicklistNode* node, bool last);
  void next_node() { *this = node_ == nullptr ? ListCursor{} : in_node(node_->next, false); }
  void previous_node() { *this = node_ == nullptr ? ListCursor{} : in_node(node_->previous, true); }

  QuicklistNode* node_ = nullptr;   // null in a small list
  const uint8_t* block_ = nullptr;  // null in a node that is one large element
  const uint8_t* at_ = nullptr;
};

enum class ListEnd : uint8_t { front, back };

// A list for changing it. Value and encoding of the entry are kept up to date. Text must not point
// into the list. An empty list is for the caller to remove.
class List {
 public:
  // `fill` is list-max-listpack-size: that many elements a node, or, when negative, 4, 8, 16, 32 or
  // 64 KB.
  List(Allocator& allocator, Entry& entry, int fill)
      : allocator_(allocator), entry_(entry), fill_(fill) {}

  size_t size() const;

  // To be called before so many elements with so many bytes in all are added.
  void before_growth(size_t elements, size_t text_bytes);
  // To be called after elements were removed or replaced.
  void after_shrinking();

  // `blob`, when it holds the bytes of a large element already, is taken over.
  void push(ListEnd end, std::string_view text, Blob&& blob = {});
  // Puts a text beside the element at the cursor, which is then no longer valid.
  void insert(const ListCursor& cursor, bool after, std::string_view text, Blob&& blob = {});
  // Gives the element at the cursor, which is then no longer valid, another text.
  void replace(const ListCursor& cursor, std::string_view text, Blob&& blob = {});
  // Removes the element at the cursor, which then stands at the one behind it, or before it.
  void erase(ListCursor& cursor, bool backwards = false);
  // Removes the elements with a text, at most `limit`, from either end; returns how many.
  size_t remove(std::string_view text, size_t limit, bool backwards);
  // Removes `count` elements from an index on; there are so many. Returns nodes that take long to
  // free as a quicklist that the caller owns; otherwise null.
  [[nodiscard]] Quicklist* erase_range(size_t index, size_t count);

  // Whether a listpack of so many bytes and elements is a list that is not a quicklist.
  static bool is_small(int fill, size_t bytes, size_t elements);
  // Whether an element of this size becomes a node of its own.
  bool is_large(size_t text_size) const;

 private:
  bool packed() const { return entry_.encoding() == Encoding::listpack; }
  uint8_t* block() const { return static_cast<uint8_t*>(entry_.outside()); }
  Quicklist& quick() const { return *static_cast<Quicklist*>(entry_.outside()); }

  bool within_limits(size_t bytes, size_t count) const;
  bool has_room(const QuicklistNode* node, size_t text_size) const;
  void become_quicklist();

  QuicklistNode* make_node(std::string_view text, Blob&& blob);
  QuicklistNode* make_node(uint8_t* block);
  void before_change(const QuicklistNode& node) const;
  void link(QuicklistNode* node, QuicklistNode* before, QuicklistNode* after);
  bool unlink(QuicklistNode* node);
  void drop(QuicklistNode* node);
  void set_block(QuicklistNode* node, uint8_t* block, size_t count);
  void add_to_node(QuicklistNode* node, const uint8_t* before, std::string_view text);
  QuicklistNode* split(QuicklistNode* node, const uint8_t* at);
  void insert_between(QuicklistNode* front, QuicklistNode* back, std::string_view text,
                      Blob&& blob);
  void merge_with_next(QuicklistNode* node);
  size_t remove_in_node(QuicklistNode* node, const Listpack::Wanted& wanted, size_t limit,
                        bool backwards);
  void erase_in_node(QuicklistNode* node, size_t index, size_t count);
  Quicklist* free_or_keep(const Quicklist& cut);

  Allocator& allocator_;
  Entry& entry_;
  int fill_;
};

bool free_some_list(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t list_outside_bytes(const Entry& entry);
size_t list_free_effort(const Entry& entry);
void* copy_list(Allocator& to, const Entry& entry);
void digest_list(const Entry& entry, Digest& digest);
size_t list_length(const Entry& entry);
PassList* list_passes(const Entry& entry);
std::unique_ptr<ValuePass> open_list_pass(PassMemory& memory, unsigned slot, const Entry& entry);

// Bytes of a node and its data, as counted.
size_t list_node_bytes(const QuicklistNode& node);
QuicklistNode* copy_list_node(Allocator& to, const QuicklistNode& node);
void free_list_node(Allocator& allocator, QuicklistNode* node);

inline constexpr TypeOps kListOps = {
    .name = "list",
    .free_some = free_some_list,
    .outside_bytes = list_outside_bytes,
    .free_effort = list_free_effort,
    .copy = copy_list,
    .digest = digest_list,
    .length = list_length,
    .passes = list_passes,
    .open_pass = open_list_pass,
};

}  // namespace redoubt
