// CLIENT: what the node knows of its connections, and what a connection wants of the node.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engine/clients/clients.h"
#include "engine/clients/pubsub.h"
#include "engine/clients/session.h"
#include "engine/clients/tracking.h"
#include "engine/commands/arguments.h"
#include "engine/commands/clients/connection.h"
#include "engine/commands/clients/connection_filter.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

// --- the line that shows a connection

std::string flags_text(const Session& session) {
  std::string text;
  if (session.has(kSessionMonitor)) text += 'O';
  if (session.has(kSessionSubscribed)) text += 'P';
  if (session.has(kSessionMulti)) text += 'x';
  if (session.has(kSessionPaused | kSessionBlocked)) text += 'b';
  if (const TrackingState* tracking = session.tracking.get()) {
    text += 't';
    if (tracking->broken_redirect) text += 'R';
    if (tracking->options.broadcast) text += 'B';
  }
  if (session.watch_failed()) text += 'd';
  if (session.has(kSessionCloseAfterReply)) text += 'c';
  if (session.peer().unix_socket) text += 'U';
  if (session.has(kSessionNoEvict)) text += 'e';
  if (session.has(kSessionNoTouch)) text += 'T';
  return text.empty() ? "N" : text;
}

// One line as Redis 7.4 writes it. Fields for what a connection does not have here stand at the
// value that says so. The reply buffer is given in chunks, so that its size now is also its peak.
void append_client_line(std::string& text, const Context& c, const Session& session) {
  const Instant now = c.env().now();
  const size_t waiting = session.output_bytes();
  const Connection* connection = session.connection.get();
  const uint32_t handle_index = connection == nullptr ? 0 : connection->handle().index;
  text += fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} "
      "multi={} watch={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem={} rbs={} rbp={} obl={} oll={} "
      "omem={} tot-mem={} events={} cmd={} user={} redir={} resp={} lib-name={} lib-ver={}\n",
      session.id, session.peer().to_string(), session.local().to_string(), handle_index,
      session.identity.name, (now - session.traffic.connected).s(),
      (now - session.traffic.last_request).s(), flags_text(session), session.db,
      subscription_count(session, ChannelKind::channel),
      subscription_count(session, ChannelKind::pattern),
      subscription_count(session, ChannelKind::shard),
      session.transaction == nullptr ? -1 : static_cast<int64_t>(session.transaction->queue.size()),
      session.watches == nullptr ? 0 : session.watches->places.size(),
      session.parser.memory_bytes(),
      session.transaction == nullptr ? 0 : session.transaction->memory_bytes(),
      session.output.memory_bytes(), session.output.memory_bytes(), session.output.bytes(),
      session.held == nullptr ? 0 : session.held->pieces(), waiting, session.memory_bytes(),
      connection != nullptr && connection->sending() ? "rw" : "r", session.last_command,
      session.identity.user,
      session.tracking == nullptr ? -1 : static_cast<int64_t>(session.tracking->options.redirect),
      static_cast<int>(session.protocol), session.identity.library_name(),
      session.identity.library_version());
}

void append_link_line(std::string& text, const Context& c, const Link::Facts& link) {
  const Instant now = c.env().now();
  const bool replica = link.kind == LinkKind::replica;
  text += fmt::format(
      "id={} addr={} laddr={} fd={} name= age={} idle={} flags={} db=0 sub=0 psub=0 ssub=0 "
      "multi=-1 "
      "watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem={} "
      "tot-mem={} events={} cmd={} user=default redir=-1 resp=2 lib-name= lib-ver=\n",
      link.id, link.connection->peer().to_string(), link.connection->local().to_string(),
      link.connection->handle().index, (now - link.connected).s(), (now - link.last_request).s(),
      replica ? 'S' : 'M', link.waiting_bytes, link.memory_bytes,
      link.connection->sending() ? "rw" : "r", replica ? "replconf" : "NULL");
}

// Connections that a client can see: not those that are closed already, nor the sessions of the
// process itself, unless one of these asks.
bool is_visible(const Context& c, const Session& session) {
  return !session.has(kSessionClosing) && (!session.has(kSessionLocal) || &session == &c.session);
}

// A connection of either kind: the other one is null.
struct Visible {
  uint64_t id;
  Session* session;
  Link* link;
};

ConnectionFacts facts_of(const Visible& visible) {
  return visible.session != nullptr ? facts_of(*visible.session) : facts_of(visible.link->facts());
}

void append_line(std::string& text, const Context& c, const Visible& visible) {
  if (visible.session != nullptr) {
    append_client_line(text, c, *visible.session);
  } else {
    append_link_line(text, c, visible.link->facts());
  }
}

