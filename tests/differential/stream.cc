#include "tests/differential/stream.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>

namespace redoubt::differential {
namespace {

constexpr size_t batch_commands = 50;

void start_session(Connection& connection, int resp) {
  for (const std::string_view name : {"FLUSHALL", "SELECT", "HELLO"}) {
    const std::string_view argument = name == "SELECT" ? "0" : (resp == 3 ? "3" : "2");
    const std::string_view reply =
        name == "FLUSHALL" ? connection.call({name}) : connection.call({name, argument});
    if (reply.empty() || reply[0] == '-') {
      throw std::runtime_error(std::string(name) + " was refused: " + sim::describe_reply(reply));
    }
  }
}

void send_batch(Connection& connection, const std::vector<OwnedCommand>& batch) {
  std::vector<std::string_view> views;
  for (const OwnedCommand& command : batch) {
    views.assign(command.begin(), command.end());
    connection.queue(views);
  }
  connection.flush();
}

class ServerSubject : public Subject {
 public:
  explicit ServerSubject(const Endpoint& endpoint) : connection_(endpoint) {}

  void start(int resp) override { start_session(connection_, resp); }
  void send(const std::vector<OwnedCommand>& batch) override { send_batch(connection_, batch); }

  std::string check(const OwnedCommand& command, std::string_view reference) override {
    const std::string_view reply = connection_.read_reply();
    return same_reply(command, reference, reply) ? "" : sim::describe_reply(reply);
  }

 private:
  Connection connection_;
};

class ModelSubject : public Subject {
 public:
  ModelSubject() : model_(config()) {}

  void start(int resp) override {
    model_.clear();
    session_ = sim::ModelSession{0, resp};
  }

  void send(const std::vector<OwnedCommand>&) override {}

  std::string check(const OwnedCommand& command, std::string_view reference) override {
    std::vector<std::string_view> views(command.begin(), command.end());
    const sim::ModelReply expected = model_.apply(session_, views, wall_ms());
    if (expected.rule == sim::ModelReply::Rule::anything) {
      return "the model does not know this command";
    }
    if (!expected.matches(reference)) {
      return expected.expected_text();
    }
    model_.learn(session_, views, reference, wall_ms());
    return "";
  }

 private:
  static sim::ModelConfig config() {
    sim::ModelConfig config;
    config.ttl_tolerance_ms = 3000;
    config.as_redis_7_0 = true;
    return config;
  }

  sim::Model model_;
  sim::ModelSession session_;
};

}  // namespace

std::unique_ptr<Subject> server_subject(const Endpoint& endpoint) {
  return std::make_unique<ServerSubject>(endpoint);
}

std::unique_ptr<Subject> model_subject() {
  return std::make_unique<ModelSubject>();
}

std::vector<Difference> StreamRunner::play(const std::vector<OwnedCommand>& commands, int resp,
                                           size_t limit) {
  const bool with_model = dynamic_cast<ModelSubject*>(&subject_) != nullptr;
  start_session(reference_, resp);
  subject_.start(resp);
  std::vector<Difference> differences;
  for (size_t from = 0; from < commands.size() && differences.size() < limit;
       from += batch_commands) {
    const auto first = commands.begin() + static_cast<std::ptrdiff_t>(from);
    const size_t size = std::min(batch_commands, commands.size() - from);
    const std::vector<OwnedCommand> batch(first, first + static_cast<std::ptrdiff_t>(size));
    send_batch(reference_, batch);
    subject_.send(batch);
    for (size_t i = 0; i < batch.size(); i++) {
      std::string_view reply;
      std::string other;
      try {
        reply = reference_.read_reply();
        other = subject_.check(batch[i], reply);
      } catch (const std::runtime_error& error) {
        throw std::runtime_error(std::string(error.what()) + ", to " + describe_command(batch[i]));
      }
      // The model stands in for 7.0 and needs no excuses.
      if (!with_model && !known_difference(batch[i]).empty()) {
        skipped_++;
        continue;
      }
      compared_++;
      if (!other.empty()) {
        differences.push_back({from + i, batch[i], sim::describe_reply(reply), other});
      }
    }
  }
  return differences;
}

std::vector<OwnedCommand> StreamRunner::shrink(std::vector<OwnedCommand> commands, int resp) {
  const std::vector<Difference> first = play(commands, resp, 1);
  if (first.empty()) {
    return commands;
  }
  commands.resize(first[0].index + 1);
  for (size_t chunk = std::max<size_t>(commands.size() / 2, 1); chunk > 0; chunk /= 2) {
    for (size_t at = 0; at < commands.size();) {
      std::vector<OwnedCommand> fewer = commands;
      const size_t end = std::min(at + chunk, commands.size());
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                  fewer.begin() + static_cast<std::ptrdiff_t>(end));
      if (!fewer.empty() && !play(fewer, resp, 1).empty()) {
        commands = std::move(fewer);
      } else {
        at += chunk;
      }
    }
  }
  return commands;
}

