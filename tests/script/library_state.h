// A state of Lua with all libraries that scripts have, for tests of bit, struct, cmsgpack and
// cjson. Its memory is limited; its work is not, at first.
#pragma once

#include <string>
#include <string_view>

#include "engine/script/libraries/lua_host.h"

namespace redoubt {

class LibraryState {
 public:
  explicit LibraryState(size_t memory_max = size_t{64} << 20);
  ~LibraryState();
  LibraryState(const LibraryState&) = delete;
  LibraryState& operator=(const LibraryState&) = delete;

  lua_State* lua() { return lua_; }
  size_t memory() const { return host_.used_bytes; }

  // What the script, or the expression, returns: its results as text, with " | " between them,
  // numbers with 17 digits, strings in quotes, and tables with their keys in the order of this
  // text; "(nothing)" for no results. An error is "error: " and its message, without the place in
  // the script.
  std::string run(std::string_view script);

  // Calls a function of a library with what is on the stack. The results are on the stack then; an
  // error's message is returned, and is alone there.
  std::string call(const char* library, const char* name);
  // The same with a string as the only argument.
  std::string call(const char* library, const char* name, std::string_view argument);

  // The string at an index; empty if there is none.
  std::string text(int index);

  // Work after which an error "out of work" is raised.
  void limit_work(ptrdiff_t work) { host_.left = work; }

 private:
  LuaHost host_;
  lua_State* lua_;
};

// Evaluates the expressions of a section of library_values.txt and compares the results.
void expect_library_values(std::string_view section);

}  // namespace redoubt
