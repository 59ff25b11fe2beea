#include "net/connection.h"

#include <utility>

namespace redoubt {

// --- the pool

Sender& SendPool::get() {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Sender>(outputs_));
    return *all_.back();
  }
  Sender& sender = *free_.back();
  free_.pop_back();
  return sender;
}

void SendPool::give_back(Sender& sender) {
  ASSERT(!sender.op.in_flight && sender.connection != nullptr);
  sender.bytes.clear();
  sender.connection = nullptr;
  free_.push_back(&sender);
}

// --- beginning

Connection::Connection(Env& env, SendPool& pool, ConnectionUser& user)
    : env_(env), pool_(pool), user_(&user), queue_(pool.outputs()) {
  receive_.kind = OpKind::receive;
  receive_.owner = this;
  receive_.on_done = [](Op& op) { static_cast<Connection*>(op.owner)->on_received(); };
}

Connection::~Connection() = default;

void Connection::adopt(Handle handle, Address peer) {
  ASSERT(!open() && !closed_ && handle);
  handle_ = receive_.handle = handle;
  peer_ = std::move(peer);
}

Address Connection::local() const {
  return open() ? env_.backend().local_address(handle_) : Address{};
}

void Connection::connect(const Address& to) {
  ASSERT(!open() && !closed_ && quiet());
  peer_ = to;
  sender_ = &pool_.get();
  sender_->connection = this;
  sender_->size = 0;
  Op& op = sender_->op;
  op.kind = OpKind::connect;
  op.address = to;
  op.owner = sender_;
  op.result = {};
  op.on_done = [](Op& done) { static_cast<Sender*>(done.owner)->connection->on_connected(); };
  env_.submit(op);
}

void Connection::on_connected() {
  const OpResult& result = sender_->op.result;
  const Error error = result.error;
  const Handle handle = result.ok() ? result.handle : Handle{};
  pool_.give_back(*std::exchange(sender_, nullptr));
  if (closed_) {
    // It was given up, and completed all the same.
    if (handle) env_.close(handle);
    user_->on_quiet();
    return;
  }
  if (!handle) {
    user_->on_end(error);
    return;
  }
  adopt(handle, std::move(peer_));
  user_->on_open();
}

// --- reading

void Connection::read(std::span<char> room) {
  if (receive_.in_flight || receive_.result.chunk || closed_ || closes_after_output_) return;
  ASSERT(open());
  receive_.result.error = Error::none;
  receive_.result.bytes = 0;
  receive_.into = std::as_writable_bytes(room);
  env_.submit(receive_);
}

void Connection::on_received() {
  OpResult& result = receive_.result;
  if (closed_) {
    release_chunk();
    if (quiet()) user_->on_quiet();
    return;
  }
  if (!result.ok()) {
    user_->on_end(result.error);
  } else if (!receive_.into.empty()) {
    user_->on_direct(result.bytes);
  } else {
    user_->on_bytes({reinterpret_cast<const char*>(result.chunk.data), result.chunk.size});
  }
}

void Connection::return_chunk() {
  env_.backend().give_back(std::exchange(receive_.result.chunk, {}));
}

// --- sending

void Connection::flush() {
  if (sender_ != nullptr || closed_) return;
  if (queue_.empty()) {
    if (closes_after_output_) user_->on_end(Error::none);
    return;
  }
  Sender& sender = pool_.get();
  if (queue_.bytes() <= kSendBytes) {
    queue_.move_to(sender.bytes);
  } else {
    queue_.move_front_to(sender.bytes, kSendBytes);
  }
  send_all_of(sender);
}

void Connection::flush(Output& more) {
  if (sender_ == nullptr && queue_.empty() && !closed_ && !more.empty() &&
      more.bytes() <= kSendBytes) [[likely]] {
    Sender& sender = pool_.get();
    more.move_to(sender.bytes);
    send_all_of(sender);
    return;
  }
  more.move_to(queue_);
  flush();
}

void Connection::send_all_of(Sender& sender) {
  sender.slices.clear();
  sender.bytes.slices(sender.slices);
  sender.size = sender.bytes.bytes();
  submit(sender);
}

void Connection::send(std::span<const Slice> slices) {
  ASSERT(sender_ == nullptr && queue_.empty() && open());
  Sender& sender = pool_.get();
  sender.slices.assign(slices.begin(), slices.end());
  sender.size = 0;
  for (const Slice& slice : slices) sender.size += slice.size();
  submit(sender);
}

void Connection::submit(Sender& sender) {
  sender_ = &sender;
  sender.connection = this;
  Op& op = sender.op;
  op.kind = OpKind::send;
  op.handle = handle_;
  op.gather = sender.slices;
  op.owner = &sender;
  op.result.error = Error::none;
  op.on_done = [](Op& done) { static_cast<Sender*>(done.owner)->connection->on_sent(); };
  env_.submit(op);
}

void Connection::on_sent() {
  Sender& sender = *std::exchange(sender_, nullptr);
  const Error error = sender.op.result.error;
  const size_t bytes = sender.size;
  pool_.give_back(sender);
  if (closed_) {
    if (quiet()) user_->on_quiet();
    return;
  }
  if (error != Error::none) {
    user_->on_end(error);
    return;
  }
  user_->on_sent(bytes);
  flush();
}

size_t Connection::memory_bytes() const {
  size_t bytes = sizeof(Connection) + queue_.memory_bytes();
  if (!receive_.in_flight) bytes += receive_.result.chunk.size;
  if (sender_ != nullptr) bytes += sender_->bytes.memory_bytes();
  return bytes;
}

// --- closing

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  queue_.clear();
  if (open()) {
    env_.close(handle_);
  } else if (sender_ != nullptr) {
    env_.cancel(sender_->op);  // of connect()
  }
}

}  // namespace redoubt
