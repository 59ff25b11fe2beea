// Any byte streams over links of replication, in the simulated world: a node that follows a hostile
// primary, with a sound replica behind it; or a node that hostile replicas come to.
//
// The first byte of the input says which of both, the second one how the node is configured. The
// rest is what the peer says. Bytes that are rare in streams and snapshots direct it:
//
//   0xd7 n    the byte n
//   0xd8      what was said so far leaves as a segment
//   0xd9      the offset up to which the node has its history, in digits
//   0xda      the one behind it
//   0xdb      the id of the node's history
//   0xdc      the peer reads nothing more
//   0xdd      the connection ends; the next one says what follows
//   0xde n    a pause of 20 * n milliseconds
//
// Afterwards the node must live, its invariants hold, and it must be a primary that serves; the
// replica behind it has to get there, too.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/checkers/invariants.h"
#include "sim/node_process.h"
#include "sim/replication/parts_of.h"
#include "sim/world.h"

namespace {

using namespace redoubt;
using sim::HostId;

constexpr HostId kNode = 0;
constexpr size_t kConversationsMax = 4;
constexpr std::string_view kConfig = "operators-config";
constexpr size_t kInputMax = 256 << 10;

// What the peer may put into its words.
struct Subject {
  sim::World* world = nullptr;
  Node* node() const {
    sim::Process* process = world->host(kNode).process();
    return process == nullptr ? nullptr : &static_cast<sim::NodeProcess*>(process)->node();
  }
};

// Where the first conversation of these ends.
size_t end_of_part(std::string_view said) {
  size_t at = 0;
  while (at < said.size() && said[at] != '\xdd') at += said[at] == '\xd7' ? 2 : 1;
  return std::min(at, said.size());
}

// Says its part on one connection after the other.
class Peer final : public sim::Process {
 public:
  Peer(Env& env, const Subject& subject, std::string_view said, bool listens)
      : env_(env), subject_(subject), said_(said), task_(run(listens)) {
    reading_.owner = this;
    reading_.kind = OpKind::receive;
    reading_.on_done = [](Op& op) { static_cast<Peer*>(op.owner)->on_received(op); };
    task_.start([](void*) {}, nullptr);
  }

 private:
  Task<Error> run(bool listens) {
    Handle listener;
    if (listens) {
      auto opened = env_.backend().listen(Address::tcp("*", sim::kNodePort), 16, 0);
      ASSERT(opened);
      listener = *opened;
    }
    for (size_t i = 0; i < kConversationsMax && !said_.empty(); ++i) {
      const std::string_view part = said_.substr(0, end_of_part(said_));
      said_.remove_prefix(std::min(part.size() + 1, said_.size()));
      IoOp make(env_);
      make.op.kind = listens ? OpKind::accept : OpKind::connect;
      make.op.handle = listener;
      make.op.address = Address::tcp(subject_.world->host(kNode).address(), sim::kNodePort);
      co_await make;
      if (!make.op.result.ok()) co_return make.op.result.error;
      stream_ = make.op.result.handle;
      begin_reading();
      static_cast<void>(co_await converse(part));
      // The last one stays.
      if (said_.empty()) break;
      env_.close(stream_);
      while (reading_.in_flight) co_await Sleep(env_, Duration::milliseconds(1));
    }
    co_return Error::none;
  }

  Task<Error> converse(std::string_view part) {
    std::string segment;
    Error error = Error::none;
    for (size_t i = 0; i < part.size() && error == Error::none; ++i) {
      const char byte = part[i];
      if (byte == '\xd8' || byte == '\xde') {
        error = co_await send(std::exchange(segment, {}));
        const bool pauses = byte == '\xde' && i + 1 < part.size();
        if (pauses) {
          const auto units = static_cast<uint8_t>(part[++i]);
          co_await Sleep(env_, Duration::milliseconds(20 * units));
        }
      } else if (byte == '\xd7' && i + 1 < part.size()) {
        segment.push_back(part[++i]);
      } else if (byte == '\xdc') {
        deaf_ = true;
      } else if (!substitute(byte, segment)) {
        segment.push_back(byte);
      }
    }
    if (error == Error::none) error = co_await send(std::move(segment));
    co_return error;
  }

  bool substitute(char byte, std::string& to) const {
    if (byte < '\xd9' || byte > '\xdb') return false;
    const Node* node = subject_.node();
    if (node == nullptr) return true;
    const EffectLog& log = const_cast<Node*>(node)->effects();
    if (byte == '\xd9') to += std::to_string(log.end_offset());
    if (byte == '\xda') to += std::to_string(log.end_offset() + 1);
    if (byte == '\xdb') to += log.history().id;
    return true;
  }

