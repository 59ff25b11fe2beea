#include "tests/sim/scenes.h"

#include "tests/sim/crew.h"
#include "tests/sim/stories.h"

namespace redoubt::sim {

namespace {

const Address kEcho = Address::tcp("10.0.0.1", 7);

// An echo, and somebody with a story, on faultable hosts. Timed faults come.
Seen with_echo(World& world, StoryProcess::Story told, Duration length) {
  Seen seen;
  world.boot(world.add_host({.name = "server", .faultable = true}, make_echo));
  world.boot(world.add_host({.name = "client"}, story(told, &seen, "10.0.0.1")));
  world.start_faults();
  world.run_for(length);
  return seen;
}

Seen alone(World& world, StoryProcess::Story told, Duration length, std::string argument = {}) {
  Seen seen;
  world.boot(world.add_host({.name = "writer", .faultable = true},
                            story(told, &seen, std::move(argument))));
  world.start_faults();
  world.run_for(length);
  return seen;
}

// Messages of a hundred bytes, as fast as they go, and the number of those that came.
Task<int> naive_publisher(Env& env, Seen*, std::string) {
  const Handle listener = listen_on(env, 80);
  const Got stream = co_await accept_one(env, listener);
  for (int i = 0; i < 500; ++i) {
    co_await send_text(env, stream.handle, std::string(100, 'm'));
    co_await Sleep(env, Duration::milliseconds(1));
  }
  env.close(stream.handle);
  co_return 0;
}

Task<int> naive_subscriber(Env& env, Seen* seen, std::string) {
  const Got stream = co_await connect_to(env, Address::tcp("10.0.0.1", 80));
  const Got all = co_await receive_all(env, stream.handle);
  if (all.text.size() % 100 != 0) seen->complain("half a message");
  seen->finished = true;
  co_return 0;
}

// Takes two streams, and numbers from both, which are to come in order.
Task<int> naive_merger(Env& env, Seen* seen, std::string) {
  struct Input {
    Seen* seen;
    Op receive;
    std::string buffer;
    Env* env;
  };
  const Handle listener = listen_on(env, 80);
  Input inputs[2];
  for (Input& input : inputs) {
    const Got stream = co_await accept_one(env, listener);
    input.seen = seen;
    input.env = &env;
    input.buffer.resize(1);
    input.receive.kind = OpKind::receive;
    input.receive.handle = stream.handle;
    input.receive.into = std::as_writable_bytes(std::span(input.buffer));
    input.receive.owner = &input;
    input.receive.on_done = [](Op& op) {
      Input& self = *static_cast<Input*>(op.owner);
      if (!op.result.ok()) return;
      const bool expected = self.buffer[0] == static_cast<char>('a' + self.seen->rounds % 26);
      if (!expected) self.seen->complain("later bytes came first");
      ++self.seen->rounds;
      self.seen->finished = self.seen->rounds == 200;
      self.env->submit(op);
    };
    env.submit(input.receive);
  }
  co_await Sleep(env, Duration::seconds(1'000));
  co_return 0;
}

Task<int> naive_sender(Env& env, Seen*, std::string) {
  Handle streams[2];
  for (Handle& stream : streams) {
    stream = (co_await connect_to(env, Address::tcp("10.0.0.1", 80))).handle;
    co_await Sleep(env, Duration::milliseconds(5));
  }
  for (int i = 0; i < 200; ++i) {
    co_await send_text(env, streams[i % 2], std::string(1, static_cast<char>('a' + i % 26)));
    co_await Sleep(env, Duration::milliseconds(1));
  }
  co_return 0;
}

Task<int> naive_order(Env& env, Seen* seen, std::string) {
  struct Wait {
    Seen* seen;
    std::string text;
  } wait{seen, ""};
  const Got stream = co_await connect_to(env, kEcho);
  Op send;
  send.kind = OpKind::send;
  send.handle = stream.handle;
  send.owner = &wait;
  send.on_done = [](Op& op) { static_cast<Wait*>(op.owner)->text += "sent "; };
  Op receive;
  receive.kind = OpKind::receive;
  receive.handle = stream.handle;
  std::string buffer(100, ' ');
  receive.into = std::as_writable_bytes(std::span(buffer));
  receive.owner = &wait;
  receive.on_done = [](Op& op) { static_cast<Wait*>(op.owner)->text += "received "; };
  const Slice slice = as_slice("x");
  send.gather = {&slice, 1};
  for (int i = 0; i < 100; ++i) {
    wait.text.clear();
    env.submit(send);
    env.submit(receive);
    // Busy, so that both are there when it looks again.
    env.backend().stall(Duration::milliseconds(2));
    co_await Sleep(env, Duration::milliseconds(500));
    if (wait.text != "sent received ") seen->complain(wait.text);
  }
  seen->finished = true;
  co_return 0;
}

Task<int> naive_canceller(Env& env, Seen* seen, std::string) {
  const Got stream = co_await connect_to(env, kEcho);
  Op receive;
  std::string buffer(100, ' ');
  receive.kind = OpKind::receive;
  receive.handle = stream.handle;
  receive.into = std::as_writable_bytes(std::span(buffer));
  receive.on_done = [](Op&) {};
  for (int i = 0; i < 50; ++i) {
    env.submit(receive);
    env.cancel(receive);
    co_await Sleep(env, Duration::microseconds(10));
    if (receive.in_flight) seen->complain("not over");
    co_await Sleep(env, Duration::seconds(1));
  }
  seen->finished = true;
  co_return 0;
}

Task<int> naive_forgetter(Env& env, Seen* seen, std::string) {
  const Got stream = co_await connect_to(env, kEcho);
  for (int i = 0; i < 50; ++i) {
    co_await send_text(env, stream.handle, "x");
    Op receive;
    std::string buffer(100, ' ');
    receive.kind = OpKind::receive;
    receive.handle = stream.handle;
    receive.into = std::as_writable_bytes(std::span(buffer));
    receive.on_done = [](Op&) {};
    env.submit(receive);
    env.cancel(receive);
    co_await Sleep(env, Duration::seconds(1));
    if (receive.result.ok()) {
      seen->complain("it completed all the same");
    } else {
      co_await receive_some(env, stream.handle);
    }
  }
  seen->finished = true;
  co_return 0;
}

// Keeps what it was lent until it has four.
Task<int> naive_hoarder(Env& env, Seen* seen, std::string) {
  const Got stream = co_await connect_to(env, kEcho);
  IoOp receive(env);
  receive.op.kind = OpKind::receive;
  receive.op.handle = stream.handle;
  for (int i = 0; i < 4; ++i) {
    co_await send_text(env, stream.handle, "x");
    co_await receive;
  }
  seen->finished = true;
  co_return 0;
}

Task<int> naive_collector(Env& env, Seen* seen, std::string) {
  for (int i = 0; i < 4; ++i) {
    const Got stream = co_await connect_to(env, kEcho);
    if (stream.error != Error::none) seen->complain(said(stream.error));
  }
  seen->finished = true;
  co_return 0;
}

// One who takes his clocks for the clocks of others, and the wall clock for a stopwatch.
Task<int> naive_clocks(Env& env, Seen* seen, std::string) {
  const int64_t wall_before = env.wall().unix_us;
  const Instant before = env.now();
  for (int i = 0; i < 1'000; ++i) {
    const Instant due = env.now() + Duration::milliseconds(100);
    const int64_t wall = env.wall().unix_us;
    co_await Sleep(env, Duration::milliseconds(100));
    if (env.now() - due > Duration::milliseconds(1)) seen->complain("timer late");
    const int64_t passed_us = env.wall().unix_us - wall;
    if (passed_us < 99'000 || passed_us > 120'000) seen->complain("wall clock jumped");
  }
  seen->lines.push_back(std::to_string(wall_before));
  seen->lines.push_back(std::to_string((env.now() - before).us()));
  seen->finished = true;
  co_return 0;
}

}  // namespace

Seen ask_an_echo(World& world) {
  return with_echo(world, naive_client, Duration::seconds(200));
}

Seen ask_one_of_two(World& world) {
  Seen asked[2];
  for (const char* name : {"one", "two"}) {
    world.boot(world.add_host({.name = name, .faultable = true}, make_echo));
  }
  for (HostId id = 0; id < 2; ++id) {
    world.boot(world.add_host({}, story(stubborn_client, &asked[id], world.host(id).address())));
  }
  Seen seen;
  world.start_faults();
  for (int i = 0; i < 60; ++i) {
    const uint64_t before = asked[0].rounds + asked[1].rounds;
    world.run_for(Duration::seconds(1));
    if (asked[0].rounds + asked[1].rounds == before) seen.complain("both are gone");
  }
  seen.finished = true;
  return seen;
}

// What two have seen, of whom faults may strike the first.
template <typename First, typename Second>
std::pair<Seen, Seen> two_talk(World& world, First first, Second second) {
  std::pair<Seen, Seen> seen;
  world.boot(world.add_host({.faultable = true}, story(first, &seen.first)));
  world.boot(world.add_host({}, story(second, &seen.second)));
  world.run_for(Duration::seconds(20));
  return seen;
}

Seen receive_messages(World& world) {
  return two_talk(world, naive_publisher, naive_subscriber).second;
}

Seen send_on_two_streams(World& world) {
  return two_talk(world, naive_merger, naive_sender).first;
}

Seen send_and_receive_at_once(World& world) {
  return with_echo(world, naive_order, Duration::seconds(100));
}

Seen cancel_and_look(World& world) {
  return with_echo(world, naive_canceller, Duration::seconds(100));
}

Seen cancel_and_forget(World& world) {
  return with_echo(world, naive_forgetter, Duration::seconds(100));
}

Seen keep_what_is_lent(World& world) {
  return with_echo(world, naive_hoarder, Duration::seconds(100));
}

Seen collect_connections(World& world) {
  return with_echo(world, naive_collector, Duration::seconds(100));
}

Seen write_a_file(World& world) {
  return alone(world, naive_writer, Duration::seconds(20));
}

Seen write_and_sync(World& world) {
  return alone(world, naive_writer, Duration::seconds(20), "sync");
}

Seen read_beside_a_write(World& world) {
  return alone(world, naive_reader, Duration::seconds(20));
}

Seen sync_behind_a_write(World& world) {
  Seen seen = alone(world, naive_syncer, Duration::seconds(1));
  world.crash(0, StopKind::power_loss);
  for (int i = 0; i < kSyncerFiles && seen.finished; ++i) {
    const std::string text = world.host(0).disk().contents("f" + std::to_string(i)).value();
    if (text != std::string(1'000, 'x')) seen.complain("not saved");
  }
  return seen;
}

Seen sync_then_lose_power(World& world) {
  Seen seen = write_and_sync(world);
  Disk& disk = world.host(0).disk();
  const std::string before = disk.contents("naive.txt").value();
  world.crash(0, StopKind::power_loss);
  if (disk.contents("naive.txt").value() != before) seen.complain("the file has changed");
  return seen;
}

Seen overwrite_then_lose_power(World& world) {
  Seen seen = alone(world, naive_overwriter, Duration::seconds(1));
  world.crash(0, StopKind::power_loss);
  const std::string text = world.host(0).disk().contents("f").value();
  const bool has_old = text.find('o') != std::string::npos;
  const bool has_new = text.find('n') != std::string::npos;
  if (text.find_first_not_of("on") != std::string::npos) {
    seen.complain("garbage");
  } else if (has_old) {
    seen.complain(has_new ? "torn" : "lost");
  }
  return seen;
}

Seen create_then_lose_power(World& world) {
  Seen seen = write_and_sync(world);
  world.crash(0, StopKind::power_loss);
  if (!world.host(0).disk().find("naive.txt").ok()) seen.complain("the name is gone");
  return seen;
}

Seen rename_then_lose_power(World& world) {
  Seen seen = write_and_sync(world);
  Disk& disk = world.host(0).disk();
  disk.end_sync_names(disk.find("/data").value(), disk.names_mark());
  ASSERT(disk.rename("naive.txt", "other.txt") == Error::none);
  world.crash(0, StopKind::power_loss);
  if (!disk.find("other.txt").ok()) seen.complain("it has its old name");
  return seen;
}

Seen keep_a_file(World& world) {
  return alone(world, naive_keeper, Duration::seconds(30));
}

Seen write_and_trust(World& world) {
  return alone(world, naive_keeper, Duration::seconds(30), "without sync");
}

Seen trust_clocks(World& world) {
  Seen here;
  Seen there;
  world.boot(world.add_host({.faultable = true}, story(naive_clocks, &here)));
  world.boot(world.add_host({.faultable = true}, story(naive_clocks, &there)));
  world.start_faults();
  world.run_for(Duration::seconds(99));
  const int64_t drift_us = world.host(0).clock().wall(world.now()).unix_us -
                           world.host(1).clock().wall(world.now()).unix_us;
  world.run_for(Duration::seconds(60));
  if (here.complaint.empty()) here.complaint = there.complaint;
  here.finished = here.finished && there.finished;
  if (here.finished && here.complaint.empty()) {
    const int64_t skew_us = std::stoll(here.lines[0]) - std::stoll(there.lines[0]);
    if (std::abs(skew_us) > 1'000) here.complain("clocks differ");
    if (std::abs(drift_us) > 1'000) here.complain("clocks run apart");
  }
  return here;
}

}  // namespace redoubt::sim
