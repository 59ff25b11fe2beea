// What a connection says about itself: who it is, which protocol and database it uses.
#include "engine/commands/clients/connection.h"
#include "engine/clients/clients.h"
#include "engine/clients/session.h"

#include <fmt/format.h>

#include <optional>

#include "engine/clients/fieldsets.h"
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

// Takes as long for any guess of a length: it reads the whole guess and forgets where it differed.
bool equal_in_constant_time(std::string_view guess, std::string_view secret) {
  size_t difference = guess.size() ^ secret.size();
  for (size_t i = 0; i < guess.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<size_t>(static_cast<unsigned char>(guess[i] ^ expected));
  }
  return difference == 0;
}

void auth_command(Context& c) {
  if (c.args.size() > 3) {
    c.syntax_error();
    return;
  }
  if (c.args.size() == 2 && c.settings().requirepass.empty()) {
    c.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
    return;
  }
  const std::string_view user = c.args.size() == 3 ? c.args[1] : "default";
  if (!authenticate(c, user, c.args.back())) {
    c.error(kWrongPassword);
    return;
  }
  c.reply.ok();
}

void echo_command(Context& c) {
  c.reply.bulk(c.args[1]);
}

// --- HELLO

struct HelloOptions {
  std::optional<Protocol> protocol;
  std::optional<std::string_view> user;
  std::string_view password;
  std::optional<std::string_view> client_name;
};

bool read_hello(Context& c, HelloOptions& options) {
  if (c.args.size() == 1) return true;
  const std::optional<int64_t> version =
      c.integer(1, "ERR Protocol version is not an integer or out of range");
  if (!version) return false;
  if (*version != 2 && *version != 3) {
    c.error("NOPROTO unsupported protocol version");
    return false;
  }
  options.protocol = *version == 3 ? Protocol::resp3 : Protocol::resp2;
  for (size_t i = 2; i < c.args.size(); ++i) {
    const size_t more = c.args.size() - 1 - i;
    if (c.is(i, "AUTH") && more >= 2) {
      options.user = c.args[i + 1];
      options.password = c.args[i + 2];
      i += 2;
    } else if (c.is(i, "SETNAME") && more >= 1) {
      options.client_name = c.args[++i];
      if (!is_client_name(*options.client_name)) {
        c.error(kBadClientName);
        return false;
      }
    } else {
      c.error(fmt::format("ERR Syntax error in HELLO option '{}'",
                          c.args[i].substr(0, kShownArgument)));
      return false;
    }
  }
  return true;
}

void reply_hello(Context& c) {
  c.reply.map(7);
  c.reply.bulk("server");
  c.reply.bulk("redis");
  c.reply.bulk("version");
  c.reply.bulk(c.settings().reported_redis_version);
  c.reply.bulk("proto");
  c.reply.integer(static_cast<int64_t>(c.session.protocol));
  c.reply.bulk("id");
  c.reply.integer(static_cast<int64_t>(c.session.id));
  c.reply.bulk("mode");
  c.reply.bulk("standalone");
  c.reply.bulk("role");
  c.reply.bulk("master");
  c.reply.bulk("modules");
  c.reply.array(0);
}

void hello_command(Context& c) {
  HelloOptions options;
  if (!read_hello(c, options)) return;
  if (options.user && !authenticate(c, *options.user, options.password)) {
    c.error(kWrongPassword);
    return;
  }
  if (!c.session.authenticated()) {
    c.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
    return;
  }
  if (options.client_name) c.session.identity.name = *options.client_name;
  if (options.protocol) {
    c.session.protocol = *options.protocol;
    c.reply.set_protocol(*options.protocol);
  }
  reply_hello(c);
}

void ping_command(Context& c) {
  if (c.args.size() > 2) {
    c.error("ERR wrong number of arguments for 'ping' command");
  } else if (c.session.has(kSessionSubscribed) && !c.reply.resp3()) {
    c.reply.array(2);
    c.reply.bulk("pong");
    c.reply.bulk(c.args.size() == 2 ? c.args[1] : "");
  } else if (c.args.size() == 2) {
    c.reply.bulk(c.args[1]);
  } else {
    c.reply.simple("PONG");
  }
}

