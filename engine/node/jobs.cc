#include "engine/node/jobs.h"

#include <utility>

namespace redoubt {

void Jobs::add(std::string_view resource, Work work, Done done) {
  auto& queue = queues_[std::string(resource)];
  queue.push_back(std::make_unique<Job>());
  Job& job = *queue.back();
  job.work = std::move(work);
  job.done = std::move(done);
  job.owner = this;
  job.resource = resource;
  if (queue.size() == 1) start(job);
}

void Jobs::start(Job& job) {
  job.task = job.work();
  job.task.start(
      [](void* job_of_task) {
        Job& ended = *static_cast<Job*>(job_of_task);
        ended.owner->end(ended);
      },
      &job);
}

void Jobs::end(Job& job) {
  const auto at = queues_.find(job.resource);
  ASSERT(at != queues_.end() && at->second.front().get() == &job);
  // It keeps its place until `done` has returned: that may add jobs.
  const std::unique_ptr<Job> ended = std::move(at->second.front());
  ended->done(ended->task.result());
  at->second.pop_front();
  if (!at->second.empty()) return start(*at->second.front());
  queues_.erase(at);
  if (queues_.empty() && on_idle_) on_idle_();
}

}  // namespace redoubt
