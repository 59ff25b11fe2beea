// Context: what a command handler works with. It lives for one call.
//
// A handler checks its arguments first (call_arguments.h), then looks keys up, then writes
// (key_access.h), then replies. It must not keep an Entry over a write.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "engine/clients/deferred.h"
#include "engine/clients/wait.h"
#include "engine/command/command_table.h"
#include "engine/dispatch/call_arguments.h"
#include "engine/dispatch/key_access.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class Fieldsets;
class Part;
class Session;
struct PartKind;

class Context final : public CallArguments, public KeyAccess {
 public:
  struct Call {
    Session& session;
    CommandEntry& command;
    std::span<const std::string_view> args;
    ReplyWriter reply;
    int db;           // the database that the session has selected
    bool sets_clock;  // look-ups set access clocks
  };

  // The services outlive it.
  Context(const Services& services, const Call& call)
      : CallArguments(services, call.args, call.reply),
        KeyAccess(services.keys, call.db, call.sets_clock),
        session(call.session),
        command(call.command) {}

  // For commands that look after clients; they include what they need.
  Session& session;
  CommandEntry& command;

  // For commands that look after the node or its clients; they include what they need.
  const Services& services() const { return services_; }
  Clients& clients() const { return services_.clients; }
  CommandTable& commands() const { return services_.commands; }
  Dispatcher& dispatcher() const { return services_.dispatcher; }
  Node& node() const { return services_.node; }
  // A part that the node has: the one that the command belongs to.
  template <typename P>
  P& part() const {
    return static_cast<P&>(find_part(P::kKind));
  }
  Env& env() const { return services_.env; }
  const Settings& settings() const { return services_.settings; }
  Stats& stats() const { return services_.stats; }
  // The node's stream of random numbers, for commands that answer with something random.
  Random& random() const { return services_.random; }
  // The wall clock of this turn, Unix time in ms: deadlines of keys are compared with it.
  int64_t now_ms() const { return keys().now_ms(); }
  // Deadlines before this have passed; at or before it, those that a command gives: now_ms(), or
  // INT64_MIN while effects are applied.
  int64_t past_ms() const { return keys().past_ms(); }

  // True, after a WRONGTYPE reply, when there is an entry of another type.
  bool wrong_type(const Entry* entry, Type type) {
    if (entry == nullptr || entry->type() == type) return false;
    error("WRONGTYPE Operation against a key holding the wrong kind of value");
    return true;
  }
  // The result that was to be stored under a key is empty: removes the value that is there, if any,
  // and announces that. Removes an expired value as expired.
  void remove_destination(std::string_view key);

  // The effect of this call is not its own arguments but these; several calls of effect() give
  // several effects, in order. Without one, the effect of a command that changed something is its
  // arguments.
  void effect(std::initializer_list<std::string_view> arguments) {
    effect(std::span<const std::string_view>(arguments.begin(), arguments.size()));
  }
  void effect(std::span<const std::string_view> arguments) {
    effect_given_ = true;
    effects().append(db_index(), arguments);
  }
  EffectLog& effects() const { return services_.effects; }
  bool effect_given() const { return effect_given_; }

  // The session waits until one of the keys among the arguments [first, last) holds a value of
  // `type`: then the whole command is executed again. At the deadline, or at once where a command
  // may not wait (MULTI, scripts), the reply is `on_timeout`. `again` replaces the arguments of the
  // next execution, as many as these; a command that waits must not have changed data. At `retry`
  // it is executed again in any case.
  void block(Type type, size_t first, size_t last, Instant deadline, BlockReply on_timeout,
             BlockMode mode = BlockMode::until_served, std::span<const std::string_view> again = {},
             Instant retry = Instant::never());

  // The session waits until the deadline, for no key: WAIT. At `retry`, or when
  // BlockedClients::retry_keyless() says so, the command is executed again. Where it may not wait,
  // the reply is `on_timeout` at once.
  void wait_until(Instant deadline, BlockReply on_timeout, BlockNumbers numbers,
                  Instant retry = Instant::never());

  // The reply of this command comes later: the owner of the result hands it to
  // Dispatcher::finish_deferred(), once. Until then the client's further requests wait. In a
  // transaction the other commands run on, and EXEC's reply is complete when this one is there.
  DeferredReply defer();
  bool deferred() const { return deferred_; }
  // The offset of the effect log behind the last write of this client; 0 when it has not written.
  uint64_t written_offset() const;

  // The lists of fields that the connection has prepared for HIMPORT; null: none yet.
  std::unique_ptr<Fieldsets>& fieldsets() const;

 private:
  Part& find_part(const PartKind& kind) const;

  bool effect_given_ = false;
  bool deferred_ = false;
};

}  // namespace redoubt
