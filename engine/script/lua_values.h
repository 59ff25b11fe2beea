// Values of scripts and replies of commands, each made of the other, as Redis's documentation of
// its Lua API describes.
//
//   reply          Lua                                   Lua               reply
//   integer        number                                number            integer, cut
//   bulk string    string                                string            bulk string
//   status         {ok = text}                           {ok = text}       status
//   error          {err = text}                          {err = text}      error
//   array          table                                 table             array, up to the first
//   nil null           false; in RESP3 nil                   false, nil        null
//                                                        true              1; in RESP3 true
//   RESP3: map {map = {}}, set {set = {member = true}}, double {double = n}, boolean true or false,
//   big number {big_number = digits}, verbatim {verbatim_string = {string = s, format = f}}; both
//   ways.
//
// Both functions may raise errors of Lua, so they are called where those are caught.
#pragma once

#include <lua.hpp>
#include <string_view>

#include "net/resp/reply_writer.h"

namespace redoubt {

// Pushes one value: that of a whole reply, which is well formed.
void push_reply(lua_State* lua, std::string_view reply, Protocol protocol);
// Writes the value on top of the stack, and pops it. `protocol` is the script's, not the client's.
void write_value(lua_State* lua, ReplyWriter& out, Protocol protocol);

}  // namespace redoubt
