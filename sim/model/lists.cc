// The list family.
#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

using List = std::deque<std::string>;

constexpr int64_t largest = std::numeric_limits<int64_t>::max();
constexpr std::string_view positive_text = "ERR value is out of range, must be positive";

enum class End : uint8_t { left, right };

// The list of a key; nullptr: none, or `error` says that it is something else.
List* find_list(ModelCall& call, std::string_view key, std::optional<ModelReply>& error) {
  ModelEntry* entry = call.find(key, ModelType::list, error);
  return entry != nullptr ? &*entry->list : nullptr;
}

List& list_of(ModelCall& call, std::string_view key) {
  ModelEntry& entry = call.create(key);
  entry.type = ModelType::list;
  if (!entry.list) {
    entry.list.emplace();
  }
  return *entry.list;
}

void erase_if_empty(ModelCall& call, std::string_view key) {
  const ModelEntry* entry = call.find(key);
  if (entry != nullptr && entry->list->empty()) {
    call.erase(key);
  }
}

std::string bulks(const std::vector<std::string>& texts) {
  std::string bytes = resp_header('*', texts.size());
  for (const std::string& text : texts) {
    bytes += resp_bulk(text);
  }
  return bytes;
}

std::optional<End> end_word(std::string_view word) {
  if (same_word(word, "LEFT")) {
    return End::left;
  }
  if (same_word(word, "RIGHT")) {
    return End::right;
  }
  return std::nullopt;
}

void push(List& list, End end, std::string_view text) {
  end == End::left ? list.emplace_front(text) : list.emplace_back(text);
}

std::string pop(List& list, End end) {
  std::string text = end == End::left ? list.front() : list.back();
  end == End::left ? list.pop_front() : list.pop_back();
  return text;
}

std::vector<std::string> pop_many(List& list, End end, int64_t count) {
  std::vector<std::string> texts;
  while (!list.empty() && static_cast<int64_t>(texts.size()) < count) {
    texts.push_back(pop(list, end));
  }
  return texts;
}

// --- One end -------------------------------------------------------------------------------------

