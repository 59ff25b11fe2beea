#include "engine/dispatch/admission.h"

#include <fmt/format.h>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/keyspace/eviction.h"
#include "net/places.h"
#include "net/text.h"

namespace redoubt {

namespace {

// How much of an unknown command's words its error reply shows.
constexpr size_t kShownName = 128;

std::string unknown_command(std::span<const std::string_view> args) {
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < kShownName; ++i) {
    shown += fmt::format("'{}' ", args[i].substr(0, kShownName - shown.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}",
                     args[0].substr(0, kShownName), shown);
}

// What a browser sends when a page that somebody else wrote makes it talk to us. Nothing of the
// request, whose body may hold commands, is to be executed.
bool is_http(std::string_view name) {
  return equal_ignoring_case(name, "post") || equal_ignoring_case(name, "host:");
}

// What the command may take in memory, as far as its request says.
size_t bytes_brought(const Session& session, const CommandEntry& entry,
                     std::span<const std::string_view> args) {
  if (session.has(kSessionMulti) && (entry.row->flags & kRunsQueued) != 0) {
    return session.transaction->bytes;
  }
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += counted_size(arg.size());
  return bytes;
}

// Queueing takes memory, too: after MULTI nothing goes but its end.
bool denied_when_out_of_memory(const Session& session, const CommandEntry& entry) {
  const uint32_t flags = entry.row->flags;
  if ((flags & kDenyOom) != 0) return true;
  if (!session.has(kSessionMulti)) return false;
  if ((flags & kRunsQueued) != 0) return (session.transaction->command_flags & kDenyOom) != 0;
  return (flags & kEndsMulti) == 0;
}

// Whether the command, or one that EXEC is going to execute, writes.
bool writes(const Session& session, const CommandEntry& entry) {
  const uint32_t flags = entry.row->flags;
  if (session.has(kSessionMulti) && (flags & kRunsQueued) != 0) {
    return (session.transaction->command_flags & kWrite) != 0;
  }
  return (flags & kWrite) != 0;
}

// PING tells whoever looks after the node that something is wrong.
bool is_refused_write(const Session& session, const CommandEntry& entry) {
  return writes(session, entry) || entry.row->name == "ping";
}

// Whom an alert concerns.
uint32_t concern_of(Alert alert) {
  switch (alert) {
    case Alert::observed:
    case Alert::pause_all:
    case Alert::refuses_writes: return kConcernAll;
    case Alert::pause_writes:
    case Alert::few_replicas:
    case Alert::read_only: return kConcernWrites;
    case Alert::stale: return kConcernNotStale;
    case Alert::tight_memory: return kConcernMemory;
    case Alert::loading: return kConcernNotLoading;
    case Alert::busy: return kConcernNotBusy;
    case Alert::count: break;
  }
  UNREACHABLE();
}

}  // namespace

void Admission::set(Alert alert, bool on) {
  ASSERT(alert < Alert::count);
  set_[static_cast<size_t>(alert)] = on;
  concerned_ = kConcernNoHandler;
  for (size_t i = 0; i < set_.size(); ++i) {
    if (set_[i]) concerned_ |= concern_of(static_cast<Alert>(i));
  }
}

void Admission::refuse_writes(std::string_view error) {
  refusal_ = error;
  set(Alert::refuses_writes, !error.empty());
}

bool Admission::admit(Session& session, const Planned& planned,
                      std::span<const std::string_view> args) {
  ASSERT(!args.empty() && (planned.entry == nullptr || planned.container == nullptr));
  if (planned.container != nullptr) {
    services_.dispatcher.transactions().reject(
        session, planned.container,
        fmt::format("ERR unknown subcommand '{}'. Try {} HELP.", args[1].substr(0, kShownName),
                    to_upper(planned.container->name)));
    return false;
  }
  if (planned.entry == nullptr) {
    refuse_unknown(session, args);
    return false;
  }
  const std::string problem = problem_of(session, *planned.entry, args);
  if (problem.empty()) return true;
  services_.dispatcher.transactions().reject(session, planned.entry, problem);
  return false;
}

void Admission::refuse_unknown(Session& session, std::span<const std::string_view> args) {
  if (is_http(args[0])) {
    services_.logger.log(LogLevel::verbose, "A connection was closed because it spoke HTTP");
    services_.clients.close(session, false);
    return;
  }
  ++services_.stats.unexpected_errors;
  services_.dispatcher.transactions().reject(session, nullptr, unknown_command(args));
}

std::string Admission::problem_of(Session& session, const CommandEntry& entry,
                                  std::span<const std::string_view> args) {
  const uint32_t flags = entry.row->flags;
  if (!entry.row->accepts(args.size()) || entry.row->handler == nullptr) {
    return fmt::format("ERR wrong number of arguments for '{}' command", entry.name);
  }
  if (!session.authenticated() && (flags & kNoAuth) == 0) {
    return "NOAUTH Authentication required.";
  }
  if (session.has(kSessionMonitor) && (flags & (kWrite | kReadOnly | kMayReplicate)) != 0) {
    return "ERR Replica can't interact with the keyspace";
  }
  if (session.has(kSessionMulti) && (flags & kNoMulti) != 0) {
    return "ERR Command not allowed inside a transaction";
  }
  if (is_set(Alert::tight_memory) && denied_when_out_of_memory(session, entry) &&
      !services_.eviction.admit(bytes_brought(session, entry, args))) {
    REDOUBT_REACHED(refused_for_memory);
    return "OOM command not allowed when used memory > 'maxmemory'.";
  }
  if (is_set(Alert::refuses_writes) && is_refused_write(session, entry)) return refusal_;
  if (is_set(Alert::few_replicas) && writes(session, entry)) {
    return "NOREPLICAS Not enough good replicas to write.";
  }
  if (is_set(Alert::read_only) && writes(session, entry)) {
    return "READONLY You can't write against a read only replica.";
  }
  if (session.has(kSessionSubscribed) && session.protocol == Protocol::resp2 &&
      (flags & kSubscribedMode) == 0) {
    return fmt::format(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
        "QUIT / RESET are allowed in this context",
        entry.name);
  }
  if (is_set(Alert::stale) && (flags & kStale) == 0) {
    return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  }
  if (is_set(Alert::loading) && (flags & kLoading) == 0) {
    return "LOADING Redoubt is loading the dataset in memory";
  }
  if (is_set(Alert::busy) && (flags & kAllowBusy) == 0) return busy_error_;
  return {};
}

void Admission::set_busy(std::string_view error) {
  busy_error_ = error;
  set(Alert::busy, !error.empty());
}

std::string Admission::problem_of_script_call(const CommandEntry& entry,
                                              std::span<const std::string_view> args,
                                              const ScriptAllowance& allowance) const {
  const uint32_t flags = entry.row->flags;
  if (is_set(Alert::stale) && (flags & kStale) == 0 && !allowance.may_be_stale) {
    return "ERR Can not execute the command on a stale replica";
  }
  if ((flags & kWrite) != 0) {
    if (is_set(Alert::read_only)) return "READONLY You can't write against a read only replica.";
    if (!allowance.goes_on && is_set(Alert::refuses_writes)) return refusal_;
    if (!allowance.goes_on && is_set(Alert::few_replicas)) {
      return "NOREPLICAS Not enough good replicas to write.";
    }
  }
  if (is_set(Alert::tight_memory) && (flags & kDenyOom) != 0 && !allowance.may_exceed_memory &&
      !allowance.goes_on) {
    size_t bytes = 0;
    for (const std::string_view arg : args) bytes += counted_size(arg.size());
    if (!services_.eviction.admit(bytes)) {
      return "OOM command not allowed when used memory > 'maxmemory'.";
    }
  }
  return {};
}

std::string Admission::problem_of_script(bool writes, const ScriptAllowance& allowance) const {
  if (is_set(Alert::stale) && !allowance.may_be_stale) {
    return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  }
  if (!writes) return {};
  if (is_set(Alert::read_only)) {
    return "READONLY You can not run script with write flag on readonly replica.";
  }
  if (is_set(Alert::refuses_writes)) return refusal_;
  if (is_set(Alert::few_replicas)) return "NOREPLICAS Not enough good replicas to write.";
  if (is_set(Alert::tight_memory) && !allowance.may_exceed_memory && !services_.eviction.admit(0)) {
    return "OOM allow-oom flag is not set on the script, can not run it when used memory > "
           "'maxmemory'";
  }
  return {};
}

}  // namespace redoubt
