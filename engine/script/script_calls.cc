#include "engine/script/script_calls.h"

#include <fmt/format.h>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/keyspace/keyspace.h"
#include "engine/script/script_header.h"

namespace redoubt {

namespace {

// A value of more work to copy is not copied, only so that a script could be killed.
constexpr size_t kCopiedEffortMax = 256;

}  // namespace

ScriptCalls::~ScriptCalls() {
  if (session_ == nullptr) return;
  session_->output.clear();
  services_.clients.drop_local(*session_);
}

void ScriptCalls::begin(Session& caller, const ScriptRules& rules) {
  ASSERT(!running() && services_.effects.in_group());
  if (session_ == nullptr) session_ = &services_.clients.make_local();
  caller_ = &caller;
  rules_ = rules;
  has_written_ = failed_ = false;
  undoable_ = rules.undoable && services_.keys.rollback() == nullptr;
  session_->db = caller.db;
  session_->protocol = Protocol::resp2;
  session_->clear(kSessionNoTouch);
  if (caller.has(kSessionNoTouch)) session_->set(kSessionNoTouch);
}

void ScriptCalls::end() {
  ASSERT(running());
  if (has_written_ && undoable_) services_.keys.commit_rollback();
  session_->output.clear();
  joined_ = {};
  caller_ = nullptr;
}

void ScriptCalls::undo() {
  ASSERT(running() && can_undo());
  if (has_written_) {
    services_.keys.undo_rollback();
    services_.effects.rewind_group(mark_);
    services_.gate.entry_abandoned();
    has_written_ = false;
  }
  end();
}

// What was written until now stands, whatever comes.
void ScriptCalls::stop_undoing() {
  if (has_written_ && undoable_) services_.keys.commit_rollback();
  undoable_ = false;
}

bool ScriptCalls::refuse(std::string_view error) {
  services_.stats.count_error(error);
  ReplyWriter(session_->output, session_->protocol).error(error);
  failed_ = true;
  return false;
}

std::string ScriptCalls::problem_of(const CommandEntry* entry,
                                    std::span<const std::string_view> args) const {
  if (entry == nullptr) return "ERR Unknown Redis command called from script";
  const Command& row = *entry->row;
  if (!row.accepts(args.size()) || row.handler == nullptr) {
    return "ERR Wrong number of args calling Redis command from script";
  }
  if ((row.flags & kNoScript) != 0) return "ERR This Redis command is not allowed from script";
  if ((row.flags & (kWrite | kMayReplicate)) != 0 && rules_.read_only) {
    return "ERR Write commands are not allowed from read-only scripts.";
  }
  return services_.dispatcher.admission().problem_of_script_call(
      *entry, args,
      {.may_exceed_memory = (rules_.flags & kScriptAllowOom) != 0,
       .may_be_stale = (rules_.flags & kScriptAllowStale) != 0,
       .goes_on = has_written_});
}

// An empty text, or why the command may not run.
std::string ScriptCalls::before_write(const CommandEntry& entry,
                                      std::span<const std::string_view> args) {
  const bool all_or_nothing = (rules_.flags & kScriptAllOrNothing) != 0;
  Transactions& transactions = services_.dispatcher.transactions();
  const bool possible = Transactions::can_be_undone(entry);
  if (all_or_nothing && !possible) {
    return fmt::format(
        "ERR '{}' cannot be undone, so it is not allowed in a script that is all or nothing",
        entry.name);
  }
  if (!possible) stop_undoing();
  if (undoable_ && !has_written_) {
    services_.keys.begin_rollback();
    mark_ = services_.effects.mark_group();
  }
  has_written_ = true;
  const size_t effort_max = all_or_nothing ? SIZE_MAX : kCopiedEffortMax;
  if (undoable_ && !transactions.keep_written(*entry.row, session_->db, args, effort_max)) {
    stop_undoing();
  }
  return {};
}

bool ScriptCalls::call(std::span<const std::string_view> args) {
  ASSERT(running() && !args.empty());
  session_->output.clear();
  failed_ = false;
  CommandEntry* container = nullptr;
  CommandEntry* entry = services_.commands.resolve(args, &container);
  std::string problem = problem_of(entry, args);
  const uint32_t flags = entry == nullptr ? 0 : entry->row->flags;
  if (problem.empty() && (flags & (kWrite | kMayReplicate)) != 0) {
    problem = before_write(*entry, args);
  }
  if (!problem.empty()) {
    if (entry != nullptr) ++entry->rejected_calls;
    return refuse(problem);
  }
  failed_ = services_.dispatcher.caller().call_alone(*session_, *entry, args);
  ASSERT(!session_->has(kSessionWaiting));
  if (caller_->has(kSessionTracking) && (flags & kReadOnly) != 0) {
    services_.clients.tracking().remember_keys(*caller_, *entry->row, args);
  }
  return true;
}

bool ScriptCalls::knows(std::span<const std::string_view> args) const {
  CommandEntry* container = nullptr;
  const CommandEntry* entry = services_.commands.resolve(args, &container);
  return entry != nullptr && entry->row->accepts(args.size());
}

void ScriptCalls::log(LogLevel level, std::string_view text) const {
  services_.logger.log(level, text);
}

std::string_view ScriptCalls::reply() {
  slices_.clear();
  session_->output.slices(slices_);
  if (slices_.size() == 1) {
    return {reinterpret_cast<const char*>(slices_[0].data()), slices_[0].size()};
  }
  joined_.clear();
  for (const Slice slice : slices_) {
    joined_.append(reinterpret_cast<const char*>(slice.data()), slice.size());
  }
  return joined_;
}

}  // namespace redoubt
