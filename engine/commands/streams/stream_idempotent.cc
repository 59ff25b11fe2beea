// Streams: messages that are not added twice, and what says how long they are remembered.
#include "engine/commands/streams/stream_idempotent.h"

#include <limits>

#include "engine/commands/families.h"
#include "engine/store/hash.h"

namespace redoubt {

namespace {

void append_number(std::string& text, uint64_t number) {
  for (int i = 0; i < 8; ++i) text += static_cast<char>(number >> (8 * i));
}

int64_t recorded_ms(const Context& c, const IdempotentOptions& options) {
  return options.recorded ? options.recorded->made_ms : c.now_ms();
}

IdempotencyLimits default_limits(const Context& c) {
  return {.duration_s = c.settings().stream_idmp_duration_s,
          .maxsize = c.settings().stream_idmp_maxsize};
}

std::optional<int64_t> read_duration(Context& c, size_t index) {
  const std::optional<int64_t> seconds = c.integer(index);
  if (!seconds || (*seconds >= 1 && *seconds <= IdempotencyLimits::kDurationMax)) return seconds;
  c.error("ERR IDMP-DURATION must be between 1 and 86400 seconds");
  return std::nullopt;
}

std::optional<int64_t> read_maxsize(Context& c, size_t index) {
  const std::optional<int64_t> records = c.integer(index);
  if (!records || (*records >= 1 && *records <= IdempotencyLimits::kRecordsMax)) return records;
  c.error("ERR IDMP-MAXSIZE must be between 1 and 10000 entries");
  return std::nullopt;
}

// IDMP-RECORDED ms duration maxsize
StreamOptionWord read_recorded(Context& c, size_t& index, IdempotentOptions& options) {
  IdempotentOptions::Recorded recorded;
  const std::optional<int64_t> made_ms =
      c.integer_between(index + 1, 0, std::numeric_limits<int64_t>::max());
  if (!made_ms) return StreamOptionWord::failed;
  const std::optional<int64_t> duration = read_duration(c, index + 2);
  if (!duration) return StreamOptionWord::failed;
  const std::optional<int64_t> maxsize = read_maxsize(c, index + 3);
  if (!maxsize) return StreamOptionWord::failed;
  recorded.made_ms = *made_ms;
  recorded.limits = {.duration_s = *duration, .maxsize = *maxsize};
  options.recorded = recorded;
  index += 3;
  return StreamOptionWord::taken;
}

}  // namespace

// --- XADD

void IdempotentOptions::complete(std::span<const std::string_view> fields) {
  if (!automatic) return;
  uint64_t low = 0;
  uint64_t high = 0;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    const XXH128_hash_t name = XXH3_128bits(fields[i].data(), fields[i].size());
    const uint64_t seed = name.low64 ^ name.high64 * 0x9e3779b97f4a7c15;
    const XXH128_hash_t pair =
        XXH3_128bits_withSeed(fields[i + 1].data(), fields[i + 1].size(), seed);
    low += pair.low64;
    high += pair.high64;
  }
  id.clear();
  append_number(id, low);
  append_number(id, high);
}

StreamOptionWord read_idempotent_option(Context& c, size_t& index, IdempotentOptions& options) {
  const size_t behind = c.args.size() - index - 1;
  const bool automatic = behind >= 1 && c.is(index, "IDMPAUTO");
  const bool manual = behind >= 2 && c.is(index, "IDMP");
  if (behind >= 3 && c.is(index, "IDMP-RECORDED")) return read_recorded(c, index, options);
  if (!automatic && !manual) return StreamOptionWord::other;
  if (options.given) return option_error(c, "ERR IDMP/IDMPAUTO specified multiple times");
  options.given = true;
  options.automatic = automatic;
  options.producer = c.args[++index];
  if (options.producer.empty()) {
    return option_error(c, automatic ? "ERR IDMPAUTO requires a non-empty producer ID"
                                     : "ERR IDMP requires a non-empty producer ID");
  }
  if (automatic) return StreamOptionWord::taken;
  options.id = c.args[++index];
  if (options.id.empty()) return option_error(c, "ERR IDMP requires a non-empty idempotent ID");
  return StreamOptionWord::taken;
}

bool finish_idempotent_options(Context& c, const IdempotentOptions& options, bool has_id,
                               bool has_whole_id) {
  if (options.recorded) {
    if (options.given && has_whole_id) return true;
    c.syntax_error();
    return false;
  }
  if (!options.given || !has_id) return true;
  c.error("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs");
  return false;
}

bool is_duplicate(Context& c, const IdempotentOptions& options, Stream& stream) {
  StreamIdempotency* idempotency = stream.idempotency();
  if (!options.given || options.recorded || idempotency == nullptr) return false;
  const IdempotentRecord* record = idempotency->find(options.producer, options.id, c.now_ms());
  if (record == nullptr) return false;
  idempotency->set_duplicates(idempotency->duplicates() + 1);
  reply_stream_id(c, record->entry);
  return true;
}

void remember_message(Context& c, const IdempotentOptions& options, Stream& stream,
                      StreamId entry) {
  if (!options.given) return;
  const IdempotencyLimits limits = options.recorded ? options.recorded->limits : default_limits(c);
  stream.need_idempotency(limits).record(options.producer, options.id, entry,
                                         recorded_ms(c, options));
}

