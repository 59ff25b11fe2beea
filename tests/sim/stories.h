// Steps for stories (coroutines) in tests: connect, accept, send, receive, each one co_await.
#pragma once

#include <string>

#include "net/task.h"

namespace redoubt::sim {

struct Got {
  Error error = Error::none;
  std::string text;
  Handle handle;
  Address address;
};

inline Task<Got> connect_to(Env& env, Address address) {
  IoOp io(env);
  io.op.kind = OpKind::connect;
  io.op.address = address;
  co_await io;
  co_return Got{io.op.result.error, "", io.op.result.handle, {}};
}

inline Task<Got> accept_one(Env& env, Handle listener) {
  IoOp io(env);
  io.op.kind = OpKind::accept;
  io.op.handle = listener;
  co_await io;
  co_return Got{io.op.result.error, "", io.op.result.handle, io.op.address};
}

inline Task<Error> send_text(Env& env, Handle stream, std::string text) {
  IoOp io(env);
  const Slice slice = as_slice(text);
  io.op.kind = OpKind::send;
  io.op.handle = stream;
  io.op.gather = {&slice, 1};
  co_await io;
  co_return io.op.result.error;
}

// What comes next, in a lent chunk or, with `bytes_max`, in a buffer of our own.
inline Task<Got> receive_some(Env& env, Handle stream, size_t bytes_max = 0) {
  IoOp io(env);
  std::string buffer(bytes_max, ' ');
  io.op.kind = OpKind::receive;
  io.op.handle = stream;
  io.op.into = std::as_writable_bytes(std::span(buffer));
  co_await io;
  Got got{io.op.result.error, "", {}, {}};
  if (!io.op.result.ok()) co_return got;
  const Chunk chunk = io.op.result.chunk;
  if (chunk) {
    got.text.assign(reinterpret_cast<const char*>(chunk.data), chunk.size);
    env.backend().give_back(chunk);
  } else {
    got.text = buffer.substr(0, io.op.result.bytes);
  }
  co_return got;
}

// Everything until the stream ends; `error` says how.
inline Task<Got> receive_all(Env& env, Handle stream) {
  Got all;
  for (;;) {
    const Got got = co_await receive_some(env, stream);
    all.text += got.text;
    all.error = got.error;
    if (got.error != Error::none) co_return all;
  }
}

inline Handle listen_on(Env& env, uint16_t port, int backlog = 16) {
  return env.backend().listen(Address::tcp("0.0.0.0", port), backlog, 0).value();
}

inline std::string said(Error error) {
  return std::string(describe(error));
}

}  // namespace redoubt::sim
