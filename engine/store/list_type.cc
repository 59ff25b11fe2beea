#include "engine/store/list_type.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "engine/store/list_pass.h"
#include "net/places.h"

namespace redoubt {

namespace {

// Where only a number of elements is asked for, a node has no more bytes than this nevertheless.
constexpr size_t kSafeNodeBytes = 8192;
constexpr std::array<size_t, 5> kNodeBytes = {4096, 8192, 16384, 32768, 65536};
// A node of the default size ends here when others follow: of a slab (allocator.h) 17 such pieces
// leave nothing, and of 8192 bytes only 15 fit.
constexpr size_t kInnerNodeBytes = 7680;
// Bytes of an element besides its text, at most, when it is not a node of its own.
constexpr size_t kElementOverhead = 8;
// As many nodes as are freed at once, if they do not have more bytes.
constexpr size_t kFreedAtOnce = 64;
constexpr size_t kBytesFreedAtOnce = 1024 * 1024;

// Bytes that a node may have.
size_t node_bytes_max(int fill) {
  if (fill >= 0) return kSafeNodeBytes;
  return kNodeBytes[std::min<size_t>(static_cast<size_t>(-(fill + 1)), kNodeBytes.size() - 1)];
}

size_t node_count_max(int fill) {
  return fill >= 0 ? std::max<size_t>(static_cast<size_t>(fill), 1) : SIZE_MAX;
}

size_t blob_bytes(void* block) {
  Blob blob = Blob::adopt(block);
  const size_t bytes = blob.footprint();
  blob.release();
  return bytes;
}

Quicklist* make_quicklist(Allocator& allocator) {
  return new (allocator.allocate(sizeof(Quicklist))) Quicklist{};
}

void append_node(Quicklist& list, QuicklistNode* node) {
  node->previous = list.tail;
  node->next = nullptr;
  (list.tail != nullptr ? list.tail->next : list.head) = node;
  list.tail = node;
  ++list.node_count;
  list.count += node->count;
  list.counted_bytes += list_node_bytes(*node);
}

// How many matches from the front on stay when the last `limit` are removed.
size_t skipped(const uint8_t* block, const Listpack::Wanted& wanted, size_t limit) {
  size_t matches = 0;
  for (const uint8_t* at = Listpack::first(block); at != nullptr; at = Listpack::next(block, at)) {
    matches += wanted.is(Listpack::get(at)) ? 1 : 0;
  }
  return matches - std::min(matches, limit);
}

bool contains(const uint8_t* block, const Listpack::Wanted& wanted) {
  for (const uint8_t* at = Listpack::first(block); at != nullptr; at = Listpack::next(block, at)) {
    if (wanted.is(Listpack::get(at))) return true;
  }
  return false;
}

void* copied_blob(Allocator& allocator, std::string_view text) {
  Blob blob;
  blob.reserve(text.size());
  blob.set_size(text.size());
  std::memcpy(blob.data(), text.data(), text.size());
  allocator.count(blob.footprint());
  return blob.release();
}

}  // namespace

size_t list_node_bytes(const QuicklistNode& node) {
  return counted_size(sizeof node) +
         (node.is_plain() ? blob_bytes(node.data) : counted_size(node.bytes));
}

void free_list_node(Allocator& allocator, QuicklistNode* node) {
  if (node->is_plain()) {
    allocator.release(Blob::adopt(node->data));
  } else {
    Listpack::free(allocator, static_cast<uint8_t*>(node->data));
  }
  allocator.release(node, sizeof *node);
}

QuicklistNode* copy_list_node(Allocator& to, const QuicklistNode& node) {
  void* data = node.is_plain() ? copied_blob(to, Blob::view_of(node.data))
                               : static_cast<void*>(Listpack::copy(to, node.block()));
  return new (to.allocate(sizeof node))
      QuicklistNode{nullptr, nullptr, data, node.count, node.bytes};
}

// --- walking

ListCursor ListCursor::in_node(QuicklistNode* node, bool last) {
  if (node == nullptr) return {};
  if (node->is_plain()) return {node, nullptr, nullptr};
  const uint8_t* block = node->block();
  return {node, block, last ? Listpack::last(block) : Listpack::first(block)};
}

ListCursor ListCursor::at(const Entry& entry, int64_t index) {
  if (entry.encoding() == Encoding::listpack) {
    const auto* block = static_cast<const uint8_t*>(entry.outside());
    return {nullptr, block, Listpack::seek(block, index)};
  }
  const auto& list = *static_cast<const Quicklist*>(entry.outside());
  const auto size = static_cast<int64_t>(list.count);
  if (index < 0) index += size;
  if (index < 0 || index >= size) return {};
  QuicklistNode* node;
  if (index < size / 2) {
    for (node = list.head; index >= node->count; node = node->next) index -= node->count;
  } else {
    index -= size;  // -1 is the last
    for (node = list.tail; -index > node->count; node = node->previous) index += node->count;
  }
  if (node->is_plain()) return {node, nullptr, nullptr};
  return {node, node->block(), Listpack::seek(node->block(), index)};
}

// --- encodings

size_t List::size() const {
  return packed() ? Listpack::count(block()) : quick().count;
}

bool List::is_small(int fill, size_t bytes, size_t elements) {
  return bytes <= node_bytes_max(fill) && elements <= node_count_max(fill);
}

bool List::within_limits(size_t bytes, size_t count) const {
  return is_small(fill_, bytes, count);
}

bool List::has_room(const QuicklistNode* node, size_t text_size) const {
  if (node == nullptr || node->is_plain()) return false;
  const size_t bytes = node->bytes + text_size + kElementOverhead;
  const bool unfit = node_bytes_max(fill_) == kSafeNodeBytes && bytes > kInnerNodeBytes;
  return !unfit && within_limits(bytes, node->count + size_t{1});
}

bool List::is_large(size_t text_size) const {
  return text_size > node_bytes_max(fill_);
}

void List::become_quicklist() {
  REDOUBT_REACHED(list_unpacked);
  uint8_t* whole = block();
  entry_.set_outside(make_quicklist(allocator_));
  entry_.set_encoding(Encoding::quicklist);
  if (Listpack::empty(whole)) {
    Listpack::free(allocator_, whole);
  } else {
    append_node(quick(), make_node(whole));
  }
}

void List::before_growth(size_t elements, size_t text_bytes) {
  if (!packed()) return;
  // An element takes 2 bytes beside its text, and more when that has 64 or more.
  const size_t added = text_bytes + text_bytes / 32 + 2 * elements;
  if (!within_limits(Listpack::bytes(block()) + added, Listpack::count(block()) + elements)) {
    become_quicklist();
  }
}

void List::after_shrinking() {
  if (packed()) return;
  Quicklist& list = quick();
  if (list.node_count != 1 || list.head->is_plain()) return;
  // The limit of bytes that goes with a limit of elements does not count here.
  const size_t bytes_max = fill_ >= 0 ? SIZE_MAX : node_bytes_max(fill_) / 2;
  const size_t count_max = fill_ >= 0 ? node_count_max(fill_) / 2 : SIZE_MAX;
  if (list.head->bytes > bytes_max || list.count > count_max) return;
  QuicklistNode* node = list.head;
  while (ValuePass* pass = list.passes.first) {
    pass->finished() ? pass->leave() : static_cast<ListPass*>(pass)->packed(*node);
  }
  REDOUBT_REACHED(list_packed);
  entry_.set_outside(node->data);
  entry_.set_encoding(Encoding::listpack);
  allocator_.release(node, sizeof *node);
  allocator_.release(&list, sizeof list);
}

// --- nodes

QuicklistNode* List::make_node(uint8_t* block) {
  return new (allocator_.allocate(sizeof(QuicklistNode)))
      QuicklistNode{nullptr, nullptr, block, static_cast<uint32_t>(Listpack::count(block)),
                    static_cast<uint32_t>(Listpack::bytes(block))};
}

QuicklistNode* List::make_node(std::string_view text, Blob&& blob) {
  if (!is_large(text.size())) {
    return make_node(Listpack::append(allocator_, Listpack::make(allocator_), text));
  }
  void* data;
  if (blob.size() == text.size()) {
    allocator_.count(blob.footprint());
    data = blob.release();
  } else {
    data = copied_blob(allocator_, text);
  }
  return new (allocator_.allocate(sizeof(QuicklistNode)))
      QuicklistNode{nullptr, nullptr, data, 1, 0};
}

// The elements of a node are about to change.
void List::before_change(const QuicklistNode& node) const {
  const PassList& passes = quick().passes;
  if (passes.empty()) [[likely]]
    return;
  for_each_pass<ListPass>(passes, [&](ListPass& pass) { pass.before_change(node); });
}

// Puts a node between two neighbours; null: at an end.
void List::link(QuicklistNode* node, QuicklistNode* before, QuicklistNode* after) {
  Quicklist& list = quick();
  node->previous = before;
  node->next = after;
  (before != nullptr ? before->next : list.head) = node;
  (after != nullptr ? after->previous : list.tail) = node;
  ++list.node_count;
  list.count += node->count;
  list.counted_bytes += list_node_bytes(*node);
  if (!list.passes.empty()) [[unlikely]]
    for_each_pass<ListPass>(list.passes, [&](ListPass& pass) { pass.linked(*node); });
}

// Takes a node out of the list. True: a pass has taken it over.
bool List::unlink(QuicklistNode* node) {
  Quicklist& list = quick();
  (node->previous != nullptr ? node->previous->next : list.head) = node->next;
  (node->next != nullptr ? node->next->previous : list.tail) = node->previous;
  --list.node_count;
  list.count -= node->count;
  list.counted_bytes -= list_node_bytes(*node);
  if (list.passes.empty()) [[likely]]
    return false;
  const QuicklistNode* after = node->next;
  bool taken = false;
  for_each_pass<ListPass>(
      list.passes, [&](ListPass& pass) { taken = pass.unlinked(node, after, taken) || taken; });
  return taken;
}

void List::drop(QuicklistNode* node) {
  if (!unlink(node)) free_list_node(allocator_, node);
}

// The block of a node has changed.
void List::set_block(QuicklistNode* node, uint8_t* block, size_t count) {
  Quicklist& list = quick();
  const auto bytes = static_cast<uint32_t>(Listpack::bytes(block));
  list.counted_bytes += counted_size(bytes) - counted_size(node->bytes);
  list.count += count - node->count;
  node->data = block;
  node->bytes = bytes;
  node->count = static_cast<uint32_t>(count);
}

void List::add_to_node(QuicklistNode* node, const uint8_t* before, std::string_view text) {
  before_change(*node);
  auto* block = static_cast<uint8_t*>(node->data);
  set_block(node, Listpack::insert(allocator_, block, before, text), node->count + size_t{1});
}

// Cuts a node in front of an element that is not its first; returns the node with this element.
QuicklistNode* List::split(QuicklistNode* node, const uint8_t* at) {
  auto* block = static_cast<uint8_t*>(node->data);
  size_t moved = 0;
  for (const uint8_t* i = at; i != nullptr; i = Listpack::next(block, i)) ++moved;
  ASSERT(moved < node->count);
  REDOUBT_REACHED(list_node_split);
  before_change(*node);
  QuicklistNode* back = make_node(Listpack::slice(allocator_, block, at, nullptr, moved));
  set_block(node, Listpack::erase(allocator_, block, at, moved), node->count - moved);
  link(back, node, node->next);
  return back;
}

// Adds a text between two neighbours, of which one may be null: to one of them, or as a node.
void List::insert_between(QuicklistNode* front, QuicklistNode* back, std::string_view text,
                          Blob&& blob) {
  const bool large = is_large(text.size());
  if (!large && has_room(front, text.size())) {
    add_to_node(front, nullptr, text);
  } else if (!large && has_room(back, text.size())) {
    add_to_node(back, Listpack::first(back->block()), text);
  } else {
    link(make_node(text, std::move(blob)), front, back);
  }
}

// Makes one of two neighbours when one has room for both.
void List::merge_with_next(QuicklistNode* node) {
  if (node == nullptr || node->next == nullptr) return;
  QuicklistNode* next = node->next;
  if (node->is_plain() || next->is_plain() ||
      !within_limits(node->bytes + next->bytes - Listpack::kEmptyBytes,
                     size_t{node->count} + next->count)) {
    return;
  }
  const size_t count = size_t{node->count} + next->count;
  before_change(*node);
  auto* block = static_cast<uint8_t*>(node->data);
  REDOUBT_REACHED(list_nodes_merged);
  block = Listpack::append_all(allocator_, block, next->block());
  drop(next);
  set_block(node, block, count);
}

// --- changes

void List::push(ListEnd end, std::string_view text, Blob&& blob) {
  const bool front = end == ListEnd::front;
  if (packed()) {
    entry_.set_outside(front ? Listpack::prepend(allocator_, block(), text)
                             : Listpack::append(allocator_, block(), text));
    return;
  }
  Quicklist& list = quick();
  QuicklistNode* node = front ? list.head : list.tail;
  if (!is_large(text.size()) && has_room(node, text.size())) {
    add_to_node(node, front ? Listpack::first(node->block()) : nullptr, text);
  } else if (front) {
    link(make_node(text, std::move(blob)), nullptr, node);
  } else {
    link(make_node(text, std::move(blob)), node, nullptr);
  }
}

void List::insert(const ListCursor& cursor, bool after, std::string_view text, Blob&& blob) {
  const uint8_t* before = cursor.at_;
  if (after && before != nullptr) before = Listpack::next(cursor.block_, before);
  if (packed()) {
    entry_.set_outside(Listpack::insert(allocator_, block(), before, text));
    return;
  }
  QuicklistNode* node = cursor.node_;
  if (!is_large(text.size()) && has_room(node, text.size())) {
    add_to_node(node, before, text);
    return;
  }
  const bool at_front = !after && (node->is_plain() || before == Listpack::first(node->block()));
  if (at_front) {
    insert_between(node->previous, node, text, std::move(blob));
  } else if (before == nullptr) {
    insert_between(node, node->next, text, std::move(blob));
  } else {
    QuicklistNode* back = split(node, before);
    insert_between(node, back, text, std::move(blob));
    merge_with_next(back);
    merge_with_next(node->previous);
  }
}

void List::replace(const ListCursor& cursor, std::string_view text, Blob&& blob) {
  if (packed()) {
    entry_.set_outside(Listpack::replace(allocator_, block(), cursor.at_, text));
    return;
  }
  QuicklistNode* node = cursor.node_;
  if (node->is_plain() || node->count == 1) {
    link(make_node(text, std::move(blob)), node->previous, node);
    drop(node);
    return;
  }
  const size_t freed = std::min(Listpack::text_size(cursor.at_), text.size() + kElementOverhead);
  if (node->bytes - freed + text.size() + kElementOverhead <=
      std::max<size_t>(node_bytes_max(fill_), node->bytes)) {
    before_change(*node);
    auto* block = static_cast<uint8_t*>(node->data);
    set_block(node, Listpack::replace(allocator_, block, cursor.at_, text), node->count);
    return;
  }
  // It needs more room than there is: the node is cut at this element.
  const bool is_first = cursor.at_ == Listpack::first(node->block());
  QuicklistNode* back = is_first ? node : split(node, cursor.at_);
  QuicklistNode* front = back->previous;
  erase_in_node(back, 0, 1);
  insert_between(front, front != nullptr ? front->next : quick().head, text, std::move(blob));
}

void List::erase(ListCursor& cursor, bool backwards) {
  QuicklistNode* node = cursor.node_;
  if (node != nullptr && node->count == 1) {
    backwards ? cursor.previous_node() : cursor.next_node();
    drop(node);
    return;
  }
  if (node != nullptr) before_change(*node);
  auto* old = node == nullptr ? block() : static_cast<uint8_t*>(node->data);
  const uint8_t* next = nullptr;
  uint8_t* changed = Listpack::erase(allocator_, old, cursor.at_, 1, &next);
  if (node == nullptr) {
    entry_.set_outside(changed);
  } else {
    set_block(node, changed, node->count - 1);
  }
  cursor.block_ = changed;
  cursor.at_ = next;
  if (backwards) {
    cursor.at_ = Listpack::previous(changed, next != nullptr ? next : Listpack::end(changed));
    if (cursor.at_ == nullptr) cursor.previous_node();
  } else if (next == nullptr) {
    cursor.next_node();
  }
}

// Not all of the node unless it goes.
void List::erase_in_node(QuicklistNode* node, size_t index, size_t count) {
  if (count == node->count) {
    drop(node);
    return;
  }
  before_change(*node);
  auto* block = static_cast<uint8_t*>(node->data);
  const uint8_t* at = Listpack::seek(block, static_cast<int64_t>(index));
  set_block(node, Listpack::erase(allocator_, block, at, count), node->count - count);
}

size_t List::remove(std::string_view text, size_t limit, bool backwards) {
  const Listpack::Wanted wanted(text);
  if (packed()) {
    size_t removed = 0;
    const size_t skip = backwards ? skipped(block(), wanted, limit) : 0;
    entry_.set_outside(Listpack::remove(allocator_, block(), wanted, skip, limit, &removed));
    return removed;
  }
  size_t removed = 0;
  QuicklistNode* node = backwards ? quick().tail : quick().head;
  while (node != nullptr && removed < limit) {
    QuicklistNode* next = backwards ? node->previous : node->next;
    removed += remove_in_node(node, wanted, limit - removed, backwards);
    node = next;
  }
  return removed;
}

size_t List::remove_in_node(QuicklistNode* node, const Listpack::Wanted& wanted, size_t limit,
                            bool backwards) {
  if (node->is_plain()) {
    if (!wanted.is({Blob::view_of(node->data)})) return 0;
    drop(node);
    return 1;
  }
  auto* block = static_cast<uint8_t*>(node->data);
  size_t removed = 0;
  const size_t skip = backwards ? skipped(block, wanted, limit) : 0;
  if (!quick().passes.empty() && contains(block, wanted)) [[unlikely]]
    before_change(*node);
  block = Listpack::remove(allocator_, block, wanted, skip, limit, &removed);
  if (removed == 0) return 0;
  set_block(node, block, node->count - removed);
  if (node->count == 0) drop(node);
  return removed;
}

Quicklist* List::erase_range(size_t index, size_t count) {
  if (count == 0) return nullptr;
  ASSERT(index + count <= size());
  ListCursor cursor = ListCursor::at(entry_, static_cast<int64_t>(index));
  if (packed()) {
    entry_.set_outside(Listpack::erase(allocator_, block(), cursor.at_, count));
    return nullptr;
  }
  QuicklistNode* node = cursor.node_;
  // Elements of the first node that stay.
  size_t kept = 0;
  if (!node->is_plain()) {
    for (const uint8_t* at = cursor.at_; (at = Listpack::previous(cursor.block_, at)) != nullptr;) {
      ++kept;
    }
  }
  Quicklist cut{};
  while (count > 0) {
    QuicklistNode* next = node->next;
    const size_t here = std::min<size_t>(node->count - kept, count);
    if (here == node->count) {
      if (!unlink(node)) append_node(cut, node);
    } else {
      erase_in_node(node, kept, here);
    }
    count -= here;
    kept = 0;
    node = next;
  }
  return free_or_keep(cut);
}

Quicklist* List::free_or_keep(const Quicklist& cut) {
  if (cut.node_count > kFreedAtOnce || cut.counted_bytes > kBytesFreedAtOnce) {
    return new (allocator_.allocate(sizeof(Quicklist))) Quicklist(cut);
  }
  for (QuicklistNode* node = cut.head; node != nullptr;) {
    free_list_node(allocator_, std::exchange(node, node->next));
  }
  return nullptr;
}

// --- the row of operations

bool free_some_list(Allocator& allocator, Encoding encoding, void*& value, size_t& budget) {
  if (encoding == Encoding::listpack) {
    Listpack::free(allocator, static_cast<uint8_t*>(value));
    budget -= std::min<size_t>(budget, 1);
    return true;
  }
  auto* list = static_cast<Quicklist*>(value);
  while (list->head != nullptr) {
    if (budget == 0) return false;
    free_list_node(allocator, std::exchange(list->head, list->head->next));
    budget -= std::min<size_t>(budget, 2);
  }
  ASSERT(list->passes.empty());
  allocator.release(list, sizeof *list);
  return true;
}

size_t list_outside_bytes(const Entry& entry) {
  if (entry.encoding() == Encoding::listpack) {
    return Listpack::counted_bytes(static_cast<const uint8_t*>(entry.outside()));
  }
  return static_cast<const Quicklist*>(entry.outside())->counted_bytes +
         counted_size(sizeof(Quicklist));
}

size_t list_free_effort(const Entry& entry) {
  if (entry.encoding() == Encoding::listpack) return 1;
  return 2 * static_cast<const Quicklist*>(entry.outside())->node_count + 1;
}

void* copy_list(Allocator& to, const Entry& entry) {
  if (entry.encoding() == Encoding::listpack) {
    return Listpack::copy(to, static_cast<const uint8_t*>(entry.outside()));
  }
  const auto* list = static_cast<const Quicklist*>(entry.outside());
  Quicklist* made = make_quicklist(to);
  for (const QuicklistNode* node = list->head; node != nullptr; node = node->next) {
    append_node(*made, copy_list_node(to, *node));
  }
  return made;
}

void digest_list(const Entry& entry, Digest& digest) {
  digest.add(static_cast<int64_t>(list_length(entry)));
  for (ListCursor at = ListCursor::at(entry, 0); at; at.next()) {
    const Listpack::Element element = at.element();
    digest.add(element.is_number ? IntegerText(element.number).view() : element.text);
  }
}

PassList* list_passes(const Entry& entry) {
  return entry.encoding() == Encoding::listpack
             ? nullptr
             : &static_cast<const Quicklist*>(entry.outside())->passes;
}

std::unique_ptr<ValuePass> open_list_pass(PassMemory& memory, unsigned slot, const Entry& entry) {
  return std::make_unique<ListPass>(memory, slot, *static_cast<const Quicklist*>(entry.outside()));
}

size_t list_length(const Entry& entry) {
  if (entry.encoding() == Encoding::listpack) {
    return Listpack::count(static_cast<const uint8_t*>(entry.outside()));
  }
  return static_cast<const Quicklist*>(entry.outside())->count;
}

}  // namespace redoubt
