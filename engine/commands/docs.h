// The arguments of a command in a compact notation, and what COMMAND DOCS makes of it.
//
// Command::arguments holds one text for each row, items separated by one blank:
//
//   key:key                    an argument `key` of type key; a key belongs to key specification 0
//   newkey:key#1               ... or to another one
//   value:string               types: string integer double key pattern unix-time
//   replace(REPLACE)           a pure token: the word itself is the argument
//   count:integer(COUNT)       a token in front of a value
//   [type:string(TYPE)]        optional
//   key:key...                 may be given several times
//   [get:pattern(GET)*...]     several times, with the token in front of each
//   condition:<nx(NX)|xx(XX)>  one of
//   data:{score:double member:string}...            a block of arguments
//   limit:{offset:integer count:integer}(LIMIT)     a block behind a token; oneof likewise
//   get(GET)@6.2.0             since a version
//   ip:port:string!2.8.12      deprecated since a version; the type is behind the last colon
//
// The parts of an item come in the order in which they stand here: name, type, #specification,
// (TOKEN), @since, !deprecated, repetition. Oneofs and blocks nest. SET, as an example:
//
//   key:key value:string [condition:<nx(NX)|xx(XX)>@2.6.12] [get(GET)@6.2.0]
//   [expiration:<seconds:integer(EX)@2.6.12|milliseconds:integer(PX)@2.6.12|
//   unix-time-seconds:unix-time(EXAT)@6.2.0|unix-time-milliseconds:unix-time(PXAT)@6.2.0|
//   keepttl(KEEPTTL)@6.0.0>]
//
// (in one line, without a blank around "|"). A test reads all rows and refuses what is not well
// formed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/command/command_table.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

// One argument. The views point into the notation's text.
struct Argument {
  std::string_view name;
  std::string_view type;  // as COMMAND DOCS names it: "string", "oneof", "block", "pure-token", ...
  int key_spec_index = -1;  // -1: none
  bool has_token = false;
  std::string_view token;
  std::string_view since;
  std::string_view deprecated_since;
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;
  std::vector<Argument> arguments;  // of oneof and block
};

// Reads the notation. False: it is not well formed, and *error says what was expected where.
bool parse_arguments(std::string_view notation, std::vector<Argument>* arguments,
                     std::string* error);

// One line of Command::history or Command::deprecated, "6.0.0: text", in two.
struct VersionNote {
  std::string_view version;
  std::string_view text;
};
VersionNote split_note(std::string_view line);
// The lines of Command::history.
std::vector<VersionNote> split_history(std::string_view history);

// The value that COMMAND DOCS has for a command: a map, with its subcommands'.
void reply_docs(ReplyWriter& reply, const CommandEntry& entry);

}  // namespace redoubt
