// Texts of a run are whatever clients and nodes have sent. In a report they are shown, and do
// nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace redoubt::sim {

// Appends the bytes as a JSON string that may stand in a <script> of an HTML page: ASCII without
// < > & ' and without a backslash that is not JSON's own. Bytes that are not printable ASCII become
// \r, \n, \t or \xNN, which one reads. Of raw bytes a backslash is doubled, so that one can tell;
// what was written for people has done that already, where it quotes.
enum class TextKind : uint8_t { words, raw };
void append_json(std::string& out, std::string_view bytes, TextKind kind = TextKind::words);

// Appends the bytes as text of an HTML page or of an attribute in quotes, in the same way.
void append_html(std::string& out, std::string_view bytes);

}  // namespace redoubt::sim
