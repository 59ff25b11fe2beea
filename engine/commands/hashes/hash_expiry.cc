// Hash fields with a deadline of their own: HEXPIRE, HTTL, HPERSIST and their kin.
#include "engine/commands/families.h"
#include "engine/commands/hashes/hash_value.h"
#include "engine/commands/part_expiry.h"

namespace redoubt {

namespace {

constexpr Command field_row(Command row) {
  row.categories = kCatHash;
  row.since = "7.4.0";
  row.group = "hash";
  row.complexity = "O(N) where N is the number of specified fields";
  return row;
}

constexpr std::string_view kFields = "key:key fields:{numfields:integer field:string...}(FIELDS)";

constexpr Command hash_expiry_rows[] = {
    field_row(expire_row(
        {.name = "hexpire",
         .summary = "Set expiry for hash field using relative time to expire (seconds)",
         .arguments = "key:key seconds:integer [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
                      "fields:{numfields:integer field:string...}(FIELDS)",
         .handler = expire_parts_command<HashFields, false, true>})),
    field_row(expire_row(
        {.name = "hexpireat",
         .summary = "Set expiry for hash field using an absolute Unix timestamp (seconds)",
         .arguments =
             "key:key unix-time-seconds:unix-time [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
             "fields:{numfields:integer field:string...}(FIELDS)",
         .handler = expire_parts_command<HashFields, true, true>})),
    field_row(deadlines_row(
        {.name = "hexpiretime",
         .summary = "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
         .arguments = kFields,
         .handler = reply_deadlines_command<HashFields, true, true>})),
    field_row(persist_row({.name = "hpersist",
                           .summary = "Removes the expiration time for each specified field",
                           .arguments = kFields,
                           .handler = persist_parts<HashFields>})),
    field_row(expire_row(
        {.name = "hpexpire",
         .summary = "Set expiry for hash field using relative time to expire (milliseconds)",
         .arguments = "key:key milliseconds:integer [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
                      "fields:{numfields:integer field:string...}(FIELDS)",
         .handler = expire_parts_command<HashFields, false, false>})),
    field_row(expire_row(
        {.name = "hpexpireat",
         .summary = "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
         .arguments = "key:key unix-time-milliseconds:unix-time "
                      "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
                      "fields:{numfields:integer field:string...}(FIELDS)",
         .handler = expire_parts_command<HashFields, true, false>})),
    field_row(deadlines_row(
        {.name = "hpexpiretime",
         .summary = "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
         .arguments = kFields,
         .handler = reply_deadlines_command<HashFields, true, false>})),
    field_row(deadlines_row({.name = "hpttl",
                             .summary = "Returns the TTL in milliseconds of a hash field.",
                             .tips = "nondeterministic_output",
                             .arguments = kFields,
                             .handler = reply_deadlines_command<HashFields, false, false>})),
    field_row(deadlines_row({.name = "httl",
                             .summary = "Returns the TTL in seconds of a hash field.",
                             .tips = "nondeterministic_output",
                             .arguments = kFields,
                             .handler = reply_deadlines_command<HashFields, false, true>})),
};

}  // namespace

std::span<const Command> hash_expiry_commands() {
  return hash_expiry_rows;
}

}  // namespace redoubt
