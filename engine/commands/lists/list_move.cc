// Lists: moving elements between lists, popping from the first of several that has any, and waiting
// for that.
//
// A command that waits is executed again as a whole when one of its keys has become a list, so a
// handler holds no state: it either serves or waits. Its effect is that of its relative that does
// not wait.
#include <algorithm>
#include <limits>
#include <string>

#include "engine/commands/families.h"
#include "engine/commands/lists/list.h"
#include "engine/commands/row_texts.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

std::string_view end_word(ListEnd end) {
  return end == ListEnd::front ? "LEFT" : "RIGHT";
}

// --- LMOVE, RPOPLPUSH, BLMOVE, BRPOPLPUSH

// Moves an element of a list that has one to the list of another key, or of the same.
void move_element(Context& c, Entry& source_entry, ListEnds ends) {
  const std::string_view source = c.args[1];
  const std::string_view destination = c.args[2];
  Entry* target = source == destination ? &source_entry : c.write(destination);
  if (c.wrong_type(target, Type::list)) return;

  List popped = list_of(c, source_entry);
  ListCursor cursor = ListCursor::at(source_entry, index_of(ends.from));
  const Listpack::Element element = cursor.element();
  reply_element(c.reply, element);
  // Out of the list before it changes.
  const std::string text(element.is_number ? IntegerText(element.number).view() : element.text);
  popped.erase(cursor);
  if (target == nullptr) target = make_list(c, destination);
  List pushed = list_of(c, *target);
  pushed.before_growth(1, text.size());
  pushed.push(ends.to, text);
  c.modified(destination, 'l', push_event(ends.to));
  c.modified(source, 'l', pop_event(ends.from));
  if (popped.size() == 0) {
    c.remove_empty(source);
  } else {
    popped.after_shrinking();
  }
}

void move_or_null(Context& c, ListEnds ends) {
  Entry* entry = c.write(c.args[1]);
  if (c.wrong_type(entry, Type::list)) return;
  if (entry == nullptr) {
    c.reply.null();
  } else {
    move_element(c, *entry, ends);
  }
}

void move_or_wait(Context& c, ListEnds ends, size_t timeout_index) {
  const std::optional<Instant> deadline = c.timeout(timeout_index);
  if (!deadline) return;
  Entry* entry = c.write(c.args[1]);
  if (c.wrong_type(entry, Type::list)) return;
  if (entry == nullptr) {
    c.block(Type::list, 1, 2, *deadline, BlockReply::move);
    return;
  }
  move_element(c, *entry, ends);
  if (!c.changed()) return;
  c.effect({"LMOVE", c.args[1], c.args[2], end_word(ends.from), end_word(ends.to)});
}

void lmove_command(Context& c) {
  const std::optional<ListEnds> ends = ends_arguments(c, 3);
  if (ends) move_or_null(c, *ends);
}
void rpoplpush_command(Context& c) {
  move_or_null(c, {});
}
void blmove_command(Context& c) {
  const std::optional<ListEnds> ends = ends_arguments(c, 3);
  if (ends) move_or_wait(c, *ends, 5);
}
void brpoplpush_command(Context& c) {
  move_or_wait(c, {}, 3);
}

// --- LMPOP, BLMPOP

struct ManyPop {
  size_t first_key = 0;
  size_t end_key = 0;
  ListEnd end = ListEnd::front;
  size_t count = 1;
};

// Arguments from the number of keys on.
std::optional<ManyPop> many_pop_arguments(Context& c, size_t index) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const std::optional<int64_t> keys =
      c.integer_between(index, 1, kMax, "ERR numkeys should be greater than 0");
  if (!keys) return std::nullopt;
  ManyPop pop;
  pop.first_key = index + 1;
  if (static_cast<uint64_t>(*keys) >= c.args.size() - pop.first_key) {
    c.syntax_error();
    return std::nullopt;
  }
  pop.end_key = pop.first_key + static_cast<size_t>(*keys);
  const std::optional<ListEnd> end = end_argument(c, pop.end_key);
  if (!end) return std::nullopt;
  pop.end = *end;
  const size_t option = pop.end_key + 1;
  if (option == c.args.size()) return pop;
  // COUNT once, with its value; a wrong value is told before what stands behind it.
  if (!c.is(option, "COUNT") || option + 1 == c.args.size()) {
    c.syntax_error();
    return std::nullopt;
  }
  const std::optional<int64_t> count =
      c.integer_between(option + 1, 1, kMax, "ERR count should be greater than 0");
  if (!count) return std::nullopt;
  if (option + 2 != c.args.size()) {
    c.syntax_error();
    return std::nullopt;
  }
  pop.count = static_cast<size_t>(*count);
  return pop;
}

// Pops from the first list that there is. False: there is none, and no reply yet.
bool pop_first_list(Context& c, const ManyPop& pop) {
  for (size_t i = pop.first_key; i < pop.end_key; ++i) {
    const std::string_view key = c.args[i];
    Entry* entry = c.write(key);
    if (entry == nullptr) continue;
    if (c.wrong_type(entry, Type::list)) return true;
    c.reply.array(2);
    c.reply.bulk(key);
    const size_t count = pop_elements(c, key, *entry, pop.end, pop.count);
    const IntegerText digits(static_cast<int64_t>(count));
    c.effect({pop.end == ListEnd::front ? "LPOP" : "RPOP", key, digits.view()});
    return true;
  }
  return false;
}

void lmpop_command(Context& c) {
  const std::optional<ManyPop> pop = many_pop_arguments(c, 1);
  if (pop && !pop_first_list(c, *pop)) c.reply.null_array();
}

