// Lists: ranges and searches.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/lists/list.h"

namespace redoubt {

namespace {

// --- LRANGE, LTRIM

// Elements [first, end) of a list, none when first == end.
struct IndexRange {
  size_t first = 0;
  size_t end = 0;
};

// What two indexes, inclusive, each negative from the end, mean in a list of this size.
IndexRange resolve(int64_t start, int64_t stop, size_t list_size) {
  const auto size = static_cast<int64_t>(list_size);
  if (start < 0) start = std::max<int64_t>(start + size, 0);
  stop = std::min(stop < 0 ? stop + size : stop, size - 1);
  if (start > stop) return {};
  return {static_cast<size_t>(start), static_cast<size_t>(stop) + 1};
}

struct GivenRange {
  int64_t start;
  int64_t stop;
};

std::optional<GivenRange> range_arguments(Context& c) {
  const std::optional<int64_t> start = c.integer(2);
  if (!start) return std::nullopt;
  const std::optional<int64_t> stop = c.integer(3);
  if (!stop) return std::nullopt;
  return GivenRange{*start, *stop};
}

void lrange_command(Context& c) {
  const std::optional<GivenRange> given = range_arguments(c);
  if (!given) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::list)) return;
  if (entry == nullptr) {
    c.reply.array(0);
    return;
  }
  const IndexRange range = resolve(given->start, given->stop, list_length(*entry));
  const size_t count = range.end - range.first;
  c.reply.array(count);
  if (count == 0) return;
  reply_elements(c.reply, ListCursor::at(*entry, static_cast<int64_t>(range.first)), count, false);
  c.env().count_work(count);
}

void ltrim_command(Context& c) {
  const std::optional<GivenRange> given = range_arguments(c);
  if (!given) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::list)) return;
  c.reply.ok();
  if (entry == nullptr) return;
  c.modified(key, 'l', "ltrim");
  List list = list_of(c, *entry);
  const size_t size = list.size();
  const IndexRange range = resolve(given->start, given->stop, size);
  if (range.first == range.end) {
    c.remove_empty(key);
    return;
  }
  discard(c, list.erase_range(range.end, size - range.end));
  discard(c, list.erase_range(0, range.first));
  list.after_shrinking();
}

// --- LREM

void lrem_command(Context& c) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  // The sign is a direction.
  const std::optional<int64_t> count = c.integer(2);
  if (!count) return;
  const std::string_view key = c.args[1];
  Entry* entry = entry_or_reply_zero(c, key, Type::list);
  if (entry == nullptr) return;
  List list = list_of(c, *entry);
  c.env().count_work(list.size());
  const auto limit = static_cast<size_t>(*count == 0 ? kMax : std::abs(std::max(*count, -kMax)));
  const size_t removed = list.remove(c.args[3], limit, *count < 0);
  c.reply.integer(static_cast<int64_t>(removed));
  if (removed == 0) return;
  c.modified(key, 'l', "lrem");
  if (list.size() == 0) {
    c.remove_empty(key);
  } else {
    list.after_shrinking();
  }
}

// --- LPOS

struct LposOptions {
  int64_t rank = 1;
  std::optional<int64_t> count;  // 0: all
  int64_t length_max = 0;        // 0: the whole list
};

