#include "engine/script/scripting.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/execution.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "engine/script/script_header.h"

namespace redoubt {

namespace {

// What a script that has been suspended does in a turn.
constexpr Duration kSliceTime = Duration::milliseconds(1);
constexpr uint64_t kSliceWork = 100'000;
// How long a stop that saves waits for a script that cannot be undone.
constexpr Duration kStopPatience = Duration::seconds(10);
// Operations of the interpreter in a millisecond, more or less, where the clock stands still.
constexpr uint64_t kWorkEachMs = 100'000;
// More than a year is as good as no limit.
constexpr int64_t kLongestMs = int64_t{1} << 35;

constexpr std::string_view kBusyScript =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view kBusyFunction =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

uint32_t draw_seed(Env& env) {
  return static_cast<uint32_t>(env.entropy());
}

}  // namespace

constinit const PartKind Scripting::kKind = {
    .name = "script",
    .commands = kScriptCommands,
    .directives = kScriptDirectives,
    .make = [](Node& node) -> std::unique_ptr<Part> { return std::make_unique<Scripting>(node); }};

Scripting::Scripting(Node& node)
    : node_(node),
      env_(node.env()),
      services_(node.services()),
      settings_(node.settings().part<ScriptSettings>()),
      calls_(services_) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<Scripting*>(timer.owner)->go_on(); };
  flush_scripts();
  functions_ = make_set();
  services_.keys.functions().set_user(this);
}

Scripting::~Scripting() {
  env_.disarm(timer_);
  services_.keys.functions().set_user(nullptr);
}

void Scripting::settings_changed() {
  settings_ = node_.settings().part<ScriptSettings>();
  settings_.busy_reply_threshold_ms = std::min(settings_.busy_reply_threshold_ms, kLongestMs);
  settings_.time_max_ms = std::min(settings_.time_max_ms, kLongestMs);
  eval_vm_->set_memory_max(settings_.memory_max);
  functions_->vm().set_memory_max(settings_.memory_max);
}

size_t Scripting::memory_bytes() const {
  return eval_vm_->memory_bytes() + cache_->memory_bytes() + functions_->vm().memory_bytes() +
         functions_->memory_bytes();
}

// A script that is suspended does not end in time, perhaps.
Task<Error> Scripting::before_stop(const StopRequest& request) {
  if (suspended_ == nullptr) co_return Error::none;
  // A transaction may have several.
  const bool saves = request.saving != StopRequest::Saving::no && !request.now;
  const Instant deadline = env_.now() + (saves ? kStopPatience : Duration{0});
  if (saves && !calls_.can_undo()) {
    services_.logger.log(LogLevel::warning,
                         "A script runs that has written, and that cannot be undone: the node "
                         "waits for its end");
  }
  while (suspended_ != nullptr) {
    forced_ = env_.now() >= deadline;
    kill_reason_ = "Script killed because the server stops.";
    co_await Sleep(env_, Duration::milliseconds(1));
  }
  forced_ = false;
  co_return Error::none;
}

// --- scripts

void Scripting::flush_scripts() {
  ASSERT(suspended_ == nullptr && !calls_.running());
  cache_.reset();
  eval_vm_ = std::make_unique<ScriptVm>(ScriptVm::Kind::eval, calls_, env_, draw_seed(env_),
                                        settings_.memory_max);
  cache_ = std::make_unique<ScriptCache>(*eval_vm_);
}

// --- functions

std::unique_ptr<FunctionSet> Scripting::make_set() {
  return std::make_unique<FunctionSet>(calls_, env_, draw_seed(env_), settings_.memory_max);
}

std::string Scripting::load_library(std::string_view source, bool replace, std::string* name) {
  const bool trusted = services_.keys.applying();
  std::string error = functions_->load(source, replace, trusted, name);
  if (error.empty()) services_.keys.functions().keep(functions_->sources());
  return error;
}

bool Scripting::remove_library(std::string_view name) {
  if (!functions_->remove(name)) return false;
  services_.keys.functions().keep(functions_->sources());
  return true;
}

void Scripting::flush_functions() {
  functions_ = make_set();
  services_.keys.functions().keep({});
}

std::string Scripting::restore_libraries(const std::vector<std::string>& sources,
                                         RestorePolicy policy) {
  std::unique_ptr<FunctionSet> fresh = make_set();
  std::string name;
  if (policy != RestorePolicy::flush) {
    for (const auto& [_, library] : functions_->libraries()) {
      std::string error = fresh->load(library.source, false, true, &name);
      if (!error.empty()) return error;
    }
  }
  for (const std::string& source : sources) {
    ScriptHeader header;
    if (policy == RestorePolicy::append && parse_library_header(source, &header).empty() &&
        fresh->libraries().contains(header.library)) {
      return fmt::format("ERR Library {} already exists", header.library);
    }
    const bool trusted = services_.keys.applying();
    const std::string error = fresh->load(source, policy == RestorePolicy::replace, trusted, &name);
    if (!error.empty()) return error;
  }
  functions_ = std::move(fresh);
  services_.keys.functions().keep(functions_->sources());
  return {};
}

std::string Scripting::on_functions_replaced(const std::vector<std::string>& sources) {
  ASSERT(suspended_ == nullptr && !calls_.running());
  std::unique_ptr<FunctionSet> fresh = make_set();
  std::string name;
  for (const std::string& source : sources) {
    std::string error = fresh->load(source, false, true, &name);
    if (!error.empty()) {
      functions_ = make_set();
      return error;
    }
  }
  functions_ = std::move(fresh);
  return {};
}

// --- running

