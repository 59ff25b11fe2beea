#include "engine/dispatch/applier.h"

#include <fmt/format.h>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/insight/stats.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

namespace {

// Commands that a stream of effects may have: those that write, and messages of other servers'
// streams (PUBLISH). Not those that wait for the world, such as MIGRATE.
bool may_be_effect(const CommandEntry& entry) {
  const uint32_t flags = entry.row->flags;
  if (entry.row->handler == nullptr || entry.row->name == "migrate") return false;
  // Primaries send what scripts have done, not the scripts.
  if ((flags & kWrite) == 0 && (entry.row->categories & kCatScripting) != 0) return false;
  // PING behind a SELECT is kept with it.
  return (flags & (kWrite | kMayReplicate)) != 0 || entry.row->name == "select" ||
         entry.row->name == "ping";
}

}  // namespace

Applier::Applier(const Services& services)
    : services_(services), session_(services.clients.make_local()) {}

Applier::~Applier() {
  services_.clients.drop_local(session_);
}

void Applier::begin() {
  ASSERT(!services_.keys.applying());
  services_.keys.set_applying(true);
  hits_before_ = services_.stats.keyspace_hits;
  misses_before_ = services_.stats.keyspace_misses;
  services_.effects.open_group();
}

void Applier::end() {
  services_.effects.close_group();
  services_.keys.set_applying(false);
  services_.stats.keyspace_hits = hits_before_;
  services_.stats.keyspace_misses = misses_before_;
}

Applier::Outcome Applier::apply(std::span<const std::string_view> args) {
  ASSERT(services_.keys.applying() && !args.empty());
  CommandEntry* container = nullptr;
  CommandEntry* entry = services_.commands.resolve(args, &container);
  if (entry == nullptr || !entry->row->accepts(args.size()) || !may_be_effect(*entry)) {
    error_ = fmt::format("\"{}\" with {} arguments is no effect that this server knows",
                         args[0].substr(0, 64), args.size() - 1);
    return Outcome::no_command;
  }
  if (!source_.empty() && services_.clients.monitors().size() > 0) {
    services_.clients.monitors().feed(session_, *entry, args, source_);
  }
  const bool failed = services_.dispatcher.caller().call_effect(session_, *entry, args);
  ASSERT(!session_.has(kSessionWaiting));
  if (failed) {
    error_ = session_.output.copy_from(0);
    error_.resize(error_.find_first_of("\r\n"));
  }
  session_.output.clear();
  return failed ? Outcome::failed : Outcome::applied;
}

}  // namespace redoubt
