// Threads that do what would block the node: background jobs, and what io_uring has no operation
// for. One thread for each lane, started at its first job, so that a slow name server delays no
// file, and a job of a minute delays no job of a millisecond. Jobs of a lane run in order.
//
// The node's thread submits, withdraws and collects; jobs touch only their Op and what it owns.
#pragma once

#include <pthread.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "net/op.h"

namespace redoubt {

enum class Lane : uint8_t { files, background, lengthy, names };

class HelperThreads {
 public:
  // run(op) does the job. When one is done, 1 is added to the event descriptor wake_fd. Each thread
  // calls on_start(owner) first, when that is not null.
  HelperThreads(void (*run)(Op&), int wake_fd, void (*on_start)(void*), void* owner);
  HelperThreads(const HelperThreads&) = delete;
  HelperThreads& operator=(const HelperThreads&) = delete;
  ~HelperThreads();  // as stop()

  // False: no thread could be started, and the job was not taken.
  bool submit(Lane lane, Op& op);
  // True: the job had not begun and will not.
  bool withdraw(Lane lane, Op& op);
  // The job will not begin, or is over, and is not among those that are collected.
  void abandon(Lane lane, Op& op);
  // The jobs done since the last call, in order, linked by world_next.
  Op* collect();
  // Waits for the jobs that run, and forgets all that have not been collected.
  void stop();

 private:
  struct Queue {
    Op* first = nullptr;
    Op* last = nullptr;

    void push(Op& op);
    Op* pop();
    bool remove(Op& op);
    void forget();
  };
  struct Worker {
    HelperThreads* threads = nullptr;
    Queue queue;
    std::condition_variable arrived;
    std::condition_variable done;
    Op* running = nullptr;
    pthread_t thread{};
    bool started = false;
  };
  static constexpr size_t kLanes = 4;

  bool start(Worker& worker);
  void work(Worker& worker);

  void (*run_)(Op&);
  const int wake_fd_;
  void (*on_start_)(void*);
  void* const owner_;
  std::mutex mutex_;  // guards everything below
  std::array<Worker, kLanes> workers_;
  Queue done_;
  bool stopping_ = false;
};

}  // namespace redoubt