IdempotentEffect::IdempotentEffect(const Context& c, const IdempotentOptions& options,
                                   const Stream& stream)
    : options_(options) {
  if (!options.given) return;
  const IdempotencyLimits& limits = stream.idempotency()->limits();
  made_ms_ = std::to_string(recorded_ms(c, options));
  duration_ = std::to_string(limits.duration_s);
  maxsize_ = std::to_string(limits.maxsize);
}

void IdempotentEffect::append_to(std::vector<std::string_view>& args) const {
  if (!options_.given) return;
  const std::string_view words[] = {"IDMP",   options_.producer, options_.id, "IDMP-RECORDED",
                                    made_ms_, duration_,         maxsize_};
  args.insert(args.end(), std::begin(words), std::end(words));
}

namespace {

// --- XCFGSET

// The limits of a stream as the options change them. False, after an error.
struct NewLimits {
  std::optional<int64_t> duration_s;
  std::optional<int64_t> maxsize;
};

bool read_limits(Context& c, NewLimits& limits) {
  for (size_t i = 2; i < c.args.size(); i += 2) {
    const bool has_value = i + 1 < c.args.size();
    if (has_value && c.is(i, "IDMP-DURATION")) {
      limits.duration_s = read_duration(c, i + 1);
      if (!limits.duration_s) return false;
    } else if (has_value && c.is(i, "IDMP-MAXSIZE")) {
      limits.maxsize = read_maxsize(c, i + 1);
      if (!limits.maxsize) return false;
    } else {
      c.syntax_error();
      return false;
    }
  }
  if (limits.duration_s || limits.maxsize) return true;
  c.syntax_error();
  return false;
}

// The stream of argument 1; null after an error.
Stream* stream_that_exists(Context& c) {
  Entry* entry = c.write(c.args[1]);
  if (c.wrong_type(entry, Type::stream)) return nullptr;
  if (entry != nullptr) return &stream_of(*entry);
  c.error("ERR no such key");
  return nullptr;
}

void xcfgset_command(Context& c) {
  NewLimits given;
  if (!read_limits(c, given)) return;
  Stream* stream = stream_that_exists(c);
  if (stream == nullptr) return;
  const StreamIdempotency* before = stream->idempotency();
  const IdempotencyLimits old = before == nullptr ? default_limits(c) : before->limits();
  const IdempotencyLimits limits{.duration_s = given.duration_s.value_or(old.duration_s),
                                 .maxsize = given.maxsize.value_or(old.maxsize)};
  c.reply.ok();
  if (before == nullptr) {
    stream->need_idempotency(limits);
  } else if (limits != old) {
    Stream* remains = stream->restart_idempotency(limits);
    c.db().remains().discard(Type::stream, Encoding::stream, remains, remains->pieces(),
                             remains->bytes());
  } else {
    return;
  }
  modified_without_event(c, c.args[1]);
  // Both, as what was not given is this node's default.
  c.effect({"XCFGSET", c.args[1], "IDMP-DURATION", std::to_string(limits.duration_s),
            "IDMP-MAXSIZE", std::to_string(limits.maxsize)});
}

// --- XIDMPRECORD

void xidmprecord_command(Context& c) {
  const std::string_view producer = c.args[2];
  const std::string_view id = c.args[3];
  if (producer.empty() || id.empty()) {
    c.error("ERR XIDMPRECORD requires a non-empty producer ID and a non-empty idempotent ID");
    return;
  }
  const std::optional<StreamId> entry_id = stream_id(c, 4);
  if (!entry_id) return;
  Stream* stream = stream_that_exists(c);
  if (stream == nullptr) return;
  StreamEntry entry;
  if (!stream->find(*entry_id, entry)) {
    c.error("ERR XIDMPRECORD requires the ID of an entry of the stream");
    return;
  }
  // The entry's time is that of the message, so that this means the same whenever it is executed.
  const auto made_ms =
      static_cast<int64_t>(std::min<uint64_t>(entry_id->ms, std::numeric_limits<int64_t>::max()));
  const StreamIdempotency* before = stream->idempotency();
  const IdempotentRecord* same = before == nullptr ? nullptr : before->find(producer, id, made_ms);
  if (same != nullptr && same->entry != *entry_id) {
    c.error("ERR The message is recorded for another entry");
    return;
  }
  c.reply.ok();
  if (same != nullptr) return;
  stream->need_idempotency({}).record(producer, id, *entry_id, made_ms);
  modified_without_event(c, c.args[1]);
}

constexpr Command stream_idempotent_rows[] = {
    {.name = "xcfgset",
     .arity = -2,
     .flags = kWrite | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "8.6.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "Says for how long, and how many, messages of each producer are remembered.",
     .arguments = "key:key [idmp-duration:integer(IDMP-DURATION)] "
                  "[idmp-maxsize:integer(IDMP-MAXSIZE)]",
     .handler = xcfgset_command},
    {.name = "xidmprecord",
     .arity = 5,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatStream,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "8.8.0",
     .group = "stream",
     .complexity = "O(1)",
     .summary = "An internal command: remembers which message an entry of a stream was.",
     .arguments = "key:key pid:string iid:string stream-id:string",
     .handler = xidmprecord_command},
};

}  // namespace

std::span<const Command> stream_idempotent_commands() {
  return stream_idempotent_rows;
}

}  // namespace redoubt
