// What the files of the list family share.
#pragma once

#include <optional>
#include <string_view>

#include "engine/commands/element.h"
#include "engine/dispatch/context.h"
#include "engine/store/list_type.h"

namespace redoubt {

// The list of an entry, for changing it.
inline List list_of(Context& c, Entry& entry) {
  return {c.db().allocator(), entry, c.settings().list_max_listpack_size};
}

// So many elements, beginning at the cursor.
void reply_elements(ReplyWriter& reply, ListCursor cursor, size_t count, bool backwards);

inline int64_t index_of(ListEnd end) {
  return end == ListEnd::front ? 0 : -1;
}
inline std::string_view pop_event(ListEnd end) {
  return end == ListEnd::front ? "lpop" : "rpop";
}
inline std::string_view push_event(ListEnd end) {
  return end == ListEnd::front ? "lpush" : "rpush";
}

// LEFT or RIGHT. Replies with an error when the argument is neither.
std::optional<ListEnd> end_argument(Context& c, size_t index);

// Where elements are taken from, and where they go.
struct ListEnds {
  ListEnd from = ListEnd::back;
  ListEnd to = ListEnd::front;
};
// Two arguments, the same way.
std::optional<ListEnds> ends_arguments(Context& c, size_t index);

// Replies with the first or last element of a list that has one, and removes it.
void pop_element(Context& c, std::string_view key, Entry& entry, ListEnd end);
// The same for as many elements as there are, up to `count`, as an array; returns their number.
size_t pop_elements(Context& c, std::string_view key, Entry& entry, ListEnd end, size_t count);

// A new entry, with an empty list.
Entry* make_list(Context& c, std::string_view key);

// What was cut off a list is freed when there is time.
void discard(Context& c, Quicklist* cut);

}  // namespace redoubt
