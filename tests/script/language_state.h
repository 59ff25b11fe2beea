// A state with the language's own library, and text of scripts in, text of results out.
#pragma once

#include <string>
#include <string_view>

#include "engine/script/libraries/base.h"
#include "engine/script/libraries/lua_host.h"

namespace redoubt {

class LanguageState {
 public:
  // Work is without end until `work_max` is set.
  explicit LanguageState(unsigned seed = 7);
  ~LanguageState();
  LanguageState(const LanguageState&) = delete;
  LanguageState& operator=(const LanguageState&) = delete;

  // The results of a chunk as tostring has them, with " | " between; "error: " and the message.
  std::string run(std::string_view chunk);

  // The same of `return EXPRESSION`.
  std::string eval(std::string_view expression);

  LuaHost& host() { return host_; }
  lua_State* lua() { return lua_; }

  // The script is killed after so much work; 0: never.
  void kill_after(ptrdiff_t work_max);

 private:
  LuaHost host_;
  lua_State* lua_;
};

}  // namespace redoubt
