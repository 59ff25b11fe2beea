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
  if (group == nullptr) {
    return no_group(call.argument(1), call.argument(2));
  }
  int64_t released = 0;
  for (Id id : nack.ids) {
    const bool pends = group->pending.contains(id);
    const bool forced = nack.force && stream->entries.contains(id);
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

constexpr ModelCommand stream_newer_table[] = {
    {"xnack", -7, xnack_command, false},
};

}  // namespace
}  // namespace model_streams

std::span<const ModelCommand> stream_newer_commands() {
  return model_streams::stream_newer_table;
}

}  // namespace redoubt::sim
