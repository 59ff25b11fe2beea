// FunctionSet: the libraries of functions of a node, compiled, with the interpreter that runs them.
//
// Changes that may fail in the middle (FUNCTION RESTORE, loading a snapshot) are made on a set of
// their own, which then takes the place of the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/script/vm.h"

namespace redoubt {

struct FunctionLibrary {
  std::string name;
  std::string source;
  std::vector<ScriptVm::Registered> functions;
};

class FunctionSet {
 public:
  FunctionSet(ScriptCalls& calls, Env& env, uint32_t seed, size_t bytes_max)
      : vm_(ScriptVm::Kind::functions, calls, env, seed, bytes_max) {}
  FunctionSet(const FunctionSet&) = delete;
  FunctionSet& operator=(const FunctionSet&) = delete;

  // Loads a library. Empty, with its name, or a whole error line; then nothing has changed.
  // `trusted`: it was accepted before (a file, a primary), and is not bounded by memory.
  std::string load(std::string_view source, bool replace, bool trusted, std::string* name);
  // False: there is none.
  bool remove(std::string_view name);

  const std::map<std::string, FunctionLibrary, std::less<>>& libraries() const {
    return libraries_;
  }
  // Null: there is none.
  const ScriptVm::Registered* find(std::string_view function) const;
  size_t function_count() const { return functions_.size(); }
  // Of the libraries, by name.
  std::vector<std::string> sources() const;

  ScriptVm& vm() { return vm_; }
  const ScriptVm& vm() const { return vm_; }
  // Bytes outside of the interpreter.
  size_t memory_bytes() const { return bytes_; }

 private:
  ScriptVm vm_;
  std::map<std::string, FunctionLibrary, std::less<>> libraries_;
  std::map<std::string, const FunctionLibrary*, std::less<>> functions_;  // the library of each
  size_t bytes_ = 0;
};

}  // namespace redoubt
