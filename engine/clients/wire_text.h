// Pieces of RESP in a string: for messages that are encoded once and sent to many connections.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/store/number.h"

namespace redoubt {

// A type byte with a number: "*3", "$12", ":1".
inline void append_line(std::string& out, char type, int64_t number) {
  out += type;
  out += IntegerText(number).view();
  out += "\r\n";
}

inline void append_bulk(std::string& out, std::string_view bytes) {
  append_line(out, '$', static_cast<int64_t>(bytes.size()));
  out += bytes;
  out += "\r\n";
}

}  // namespace redoubt
