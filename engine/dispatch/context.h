// Context: what a command handler works with. It lives for one command.
//
// A handler checks its arguments first, then looks keys up, then writes, then replies. It must not
// keep an Entry over a write. Every change of data is announced by modified(); a command that made
// no such call has no effect (in the stream of effects, for eviction, for WATCH).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "engine/clients/deferred.h"
#include "engine/clients/wait.h"
#include "engine/command/command_table.h"
#include "engine/dispatch/services.h"
#include "engine/keyspace/keyspace.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

class Fieldsets;
class Part;
class Session;
struct PartKind;
struct RequestBatch;

class Context {
 public:
  // What one call comes with.
  struct Call {
    Session& session;
    CommandEntry& command;
    std::span<const std::string_view> args;
    ReplyWriter reply;
    int db;           // the database that the session has selected
    bool sets_clock;  // look-ups set access clocks
  };

  Context(const Services& services, const Call& call)
      : session(call.session),
        command(call.command),
        args(call.args),
        reply(call.reply),
        services_(services),
        keys_(services.keys),
        db_(call.db),
        sets_clock_(call.sets_clock) {}

  // For commands that look after clients; they include what they need.
  Session& session;
  CommandEntry& command;
  // With the command's name (and its subcommand's) in front.
  std::span<const std::string_view> args;
  ReplyWriter reply;

  Keyspace& keys() const { return keys_; }
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
  const HashKey& hash_key() const { return keys().hash_key(); }
  // The number of the selected database, and the database.
  int db_index() const { return db_; }
  Database& db() const { return keys().database(db_); }
  // The wall clock of this turn, Unix time in ms: what expiry is compared with.
  int64_t now_ms() const { return env().wall().unix_ms(); }

  // The hash of a key in this node's dicts.
  uint64_t hash(std::string_view key) const {
    return key.data() == hashed_key_.data() && key.size() == hashed_key_.size() ? hash_
                                                                                : keys().hash(key);
  }

  // The entry of a key for reading; null when there is none or it has expired (then it is removed).
  // Counts a hit or a miss and sets the access clock. All entries are valid until the next write.
  const Entry* read(std::string_view key) { return read(key, hash(key)); }
  // The same when the hash of the key is known.
  const Entry* read(std::string_view key, uint64_t key_hash) {
    return keys().read(db_, key, key_hash, sets_clock_);
  }
  // The same without setting the access clock: EXISTS, TYPE and TTL look, but do not use.
  const Entry* read_untouched(std::string_view key) {
    return keys().read(db_, key, hash(key), false);
  }
  // The entry of a key for changing its value in place; null as above. Sets the access clock, and
  // counts neither hit nor miss. A command that may find nothing to change reads first, and asks
  // for the entry to write when it does.
  Entry* write(std::string_view key) {
    const Entry* entry = touch(key);
    return entry == nullptr ? nullptr : &write(key, *entry);
  }
  // The same for an entry that a look-up of this key has found.
  Entry& write(std::string_view key, const Entry& entry) { return db().write(entry, hash(key)); }
  // The entry of a key that the command replaces or removes as a whole, or may change: as write(),
  // for looking only.
  const Entry* touch(std::string_view key) { return touch(key, hash(key)); }
  const Entry* touch(std::string_view key, uint64_t key_hash) {
    return keys().touch(db_, key, key_hash, sets_clock_);
  }
  // The same in another database, whatever CLIENT NO-TOUCH says.
  const Entry* touch_in(int db_index, std::string_view key) {
    return keys().touch(db_index, key, hash(key), true);
  }
  // The entry of a key without setting the access clock or counting: for OBJECT, TTL, DEBUG.
  const Entry* peek(std::string_view key) { return peek(key, hash(key)); }
  const Entry* peek(std::string_view key, uint64_t key_hash) {
    return keys().peek(db_, key, key_hash);
  }

  // True, after a WRONGTYPE reply, when there is an entry of another type.
  bool wrong_type(const Entry* entry, Type type) {
    if (entry == nullptr || entry->type() == type) return false;
    error("WRONGTYPE Operation against a key holding the wrong kind of value");
    return true;
  }

