// The format is https://github.com/msgpack/msgpack/blob/master/spec.md without its types bin and
// ext, which scripts have no value for: they are refused when read.
//
// msgpack-c would be a library for it, but not for this: its reader builds a tree in memory of its
// own, which Lua does not count and an error of Lua does not free, and which it allocates by the
// lengths that the input claims. Here values go straight to and from Lua's stack, and a claimed
// length costs nothing before its bytes are seen.
//
// Written as lua-cmsgpack 0.4 writes them: a whole number as the shortest integer, another one as
// the shortest float that holds it; a table whose keys are 1 to n as an array, the empty one too; a
// value of another type as nil, and so a table inside 16 others.
#include "engine/script/libraries/cmsgpack.h"

#include <algorithm>
#include <bit>

#include "engine/script/libraries/arguments.h"
#include "engine/script/libraries/text_buffer.h"

namespace redoubt {

namespace {

constexpr int kPackDepthMax = 16;

// First bytes. Small integers, and short strings, arrays and maps have the number in the byte.
enum MsgpackMark : uint8_t {
  kFixMap = 0x80,
  kFixArray = 0x90,
  kFixString = 0xA0,
  kNil = 0xC0,
  kFalse = 0xC2,
  kTrue = 0xC3,
  kFloat32 = 0xCA,
  kFloat64 = 0xCB,
  kUnsigned8 = 0xCC,  // 16, 32 and 64 bits follow
  kUnsigned64 = 0xCF,
  kSigned8 = 0xD0,  // 16, 32 and 64 bits follow
  kSigned64 = 0xD3,
  kString8 = 0xD9,
  kString16 = 0xDA,
  kString32 = 0xDB,
  kArray16 = 0xDC,
  kArray32 = 0xDD,
  kMap16 = 0xDE,
  kMap32 = 0xDF,
  kNegativeFix = 0xE0,
};

// --- Writing.

void write_marked(TextBuffer& out, uint8_t mark, uint64_t value, size_t bytes) {
  char* to = out.room(1 + bytes);
  to[0] = static_cast<char>(mark);
  for (size_t i = 0; i < bytes; ++i) {
    to[1 + i] = static_cast<char>(value >> (8 * (bytes - 1 - i)) & 0xFF);
  }
  out.used(1 + bytes);
}

void write_integer_value(TextBuffer& out, int64_t value) {
  if (value >= -32 && value <= 127) return out.append(static_cast<char>(value));
  // Log2 of the bytes, which is the distance from the mark of 8 bits.
  int width;
  if (value >= 0) {
    width = value <= 0xFF ? 0 : value <= 0xFFFF ? 1 : value <= 0xFFFFFFFF ? 2 : 3;
  } else {
    width = value >= INT8_MIN ? 0 : value >= INT16_MIN ? 1 : value >= INT32_MIN ? 2 : 3;
  }
  const int mark = (value >= 0 ? kUnsigned8 : kSigned8) + width;
  write_marked(out, static_cast<uint8_t>(mark), static_cast<uint64_t>(value), size_t{1} << width);
}

void write_number(TextBuffer& out, double number) {
  const int64_t whole = cut_to_signed(number);
  // 2^63 and more are INT64_MIN when cut, which is less.
  if (static_cast<double>(whole) == number) return write_integer_value(out, whole);
  const auto narrow = static_cast<float>(number);
  if (static_cast<double>(narrow) == number) {
    return write_marked(out, kFloat32, std::bit_cast<uint32_t>(narrow), 4);
  }
  write_marked(out, kFloat64, std::bit_cast<uint64_t>(number), 8);
}

void write_string(TextBuffer& out, std::string_view text) {
  const size_t size = text.size();
  if (size < 32) {
    out.append(static_cast<char>(kFixString + size));
  } else if (size <= 0xFF) {
    write_marked(out, kString8, size, 1);
  } else {
    write_marked(out, size <= 0xFFFF ? kString16 : kString32, size, size <= 0xFFFF ? 2 : 4);
  }
  out.append(text);
}

void write_count(TextBuffer& out, bool array, size_t count) {
  if (count < 16) {
    out.append(static_cast<char>((array ? kFixArray : kFixMap) + count));
  } else if (count <= 0xFFFF) {
    write_marked(out, array ? kArray16 : kMap16, count, 2);
  } else {
    write_marked(out, array ? kArray32 : kMap32, count, 4);
  }
}

struct TableShape {
  size_t count = 0;
  bool array = true;  // the keys are 1 to count
};

TableShape shape_of_table(lua_State* lua) {
  TableShape shape;
  double largest = 0;
  for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
    ++shape.count;
    const double key = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;
    if (key < 1 || key != static_cast<double>(cut_to_signed(key))) shape.array = false;
    largest = std::max(largest, key);
  }
  if (largest != static_cast<double>(shape.count)) shape.array = false;
  count_work(lua, shape.count);
  return shape;
}

void write_value(lua_State* lua, TextBuffer& out, int depth);

void write_table(lua_State* lua, TextBuffer& out, int depth) {
  check_stack(lua, 3, "in function cmsgpack.pack", TextBuffer::kSlots);
  const TableShape shape = shape_of_table(lua);
  write_count(out, shape.array, shape.count);
  if (shape.array) {
    for (size_t i = 1; i <= shape.count; ++i) {
      lua_rawgeti(lua, -1, static_cast<lua_Integer>(i));
      write_value(lua, out, depth + 1);
    }
    return;
  }
  for (lua_pushnil(lua); lua_next(lua, -2) != 0;) {
    lua_pushvalue(lua, -2);
    write_value(lua, out, depth + 1);
    write_value(lua, out, depth + 1);
  }
}

// Pops the value.
void write_value(lua_State* lua, TextBuffer& out, int depth) {
  count_work(lua, 1);
  switch (lua_type(lua, -1)) {
    case LUA_TBOOLEAN:
      out.append(static_cast<char>(lua_toboolean(lua, -1) != 0 ? kTrue : kFalse));
      break;
    case LUA_TNUMBER: write_number(out, lua_tonumber(lua, -1)); break;
    case LUA_TSTRING: {
      size_t size;
      const char* text = lua_tolstring(lua, -1, &size);
      count_byte_work(lua, size);
      write_string(out, std::string_view(text, size));
      break;
    }
    case LUA_TTABLE:
      if (depth < kPackDepthMax) {
        write_table(lua, out, depth);
        break;
      }
      [[fallthrough]];
    default: out.append(static_cast<char>(kNil));
  }
  lua_pop(lua, 1);
}

int cmsgpack_pack(lua_State* lua) {
  const int arguments = lua_gettop(lua);
  if (arguments == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  check_stack(lua, 2, "Too many arguments for MessagePack pack.");
  TextBuffer out(lua);
  for (int i = 1; i <= arguments; ++i) {
    lua_pushvalue(lua, i);
    write_value(lua, out, 0);
  }
  out.push();
  return 1;
}

// --- Reading. The bytes belong to the first argument.

class MsgpackReader {
 public:
  MsgpackReader(lua_State* lua, std::string_view bytes) : lua_(lua), left_(bytes) {}

  size_t left() const { return left_.size(); }

  // Pushes a value, or raises an error.
  void read() {
    count_work(lua_, 1);
    check_stack(lua_, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
    const auto mark = static_cast<uint8_t>(take(1)[0]);
    if (mark < kFixMap) return push_integer(lua_, mark);
    if (mark >= kNegativeFix) return push_integer(lua_, static_cast<int8_t>(mark));
    if (mark < kFixArray) return read_map(mark - kFixMap);
    if (mark < kFixString) return read_array(mark - kFixArray);
    if (mark < kNil) return read_string(mark - kFixString);
    read_marked(mark);
  }

 private:
  void read_marked(uint8_t mark) {
    switch (mark) {
      case kNil: return lua_pushnil(lua_);
      case kFalse:
      case kTrue: return lua_pushboolean(lua_, mark == kTrue);
      case kFloat32:
        return lua_pushnumber(lua_, std::bit_cast<float>(static_cast<uint32_t>(number(4))));
      case kFloat64: return lua_pushnumber(lua_, std::bit_cast<double>(number(8)));
      case kString8: return read_string(number(1));
      case kString16: return read_string(number(2));
      case kString32: return read_string(number(4));
      case kArray16: return read_array(number(2));
      case kArray32: return read_array(number(4));
      case kMap16: return read_map(number(2));
      case kMap32: return read_map(number(4));
      default: break;
    }
    if (mark >= kUnsigned8 && mark <= kUnsigned64) {
      // 64 bits are taken with their sign here, too, as the reference does.
      return push_integer(lua_, static_cast<int64_t>(number(size_t{1} << (mark - kUnsigned8))));
    }
    if (mark >= kSigned8 && mark <= kSigned64) return read_signed(size_t{1} << (mark - kSigned8));
    luaL_error(lua_, "Bad data format in input.");
  }

  const char* take(size_t count) {
    if (count > left_.size()) luaL_error(lua_, "Missing bytes in input.");
    const char* bytes = left_.data();
    left_.remove_prefix(count);
    return bytes;
  }

  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (char c : std::string_view(take(bytes), bytes)) {
      value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
  }

  void read_signed(size_t bytes) {
    const auto unused = static_cast<int>(64 - 8 * bytes);
    push_integer(lua_, static_cast<int64_t>(number(bytes) << unused) >> unused);
  }

  void read_string(uint64_t size) {
    const char* bytes = take(size);
    count_byte_work(lua_, size);
    lua_pushlstring(lua_, bytes, size);
  }

  void read_array(uint64_t count) {
    check_stack(lua_, 2, "in function mp_decode_to_lua_array");
    lua_createtable(lua_, prepared(count), 0);
    for (uint64_t i = 1; i <= count; ++i) {
      lua_pushnil(lua_);  // where the reference has the index: as many values fit below each other
      read();
      lua_rawseti(lua_, -3, static_cast<lua_Integer>(i));
      lua_pop(lua_, 1);
    }
  }

  // A key that is nil or NaN is an error of Lua.
  void read_map(uint64_t count) {
    check_stack(lua_, 1, "in function mp_decode_to_lua_hash");
    lua_createtable(lua_, 0, prepared(count));
    for (uint64_t i = 0; i < count; ++i) {
      read();
      read();
      lua_rawset(lua_, -3);
    }
  }

  // Room in a new table: a claim is believed for what the shortest form has.
  static int prepared(uint64_t count) { return static_cast<int>(std::min<uint64_t>(count, 15)); }

  lua_State* lua_;
  std::string_view left_;
};

std::string_view packed_argument(lua_State* lua) {
  size_t size;
  const char* bytes = luaL_checklstring(lua, 1, &size);
  return {bytes, size};
}

int cmsgpack_unpack(lua_State* lua) {
  const std::string_view bytes = packed_argument(lua);
  lua_settop(lua, 1);
  MsgpackReader reader(lua, bytes);
  while (reader.left() > 0) reader.read();
  return lua_gettop(lua) - 1;
}

// At most `limit` values from `offset` on. The first result is the offset after them, -1 at the
// end; but all values are asked for, as unpack does, when both are 0.
int unpack_some(lua_State* lua, int64_t limit, int64_t offset) {
  const std::string_view bytes = packed_argument(lua);
  const auto size = static_cast<lua_Integer>(bytes.size());
  if (limit == 0 && offset == 0) return cmsgpack_unpack(lua);
  if (offset < 0 || limit < 0) {
    return luaL_error(lua, "Invalid request to unpack with offset of %I and limit of %I.",
                      static_cast<LUAI_UACINT>(offset), static_cast<LUAI_UACINT>(size));
  }
  if (offset > size) {
    return luaL_error(lua, "Start offset %I greater than input length %I.",
                      static_cast<LUAI_UACINT>(offset), static_cast<LUAI_UACINT>(size));
  }
  lua_settop(lua, 1);
  MsgpackReader reader(lua, bytes.substr(static_cast<size_t>(offset)));
  for (int64_t i = 0; i < limit && reader.left() > 0; ++i) reader.read();
  push_integer(lua, reader.left() == 0 ? -1 : size - static_cast<int64_t>(reader.left()));
  lua_insert(lua, 2);
  return lua_gettop(lua) - 1;
}

int cmsgpack_unpack_one(lua_State* lua) {
  return unpack_some(lua, 1, integer_or(lua, 2, 0));
}

int cmsgpack_unpack_limit(lua_State* lua) {
  const int64_t limit = checked_integer(lua, 2);
  return unpack_some(lua, limit, integer_or(lua, 3, 0));
}

constexpr luaL_Reg kCmsgpackFunctions[] = {{"pack", cmsgpack_pack},
                                           {"unpack", cmsgpack_unpack},
                                           {"unpack_one", cmsgpack_unpack_one},
                                           {"unpack_limit", cmsgpack_unpack_limit},
                                           {nullptr, nullptr}};

constexpr const char* kCmsgpackTexts[][2] = {{"_NAME", "cmsgpack"},
                                             {"_VERSION", "lua-cmsgpack 0.4.0"},
                                             {"_DESCRIPTION", "MessagePack for scripts"}};

}  // namespace

void open_cmsgpack(lua_State* lua) {
  lua_newtable(lua);
  luaL_setfuncs(lua, kCmsgpackFunctions, 0);
  for (const auto& [name, text] : kCmsgpackTexts) {
    lua_pushstring(lua, text);
    lua_setfield(lua, -2, name);
  }
}

}  // namespace redoubt
