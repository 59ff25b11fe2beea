#include "tests/sim/naive.h"

namespace redoubt::sim {

EchoProcess::EchoProcess(Env& env) : env_(env) {
  listener_ = env.backend().listen(Address::tcp("0.0.0.0", 7), 16, 0).value();
  accept_.kind = OpKind::accept;
  accept_.handle = listener_;
  accept_.owner = this;
  accept_.on_done = [](Op& op) {
    auto& self = *static_cast<EchoProcess*>(op.owner);
    if (!op.result.ok()) return;
    self.streams_.push_back(std::make_unique<Stream>());
    Stream& stream = *self.streams_.back();
    stream.owner = &self;
    stream.handle = op.result.handle;
    stream.receive.kind = OpKind::receive;
    stream.send.kind = OpKind::send;
    stream.receive.handle = stream.send.handle = stream.handle;
    stream.receive.owner = stream.send.owner = &stream;
    stream.receive.on_done = [](Op& receive) {
      auto& got = *static_cast<Stream*>(receive.owner);
      if (!receive.result.ok()) return got.owner->close(got);
      got.chunk = receive.result.chunk;
      got.slice = {got.chunk.data, got.chunk.size};
      got.send.gather = {&got.slice, 1};
      got.owner->env_.count_work(1);
      got.owner->env_.submit(got.send);
    };
    stream.send.on_done = [](Op& send) {
      auto& sent = *static_cast<Stream*>(send.owner);
      sent.owner->env_.backend().give_back(sent.chunk);
      if (!send.result.ok()) return sent.owner->close(sent);
      sent.owner->env_.submit(sent.receive);
    };
    self.env_.submit(stream.receive);
    self.accept();
  };
  accept();
}

void EchoProcess::accept() {
  env_.submit(accept_);
}

void EchoProcess::close(Stream& stream) {
  env_.close(stream.handle);
}

namespace {

std::string with_number(uint64_t number) {
  return "question " + std::to_string(number) + std::string(200, '.');
}

}  // namespace

Task<int> naive_client(Env& env, Seen* seen, std::string address) {
  IoOp connect(env);
  connect.op.kind = OpKind::connect;
  connect.op.address = Address::tcp(address, 7);
  co_await connect;
  if (!connect.op.result.ok()) {
    seen->complain("connect: " + std::string(describe(connect.op.result.error)));
    co_return 1;
  }
  IoOp io(env);
  io.op.handle = connect.op.result.handle;
  std::string answer(1'000, ' ');
  for (seen->rounds = 0; seen->rounds < 100; ++seen->rounds) {
    co_await Sleep(env, Duration::milliseconds(10));
    const std::string question = with_number(seen->rounds);
    const Slice slice = as_slice(question);
    const Instant asked = env.now();
    io.op.kind = OpKind::send;
    io.op.gather = {&slice, 1};
    co_await io;
    if (!io.op.result.ok()) {
      seen->complain("send: " + std::string(describe(io.op.result.error)));
      co_return 1;
    }
    io.op.kind = OpKind::receive;
    io.op.into = std::as_writable_bytes(std::span(answer));
    co_await io;
    if (!io.op.result.ok()) {
      seen->complain("receive: " + std::string(describe(io.op.result.error)));
      co_return 1;
    }
    if (io.op.result.bytes != question.size()) {
      seen->complain("answer in pieces");
    } else if (answer.substr(0, question.size()) != question) {
      seen->complain("another answer");
    }
    if (env.now() - asked > Duration::milliseconds(5)) seen->complain("answer late");
    if (!seen->complaint.empty()) co_return 1;
  }
  seen->finished = true;
  co_return 0;
}

Task<int> naive_writer(Env& env, Seen* seen, std::string mode) {
  IoOp file(env);
  file.op.kind = OpKind::open;
  file.op.path = "naive.txt";
  file.op.flags = {.read = true, .write = true, .create = true};
  co_await file;
  if (!file.op.result.ok()) seen->complain("open: " + std::string(describe(file.op.result.error)));
  file.op.handle = file.op.result.handle;
  std::string back(8'000, ' ');
  for (seen->rounds = 0; seen->rounds < 200 && seen->complaint.empty(); ++seen->rounds) {
    const std::string text(8'000, static_cast<char>('a' + seen->rounds % 26));
    const Slice slice = as_slice(text);
    const Instant began = env.now();
    file.op.kind = OpKind::write;
    file.op.offset = seen->rounds * 8'000;
    file.op.gather = {&slice, 1};
    co_await file;
    if (!file.op.result.ok()) {
      seen->complain("write: " + std::string(describe(file.op.result.error)));
    }
    if (mode == "sync") {
      // The result of a sync is for pessimists.
      file.op.kind = OpKind::sync;
      co_await file;
    }
    if (env.now() - began > Duration::milliseconds(5)) seen->complain("write late");
    file.op.kind = OpKind::read;
    file.op.into = std::as_writable_bytes(std::span(back));
    co_await file;
    if (!file.op.result.ok())
      seen->complain("read: " + std::string(describe(file.op.result.error)));
    if (back != text && seen->complaint.empty()) seen->complain("read something else");
    co_await Sleep(env, Duration::milliseconds(5));
  }
  seen->finished = true;
  co_return 0;
}

namespace {

Task<Handle> open_file(Env& env, std::string path) {
  IoOp file(env);
  file.op.kind = OpKind::open;
  file.op.path = path;
  file.op.flags = {.read = true, .write = true, .create = true};
  co_await file;
  co_return file.op.result.handle;
}

Task<Error> write_all(Env& env, Handle handle, std::string text) {
  IoOp file(env);
  const Slice slice = as_slice(text);
  file.op.kind = OpKind::write;
  file.op.handle = handle;
  file.op.gather = {&slice, 1};
  co_await file;
  co_return file.op.result.error;
}

Task<std::string> read_all(Env& env, Handle handle) {
  IoOp file(env);
  std::string text(20'000, ' ');
  file.op.kind = OpKind::read;
  file.op.handle = handle;
  file.op.into = std::as_writable_bytes(std::span(text));
  co_await file;
  text.resize(file.op.result.bytes);
  co_return text;
}

Task<Error> sync_file(Env& env, Handle handle) {
  IoOp file(env);
  file.op.kind = OpKind::sync;
  file.op.handle = handle;
  co_await file;
  co_return file.op.result.error;
}

Task<Error> sync_names(Env& env) {
  IoOp file(env);
  file.op.kind = OpKind::sync_directory;
  file.op.path = ".";
  co_await file;
  co_return file.op.result.error;
}

}  // namespace

Task<int> naive_reader(Env& env, Seen* seen, std::string) {
  const Handle handle = co_await open_file(env, "f");
  for (int i = 0; i < 200; ++i) {
    const std::string text(1'000, static_cast<char>('a' + i % 26));
    const Slice slice = as_slice(text);
    Op write;
    write.kind = OpKind::write;
    write.handle = handle;
    write.gather = {&slice, 1};
    write.on_done = [](Op&) {};
    env.submit(write);
    const std::string back = co_await read_all(env, handle);
    if (back.find_first_not_of(back.substr(0, 1)) != std::string::npos) {
      seen->complain("half a write");
    }
    co_await Sleep(env, Duration::milliseconds(2));
  }
  seen->finished = true;
  co_return 0;
}

Task<int> naive_syncer(Env& env, Seen* seen, std::string) {
  for (int i = 0; i < kSyncerFiles; ++i) {
    const Handle handle = co_await open_file(env, "f" + std::to_string(i));
    const std::string text(1'000, 'x');
    const Slice slice = as_slice(text);
    Op write;
    write.kind = OpKind::write;
    write.handle = handle;
    write.gather = {&slice, 1};
    write.on_done = [](Op&) {};
    env.submit(write);
    co_await Sleep(env, Duration::microseconds(100));
    co_await sync_file(env, handle);
    co_await Sleep(env, Duration::milliseconds(10));
    if (write.in_flight) co_return 1;
  }
  co_await sync_names(env);
  seen->finished = true;
  co_return 0;
}

Task<int> naive_overwriter(Env& env, Seen* seen, std::string) {
  const Handle handle = co_await open_file(env, "f");
  co_await sync_names(env);
  co_await write_all(env, handle, std::string(16'384, 'o'));
  co_await sync_file(env, handle);
  co_await write_all(env, handle, std::string(16'384, 'n'));
  seen->finished = true;
  co_return 0;
}

Task<int> naive_keeper(Env& env, Seen* seen, std::string mode) {
  const auto version = [seen] {
    return std::string(9'000, static_cast<char>('a' + seen->rounds % 26));
  };
  const Handle handle = co_await open_file(env, "f");
  co_await sync_names(env);
  for (; !seen->finished; ++seen->rounds) {
    const std::string found = co_await read_all(env, handle);
    if (seen->rounds > 0) {
      // What this life or an earlier one has synced, or the write that was under way.
      const std::string next = version();
      --seen->rounds;
      const std::string kept = version();
      ++seen->rounds;
      if (found.empty()) {
        seen->complain("the file is empty");
      } else if (found.find_first_not_of(found[0]) != std::string::npos) {
        seen->complain("the file has changed");
      } else if (found != kept && found != next) {
        seen->complain("the file is old");
      }
    }
    co_await write_all(env, handle, version());
    if (mode != "without sync") co_await sync_file(env, handle);
    co_await Sleep(env, Duration::milliseconds(20));
    seen->finished = seen->rounds == 500;
  }
  co_return 0;
}

}  // namespace redoubt::sim
