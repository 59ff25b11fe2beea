// DUMP, RESTORE, RESTORE-ASKING and MIGRATE: keys as bytes, from one server to another.
#pragma once

#include <array>

#include "engine/command/command.h"

namespace redoubt {

void dump_command(Context& c);
void restore_command(Context& c);
void migrate_command(Context& c);

inline constexpr std::array kDumpRows = {
    Command{.name = "dump",
            .arity = 2,
            .flags = kReadOnly,
            .categories = kCatKeyspace,
            .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
            .since = "2.6.0",
            .group = "generic",
            .complexity =
                "O(1) to find the key, and O(N*M) for the value, where N is the number of "
                "its elements and M their mean size",
            .summary = "Return the value of a key in the form that RESTORE takes",
            .tips = "nondeterministic_output",
            .arguments = "key:key",
            .handler = dump_command},
    Command{.name = "migrate",
            .arity = -6,
            .flags = kWrite | kNoMulti,
            .categories = kCatKeyspace | kCatDangerous,
            .since = "2.6.0",
            .group = "generic",
            .complexity = "Runs DUMP and DEL on this server and RESTORE on the other one; the time "
                          "grows with the size of the values",
            .summary = "Move keys to another server",
            .tips = "nondeterministic_output",
            .arguments = "host:string port:integer key-selector:<key:key|empty-string(\"\")> "
                         "destination-db:integer timeout:integer [copy(COPY)@3.0.0] "
                         "[replace(REPLACE)@3.0.0] [authentication:<auth:string(AUTH)@4.0.7|"
                         "auth2:{username:string password:string}(AUTH2)@6.0.0>] "
                         "[keys:key(KEYS)@3.0.6...]",
            .history = "3.0.0: Added the `COPY` and `REPLACE` options.\n"
                       "3.0.6: Added the `KEYS` option.\n4.0.7: Added the `AUTH` option.\n"
                       "6.0.0: Added the `AUTH2` option.",
            .handler = migrate_command},
    Command{.name = "restore",
            .arity = -4,
            .flags = kWrite | kDenyOom,
            .categories = kCatKeyspace | kCatDangerous,
            .keys = {keys_at(kKeyOW | kKeyUpdate, 1)},
            .since = "2.6.0",
            .group = "generic",
            .complexity =
                "O(1) to make the key, and O(N*M) for the value, where N is the number of "
                "its elements and M their mean size; O(N*M*log(N)) for sorted sets",
            .summary = "Create a key from what DUMP returned",
            .arguments = "key:key ttl:integer serialized-value:string [replace(REPLACE)@3.0.0] "
                         "[absttl(ABSTTL)@5.0.0] [seconds:integer(IDLETIME)@5.0.0] "
                         "[frequency:integer(FREQ)@5.0.0]",
            .history = "3.0.0: Added the `REPLACE` modifier.\n"
                       "5.0.0: Added the `ABSTTL` modifier.\n"
                       "5.0.0: Added the `IDLETIME` and `FREQ` options.",
            .handler = restore_command},
    Command{.name = "restore-asking",
            .arity = -4,
            .flags = kWrite | kDenyOom | kAsking,
            .categories = kCatKeyspace | kCatDangerous,
            .keys = {keys_at(kKeyOW | kKeyUpdate, 1)},
            .since = "3.0.0",
            .group = "server",
            .complexity = "As RESTORE",
            .summary = "RESTORE for the nodes of a cluster among themselves",
            .arguments = "key:key ttl:integer serialized-value:string [replace(REPLACE)@3.0.0] "
                         "[absttl(ABSTTL)@5.0.0] [seconds:integer(IDLETIME)@5.0.0] "
                         "[frequency:integer(FREQ)@5.0.0]",
            .handler = restore_command},
};

}  // namespace redoubt
