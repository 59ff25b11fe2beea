// What the commands of the sorted set family share, geo included.
#pragma once

#include <optional>
#include <string_view>

#include "engine/dispatch/context.h"
#include "engine/store/zset.h"

namespace redoubt {

inline ZsetLimits zset_limits(const Settings& settings) {
  return {.entries_max = settings.zset_max_listpack_entries,
          .value_bytes_max = settings.zset_max_listpack_value};
}

// The set of an entry, for changing it.
inline Zset zset_of(Context& c, Entry& entry) {
  return {c.db().allocator(), c.hash_key(), zset_limits(c.settings()), entry};
}
// A new one, for a key that does not exist, whose first member this is.
inline Zset new_zset(Context& c, std::string_view first_member) {
  const ZsetLimits limits = zset_limits(c.settings());
  const bool large = limits.entries_max == 0 || first_member.size() > limits.value_bytes_max;
  return {c.db().allocator(), c.hash_key(), limits, large};
}

// Makes the destination of a *STORE command hold this set, announces it and replies with its size.
// An empty set is freed, and the destination removed.
void store_zset(Context& c, std::string_view destination, Zset zset, std::string_view event);
// The same for a result that is empty from the outset.
void store_empty_zset(Context& c, std::string_view destination);

// Some ranks were removed from the set of a key, which goes when it is empty.
void after_removal(Context& c, std::string_view key, const Zset& zset, Entry& entry,
                   std::string_view event);

// An argument as a number; replies with an error when it is none.
std::optional<double> read_double(Context& c, size_t index,
                                  std::string_view message = "ERR value is not a valid float");
std::optional<ScoreRange> read_score_range(Context& c, size_t min_index, size_t max_index);
std::optional<LexRange> read_lex_range(Context& c, size_t min_index, size_t max_index);

// The header of a reply with so many members: pairs are nested in RESP3 only.
inline void reply_members_header(Context& c, size_t count, bool with_scores) {
  c.reply.array(with_scores && !c.reply.resp3() ? count * 2 : count);
}
inline void reply_member(Context& c, std::string_view member, double score, bool with_scores) {
  if (!with_scores) {
    c.reply.bulk(member);
    return;
  }
  if (c.reply.resp3()) c.reply.array(2);
  c.reply.bulk(member);
  c.reply.real(score);
}

// Calls visit(member, score) for the members of a range in order, or in reverse order.
template <typename Visit>
void for_each_rank(const ZsetView& zset, const RankRange& ranks, bool reverse, Visit visit) {
  if (ranks.size() == 0) return;
  ZsetView::Cursor at = zset.at_rank(reverse ? ranks.to - 1 : ranks.from);
  for (size_t left = ranks.size(); left > 0; --left) {
    visit(at.member(), at.score());
    reverse ? at.previous() : at.next();
  }
}

}  // namespace redoubt