namespace {

// What the generator does not make because the model has no such commands, and what servers answer
// to byte by byte.
const OwnedCommand other_commands[] = {
    {"XGROUP", "CREATECONSUMER", "s1", "g", "c"},
    {"PUBLISH", "channel", "message"},
    {"SPUBLISH", "channel", "message"},
    {"PUBSUB", "NUMSUB", "channel"},
    {"PUBSUB", "NUMPAT"},
    {"PUBSUB", "CHANNELS", "*"},
    {"PUBSUB", "SHARDNUMSUB", "channel"},
    {"ROLE"},
    {"WAIT", "0", "0"},
    {"WAIT", "1", "1"},
    {"WAIT", "x", "1"},
    {"MODULE", "LIST"},
    {"MODULE", "UNLOAD", "m"},
    {"READONLY"},
    {"READWRITE"},
    {"ASKING"},
    {"CLUSTER", "INFO"},
    {"CLUSTER", "SLOTS"},
    {"CLUSTER", "KEYSLOT", "k"},
    {"CLUSTER", "HELP"},
    {"CLUSTER", "NOSUCH"},
    {"CLIENT", "SETNAME", "one"},
    {"CLIENT", "SETNAME", ""},
    {"CLIENT", "GETNAME"},
    {"CLIENT", "NO-EVICT", "off"},
    {"CLIENT", "GETREDIR"},
    {"SLOWLOG", "LEN", "1"},
    {"LATENCY", "RESET", "nosuch"},
    {"UNWATCH"},
    {"DISCARD"},
    {"EXEC"},
    {"RESET", "x"},
};

// Commands whose replies need no excuse, also inside EXEC.
bool is_plain(const OwnedCommand& command) {
  constexpr std::string_view names[] = {"APPEND", "DEL",   "EXISTS", "GET",   "HDEL", "HGET",
                                        "HLEN",   "HSET",  "INCR",   "LLEN",  "LPOP", "LPUSH",
                                        "LRANGE", "RPUSH", "SADD",   "SCARD", "SET",  "SETRANGE",
                                        "STRLEN", "TYPE",  "XLEN",   "ZCARD", "ZREM", "ZADD"};
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view name) { return command[0] == name; });
}

// A further command, or several that belong together, every now and then.
void add_others(sim::Xoshiro& random, const OwnedCommand& generated,
                std::vector<OwnedCommand>& stream) {
  if (random.one_in(40)) {
    stream.push_back(other_commands[random.below(std::size(other_commands))]);
  }
  if (random.one_in(20)) {
    OwnedCommand keys = {"COMMAND", random.one_in(2) ? "GETKEYS" : "GETKEYSANDFLAGS"};
    keys.insert(keys.end(), generated.begin(), generated.end());
    stream.push_back(std::move(keys));
  }
  if (is_plain(generated) && random.one_in(10)) {
    if (random.one_in(2) && generated.size() > 1) stream.push_back({"WATCH", generated[1]});
    stream.push_back({"MULTI"});
    stream.push_back(generated);
    stream.push_back({"PING"});
    stream.push_back({random.one_in(8) ? "DISCARD" : "EXEC"});
  }
}

}  // namespace

std::vector<OwnedCommand> make_stream(uint64_t seed, size_t commands, bool for_model) {
  sim::GeneratorConfig config;
  config.newer = false;
  config.databases = 3;
  config.chance = for_model;
  // Deadlines are either long over or so far away that the run does not reach them.
  config.ttl_ms_min = 100'000;
  config.ttl_ms_max = 900'000;
  config.deadlines_now = false;
  config.waiting = true;
  sim::CommandGenerator generator(config, seed);
  sim::Xoshiro random(seed ^ 0x6f7468657273);
  const int64_t now = wall_ms();
  std::vector<OwnedCommand> stream;
  while (stream.size() < commands) {
    const sim::GeneratedCommand command = generator.next(now);
    OwnedCommand owned(command.arguments.begin(), command.arguments.end());
    if (!command.newer && (for_model || !known_to_change_data(owned))) {
      stream.push_back(owned);
      if (!for_model) {
        add_others(random, owned, stream);
      }
    }
  }
  return stream;
}

int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace redoubt::differential
