// What the model expects as a reply: mostly exact bytes, sometimes a rule, where the order or the
// choice is the server's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/model/sorted.h"

namespace redoubt::sim {

struct ModelReply {
  enum class Rule : uint8_t {
    exact,            // the bytes are equal to `bytes`
    one_of,           // the bytes are equal to one of `choices`
    integer_between,  // an integer from `low` to `high`
    unordered,        // an array or set that has the elements `choices` (bulk strings), any order
    scan_page,        // [cursor, elements], each element one of `choices`; repetition is allowed
    some,             // `low` different ones of `choices`, any order
    draws,            // `low` of `choices`, any order; repetition is allowed
    two_bulks,        // an array of two bulk strings of digits (TIME)
    not_error,        // anything but an error
    anything,         // the model does not know this command
  };

  Rule rule = Rule::exact;
  std::string bytes;
  std::vector<std::string> choices;
  int64_t low = 0;
  int64_t high = 0;
  // For aggregates: their type, as "*", when it matters; and how many elements of the reply make
  // one of `choices`. With some and draws, and with more than one, `choices` are RESP.
  // (unordered: `bytes` is the type)
  size_t width = 1;
  // The reply of a command that found nothing to do, when its time is up: until then it waits.
  bool waits = false;

  // Whether a server that answered `reply` (one whole reply) did as expected.
  bool matches(std::string_view reply) const;

  // One readable line that says what would have matched.
  std::string expected_text() const;
};

// Replies as bytes. `resp` is the protocol version, 2 or 3.
std::string resp_integer(int64_t number);
std::string resp_bulk(std::string_view text);
std::string resp_null(int resp);
// Each as a bulk string.
std::vector<std::string> resp_bulks(const SortedSet& texts);
std::string resp_header(char type, size_t count);

ModelReply reply_exact(std::string bytes);
ModelReply reply_ok();
ModelReply reply_integer(int64_t number);
ModelReply reply_bulk(std::string_view text);
ModelReply reply_null(int resp);
ModelReply reply_status(std::string_view text);
// `text` begins with the code: "ERR syntax error".
ModelReply reply_error(std::string_view text);
ModelReply reply_one_of(std::vector<std::string> choices);
ModelReply reply_integer_between(int64_t low, int64_t high);
ModelReply reply_unordered(std::vector<std::string> elements);
// `count` different ones of `choices`, as RESP, each of which takes `width` elements of the reply.
ModelReply reply_some(std::vector<std::string> choices, size_t count, char type, size_t width = 1);
ModelReply reply_draws(std::vector<std::string> choices, size_t count, size_t width = 1);
ModelReply reply_rule(ModelReply::Rule rule);

}  // namespace redoubt::sim
