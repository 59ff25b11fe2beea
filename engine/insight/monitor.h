// MONITOR: what a line says of a command, and which arguments nobody may see.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/command/command_table.h"
#include "net/time.h"

namespace redoubt {

// The arguments with passwords (of AUTH, HELLO, ACL SETUSER, CONFIG SET, MIGRATE) replaced by
// "(redacted)". Views into `args` and static storage.
std::vector<std::string_view> redact_arguments(const CommandEntry& entry,
                                               std::span<const std::string_view> args);

// "1339518083.107412 [0 127.0.0.1:60866] "keys" "*"": the time, the database, where the command
// came from ("lua" for scripts), and its arguments in quotes.
std::string monitor_line(WallTime wall, int db, std::string_view source,
                         std::span<const std::string_view> args);

}  // namespace redoubt