  Task<Error> send(std::string bytes) {
    if (bytes.empty()) co_return Error::none;
    const Slice slice = as_slice(bytes);
    IoOp io(env_);
    io.op.kind = OpKind::send;
    io.op.handle = stream_;
    io.op.gather = std::span<const Slice>(&slice, 1);
    co_await io;
    co_return io.op.result.error;
  }

  void begin_reading() {
    deaf_ = false;
    reading_.handle = stream_;
    reading_.result = {};
    env_.submit(reading_);
  }

  void on_received(Op& op) {
    if (!op.result.ok()) return;
    if (op.result.chunk) env_.backend().give_back(op.result.chunk);
    op.result = {};
    if (!deaf_) env_.submit(op);
  }

  Env& env_;
  const Subject& subject_;
  std::string_view said_;
  Op reading_;
  Handle stream_;
  bool deaf_ = false;
  Task<Error> task_;
};

// --- the node

struct Configuration {
  bool follows = false;   // a hostile primary
  bool has_data = false;  // before
  bool has_replica = false;
  std::vector<std::string> arguments;
};

std::vector<std::string> common_arguments() {
  return {"--port",
          std::to_string(sim::kNodePort),
          "--bind",
          "*",
          "--protected-mode",
          "no",
          "--save",
          "",
          "--proto-max-bulk-len",
          "1mb",
          "--client-query-buffer-limit",
          "1mb",
          "--repl-diskless-sync-delay",
          "0",
          "--repl-timeout",
          "8",
          "--repl-ping-replica-period",
          "1"};
}

Configuration configuration(uint8_t which, uint8_t how) {
  constexpr std::string_view kLoads[] = {"disabled", "on-empty-db", "swapdb", "flush-before-load"};
  Configuration made{.follows = (which & 1) != 0,
                     .has_data = (which & 2) != 0,
                     .has_replica = (which & 4) != 0,
                     .arguments = common_arguments()};
  const auto set = [&](std::string_view name, std::string_view value) {
    made.arguments.emplace_back("--" + std::string(name));
    made.arguments.emplace_back(value);
  };
  set("repl-diskless-load", kLoads[how & 3]);
  // Checksums that are right are no more than a fuzzer can be given in its seeds.
  set("rdbchecksum", (how & 4) != 0 ? "yes" : "no");
  set("repl-diskless-sync", (how & 8) != 0 ? "no" : "yes");
  set("appendonly", (how & 16) != 0 ? "yes" : "no");
  set("replica-read-only", (how & 32) != 0 ? "no" : "yes");
  if ((how & 64) != 0) set(made.follows ? "masterauth" : "requirepass", "secret");
  set("client-output-buffer-limit", (how & 128) != 0 ? "replica 1mb 0 0" : "replica 64kb 0 0");
  if (made.follows) set("replicaof", "10.0.0.2 6379");
  // These are for operators; a hostile replica with their rights is another matter.
  for (const auto& [name, renamed] :
       {std::pair("CONFIG", kConfig), {"SHUTDOWN", ""}, {"DEBUG", ""}}) {
    made.arguments.emplace_back("--rename-command");
    made.arguments.emplace_back(name);
    made.arguments.emplace_back(renamed);
  }
  return made;
}

// --- a run

class Run {
 public:
  explicit Run(std::string_view input)
      : configuration_(
            configuration(static_cast<uint8_t>(input[0]), static_cast<uint8_t>(input[1]))),
        said_(input.substr(2)),
        world_(1, sim::WorldOptions()) {
    subject_.world = &world_;
    add_node("node", configuration_.arguments);
    world_.add_host({.name = "peer"}, [this](Env& env) {
      return std::make_unique<Peer>(env, subject_, said_, configuration_.follows);
    });
    std::vector<std::string> arguments = common_arguments();
    arguments.insert(arguments.end(), {"--replicaof", "10.0.0.1 6379"});
    if ((input[1] & 64) != 0 && !configuration_.follows) {
      arguments.insert(arguments.end(), {"--masterauth", "secret"});
    }
    add_node("replica", arguments);
  }

  void run() {
    world_.boot(kNode);
    world_.run_for(Duration::milliseconds(10));
    if (configuration_.has_data) write();
    world_.boot(kPeer);
    if (configuration_.has_replica) world_.boot(kReplica);
    // A primary goes on writing.
    for (int i = 0; i < 40 && node(kNode) != nullptr; ++i) {
      world_.run_for(Duration::milliseconds(250));
      if (!configuration_.follows) write();
    }
    require(node(kNode) != nullptr, "a node that lives");
    check_invariants(kNode);
    heal();
  }

