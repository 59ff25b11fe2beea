// Set members with a deadline of their own: SEXPIRE, STTL, SPERSIST and their kin.
#include "engine/commands/families.h"
#include "engine/commands/part_expiry.h"
#include "engine/commands/sets/set_value.h"

namespace redoubt {

namespace {

constexpr Command member_row(Command row) {
  row.categories = kCatSet;
  row.since = "8.12.0";
  row.group = "set";
  row.complexity = "O(N) where N is the number of specified members";
  return row;
}

constexpr std::string_view kMembers =
    "key:key members:{nummembers:integer member:string...}(MEMBERS)";

constexpr Command set_expiry_rows[] = {
    member_row(expire_row(
        {.name = "sexpire",
         .summary = "Set expiry for set members using relative time to expire (seconds)",
         .arguments = "key:key seconds:integer [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
                      "members:{nummembers:integer member:string...}(MEMBERS)",
         .handler = expire_parts_command<SetMembers, false, true>})),
    member_row(expire_row(
        {.name = "sexpireat",
         .summary = "Set expiry for set members using an absolute Unix timestamp (seconds)",
         .arguments =
             "key:key unix-time-seconds:unix-time [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
             "members:{nummembers:integer member:string...}(MEMBERS)",
         .handler = expire_parts_command<SetMembers, true, true>})),
    member_row(deadlines_row(
        {.name = "sexpiretime",
         .summary = "Get the expiration time of set members as a Unix timestamp, in seconds",
         .arguments = kMembers,
         .handler = reply_deadlines_command<SetMembers, true, true>})),
    member_row(persist_row({.name = "spersist",
                            .summary = "Remove the expiration time of set members",
                            .arguments = kMembers,
                            .handler = persist_parts<SetMembers>})),
    member_row(expire_row(
        {.name = "spexpire",
         .summary = "Set expiry for set members using relative time to expire (milliseconds)",
         .arguments = "key:key milliseconds:integer [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
                      "members:{nummembers:integer member:string...}(MEMBERS)",
         .handler = expire_parts_command<SetMembers, false, false>})),
    member_row(expire_row(
        {.name = "spexpireat",
         .summary = "Set expiry for set members using an absolute Unix timestamp (milliseconds)",
         .arguments = "key:key unix-time-milliseconds:unix-time "
                      "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
                      "members:{nummembers:integer member:string...}(MEMBERS)",
         .handler = expire_parts_command<SetMembers, true, false>})),
    member_row(deadlines_row(
        {.name = "spexpiretime",
         .summary = "Get the expiration time of set members as a Unix timestamp, in milliseconds",
         .arguments = kMembers,
         .handler = reply_deadlines_command<SetMembers, true, false>})),
    member_row(deadlines_row({.name = "spttl",
                              .summary = "Get the TTL of set members in milliseconds",
                              .tips = "nondeterministic_output",
                              .arguments = kMembers,
                              .handler = reply_deadlines_command<SetMembers, false, false>})),
    member_row(deadlines_row({.name = "sttl",
                              .summary = "Get the TTL of set members in seconds",
                              .tips = "nondeterministic_output",
                              .arguments = kMembers,
                              .handler = reply_deadlines_command<SetMembers, false, true>})),
};

}  // namespace

std::span<const Command> set_expiry_commands() {
  return set_expiry_rows;
}

}  // namespace redoubt
