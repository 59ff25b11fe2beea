#include "net/timed_stream.h"

namespace redoubt {

namespace {

// So much is sent in one step.
constexpr size_t kSendBytes = 64 * 1024;

}  // namespace

TimedStream::TimedStream(Env& env) : env_(env) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) {
    auto& stream = *static_cast<TimedStream*>(timer.owner);
    stream.timed_out_ = true;
    if (stream.waiting_ != nullptr) stream.env_.cancel(*stream.waiting_);
  };
}

TimedStream::~TimedStream() {
  env_.disarm(timer_);
  close();
}

void TimedStream::close() {
  received_.clear();
  if (stream_) env_.close(std::exchange(stream_, {}));
}

void TimedStream::cancel() {
  cancelled_ = true;
  if (waiting_ != nullptr) env_.cancel(*waiting_);
}

Task<Error> TimedStream::operate(Op& wanted, Instant due) {
  if (cancelled_) co_return Error::cancelled;
  IoOp io(env_);
  io.op.kind = wanted.kind;
  io.op.handle = wanted.handle;
  io.op.gather = wanted.gather;
  io.op.into = wanted.into;
  io.op.path = wanted.path;
  io.op.address = wanted.address;
  timed_out_ = false;
  env_.arm(timer_, due);
  waiting_ = &io.op;
  co_await io;
  waiting_ = nullptr;
  env_.disarm(timer_);
  wanted.result = io.op.result;
  if (cancelled_) {
    if (wanted.kind == OpKind::connect && io.op.result.ok()) env_.close(io.op.result.handle);
    co_return Error::cancelled;
  }
  co_return timed_out_ && !io.op.result.ok() ? Error::timed_out : io.op.result.error;
}

Task<Error> TimedStream::connect(std::string host, uint16_t port) {
  close();
  cancelled_ = false;
  Op resolve;
  resolve.kind = OpKind::resolve;
  resolve.path = std::move(host);
  Error error = co_await operate(resolve, due());
  if (error == Error::none && resolve.result.names.empty()) error = Error::not_found;
  if (error != Error::none) co_return error;
  Op dial;
  dial.kind = OpKind::connect;
  dial.address = Address::tcp(resolve.result.names.front(), port);
  error = co_await operate(dial, due());
  if (error != Error::none) co_return error;
  stream_ = dial.result.handle;
  peer_ = dial.address;
  co_return Error::none;
}

Task<Error> TimedStream::send(std::string bytes) {
  const std::string_view all = bytes;
  for (size_t at = 0; at < all.size(); at += kSendBytes) {
    const Slice slice = as_slice(all.substr(at, kSendBytes));
    Op op;
    op.kind = OpKind::send;
    op.handle = stream_;
    op.gather = std::span<const Slice>(&slice, 1);
    const Error error = co_await operate(op, due());
    if (error != Error::none) co_return error;
  }
  co_return Error::none;
}

Task<Error> TimedStream::receive(std::span<char> room, size_t* got) {
  return receive_until(due(), room, got);
}

Task<Error> TimedStream::receive_until(Instant due, std::span<char> room, size_t* got) {
  Op op;
  op.kind = OpKind::receive;
  op.handle = stream_;
  op.into = std::as_writable_bytes(room);
  const Error error = co_await operate(op, due);
  *got = error == Error::none ? static_cast<size_t>(op.result.bytes) : 0;
  co_return error;
}

Task<Error> TimedStream::receive_line(std::string* line) {
  // Bytes that come one by one do not make the time longer.
  const Instant whole = due();
  for (;;) {
    const size_t end = received_.find('\n');
    if (end != std::string::npos) {
      *line = received_.substr(0, end);
      if (line->ends_with('\r')) line->pop_back();
      received_.erase(0, end + 1);
      co_return Error::none;
    }
    if (received_.size() > kLineMax) co_return Error::invalid;
    std::string room(4096, '\0');
    size_t got = 0;
    const Error error = co_await receive_until(whole, room, &got);
    if (error != Error::none) co_return error;
    received_.append(room, 0, got);
  }
}

}  // namespace redoubt