  // Data of this key changed. `event` is the keyspace event's name ("set"), of class `event_class`
  // ('$' string, 'g' generic, ...); `changes` is what INFO counts this as, 0 for a further key of a
  // change that is counted already.
  void modified(std::string_view key, char event_class, std::string_view event,
                uint64_t changes = 1) {
    modified_in(db_, key, event_class, event, changes);
  }
  void modified_in(int db_index, std::string_view key, char event_class, std::string_view event,
                   uint64_t changes = 1) {
    changed_ = true;
    keys().count_changes(changes);
    keys().feed().modified(db_index, key, event_class, event);
  }
  // A further keyspace event of a change that is already announced: counts nothing.
  void announce(std::string_view key, char event_class, std::string_view event) {
    keys().feed().announce(db_, key, event_class, event);
  }
  // The fields of a hash that an event is about, which was announced just now: `names`, or each
  // second one of them.
  void announce_fields(std::string_view key, std::string_view event,
                       std::span<const std::string_view> names, size_t step = 1) {
    if (keys().feed().events().wants_parts()) [[unlikely]]
      publish_fields(key, event, names, step);
  }
  // The value of a key has become empty: the key is removed.
  void remove_empty(std::string_view key);
  // The result that was to be stored under a key is empty: what is there is removed and announced.
  // A value that has expired is removed as that.
  void remove_destination(std::string_view key);
  // Data changed, but not that of one key (FLUSHALL, SWAPDB).
  void modified_all(uint64_t changes) {
    changed_ = true;
    keys().count_changes(changes);
  }
  bool changed() const { return changed_; }

  // The effect of this command is not its own arguments but these; several calls give several
  // effects, in order. Without a call, a command that changed something has its own arguments as
  // effect.
  void effect(std::initializer_list<std::string_view> arguments) {
    effect(std::span<const std::string_view>(arguments.begin(), arguments.size()));
  }
  void effect(std::span<const std::string_view> arguments) {
    effect_given_ = true;
    effects().append(db_, arguments);
  }
  EffectLog& effects() const { return services_.effects; }
  bool effect_given() const { return effect_given_; }

  // Replies with an error ("ERR syntax error") and counts it.
  void error(std::string_view text);
  void syntax_error() { error("ERR syntax error"); }
  bool failed() const { return failed_; }

  // An argument as an integer; replies with an error when it is none ("ERR value is not an integer
  // or out of range", or `message`).
  std::optional<int64_t> integer(size_t index, std::string_view message = {});
  // An integer within [low, high].
  std::optional<int64_t> integer_between(size_t index, int64_t low, int64_t high,
                                         std::string_view message = {});

  // An argument in seconds, with fractions, as the moment until which a command may wait; never()
  // for 0. Replies with an error when it is none.
  std::optional<Instant> timeout(size_t index);
  // The same for an argument in whole milliseconds.
  std::optional<Instant> timeout_ms(size_t index);

  // The session waits until one of the keys among the arguments [first, last) holds a value of
  // `type`: then the whole command is executed again. At the deadline, or at once where a command
  // may not wait (MULTI, scripts), the reply is `on_timeout`. `again` replaces the arguments of the
  // next execution, as many as these; a command that waits must not have changed data. At `retry`
  // it is executed again, whatever became of the keys.
  void block(Type type, size_t first, size_t last, Instant deadline, BlockReply on_timeout,
             BlockMode mode = BlockMode::until_served, std::span<const std::string_view> again = {},
             Instant retry = Instant::never());

  // The session waits until the deadline, for nothing that could come: WAIT without replicas. Where
  // a command may not wait, the reply is `on_timeout` at once.
  void wait_until(Instant deadline, BlockReply on_timeout);

  // The reply of this command comes later: whoever has the result hands it to
  // Dispatcher::finish_deferred(), once. Until then the client's further requests wait. In a
  // transaction the other commands run on, and EXEC's reply is complete when this one is there.
  DeferredReply defer();
  bool deferred() const { return deferred_; }

  // The Blob that holds exactly this argument's bytes, for the store to take over; empty when the
  // argument is only a view. The view stays valid.
  Blob take_blob(size_t index);

  // What the connection has prepared for HIMPORT; null: nothing yet.
  std::unique_ptr<Fieldsets>& fieldsets() const;

  // The option at this argument, compared without case.
  bool is(size_t index, std::string_view option) const;

  // Set by dispatch.
  void set_hash(std::string_view key, uint64_t hash) {
    hashed_key_ = key;
    hash_ = hash;
  }
  void set_batch(RequestBatch* batch, size_t first_arg) {
    batch_ = batch;
    first_arg_ = first_arg;
  }

 private:
  Part& find_part(const PartKind& kind) const;
  void publish_fields(std::string_view key, std::string_view event,
                      std::span<const std::string_view> names, size_t step);
  std::optional<Instant> deadline_in(int64_t ms);

  const Services& services_;
  Keyspace& keys_;
  std::string_view hashed_key_;
  uint64_t hash_ = 0;
  RequestBatch* batch_ = nullptr;
  size_t first_arg_ = 0;
  const int db_;
  const bool sets_clock_;
  bool changed_ = false;
  bool failed_ = false;
  bool effect_given_ = false;
  bool deferred_ = false;
};

}  // namespace redoubt
