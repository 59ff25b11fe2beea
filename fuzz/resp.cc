// Any bytes, in segments that the input chooses, into the request parser: it must not crash, must
// not depend on the segments, and what it understood must survive being written and parsed again.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "net/resp/request_parser.h"

namespace {

using namespace redoubt;
using Commands = std::vector<std::vector<std::string>>;

struct Outcome {
  Commands commands;
  std::string error;
};

void drain(RequestParser& parser, RequestBatch& batch, Commands& out) {
  for (const RequestBatch::Request& request : batch.requests) {
    std::vector<std::string>& command = out.emplace_back();
    for (uint32_t i = 0; i < request.arg_count; ++i) {
      command.emplace_back(batch.args[request.first_arg + i]);
    }
  }
  parser.release();
  batch.clear();
}

// Segments of 1 to 256 bytes as `cuts` says, over and over; all at once without any.
Outcome parse(const std::string& wire, const std::vector<uint8_t>& cuts) {
  const ParserLimits limits{.bulk_bytes_max = 1 << 20, .query_bytes_max = 4 << 20};
  RequestParser parser;
  RequestBatch batch;
  Outcome outcome;
  size_t at = 0;
  for (size_t turn = 0; at < wire.size(); ++turn) {
    size_t size = cuts.empty() ? wire.size() : size_t{cuts[turn % cuts.size()]} + 1;
    size = std::min(size, wire.size() - at);
    const std::span<char> room = parser.direct_room();
    if (!room.empty()) {
      size = std::min(size, room.size());
      std::memcpy(room.data(), wire.data() + at, size);
      parser.direct_filled(size);
      at += size;
      continue;
    }
    const std::vector<char> piece(wire.begin() + static_cast<ptrdiff_t>(at),
                                  wire.begin() + static_cast<ptrdiff_t>(at + size));
    at += size;
    const RequestParser::Status status = parser.feed(piece, limits, batch);
    drain(parser, batch, outcome.commands);
    if (status != RequestParser::Status::ok) {
      outcome.error = status == RequestParser::Status::protocol_error ? parser.error() : "limit";
      break;
    }
  }
  return outcome;
}

std::string encode(const Commands& commands) {
  std::string wire;
  for (const auto& command : commands) {
    wire += "*" + std::to_string(command.size()) + "\r\n";
    for (const std::string& arg : command) {
      wire += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
    }
  }
  return wire;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t cut_count = std::min<size_t>(data[0] % 8, size - 1);
  const std::vector<uint8_t> cuts(data + 1, data + 1 + cut_count);
  const std::string wire(reinterpret_cast<const char*>(data + 1 + cut_count), size - 1 - cut_count);

  const Outcome whole = parse(wire, {});
  const Outcome pieces = parse(wire, cuts);
  ASSERT(whole.commands == pieces.commands);
  ASSERT(whole.error == pieces.error);
  const Outcome again = parse(encode(whole.commands), cuts);
  ASSERT(again.commands == whole.commands && again.error.empty());
  return 0;
}