ModelReply push_generic(ModelCall& call, End end, bool only_existing) {
  std::optional<ModelReply> error;
  const List* found = find_list(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (found == nullptr && only_existing) {
    return reply_integer(0);
  }
  List& list = list_of(call, call.argument(1));
  for (size_t i = 2; i < call.count(); i++) {
    push(list, end, call.argument(i));
  }
  return reply_integer(static_cast<int64_t>(list.size()));
}

ModelReply lpush_command(ModelCall& call) {
  return push_generic(call, End::left, false);
}
ModelReply rpush_command(ModelCall& call) {
  return push_generic(call, End::right, false);
}
ModelReply lpushx_command(ModelCall& call) {
  return push_generic(call, End::left, true);
}
ModelReply rpushx_command(ModelCall& call) {
  return push_generic(call, End::right, true);
}

ModelReply pop_generic(ModelCall& call, std::string_view name, End end) {
  if (call.count() > 3) {
    return wrong_arity(name);
  }
  std::optional<int64_t> count;
  if (call.count() == 3) {
    count = parse_integer(call.argument(2));
    if (!count || *count < 0) {
      return reply_error(positive_text);
    }
  }
  std::optional<ModelReply> error;
  List* list = find_list(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (list == nullptr) {
    return count ? null_array_of(call) : call.null();
  }
  const ModelReply reply =
      count ? reply_exact(bulks(pop_many(*list, end, *count))) : reply_bulk(pop(*list, end));
  erase_if_empty(call, call.argument(1));
  return reply;
}

ModelReply lpop_command(ModelCall& call) {
  return pop_generic(call, "lpop", End::left);
}
ModelReply rpop_command(ModelCall& call) {
  return pop_generic(call, "rpop", End::right);
}

// --- Single elements -----------------------------------------------------------------------------

ModelReply llen_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const List* list = find_list(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  return reply_integer(list == nullptr ? 0 : static_cast<int64_t>(list->size()));
}

std::string* element_at(List& list, int64_t index) {
  const auto size = static_cast<int64_t>(list.size());
  if (index < -size || index >= size) {
    return nullptr;
  }
  return &list[static_cast<size_t>(index < 0 ? index + size : index)];
}

ModelReply lindex_command(ModelCall& call) {
  std::optional<ModelReply> error;
  List* list = find_list(call, call.argument(1), error);
  if (list == nullptr) {
    return error ? *error : call.null();
  }
  const std::optional<int64_t> index = parse_integer(call.argument(2));
  if (!index) {
    return reply_error(not_integer_text);
  }
  const std::string* element = element_at(*list, *index);
  return element != nullptr ? reply_bulk(*element) : call.null();
}

ModelReply lset_command(ModelCall& call) {
  std::optional<ModelReply> error;
  List* list = find_list(call, call.argument(1), error);
  if (list == nullptr) {
    return error ? *error : reply_error("ERR no such key");
  }
  const std::optional<int64_t> index = parse_integer(call.argument(2));
  if (!index) {
    return reply_error(not_integer_text);
  }
  std::string* element = element_at(*list, *index);
  if (element == nullptr) {
    return reply_error("ERR index out of range");
  }
  *element = call.argument(3);
  return reply_ok();
}

ModelReply linsert_command(ModelCall& call) {
  const bool after = same_word(call.argument(2), "AFTER");
  if (!after && !same_word(call.argument(2), "BEFORE")) {
    return reply_error(syntax_text);
  }
  std::optional<ModelReply> error;
  List* list = find_list(call, call.argument(1), error);
  if (list == nullptr) {
    return error ? *error : reply_integer(0);
  }
  auto place = std::find(list->begin(), list->end(), call.argument(3));
  if (place == list->end()) {
    return reply_integer(-1);
  }
  list->insert(after ? place + 1 : place, std::string(call.argument(4)));
  return reply_integer(static_cast<int64_t>(list->size()));
}

// --- Ranges and searches -------------------------------------------------------------------------

// The elements that stay or are shown: those whose index is within, counted from either end.
bool within(int64_t index, int64_t size, int64_t start, int64_t stop) {
  const int64_t first = start < 0 ? start + size : start;
  const int64_t last = stop < 0 ? stop + size : stop;
  return index >= first && index <= last;
}

template <typename Use>
ModelReply with_range(ModelCall& call, ModelReply when_missing, Use use) {
  const std::optional<int64_t> start = parse_integer(call.argument(2));
  const std::optional<int64_t> stop = parse_integer(call.argument(3));
  if (!start || !stop) {
    return reply_error(not_integer_text);
  }
  std::optional<ModelReply> error;
  List* list = find_list(call, call.argument(1), error);
  if (list == nullptr) {
    return error ? *error : when_missing;
  }
  std::vector<std::string> inside;
  const auto size = static_cast<int64_t>(list->size());
  for (int64_t i = 0; i < size; i++) {
    if (within(i, size, *start, *stop)) {
      inside.push_back((*list)[static_cast<size_t>(i)]);
    }
  }
  return use(*list, inside);
}

ModelReply lrange_command(ModelCall& call) {
  return with_range(
      call, reply_exact(bulks({})),
      [](List&, const std::vector<std::string>& inside) { return reply_exact(bulks(inside)); });
}

ModelReply ltrim_command(ModelCall& call) {
  const ModelReply reply =
      with_range(call, reply_ok(), [](List& list, const std::vector<std::string>& inside) {
        list.assign(inside.begin(), inside.end());
        return reply_ok();
      });
  const ModelEntry* entry = call.find(call.argument(1));
  if (entry != nullptr && entry->type == ModelType::list) {
    erase_if_empty(call, call.argument(1));
  }
  return reply;
}

// A rank whose sign is a direction.
std::optional<int64_t> signed_rank(std::string_view text, ModelReply& error) {
  const std::optional<int64_t> count = parse_integer(text);
  if (!count) {
    error = reply_error(not_integer_text);
  } else if (*count < -largest) {
    error = reply_error(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
    return std::nullopt;
  }
  return count;
}

ModelReply lrem_command(ModelCall& call) {
  std::optional<int64_t> count = parse_integer(call.argument(2));
  if (!count) {
    return reply_error(not_integer_text);
  }
  count = std::max(*count, -largest);
  std::optional<ModelReply> error;
  List* list = find_list(call, call.argument(1), error);
  if (list == nullptr) {
    return error ? *error : reply_integer(0);
  }
  if (*count < 0) {
    std::reverse(list->begin(), list->end());
  }
  const int64_t limit = *count == 0 ? largest : std::abs(*count);
  int64_t removed = 0;
  List kept;
  for (const std::string& element : *list) {
    if (removed < limit && element == call.argument(3)) {
      removed++;
    } else {
      kept.push_back(element);
    }
  }
  if (*count < 0) {
    std::reverse(kept.begin(), kept.end());
  }
  *list = std::move(kept);
  erase_if_empty(call, call.argument(1));
  return reply_integer(removed);
}

struct PositionOptions {
  int64_t rank = 1;
  std::optional<int64_t> count;
  int64_t length = 0;
};

std::optional<ModelReply> take_position_options(const ModelCall& call, PositionOptions& options) {
  for (size_t i = 3; i < call.count(); i += 2) {
    const std::string_view word = call.argument(i);
    if (i + 1 == call.count() ||
        (!same_word(word, "RANK") && !same_word(word, "COUNT") && !same_word(word, "MAXLEN"))) {
      return reply_error(syntax_text);
    }
    if (same_word(word, "RANK")) {
      ModelReply bad;
      const std::optional<int64_t> rank = signed_rank(call.argument(i + 1), bad);
      if (!rank) {
        return bad;
      }
      if (*rank == 0) {
        return reply_error(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or "
            "use negative to start from the end of the list");
      }
      options.rank = *rank;
      continue;
    }
    const bool is_count = same_word(word, "COUNT");
    const std::optional<int64_t> value = parse_integer(call.argument(i + 1));
    if (!value || *value < 0) {
      return reply_error(is_count ? "ERR COUNT can't be negative" : "ERR MAXLEN can't be negative");
    }
    is_count ? options.count = *value : options.length = *value;
  }
  return std::nullopt;
}

ModelReply lpos_command(ModelCall& call) {
  PositionOptions options;
  if (std::optional<ModelReply> error = take_position_options(call, options)) {
    return *error;
  }
  std::optional<ModelReply> error;
  const List* list = find_list(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  std::vector<int64_t> positions;
  const int64_t size = list == nullptr ? 0 : static_cast<int64_t>(list->size());
  int64_t matches = 0;
  for (int64_t step = 0; step < size && (options.length == 0 || step < options.length); step++) {
    const int64_t i = options.rank > 0 ? step : size - 1 - step;
    if ((*list)[static_cast<size_t>(i)] == call.argument(2)) {
      matches++;
      if (matches >= std::abs(options.rank)) {
        positions.push_back(i);
      }
    }
  }
  if (!options.count) {
    return positions.empty() ? call.null() : reply_integer(positions[0]);
  }
  if (*options.count != 0 && static_cast<int64_t>(positions.size()) > *options.count) {
    positions.resize(static_cast<size_t>(*options.count));
  }
  std::string bytes = resp_header('*', positions.size());
  for (const int64_t position : positions) {
    bytes += resp_integer(position);
  }
  return reply_exact(bytes);
}

// --- Between lists -------------------------------------------------------------------------------

// nullopt: there is nothing to move.
std::optional<ModelReply> move_element(ModelCall& call, End from, End to) {
  std::optional<ModelReply> error;
  List* source = find_list(call, call.argument(1), error);
  if (source == nullptr) {
    return error;
  }
  find_list(call, call.argument(2), error);
  if (error) {
    return error;
  }
  const std::string text = pop(*source, from);
  push(list_of(call, call.argument(2)), to, text);
  erase_if_empty(call, call.argument(1));
  return reply_bulk(text);
}

ModelReply lmove_generic(ModelCall& call, bool waits) {
  const std::optional<End> from = end_word(call.argument(3));
  const std::optional<End> to = end_word(call.argument(4));
  if (!from || !to) {
    return reply_error(syntax_text);
  }
  if (waits) {
    if (std::optional<ModelReply> error = bad_timeout(call, call.argument(5))) {
      return *error;
    }
  }
  if (std::optional<ModelReply> moved = move_element(call, *from, *to)) {
    return *moved;
  }
  return waits ? wait_in_vain(call, call.null()) : call.null();
}

ModelReply lmove_command(ModelCall& call) {
  return lmove_generic(call, false);
}
ModelReply blmove_command(ModelCall& call) {
  return lmove_generic(call, true);
}
ModelReply rpoplpush_command(ModelCall& call) {
  return move_element(call, End::right, End::left).value_or(call.null());
}
ModelReply brpoplpush_command(ModelCall& call) {
  if (std::optional<ModelReply> error = bad_timeout(call, call.argument(3))) {
    return *error;
  }
  return move_element(call, End::right, End::left).value_or(wait_in_vain(call, call.null()));
}

// Takes elements off one list and puts them on another, in the order of `OBO` or `BULK`.
std::string move_many(ModelCall& call, End from, End to, int64_t count, bool bulk) {
  List* source = &*call.find(call.argument(1))->list;
  List block;
  for (const std::string& text : pop_many(*source, from, count)) {
    push(block, (bulk ? from == End::right : to == End::left) ? End::left : End::right, text);
  }
  List& target = list_of(call, call.argument(2));
  target.insert(to == End::left ? target.begin() : target.end(), block.begin(), block.end());
  erase_if_empty(call, call.argument(1));
  return bulks({block.begin(), block.end()});
}

ModelReply lmovem_generic(ModelCall& call, bool waits) {
  const std::optional<End> from = end_word(call.argument(3));
  const std::optional<End> to = end_word(call.argument(4));
  if (!from || !to) {
    return reply_error(syntax_text);
  }
  if (waits) {
    if (std::optional<ModelReply> error = bad_timeout(call, call.argument(5))) {
      return *error;
    }
  }
  const size_t at = waits ? 6 : 5;
  int64_t count = 1;
  bool exactly = false;
  bool bulk = false;
  if (call.count() > at) {
    exactly = same_word(call.argument(at), "EXACTLY");
    if ((!exactly && !same_word(call.argument(at), "COUNT")) || call.count() != at + 3) {
      return reply_error(syntax_text);
    }
    count = parse_integer(call.argument(at + 1)).value_or(0);
    if (count < 1) {
      return reply_error("ERR count should be greater than 0");
    }
    bulk = same_word(call.argument(at + 2), "BULK");
    if (!bulk && !same_word(call.argument(at + 2), "OBO")) {
      return reply_error(syntax_text);
    }
  }
  std::optional<ModelReply> error;
  const List* source = find_list(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (source == nullptr || (exactly && static_cast<int64_t>(source->size()) < count)) {
    if (waits) {
      return wait_in_vain(call, null_array_of(call));
    }
    return null_array_of(call);
  }
  find_list(call, call.argument(2), error);
  return error ? *error : reply_exact(move_many(call, *from, *to, count, bulk));
}

ModelReply lmovem_command(ModelCall& call) {
  return lmovem_generic(call, false);
}
ModelReply blmovem_command(ModelCall& call) {
  return lmovem_generic(call, true);
}

ModelReply mpop_generic(ModelCall& call, size_t at) {
  const std::optional<int64_t> keys = parse_integer(call.argument(at));
  if (!keys || *keys < 1) {
    return reply_error("ERR numkeys should be greater than 0");
  }
  if (*keys >= static_cast<int64_t>(call.count() - at - 1)) {
    return reply_error(syntax_text);
  }
  size_t next = at + 1 + static_cast<size_t>(*keys);
  const std::optional<End> end = end_word(call.argument(next++));
  if (!end) {
    return reply_error(syntax_text);
  }
  std::optional<int64_t> count;
  for (; next < call.count(); next += 2) {
    if (count || !same_word(call.argument(next), "COUNT") || next + 1 == call.count()) {
      return reply_error(syntax_text);
    }
    count = parse_integer(call.argument(next + 1));
    if (!count || *count < 1) {
      return reply_error("ERR count should be greater than 0");
    }
  }
  if (at == 2) {
    if (std::optional<ModelReply> error = bad_timeout(call, call.argument(1))) {
      return *error;
    }
  }
  for (size_t i = at + 1; i <= at + static_cast<size_t>(*keys); i++) {
    std::optional<ModelReply> error;
    List* list = find_list(call, call.argument(i), error);
    if (error) {
      return *error;
    }
    if (list != nullptr) {
      const std::string bytes = bulks(pop_many(*list, *end, count.value_or(1)));
      erase_if_empty(call, call.argument(i));
      return reply_exact(resp_header('*', 2) + resp_bulk(call.argument(i)) + bytes);
    }
  }
  return at == 2 ? wait_in_vain(call, null_array_of(call)) : null_array_of(call);
}

ModelReply lmpop_command(ModelCall& call) {
  return mpop_generic(call, 1);
}
ModelReply blmpop_command(ModelCall& call) {
  return mpop_generic(call, 2);
}

ModelReply bpop_generic(ModelCall& call, End end) {
  if (std::optional<ModelReply> error = bad_timeout(call, call.argument(call.count() - 1))) {
    return *error;
  }
  for (size_t i = 1; i + 1 < call.count(); i++) {
    std::optional<ModelReply> error;
    List* list = find_list(call, call.argument(i), error);
    if (error) {
      return *error;
    }
    if (list != nullptr) {
      const std::string text = pop(*list, end);
      erase_if_empty(call, call.argument(i));
      return reply_exact(bulks({std::string(call.argument(i)), text}));
    }
  }
  return wait_in_vain(call, null_array_of(call));
}

ModelReply blpop_command(ModelCall& call) {
  return bpop_generic(call, End::left);
}
ModelReply brpop_command(ModelCall& call) {
  return bpop_generic(call, End::right);
}

constexpr ModelCommand list_table[] = {
    {"blmove", 6, blmove_command, true},   {"blmovem", -6, blmovem_command, true},
    {"blmpop", -5, blmpop_command, false}, {"blpop", -3, blpop_command, false},
    {"brpop", -3, brpop_command, false},   {"brpoplpush", 4, brpoplpush_command, true},
    {"lindex", 3, lindex_command, false},  {"linsert", 5, linsert_command, true},
    {"llen", 2, llen_command, false},      {"lmove", 5, lmove_command, true},
    {"lmovem", -5, lmovem_command, true},  {"lmpop", -4, lmpop_command, false},
    {"lpop", -2, lpop_command, false},     {"lpos", -3, lpos_command, false},
    {"lpush", -3, lpush_command, true},    {"lpushx", -3, lpushx_command, true},
    {"lrange", 4, lrange_command, false},  {"lrem", 4, lrem_command, false},
    {"lset", 4, lset_command, true},       {"ltrim", 4, ltrim_command, false},
    {"rpop", -2, rpop_command, false},     {"rpoplpush", 3, rpoplpush_command, true},
    {"rpush", -3, rpush_command, true},    {"rpushx", -3, rpushx_command, true},
};

}  // namespace

std::span<const ModelCommand> list_commands() {
  return list_table;
}

}  // namespace redoubt::sim
