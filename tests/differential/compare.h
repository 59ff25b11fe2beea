// When two servers count as having given the same reply, and which commands are not compared.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt::differential {

// A command with its own storage.
using OwnedCommand = std::vector<std::string>;

// NAME "argument" ...: readable, with binary bytes escaped.
std::string describe_command(const OwnedCommand& command);

// Why this command's reply cannot be compared with a redis-server 7.0 (an empty text: it can).
// The rows are the differences that are meant; docs/differences.md has them too.
std::string_view known_difference(const OwnedCommand& command);

// Whether that difference is also left in the data, so that the command must not be played at all.
bool known_to_change_data(const OwnedCommand& command);

// Whether both replies mean the same for this command: the bytes are equal, or differ only in what
// the server is free to choose (order of KEYS, a random key, the clock).
bool same_reply(const OwnedCommand& command, std::string_view reference, std::string_view subject);

}  // namespace redoubt::differential
