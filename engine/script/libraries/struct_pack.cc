// A format is a row of options, read up to its end or to a byte 0:
//
//   > <            byte order, big or little; little at the start
//   ! !N           alignment of what follows: to its size, at most to 8 or N, a power of two; 1 at
//   the start b B h H l L    integers of 1, 2 and 8 bytes, signed and unsigned; T is as L i I iN IN
//   integers of 4 or N bytes, N at most 32 f d            floats of 4 and 8 bytes x              a
//   byte 0, skipped when read s              a string up to a byte 0 c cN           a string of 1
//   or N bytes; c0: all of it, or as many as the number read before says space          nothing
//
// An integer of more than 8 bytes has its value in the low 8; the others are 0 when written and not
// looked at when read. (The reference extends the sign of such integers by a shift that C leaves
// undefined, and finds one in the middle of the value for sizes that are no multiples of 8.)
#include "engine/script/libraries/struct_pack.h"

#include <algorithm>
#include <bit>
#include <climits>

#include "engine/script/libraries/arguments.h"
#include "engine/script/libraries/text_buffer.h"

namespace redoubt {

namespace {

constexpr int kIntegerBytesMax = 32;
constexpr int kNaturalAlignment = 8;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter_or_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The options of a format, one after another, with what earlier ones said of byte order and
// alignment.
class FormatReader {
 public:
  FormatReader(lua_State* lua, const char* format) : lua_(lua), at_(format) {}

  // Goes to the next option: its letter and its size in bytes. False at the end.
  bool next() {
    if (*at_ == '\0') return false;
    count_work(lua_, 1);
    option_ = *at_++;
    size_ = read_size();
    return true;
  }

  char option() const { return option_; }
  size_t size() const { return size_; }
  bool little() const { return little_; }

  // Bytes between `position` and the next one where the option may begin.
  size_t padding(size_t position) const {
    if (size_ == 0 || option_ == 'c') return 0;
    const size_t align = std::min(size_, align_);
    if (align <= 1) return 0;
    // For sizes that are no powers of two this is not what it seems; it is what others write.
    return (align - (position & (align - 1))) & (align - 1);
  }

  // An option that is neither a value nor a byte to skip.
  void control() {
    switch (option_) {
      case ' ': return;
      case '>': little_ = false; return;
      case '<': little_ = true; return;
      case '!': {
        const int align = read_number(kNaturalAlignment);
        if (!std::has_single_bit(static_cast<unsigned>(align))) {
          luaL_error(lua_, "alignment %d is not a power of 2", align);
        }
        align_ = static_cast<size_t>(align);
        return;
      }
      default: luaL_argerror(lua_, 1, lua_pushfstring(lua_, "invalid format option '%c'", option_));
    }
  }

 private:
  // The digits that follow, or `fallback` when there are none.
  int read_number(int fallback) {
    if (!is_digit(*at_)) return fallback;
    int64_t number = 0;
    do {
      number = 10 * number + (*at_++ - '0');
      if (number > INT_MAX) luaL_error(lua_, "integral size overflow");
    } while (is_digit(*at_));
    return static_cast<int>(number);
  }

  size_t read_size() {
    switch (option_) {
      case 'b':
      case 'B':
      case 'x': return 1;
      case 'h':
      case 'H': return 2;
      case 'f': return 4;
      case 'l':
      case 'L':
      case 'T':
      case 'd': return 8;
      case 'c': return static_cast<size_t>(read_number(1));
      case 'i':
      case 'I': {
        const int bytes = read_number(4);
        if (bytes > kIntegerBytesMax) {
          luaL_error(lua_, "integral size %d is larger than limit of %d", bytes, kIntegerBytesMax);
        }
        return static_cast<size_t>(bytes);
      }
      default: return 0;
    }
  }

  lua_State* lua_;
  const char* at_;
  char option_ = '\0';
  size_t size_ = 0;
  bool little_ = true;
  size_t align_ = 1;
};

void write_integer(char* to, uint64_t value, size_t size, bool little) {
  for (size_t i = 0; i < size; ++i) {
    const uint64_t byte = i < 8 ? value >> (8 * i) : 0;
    to[little ? i : size - 1 - i] = static_cast<char>(byte & 0xFF);
  }
}

uint64_t read_unsigned(const char* from, size_t size, bool little) {
  uint64_t value = 0;
  for (size_t i = 0; i < std::min<size_t>(size, 8); ++i) {
    const auto byte = static_cast<unsigned char>(from[little ? i : size - 1 - i]);
    value |= static_cast<uint64_t>(byte) << (8 * i);
  }
  return value;
}

double read_integer(const char* from, size_t size, bool little, bool with_sign) {
  const uint64_t value = read_unsigned(from, size, little);
  if (!with_sign) return static_cast<double>(value);
  if (size == 0) return 0;
  const auto unused = static_cast<int>(64 - 8 * std::min<size_t>(size, 8));
  return static_cast<double>(static_cast<int64_t>(value << unused) >> unused);
}

void pack_number(lua_State* lua, const FormatReader& format, int argument, TextBuffer& out) {
  const double number = luaL_checknumber(lua, argument);
  uint64_t bits;
  switch (format.option()) {
    case 'f': bits = std::bit_cast<uint32_t>(static_cast<float>(number)); break;
    case 'd': bits = std::bit_cast<uint64_t>(number); break;
    default: bits = cut_to_unsigned(number);
  }
  write_integer(out.room(format.size()), bits, format.size(), format.little());
  out.used(format.size());
}

void pack_string(lua_State* lua, const FormatReader& format, int argument, TextBuffer& out) {
  size_t length;
  const char* text = luaL_checklstring(lua, argument, &length);
  const size_t size = format.size() == 0 ? length : format.size();
  // Named as the argument after it, as scripts know it.
  luaL_argcheck(lua, length >= size, argument + 1, "string too short");
  count_byte_work(lua, size);
  out.append(std::string_view(text, size));
  if (format.option() == 's') out.append('\0');
}

int struct_pack(lua_State* lua) {
  FormatReader format(lua, luaL_checkstring(lua, 1));
  lua_pushnil(lua);  // so that an argument that is missing is nil
  TextBuffer out(lua);
  int argument = 2;
  while (format.next()) {
    out.append_zeros(format.padding(out.size()));
    switch (format.option()) {
      case 'b':
      case 'B':
      case 'h':
      case 'H':
      case 'l':
      case 'L':
      case 'T':
      case 'i':
      case 'I':
      case 'f':
      case 'd': pack_number(lua, format, argument++, out); break;
      case 'c':
      case 's': pack_string(lua, format, argument++, out); break;
      case 'x': out.append('\0'); break;
      default: format.control();
    }
  }
  out.push();
  return 1;
}

// Data that struct.unpack reads. Positions count from 0; `position` is at most the size.
struct PackedData {
  const char* bytes;
  size_t size;
  size_t position;
  int results = 0;

