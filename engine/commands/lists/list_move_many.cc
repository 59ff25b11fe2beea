// Lists: LMOVEM and BLMOVEM, which move several elements at once.
//
// The elements are taken off the source as a block and put on the destination as a block, whose
// order is that of moving one by one (OBO) or that of the source (BULK). So for a list that is
// source and destination, too: with OBO at one end the block is reversed, with BULK nothing moves.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/lists/list.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

struct BlockMove {
  ListEnds ends;
  size_t count = 1;
  bool exactly = false;  // all of them, or none
  bool in_order = false;
  size_t options = 0;  // where the first option is; the end of the arguments when there is none
};

// [COUNT n | EXACTLY n OBO | BULK] from an argument on. False, after an error.
bool read_how_many(Context& c, size_t first, BlockMove& move) {
  move.options = first;
  if (first == c.args.size()) return true;
  move.exactly = c.is(first, "EXACTLY");
  if ((!move.exactly && !c.is(first, "COUNT")) || first + 3 != c.args.size()) {
    c.syntax_error();
    return false;
  }
  const std::optional<int64_t> count = c.integer_between(
      first + 1, 1, std::numeric_limits<int64_t>::max(), "ERR count should be greater than 0");
  if (!count) return false;
  move.count = static_cast<size_t>(*count);
  move.in_order = c.is(first + 2, "BULK");
  if (move.in_order || c.is(first + 2, "OBO")) return true;
  c.syntax_error();
  return false;
}

std::string text_of(const Listpack::Element& element) {
  return std::string(element.is_number ? IntegerText(element.number).view() : element.text);
}

// The elements at one end, the outermost first.
std::vector<std::string> copy_end(const Entry& entry, ListEnd end, size_t count) {
  std::vector<std::string> texts;
  texts.reserve(count);
  ListCursor cursor = ListCursor::at(entry, index_of(end));
  for (; texts.size() < count; end == ListEnd::front ? cursor.next() : cursor.previous()) {
    texts.push_back(text_of(cursor.element()));
  }
  return texts;
}

// Puts a block on a list, from left to right as it will be there.
void push_block(Context& c, Entry& entry, ListEnd end, const std::vector<std::string>& block) {
  List list = list_of(c, entry);
  size_t bytes = 0;
  for (const std::string& text : block) bytes += text.size();
  list.before_growth(block.size(), bytes);
  if (end == ListEnd::back) {
    for (const std::string& text : block) list.push(end, text);
  } else {
    for (auto text = block.rbegin(); text != block.rend(); ++text) list.push(end, *text);
  }
}

void move_block(Context& c, Entry& source_entry, const BlockMove& move) {
  const std::string_view source = c.args[1];
  const std::string_view destination = c.args[2];
  const bool same = source == destination;
  Entry* target = same ? &source_entry : c.write(destination);
  if (c.wrong_type(target, Type::list)) return;

  List popped = list_of(c, source_entry);
  const size_t size = popped.size();
  const size_t count = std::min(move.count, size);
  const ListEnd from = move.ends.from;
  std::vector<std::string> block = copy_end(source_entry, from, count);
  discard(c, popped.erase_range(from == ListEnd::front ? 0 : size - count, count));
  // From left to right: the outermost is the first of a block from the front, and the first to be
  // moved is the innermost of what is put in front.
  const bool reversed = move.in_order ? from == ListEnd::back : move.ends.to == ListEnd::front;
  if (reversed) std::reverse(block.begin(), block.end());
  if (target == nullptr) target = make_list(c, destination);
  push_block(c, *target, move.ends.to, block);
  c.env().count_work(2 * count);

  c.reply.array(count);
  for (const std::string& text : block) c.reply.bulk(text);
  c.modified(destination, 'l', push_event(move.ends.to));
  c.modified(source, 'l', pop_event(from));
  if (!same && count == size) {
    c.remove_empty(source);
  } else {
    popped.after_shrinking();
  }
}

// The source, when it has as many elements as are to be moved. Null after an error, too.
Entry* find_source(Context& c, const BlockMove& move) {
  Entry* entry = c.write(c.args[1]);
  if (entry == nullptr || c.wrong_type(entry, Type::list)) return nullptr;
  return move.exactly && list_length(*entry) < move.count ? nullptr : entry;
}

std::optional<BlockMove> move_arguments(Context& c) {
  const std::optional<ListEnds> ends = ends_arguments(c, 3);
  if (!ends) return std::nullopt;
  BlockMove move;
  move.ends = *ends;
  return move;
}

void lmovem_command(Context& c) {
  std::optional<BlockMove> move = move_arguments(c);
  if (!move || !read_how_many(c, 5, *move)) return;
  if (Entry* entry = find_source(c, *move)) {
    move_block(c, *entry, *move);
  } else if (!c.failed()) {
    c.reply.null_array();
  }
}

void blmovem_command(Context& c) {
  std::optional<BlockMove> move = move_arguments(c);
  if (!move) return;
  const std::optional<Instant> deadline = c.timeout(5);
  if (!deadline || !read_how_many(c, 6, *move)) return;
  Entry* entry = find_source(c, *move);
  if (c.failed()) return;
  if (entry == nullptr) {
    c.block(Type::list, 1, 2, *deadline, BlockReply::null_array);
    return;
  }
  move_block(c, *entry, *move);
  if (!c.changed()) return;
  std::vector<std::string_view> effect(c.args.begin(), c.args.begin() + 5);
  effect[0] = "LMOVEM";
  effect.insert(effect.end(), c.args.begin() + static_cast<std::ptrdiff_t>(move->options),
                c.args.end());
  c.effect(effect);
}

constexpr Command list_move_many_rows[] = {
    {.name = "blmovem",
     .arity = -6,
     .flags = kWrite | kDenyOom | kBlocking,
     .categories = kCatList,
     .keys = {{keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1), keys_at(kKeyRW | kKeyInsert, 2)}},
     .since = "8.10.0",
     .group = "list",
     .complexity = "O(N) where N is the number of elements moved.",
     .summary = "Move elements from a list to another and return them, all at once or one by one; "
                "or block until there are enough",
     .arguments = "source:key destination:key#1 wherefrom:<left(LEFT)|right(RIGHT)> "
                  "whereto:<left(LEFT)|right(RIGHT)> timeout:double "
                  "[how-many:{selector:<count:integer(COUNT)|exactly:integer(EXACTLY)> "
                  "ordering:<obo(OBO)|bulk(BULK)>}]",
     .handler = blmovem_command},
    {.name = "lmovem",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .categories = kCatList,
     .keys = {{keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1), keys_at(kKeyRW | kKeyInsert, 2)}},
     .since = "8.10.0",
     .group = "list",
     .complexity = "O(N) where N is the number of elements moved.",
     .summary = "Move elements from a list to another and return them, all at once or one by one",
     .arguments = "source:key destination:key#1 wherefrom:<left(LEFT)|right(RIGHT)> "
                  "whereto:<left(LEFT)|right(RIGHT)> "
                  "[how-many:{selector:<count:integer(COUNT)|exactly:integer(EXACTLY)> "
                  "ordering:<obo(OBO)|bulk(BULK)>}]",
     .handler = lmovem_command},
};

}  // namespace

std::span<const Command> list_move_many_commands() {
  return list_move_many_rows;
}

}  // namespace redoubt
