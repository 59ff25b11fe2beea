#include "sim/scenario/data_story.h"

#include <algorithm>
#include <utility>

#include "net/task.h"
#include "sim/checkers/replay.h"

namespace redoubt::sim {

DataStep write_step(DataWords words) {
  return {DataStep::Kind::write, {std::move(words)}, ""};
}

void add_writes(DataStory& story, Random& random, int& number) {
  const auto key = [&] { return "k" + std::to_string(random.below(6)); };
  const auto text = [&] {
    return std::to_string(++number) +
           std::string(static_cast<size_t>(random.between_log(1, 2'000)), 'v');
  };
  const auto count = 1 + random.below(3);
  for (uint64_t i = 0; i < count; ++i) {
    switch (random.below(6)) {
      case 0: story.steps.push_back(write_step({"SET", key(), text()})); break;
      case 1: story.steps.push_back(write_step({"HSET", "h" + key(), "f" + key(), text()})); break;
      case 2: story.steps.push_back(write_step({"RPUSH", "l" + key(), text()})); break;
      case 3:
        story.steps.push_back(write_step({"SET", key(), text(), "PXAT", "99999999999999"}));
        break;
      case 4: story.steps.push_back(write_step({"DEL", key(), "h" + key()})); break;
      default:
        story.steps.push_back(
            {DataStep::Kind::write,
             {{"MULTI"}, {"SET", "a" + key(), text()}, {"SADD", "s" + key(), text()}, {"EXEC"}},
             "*"});
        break;
    }
  }
}

namespace {

std::string encoded(const std::vector<DataWords>& commands) {
  std::string bytes;
  for (const DataWords& words : commands) {
    bytes += "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
  }
  return bytes;
}

// Whether the replies to so many commands are there, and the last one begins like that.
bool replied(const std::string& replies, const DataStep& step) {
  if (step.commands.size() == 1) {
    return replies.starts_with(step.good) && replies.ends_with("\r\n");
  }
  // "+OK", "+QUEUED" each, and EXEC's array.
  const size_t exec = replies.find("\r\n*");
  return exec != std::string::npos && replies.ends_with("\r\n") &&
         std::count(replies.begin() + static_cast<ptrdiff_t>(exec), replies.end(), '\n') >= 4;
}

// Tells the steps from `first` on, each when the one before was acknowledged.
Task<bool> tell_steps(Env& env, Address node, const DataStory* story, size_t* acknowledged) {
  IoOp connect(env);
  connect.op.kind = OpKind::connect;
  connect.op.address = node;
  co_await connect;
  if (!connect.op.result.ok()) co_return false;
  const Handle stream = connect.op.result.handle;
  for (const DataStep& step : story->steps) {
    const std::string request = encoded(step.commands);
    const Slice slice = as_slice(request);
    IoOp send(env);
    send.op.kind = OpKind::send;
    send.op.handle = stream;
    send.op.gather = {&slice, 1};
    co_await send;
    std::string replies;
    while (!replied(replies, step)) {
      IoOp receive(env);
      receive.op.kind = OpKind::receive;
      receive.op.handle = stream;
      co_await receive;
      if (!receive.op.result.ok()) co_return false;
      const Chunk chunk = receive.op.result.chunk;
      replies.append(reinterpret_cast<const char*>(chunk.data), chunk.size);
      env.backend().give_back(chunk);
    }
    ++*acknowledged;
  }
  co_return true;
}

class Teller final : public Process {
 public:
  Teller(Env& env, const Address& node, const DataStory* story, size_t* acknowledged)
      : task_(tell_steps(env, node, story, acknowledged)) {
    task_.start([](void*) {}, nullptr);
  }

 private:
  Task<bool> task_;
};

}  // namespace

std::unique_ptr<Process> make_teller(Env& env, const Address& node, const DataStory* story,
                                     size_t* acknowledged) {
  return std::make_unique<Teller>(env, node, story, acknowledged);
}

std::optional<std::string> compare_with_steps(Node& node, const DataStory& story, size_t least,
                                              size_t most) {
  const auto copy = ReplayChecker::detached(node);
  std::string first;
  for (size_t done = 0; done <= most; ++done) {
    if (done >= least) {
      const std::optional<std::string> difference = copy->compare();
      if (!difference) return std::nullopt;
      if (first.empty()) first = *difference;
    }
    if (done == most) break;
    const DataStep& step = story.steps[done];
    if (step.kind != DataStep::Kind::write) continue;
    for (const DataWords& words : step.commands) {
      if (words[0] != "MULTI" && words[0] != "EXEC") copy->feed(encoded({words}));
    }
  }
  return first;
}

}  // namespace redoubt::sim
