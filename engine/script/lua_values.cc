#include "engine/script/lua_values.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/store/number.h"
#include "net/double_text.h"

namespace redoubt {

namespace {

// Deeper tables are no replies: they contain themselves, perhaps.
constexpr int kDepthMax = 256;
// Work of a value, and a size that no reply exceeds: a table may contain itself many times.
constexpr size_t kValueWork = 8;
constexpr size_t kReplyBytesMax = size_t{512} << 20;

// --- replies to values

struct ReplyReader {
  lua_State* lua;
  std::string_view rest;
  Protocol protocol;
};

// The text up to the end of the line.
std::string_view take_line(ReplyReader& in) {
  const size_t end = in.rest.find('\r');
  const std::string_view line = in.rest.substr(0, end);
  in.rest.remove_prefix(end + 2);
  return line;
}

std::string_view take_bytes(ReplyReader& in, size_t size) {
  const std::string_view bytes = in.rest.substr(0, size);
  in.rest.remove_prefix(size + 2);
  return bytes;
}

void push_text(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

// A table with one field.
void push_wrapped(lua_State* lua, const char* field, std::string_view text) {
  lua_createtable(lua, 0, 1);
  push_text(lua, text);
  lua_setfield(lua, -2, field);
}

void push_null(const ReplyReader& in) {
  if (in.protocol == Protocol::resp3) {
    lua_pushnil(in.lua);
  } else {
    lua_pushboolean(in.lua, 0);
  }
}

void push_verbatim(ReplyReader& in, size_t size) {
  lua_State* lua = in.lua;
  const std::string_view bytes = take_bytes(in, size);
  lua_createtable(lua, 0, 1);
  lua_createtable(lua, 0, 2);
  push_text(lua, bytes.substr(4));
  lua_setfield(lua, -2, "string");
  push_text(lua, bytes.substr(0, 3));
  lua_setfield(lua, -2, "format");
  lua_setfield(lua, -2, "verbatim_string");
}

void push_next(ReplyReader& in, int depth);

void push_array(ReplyReader& in, int64_t count, int depth) {
  lua_createtable(in.lua, static_cast<int>(count), 0);
  for (int64_t i = 1; i <= count; ++i) {
    push_next(in, depth + 1);
    lua_rawseti(in.lua, -2, i);
  }
}

void push_map(ReplyReader& in, int64_t count, int depth) {
  lua_State* lua = in.lua;
  lua_createtable(lua, 0, 1);
  lua_createtable(lua, 0, static_cast<int>(count));
  for (int64_t i = 0; i < count; ++i) {
    push_next(in, depth + 1);
    push_next(in, depth + 1);
    lua_rawset(lua, -3);
  }
  lua_setfield(lua, -2, "map");
}

void push_set(ReplyReader& in, int64_t count, int depth) {
  lua_State* lua = in.lua;
  lua_createtable(lua, 0, 1);
  lua_createtable(lua, 0, static_cast<int>(count));
  for (int64_t i = 0; i < count; ++i) {
    push_next(in, depth + 1);
    lua_pushboolean(lua, 1);
    lua_rawset(lua, -3);
  }
  lua_setfield(lua, -2, "set");
}

void push_double(lua_State* lua, std::string_view text) {
  lua_createtable(lua, 0, 1);
  lua_pushnumber(lua, parse_double(text).value_or(0));
  lua_setfield(lua, -2, "double");
}

void push_next(ReplyReader& in, int depth) {
  lua_State* lua = in.lua;
  luaL_checkstack(lua, 8, "too deep a reply");
  const char type = in.rest[0];
  in.rest.remove_prefix(1);
  const std::string_view line = take_line(in);
  const int64_t number = parse_integer(line).value_or(0);
  switch (type) {
    case ':': return lua_pushnumber(lua, static_cast<lua_Number>(number));
    case '+': return push_wrapped(lua, "ok", line);
    case '-': return push_wrapped(lua, "err", line);
    case '$':
      if (number < 0) return push_null(in);
      return push_text(lua, take_bytes(in, static_cast<size_t>(number)));
    case '*': return number < 0 ? push_null(in) : push_array(in, number, depth);
    case '%': return push_map(in, number, depth);
    case '~': return push_set(in, number, depth);
    case '_': return push_null(in);
    case '#': return lua_pushboolean(lua, line == "t");
    case ',': return push_double(lua, line);
    case '(': return push_wrapped(lua, "big_number", line);
    case '=': return push_verbatim(in, static_cast<size_t>(number));
    default: lua_pushnil(lua);
  }
}

// --- values to replies

struct ValueWriter {
  lua_State* lua;
  ReplyWriter& out;
  Protocol protocol;
};

// The processor's conversion, in which what does not fit is the lowest number.
int64_t cut(lua_Number number) {
  constexpr lua_Number kEnd = 9223372036854775808.0;
  if (!(number >= -kEnd && number < kEnd)) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(number);
}

std::string_view text_at(lua_State* lua, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return {text, size};
}

// Pushes a field of the table on top, without metamethods. True, with the value on top, when it is
// of this type; otherwise nothing is pushed.
bool push_field(lua_State* lua, const char* field, int type) {
  lua_pushstring(lua, field);
  lua_rawget(lua, -2);
  if (lua_type(lua, -1) == type) return true;
  lua_pop(lua, 1);
  return false;
}

void write_top(const ValueWriter& w, int depth);

// The table's pairs: count them first.
void write_pairs(const ValueWriter& w, bool map, int depth) {
  lua_State* lua = w.lua;
  size_t count = 0;
  for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) ++count;
  if (map) {
    w.out.map(count);
  } else {
    w.out.set(count);
  }
  for (lua_pushnil(lua); lua_next(lua, -2) != 0;) {
    lua_pushvalue(lua, -2);
    write_top(w, depth + 1);
    if (map) {
      write_top(w, depth + 1);
    } else {
      lua_pop(lua, 1);
    }
  }
}

void write_verbatim(const ValueWriter& w) {
  lua_State* lua = w.lua;
  lua_pushliteral(lua, "format");
  lua_rawget(lua, -2);
  lua_pushliteral(lua, "string");
  lua_rawget(lua, -3);
  if (lua_type(lua, -1) == LUA_TSTRING && lua_type(lua, -2) == LUA_TSTRING) {
    char format[3] = {' ', ' ', ' '};
    text_at(lua, -2).substr(0, 3).copy(format, 3);
    w.out.verbatim({format, 3}, text_at(lua, -1));
  } else {
    w.out.null();
  }
  lua_pop(lua, 2);
}

void write_array(const ValueWriter& w, int depth) {
  lua_State* lua = w.lua;
  size_t count = 0;
  for (;; ++count) {
    lua_rawgeti(lua, -1, static_cast<lua_Integer>(count + 1));
    const bool end = lua_isnil(lua, -1);
    lua_pop(lua, 1);
    if (end) break;
  }
  w.out.array(count);
  for (size_t i = 1; i <= count; ++i) {
    lua_rawgeti(lua, -1, static_cast<lua_Integer>(i));
    write_top(w, depth + 1);
  }
}

// The text of an error, which may have the reply's first byte in front.
void write_error(const ValueWriter& w, std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  w.out.error(text);
}

// The table on top, which stays.
void write_table(const ValueWriter& w, int depth) {
  lua_State* lua = w.lua;
  if (push_field(lua, "err", LUA_TSTRING)) {
    write_error(w, text_at(lua, -1));
  } else if (push_field(lua, "ok", LUA_TSTRING)) {
    w.out.simple(text_at(lua, -1));
  } else if (push_field(lua, "double", LUA_TNUMBER)) {
    w.out.real(lua_tonumber(lua, -1));
  } else if (push_field(lua, "map", LUA_TTABLE)) {
    write_pairs(w, true, depth);
  } else if (push_field(lua, "set", LUA_TTABLE)) {
    write_pairs(w, false, depth);
  } else if (push_field(lua, "big_number", LUA_TSTRING)) {
    w.out.big_number(text_at(lua, -1));
  } else if (push_field(lua, "verbatim_string", LUA_TTABLE)) {
    write_verbatim(w);
  } else {
    return write_array(w, depth);
  }
  lua_pop(lua, 1);
}

void write_top(const ValueWriter& w, int depth) {
  lua_State* lua = w.lua;
  if (depth > kDepthMax) {
    w.out.error("ERR reached lua stack limit");
    return lua_pop(lua, 1);
  }
  luaL_checkstack(lua, 8, "too deep a reply");
  lua_work(lua, kValueWork);
  if (w.out.output().bytes() > kReplyBytesMax) luaL_error(lua, "the reply is too large");
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING: w.out.bulk(text_at(lua, -1)); break;
    case LUA_TNUMBER: w.out.integer(cut(lua_tonumber(lua, -1))); break;
    case LUA_TBOOLEAN:
      if (w.protocol == Protocol::resp3) {
        w.out.boolean(lua_toboolean(lua, -1) != 0);
      } else if (lua_toboolean(lua, -1) != 0) {
        w.out.integer(1);
      } else {
        w.out.null();
      }
      break;
    case LUA_TTABLE: write_table(w, depth); break;
    default: w.out.null();
  }
  lua_pop(lua, 1);
}

}  // namespace

void push_reply(lua_State* lua, std::string_view reply, Protocol protocol) {
  ReplyReader in{lua, reply, protocol};
  push_next(in, 0);
}

void write_value(lua_State* lua, ReplyWriter& out, Protocol protocol) {
  write_top({lua, out, protocol}, 0);
}

}  // namespace redoubt
