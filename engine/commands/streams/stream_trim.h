// The options that trim a stream: those of XTRIM, which XADD has too.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands/streams/stream_support.h"

namespace redoubt {

struct StreamTrimOptions {
  StreamTrim how;
  std::optional<int64_t> limit;
  bool has_references = false;  // KEEPREF, DELREF or ACKED was given
};

enum class StreamOptionWord : uint8_t {
  other,   // not an option of this kind
  taken,   // read, and the index moved to its last argument
  failed,  // an error was replied
};

// Replies with an error.
inline StreamOptionWord option_error(Context& c, std::string_view text) {
  c.error(text);
  return StreamOptionWord::failed;
}

// Reads the option at an argument.
StreamOptionWord read_trim_option(Context& c, size_t& index, StreamTrimOptions& options);
// Whether the options go together; `required` when there must be some. False, after an error.
bool finish_trim_options(Context& c, StreamTrimOptions& options, bool required);

// KEEPREF, DELREF or ACKED.
std::optional<StreamReferences> references_named(Context& c, size_t index);
std::string_view name_of(StreamReferences references);

// The options that trim a replica as this stream was trimmed, without "~". `reached` is the first
// entry that was not looked at.
class TrimEffect {
 public:
  TrimEffect(const StreamTrimOptions& options, const Stream& stream, StreamId reached);
  // The views point into this object.
  void append_to(std::vector<std::string_view>& args) const;

 private:
  StreamTrim::Kind kind_;
  std::string_view references_;
  std::string threshold_;
};

// Where blocks of a stream end.
StreamLimits stream_limits(const Context& c);

}  // namespace redoubt
