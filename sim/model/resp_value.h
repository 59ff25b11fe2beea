// A RESP2 or RESP3 value as checkers and test clients see it: parse reply bytes into a tree, print
// them, and find where a reply ends in a growing buffer. Reads what a server sent, so everything is
// bounded and nothing is trusted; it is separate from the product's own writer on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt::sim {

struct RespValue {
  enum class Kind : uint8_t {
    simple,      // +OK              text
    error,       // -ERR ...         text
    integer,     // :1               integer, text
    bulk,        // $3 foo           text
    null,        // $-1  *-1  _      text is the mark itself, so that the three can be told apart
    array,       // *2               items
    map,         // %1               items: key, value, key, value
    set,         // ~2               items
    push,        // >2               items
    attribute,   // |1               items: key, value, ..., then the value that it belongs to
    real,        // ,2.5             text
    boolean,     // #t               integer 1 or 0
    big_number,  // (123             text
    bulk_error,  // !5 ERR x         text
    verbatim,    // =7 txt:foo       text with the three letters and the colon
  };

  Kind kind = Kind::null;
  int64_t integer = 0;
  std::string text;
  std::vector<RespValue> items;

  bool is_error() const { return kind == Kind::error || kind == Kind::bulk_error; }
  bool operator==(const RespValue&) const = default;
};

enum class RespParse : uint8_t {
  complete,
  incomplete,  // more bytes are needed
  invalid,     // these bytes cannot begin a reply
};

// Nesting that a reply of ours never reaches; deeper ones are invalid.
constexpr int resp_depth_max = 32;

// Parses the value at the front of `bytes`. When complete, `value` holds it and `used` its length.
RespParse parse_resp(std::string_view bytes, RespValue& value, size_t& used);

// The same for bytes that must be exactly one value; false when they are not.
bool parse_resp_exactly(std::string_view bytes, RespValue& value);

// The values of an aggregate that is all of `bytes`, as RESP. False: the bytes are something else.
// A map has twice as many values as pairs.
bool split_resp(std::string_view bytes, std::vector<std::string_view>& values);

// The text of a bulk string that is all of `bytes`.
std::optional<std::string_view> resp_bulk_text(std::string_view bytes);

// Finds the end of the reply at the front of a buffer that grows at its end, without looking at any
// byte twice (apart from the last few of a line that was cut).
class ReplyFramer {
 public:
  // `buffer` begins at the reply's first byte and holds at least what it held in the call before.
  // When complete, `end` is the length of the reply, and the framer is ready for the next one.
  RespParse find_end(std::string_view buffer, size_t& end);

 private:
  void reset() {
    position_ = 0;
    pending_ = 1;
  }

  size_t position_ = 0;   // everything before is understood
  uint64_t pending_ = 1;  // values still to come
};

// Readable and on one line: (integer) 1, "text with \r\n escaped", [a, b], {k: v}.
std::string describe_resp(const RespValue& value);

// The same for raw bytes; bytes that are no reply are shown as an escaped string.
std::string describe_reply(std::string_view bytes);

// "text" in quotes, with everything that is not printable ASCII as \n, \r, \t or \xNN.
std::string quote_bytes(std::string_view bytes);

}  // namespace redoubt::sim
