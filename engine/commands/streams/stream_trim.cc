#include "engine/commands/streams/stream_trim.h"

#include <algorithm>

namespace redoubt {

namespace {

StreamOptionWord read_threshold(Context& c, size_t& index, StreamTrimOptions& options) {
  StreamTrim& how = options.how;
  const auto kind = c.is(index, "MAXLEN") ? StreamTrim::Kind::length : StreamTrim::Kind::id;
  if (how.kind != StreamTrim::Kind::none) {
    return option_error(
        c, "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
  }
  const std::string_view next = c.args[++index];
  const bool has_operator = (next == "~" || next == "=") && index + 1 < c.args.size();
  how.whole_blocks = has_operator && next == "~";
  if (has_operator) ++index;
  how.kind = kind;
  if (kind == StreamTrim::Kind::id) {
    const std::optional<StreamId> id = stream_id(c, index);
    if (!id) return StreamOptionWord::failed;
    how.id = *id;
    return StreamOptionWord::taken;
  }
  const std::optional<int64_t> length = c.integer(index);
  if (!length) return StreamOptionWord::failed;
  if (*length < 0) return option_error(c, "ERR The MAXLEN argument must be >= 0.");
  how.length = static_cast<uint64_t>(*length);
  return StreamOptionWord::taken;
}

StreamOptionWord read_limit(Context& c, size_t& index, StreamTrimOptions& options) {
  options.limit = c.integer(++index);
  if (!options.limit) return StreamOptionWord::failed;
  if (*options.limit < 0) return option_error(c, "ERR The LIMIT argument must be >= 0.");
  return StreamOptionWord::taken;
}

}  // namespace

std::optional<StreamReferences> references_named(Context& c, size_t index) {
  if (c.is(index, "KEEPREF")) return StreamReferences::keep;
  if (c.is(index, "DELREF")) return StreamReferences::remove;
  if (c.is(index, "ACKED")) return StreamReferences::acknowledged;
  return std::nullopt;
}

std::string_view name_of(StreamReferences references) {
  switch (references) {
    case StreamReferences::keep: return "KEEPREF";
    case StreamReferences::remove: return "DELREF";
    case StreamReferences::acknowledged: return "ACKED";
  }
  return {};
}

StreamOptionWord read_trim_option(Context& c, size_t& index, StreamTrimOptions& options) {
  const bool has_value = index + 1 < c.args.size();
  if (has_value && (c.is(index, "MAXLEN") || c.is(index, "MINID"))) {
    return read_threshold(c, index, options);
  }
  if (has_value && c.is(index, "LIMIT")) return read_limit(c, index, options);
  const std::optional<StreamReferences> references = references_named(c, index);
  if (!references) return StreamOptionWord::other;
  if (options.has_references) {
    c.syntax_error();
    return StreamOptionWord::failed;
  }
  options.has_references = true;
  options.how.references = *references;
  return StreamOptionWord::taken;
}

bool finish_trim_options(Context& c, StreamTrimOptions& options, bool required) {
  StreamTrim& how = options.how;
  if (options.limit.value_or(0) != 0 && how.kind == StreamTrim::Kind::none) {
    c.error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    return false;
  }
  if (required && how.kind == StreamTrim::Kind::none) {
    c.error("ERR syntax error, XTRIM must be called with a trimming strategy");
    return false;
  }
  if (options.limit && !how.whole_blocks) {
    c.error("ERR syntax error, LIMIT cannot be used without the special ~ option");
    return false;
  }
  if (options.limit) {
    how.limit = static_cast<uint64_t>(*options.limit);
  } else if (how.whole_blocks) {
    // Nobody should wait long for an approximate trim.
    constexpr int64_t kBlocks = 100;
    constexpr int64_t kLargest = 1'000'000;
    const int64_t entries = std::min(c.settings().stream_node_max_entries, kLargest);
    how.limit =
        entries <= 0 ? 10'000 : static_cast<uint64_t>(std::min(entries * kBlocks, kLargest));
  }
  return true;
}

TrimEffect::TrimEffect(const StreamTrimOptions& options, const Stream& stream, StreamId reached)
    : kind_(options.how.kind),
      references_(options.has_references ? name_of(options.how.references) : std::string_view()) {
  if (kind_ == StreamTrim::Kind::length) {
    threshold_ = std::to_string(options.how.whole_blocks ? stream.length() : options.how.length);
  } else if (kind_ == StreamTrim::Kind::id) {
    const bool exact = !options.how.whole_blocks || reached > options.how.id;
    threshold_ = StreamIdText(exact ? options.how.id : reached).view();
  }
}

void TrimEffect::append_to(std::vector<std::string_view>& args) const {
  if (!references_.empty()) args.push_back(references_);
  if (kind_ == StreamTrim::Kind::none) return;
  args.push_back(kind_ == StreamTrim::Kind::length ? "MAXLEN" : "MINID");
  args.push_back("=");
  args.push_back(threshold_);
}

StreamLimits stream_limits(const Context& c) {
  const auto& settings = c.settings();
  return {.block_bytes_max = settings.stream_node_max_bytes,
          .block_entries_max = static_cast<uint64_t>(settings.stream_node_max_entries)};
}

}  // namespace redoubt