void blmpop_command(Context& c) {
  const std::optional<ManyPop> pop = many_pop_arguments(c, 2);
  if (!pop) return;
  const std::optional<Instant> deadline = c.timeout(1);
  if (!deadline || pop_first_list(c, *pop)) return;
  c.block(Type::list, pop->first_key, pop->end_key, *deadline, BlockReply::null_array);
}

// --- BLPOP, BRPOP

void pop_or_wait(Context& c, ListEnd end) {
  const size_t last = c.args.size() - 1;
  const std::optional<Instant> deadline = c.timeout(last);
  if (!deadline) return;
  for (size_t i = 1; i < last; ++i) {
    const std::string_view key = c.args[i];
    Entry* entry = c.write(key);
    if (entry == nullptr) continue;
    if (c.wrong_type(entry, Type::list)) return;
    c.reply.array(2);
    c.reply.bulk(key);
    pop_element(c, key, *entry, end);
    c.effect({end == ListEnd::front ? "LPOP" : "RPOP", key});
    return;
  }
  c.block(Type::list, 1, last, *deadline, BlockReply::null_array);
}

void blpop_command(Context& c) {
  pop_or_wait(c, ListEnd::front);
}
void brpop_command(Context& c) {
  pop_or_wait(c, ListEnd::back);
}

// What BLPOP and BRPOP have in common.
constexpr Command waiting_pop_row(Command row) {
  row.arity = -3;
  row.flags = kWrite | kNoScript | kBlocking;
  row.categories = kCatList;
  row.keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1, -2)};
  row.since = "2.0.0";
  row.group = "list";
  row.complexity = "O(N) where N is the number of provided keys.";
  row.arguments = "key:key... timeout:double";
  row.history = kTimeoutIsDouble;
  return row;
}

// What the commands that move an element have in common.
constexpr Command move_row(Command row) {
  row.categories = kCatList;
  row.keys = {{keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1), keys_at(kKeyRW | kKeyInsert, 2)}};
  row.group = "list";
  row.complexity = "O(1)";
  return row;
}

// What LMPOP and BLMPOP have in common.
constexpr Command many_keys_row(Command row) {
  row.categories = kCatList;
  row.since = "7.0.0";
  row.group = "list";
  row.complexity =
      "O(N+M) where N is the number of provided keys and M is the number of elements "
      "returned.";
  return row;
}

constexpr std::string_view kWaitingMove =
    "Pop an element from a list, push it to another list and return it; or block until one is "
    "available";

constexpr Command list_move_rows[] = {
    move_row({.name = "blmove",
              .arity = 6,
              .flags = kWrite | kDenyOom | kNoScript | kBlocking,
              .since = "6.2.0",
              .summary = kWaitingMove,
              .arguments = "source:key destination:key#1 wherefrom:<left(LEFT)|right(RIGHT)> "
                           "whereto:<left(LEFT)|right(RIGHT)> timeout:double",
              .handler = blmove_command}),
    many_keys_row({.name = "blmpop",
                   .arity = -5,
                   .flags = kWrite | kBlocking | kMovableKeys,
                   .keys = {counted_keys(kKeyRW | kKeyAccess | kKeyDelete, 2)},
                   .summary = "Pop elements from a list, or block until one is available",
                   .arguments =
                       "timeout:double numkeys:integer key:key... where:<left(LEFT)|right(RIGHT)> "
                       "[count:integer(COUNT)]",
                   .handler = blmpop_command}),
    waiting_pop_row(
        {.name = "blpop",
         .summary = "Remove and get the first element in a list, or block until one is available",
         .handler = blpop_command}),
    waiting_pop_row(
        {.name = "brpop",
         .summary = "Remove and get the last element in a list, or block until one is available",
         .handler = brpop_command}),
    move_row({.name = "brpoplpush",
              .arity = 4,
              .flags = kWrite | kDenyOom | kNoScript | kBlocking,
              .since = "2.2.0",
              .summary = kWaitingMove,
              .arguments = "source:key destination:key#1 timeout:double",
              .history = kTimeoutIsDouble,
              .deprecated = "6.2.0: `BLMOVE` with the `RIGHT` and `LEFT` arguments",
              .handler = brpoplpush_command}),
    move_row({.name = "lmove",
              .arity = 5,
              .flags = kWrite | kDenyOom,
              .since = "6.2.0",
              .summary = "Pop an element from a list, push it to another list and return it",
              .arguments = "source:key destination:key#1 wherefrom:<left(LEFT)|right(RIGHT)> "
                           "whereto:<left(LEFT)|right(RIGHT)>",
              .handler = lmove_command}),
    many_keys_row({.name = "lmpop",
                   .arity = -4,
                   .flags = kWrite | kMovableKeys,
                   .keys = {counted_keys(kKeyRW | kKeyAccess | kKeyDelete, 1)},
                   .summary = "Pop elements from a list",
                   .arguments = "numkeys:integer key:key... where:<left(LEFT)|right(RIGHT)> "
                                "[count:integer(COUNT)]",
                   .handler = lmpop_command}),
    move_row(
        {.name = "rpoplpush",
         .arity = 3,
         .flags = kWrite | kDenyOom,
         .since = "1.2.0",
         .summary = "Remove the last element in a list, prepend it to another list and return it",
         .arguments = "source:key destination:key#1",
         .deprecated = "6.2.0: `LMOVE` with the `RIGHT` and `LEFT` arguments",
         .handler = rpoplpush_command}),
};

}  // namespace

std::optional<ListEnds> ends_arguments(Context& c, size_t index) {
  const std::optional<ListEnd> from = end_argument(c, index);
  if (!from) return std::nullopt;
  const std::optional<ListEnd> to = end_argument(c, index + 1);
  if (!to) return std::nullopt;
  return ListEnds{*from, *to};
}

std::span<const Command> list_move_commands() {
  return list_move_rows;
}

}  // namespace redoubt
