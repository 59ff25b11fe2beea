#include "engine/persist/migration.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/keyspace/keyspace.h"
#include "engine/persist/persist.h"
#include "engine/persist/rdb/payload.h"
#include "engine/store/number.h"
#include "net/resp/request_writer.h"

namespace redoubt {

namespace {

// A key that is written each time while it is on its way stays here.
constexpr int kRounds = 3;

std::string failed(std::string_view what) {
  return fmt::format("IOERR error or timeout {} target instance", what);
}

std::string refused(std::string_view line) {
  if (line.starts_with('-')) line.remove_prefix(1);
  return fmt::format("ERR Target instance replied with error: {}", line);
}

}  // namespace

Migration::Migration(const Services& services, bool compress, MigrationPlan plan)
    : services_(services),
      env_(services.env),
      compress_(compress),
      plan_(std::move(plan)),
      stream_(env_) {
  stream_.set_timeout(plan_.timeout);
}

void Migration::start(std::function<void(std::string_view)> done) {
  done_ = std::move(done);
  task_ = run();
  task_.start(
      [](void* owner) {
        auto& migration = *static_cast<Migration*>(owner);
        const std::string error = migration.task_.result();
        const auto ended = std::move(migration.done_);
        ended(error);
      },
      this);
}

// --- the other server

Task<std::string> Migration::connect() {
  const Error error = co_await stream_.connect(plan_.host, plan_.port);
  co_return error == Error::none ? "" : "IOERR error or timeout connecting to the client";
}

// Whether the other side of the stream is a client of this node.
bool Migration::is_this_node() const {
  const std::string here = env_.backend().local_address(stream_.handle()).to_string();
  for (const Session* session = services_.clients.sessions().first(); session != nullptr;
       session = session->next) {
    if (session->has(kSessionLocal | kSessionClosing)) continue;
    if (session->peer().to_string() == here) return true;
  }
  return false;
}

// AUTH and SELECT.
Task<std::string> Migration::greet() {
  std::string bytes;
  int replies = 1;
  if (plan_.password) {
    ++replies;
    if (plan_.user) {
      append_request(bytes, {"AUTH", *plan_.user, *plan_.password});
    } else {
      append_request(bytes, {"AUTH", *plan_.password});
    }
  }
  append_request(bytes, {"SELECT", IntegerText(plan_.db_there).view()});
  if (co_await stream_.send(std::move(bytes)) != Error::none) co_return failed("writing to");
  for (; replies > 0; --replies) {
    std::string line;
    if (co_await stream_.receive_line(&line) != Error::none) co_return failed("reading from");
    if (!line.starts_with('+')) co_return refused(line);
  }
  // The keys would be removed right after they were restored.
  if (plan_.db_there == plan_.db && is_this_node()) {
    co_return "ERR The target instance is this one, and the database the same";
  }
  co_return std::string();
}

// --- keys

Task<std::string> Migration::send_keys(std::vector<std::string> keys, bool replace) {
  sent_.clear();
  std::string bytes;
  for (std::string& key : keys) {
    const Entry* entry = services_.keys.peek(plan_.db, key, services_.keys.hash(key));
    if (entry == nullptr) continue;
    std::optional<std::string> payload = dump_payload(*entry, compress_);
    ASSERT(payload);
    const int64_t now_ms = env_.wall().unix_ms();
    const int64_t ttl_ms =
        entry->has_expiry() ? std::max<int64_t>(entry->expiry_ms() - now_ms, 1) : 0;
    const IntegerText ttl(ttl_ms);
    if (replace) {
      append_request(bytes, {"RESTORE", key, ttl.view(), *payload, "REPLACE"});
    } else {
      append_request(bytes, {"RESTORE", key, ttl.view(), *payload});
    }
    const int64_t expiry_ms = entry->has_expiry() ? entry->expiry_ms() : 0;
    sent_.push_back({std::move(key), std::move(*payload), expiry_ms});
  }
  env_.count_work(bytes.size() >> 6);
  if (co_await stream_.send(std::move(bytes)) != Error::none) co_return failed("writing to");
  std::string first_error;
  std::vector<Sent> taken;
  for (Sent& sent : sent_) {
    std::string line;
    if (co_await stream_.receive_line(&line) != Error::none) {
      first_error = failed("reading from");
      break;
    }
    if (line.starts_with('+')) {
      taken.push_back(std::move(sent));
    } else if (first_error.empty()) {
      first_error = refused(line);
    }
  }
  sent_ = std::move(taken);
  co_return first_error;
}

// Removes what the other server has as it is here; returns the keys that were written meanwhile.
std::vector<std::string> Migration::remove_unchanged() {
  std::vector<std::string> changed;
  Keyspace& keys = services_.keys;
  std::vector<std::string_view> effect = {"DEL"};
  std::vector<std::string> removed;
  for (Sent& sent : sent_) {
    const uint64_t hash = keys.hash(sent.key);
    const Entry* entry = keys.peek(plan_.db, sent.key, hash);
    if (entry == nullptr) continue;
    const int64_t expiry_ms = entry->has_expiry() ? entry->expiry_ms() : 0;
    if (expiry_ms != sent.expiry_ms || dump_payload(*entry, compress_) != sent.payload) {
      changed.push_back(std::move(sent.key));
    } else {
      removed.push_back(std::move(sent.key));
    }
  }
  sent_.clear();
  for (const std::string& key : removed) {
    keys.erase(plan_.db, key, keys.hash(key), services_.settings.lazyfree_lazy_server_del);
    effect.push_back(key);
  }
  if (removed.empty()) return changed;
  services_.effects.open_group();
  keys.count_changes(removed.size());
  services_.effects.append(plan_.db, effect);
  for (const std::string& key : removed) keys.feed().modified(plan_.db, key, 'g', "del");
  services_.effects.close_group();
  services_.dispatcher.request_turn();
  return changed;
}

Task<std::string> Migration::run() {
  std::string error = co_await connect();
  if (error.empty()) error = co_await greet();
  if (!error.empty()) co_return error;
  std::vector<std::string> keys = plan_.keys;
  for (int round = 0; round < kRounds && !keys.empty(); ++round) {
    while (services_.dispatcher.suspension().active()) {
      co_await Sleep(services_.env, Duration::milliseconds(1));
    }
    error = co_await send_keys(std::move(keys), plan_.replace || round > 0);
    keys.clear();
    while (services_.dispatcher.suspension().active()) {
      co_await Sleep(services_.env, Duration::milliseconds(1));
    }
    if (!plan_.copy) keys = remove_unchanged();
    if (!error.empty()) co_return error;
  }
  if (keys.empty()) co_return std::string();
  co_return fmt::format("ERR {} keys stay here: they were written while they were migrated",
                        keys.size());
}

// --- the command

// MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password]
// [AUTH2 user password] [KEYS key ...].
void begin_migration(Context& c) {
  MigrationPlan plan;
  plan.host = c.args[1];
  plan.db = c.db_index();
  size_t first_key = 3;
  size_t key_count = 1;
  for (size_t i = 6; i < c.args.size(); ++i) {
    const size_t behind = c.args.size() - i - 1;
    if (c.is(i, "copy")) {
      plan.copy = true;
    } else if (c.is(i, "replace")) {
      plan.replace = true;
    } else if (c.is(i, "auth") && behind >= 1) {
      plan.password = c.args[++i];
    } else if (c.is(i, "auth2") && behind >= 2) {
      plan.user = c.args[++i];
      plan.password = c.args[++i];
    } else if (c.is(i, "keys")) {
      if (!c.args[3].empty()) {
        c.error(
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        return;
      }
      first_key = i + 1;
      key_count = behind;
      break;
    } else {
      c.syntax_error();
      return;
    }
  }
  const std::optional<int64_t> timeout = c.integer(5);
  if (!timeout) return;
  const std::optional<int64_t> db_there = c.integer(4);
  if (!db_there) return;
  const std::optional<int64_t> port = c.integer_between(2, 1, 65535, "ERR Invalid port");
  if (!port) return;
  plan.port = static_cast<uint16_t>(*port);
  plan.db_there = *db_there;
  constexpr int64_t kDefaultMs = 1000;
  constexpr int64_t kLongestMs = int64_t{24} * 3600 * 1000;
  plan.timeout =
      Duration::milliseconds(*timeout <= 0 ? kDefaultMs : std::min(*timeout, kLongestMs));
  for (const std::string_view key : c.args.subspan(first_key, key_count)) {
    if (c.read_untouched(key) != nullptr) plan.keys.emplace_back(key);
  }
  if (plan.keys.empty()) {
    c.reply.simple("NOKEY");
    return;
  }
  if (!c.dispatcher().may_block(c.session)) {
    c.error("ERR MIGRATE waits for another server, which is not possible here");
    return;
  }
  const DeferredReply reply = c.defer();
  c.part<Persistence>().migrate(std::move(plan),
                                [&dispatcher = c.dispatcher(), reply](std::string_view error) {
                                  dispatcher.finish_deferred(reply, error, true);
                                });
}

}  // namespace redoubt
