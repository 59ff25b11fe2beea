#include "net/uring/helper_threads.h"

#include <signal.h>
#include <unistd.h>

#include "net/assert.h"

namespace redoubt {

void HelperThreads::Queue::push(Op& op) {
  op.world_next = nullptr;
  if (last == nullptr) {
    first = &op;
  } else {
    last->world_next = &op;
  }
  last = &op;
}

Op* HelperThreads::Queue::pop() {
  Op* op = first;
  if (op == nullptr) return nullptr;
  first = op->world_next;
  if (first == nullptr) last = nullptr;
  op->world_next = nullptr;
  return op;
}

bool HelperThreads::Queue::remove(Op& op) {
  Op* before = nullptr;
  for (Op* at = first; at != nullptr; before = at, at = at->world_next) {
    if (at != &op) continue;
    (before == nullptr ? first : before->world_next) = op.world_next;
    if (last == &op) last = before;
    op.world_next = nullptr;
    return true;
  }
  return false;
}

// What nobody will be told of any more.
void HelperThreads::Queue::forget() {
  for (Op* op = pop(); op != nullptr; op = pop()) op->in_flight = false;
}

HelperThreads::HelperThreads(void (*run)(Op&), int wake_fd, void (*on_start)(void*), void* owner)
    : run_(run), wake_fd_(wake_fd), on_start_(on_start), owner_(owner) {
  for (Worker& worker : workers_) worker.threads = this;
}

HelperThreads::~HelperThreads() {
  stop();
}

bool HelperThreads::start(Worker& worker) {
  // Signals are for the node's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  const int code = pthread_create(
      &worker.thread, nullptr,
      [](void* argument) -> void* {
        auto* self = static_cast<Worker*>(argument);
        self->threads->work(*self);
        return nullptr;
      },
      &worker);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return code == 0;
}

bool HelperThreads::submit(Lane lane, Op& op) {
  Worker& worker = workers_[static_cast<size_t>(lane)];
  if (!worker.started) worker.started = start(worker);
  if (!worker.started) return false;
  const std::lock_guard lock(mutex_);
  worker.queue.push(op);
  worker.arrived.notify_one();
  return true;
}

bool HelperThreads::withdraw(Lane lane, Op& op) {
  const std::lock_guard lock(mutex_);
  return workers_[static_cast<size_t>(lane)].queue.remove(op);
}

void HelperThreads::abandon(Lane lane, Op& op) {
  std::unique_lock lock(mutex_);
  Worker& worker = workers_[static_cast<size_t>(lane)];
  if (worker.queue.remove(op)) return;
  while (worker.running == &op) worker.done.wait(lock);
  done_.remove(op);
}

Op* HelperThreads::collect() {
  const std::lock_guard lock(mutex_);
  Op* first = done_.first;
  done_ = {};
  return first;
}

void HelperThreads::work(Worker& worker) {
  if (on_start_ != nullptr) on_start_(owner_);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Op* op = worker.queue.pop();
    if (op == nullptr) {
      worker.arrived.wait(lock);
      continue;
    }
    worker.running = op;
    lock.unlock();
    run_(*op);
    lock.lock();
    worker.running = nullptr;
    done_.push(*op);
    worker.done.notify_all();
    const uint64_t one = 1;
    const ssize_t written = write(wake_fd_, &one, sizeof one);
    ASSERT(written == sizeof one);
  }
}

void HelperThreads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Worker& worker : workers_) worker.arrived.notify_all();
  }
  for (Worker& worker : workers_) {
    if (worker.started) pthread_join(worker.thread, nullptr);
    worker.started = false;
    worker.queue.forget();
  }
  done_.forget();
}

}  // namespace redoubt
