// Lists: both ends, and single elements.
#include "engine/commands/lists/list.h"

#include <algorithm>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"

namespace redoubt {

// --- shared by the family

void reply_elements(ReplyWriter& reply, ListCursor cursor, size_t count, bool backwards) {
  for (; count > 0; --count) {
    reply_element(reply, cursor.element());
    backwards ? cursor.previous() : cursor.next();
  }
}

std::optional<ListEnd> end_argument(Context& c, size_t index) {
  if (c.is(index, "LEFT")) return ListEnd::front;
  if (c.is(index, "RIGHT")) return ListEnd::back;
  c.syntax_error();
  return std::nullopt;
}

Entry* make_list(Context& c, std::string_view key) {
  return c.db().insert_value(key, c.hash(key), Type::list, Encoding::listpack,
                             Listpack::make(c.db().allocator()));
}

void discard(Context& c, Quicklist* cut) {
  if (cut == nullptr) return;
  c.db().remains().discard(Type::list, Encoding::quicklist, cut, cut->counted_bytes);
}

void pop_element(Context& c, std::string_view key, Entry& entry, ListEnd end) {
  ListCursor cursor = ListCursor::at(entry, index_of(end));
  reply_element(c.reply, cursor.element());
  c.modified(key, 'l', pop_event(end));
  List list = list_of(c, entry);
  if (list.size() == 1) {
    c.remove_empty(key);
    return;
  }
  list.erase(cursor);
  list.after_shrinking();
}

size_t pop_elements(Context& c, std::string_view key, Entry& entry, ListEnd end, size_t count) {
  List list = list_of(c, entry);
  const size_t size = list.size();
  count = std::min(count, size);
  c.reply.array(count);
  reply_elements(c.reply, ListCursor::at(entry, index_of(end)), count, end == ListEnd::back);
  c.env().count_work(count);
  if (count == 0) return 0;
  c.modified(key, 'l', pop_event(end));
  if (count == size) {
    c.remove_empty(key);
    return count;
  }
  discard(c, list.erase_range(end == ListEnd::front ? 0 : size - count, count));
  list.after_shrinking();
  return count;
}

namespace {

// --- LPUSH, RPUSH, LPUSHX, RPUSHX

void push_elements(Context& c, ListEnd end, bool only_existing) {
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::list)) return;
  if (entry == nullptr) {
    if (only_existing) {
      c.reply.integer(0);
      return;
    }
    entry = make_list(c, key);
  }
  List list = list_of(c, *entry);
  size_t bytes = 0;
  for (const std::string_view element : c.args.subspan(2)) bytes += element.size();
  list.before_growth(c.args.size() - 2, bytes);
  for (size_t i = 2; i < c.args.size(); ++i) {
    const std::string_view element = c.args[i];
    list.push(end, element, list.is_large(element.size()) ? c.take_blob(i) : Blob{});
  }
  c.reply.integer(static_cast<int64_t>(list.size()));
  c.modified(key, 'l', push_event(end));
}

void lpush_command(Context& c) {
  push_elements(c, ListEnd::front, false);
}
void rpush_command(Context& c) {
  push_elements(c, ListEnd::back, false);
}
void lpushx_command(Context& c) {
  push_elements(c, ListEnd::front, true);
}
void rpushx_command(Context& c) {
  push_elements(c, ListEnd::back, true);
}

// --- LPOP, RPOP

void pop_command(Context& c, ListEnd end) {
  if (c.args.size() > 3) {
    c.error(end == ListEnd::front ? "ERR wrong number of arguments for 'lpop' command"
                                  : "ERR wrong number of arguments for 'rpop' command");
    return;
  }
  std::optional<int64_t> count;
  if (!read_pop_count(c, count)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (entry == nullptr) {
    count ? c.reply.null_array() : c.reply.null();
    return;
  }
  if (c.wrong_type(entry, Type::list)) return;
  if (count) {
    pop_elements(c, key, *entry, end, static_cast<size_t>(*count));
  } else {
    pop_element(c, key, *entry, end);
  }
}

void lpop_command(Context& c) {
  pop_command(c, ListEnd::front);
}
void rpop_command(Context& c) {
  pop_command(c, ListEnd::back);
}

// --- LLEN, LINDEX, LSET, LINSERT

void llen_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::list)) return;
  c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(list_length(*entry)));
}

void lindex_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (entry == nullptr) {
    c.reply.null();
    return;
  }
  if (c.wrong_type(entry, Type::list)) return;
  const std::optional<int64_t> index = c.integer(2);
  if (!index) return;
  const ListCursor cursor = ListCursor::at(*entry, *index);
  cursor ? reply_element(c.reply, cursor.element()) : c.reply.null();
}

