// ScriptCache: the scripts of EVAL and SCRIPT LOAD, compiled, known by the SHA-1 of their text.
//
// Those that only EVAL has brought are forgotten again, the one that was used longest ago first,
// when there are more than 500; a script that SCRIPT LOAD has brought stays until SCRIPT FLUSH.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "engine/script/vm.h"

namespace redoubt {

struct CachedScript {
  std::string sha;
  std::string text;
  uint32_t flags = 0;  // bits of ScriptFlag
  int function = 0;    // of the interpreter
  bool loaded = false;
  uint64_t used = 0;  // when it was used last, as its place among those that may be forgotten
};

class ScriptCache {
 public:
  static constexpr size_t kEvaluatedMax = 500;

  // The interpreter outlives it.
  explicit ScriptCache(ScriptVm& vm) : vm_(vm) {}
  ScriptCache(const ScriptCache&) = delete;
  ScriptCache& operator=(const ScriptCache&) = delete;

  // The script with this hash, in digits of either case; null: there is none. It is used now.
  const CachedScript* find(std::string_view sha);
  bool contains(std::string_view sha) const;
  // The script with this text, compiled now or before. Null, with a whole error line: it is none.
  // `load`: it is to stay.
  const CachedScript* get(std::string_view text, bool load, std::string* error);

  size_t size() const { return scripts_.size(); }
  uint64_t evicted() const { return evicted_; }
  // Bytes outside of the interpreter.
  size_t memory_bytes() const { return bytes_; }

 private:
  void use(CachedScript& script);
  void forget_oldest();

  ScriptVm& vm_;
  std::map<std::string, CachedScript, std::less<>> scripts_;
  std::map<uint64_t, CachedScript*> evaluated_;  // by `used`
  uint64_t uses_ = 0;
  size_t bytes_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace redoubt
