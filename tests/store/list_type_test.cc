#include "engine/store/list_type.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <string>

#include "engine/store/random.h"
#include "tests/store/outside_entry.h"

namespace redoubt {
namespace {

using Model = std::deque<std::string>;

// An entry that holds a list.
class ListFixture {
 public:
  explicit ListFixture(int fill)
      : fill_(fill),
        entry_(outside_entry(allocator_, Type::list, Encoding::listpack,
                             Listpack::make(allocator_))) {}
  ~ListFixture() {
    free_value(entry_->encoding(), entry_->outside());
    Entry::release(allocator_, entry_);
  }

  List list() { return {allocator_, *entry_, fill_}; }
  Entry& entry() { return *entry_; }
  size_t used() const { return allocator_.used_bytes() - counted_size(entry_->footprint()); }
  Allocator& allocator() { return allocator_; }
  std::string_view encoding() const { return encoding_name(entry_->encoding()); }

  // A little at a time, as a node does it.
  void free_value(Encoding encoding, void* value) {
    for (;;) {
      size_t budget = 5;
      if (free_some_list(allocator_, encoding, value, budget)) return;
      ASSERT_EQ(budget, 0u);
    }
  }
  void push(ListEnd end, const std::string& text) {
    List changed = list();
    changed.before_growth(1, text.size());
    changed.push(end, text);
  }
  void erase_range(size_t index, size_t count) {
    Quicklist* cut = list().erase_range(index, count);
    if (cut != nullptr) free_value(Encoding::quicklist, cut);
  }