bool read_rank(Context& c, size_t index, LposOptions& options) {
  const std::optional<int64_t> rank = c.integer(index);
  if (!rank) return false;
  if (*rank == std::numeric_limits<int64_t>::min()) {
    c.error(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
    return false;
  }
  options.rank = *rank;
  if (*rank != 0) return true;
  c.error(
      "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
      "negative to start from the end of the list");
  return false;
}

bool read_lpos_options(Context& c, LposOptions& options) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  for (size_t i = 3; i < c.args.size(); i += 2) {
    const bool has_value = i + 1 < c.args.size();
    if (c.is(i, "RANK") && has_value) {
      if (!read_rank(c, i + 1, options)) return false;
    } else if (c.is(i, "COUNT") && has_value) {
      options.count = c.integer_between(i + 1, 0, kMax, "ERR COUNT can't be negative");
      if (!options.count) return false;
    } else if (c.is(i, "MAXLEN") && has_value) {
      const std::optional<int64_t> length =
          c.integer_between(i + 1, 0, kMax, "ERR MAXLEN can't be negative");
      if (!length) return false;
      options.length_max = *length;
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

// The positions of the matches that are asked for.
std::vector<int64_t> find_positions(const Entry& entry, std::string_view text,
                                    const LposOptions& options, size_t* walked) {
  const bool backwards = options.rank < 0;
  const int64_t rank = backwards ? -options.rank : options.rank;
  const auto size = static_cast<int64_t>(list_length(entry));
  const int64_t wanted_count = options.count.value_or(1);
  const int64_t end = options.length_max == 0 ? size : std::min(options.length_max, size);
  const Listpack::Wanted wanted(text);
  std::vector<int64_t> positions;
  int64_t matches = 0;
  ListCursor cursor = ListCursor::at(entry, backwards ? -1 : 0);
  int64_t i = 0;
  for (; i < end; ++i, backwards ? cursor.previous() : cursor.next()) {
    if (!wanted.is(cursor.element()) || ++matches < rank) continue;
    positions.push_back(backwards ? size - 1 - i : i);
    if (static_cast<int64_t>(positions.size()) == wanted_count) break;
  }
  *walked = static_cast<size_t>(i);
  return positions;
}

void lpos_command(Context& c) {
  LposOptions options;
  if (!read_lpos_options(c, options)) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::list)) return;
  std::vector<int64_t> positions;
  if (entry != nullptr) {
    size_t walked = 0;
    positions = find_positions(*entry, c.args[2], options, &walked);
    c.env().count_work(walked);
  }
  if (options.count) {
    c.reply.array(positions.size());
    for (const int64_t position : positions) c.reply.integer(position);
  } else if (positions.empty()) {
    c.reply.null();
  } else {
    c.reply.integer(positions[0]);
  }
}

constexpr Command list_range_rows[] = {
    {.name = "lpos",
     .arity = -3,
     .flags = kReadOnly,
     .categories = kCatList,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.0.6",
     .group = "list",
     .complexity = "O(N) where N is the number of elements in the list, for the average case. "
                   "When searching for elements near the head or the tail of the list, or when "
                   "the MAXLEN option is provided, the command may run in constant time.",
     .summary = "Return the index of matching elements on a list",
     .arguments = "key:key element:string [rank:integer(RANK)] [num-matches:integer(COUNT)] "
                  "[len:integer(MAXLEN)]",
     .handler = lpos_command},
    {.name = "lrange",
     .arity = 4,
     .flags = kReadOnly,
     .categories = kCatList,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(S+N) where S is the distance of start offset from HEAD for small lists, "
                   "from nearest end (HEAD or TAIL) for large lists; and N is the number of "
                   "elements in the specified range.",
     .summary = "Get a range of elements from a list",
     .arguments = "key:key start:integer stop:integer",
     .handler = lrange_command},
    {.name = "lrem",
     .arity = 4,
     .flags = kWrite,
     .categories = kCatList,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N+M) where N is the length of the list and M is the number of elements "
                   "removed.",
     .summary = "Remove elements from a list",
     .arguments = "key:key count:integer element:string",
     .handler = lrem_command},
    {.name = "ltrim",
     .arity = 4,
     .flags = kWrite,
     .categories = kCatList,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N) where N is the number of elements to be removed by the operation.",
     .summary = "Trim a list to the specified range",
     .arguments = "key:key start:integer stop:integer",
     .handler = ltrim_command},
};

}  // namespace

std::span<const Command> list_range_commands() {
  return list_range_rows;
}

}  // namespace redoubt
