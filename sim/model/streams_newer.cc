// Streams: what came after 7.2.
#include <algorithm>
#include <limits>

#include "sim/model/streams.h"

namespace redoubt::sim {
namespace model_streams {

void count_delivery(ModelStreamPending& pending) {
  if (pending.deliveries < std::numeric_limits<int64_t>::max()) {
    pending.deliveries++;
  }
}

// --- Limits and claims of XREAD and XREADGROUP ---------------------------------------------------

bool admit(Reading& reading, const std::string& text, std::vector<std::string>& given) {
  const auto size = static_cast<int64_t>(text.size());
  const bool too_large = reading.bytes_max > 0 && reading.bytes + size > reading.bytes_max;
  if (reading.full || (reading.entries > 0 && too_large)) {
    reading.full = true;
    return false;
  }
  reading.entries++;
  reading.bytes += size;
  reading.full = reading.entries == reading.entries_max;
  given.push_back(text);
  return true;
}

std::string claimed_text(Id id, const ModelStreamEntry& entry, int64_t idle, int64_t deliveries) {
  return resp_header('*', 4) + entry_text(id, entry).substr(resp_header('*', 2).size()) +
         resp_integer(idle) + resp_integer(deliveries);
}

void claim_idle(const ModelCall& call, const Source& source, Reading& reading,
                std::vector<std::string>& given) {
  std::vector<std::pair<int64_t, Id>> idle;
  for (const auto& [id, pending] : source.group->pending) {
    if (call.now_ms - pending.delivered_ms >= *reading.claim) {
      idle.emplace_back(pending.delivered_ms, id);
    }
  }
  std::sort(idle.begin(), idle.end());
  int64_t left = reading.count > 0 ? reading.count : std::numeric_limits<int64_t>::max();
  if (reading.entries_max > 0) {
    left = std::min(left, reading.entries_max - reading.entries);
  }
  for (const auto& [delivered_ms, id] : idle) {
    if (left == 0) {
      break;
    }
    const auto entry = source.stream->entries.find(id);
    if (entry == source.stream->entries.end()) {
      source.group->pending.erase(id);
      continue;
    }
    left--;
    ModelStreamPending& pending = source.group->pending[id];
    const int64_t since = pending.owned ? call.now_ms - delivered_ms : -1;
    if (admit(reading, claimed_text(id, entry->second, since, pending.deliveries), given)) {
      pending.consumer = std::string(reading.consumer);
      pending.owned = true;
      pending.delivered_ms = call.now_ms;
      count_delivery(pending);
    }
  }
}

namespace {

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

// --- XNACK ---------------------------------------------------------------------------------------

struct Nack {
  std::string mode;
  std::vector<Id> ids;
  std::optional<int64_t> deliveries;
  bool force = false;
};

std::optional<ModelReply> take_nack(const ModelCall& call, Nack& nack) {
  nack.mode = lower(call.argument(3));
  if ((nack.mode != "silent" && nack.mode != "fail" && nack.mode != "fatal") ||
      !same_word(call.argument(4), "IDS")) {
    return reply_error(syntax_text);
  }
  std::optional<int64_t> count = parse_integer(call.argument(5));
  if (!count || *count < 1 || *count > std::numeric_limits<int32_t>::max()) {
    return reply_error("ERR Number of IDs must be a positive integer");
  }
  const size_t end = 6 + static_cast<size_t>(*count);
  if (end > call.count()) {
    return reply_error("ERR The `numids` parameter must match the number of arguments");
  }
  for (size_t i = 6; i < end; i++) {
    std::optional<Id> id = parse_id(call.argument(i), 0);
    if (!id) {
      return reply_error(bad_id_text);
    }
    nack.ids.push_back(*id);
  }
  for (size_t i = end; i < call.count(); i++) {
    if (same_word(call.argument(i), "FORCE")) {
      nack.force = true;
    } else if (same_word(call.argument(i), "RETRYCOUNT") && i + 1 < call.count()) {
      nack.deliveries = parse_integer(call.argument(++i));
      if (!nack.deliveries || *nack.deliveries < 0) {
        return reply_error("ERR Invalid RETRYCOUNT option argument for XNACK");
      }
    } else {
      return reply_error(syntax_text);
    }
  }
  return std::nullopt;
}

ModelReply xnack_command(ModelCall& call) {
  Nack nack;
  if (std::optional<ModelReply> error = take_nack(call, nack)) {
    return *error;
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  Group* group = find_group(stream, call.argument(2));
  int64_t released = 0;
  for (Id id : nack.ids) {
    const bool pends = group != nullptr && group->pending.contains(id);
    const bool forced = group != nullptr && nack.force && stream->entries.contains(id);
    if (!pends && !forced) {
      continue;
    }
    const int64_t before = pends ? group->pending[id].deliveries : 0;
    ModelStreamPending& pending = group->pending[id];
    pending = {.consumer = "", .delivered_ms = 0, .deliveries = before, .owned = false};
    if (nack.mode == "silent") {
      pending.deliveries = std::max<int64_t>(before - 1, 0);
    } else if (nack.mode == "fatal") {
      pending.deliveries = std::numeric_limits<int64_t>::max();
    }
    pending.deliveries = nack.deliveries.value_or(pending.deliveries);
    released++;
  }
  return reply_integer(released);
}

constexpr ModelCommand rows[] = {
    {"xackdel", -6, xackdel_command, false},
    {"xdelex", -5, xdelex_command, false},
    {"xnack", -7, xnack_command, false},
};

}  // namespace
}  // namespace model_streams

std::span<const ModelCommand> stream_newer_commands() {
  return model_streams::rows;
}

}  // namespace redoubt::sim