  const char* at() const { return bytes + position; }
  size_t left() const { return size - position; }
};

void check_data(lua_State* lua, bool enough) {
  luaL_argcheck(lua, enough, 2, "data string too short");
}

// The bytes of `c0` are as many as the result before it says, which it replaces.
size_t take_counted_size(lua_State* lua, PackedData& data) {
  if (data.results == 0 || !lua_isnumber(lua, -1)) {
    luaL_error(lua, "format 'c0' needs a previous size");
  }
  const uint64_t size = cut_to_unsigned(lua_tonumber(lua, -1));
  lua_pop(lua, 1);
  --data.results;
  check_data(lua, size <= data.left());
  return size;
}

// Pushes a string and returns how many bytes of the data it takes.
size_t unpack_string(lua_State* lua, const FormatReader& format, PackedData& data) {
  size_t size = format.size();
  size_t taken = size;
  if (format.option() == 's') {
    const void* end = std::memchr(data.at(), '\0', data.left());
    if (end == nullptr) luaL_error(lua, "unfinished string in data");
    size = static_cast<size_t>(static_cast<const char*>(end) - data.at());
    taken = size + 1;
  } else if (size == 0) {
    taken = size = take_counted_size(lua, data);
  }
  count_byte_work(lua, size);
  lua_pushlstring(lua, data.at(), size);
  ++data.results;
  return taken;
}

double unpacked_number(const FormatReader& format, const char* from) {
  const size_t size = format.size();
  switch (format.option()) {
    case 'f':
      return std::bit_cast<float>(static_cast<uint32_t>(read_unsigned(from, 4, format.little())));
    case 'd': return std::bit_cast<double>(read_unsigned(from, 8, format.little()));
    case 'b':
    case 'h':
    case 'l':
    case 'i': return read_integer(from, size, format.little(), true);
    default: return read_integer(from, size, format.little(), false);
  }
}

void unpack_option(lua_State* lua, FormatReader& format, PackedData& data) {
  // In this order: what is padding at a position past the end is no question.
  check_data(lua, data.position <= data.size);
  const size_t padding = format.padding(data.position);
  check_data(lua, padding <= data.left() && format.size() <= data.left() - padding);
  data.position += padding;
  check_stack(lua, 2, "too many results");
  switch (format.option()) {
    case 'b':
    case 'B':
    case 'h':
    case 'H':
    case 'l':
    case 'L':
    case 'T':
    case 'i':
    case 'I':
    case 'f':
    case 'd':
      lua_pushnumber(lua, unpacked_number(format, data.at()));
      ++data.results;
      break;
    case 'c':
    case 's': data.position += unpack_string(lua, format, data); return;
    case 'x': break;
    default: format.control();
  }
  data.position += format.size();
}

// Results: the values, and the position after them.
int struct_unpack(lua_State* lua) {
  FormatReader format(lua, luaL_checkstring(lua, 1));
  size_t size;
  const char* bytes = luaL_checklstring(lua, 2, &size);
  const int64_t offset = integer_or(lua, 3, 1);
  luaL_argcheck(lua, offset != 0, 3, "offset must be 1 or greater");
  // A negative offset becomes a position far behind the end.
  PackedData data{bytes, size, static_cast<size_t>(offset) - 1};
  while (format.next()) unpack_option(lua, format, data);
  push_integer(lua, static_cast<int64_t>(data.position + 1));
  return data.results + 1;
}

int struct_size(lua_State* lua) {
  FormatReader format(lua, luaL_checkstring(lua, 1));
  size_t position = 0;
  while (format.next()) {
    position += format.padding(position);
    luaL_argcheck(lua, format.option() != 's', 1, "option 's' has no fixed size");
    luaL_argcheck(lua, format.option() != 'c' || format.size() != 0, 1,
                  "option 'c0' has no fixed size");
    if (!is_letter_or_digit(format.option())) format.control();
    position += format.size();
  }
  push_integer(lua, static_cast<int64_t>(position));
  return 1;
}

constexpr luaL_Reg kStructFunctions[] = {
    {"pack", struct_pack}, {"unpack", struct_unpack}, {"size", struct_size}, {nullptr, nullptr}};

}  // namespace

void open_struct(lua_State* lua) {
  lua_newtable(lua);
  luaL_setfuncs(lua, kStructFunctions, 0);
}

}  // namespace redoubt
