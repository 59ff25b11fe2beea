#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

void store_empty_zset(Context& c, std::string_view destination) {
  c.reply.integer(0);
  c.remove_destination(destination);
}

void store_zset(Context& c, std::string_view destination, Zset zset, std::string_view event) {
  const size_t count = zset.size();
  if (count == 0) {
    zset.destroy();
    store_empty_zset(c, destination);
    return;
  }
  c.db().replace_value(destination, c.hash(destination), Type::zset, zset.encoding(),
                       zset.payload(), NewExpiry::none());
  c.modified(destination, 'z', event);
  c.reply.integer(static_cast<int64_t>(count));
}

void after_removal(Context& c, std::string_view key, const Zset& zset, Entry& entry,
                   std::string_view event) {
  zset.store_in(entry);
  const bool empty = zset.size() == 0;
  c.modified(key, 'z', event);
  if (empty) c.remove_empty(key);
}

std::optional<double> read_double(Context& c, size_t index, std::string_view message) {
  const std::optional<double> value = parse_double(c.args[index]);
  if (!value) c.error(message);
  return value;
}

namespace {

std::optional<ScoreBound> score_bound(std::string_view text) {
  const bool exclusive = text.starts_with('(');
  const std::optional<double> score = parse_double_leniently(exclusive ? text.substr(1) : text);
  if (!score) return std::nullopt;
  return ScoreBound{*score, exclusive};
}

std::optional<LexBound> lex_bound(std::string_view text) {
  // What follows a zero byte is not looked at, as Redis has it.
  const bool alone = text.size() == 1 || (text.size() > 1 && text[1] == '\0');
  switch (text.empty() ? '\0' : text[0]) {
    case '-':
      if (!alone) return std::nullopt;
      return LexBound{LexBound::Kind::lowest, {}, true};
    case '+':
      if (!alone) return std::nullopt;
      return LexBound{LexBound::Kind::highest, {}, true};
    case '(': return LexBound{LexBound::Kind::member, text.substr(1), true};
    case '[': return LexBound{LexBound::Kind::member, text.substr(1), false};
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<ScoreRange> read_score_range(Context& c, size_t min_index, size_t max_index) {
  const std::optional<ScoreBound> min = score_bound(c.args[min_index]);
  const std::optional<ScoreBound> max = score_bound(c.args[max_index]);
  if (!min || !max) {
    c.error("ERR min or max is not a float");
    return std::nullopt;
  }
  return ScoreRange{*min, *max};
}

std::optional<LexRange> read_lex_range(Context& c, size_t min_index, size_t max_index) {
  const std::optional<LexBound> min = lex_bound(c.args[min_index]);
  const std::optional<LexBound> max = lex_bound(c.args[max_index]);
  if (!min || !max) {
    c.error("ERR min or max not valid string range item");
    return std::nullopt;
  }
  return LexRange{*min, *max};
}

}  // namespace redoubt
