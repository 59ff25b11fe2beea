// Unions, intersections and differences of sorted sets.
#include <algorithm>
#include <cmath>

#include "net/stable_sort.h"
#include "sim/model/zsets.h"

namespace redoubt::sim {
namespace {

// --- Combinations --------------------------------------------------------------------------------

enum class Operation : uint8_t { unite, intersect, subtract };

struct Source {
  ModelZset members;
  double weight = 1;
};

struct Combination {
  std::vector<Source> sources;
  std::string aggregate = "sum";
  bool scores = false;
  int64_t limit = 0;
};

std::optional<ModelReply> take_sources(ModelCall& call, size_t at, Combination& combination) {
  const std::optional<int64_t> keys = parse_integer(call.argument(at));
  if (!keys) {
    return reply_error(not_integer_text);
  }
  if (*keys < 1) {
    return reply_error("ERR at least 1 input key is needed for '" + lower(call.argument(0)) +
                       "' command");
  }
  if (static_cast<uint64_t>(*keys) > call.count() - at - 1) {
    return reply_error(syntax_text);
  }
  for (size_t i = at + 1; i <= at + static_cast<size_t>(*keys); i++) {
    const ModelEntry* entry = call.find(call.argument(i));
    Source source;
    if (entry != nullptr && entry->type == ModelType::zset) {
      source.members = entry->zset;
    } else if (entry != nullptr && entry->type == ModelType::set) {
      for (const std::string& member : live_members(call, *entry)) {
        source.members[member] = 1;
      }
    } else if (entry != nullptr) {
      return reply_error(wrong_type_text);
    }
    combination.sources.push_back(std::move(source));
  }
  return std::nullopt;
}

// What is allowed behind the keys: weights and aggregate, scores, a limit.
struct Allowed {
  bool weights;
  bool scores;
  bool limit;
};

std::optional<ModelReply> take_combination_options(const ModelCall& call, size_t from,
                                                   Allowed allowed, Combination& combination) {
  for (size_t i = from; i < call.count(); i++) {
    const std::string_view word = call.argument(i);
    const size_t behind = call.count() - i - 1;
    if (allowed.weights && same_word(word, "WEIGHTS") && behind >= combination.sources.size()) {
      for (Source& source : combination.sources) {
        const std::optional<double> weight = parse_score(call.argument(++i));
        if (!weight) {
          return reply_error("ERR weight value is not a float");
        }
        source.weight = *weight;
      }
    } else if (allowed.weights && same_word(word, "AGGREGATE") && behind > 0) {
      combination.aggregate = lower(call.argument(++i));
      if (combination.aggregate != "sum" && combination.aggregate != "min" &&
          combination.aggregate != "max" && combination.aggregate != "count") {
        return reply_error(syntax_text);
      }
    } else if (allowed.scores && same_word(word, "WITHSCORES")) {
      combination.scores = true;
    } else if (allowed.limit && same_word(word, "LIMIT") && behind > 0) {
      const std::optional<int64_t> limit = parse_integer(call.argument(++i));
      if (!limit || *limit < 0) {
        return reply_error("ERR LIMIT can't be negative");
      }
      combination.limit = *limit;
    } else {
      return reply_error(syntax_text);
    }
  }
  return std::nullopt;
}

double number_or_zero(double value) {
  return std::isnan(value) ? 0 : value;
}

double aggregated(const std::string& how, double a, double b) {
  if (how == "sum" || how == "count") {
    return number_or_zero(a + b);
  }
  const bool second = how == "min" ? b < a : b > a;
  return second ? b : a;
}

ModelZset combined(Operation operation, Combination& combination) {
  std::vector<Source>& sources = combination.sources;
  if (operation == Operation::subtract) {
    ModelZset result = sources[0].members;
    for (size_t i = 1; i < sources.size(); i++) {
      erase_if(result,
               [&](const auto& member) { return sources[i].members.contains(member.first); });
    }
    return result;
  }
  redoubt::stable_sort(sources, [](const Source& a, const Source& b) {
    return a.members.size() < b.members.size();
  });
  ModelZset result;
  for (size_t i = 0; i < sources.size(); i++) {
    ModelZset next;
    for (const auto& [member, score] : sources[i].members) {
      const bool counts = combination.aggregate == "count";
      const double value = counts ? sources[i].weight : score * sources[i].weight;
      const auto at = result.find(member);
      if (at != result.end()) {
        const bool united = operation == Operation::unite;
        next[member] =
            aggregated(combination.aggregate, at->second, united ? number_or_zero(value) : value) +
            0.0;
      } else if (i == 0 || operation == Operation::unite) {
        next[member] = number_or_zero(value) + 0.0;
      }
    }
    if (operation == Operation::unite) {
      next.insert(result.begin(), result.end());
    }
    result = next;
  }
  return result;
}

template <Operation operation>
ModelReply combine_command(ModelCall& call) {
  Combination combination;
  std::optional<ModelReply> error = take_sources(call, 1, combination);
  if (!error) {
    error = take_combination_options(call, 2 + combination.sources.size(),
                                     {operation != Operation::subtract, true, false}, combination);
  }
  if (error) {
    return *error;
  }
  const ModelZset result = combined(operation, combination);
  return reply_exact(resp_members(call, in_order(result), combination.scores));
}

template <Operation operation>
ModelReply combine_store_command(ModelCall& call) {
  Combination combination;
  std::optional<ModelReply> error = take_sources(call, 2, combination);
  if (!error) {
    error = take_combination_options(call, 3 + combination.sources.size(),
                                     {operation != Operation::subtract, false, false}, combination);
  }
  if (error) {
    return *error;
  }
  const ModelZset result = combined(operation, combination);
  put_zset(call, call.argument(1), result, false);
  return reply_integer(static_cast<int64_t>(result.size()));
}

ModelReply zintercard_command(ModelCall& call) {
  Combination combination;
  std::optional<ModelReply> error = take_sources(call, 1, combination);
  if (!error) {
    error = take_combination_options(call, 2 + combination.sources.size(), {false, false, true},
                                     combination);
  }
  if (error) {
    return *error;
  }
  const auto size = static_cast<int64_t>(combined(Operation::intersect, combination).size());
  return reply_integer(combination.limit > 0 ? std::min(combination.limit, size) : size);
}

constexpr ModelCommand zset_combination_table[] = {
    {"zdiff", -3, combine_command<Operation::subtract>, false},
    {"zdiffstore", -4, combine_store_command<Operation::subtract>, true},
    {"zinter", -3, combine_command<Operation::intersect>, false},
    {"zintercard", -3, zintercard_command, false},
    {"zinterstore", -4, combine_store_command<Operation::intersect>, true},
    {"zunion", -3, combine_command<Operation::unite>, false},
    {"zunionstore", -4, combine_store_command<Operation::unite>, true},
};

}  // namespace

std::span<const ModelCommand> zset_combination_commands() {
  return zset_combination_table;
}

}  // namespace redoubt::sim
