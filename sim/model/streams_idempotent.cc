// Streams: messages of producers that are not added twice. What a stream remembers is one list, the
// oldest first.
#include <algorithm>
#include <limits>

#include "sim/model/streams.h"

namespace redoubt::sim {
namespace model_streams {

namespace {

constexpr size_t forgotten_at_once = 16;

using Records = std::vector<ModelIdempotentRecord>;

bool counts(const ModelIdempotency& memory, const ModelIdempotentRecord& record, int64_t now_ms) {
  __extension__ using Wide = __int128;
  return Wide(now_ms) <= Wide(record.made_ms) + Wide(memory.duration_s) * 1000;
}

Records::iterator find_record(ModelIdempotency& memory, const Message& message) {
  return std::find_if(memory.records.begin(), memory.records.end(), [&](const auto& record) {
    return record.producer == message.producer && record.id == message.id;
  });
}

ModelIdempotency defaults(const ModelCall& call) {
  return {.duration_s = call.config().stream_idmp_duration_s,
          .maxsize = call.config().stream_idmp_maxsize,
          .records = {}};
}

// The oldest go when they are too old, then those of the producer when they are too many.
void remember_at(ModelIdempotency& memory, const Message& message, Id entry, int64_t now_ms) {
  for (size_t i = 0; i < forgotten_at_once && !memory.records.empty(); i++) {
    if (counts(memory, memory.records.front(), now_ms)) {
      break;
    }
    memory.records.erase(memory.records.begin());
  }
  const auto same = find_record(memory, message);
  if (same != memory.records.end()) {
    memory.records.erase(same);
  }
  const auto his = [&](const ModelIdempotentRecord& record) {
    return record.producer == message.producer;
  };
  while (std::count_if(memory.records.begin(), memory.records.end(), his) >= memory.maxsize) {
    memory.records.erase(std::find_if(memory.records.begin(), memory.records.end(), his));
  }
  memory.records.push_back({message.producer, message.id, entry, now_ms});
}

// Fields with their values, whatever their order.
std::string automatic_id(const ModelCall& call, size_t fields_at) {
  std::vector<std::string> pairs;
  for (size_t i = fields_at; i + 1 < call.count(); i += 2) {
    const std::string name(call.argument(i));
    const std::string value(call.argument(i + 1));
    pairs.push_back(std::to_string(name.size()) + ":" + name + std::to_string(value.size()) + ":" +
                    value);
  }
  std::sort(pairs.begin(), pairs.end());
  std::string id = "automatic:";
  for (const std::string& pair : pairs) {
    id += pair;
  }
  return id;
}

}  // namespace

bool take_message(const ModelCall& call, size_t& i, Message& message,
                  std::optional<ModelReply>& error) {
  const size_t behind = call.count() - i - 1;
  const bool automatic = behind >= 1 && same_word(call.argument(i), "IDMPAUTO");
  const bool manual = behind >= 2 && same_word(call.argument(i), "IDMP");
  if (!automatic && !manual) {
    return false;
  }
  if (message.given) {
    error = reply_error("ERR IDMP/IDMPAUTO specified multiple times");
    return true;
  }
  message.given = true;
  message.automatic = automatic;
  message.producer = call.argument(++i);
  if (message.producer.empty()) {
    error = reply_error(automatic ? "ERR IDMPAUTO requires a non-empty producer ID"
                                  : "ERR IDMP requires a non-empty producer ID");
  } else if (manual) {
    const std::string_view id = call.argument(++i);
    message.id = "manual:" + std::string(id);
    if (id.empty()) {
      error = reply_error("ERR IDMP requires a non-empty idempotent ID");
    }
  }
  return true;
}

void complete_message(const ModelCall& call, size_t fields_at, Message& message) {
  if (message.automatic) {
    message.id = automatic_id(call, fields_at);
  }
}

std::optional<Id> entry_of(const ModelCall& call, ModelStream* stream, const Message& message) {
  if (!message.given || stream == nullptr || !stream->idempotency) {
    return std::nullopt;
  }
  const auto record = find_record(*stream->idempotency, message);
  if (record == stream->idempotency->records.end() ||
      !counts(*stream->idempotency, *record, call.now_ms)) {
    return std::nullopt;
  }
  return record->entry;
}

void remember(const ModelCall& call, ModelStream& stream, const Message& message, Id entry) {
  if (!message.given) {
    return;
  }
  if (!stream.idempotency) {
    stream.idempotency = defaults(call);
  }
  remember_at(*stream.idempotency, message, entry, call.now_ms);
}

namespace {

std::optional<ModelReply> take_limit(const ModelCall& call, size_t i, int64_t most,
                                     std::string_view problem, std::optional<int64_t>& limit) {
  limit = parse_integer(call.argument(i));
  if (!limit) {
    return reply_error(not_integer_text);
  }
  if (*limit < 1 || *limit > most) {
    return reply_error(problem);
  }
  return std::nullopt;
}

ModelReply xcfgset_command(ModelCall& call) {
  std::optional<int64_t> duration;
  std::optional<int64_t> maxsize;
  for (size_t i = 2; i < call.count(); i += 2) {
    const bool more = i + 1 < call.count();
    std::optional<ModelReply> error = reply_error(syntax_text);
    if (more && same_word(call.argument(i), "IDMP-DURATION")) {
      error = take_limit(call, i + 1, 86400,
                         "ERR IDMP-DURATION must be between 1 and 86400 seconds", duration);
    } else if (more && same_word(call.argument(i), "IDMP-MAXSIZE")) {
      error = take_limit(call, i + 1, 10000, "ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
                         maxsize);
    }
    if (error) {
      return *error;
    }
  }
  if (call.count() == 2) {
    return reply_error(syntax_text);
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr) {
    return reply_error("ERR no such key");
  }
  if (!stream->idempotency) {
    stream->idempotency = defaults(call);
  }
  ModelIdempotency& memory = *stream->idempotency;
  const ModelIdempotency fresh = {.duration_s = duration.value_or(memory.duration_s),
                                  .maxsize = maxsize.value_or(memory.maxsize),
                                  .records = {}};
  if (fresh.duration_s != memory.duration_s || fresh.maxsize != memory.maxsize) {
    memory = fresh;
  }
  return reply_ok();
}

ModelReply xidmprecord_command(ModelCall& call) {
  const Message message = {.given = true,
                           .automatic = false,
                           .producer = std::string(call.argument(2)),
                           .id = "manual:" + std::string(call.argument(3))};
  if (call.argument(2).empty() || call.argument(3).empty()) {
    return reply_error(
        "ERR XIDMPRECORD requires a non-empty producer ID and a non-empty idempotent ID");
  }
  std::optional<Id> id = parse_id(call.argument(4), 0);
  if (!id) {
    return reply_error(bad_id_text);
  }
  ModelStream* stream = nullptr;
  if (!find_stream(call, call.argument(1), stream)) {
    return reply_error(wrong_type_text);
  }
  if (stream == nullptr) {
    return reply_error("ERR no such key");
  }
  if (!stream->entries.contains(*id)) {
    return reply_error("ERR XIDMPRECORD requires the ID of an entry of the stream");
  }
  const uint64_t latest = std::numeric_limits<int64_t>::max();
  const auto made_ms = static_cast<int64_t>(std::min(id->first, latest));
  ModelIdempotency memory = stream->idempotency.value_or(
      ModelIdempotency{.duration_s = 100, .maxsize = 100, .records = {}});
  const auto record = find_record(memory, message);
  if (record != memory.records.end() && counts(memory, *record, made_ms)) {
    return record->entry == *id ? reply_ok()
                                : reply_error("ERR The message is recorded for another entry");
  }
  remember_at(memory, message, *id, made_ms);
  stream->idempotency = memory;
  return reply_ok();
}

constexpr ModelCommand stream_idempotent_table[] = {
    {"xcfgset", -2, xcfgset_command, false},
    {"xidmprecord", 5, xidmprecord_command, true},
};

}  // namespace
}  // namespace model_streams

std::span<const ModelCommand> stream_idempotent_commands() {
  return model_streams::stream_idempotent_table;
}

}  // namespace redoubt::sim
