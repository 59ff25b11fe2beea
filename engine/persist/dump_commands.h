// DUMP, RESTORE, RESTORE-ASKING and MIGRATE: keys as bytes, from one server to another.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "engine/command/command.h"

namespace redoubt {

void dump_command(Context& c);
void restore_command(Context& c);
void migrate_command(Context& c);
bool find_migrated_keys(std::span<const std::string_view> args, std::vector<int>& indexes);

// Behind the word KEYS.
inline constexpr KeySpec kMigratedKeys = {
    .flags = kKeyRW | kKeyAccess | kKeyDelete | kKeyIncomplete,
    .begin = KeySpec::Begin::keyword,
    .index = -2,
    .keyword = "KEYS",
    .find = KeySpec::Find::range,
    .last_or_keynum = -1};

inline constexpr std::array kDumpRows = {
    Command{
        .name = "dump",
        .arity = 2,
        .flags = kReadOnly,
        .categories = kCatKeyspace,
        .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
        .since = "2.6.0",
        .group = "generic",
        .complexity =
            "O(1) to access the key and additional O(N*M) to serialize it, where N is the number "
            "of Redis objects composing the value and M their average size. For small string "
            "values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
        .summary = "Return a serialized version of the value stored at the specified key.",
        .tips = "nondeterministic_output",
        .arguments = "key:key",
        .handler = dump_command},
    Command{
        .name = "migrate",
        .arity = -6,
        .flags = kWrite | kMovableKeys,
        .categories = kCatKeyspace | kCatDangerous,
        .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 3), kMigratedKeys},
        .since = "2.6.0",
        .group = "generic",
        .complexity =
            "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in "
            "the target instance. See the pages of these commands for time complexity. Also an "
            "O(N) data transfer between the two instances is performed.",
        .summary = "Atomically transfer a key from a Redis instance to another one.",
        .tips = "nondeterministic_output",
        .arguments = "host:string port:integer "
                     "key_or_empty_string:<key:key|empty_string()> "
                     "destination-db:integer timeout:integer [copy(COPY)@3.0.0] "
                     "[replace(REPLACE)@3.0.0] "
                     "[authentication:<[password:string(AUTH)@4.0.7]|"
                     "[username_password:{username:string password:string}(AUTH2)@6.0.0]>] "
                     "[key:key#1(KEYS)@3.0.6...]",
        .history = "3.0.0: Added the `COPY` and `REPLACE` options.\n"
                   "3.0.6: Added the `KEYS` option.\n4.0.7: Added the `AUTH` option.\n"
                   "6.0.0: Added the `AUTH2` option.",
        .handler = migrate_command,
        .find_keys = find_migrated_keys},
    Command{
        .name = "restore",
        .arity = -4,
        .flags = kWrite | kDenyOom,
        .categories = kCatKeyspace | kCatDangerous,
        .keys = {keys_at(kKeyOW | kKeyUpdate, 1)},
        .since = "2.6.0",
        .group = "generic",
        .complexity =
            "O(1) to create the new key and additional O(N*M) to reconstruct the serialized "
            "value, where N is the number of Redis objects composing the value and M their "
            "average size. For small string values the time complexity is thus O(1)+O(1*M) where "
            "M is small, so simply O(1). However for sorted set values the complexity is "
            "O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
        .summary =
            "Create a key using the provided serialized value, previously obtained using DUMP.",
        .arguments = "key:key ttl:integer serialized-value:string [replace(REPLACE)@3.0.0] "
                     "[absttl(ABSTTL)@5.0.0] [seconds:integer(IDLETIME)@5.0.0] "
                     "[frequency:integer(FREQ)@5.0.0]",
        .history = "3.0.0: Added the `REPLACE` modifier.\n"
                   "5.0.0: Added the `ABSTTL` modifier.\n"
                   "5.0.0: Added the `IDLETIME` and `FREQ` options.",
        .handler = restore_command},
    Command{
        .name = "restore-asking",
        .arity = -4,
        .flags = kWrite | kDenyOom | kAsking | kSystemCommand,
        .categories = kCatKeyspace | kCatDangerous,
        .keys = {keys_at(kKeyOW | kKeyUpdate, 1)},
        .since = "3.0.0",
        .group = "server",
        .complexity =
            "O(1) to create the new key and additional O(N*M) to reconstruct the serialized "
            "value, where N is the number of Redis objects composing the value and M their "
            "average size. For small string values the time complexity is thus O(1)+O(1*M) where "
            "M is small, so simply O(1). However for sorted set values the complexity is "
            "O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
        .summary = "An internal command for migrating keys in a cluster",
        .arguments = "key:key ttl:integer serialized-value:string [replace(REPLACE)@3.0.0] "
                     "[absttl(ABSTTL)@5.0.0] [seconds:integer(IDLETIME)@5.0.0] "
                     "[frequency:integer(FREQ)@5.0.0]",
        .history = "3.0.0: Added the `REPLACE` modifier.\n"
                   "5.0.0: Added the `ABSTTL` modifier.\n"
                   "5.0.0: Added the `IDLETIME` and `FREQ` options.",
        .handler = restore_command},
};

}  // namespace redoubt