// All visible connections, in the order of their ids.
std::vector<Visible> visible_connections(Context& c) {
  std::vector<Visible> all;
  for (Session* session = c.clients().sessions().first(); session != nullptr;
       session = session->next) {
    if (is_visible(c, *session)) all.push_back({session->id, session, nullptr});
  }
  for (Link* link : c.clients().links().all()) {
    const Link::Facts facts = link->facts();
    const bool open = facts.connection != nullptr && !facts.connection->closed();
    if (open) all.push_back({facts.id, nullptr, link});
  }
  std::sort(all.begin(), all.end(), [](const Visible& a, const Visible& b) { return a.id < b.id; });
  c.env().count_work(all.size());
  return all;
}

// --- reading

void client_id(Context& c) {
  c.reply.integer(static_cast<int64_t>(c.session.id));
}

void client_info(Context& c) {
  std::string text;
  append_client_line(text, c, c.session);
  c.reply.verbatim("txt", text);
}

// CLIENT LIST ID id [id ...]: in the order of the arguments.
void list_ids(Context& c) {
  const std::vector<Visible> all = visible_connections(c);
  std::string text;
  for (size_t i = 3; i < c.args.size(); ++i) {
    const std::optional<int64_t> id = parse_integer(c.args[i]);
    if (!id) {
      c.error("ERR Invalid client ID");
      return;
    }
    const auto found = std::lower_bound(
        all.begin(), all.end(), *id,
        [](const Visible& v, int64_t wanted) { return static_cast<int64_t>(v.id) < wanted; });
    if (found != all.end() && static_cast<int64_t>(found->id) == *id) append_line(text, c, *found);
  }
  c.reply.verbatim("txt", text);
}

void client_list(Context& c) {
  if (c.args.size() > 3 && c.is(2, "ID")) {
    const auto word = std::find_if(c.args.begin() + 3, c.args.end(), [](std::string_view text) {
      return !parse_integer(text).has_value();
    });
    // Options behind the ids make it a filter like the others.
    if (word == c.args.begin() + 3 || word == c.args.end()) {
      list_ids(c);
      return;
    }
  }
  ClientFilter filter;
  filter.skip_me = false;
  if (!filter.read(c, 2)) return;
  std::string text;
  for (const Visible& visible : visible_connections(c)) {
    if (filter.matches(c, facts_of(visible))) append_line(text, c, visible);
  }
  c.reply.verbatim("txt", text);
}

void client_getname(Context& c) {
  if (c.session.identity.name.empty()) {
    c.reply.null();
  } else {
    c.reply.bulk(c.session.identity.name);
  }
}

// --- setting

void client_setname(Context& c) {
  if (!is_client_name(c.args[2])) {
    c.error(kBadClientName);
    return;
  }
  c.session.identity.name = c.args[2];
  c.reply.ok();
}

void client_setinfo(Context& c) {
  const std::string_view option = c.args[2];
  const bool is_name = c.is(2, "lib-name");
  if (!is_name && !c.is(2, "lib-ver")) {
    c.error(fmt::format("ERR Unrecognized option '{}'", option.substr(0, kShownArgument)));
    return;
  }
  if (!is_client_name(c.args[3])) {
    c.error(fmt::format("ERR {} cannot contain spaces, newlines or special characters.", option));
    return;
  }
  std::unique_ptr<ClientLibrary>& library = c.session.identity.library;
  if (library == nullptr) library = std::make_unique<ClientLibrary>();
  (is_name ? library->name : library->version) = c.args[3];
  c.reply.ok();
}

// Sets or clears a flag of the session by ON or OFF.
void set_flag(Context& c, uint32_t flag) {
  if (c.is(2, "ON")) {
    c.session.flags |= flag;
  } else if (c.is(2, "OFF")) {
    c.session.flags &= ~flag;
  } else {
    c.syntax_error();
    return;
  }
  c.reply.ok();
}

void client_no_evict(Context& c) {
  set_flag(c, kSessionNoEvict);
}

void client_no_touch(Context& c) {
  set_flag(c, kSessionNoTouch);
}

void client_reply(Context& c) {
  Session& session = c.session;
  if (c.is(2, "ON")) {
    session.clear(kSessionReplyOff | kSessionReplySkip);
    c.reply.ok();
  } else if (c.is(2, "OFF")) {
    session.set(kSessionReplyOff);
  } else if (c.is(2, "SKIP")) {
    if (!session.has(kSessionReplyOff)) session.set(kSessionReplySkipNext);
  } else {
    c.syntax_error();
  }
}

