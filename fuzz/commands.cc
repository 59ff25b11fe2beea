// Any byte stream into a node in the simulated world: two connections, segments and pauses as the
// input chooses. An input that begins with the byte 0xff chooses commands from the table instead
// (vocabulary.h). Afterwards the node's invariants must hold, and it must still serve.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/vocabulary.h"
#include "sim/node_process.h"
#include "sim/world.h"

namespace {

using namespace redoubt;
using sim::HostId;

// Sends its script on two connections and reads whatever comes.
class ScriptClient final : public sim::Process {
 public:
  ScriptClient(Env& env, std::string_view input) : env_(env) {
    for (size_t i = 0; i < kConnections; ++i) {
      Connection& c = connections_[i];
      c.owner = this;
      c.script = std::string(input.substr(i * input.size() / 2, input.size() / 2));
      c.send.owner = c.receive.owner = &c;
      c.send.kind = OpKind::connect;
      c.send.address = Address::tcp("10.0.0.1", 6379);
      c.send.on_done = [](Op& op) {
        Connection& self = *static_cast<Connection*>(op.owner);
        self.owner->next(self);
      };
      c.receive.kind = OpKind::receive;
      c.receive.on_done = [](Op& op) {
        Connection& self = *static_cast<Connection*>(op.owner);
        if (!op.result.ok()) return;
        if (op.result.chunk) self.owner->env_.backend().give_back(op.result.chunk);
        op.result = {};
        self.owner->env_.submit(op);
      };
      env_.submit(c.send);
    }
  }

 private:
  static constexpr size_t kConnections = 2;
  struct Connection {
    ScriptClient* owner = nullptr;
    Op send;
    Op receive;
    std::string script;
    size_t at = 0;
    Slice slice;
  };

  void next(Connection& c) {
    if (!c.send.result.ok()) return;
    if (c.send.kind == OpKind::connect) {
      c.send.handle = c.receive.handle = c.send.result.handle;
      env_.submit(c.receive);
    }
    if (c.at >= c.script.size()) return;
    // The first byte of each segment's place says how long it is.
    const size_t size =
        std::min<size_t>(static_cast<uint8_t>(c.script[c.at]) * 8u + 1, c.script.size() - c.at);
    c.slice = as_slice(std::string_view(c.script).substr(c.at, size));
    c.at += size;
    c.send.kind = OpKind::send;
    c.send.gather = {&c.slice, 1};
    c.send.result = {};
    env_.submit(c.send);
  }

  Env& env_;
  Connection connections_[kConnections];
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Vocabulary vocabulary;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string made;
  if (input.starts_with('\xff')) {
    made = vocabulary.requests(input.substr(1));
    input = made;
  }
  sim::WorldOptions options;
  sim::World world(1, options);
  const std::vector<std::string> arguments = {"--port",
                                              "6379",
                                              "--bind",
                                              "*",
                                              "--protected-mode",
                                              "no",
                                              "--maxmemory",
                                              "64mb",
                                              "--maxmemory-policy",
                                              "allkeys-lru",
                                              "--proto-max-bulk-len",
                                              "1mb",
                                              "--client-query-buffer-limit",
                                              "1mb",
                                              "--enable-debug-command",
                                              "yes",
                                              "--loglevel",
                                              "nothing"};
  const HostId node = world.add_host({.name = "node"}, [&](Env& env) {
    return std::make_unique<sim::NodeProcess>(env, arguments, nullptr);
  });
  const HostId client = world.add_host(
      {.name = "client"}, [&](Env& env) { return std::make_unique<ScriptClient>(env, input); });
  world.boot(node);
  world.boot(client);
  world.run_for(Duration::seconds(5));
  sim::Process* process = world.host(node).process();
  if (process == nullptr) return 0;  // SHUTDOWN
  Node& subject = static_cast<sim::NodeProcess*>(process)->node();
  for (int db = 0; db < subject.keyspace().count(); ++db)
    subject.keyspace().database(db).dict().check_invariants();
  Session& session = subject.clients().make_local();
  const std::string_view ping[] = {"ECHO", "alive"};
  ASSERT(subject.dispatcher().execute(session, ping) == "$5\r\nalive\r\n");
  subject.clients().drop_local(session);
  return 0;
}