// Why the script may not begin; empty: it may.
std::string Scripting::problem_of(const Run& run) const {
  if ((run.flags & kScriptWithoutHeader) != 0) return {};
  const bool writes = (run.flags & kScriptNoWrites) == 0;
  if (writes && run.read_only) {
    return "ERR Can not execute a script with write flag using *_ro command.";
  }
  return services_.dispatcher.admission().problem_of_script(
      writes, {.may_exceed_memory = (run.flags & kScriptAllowOom) != 0,
               .may_be_stale = (run.flags & kScriptAllowStale) != 0});
}

void Scripting::run(Context& c, const Run& run) {
  ASSERT(suspended_ == nullptr && !calls_.running());
  const std::string problem = problem_of(run);
  if (!problem.empty()) return c.error(problem);
  is_function_ = run.is_function;
  name_ = run.name;
  all_or_nothing_ =
      (run.flags & kScriptAllOrNothing) != 0 || settings_.on_error == ScriptOnError::rollback;
  const uint32_t flags = run.flags | (all_or_nothing_ ? uint32_t{kScriptAllOrNothing} : 0u);
  kill_reason_.clear();
  // Before the commands that it calls.
  services_.clients.monitors().feed_script(c.session, c.command, c.args);
  calls_.begin(c.session, {.flags = flags,
                           .read_only = run.read_only || (run.flags & kScriptNoWrites) != 0,
                           .undoable = all_or_nothing_ || settings_.undo_killed});
  const auto threshold = static_cast<uint64_t>(settings_.busy_reply_threshold_ms);
  const ScriptVm::Outcome outcome =
      vm().start({.function = run.function, .keys = run.keys, .args = run.args, .name = name_},
                 {.time = Duration::milliseconds(settings_.busy_reply_threshold_ms),
                  .work = threshold * kWorkEachMs});
  if (outcome == ScriptVm::Outcome::suspended) return suspend(c, run);
  // An error is the command's: it is counted with it.
  if (!vm().error().empty()) c.error(vm().error());
  conclude(c.reply, outcome);
}

// The script has ended: its reply is written, unless it is an error, which has been.
void Scripting::conclude(ReplyWriter& reply, ScriptVm::Outcome outcome) {
  const bool failed = !vm().error().empty();
  if (outcome == ScriptVm::Outcome::done && !failed) vm().write_result(reply);
  vm().finish();
  if (failed && all_or_nothing_ && calls_.can_undo()) {
    calls_.undo();
  } else {
    calls_.end();
  }
}

void Scripting::suspend(Context& c, const Run& run) {
  suspended_ = std::make_unique<Suspended>();
  suspended_->is_function = is_function_;
  suspended_->name = name_;
  for (const std::string_view word : c.args) suspended_->command.emplace_back(word);
  suspended_->entry = &c.command;
  suspended_->began = env_.now();
  suspended_->noted = env_.precise_now();
  services_.logger.log(
      LogLevel::warning,
      fmt::format("Slow script detected: still in execution after {} milliseconds. You can try "
                  "killing the script using the {} KILL command. Script name is: {}.",
                  settings_.busy_reply_threshold_ms, run.is_function ? "FUNCTION" : "SCRIPT",
                  name_));
  const DeferredReply reply = c.defer();
  services_.dispatcher.suspension().begin(c.session, reply,
                                          is_function_ ? kBusyFunction : kBusyScript);
  env_.arm(timer_, env_.now());
}

// The next slice of the script that is suspended.
void Scripting::go_on() {
  ASSERT(suspended_ != nullptr);
  Suspension& suspension = services_.dispatcher.suspension();
  ScriptVm::Outcome outcome = ScriptVm::Outcome::failed;
  bool failed = false;
  const bool too_long =
      settings_.time_max_ms > 0 &&
      env_.now() - suspended_->began >= Duration::milliseconds(settings_.time_max_ms);
  if (too_long && kill_reason_.empty() && calls_.can_undo()) {
    kill_reason_ = "Script killed because it took longer than script-max-time.";
  }
  {
    const Execution execution(services_.clients, services_.keys, suspension.session());
    if (kill_reason_.empty() || !(calls_.can_undo() || forced_)) {
      outcome = vm().go_on({.time = kSliceTime, .work = kSliceWork});
      if (outcome == ScriptVm::Outcome::suspended) return env_.arm(timer_, env_.now());
      kill_reason_.clear();
    } else {
      vm().give_up(kill_reason_);
      all_or_nothing_ = true;
      services_.logger.log(LogLevel::notice,
                           fmt::format("The script {} was killed", suspended_->name));
    }
    ReplyWriter reply = suspension.reply();
    failed = !vm().error().empty();
    if (failed) {
      services_.stats.count_error(vm().error());
      reply.error(vm().error());
    }
    conclude(reply, outcome);
  }
  CommandEntry& entry = *suspended_->entry;
  entry.nsec += static_cast<uint64_t>((env_.precise_now() - suspended_->noted).ns);
  if (failed) ++entry.failed_calls;
  suspended_.reset();
  suspension.end();
}

std::string Scripting::kill(bool function) {
  if (suspended_ == nullptr) return "NOTBUSY No scripts in execution right now.";
  if (suspended_->is_function != function) {
    return std::string(suspended_->is_function ? kBusyFunction : kBusyScript);
  }
  if (!calls_.can_undo()) {
    return "UNKILLABLE Sorry the script already executed write commands against the dataset. You "
           "can either wait the script termination or kill the server in a hard way using the "
           "SHUTDOWN NOSAVE command.";
  }
  kill_reason_ = function ? "Script killed by user with FUNCTION KILL."
                          : "Script killed by user with SCRIPT KILL.";
  return {};
}

}  // namespace redoubt