// --- acting on others

// The caller itself still gets its reply; the others are gone at once.
void kill(Context& c, const Visible& visible) {
  if (visible.link != nullptr) return visible.link->kill();
  c.clients().close(*visible.session, visible.session == &c.session);
}

void client_kill(Context& c) {
  if (c.args.size() == 3) {
    for (const Visible& visible : visible_connections(c)) {
      if (facts_of(visible).peer.to_string() != c.args[2]) continue;
      kill(c, visible);
      c.reply.ok();
      return;
    }
    c.error("ERR No such client");
    return;
  }
  ClientFilter filter;
  if (!filter.read(c, 2)) return;
  int64_t killed = 0;
  for (const Visible& visible : visible_connections(c)) {
    if (!filter.matches(c, facts_of(visible))) continue;
    kill(c, visible);
    ++killed;
  }
  c.reply.integer(killed);
}

void client_pause(Context& c) {
  // A hundred years; more would leave the range of the clock.
  constexpr int64_t kLongestMs = int64_t{100} * 366 * 24 * 3600 * 1000;
  if (c.args.size() > 4) {
    c.error("ERR unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP.");
    return;
  }
  PauseMode mode = PauseMode::all;
  if (c.args.size() == 4) {
    if (c.is(3, "WRITE")) {
      mode = PauseMode::write;
    } else if (!c.is(3, "ALL")) {
      c.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
      return;
    }
  }
  const std::optional<int64_t> timeout =
      c.integer(2, "ERR timeout is not an integer or out of range");
  if (!timeout) return;
  if (*timeout < 0) {
    c.error("ERR timeout is negative");
    return;
  }
  const Duration wait = Duration::milliseconds(std::min(*timeout, kLongestMs));
  c.dispatcher().pause().begin(mode, c.env().now() + wait);
  c.reply.ok();
}

// CLIENT TRANSACTION ROLLBACK ON|OFF: whether transactions of this connection are all or nothing,
// whatever transaction-on-error says.
void client_transaction(Context& c) {
  if (c.is(2, "ROLLBACK") && c.is(3, "ON")) {
    c.session.rollback = RollbackChoice::on;
  } else if (c.is(2, "ROLLBACK") && c.is(3, "OFF")) {
    c.session.rollback = RollbackChoice::off;
  } else {
    c.syntax_error();
    return;
  }
  c.reply.ok();
}

// Ends the wait of a client for keys, as a time-out does or with an error.
void client_unblock(Context& c) {
  if (c.args.size() > 4) {
    c.error("ERR unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.");
    return;
  }
  const bool with_error = c.args.size() == 4 && c.is(3, "ERROR");
  if (c.args.size() == 4 && !with_error && !c.is(3, "TIMEOUT")) {
    c.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    return;
  }
  const std::optional<int64_t> id = c.integer(2);
  if (!id) return;
  Session* session = *id < 0 ? nullptr : c.clients().sessions().find(static_cast<uint64_t>(*id));
  c.reply.integer(session != nullptr && c.dispatcher().blocked().unblock(*session, with_error) ? 1
                                                                                               : 0);
}

void client_unpause(Context& c) {
  c.dispatcher().pause().end();
  c.reply.ok();
}