void lset_command(Context& c) {
  const std::string_view key = c.args[1];
  const std::string_view element = c.args[3];
  Entry* entry = c.write(key);
  if (entry == nullptr) {
    c.error("ERR no such key");
    return;
  }
  if (c.wrong_type(entry, Type::list)) return;
  const std::optional<int64_t> index = c.integer(2);
  if (!index) return;
  List list = list_of(c, *entry);
  if (!ListCursor::at(*entry, *index)) {
    c.error("ERR index out of range");
    return;
  }
  list.before_growth(1, element.size());
  list.replace(ListCursor::at(*entry, *index), element,
               list.is_large(element.size()) ? c.take_blob(3) : Blob{});
  list.after_shrinking();
  c.reply.ok();
  c.modified(key, 'l', "lset");
}

void linsert_command(Context& c) {
  const bool after = c.is(2, "AFTER");
  if (!after && !c.is(2, "BEFORE")) {
    c.syntax_error();
    return;
  }
  const std::string_view key = c.args[1];
  const std::string_view element = c.args[4];
  Entry* entry = entry_or_reply_zero(c, key, Type::list);
  if (entry == nullptr) return;
  List list = list_of(c, *entry);
  list.before_growth(1, element.size());
  const Listpack::Wanted pivot(c.args[3]);
  ListCursor cursor = ListCursor::at(*entry, 0);
  size_t walked = 0;
  for (; cursor && !pivot.is(cursor.element()); cursor.next()) ++walked;
  c.env().count_work(walked);
  if (!cursor) {
    c.reply.integer(-1);
    return;
  }
  list.insert(cursor, after, element, list.is_large(element.size()) ? c.take_blob(4) : Blob{});
  c.reply.integer(static_cast<int64_t>(list.size()));
  c.modified(key, 'l', "linsert");
}

// What LPOP and RPOP have in common.
constexpr Command pop_row(Command row) {
  row.arity = -2;
  row.flags = kWrite | kFast;
  row.categories = kCatList;
  row.keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1)};
  row.since = "1.0.0";
  row.group = "list";
  row.complexity = "O(N) where N is the number of elements returned";
  row.arguments = "key:key [count:integer@6.2.0]";
  row.history = "6.2.0: Added the `count` argument.";
  return row;
}

// What the commands that push have in common.
constexpr Command push_row(Command row) {
  row.arity = -3;
  row.flags = kWrite | kDenyOom | kFast;
  row.categories = kCatList;
  row.keys = {keys_at(kKeyRW | kKeyInsert, 1)};
  row.group = "list";
  row.complexity = kOnceForEachAdded;
  row.arguments = "key:key element:string...";
  return row;
}

constexpr Command list_rows[] = {
    {.name = "lindex",
     .arity = 3,
     .flags = kReadOnly,
     .categories = kCatList,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N) where N is the number of elements to traverse to get to the element at "
                   "index. This makes asking for the first or the last element of the list O(1).",
     .summary = "Get an element from a list by its index",
     .arguments = "key:key index:integer",
     .handler = lindex_command},
    {.name = "linsert",
     .arity = 5,
     .flags = kWrite | kDenyOom,
     .categories = kCatList,
     .keys = {keys_at(kKeyRW | kKeyInsert, 1)},
     .since = "2.2.0",
     .group = "list",
     .complexity = "O(N) where N is the number of elements to traverse before seeing the value "
                   "pivot. This means that inserting somewhere on the left end on the list (head) "
                   "can be considered O(1) and inserting somewhere on the right end (tail) is "
                   "O(N).",
     .summary = "Insert an element before or after another element in a list",
     .arguments = "key:key where:<before(BEFORE)|after(AFTER)> pivot:string element:string",
     .handler = linsert_command},
    {.name = "llen",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatList,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(1)",
     .summary = "Get the length of a list",
     .arguments = "key:key",
     .handler = llen_command},
    pop_row({.name = "lpop",
             .summary = "Remove and get the first elements in a list",
             .handler = lpop_command}),
    push_row({.name = "lpush",
              .since = "1.0.0",
              .summary = "Prepend one or multiple elements to a list",
              .history = "2.4.0: Accepts multiple `element` arguments.",
              .handler = lpush_command}),
    push_row({.name = "lpushx",
              .since = "2.2.0",
              .summary = "Prepend an element to a list, only if the list exists",
              .history = "4.0.0: Accepts multiple `element` arguments.",
              .handler = lpushx_command}),
    {.name = "lset",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .categories = kCatList,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N) where N is the length of the list. Setting either the first or the last "
                   "element of the list is O(1).",
     .summary = "Set the value of an element in a list by its index",
     .arguments = "key:key index:integer element:string",
     .handler = lset_command},
    pop_row({.name = "rpop",
             .summary = "Remove and get the last elements in a list",
             .handler = rpop_command}),
    push_row({.name = "rpush",
              .since = "1.0.0",
              .summary = "Append one or multiple elements to a list",
              .history = "2.4.0: Accepts multiple `element` arguments.",
              .handler = rpush_command}),
    push_row({.name = "rpushx",
              .since = "2.2.0",
              .summary = "Append an element to a list, only if the list exists",
              .history = "4.0.0: Accepts multiple `element` arguments.",
              .handler = rpushx_command}),
};

}  // namespace

std::span<const Command> list_commands() {
  return list_rows;
}

}  // namespace redoubt