 private:
  Allocator allocator_;
  int fill_;
  Entry* entry_;
};

std::string text_of(const ListCursor& cursor) {
  const Listpack::Element element = cursor.element();
  return element.is_number ? std::to_string(element.number) : std::string(element.text);
}

Model contents(const Entry& entry) {
  Model out;
  for (ListCursor at = ListCursor::at(entry, 0); at; at.next()) out.push_back(text_of(at));
  return out;
}

Model reversed(const Entry& entry) {
  Model out;
  for (ListCursor at = ListCursor::at(entry, -1); at; at.previous()) out.push_front(text_of(at));
  return out;
}

// The chain and its sums, counted anew.
void check_nodes(const Entry& entry) {
  if (entry.encoding() == Encoding::listpack) return;
  const auto& list = *static_cast<const Quicklist*>(entry.outside());
  size_t nodes = 0;
  size_t count = 0;
  const QuicklistNode* previous = nullptr;
  for (const QuicklistNode* node = list.head; node != nullptr; node = node->next) {
    ASSERT_EQ(node->previous, previous);
    ASSERT_GT(node->count, 0u);
    if (!node->is_plain()) {
      ASSERT_EQ(Listpack::validate(Listpack::span(node->block())), node->count);
      ASSERT_EQ(Listpack::bytes(node->block()), node->bytes);
    }
    previous = node;
    count += node->count;
    ++nodes;
  }
  ASSERT_EQ(list.tail, previous);
  ASSERT_EQ(list.node_count, nodes);
  ASSERT_EQ(list.count, count);
}

void check(ListFixture& f, const Model& model) {
  RC_ASSERT(contents(f.entry()) == model);
  RC_ASSERT(reversed(f.entry()) == model);
  RC_ASSERT(list_length(f.entry()) == model.size());
  RC_ASSERT(list_outside_bytes(f.entry()) == f.used());
  check_nodes(f.entry());
  RC_ASSERT(!::testing::Test::HasFatalFailure());
}

std::string draw_text(Random& random, uint64_t largest) {
  switch (random.below(8)) {
    case 0: return std::to_string(random.next() >> random.below(64));
    case 1: return std::to_string(random.below(20));
    case 2: return std::string(random.below(largest), 'l');
    default: return std::string(1 + random.below(12), static_cast<char>('a' + random.below(4)));
  }
}

// One random change of both.
void change(ListFixture& f, Model& model, Random& random, uint64_t largest) {
  const std::string text = draw_text(random, largest);
  const size_t size = model.size();
  const size_t index = size == 0 ? 0 : random.below(size);
  const auto at = model.begin() + static_cast<ptrdiff_t>(index);
  // Counted from either end.
  const auto signed_index =
      static_cast<int64_t>(index) - (random.below(2) == 0 ? static_cast<int64_t>(size) : 0);
  const uint64_t choice = size == 0 ? random.below(4) : random.below(13);
  List list = f.list();
  ListCursor cursor = ListCursor::at(f.entry(), signed_index);
  switch (choice) {
    case 0:
    case 1:
      f.push(ListEnd::front, text);
      model.push_front(text);
      return;
    case 2:
    case 3:
      f.push(ListEnd::back, text);
      model.push_back(text);
      return;
    case 4:
    case 5:
    case 6:
      RC_ASSERT(text_of(cursor) == *at);
      list.before_growth(1, text.size());
      list.insert(ListCursor::at(f.entry(), signed_index), choice == 4, text);
      model.insert(choice == 4 ? at + 1 : at, text);
      return;
    case 7:
    case 8:
      list.before_growth(1, text.size());
      list.replace(ListCursor::at(f.entry(), signed_index), text);
      *at = text;
      break;
    case 9: {
      const auto after = static_cast<int64_t>(index);
      list.erase(cursor);
      model.erase(at);
      RC_ASSERT(static_cast<bool>(cursor) == (index + 1 < size));
      if (cursor) RC_ASSERT(text_of(cursor) == model[static_cast<size_t>(after)]);
      break;
    }
    case 11: {
      const size_t limit = random.below(4) == 0 ? SIZE_MAX : random.below(5);
      const bool backwards = random.below(2) == 0;
      const std::string wanted = random.below(2) == 0 ? text : *at;
      size_t removed = 0;
      for (size_t i = 0; i < model.size() && removed < limit;) {
        const auto place =
            model.begin() + static_cast<ptrdiff_t>(backwards ? model.size() - 1 - i : i);
        if (*place == wanted) {
          model.erase(place);
          ++removed;
        } else {
          ++i;
        }
      }
      RC_ASSERT(list.remove(wanted, limit, backwards) == removed);
      break;
    }
    case 10:
      list.erase(cursor, true);
      model.erase(at);
      RC_ASSERT(static_cast<bool>(cursor) == (index > 0));
      if (cursor) RC_ASSERT(text_of(cursor) == model[index - 1]);
      break;
    default: {
      const size_t count =
          random.below(random.below(10) == 0 ? size - index + 1 : 4) % (size - index + 1);
      f.erase_range(index, count);
      model.erase(at, at + static_cast<ptrdiff_t>(count));
    }
  }
  f.list().after_shrinking();
}

RC_GTEST_PROP(ListType, AgreesWithADeque, (uint64_t seed)) {
  const int fill = *rc::gen::element(-1, -2, -5, -100, 0, 1, 2, 3, 8, 128, 100000);
  const auto steps = *rc::gen::inRange<size_t>(0, 400);
  const auto largest = *rc::gen::element<uint64_t>(40, 5000, 20000);
  ListFixture f(fill);
  Model model;
  Random random(seed);
  // A good many to begin with, so that there are nodes to cut and merge.
  const auto begin = *rc::gen::inRange<size_t>(0, 600);
  for (size_t i = 0; i < begin; ++i) {
    model.push_back(draw_text(random, largest));
    f.push(ListEnd::back, model.back());
  }
  check(f, model);
  for (size_t i = 0; i < steps; ++i) {
    change(f, model, random, largest);
    if (i % 16 == 0 || i + 1 == steps) check(f, model);
  }
  check(f, model);
}

TEST(ListType, ChangesItsEncodingBothWays) {
  ListFixture f(-2);
  while (f.encoding() == "listpack") f.push(ListEnd::back, "0123456789");
  // 682 elements of 12 bytes are 8191 bytes with the header; one more is too many.
  EXPECT_EQ(list_length(f.entry()), 683u);
  EXPECT_EQ(f.encoding(), "quicklist");
  while (list_length(f.entry()) > 330) {
    f.erase_range(list_length(f.entry()) - 1, 1);
    f.list().after_shrinking();
    EXPECT_EQ(f.encoding(), list_length(f.entry()) > 340 ? "quicklist" : "listpack");
  }
}

TEST(ListType, FewBytesAnElement) {
  ListFixture f(-2);
  constexpr size_t kCount = 1000;
  for (size_t i = 0; i < kCount; ++i) f.push(ListEnd::front, "element:" + std::to_string(i % 100));
  EXPECT_LT(list_outside_bytes(f.entry()), kCount * 13);
}

TEST(ListType, ALargeElementIsTakenOverAndFreed) {
  ListFixture f(-2);
  Blob blob;
  blob.reserve(100'000);
  blob.set_size(100'000);
  std::memset(blob.data(), 'x', blob.size());
  const char* bytes = blob.data();
  List list = f.list();
  list.before_growth(1, blob.size());
  list.push(ListEnd::back, std::string_view(bytes, 100'000), std::move(blob));
  EXPECT_EQ(ListCursor::at(f.entry(), 0).element().text.data(), bytes);
  EXPECT_EQ(list_outside_bytes(f.entry()), f.used());
  list.replace(ListCursor::at(f.entry(), 0), "small");
  list.after_shrinking();
  EXPECT_EQ(f.encoding(), "listpack");
  EXPECT_EQ(contents(f.entry()), Model{"small"});
}

TEST(ListType, ManyEmptyElementsAreNotOneBlock) {
  ListFixture f(-2);
  List list = f.list();
  list.before_growth(1'000'000, 0);
  for (int i = 0; i < 1'000'000; ++i) list.push(ListEnd::front, "");
  EXPECT_EQ(f.encoding(), "quicklist");
  EXPECT_EQ(list_length(f.entry()), 1'000'000u);
}

TEST(ListType, ACopyAndADigestDoNotDependOnTheEncoding) {
  ListFixture small(-2);
  ListFixture nodes(2);
  for (int i = 0; i < 50; ++i) {
    small.push(ListEnd::back, std::to_string(i * 1000));
    nodes.push(ListEnd::back, std::to_string(i * 1000));
  }
  EXPECT_EQ(nodes.encoding(), "quicklist");
  Digest a;
  Digest b;
  digest_list(small.entry(), a);
  digest_list(nodes.entry(), b);
  a.end_element();
  b.end_element();
  EXPECT_EQ(a, b);
  Allocator other;
  void* copy = copy_list(other, nodes.entry());
  EXPECT_EQ(other.used_bytes(), list_outside_bytes(nodes.entry()));
  size_t budget = SIZE_MAX;
  EXPECT_TRUE(free_some_list(other, Encoding::quicklist, copy, budget));
  EXPECT_EQ(other.used_bytes(), 0u);
}

}  // namespace
}  // namespace redoubt