void client_help(Context& c) {
  constexpr std::string_view lines[] = {
      "CACHING (YES|NO)",
      "    Remember, or do not remember, the keys of the next command; with OPTIN or OPTOUT.",
      "GETNAME",
      "    Return the name that this connection has given itself.",
      "GETREDIR",
      "    Return the connection that invalidations are redirected to.",
      "ID",
      "    Return the number of this connection.",
      "INFO",
      "    Return the line of CLIENT LIST about this connection.",
      "KILL <ip:port>",
      "    Close the connection that comes from this address.",
      "KILL <option> <value> [<option> <value> [...]]",
      "    Close the connections for which all options hold, and return how many. Options are:",
      "    * ID <client-id> [<client-id> ...]",
      "    * ADDR (<ip:port>|<unixsocket>:0), LADDR (<ip:port>|<unixsocket>:0)",
      "      By the address of the client's side, or of this side.",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "    * USER <username>, NAME <name>, LIB-NAME <name>, LIB-VER <version>, DB <index>",
      "    * MAXAGE <seconds>, IDLE <seconds>",
      "      Connected, or silent, for at least this long.",
      "    * SKIPME (YES|NO)",
      "      Spare the connection that asks (default: yes).",
      "    NOT- in front of all but MAXAGE, IDLE and SKIPME turns the condition round.",
      "LIST [<option> <value> [...]]",
      "    Return a line for each connection, or for those that the options of KILL mean.",
      "NO-EVICT (ON|OFF)",
      "    Spare this connection when connections are closed to free memory.",
      "NO-TOUCH (ON|OFF)",
      "    Commands of this connection leave idle times and frequencies of keys alone.",
      "PAUSE <timeout> [WRITE|ALL]",
      "    Let the commands of all clients, or those that write, wait for <timeout> milliseconds.",
      "REPLY (ON|OFF|SKIP)",
      "    Switch the replies to this connection on or off, or leave out the next one.",
      "SETINFO (LIB-NAME|LIB-VER) <value>",
      "    Say which library this connection uses.",
      "SETNAME <name>",
      "    Give this connection a name.",
      "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
      "    Tell this connection, or another one, when keys that it has read, or those with a",
      "    prefix, change.",
      "TRACKINGINFO",
      "    Return how this connection tracks keys.",
      "TRANSACTION ROLLBACK (ON|OFF)",
      "    Whether a command that fails undoes the transactions of this connection.",
      "UNBLOCK <client-id> [TIMEOUT|ERROR]",
      "    Let a connection that waits for keys go on: as if its time were over, or with an error.",
      "UNPAUSE",
      "    End a pause.",
  };
  reply_help(c, lines);
}

constexpr uint32_t kOwn = kNoScript | kLoading | kStale;
constexpr uint32_t kOthers = kAdmin | kOwn;

// What the subcommands have in common, but HELP.
constexpr Command client_row(Command row) {
  row.categories = kCatConnection;
  row.group = "connection";
  return row;
}

}  // namespace

