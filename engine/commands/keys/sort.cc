// SORT and SORT_RO: the elements of a list, a set or a sorted set, in order of themselves or of
// what other keys hold.
//
// A pattern names a key for each element: the element takes the place of its first `*`; behind
// `->` stands a field of a hash. Elements are views into the value until the result is there: a
// look-up may remove another key that has expired, but not the one that is sorted.
#include <algorithm>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/hashes/hash_value.h"
#include "engine/commands/keys/sort_order.h"
#include "engine/commands/lists/list.h"
#include "engine/commands/sets/set_value.h"
#include "engine/store/number.h"
#include "engine/store/string_type.h"
#include "engine/store/zset.h"
#include "net/stable_sort.h"

namespace redoubt {

namespace {

struct SortOptions {
  std::optional<std::string_view> by;
  std::vector<std::string_view> get;
  std::optional<std::string_view> store;
  int64_t offset = 0;
  int64_t count = -1;  // negative: all
  bool descending = false;
  bool alpha = false;
  bool unsorted = false;  // BY a pattern that is the same for all elements
};

bool read_limit(Context& c, size_t index, SortOptions& options) {
  const std::optional<int64_t> offset = c.integer(index);
  if (!offset) return false;
  const std::optional<int64_t> count = c.integer(index + 1);
  if (!count) return false;
  options.offset = *offset;
  options.count = *count;
  return true;
}

bool read_options(Context& c, bool may_store, SortOptions& options) {
  for (size_t i = 2; i < c.args.size(); ++i) {
    const size_t left = c.args.size() - i - 1;
    if (c.is(i, "ASC")) {
      options.descending = false;
    } else if (c.is(i, "DESC")) {
      options.descending = true;
    } else if (c.is(i, "ALPHA")) {
      options.alpha = true;
    } else if (c.is(i, "LIMIT") && left >= 2) {
      if (!read_limit(c, i + 1, options)) return false;
      i += 2;
    } else if (may_store && c.is(i, "STORE") && left >= 1) {
      options.store = c.args[++i];
    } else if (c.is(i, "BY") && left >= 1) {
      options.by = c.args[++i];
      options.unsorted = options.unsorted || options.by->find('*') == std::string_view::npos;
    } else if (c.is(i, "GET") && left >= 1) {
      options.get.push_back(c.args[++i]);
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

// --- patterns

// What a pattern stands for with this element; nothing when it is not there.
std::optional<std::string> look_up(Context& c, const SortOptions& options, std::string_view pattern,
                                   std::string_view element) {
  if (pattern == "#") return std::string(element);
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return std::nullopt;
  std::string_view behind = pattern.substr(star + 1);
  std::string_view field;
  const size_t arrow = behind.find("->");
  if (arrow != std::string_view::npos && arrow + 2 < behind.size()) {
    field = behind.substr(arrow + 2);
    behind = behind.substr(0, arrow);
  }
  std::string key(pattern.substr(0, star));
  key.append(element).append(behind);
  const Entry* entry = c.read(key);
  if (entry == nullptr) return std::nullopt;
  if (field.empty()) {
    if (entry->type() != Type::string) return std::nullopt;
    StringScratch scratch;
    return std::string(string_value(*entry, scratch));
  }
  if (entry->type() != Type::hash) return std::nullopt;
  if (options.store && !c.keys().removal().expire_all_parts(c.db_index(), *entry))
    return std::nullopt;
  const std::optional<HashField> found = HashView(*entry).find(field);
  if (!found || !is_live(*found, c.past_ms())) return std::nullopt;
  return std::string(ElementText(found->value).view());
}

// --- elements

using Element = Listpack::Element;

// The part of the result that is asked for.
struct Window {
  size_t first = 0;
  size_t end = 0;
};

Window window_of(const SortOptions& options, size_t size) {
  const auto whole = static_cast<int64_t>(size);
  const int64_t first = std::clamp<int64_t>(options.offset, 0, whole);
  const int64_t end = options.count < 0 ? whole : first + std::min(options.count, whole - first);
  return {static_cast<size_t>(first), static_cast<size_t>(end)};
}

// The elements of a window, in the value's own order, or backwards, which a set does not know.
std::vector<Element> load(Context& c, const Entry& entry, Window window, bool backwards) {
  std::vector<Element> elements;
  const size_t count = window.end - window.first;
  if (count == 0) return elements;
  elements.reserve(count);
  if (entry.type() == Type::list) {
    const auto first = static_cast<int64_t>(window.first);
    ListCursor cursor = ListCursor::at(entry, backwards ? -1 - first : first);
    while (elements.size() < count) {
      elements.push_back(cursor.element());
      backwards ? cursor.previous() : cursor.next();
    }
  } else if (entry.type() == Type::zset) {
    const ZsetView zset(entry);
    auto cursor = zset.at_rank(backwards ? zset.size() - 1 - window.first : window.first);
    while (elements.size() < count) {
      elements.push_back(cursor.element());
      backwards ? cursor.previous() : cursor.next();
    }
  } else {
    size_t index = 0;
    live_set(c, entry).for_each_while([&](const SetElement& element) {
      if (index++ >= window.first) {
        elements.push_back({element.text, element.number, element.is_number});
      }
      return elements.size() < count;
    });
  }
  return elements;
}

// --- order

// A number as the C library reads it: up to a zero byte, after spaces; nothing is 0.
std::optional<double> score_of(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (text.empty()) return 0;
  const size_t begin = text.find_first_not_of(" \t\n\v\f\r");
  if (begin == std::string_view::npos) return std::nullopt;
  return parse_double(text.substr(begin));
}

std::optional<double> score_of(Context& c, const SortOptions& options, const Element& element) {
  if (options.by) {
    const auto by = look_up(c, options, *options.by, ElementText(element).view());
    return by ? score_of(*by) : 0;
  }
  return element.is_number ? static_cast<double>(element.number) : score_of(element.text);
}

// Below zero: a comes first.
int compare_texts(const Element& a, const Element& b) {
  return ElementText(a).view().compare(ElementText(b).view());
}

// By scores; elements of one score by their texts. False: something is no number.
bool order_by_score(Context& c, const SortOptions& options, std::vector<Element>& elements) {
  std::vector<RankedScore> ranked;
  ranked.reserve(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const std::optional<double> score = score_of(c, options, elements[i]);
    if (!score) return false;
    ranked.push_back({score_key(*score, options.descending), i});
  }
  sort_by_key(ranked);
  for (auto from = ranked.begin(); from != ranked.end();) {
    const auto to = std::find_if(from, ranked.end(),
                                 [&](const RankedScore& other) { return other.key != from->key; });
    if (to - from > 1) {
      std::sort(from, to, [&](const RankedScore& a, const RankedScore& b) {
        const int order = compare_texts(elements[a.index], elements[b.index]);
        if (order == 0) return a.index < b.index;
        return options.descending ? order > 0 : order < 0;
      });
    }
    from = to;
  }
  std::vector<Element> sorted;
  sorted.reserve(elements.size());
  for (const RankedScore& each : ranked) sorted.push_back(elements[each.index]);
  elements.swap(sorted);
  return true;
}

// By texts: their own, or those that the pattern finds; what it does not find comes first.
void order_by_text(Context& c, const SortOptions& options, std::vector<Element>& elements) {
  struct Item {
    Element element;
    std::optional<std::string> by;
  };
  std::vector<Item> items;
  items.reserve(elements.size());
  for (const Element& element : elements) {
    items.push_back({element, {}});
    if (options.by) items.back().by = look_up(c, options, *options.by, ElementText(element).view());
  }
  redoubt::stable_sort(items, [&](const Item& a, const Item& b) {
    const Item& first = options.descending ? b : a;
    const Item& second = options.descending ? a : b;
    if (!options.by) return compare_texts(first.element, second.element) < 0;
    return first.by < second.by;
  });
  for (size_t i = 0; i < items.size(); ++i) elements[i] = items[i].element;
}

// --- results

// Calls give(value) for what is shown of an element: itself, or what the patterns of GET find.
template <typename Give>
void for_each_result(Context& c, const SortOptions& options, const Element& element, Give&& give) {
  for (const std::string_view pattern : options.get) {
    give(look_up(c, options, pattern, ElementText(element).view()));
  }
}

void reply_items(Context& c, const SortOptions& options, std::span<const Element> elements) {
  c.reply.array(elements.size() * std::max<size_t>(options.get.size(), 1));
  for (const Element& element : elements) {
    if (options.get.empty()) reply_element(c.reply, element);
    for_each_result(c, options, element, [&](const std::optional<std::string>& value) {
      value ? c.reply.bulk(*value) : c.reply.null();
    });
  }
}

// A list of these texts under a key, whatever that was.
void store_list(Context& c, std::string_view key, std::span<const std::string> texts) {
  Allocator& allocator = c.db().allocator();
  Entry* entry = c.db().replace_value(key, c.hash(key), Type::list, Encoding::listpack,
                                      Listpack::make(allocator), NewExpiry::none());
  List list = list_of(c, *entry);
  for (const std::string& text : texts) {
    list.before_growth(1, text.size());
    list.push(ListEnd::back, text);
  }
}

// The texts are copied first: what is sorted may be what is replaced.
void store_items(Context& c, const SortOptions& options, std::span<const Element> elements) {
  std::vector<std::string> texts;
  for (const Element& element : elements) {
    if (options.get.empty()) texts.emplace_back(ElementText(element).view());
    for_each_result(c, options, element, [&](const std::optional<std::string>& value) {
      texts.push_back(value.value_or(""));
    });
  }
  const std::string_view key = *options.store;
  c.reply.integer(static_cast<int64_t>(texts.size()));
  if (!texts.empty()) {
    store_list(c, key, texts);
    c.modified(key, 'l', "sortstore");
  } else {
    c.remove_destination(key);
  }
}

// A set has no order of its own that replicas share.
void settle_order(const Entry* entry, SortOptions& options) {
  if (!options.unsorted || !options.store || entry == nullptr || entry->type() != Type::set) return;
  options.unsorted = false;
  options.alpha = true;
  options.by.reset();
}

size_t size_of(Context& c, const Entry* entry) {
  if (entry == nullptr) return 0;
  return entry->type() == Type::set ? live_set(c, *entry).size() : ops_of(*entry).length(*entry);
}

void sort_generic(Context& c, bool may_store) {
  SortOptions options;
  if (!read_options(c, may_store, options)) return;
  const Entry* entry = c.read(c.args[1]);
  if (entry != nullptr && entry->type() != Type::set && entry->type() != Type::zset &&
      c.wrong_type(entry, Type::list)) {
    return;
  }
  if (options.store) entry = without_expired_members(c, entry);
  settle_order(entry, options);
  const size_t size = size_of(c, entry);
  const Window window = window_of(options, size);
  std::vector<Element> elements;
  if (entry != nullptr) {
    const bool backwards = options.unsorted && options.descending;
    elements = load(c, *entry, options.unsorted ? window : Window{0, size}, backwards);
  }
  c.env().count_work(elements.size());
  std::span<const Element> shown(elements);
  if (!options.unsorted) {
    if (options.alpha) {
      order_by_text(c, options, elements);
    } else if (!order_by_score(c, options, elements)) {
      c.error("ERR One or more scores can't be converted into double");
      return;
    }
    shown = std::span<const Element>(elements).subspan(window.first, window.end - window.first);
  }
  if (options.store) {
    store_items(c, options, shown);
  } else {
    reply_items(c, options, shown);
  }
}

void sort_command(Context& c) {
  sort_generic(c, true);
}
void sort_ro_command(Context& c) {
  sort_generic(c, false);
}

// --- keys

bool same_word(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

// The key that is sorted and, of several STOREs, the last one's.
bool find_sort_keys(std::span<const std::string_view> args, std::vector<int>& indexes) {
  indexes.push_back(1);
  int stored = 0;
  for (size_t i = 2; i < args.size(); ++i) {
    if (same_word(args[i], "limit")) {
      i += 2;
    } else if (same_word(args[i], "get") || same_word(args[i], "by")) {
      ++i;
    } else if (same_word(args[i], "store") && i + 1 < args.size()) {
      stored = static_cast<int>(++i);
    }
  }
  if (stored != 0) indexes.push_back(stored);
  return true;
}

bool find_sort_ro_keys(std::span<const std::string_view>, std::vector<int>& indexes) {
  indexes.push_back(1);
  return true;
}

constexpr KeySpec unknown_keys(uint32_t flags, std::string_view notes) {
  KeySpec spec;
  spec.flags = flags;
  spec.begin = KeySpec::Begin::unknown;
  spec.notes = notes;
  return spec;
}

constexpr std::string_view kPatternKeys =
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the "
    "content of the key we sort";

constexpr std::string_view kStoreKey =
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear "
    "anywhere "
    "in the argument array";

constexpr std::string_view kSorting =
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number "
    "of returned elements. When the elements are not sorted, complexity is O(N).";

constexpr Command sort_rows[] = {
    {.name = "sort",
     .arity = -2,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .categories = kCatSet | kCatSortedSet | kCatList | kCatDangerous,
     .keys = {{keys_at(kKeyRO | kKeyAccess, 1), unknown_keys(kKeyRO | kKeyAccess, kPatternKeys),
               unknown_keys(kKeyOW | kKeyUpdate, kStoreKey)}},
     .since = "1.0.0",
     .group = "generic",
     .complexity = kSorting,
     .summary = "Sort the elements in a list, set or sorted set",
     .arguments = "key:key [pattern:pattern#1(BY)] [offset_count:{offset:integer "
                  "count:integer}(LIMIT)] [pattern:pattern#1(GET)*...] "
                  "[order:<asc(ASC)|desc(DESC)>] [sorting(ALPHA)] [destination:key#2(STORE)]",
     .handler = sort_command,
     .find_keys = find_sort_keys},
    {.name = "sort_ro",
     .arity = -2,
     .flags = kReadOnly | kMovableKeys,
     .categories = kCatSet | kCatSortedSet | kCatList | kCatDangerous,
     .keys = {{keys_at(kKeyRO | kKeyAccess, 1), unknown_keys(kKeyRO | kKeyAccess, kPatternKeys)}},
     .since = "7.0.0",
     .group = "generic",
     .complexity = kSorting,
     .summary = "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
     .arguments = "key:key [pattern:pattern#1(BY)] [offset_count:{offset:integer "
                  "count:integer}(LIMIT)] [pattern:pattern#1(GET)*...] "
                  "[order:<asc(ASC)|desc(DESC)>] [sorting(ALPHA)]",
     .handler = sort_ro_command,
     .find_keys = find_sort_ro_keys},
};

}  // namespace

std::span<const Command> sort_commands() {
  return sort_rows;
}

}  // namespace redoubt
