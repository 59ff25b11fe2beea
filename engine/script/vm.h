// ScriptVm: one interpreter of Lua, with the globals that scripts see. It compiles scripts and runs
// one of them at a time.
//
// A run happens in a coroutine. Its work is counted by the interpreter (lhost.h); when a slice is
// used up, the coroutine yields from a hook, wherever it is, and the node's turn can end. A run
// that is given up is never continued: its coroutine is dropped, so that nothing in the script can
// catch that.
//
//   start() -> suspended -> go_on() -> suspended -> ... -> done | failed -> finish()
//                             give_up() ------------------------------------^
//
// Errors of Lua are jumps. No C++ object with a destructor is alive in a function that Lua calls
// when it calls a function of Lua that may raise one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/script/libraries/lua_host.h"
#include "engine/script/script_calls.h"
#include "net/env.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

class ScriptVm;

struct VmHost : LuaHost {
  ScriptVm* vm = nullptr;
};

class ScriptVm {
 public:
  enum class Kind : uint8_t { eval, functions };

  // `calls` and the environment outlive it.
  ScriptVm(Kind kind, ScriptCalls& calls, Env& env, uint32_t seed, size_t bytes_max);
  ScriptVm(const ScriptVm&) = delete;
  ScriptVm& operator=(const ScriptVm&) = delete;
  ~ScriptVm();

  size_t memory_bytes() const { return host_.used_bytes; }
  void set_memory_max(size_t bytes) { host_.limit_bytes = bytes; }

  // Compiles a script. Nothing, with the error's text, when it is none.
  std::optional<int> compile(std::string_view code, std::string* error);
  // Frees what is known by this number.
  void release(int function);

  // --- libraries of functions

  // What a library registers while its code runs.
  struct Registered {
    std::string name;
    std::string description;
    bool has_description = false;
    uint32_t flags = 0;
    int function = 0;
  };
  // What redis.register_function() has been given so far, in one call.
  struct Registration {
    Registered what;
    bool has_name = false;
    bool has_callback = false;
  };
  struct Loading {
    std::vector<Registered> functions;
    Registration fresh;  // here, because errors of Lua jump over objects on the stack

    bool has(std::string_view name) const;
  };
  // Runs a library's code. Nothing, with the error's text, when that fails.
  // `trusted`: it is data that was accepted before, and is not bounded by memory.
  std::optional<std::vector<Registered>> load_library(std::string_view code, bool trusted,
                                                      std::string* error);

  // --- running

  struct Slice {
    Duration time;
    uint64_t work;  // operations of the interpreter, where the clock stands still
  };
  struct Call {
    int function;
    std::span<const std::string_view> keys;
    std::span<const std::string_view> args;
    std::string_view name;  // in errors: a hash, or a function's name. Lives until finish().
  };
  enum class Outcome : uint8_t { done, failed, suspended };
  Outcome start(const Call& call, const Slice& slice);
  Outcome go_on(const Slice& slice);
  bool running() const { return running_; }
  // While it is suspended: it is done with, and fails for this reason.
  void give_up(std::string_view reason);
  // The error, a whole line; empty when there was none. A script may return one.
  const std::string& error() const { return error_; }
  // Writes the value that the script has returned.
  void write_result(ReplyWriter& reply);
  // The run is over, and the result is not needed any more.
  void finish();

  // --- for functions that Lua calls

  static ScriptVm& of(lua_State* lua);
  ScriptCalls& calls() { return calls_; }
  // While a library's code runs: what it registers. Null otherwise.
  Loading* loading() { return loading_; }
  // Memory for the arguments of a command, for the same reason.
  struct Words {
    struct Number {
      // A number as an argument: never an integer with an exponent.
      std::string_view write(double value);
      std::array<char, 40> text;
    };
    std::vector<std::string_view> views;
    std::vector<Number> numbers;
  };
  Words& words() { return words_; }
  // Operations that the commands since the last call are worth.
  size_t take_call_work();

 private:
  static void on_work(lua_State* lua);
  static int open_in_lua(lua_State* lua);
  static int compile_in_lua(lua_State* lua);
  static int load_in_lua(lua_State* lua);
  static int prepare_in_lua(lua_State* lua);
  static int write_in_lua(lua_State* lua);

  bool protect(int function, void* argument, std::string* error);
  void prepare(lua_State* lua);
  void begin_slice(const Slice& slice);
  Outcome resume(int arguments);
  void take_error();
  std::string place_of_error() const;

  VmHost host_;
  ScriptCalls& calls_;
  Env& env_;
  const Kind kind_;
  lua_State* main_ = nullptr;
  lua_State* thread_ = nullptr;  // of the runs; null: none yet

  // Functions of the above for protected calls: making one may fail.
  int compile_ = 0;
  int load_ = 0;
  int prepare_ = 0;
  int write_ = 0;
  int thread_ref_ = 0;
  int err_name_ = 0;  // the text "err"

  bool running_ = false;
  bool has_result_ = false;
  Call call_{};
  std::string error_;
  ReplyWriter* reply_ = nullptr;
  Loading* loading_ = nullptr;
  Words words_;

  Slice slice_{};
  Instant slice_began_;
  uint64_t slice_work_ = 0;
  uint64_t counted_work_ = 0;  // of the environment, as of take_call_work()
  uint64_t overrun_ = 0;       // work since the slice was used up, where it could not yield
};

}  // namespace redoubt
