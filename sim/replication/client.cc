#include "sim/replication/client.h"

#include <algorithm>

#include "sim/node_process.h"
#include "sim/replication/newer_command.h"

namespace redoubt::sim {

namespace {

constexpr Duration kPatience = Duration::seconds(4);
constexpr size_t kReceiveBytes = 64 << 10;

}  // namespace

ReplicationClient::ReplicationClient(Env& env, ReplicationLoad& plan, Kind kind, uint32_t number,
                                     Random random)
    : env_(env),
      plan_(plan),
      kind_(kind),
      number_(number),
      random_(random),
      generator_(plan.generator, random_.next()),
      stream_(env),
      task_(run()) {
  stream_.set_timeout(kPatience);
  task_.start([](void*) {}, nullptr);
}

Task<Error> ReplicationClient::run() {
  while (!plan_.load_is_over()) {
    const std::string host = kind_ == Kind::reader ? plan_.any(random_) : plan_.primary();
    Error error = co_await stream_.connect(host, kNodePort);
    while (error == Error::none && !plan_.load_is_over()) error = co_await talk();
    stream_.close();
    co_await Sleep(env_, Duration{1 + random_.exponential(100'000'000)});
  }
  co_return Error::none;
}

void ReplicationClient::add(std::initializer_list<std::string_view> words) {
  add(std::span(words.begin(), words.size()));
}

void ReplicationClient::add(std::span<const std::string_view> words) {
  pipeline_ += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    pipeline_ += "$" + std::to_string(word.size()) + "\r\n";
    pipeline_ += word;
    pipeline_ += "\r\n";
  }
  ++replies_due_;
  asked_.push_back(0);
  ++plan_.commands_sent;
}

void ReplicationClient::make_pipeline() {
  const auto comes = [&](int64_t ppm) {
    return static_cast<int64_t>(random_.below(1'000'000)) < ppm;
  };
  const int64_t count = random_.between_log(1, std::max<int64_t>(plan_.pipeline_max, 1));
  const bool transaction = kind_ == Kind::traffic && comes(plan_.transaction_ppm);
  if (transaction) add({"MULTI"});
  for (int64_t i = 0; i < count; ++i) {
    add(generator_.next(env_.wall().unix_ms()).arguments);
    if (comes(plan_.newer_ppm)) add({kNewerCommand, "x"});
  }
  if (transaction) add({"EXEC"});
}

void ReplicationClient::make_appends() {
  const auto comes = [&](int64_t ppm) {
    return static_cast<int64_t>(random_.below(1'000'000)) < ppm;
  };
  const std::string list = list_name(number_);
  const uint64_t count = 1 + random_.below(3);
  const bool transaction = comes(plan_.transaction_ppm);
  if (transaction) add({"MULTI"});
  const uint64_t first = appended_ + 1;
  for (uint64_t i = 0; i < count; ++i) {
    add({"RPUSH", list, std::to_string(++appended_)});
    if (!transaction) asked_.back() = appended_;
  }
  if (transaction) {
    add({"EXEC"});
    asked_.back() = first;  // and those behind it
  }
  if (!comes(plan_.acks_ppm)) return;
  const std::string replicas = std::to_string(random_.below(4));
  const std::string wait_ms = std::to_string(random_.between_log(1, 2'000));
  if (random_.below(2) == 0) {
    add({"WAIT", replicas, wait_ms});
  } else {
    add({"WAITAOF", std::to_string(random_.below(2)), replicas, wait_ms});
  }
}

// One pipeline.
Task<Error> ReplicationClient::talk() {
  pipeline_.clear();
  asked_.clear();
  replies_due_ = 0;
  if (kind_ == Kind::appender) {
    make_appends();
  } else {
    make_pipeline();
  }
  Error error = co_await stream_.send(pipeline_);
  if (error == Error::none) error = co_await take_replies();
  if (error != Error::none) co_return error;
  co_await Sleep(env_, Duration{1 + random_.exponential(plan_.think_us * 1'000)});
  const bool hangs_up = static_cast<int64_t>(random_.below(1'000'000)) < plan_.hang_up_ppm;
  co_return hangs_up ? Error::closed : Error::none;
}

Task<Error> ReplicationClient::take_replies() {
  std::string buffer = stream_.take_rest();
  ReplyFramer framer;
  Error refused = Error::none;
  for (size_t i = 0; i < replies_due_;) {
    size_t end = 0;
    const RespParse parsed = framer.find_end(buffer, end);
    if (parsed == RespParse::invalid) co_return Error::invalid;
    if (parsed == RespParse::incomplete) {
      std::string room(kReceiveBytes, '\0');
      size_t got = 0;
      const Error error = co_await stream_.receive(room, &got);
      if (error != Error::none) co_return error;
      buffer.append(room, 0, got);
      continue;
    }
    const std::string_view reply = std::string_view(buffer).substr(0, end);
    if (asked_[i] != 0 && reply.starts_with(':')) plan_.checker->acknowledged(number_, asked_[i]);
    if (asked_[i] != 0 && reply.starts_with('*') && reply[1] != '-') {
      for (uint64_t n = asked_[i]; n <= appended_; ++n) plan_.checker->acknowledged(number_, n);
    }
    // Somebody else is the primary now, or this one waits for something.
    const bool elsewhere = reply.starts_with("-READONLY") || reply.starts_with("-UNBLOCKED") ||
                           reply.starts_with("-MASTERDOWN") || reply.starts_with("-LOADING");
    if (elsewhere && kind_ != Kind::reader) refused = Error::refused;
    buffer.erase(0, end);
    ++i;
  }
  co_return refused;
}

}  // namespace redoubt::sim
