// Scripting: the part of a node that runs scripts (EVAL) and functions (FCALL).
//
// One script runs at a time, within the command that called it. When it takes longer than
// busy-reply-threshold, the command is suspended (dispatch/suspension.h), and the script goes on in
// slices, one a turn, until it ends or is killed. A script that has written can be killed, too, as
// long as its changes can be undone (script_calls.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch/context.h"
#include "engine/dispatch/part.h"
#include "engine/dispatch/services.h"
#include "engine/keyspace/function_sources.h"
#include "engine/script/function_set.h"
#include "engine/script/script_cache.h"
#include "engine/script/script_calls.h"
#include "engine/script/script_settings.h"
#include "engine/script/vm.h"
#include "net/timer.h"

namespace redoubt {

class Scripting final : public Part, private FunctionUser {
 public:
  static const PartKind kKind;

  explicit Scripting(Node& node);
  ~Scripting() override;

  Task<Error> before_stop(const StopRequest& request) override;
  void settings_changed() override;
  void register_info(InfoRegistry& registry) override;
  size_t memory_bytes() const override;

  // --- scripts

  ScriptCache& cache() { return *cache_; }
  const ScriptVm& eval_vm() const { return *eval_vm_; }
  // SCRIPT FLUSH: a new interpreter.
  void flush_scripts();

  // --- functions

  const FunctionSet& functions() const { return *functions_; }
  // Each returns an empty text or a whole error line; then nothing has changed.
  std::string load_library(std::string_view source, bool replace, std::string* name);
  bool remove_library(std::string_view name);
  void flush_functions();
  enum class RestorePolicy : uint8_t { append, replace, flush };
  std::string restore_libraries(const std::vector<std::string>& sources, RestorePolicy policy);

  // --- running

  struct Run {
    bool is_function = false;
    int function = 0;
    std::string_view name;
    uint32_t flags = 0;
    bool read_only = false;
    std::span<const std::string_view> keys{};
    std::span<const std::string_view> args{};
  };
  // Runs a script for the command, and writes its reply, or has it suspended.
  void run(Context& c, const Run& run);

  // The script that is suspended.
  struct Suspended {
    bool is_function = false;
    std::string name;
    std::vector<std::string> command;
    CommandEntry* entry = nullptr;  // for its statistics
    Instant began;
    Instant noted;  // up to when they have its time
  };
  // Null: there is none.
  const Suspended* suspended() const { return suspended_.get(); }
  // SCRIPT KILL, FUNCTION KILL: it ends soon. Empty, or a whole error line.
  std::string kill(bool function);

 private:
  std::string on_functions_replaced(const std::vector<std::string>& sources) override;
  std::unique_ptr<FunctionSet> make_set();
  std::string problem_of(const Run& run) const;
  void suspend(Context& c, const Run& run);
  void go_on();
  void conclude(ReplyWriter& reply, ScriptVm::Outcome outcome);
  ScriptVm& vm() { return is_function_ ? functions_->vm() : *eval_vm_; }

  Node& node_;
  Env& env_;
  const Services& services_;
  ScriptSettings settings_;  // as of the last change
  ScriptCalls calls_;
  std::unique_ptr<ScriptVm> eval_vm_;
  std::unique_ptr<ScriptCache> cache_;
  std::unique_ptr<FunctionSet> functions_;

  // Of the script that runs.
  bool is_function_ = false;
  bool all_or_nothing_ = false;
  std::string name_;
  std::unique_ptr<Suspended> suspended_;
  std::string kill_reason_;  // empty: it is not to be killed
  bool forced_ = false;      // it is to end even when it cannot be undone
  Timer timer_;
};

// The directives and commands of the part.
inline constexpr size_t kScriptDirectiveCount = 5;
extern const std::array<Directive, kScriptDirectiveCount> kScriptDirectives;
inline constexpr size_t kScriptCommandCount = 8;
extern const std::array<Command, kScriptCommandCount> kScriptCommands;

}  // namespace redoubt
