// Task<T>: a coroutine for cold, straight work (a file rewrite, a handshake), where every failure
// means "give up".
//
// A Task starts when it is awaited or started, and is owned by one place: destroying it while it is
// suspended is an error unless it waits for nothing in flight. Arguments are taken by value; no
// reference into the keyspace is held over a co_await.
//
//   Task<Error> save(Env& env, std::string path) {
//     IoOp io(env);
//     io.op.kind = OpKind::open;
//     io.op.path = path;
//     co_await io;
//     if (!io.op.result.ok()) co_return io.op.result.error;
//     ...
#pragma once

#include <coroutine>
#include <cstdlib>
#include <optional>
#include <utility>

#include "net/env.h"

namespace redoubt {

template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> continuation;
    void (*on_finished)(void*) = nullptr;
    void* finished_owner = nullptr;

    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept { return FinalAwaiter{}; }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() noexcept { std::abort(); }
  };
  using Frame = std::coroutine_handle<promise_type>;

  Task() = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~Task() { destroy(); }

  // Runs it from a place that is no coroutine. on_finished(owner) is called when it has returned,
  // and may destroy the Task.
  void start(void (*on_finished)(void*), void* owner) {
    ASSERT(frame_ != nullptr);
    frame_.promise().on_finished = on_finished;
    frame_.promise().finished_owner = owner;
    frame_.resume();
  }

  bool started() const { return frame_ != nullptr; }
  bool done() const { return frame_ != nullptr && frame_.done(); }
  // The result of a Task that is done.
  T& result() {
    ASSERT(done());
    return *frame_.promise().value;
  }

  bool await_ready() const { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) {
    frame_.promise().continuation = waiting;
    return frame_;
  }
  T await_resume() { return std::move(*frame_.promise().value); }

 private:
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(Frame frame) noexcept {
      promise_type& promise = frame.promise();
      if (promise.continuation) return promise.continuation;
      if (promise.on_finished != nullptr) promise.on_finished(promise.finished_owner);
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };

  explicit Task(Frame frame) : frame_(frame) {}
  void destroy() {
    if (frame_) frame_.destroy();
    frame_ = nullptr;
  }

  Frame frame_ = nullptr;
};

// An Op that a coroutine awaits. It lives in the coroutine's frame, which is where an Op must live:
// pinned until it is done.
class IoOp {
 public:
  explicit IoOp(Env& env) : env_(env) {
    op.owner = this;
    op.on_done = [](Op& done) { static_cast<IoOp*>(done.owner)->waiting_.resume(); };
  }
  IoOp(const IoOp&) = delete;
  IoOp& operator=(const IoOp&) = delete;
  ~IoOp() { ASSERT(!op.in_flight); }

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    waiting_ = waiting;
    op.result = {};
    env_.submit(op);
  }
  OpResult& await_resume() { return op.result; }

  Op op;

 private:
  Env& env_;
  std::coroutine_handle<> waiting_;
};

// co_await Sleep(env, duration).
class Sleep {
 public:
  Sleep(Env& env, Duration duration) : env_(env), duration_(duration) {
    timer_.owner = this;
    timer_.on_fire = [](Timer& timer) { static_cast<Sleep*>(timer.owner)->waiting_.resume(); };
  }
  Sleep(const Sleep&) = delete;
  Sleep& operator=(const Sleep&) = delete;
  ~Sleep() { env_.disarm(timer_); }

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    waiting_ = waiting;
    env_.arm_in(timer_, duration_);
  }
  void await_resume() {}

 private:
  Env& env_;
  Duration duration_;
  Timer timer_;
  std::coroutine_handle<> waiting_;
};

}  // namespace redoubt