 private:
  static constexpr HostId kPeer = 1;
  static constexpr HostId kReplica = 2;

  // Otherwise the logs are shown, and the process ends.
  void require(bool holds, std::string_view expected) {
    if (holds) return;
    for (const HostId host : {kNode, kReplica}) {
      for (const std::string& line : world_.host(host).log_lines()) {
        fprintf(stderr, "%s: %s\n", world_.host(host).name().c_str(), line.c_str());
      }
    }
    fprintf(stderr, "expected %.*s\n", static_cast<int>(expected.size()), expected.data());
    ASSERT(holds);
  }

  void add_node(std::string name, const std::vector<std::string>& arguments) {
    world_.add_host({.name = std::move(name)}, [arguments](Env& env) {
      return std::make_unique<sim::NodeProcess>(env, arguments, nullptr);
    });
  }

  Node* node(HostId host) {
    sim::Process* process = world_.host(host).process();
    return process == nullptr ? nullptr : &static_cast<sim::NodeProcess*>(process)->node();
  }

  std::string execute(HostId host, std::vector<std::string_view> words) {
    struct Call {
      std::vector<std::string_view> words;
      std::string reply;
    } call{std::move(words), {}};
    world_.visit(
        host,
        [](sim::Host& at, void* context) {
          auto& asked = *static_cast<Call*>(context);
          Node& subject = static_cast<sim::NodeProcess*>(at.process())->node();
          Session& session = subject.clients().make_local();
          asked.reply = subject.dispatcher().execute(session, asked.words);
          subject.clients().drop_local(session);
        },
        &call);
    return call.reply;
  }

  void write() {
    const std::string number = std::to_string(++written_);
    execute(kNode, {"RPUSH", "list", number, std::string(written_ % 7 * 100, 'x')});
    execute(kNode, {"SET", "key" + std::to_string(written_ % 5), number});
  }

  void check_invariants(HostId host) {
    const sim::Model model{sim::ModelConfig{}};
    sim::InvariantChecker checker(
        model, [this](std::string_view, const std::string& expected, const std::string& seen) {
          require(false, expected + ", not: " + seen);
        });
    checker.node_started(*node(host));
    // Of a snapshot that comes, half a value may belong to no key yet.
    if (!sim::replication_of(*node(host)).primary().transfer().running) checker.check(true);
    // A value of a few bytes may be one of a megabyte: SETRANGE.
    require(node(host)->used_memory() < (32u << 20) + said_.size() * (100 << 10), "little memory");
  }

  // The peer is gone, and everything else is well.
  void heal() {
    world_.crash(kPeer, sim::StopKind::power_loss);
    execute(kNode, {kConfig, "SET", "requirepass", "", "masterauth", ""});
    execute(kNode, {kConfig, "SET", "client-output-buffer-limit", "replica 0 0 0"});
    // A node that loads a snapshot does not do so.
    for (int i = 0; i < 60 && !execute(kNode, {"REPLICAOF", "NO", "ONE"}).starts_with("+"); ++i) {
      world_.run_for(Duration::seconds(1));
    }
    // FAILOVER may have made it the primary.
    if (configuration_.has_replica) execute(kReplica, {"REPLICAOF", "10.0.0.1", "6379"});
    world_.run_for(Duration::seconds(20));
    require(node(kNode) != nullptr, "a node that lives");
    require(!sim::replication_of(*node(kNode)).is_replica(), "a primary");
    require(execute(kNode, {"ECHO", "alive"}) == "$5\r\nalive\r\n", "a node that serves");
    check_replica();
    check_invariants(kNode);
  }

  void check_replica() {
    if (!configuration_.has_replica) return;
    require(node(kReplica) != nullptr, "a replica that lives");
    const EffectLog& theirs = node(kReplica)->effects();
    const EffectLog& ours = node(kNode)->effects();
    require(sim::replication_of(*node(kReplica)).primary().connected(),
            "a replica that is connected");
    require(theirs.history().id == ours.history().id, "a replica with the same history");
    check_invariants(kReplica);
  }

  const Configuration configuration_;
  const std::string_view said_;
  sim::World world_;
  Subject subject_;
  uint64_t written_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > kInputMax) return 0;
  Run({reinterpret_cast<const char*>(data), size}).run();
  return 0;
}
