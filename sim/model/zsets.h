// What the models of sorted sets and of geo share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/model/call.h"

namespace redoubt::sim {

using ModelZset = SortedMap<double>;
using ScoredMember = std::pair<std::string, double>;
using ScoredMembers = std::vector<ScoredMember>;

// A score as commands take it: no NaN, nothing beyond the range of a double.
std::optional<double> parse_score(std::string_view text);
// As replies show it: the shortest text that reads back; %.17g as Redis 7.0.
std::string print_score(const ModelCall& call, double score);
// The same as a double of RESP3, or a bulk string.
std::string resp_double(const ModelCall& call, double score);

// The sorted set of a key: null when there is none, an error when the key holds something else.
const ModelZset* find_zset(ModelCall& call, std::string_view key, std::optional<ModelReply>& error);
// Puts the members under the key; none of them: the key is gone.
void put_zset(ModelCall& call, std::string_view key, const ModelZset& members, bool keep_deadline);
ScoredMembers in_order(const ModelZset& members);
// A member and its score as two replies.
std::string resp_pair(const ModelCall& call, const ScoredMember& member);
// An array of members, or of members with scores: nested in RESP3 only.
std::string resp_members(const ModelCall& call, const ScoredMembers& members, bool scores);

}  // namespace redoubt::sim
