#include "engine/script/libraries/text_buffer.h"

#include <algorithm>
#include <type_traits>

namespace redoubt {

static_assert(std::is_trivially_destructible_v<TextBuffer>);

TextBuffer::TextBuffer(lua_State* lua) : lua_(lua) {
  lua_pushnil(lua);
  slot_ = lua_gettop(lua);
}

void TextBuffer::grow(size_t count) {
  if (count > kBytesMax - size_) {
    luaL_error(lua_, "result is longer than %d bytes", static_cast<int>(kBytesMax));
  }
  const size_t capacity = std::min(kBytesMax, std::max(size_ + count, 2 * capacity_));
  auto* data = static_cast<char*>(lua_newuserdatauv(lua_, capacity, 0));
  std::memcpy(data, data_, size_);
  lua_replace(lua_, slot_);
  data_ = data;
  capacity_ = capacity;
}

}  // namespace redoubt
