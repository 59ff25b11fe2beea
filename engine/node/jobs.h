// Jobs: work of commands that takes several operations of the world, such as rewriting a file.
//
// A job names the resource that it holds. Those of one resource run one after another, so that of
// two that replace the same file the later one has the last word; those of different resources do
// not wait for each other.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "net/task.h"

namespace redoubt {

class Jobs {
 public:
  using Work = std::function<Task<Error>()>;
  using Done = std::function<void(Error)>;

  Jobs() = default;
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  // Starts the work when the jobs before it on this resource are done, then calls `done`. Jobs are
  // destroyed with this object: the world has forgotten their operations.
  void add(std::string_view resource, Work work, Done done);
  bool idle() const { return queues_.empty(); }
  bool busy(std::string_view resource) const { return queues_.contains(resource); }
  // Called when the last job is done.
  void set_idle_listener(std::function<void()> listener) { on_idle_ = std::move(listener); }

 private:
  struct Job {
    Work work;
    Done done;
    Task<Error> task;
    Jobs* owner;
    std::string resource;
  };

  void start(Job& job);
  void end(Job& job);

  std::map<std::string, std::deque<std::unique_ptr<Job>>, std::less<>> queues_;  // the first runs
  std::function<void()> on_idle_;
};

}  // namespace redoubt
