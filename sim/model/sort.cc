// SORT and SORT_RO.
#include <algorithm>
#include <cmath>

#include "net/stable_sort.h"
#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

struct SortOptions {
  std::optional<std::string> by;
  std::vector<std::string> get;
  std::optional<std::string> store;
  int64_t offset = 0;
  int64_t count = -1;
  bool descending = false;
  bool alpha = false;
  bool unsorted = false;
};

std::optional<ModelReply> take_sort_options(const ModelCall& call, bool may_store,
                                            SortOptions& options) {
  for (size_t i = 2; i < call.count(); i++) {
    const std::string_view word = call.argument(i);
    const size_t left = call.count() - i - 1;
    if (same_word(word, "ASC") || same_word(word, "DESC")) {
      options.descending = same_word(word, "DESC");
    } else if (same_word(word, "ALPHA")) {
      options.alpha = true;
    } else if (same_word(word, "LIMIT") && left >= 2) {
      const std::optional<int64_t> offset = parse_integer(call.argument(i + 1));
      const std::optional<int64_t> count = parse_integer(call.argument(i + 2));
      if (!offset || !count) {
        return reply_error(not_integer_text);
      }
      options.offset = *offset;
      options.count = *count;
      i += 2;
    } else if (same_word(word, "STORE") && may_store && left >= 1) {
      options.store = call.argument(++i);
    } else if (same_word(word, "BY") && left >= 1) {
      options.by = call.argument(++i);
      options.unsorted |= options.by->find('*') == std::string::npos;
    } else if (same_word(word, "GET") && left >= 1) {
      options.get.emplace_back(call.argument(++i));
    } else {
      return reply_error(syntax_text);
    }
  }
  return std::nullopt;
}

std::optional<std::string> look_up(ModelCall& call, const std::string& pattern,
                                   const std::string& element) {
  if (pattern == "#") {
    return element;
  }
  const size_t star = pattern.find('*');
  if (star == std::string::npos) {
    return std::nullopt;
  }
  std::string rest = pattern.substr(star + 1);
  std::string field;
  const size_t arrow = rest.find("->");
  if (arrow != std::string::npos && arrow + 2 < rest.size()) {
    field = rest.substr(arrow + 2);
    rest.resize(arrow);
  }
  const ModelEntry* entry = call.find(pattern.substr(0, star) + element + rest);
  if (entry == nullptr || entry->type != (field.empty() ? ModelType::string : ModelType::hash)) {
    return std::nullopt;
  }
  if (field.empty()) {
    return entry->text;
  }
  const auto found = entry->hash.find(field);
  if (found == entry->hash.end() ||
      (found->second.deadline_ms >= 0 && found->second.deadline_ms <= call.now_ms)) {
    return std::nullopt;
  }
  return found->second.value;
}

struct Weighed {
  std::string text;
  std::optional<std::string> by;
  double score = 0;
};

// As the C library reads a number: up to a zero byte, after spaces; nothing is 0.
bool weigh(const std::string& text, double& score) {
  const std::string shown = text.substr(0, text.find('\0'));
  const size_t begin = shown.find_first_not_of(" \t\n\v\f\r");
  if (begin == std::string::npos) {
    score = 0;
    return shown.empty();
  }
  const std::optional<long double> number = parse_float(shown.substr(begin));
  if (!number) {
    return false;
  }
  score = static_cast<double>(*number);
  return !std::isinf(score) || std::isinf(*number);
}

bool weigh_all(ModelCall& call, const SortOptions& options, std::vector<Weighed>& all) {
  for (Weighed& one : all) {
    std::optional<std::string> by = one.text;
    if (options.by) {
      by = look_up(call, *options.by, one.text);
    }
    if (!by) {
      continue;
    }
    if (!options.alpha && !weigh(*by, one.score)) {
      return false;
    }
    one.by = by;
  }
  return true;
}

bool comes_first(const SortOptions& options, const Weighed& a, const Weighed& b) {
  if (options.alpha) {
    return a.by < b.by;
  }
  return a.score != b.score ? a.score < b.score : a.text < b.text;
}

