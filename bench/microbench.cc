// Micro-benchmarks of what a request passes through: the parser, the dict, the store of strings,
// and whole commands without a network. `./dev bench micro` runs them.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/node/node.h"
#include "net/resp/request_parser.h"
#include "sim/node_process.h"
#include "sim/world.h"

namespace redoubt {
namespace {

std::string key_of(uint64_t i) {
  std::string digits = std::to_string(i);
  return "key:" + std::string(12 - std::min<size_t>(12, digits.size()), '0') + digits;
}

void parse_pipeline(benchmark::State& state) {
  std::string wire;
  for (uint64_t i = 0; i < 16; ++i) {
    wire +=
        "*3\r\n$3\r\nSET\r\n$16\r\n" + key_of(i) + "\r\n$64\r\n" + std::string(64, 'v') + "\r\n";
  }
  RequestParser parser;
  RequestBatch batch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.feed(wire, {}, batch));
    batch.clear();
  }
  state.SetItemsProcessed(state.iterations() * 16);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(wire.size()));
}
BENCHMARK(parse_pipeline);

struct Filled {
  explicit Filled(uint64_t count)
      : random(7), hash_key([this] { return random.next(); }), db(hash_key) {
    for (uint64_t i = 0; i < count; ++i) {
      keys.push_back(key_of(i));
      db.set_string(keys.back(), db.hash(keys.back()), std::string(32, 'v'), NewExpiry::none());
    }
  }
  Random random;
  HashKey hash_key;
  Database db;
  std::vector<std::string> keys;
};

void dict_find(benchmark::State& state) {
  Filled filled(static_cast<uint64_t>(state.range(0)));
  for (auto _ : state) {
    const std::string& key = filled.keys[filled.random.below(filled.keys.size())];
    benchmark::DoNotOptimize(filled.db.find(key, filled.db.hash(key)));
  }
}
BENCHMARK(dict_find)->Arg(1000)->Arg(1'000'000);

void dict_find_prefetched(benchmark::State& state) {
  Filled filled(static_cast<uint64_t>(state.range(0)));
  std::array<const std::string*, 16> batch{};
  std::array<uint64_t, 16> hashes{};
  for (auto _ : state) {
    for (size_t i = 0; i < batch.size(); ++i) {
      batch[i] = &filled.keys[filled.random.below(filled.keys.size())];
      hashes[i] = filled.db.hash(*batch[i]);
      filled.db.dict().prefetch_bucket(hashes[i]);
    }
    for (const uint64_t hash : hashes) filled.db.dict().prefetch_entry(hash);
    for (size_t i = 0; i < batch.size(); ++i) {
      benchmark::DoNotOptimize(filled.db.find(*batch[i], hashes[i]));
    }
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(dict_find_prefetched)->Arg(1'000'000);

void dict_insert(benchmark::State& state) {
  for (auto _ : state) {
    Filled filled(static_cast<uint64_t>(state.range(0)));
    benchmark::DoNotOptimize(filled.db.size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(dict_insert)->Arg(200'000)->Unit(benchmark::kMillisecond);

// A node in a simulated world of its own; only its data is used.
class Bench {
 public:
  Bench() : world_(1, {}) {
    const sim::HostId host = world_.add_host({.name = "node"}, [](Env& env) {
      const std::vector<std::string> arguments = {"--bind", "*", "--loglevel", "nothing"};
      return std::make_unique<sim::NodeProcess>(env, arguments, nullptr);
    });
    world_.boot(host);
    world_.run_for(Duration::milliseconds(1));
    node_ = &static_cast<sim::NodeProcess*>(world_.host(host).process())->node();
    session_ = &node_->clients().make_local();
  }
  ~Bench() { node_->clients().drop_local(*session_); }

  void execute(const std::vector<std::string>& words) {
    const std::vector<std::string_view> args(words.begin(), words.end());
    node_->dispatcher().execute(*session_, args);
  }
  void run(benchmark::State& state, const std::vector<std::string>& words) {
    const std::vector<std::string_view> args(words.begin(), words.end());
    for (auto _ : state) benchmark::DoNotOptimize(node_->dispatcher().execute(*session_, args));
  }

 private:
  sim::World world_;
  Node* node_ = nullptr;
  Session* session_ = nullptr;
};

void command_set(benchmark::State& state) {
  Bench().run(state, {"SET", "key:000000000001", std::string(64, 'v')});
}
BENCHMARK(command_set);

void command_get(benchmark::State& state) {
  Bench bench;
  bench.execute({"SET", "key:000000000001", std::string(64, 'v')});
  bench.run(state, {"GET", "key:000000000001"});
}
BENCHMARK(command_get);

void command_incr(benchmark::State& state) {
  Bench().run(state, {"INCR", "counter"});
}
BENCHMARK(command_incr);

void command_bitcount(benchmark::State& state) {
  Bench bench;
  bench.execute({"SETBIT", "bits", "8388607", "1"});
  bench.run(state, {"BITCOUNT", "bits"});
  state.SetBytesProcessed(state.iterations() << 20);
}
BENCHMARK(command_bitcount);

}  // namespace
}  // namespace redoubt

BENCHMARK_MAIN();