constinit const Command kClientSubcommands[kClientSubcommandCount] = {
    client_row({.name = "caching",
                .arity = 3,
                .flags = kOwn,
                .since = "6.0.0",
                .complexity = "O(1)",
                .summary = "Instruct the server about tracking or not keys in the next request",
                .arguments = "mode:<yes(YES)|no(NO)>",
                .handler = client_caching}),
    client_row({.name = "getname",
                .arity = 2,
                .flags = kOwn,
                .since = "2.6.9",
                .complexity = "O(1)",
                .summary = "Get the current connection name",
                .handler = client_getname}),
    client_row({.name = "getredir",
                .arity = 2,
                .flags = kOwn,
                .since = "6.0.0",
                .complexity = "O(1)",
                .summary = "Get tracking notifications redirection client ID if any",
                .handler = client_getredir}),
    help_row({.categories = kCatConnection,
              .since = "5.0.0",
              .group = "connection",
              .handler = client_help}),
    client_row({.name = "id",
                .arity = 2,
                .flags = kOwn,
                .since = "5.0.0",
                .complexity = "O(1)",
                .summary = "Returns the client ID for the current connection",
                .handler = client_id}),
    client_row({.name = "info",
                .arity = 2,
                .flags = kOwn,
                .since = "6.2.0",
                .complexity = "O(1)",
                .summary = "Returns information about the current client connection.",
                .tips = "nondeterministic_output",
                .handler = client_info}),
    client_row(
        {.name = "kill",
         .arity = -3,
         .flags = kOthers,
         .since = "2.4.0",
         .complexity = "O(N) where N is the number of client connections",
         .summary = "Kill the connection of a client",
         .arguments =
             "filter:<ip:port:string!2.8.12|new-format:<[client-id:integer(ID)@2.8.12]|"
             "[normal_master_slave_pubsub:<normal(NORMAL)|master(MASTER)@3.2.0|slave(SLAVE)|"
             "replica(REPLICA)@5.0.0|pubsub(PUBSUB)>(TYPE)@2.8.12]|[username:string(USER)]|"
             "[ip:port:string(ADDR)]|[ip:port:string(LADDR)@6.2.0]|[yes/no:string(SKIPME)]>...>",
         .history = "2.8.12: Added new filter format.\n"
                    "2.8.12: `ID` option.\n"
                    "3.2.0: Added `master` type in for `TYPE` option.\n"
                    "5.0.0: Replaced `slave` `TYPE` with `replica`. `slave` still supported for "
                    "backward compatibility.\n"
                    "6.2.0: `LADDR` option.",
         .handler = client_kill}),
    client_row(
        {.name = "list",
         .arity = -2,
         .flags = kOthers,
         .since = "2.4.0",
         .complexity = "O(N) where N is the number of client connections",
         .summary = "Get the list of client connections",
         .tips = "nondeterministic_output",
         .arguments =
             "[normal_master_replica_pubsub:<normal(NORMAL)|master(MASTER)|replica(REPLICA)|"
             "pubsub(PUBSUB)>(TYPE)@5.0.0] [id:{client-id:integer...}(ID)@6.2.0]",
         .history =
             "2.8.12: Added unique client `id` field.\n"
             "5.0.0: Added optional `TYPE` filter.\n"
             "6.0.0: Added `user` field.\n"
             "6.2.0: Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional "
             "`ID` filter.\n"
             "7.0.0: Added `resp`, `multi-mem`, `rbs` and `rbp` fields.\n"
             "7.0.3: Added `ssub` field.",
         .handler = client_list}),
    client_row({.name = "no-evict",
                .arity = 3,
                .flags = kOthers,
                .since = "7.0.0",
                .complexity = "O(1)",
                .summary = "Set client eviction mode for the current connection",
                .arguments = "enabled:<on(ON)|off(OFF)>",
                .handler = client_no_evict}),
    client_row(
        {.name = "no-touch",
         .arity = 3,
         .flags = kOwn,
         .since = "7.2.0",
         .complexity = "O(1)",
         .summary =
             "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
         .arguments = "enabled:<on(ON)|off(OFF)>",
         .handler = client_no_touch}),
    client_row({.name = "pause",
                .arity = -3,
                .flags = kOthers,
                .since = "2.9.50",
                .complexity = "O(1)",
                .summary = "Stop processing commands from clients for some time",
                .arguments = "timeout:integer [mode:<write(WRITE)|all(ALL)>@6.2.0]",
                .history = "6.2.0: `CLIENT PAUSE WRITE` mode added along with the `mode` option.",
                .handler = client_pause}),
    client_row({.name = "reply",
                .arity = 3,
                .flags = kOwn,
                .since = "3.2.0",
                .complexity = "O(1)",
                .summary = "Instruct the server whether to reply to commands",
                .arguments = "on_off_skip:<on(ON)|off(OFF)|skip(SKIP)>",
                .handler = client_reply}),
    client_row({.name = "setinfo",
                .arity = 4,
                .flags = kOwn,
                .since = "7.2.0",
                .complexity = "O(1)",
                .summary = "Sets information specific to the client or connection.",
                .tips = kAllNodesSucceed,
                .arguments = "attr:<libname:string(LIB-NAME)|libver:string(LIB-VER)>",
                .handler = client_setinfo}),
    client_row({.name = "setname",
                .arity = 3,
                .flags = kOwn,
                .since = "2.6.9",
                .complexity = "O(1)",
                .summary = "Set the current connection name",
                .arguments = "connection-name:string",
                .handler = client_setname}),
    client_row(
        {.name = "transaction",
         .arity = 4,
         .flags = kOwn,
         .since = "0.2.0",
         .complexity = "O(1)",
         .summary = "Sets whether a command that fails undoes the connection's transactions.",
         .arguments = "rollback:<on(ON)|off(OFF)>(ROLLBACK)",
         .handler = client_transaction}),
    client_row({.name = "tracking",
                .arity = -3,
                .flags = kOwn,
                .since = "6.0.0",
                .complexity = "O(1). Some options may introduce additional complexity.",
                .summary = "Enable or disable server assisted client side caching support",
                .arguments =
                    "status:<on(ON)|off(OFF)> [client-id:integer(REDIRECT)] "
                    "[prefix:string(PREFIX)*...] [bcast(BCAST)] [optin(OPTIN)] [optout(OPTOUT)] "
                    "[noloop(NOLOOP)]",
                .handler = client_tracking}),
    client_row({.name = "trackinginfo",
                .arity = 2,
                .flags = kOwn,
                .since = "6.2.0",
                .complexity = "O(1)",
                .summary =
                    "Return information about server assisted client side caching for the current "
                    "connection",
                .handler = client_trackinginfo}),
    client_row(
        {.name = "unblock",
         .arity = -3,
         .flags = kOthers,
         .since = "5.0.0",
         .complexity = "O(log N) where N is the number of client connections",
         .summary = "Unblock a client blocked in a blocking command from a different connection",
         .arguments = "client-id:integer [timeout_error:<timeout(TIMEOUT)|error(ERROR)>]",
         .handler = client_unblock}),
    client_row({.name = "unpause",
                .arity = 2,
                .flags = kOthers,
                .since = "6.2.0",
                .complexity = "O(N) Where N is the number of paused clients",
                .summary = "Resume processing of clients that were paused",
                .handler = client_unpause}),
};

}  // namespace redoubt