void quit_command(Context& c) {
  c.reply.ok();
  c.clients().close(c.session, true);
}

// Everything that a connection can set is as it was when it was accepted, except its number and
// what it said about its library.
void reset_command(Context& c) {
  Session& session = c.session;
  c.clients().monitors().stop(session);
  c.dispatcher().transactions().discard(session);
  session.rollback = RollbackChoice::inherit;
  c.clients().pubsub().unsubscribe_all(session);
  c.clients().tracking().disable(session);
  session.fieldsets.reset();
  session.clear(kSessionReplyOff | kSessionReplySkip | kSessionReplySkipNext | kSessionNoTouch |
                kSessionNoEvict | kSessionUnauthenticated);
  if (!c.settings().requirepass.empty()) {
    session.set(kSessionUnauthenticated);
    session.memory.before_reset = session.output_bytes();
  }
  session.identity.user = kDefaultUser;
  session.identity.name.clear();
  session.db = 0;
  session.protocol = Protocol::resp2;
  c.reply.set_protocol(Protocol::resp2);
  c.reply.simple("RESET");
}

void select_command(Context& c) {
  const std::optional<int> index = int_argument(c, 1);
  if (!index) return;
  if (*index < 0 || *index >= c.keys().count()) {
    c.error("ERR DB index is out of range");
    return;
  }
  c.session.db = *index;
  c.reply.ok();
}

constexpr uint32_t kGreeting = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy;

}  // namespace

bool is_client_name(std::string_view name) {
  for (const char c : name) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

bool authenticate(Context& c, std::string_view user, std::string_view password) {
  const std::string& secret = c.settings().requirepass;
  const bool matches = secret.empty() || equal_in_constant_time(password, secret);
  if (user != kDefaultUser || !matches) {
    ++c.stats().denied_auth;
    return false;
  }
  c.session.identity.user = kDefaultUser;
  c.session.clear(kSessionUnauthenticated);
  return true;
}

namespace {

constexpr Command connection_rows[] = {
    {.name = "auth",
     .arity = -2,
     .flags = kGreeting,
     .categories = kCatConnection,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(N) where N is the number of passwords defined for the user",
     .summary = "Authenticate to the server",
     .arguments = "[username:string@6.0.0] password:string",
     .history = "6.0.0: Added ACL style (username and password).",
     .handler = auth_command},
    {.name = "client",
     .arity = -2,
     .since = "2.4.0",
     .group = "connection",
     .complexity = "Depends on subcommand.",
     .summary = "A container for client connection commands",
     .subcommands = kClientSubcommands},
    {.name = "echo",
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .categories = kCatConnection,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Echo the given string",
     .arguments = "message:string",
     .handler = echo_command},
    {.name = "hello",
     .arity = -1,
     .flags = kGreeting,
     .categories = kCatConnection,
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Handshake with Redis",
     .arguments = "[arguments:{protover:integer [username_password:{username:string "
                  "password:string}(AUTH)] [clientname:string(SETNAME)]}]",
     .history = "6.2.0: `protover` made optional; when called without arguments the command "
                "reports the current connection's context.",
     .handler = hello_command},
    {.name = "ping",
     .arity = -1,
     .flags = kFast | kSubscribedMode,
     .categories = kCatConnection,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Ping the server",
     .tips = kAllShardsSucceed,
     .arguments = "[message:string]",
     .handler = ping_command},
    {.name = "quit",
     .arity = -1,
     .flags = kGreeting | kSubscribedMode | kNotQueued | kEndsMulti,
     .categories = kCatConnection,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Close the connection",
     .handler = quit_command},
    {.name = "reset",
     .arity = 1,
     .flags = kGreeting | kSubscribedMode | kNotQueued | kEndsMulti,
     .categories = kCatConnection,
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Reset the connection",
     .handler = reset_command},
    {.name = "select",
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .categories = kCatConnection,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Change the selected database for the current connection",
     .arguments = "index:integer",
     .handler = select_command},
};

}  // namespace

std::span<const Command> connection_commands() {
  return connection_rows;
}

}  // namespace redoubt
