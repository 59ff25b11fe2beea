// Bytes that a library collects before they become a string of Lua.
//
// luaL_Buffer wants the top of the stack to be as it left it at each call, which a walk through
// nested tables cannot promise. This one has a slot of its own: the first kilobyte is on the C
// stack; more is in a userdata in the slot, which Lua counts and collects when an error is raised.
#pragma once

#include <cstring>
#include <string_view>

#include "engine/script/libraries/arguments.h"

namespace redoubt {

class TextBuffer {
 public:
  // What a string of the store may have.
  static constexpr size_t kBytesMax = size_t{512} << 20;
  static constexpr int kSlots = 1;

  // Pushes one slot, which stays where it is for as long as the buffer is used.
  explicit TextBuffer(lua_State* lua);
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

  size_t size() const { return size_; }
  std::string_view text() const { return {data_, size_}; }
  void clear() { size_ = 0; }

  // Room for `count` bytes, of which the first `used(...)` become part of the text. Raises an error
  // when the text would be longer than kBytesMax.
  char* room(size_t count) {
    if (count > capacity_ - size_) grow(count);
    return data_ + size_;
  }
  void used(size_t count) { size_ += count; }

  void append(char c) {
    *room(1) = c;
    ++size_;
  }
  void append(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void append_zeros(size_t count) {
    std::memset(room(count), 0, count);
    size_ += count;
  }

  // Pushes the text as a string.
  void push() const { lua_pushlstring(lua_, data_, size_); }

 private:
  void grow(size_t count);

  lua_State* lua_;
  int slot_;
  char* data_ = first_;
  size_t size_ = 0;
  size_t capacity_ = sizeof first_;
  char first_[1024];
};

}  // namespace redoubt
