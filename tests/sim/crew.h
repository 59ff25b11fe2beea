// A world in which something goes on for as long as it runs, for tests of what strikes it: echoes
// that fail, clients that never give up, and writers of files.
#pragma once

#include <deque>
#include <memory>

#include "tests/sim/naive.h"
#include "tests/sim/stories.h"

namespace redoubt::sim {

// Asks the echo at `address` for ever; connects anew when anything fails. Counts its answers.
inline Task<int> stubborn_client(Env& env, Seen* seen, std::string address) {
  for (;;) {
    const Got stream = co_await connect_to(env, Address::tcp(address, 7));
    if (stream.error != Error::none) {
      co_await Sleep(env, Duration::milliseconds(20));
      continue;
    }
    env.backend().set_keepalive(stream.handle, 1);
    for (;;) {
      const Error sent = co_await send_text(env, stream.handle, std::string(300, 'q'));
      if (sent != Error::none) break;
      const Got answer = co_await receive_some(env, stream.handle);
      if (answer.error != Error::none) break;
      ++seen->rounds;
      co_await Sleep(env, Duration::milliseconds(5));
    }
    env.close(stream.handle);
  }
}

// Writes and syncs for ever, whatever the disk says.
inline Task<int> stubborn_writer(Env& env, Seen* seen, std::string) {
  for (;; ++seen->rounds) {
    IoOp file(env);
    file.op.kind = OpKind::open;
    file.op.path = "f";
    file.op.flags = {.read = true, .write = true, .create = true};
    co_await file;
    const Handle handle = file.op.result.handle;
    const std::string text(3'000, static_cast<char>('a' + seen->rounds % 26));
    const Slice slice = as_slice(text);
    for (const OpKind kind : {OpKind::write, OpKind::sync}) {
      file.op.kind = kind;
      file.op.handle = handle;
      file.op.offset = seen->rounds % 7 * 1'000;
      file.op.gather = {&slice, 1};
      co_await file;
    }
    if (handle) env.close(handle);
    co_await Sleep(env, Duration::milliseconds(10));
  }
}

struct Crew {
  // `echoes` faultable hosts, each with a client of its own, and a faultable writer.
  Crew(uint64_t seed, const WorldOptions& options, size_t echoes = 2) : world(seed, options) {
    for (size_t i = 0; i < echoes; ++i) {
      const std::string name = "echo" + std::to_string(i);
      world.boot(world.add_host({.name = name, .faultable = true}, make_echo));
    }
    for (size_t i = 0; i < echoes; ++i) {
      seen.emplace_back();
      const std::string address = world.host(static_cast<HostId>(i)).address();
      world.boot(world.add_host({.name = "client" + std::to_string(i)},
                                story(stubborn_client, &seen.back(), address)));
    }
    seen.emplace_back();
    writer =
        world.add_host({.name = "writer", .faultable = true}, story(stubborn_writer, &seen.back()));
    world.boot(writer);
  }

  void run(Duration length) {
    world.start_faults();
    world.run_for(length);
  }

  std::deque<Seen> seen;  // of the clients in order, then of the writer
  World world;
  HostId writer = 0;
};

// All faults that the table has, as the seed draws them; every timed one is on and quick.
inline FaultOptions all_faults(uint64_t seed) {
  std::vector<Fault> eligible;
  for (size_t i = 0; i < kFaultCount; ++i) eligible.push_back(static_cast<Fault>(i));
  Random random(seed, "options");
  FaultOptions options = draw_faults(random, eligible);
  for (const FaultRow& row : fault_rows()) {
    if (row.kind == FaultKind::timed) options.*row.field = random.between(300, 3'000);
    if (row.strength && row.unit == "ms") options.*row.field = random.between(1, 300);
  }
  return options;
}

}  // namespace redoubt::sim
