// What a group has delivered and nobody has acknowledged: XACK, XPENDING, claims, and deletion with
// care for it.
#include <algorithm>
#include <limits>

#include "sim/model/streams.h"

namespace redoubt::sim {
namespace model_streams {
namespace {

struct Place {
  ModelStream* stream = nullptr;
  Group* group = nullptr;
};

// The stream of argument 1 and its group of argument 2, or the error.
std::optional<ModelReply> find_place(ModelCall& call, Place& place) {
  if (!find_stream(call, call.argument(1), place.stream)) {
    return reply_error(wrong_type_text);
  }
  place.group = find_group(place.stream, call.argument(2));
  return place.group == nullptr ? std::optional(no_group(call.argument(1), call.argument(2)))
                                : std::nullopt;
}

// --- Pending entries -----------------------------------------------------------------------------

ModelReply xack_command(ModelCall& call) {
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  Group* group = find_group(stream, call.argument(2));
  if (group == nullptr) {
    return reply_integer(0);
  }
  std::optional<std::vector<Id>> ids = parse_ids(call, 3);
  if (!ids) {
    return reply_error(bad_id_text);
  }
  int64_t acknowledged = 0;
  for (Id id : *ids) {
    acknowledged += static_cast<int64_t>(group->pending.erase(id));
  }
  return reply_integer(acknowledged);
}

struct Filter {
  int64_t idle = 0;
  int64_t count = 0;
  Id start;
  Id end;
  std::optional<std::string> consumer;
};

std::optional<ModelReply> take_filter(const ModelCall& call, Filter& filter) {
  size_t at = 3;
  if (same_word(call.argument(3), "IDLE")) {
    std::optional<int64_t> idle = parse_integer(call.argument(4));
    if (!idle) {
      return reply_error(not_integer_text);
    }
    filter.idle = *idle;
    if (call.count() < 8) {
      return reply_error(syntax_text);
    }
    at = 5;
  }
  std::optional<int64_t> count = parse_integer(call.argument(at + 2));
  if (!count) {
    return reply_error(not_integer_text);
  }
  filter.count = *count;
  ModelReply error;
  std::optional<Id> start = parse_end(call.argument(at), true, error);
  if (!start) {
    return error;
  }
  std::optional<Id> end = parse_end(call.argument(at + 1), false, error);
  if (!end) {
    return error;
  }
  filter.start = *start;
  filter.end = *end;
  if (at + 3 < call.count()) {
    filter.consumer = std::string(call.argument(at + 3));
  }
  return std::nullopt;
}

std::string pending_summary(const ModelCall& call, const Group& group) {
  std::string out = resp_header('*', 4) + resp_integer(static_cast<int64_t>(group.pending.size()));
  if (group.pending.empty()) {
    return out + resp_null(call.resp()) + resp_null(call.resp()) + null_array(call);
  }
  std::map<std::string, int64_t> counts;
  for (const auto& [id, pending] : group.pending) {
    if (pending.owned) {
      counts[pending.consumer]++;
    }
  }
  out += resp_bulk(id_text(group.pending.begin()->first));
  out += resp_bulk(id_text(group.pending.rbegin()->first));
  out += resp_header('*', counts.size());
  for (const auto& [name, count] : counts) {
    out += resp_header('*', 2) + resp_bulk(name) + resp_bulk(std::to_string(count));
  }
  return out;
}

ModelReply xpending_command(ModelCall& call) {
  const bool summary = call.count() == 3;
  if (!summary && (call.count() < 6 || call.count() > 9)) {
    return reply_error(syntax_text);
  }
  Filter filter;
  if (!summary) {
    if (std::optional<ModelReply> error = take_filter(call, filter)) {
      return *error;
    }
  }
  Place place;
  if (std::optional<ModelReply> error = find_place(call, place)) {
    return *error;
  }
  Group* group = place.group;
  if (summary) {
    return reply_exact(pending_summary(call, *group));
  }
  if (call.config().as_redis_7_0) {  // whose clock is another
    return reply_rule(ModelReply::Rule::not_error);
  }
  std::vector<std::string> found;
  for (const auto& [id, pending] : group->pending) {
    const int64_t idle = call.now_ms - pending.delivered_ms;
    if (id < filter.start || id > filter.end || (filter.idle != 0 && idle < filter.idle) ||
        (filter.consumer && (!pending.owned || *filter.consumer != pending.consumer)) ||
        static_cast<int64_t>(found.size()) >= filter.count) {
      continue;
    }
    found.push_back(resp_header('*', 4) + resp_bulk(id_text(id)) + resp_bulk(pending.consumer) +
                    resp_integer(pending.owned ? std::max<int64_t>(idle, 0) : -1) +
                    resp_integer(pending.deliveries));
  }
  return reply_exact(list_text(found));
}

// --- Claiming ------------------------------------------------------------------------------------

struct Claim {
  int64_t idle = 0;
  std::vector<Id> ids;
  int64_t delivered_ms = -1;
  int64_t deliveries = -1;
  bool force = false;
  bool just_id = false;
  Id last;
};

std::optional<ModelReply> take_claim_number(const ModelCall& call, size_t& i, int64_t& number) {
  const std::string_view word = call.argument(i);
  std::optional<int64_t> given = parse_integer(call.argument(++i));
  if (!given) {
    std::string name(word);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return reply_error("ERR Invalid " + name + " option argument for XCLAIM");
  }
  number = *given;
  return std::nullopt;
}

std::optional<ModelReply> take_claim_option(const ModelCall& call, size_t& i, Claim& claim) {
  const std::string_view word = call.argument(i);
  const bool more = i + 1 < call.count();
  if (same_word(word, "FORCE")) {
    claim.force = true;
  } else if (same_word(word, "JUSTID")) {
    claim.just_id = true;
  } else if (same_word(word, "IDLE") && more) {
    int64_t idle = 0;
    std::optional<ModelReply> error = take_claim_number(call, i, idle);
    claim.delivered_ms = idle < 0 || idle > call.now_ms ? -1 : call.now_ms - idle;
    return error;
  } else if (same_word(word, "TIME") && more) {
    return take_claim_number(call, i, claim.delivered_ms);
  } else if (same_word(word, "RETRYCOUNT") && more) {
    return take_claim_number(call, i, claim.deliveries);
  } else if (same_word(word, "LASTID") && more) {
    std::optional<Id> id = parse_id(call.argument(++i), 0);
    if (!id) {
      return reply_error(bad_id_text);
    }
    claim.last = *id;
  } else {
    return reply_error("ERR Unrecognized XCLAIM option '" + std::string(word) + "'");
  }
  return std::nullopt;
}

std::optional<ModelReply> take_claim(const ModelCall& call, Claim& claim) {
  std::optional<int64_t> idle = parse_integer(call.argument(4));
  if (!idle) {
    return reply_error("ERR Invalid min-idle-time argument for XCLAIM");
  }
  claim.idle = *idle;
  size_t i = 5;
  for (; i < call.count(); i++) {
    std::optional<Id> id = parse_id(call.argument(i), 0);
    if (!id) {
      break;
    }
    claim.ids.push_back(*id);
  }
  for (; i < call.count(); i++) {
    if (std::optional<ModelReply> error = take_claim_option(call, i, claim)) {
      return error;
    }
  }
  if (claim.delivered_ms < 0 || claim.delivered_ms > call.now_ms) {
    claim.delivered_ms = call.now_ms;
  }
  return std::nullopt;
}

void give(ModelStreamPending& pending, std::string_view consumer, const Claim& claim) {
  pending.consumer = std::string(consumer);
  pending.owned = true;
  pending.delivered_ms = claim.delivered_ms;
  if (claim.deliveries >= 0) {
    pending.deliveries = claim.deliveries;
  } else if (!claim.just_id) {
    count_delivery(pending);
  }
}

std::string shown_claim(Id id, const ModelStreamEntry& entry, bool just_id) {
  return just_id ? resp_bulk(id_text(id)) : entry_text(id, entry);
}

ModelReply xclaim_command(ModelCall& call) {
  Place place;
  if (std::optional<ModelReply> error = find_place(call, place)) {
    return *error;
  }
  const auto [stream, group] = place;
  Claim claim;
  if (std::optional<ModelReply> error = take_claim(call, claim)) {
    return *error;
  }
  if (claim.last > group->last) {
    read_on(*stream, *group, claim.last);
  }
  group->consumers.insert(std::string(call.argument(3)));
  std::vector<std::string> claimed;
  for (Id id : claim.ids) {
    auto entry = stream->entries.find(id);
    if (entry == stream->entries.end()) {
      group->pending.erase(id);
      continue;
    }
    auto pending = group->pending.find(id);
    if (pending == group->pending.end()) {
      if (!claim.force) {
        continue;
      }
      pending = group->pending.emplace(id, ModelStreamPending()).first;
    } else if (claim.idle > 0 && call.now_ms - pending->second.delivered_ms < claim.idle) {
      continue;
    }
    give(pending->second, call.argument(3), claim);
    claimed.push_back(shown_claim(id, entry->second, claim.just_id));
  }
  return reply_exact(list_text(claimed));
}

struct AutoClaim {
  Claim claim;
  Id start;
  int64_t count = 100;
};

std::optional<ModelReply> take_auto_claim(const ModelCall& call, AutoClaim& claim) {
  std::optional<int64_t> idle = parse_integer(call.argument(4));
  if (!idle) {
    return reply_error("ERR Invalid min-idle-time argument for XAUTOCLAIM");
  }
  claim.claim.idle = *idle;
  claim.claim.delivered_ms = call.now_ms;
  ModelReply error;
  std::optional<Id> start = parse_end(call.argument(5), true, error);
  if (!start) {
    return error;
  }
  claim.start = *start;
  for (size_t i = 6; i < call.count(); i++) {
    if (same_word(call.argument(i), "COUNT") && i + 1 < call.count()) {
      std::optional<int64_t> count = parse_integer(call.argument(++i));
      if (!count || *count < 1 || *count > std::numeric_limits<int64_t>::max() / 16) {
        return reply_error("ERR COUNT must be > 0");
      }
      claim.count = *count;
    } else if (same_word(call.argument(i), "JUSTID")) {
      claim.claim.just_id = true;
    } else {
      return reply_error(syntax_text);
    }
  }
  return std::nullopt;
}

ModelReply xautoclaim_command(ModelCall& call) {
  AutoClaim claim;
  if (std::optional<ModelReply> error = take_auto_claim(call, claim)) {
    return *error;
  }
  Place place;
  if (std::optional<ModelReply> error = find_place(call, place)) {
    return *error;
  }
  const auto [stream, group] = place;
  group->consumers.insert(std::string(call.argument(3)));
  std::vector<std::string> claimed;
  std::vector<std::string> deleted;
  int64_t attempts = claim.count * 10;
  auto at = group->pending.lower_bound(claim.start);
  while (at != group->pending.end() && claim.count > 0 && attempts-- > 0) {
    auto entry = stream->entries.find(at->first);
    if (entry == stream->entries.end()) {
      deleted.push_back(resp_bulk(id_text(at->first)));
      at = group->pending.erase(at);
      claim.count--;
      continue;
    }
    if (claim.claim.idle <= 0 || call.now_ms - at->second.delivered_ms >= claim.claim.idle) {
      give(at->second, call.argument(3), claim.claim);
      claimed.push_back(shown_claim(at->first, entry->second, claim.claim.just_id));
      claim.count--;
    }
    ++at;
  }
  const Id next = at == group->pending.end() ? Id() : at->first;
  return reply_exact(resp_header('*', 3) + resp_bulk(id_text(next)) + list_text(claimed) +
                     list_text(deleted));
}

// --- XDELEX and XACKDEL --------------------------------------------------------------------------

struct Deletion {
  std::string references = "KEEPREF";
  std::vector<Id> ids;
};

std::optional<ModelReply> take_deletion(const ModelCall& call, size_t i, Deletion& deletion) {
  if (i < call.count() && !same_word(call.argument(i), "IDS")) {
    deletion.references.clear();
    for (const std::string_view word : {"KEEPREF", "DELREF", "ACKED"}) {
      if (same_word(call.argument(i), word)) {
        deletion.references = std::string(word);
      }
    }
    i++;
  }
  if (deletion.references.empty() || i + 1 >= call.count() || !same_word(call.argument(i), "IDS")) {
    return reply_error(syntax_text);
  }
  std::optional<int64_t> count = parse_integer(call.argument(i + 1));
  if (!count || *count < 1 || *count > std::numeric_limits<int32_t>::max()) {
    return reply_error("ERR Number of IDs must be a positive integer");
  }
  if (static_cast<size_t>(*count) != call.count() - i - 2) {
    return reply_error("ERR The `numids` parameter must match the number of arguments");
  }
  std::optional<std::vector<Id>> ids = parse_ids(call, i + 2);
  if (!ids) {
    return reply_error(bad_id_text);
  }
  deletion.ids = *ids;
  return std::nullopt;
}

int64_t delete_with_care(ModelStream& stream, Id id, const std::string& references) {
  if (!stream.entries.contains(id)) {
    return -1;
  }
  for (auto& [name, group] : stream.groups) {
    if (references == "ACKED" && (id > group.last || group.pending.contains(id))) {
      return 2;
    }
    if (references == "DELREF") {
      group.pending.erase(id);
    }
  }
  delete_entry(stream, id);
  return 1;
}

ModelReply delete_ids(ModelCall& call, bool acknowledge) {
  Deletion deletion;
  if (std::optional<ModelReply> error = take_deletion(call, acknowledge ? 3 : 2, deletion)) {
    return *error;
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  Group* group = acknowledge ? find_group(stream, call.argument(2)) : nullptr;
  std::vector<std::string> results;
  for (Id id : deletion.ids) {
    int64_t result = -1;
    if (stream != nullptr && !acknowledge) {
      result = delete_with_care(*stream, id, deletion.references);
    } else if (group != nullptr && group->pending.erase(id) > 0) {
      result = delete_with_care(*stream, id, deletion.references) == 2 ? 2 : 1;
    }
    results.push_back(resp_integer(result));
  }
  return reply_exact(list_text(results));
}

ModelReply xdelex_command(ModelCall& call) {
  return delete_ids(call, false);
}
ModelReply xackdel_command(ModelCall& call) {
  return delete_ids(call, true);
}

constexpr ModelCommand pending_table[] = {
    {"xack", -4, xack_command, false},
    {"xackdel", -6, xackdel_command, false},
    {"xautoclaim", -6, xautoclaim_command, false},
    {"xclaim", -6, xclaim_command, false},
    {"xdelex", -5, xdelex_command, false},
    {"xpending", -3, xpending_command, false},
};

}  // namespace
}  // namespace model_streams

std::span<const ModelCommand> stream_pending_commands() {
  return model_streams::pending_table;
}

}  // namespace redoubt::sim