// The elements in their own order. A set has none, so what depends on it cannot be told.
std::vector<Weighed> elements_of(const ModelCall& call, const ModelEntry& entry) {
  std::vector<Weighed> all;
  if (entry.list) {
    for (const std::string& text : *entry.list) {
      all.push_back({text, {}, 0});
    }
  }
  for (const std::string& text : live_members(call, entry)) {
    all.push_back({text, {}, 0});
  }
  std::vector<std::pair<double, std::string>> ranked;
  ranked.reserve(entry.zset.size());
  for (const auto& [member, score] : entry.zset) {
    ranked.emplace_back(score, member);
  }
  std::sort(ranked.begin(), ranked.end());
  for (const auto& [score, member] : ranked) {
    all.push_back({member, {}, 0});
  }
  return all;
}

std::vector<Weighed> window(const SortOptions& options, const std::vector<Weighed>& all) {
  const auto size = static_cast<int64_t>(all.size());
  std::vector<Weighed> part;
  for (int64_t i = std::max<int64_t>(options.offset, 0); i < size; i++) {
    if (options.count >= 0 && static_cast<int64_t>(part.size()) >= options.count) {
      break;
    }
    part.push_back(all[static_cast<size_t>(i)]);
  }
  return part;
}

ModelReply store(ModelCall& call, const std::string& key, const std::deque<std::string>& texts) {
  call.erase(key);
  if (!texts.empty()) {
    ModelEntry& entry = call.create(key);
    entry.type = ModelType::list;
    entry.list = texts;
  }
  return reply_integer(static_cast<int64_t>(texts.size()));
}

ModelReply show(ModelCall& call, const SortOptions& options, const std::vector<Weighed>& part) {
  std::deque<std::string> texts;
  std::string bytes = resp_header('*', part.size() * std::max<size_t>(options.get.size(), 1));
  for (const Weighed& one : part) {
    if (options.get.empty()) {
      bytes += resp_bulk(one.text);
      texts.push_back(one.text);
    }
    for (const std::string& pattern : options.get) {
      const std::optional<std::string> value = look_up(call, pattern, one.text);
      bytes += value ? resp_bulk(*value) : resp_null(call.resp());
      texts.push_back(value.value_or(""));
    }
  }
  return options.store ? store(call, *options.store, texts) : reply_exact(bytes);
}

ModelReply sort_generic(ModelCall& call, bool may_store) {
  SortOptions options;
  if (std::optional<ModelReply> error = take_sort_options(call, may_store, options)) {
    return *error;
  }
  const ModelEntry* entry = call.find(call.argument(1));
  std::vector<Weighed> all;
  if (entry != nullptr) {
    if (entry->type != ModelType::list && entry->type != ModelType::set &&
        entry->type != ModelType::zset) {
      return reply_error(wrong_type_text);
    }
    all = elements_of(call, *entry);
    if (options.unsorted && entry->type == ModelType::set) {
      if (!options.store) {
        return reply_rule(ModelReply::Rule::not_error);
      }
      options.unsorted = false;
      options.alpha = true;
      options.by.reset();
    }
  }
  if (options.unsorted) {
    if (options.descending) {
      std::reverse(all.begin(), all.end());
    }
    return show(call, options, window(options, all));
  }
  if (!weigh_all(call, options, all)) {
    return reply_error("ERR One or more scores can't be converted into double");
  }
  redoubt::stable_sort(all, [&](const Weighed& a, const Weighed& b) {
    return options.descending ? comes_first(options, b, a) : comes_first(options, a, b);
  });
  return show(call, options, window(options, all));
}

ModelReply sort_command(ModelCall& call) {
  return sort_generic(call, true);
}
ModelReply sort_ro_command(ModelCall& call) {
  return sort_generic(call, false);
}

constexpr ModelCommand sort_table[] = {
    {"sort", -2, sort_command, true},
    {"sort_ro", -2, sort_ro_command, false},
};

}  // namespace

std::span<const ModelCommand> sort_commands() {
  return sort_table;
}

}  // namespace redoubt::sim
