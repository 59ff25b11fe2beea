// The writer of replies, RESP2 and RESP3. What RESP2 lacks is written in the form that Redis uses
// there: a map as a flat array, a double as a bulk string, a null as "$-1".
//
// The caller writes exactly as many elements as an aggregate announced; counts are not checked
// here.
#pragma once

#include <cstdint>
#include <string_view>

#include "net/output.h"

namespace redoubt {

enum class Protocol : uint8_t { resp2 = 2, resp3 = 3 };

class ReplyWriter {
 public:
  ReplyWriter(Output& output, Protocol protocol) : out_(&output), protocol_(protocol) {}

  Protocol protocol() const { return protocol_; }
  bool resp3() const { return protocol_ == Protocol::resp3; }
  void set_protocol(Protocol protocol) { protocol_ = protocol; }
  Output& output() { return *out_; }

  void ok() { out_->append("+OK\r\n"); }
  // Text without line ends; such bytes are written as spaces.
  void simple(std::string_view text);
  // `text` with its code in front, such as "ERR syntax error".
  void error(std::string_view text);
  void integer(int64_t value);
  void bulk(std::string_view bytes);
  // A bulk string with the digits of an integer.
  void bulk_integer(int64_t value);
  void null();        // "_" or "$-1"
  void null_array();  // "_" or "*-1"
  void array(size_t count) { aggregate('*', count); }
  // `pairs` keys and values follow.
  void map(size_t pairs) { resp3() ? aggregate('%', pairs) : aggregate('*', pairs * 2); }
  void set(size_t count) { aggregate(resp3() ? '~' : '*', count); }
  void push(size_t count) { aggregate(resp3() ? '>' : '*', count); }
  // RESP3 only: `pairs` of attributes in front of the reply that follows.
  void attribute(size_t pairs) { aggregate('|', pairs); }
  void boolean(bool value);
  void real(double value);
  // The same for a number that is text already.
  void real_text(std::string_view text);
  // An integer of any size as decimal text; a bulk string in RESP2.
  void big_number(std::string_view digits);
  // `format` has 3 characters, such as "txt"; a plain bulk string in RESP2.
  void verbatim(std::string_view format, std::string_view text);

 private:
  void aggregate(char type, size_t count);
  void line(char type, std::string_view text);

  Output* out_;
  Protocol protocol_;
};

}  // namespace redoubt
