#include "sim/node_process.h"

#include "engine/config/config.h"

namespace redoubt::sim {

NodeProcess::NodeProcess(Env& env, NodeStart start) : env_(env), start_(std::move(start)) {
  again_.owner = this;
  again_.on_fire = [](Timer& timer) {
    auto* process = static_cast<NodeProcess*>(timer.owner);
    process->node_.reset();
    process->begin(process->text_);
  };
  if (start_.config_file.empty()) {
    begin({});
    return;
  }
  reading_ = read_until_read();
  reading_.start(
      [](void* owner) {
        auto* process = static_cast<NodeProcess*>(owner);
        process->begin(process->text_);
      },
      this);
}

NodeProcess::~NodeProcess() {
  env_.disarm(again_);
}

// A node that cannot read its file does not start; whoever looks after the machine starts it again.
Task<Error> NodeProcess::read_until_read() {
  for (;;) {
    const Error error = co_await read_file();
    if (error == Error::none) co_return error;
    env_.backend().log(Level::warning, start_.config_file + ": " + std::string(describe(error)));
    co_await Sleep(env_, Duration::milliseconds(100));
  }
}

NodeProcess::NodeProcess(Env& env, const std::vector<std::string>& arguments,
                         NodeObserver* observer, std::vector<std::span<const Command>> families)
    : NodeProcess(env, NodeStart{.arguments = arguments,
                                 .config_file = {},
                                 .observer = observer,
                                 .families = std::move(families),
                                 .made = {},
                                 .ready = {}}) {}

Task<Error> NodeProcess::read_file() {
  IoOp open(env_);
  open.op.kind = OpKind::open;
  open.op.path = start_.config_file;
  open.op.flags.read = true;
  co_await open;
  if (open.op.result.error == Error::not_found) co_return Error::none;
  if (!open.op.result.ok()) co_return open.op.result.error;
  const Handle file = open.op.result.handle;
  IoOp size(env_);
  size.op.kind = OpKind::file_size;
  size.op.handle = file;
  co_await size;
  Error error = size.op.result.error;
  if (error == Error::none) {
    text_.resize(size.op.result.bytes);
    IoOp read(env_);
    read.op.kind = OpKind::read;
    read.op.handle = file;
    read.op.into = std::as_writable_bytes(std::span<char>(text_));
    co_await read;
    error = read.op.result.error;
    text_.resize(read.op.result.ok() ? read.op.result.bytes : 0);
  }
  env_.close(file);
  co_return error;
}

void NodeProcess::give_up(const std::string& reason) {
  env_.backend().log(Level::warning, reason);
  env_.backend().request_exit(1);
}

void NodeProcess::begin(std::string_view text) {
  auto config = make_config();
  std::string error;
  const ReadFile no_includes = [](const std::string&, std::string*, std::string* why) {
    *why = "it is not there";
    return false;
  };
  if (!start_.config_file.empty()) {
    if (!config->parse_file(start_.config_file, text, no_includes, &error)) return give_up(error);
    config->set_file(start_.config_file);
  }
  const bool configured = config->parse_arguments(start_.arguments, &error);
  if (!configured) env_.backend().log(Level::warning, error);
  ASSERT(configured);
  const std::vector<std::string> missing = config->missing();
  if (!missing.empty()) return give_up(missing.front());
  node_ = make_node(env_, std::move(config), start_.families);
  if (start_.made) start_.made(*node_);
  node_->dispatcher().set_observer(start_.observer);
  node_->start(
      [](void* owner, Error result) { static_cast<NodeProcess*>(owner)->on_started(result); },
      this);
}

void NodeProcess::on_started(Error error) {
  // Whoever looks after the machine starts it again.
  if (error != Error::none) return env_.arm_in(again_, Duration::milliseconds(100));
  std::string why;
  if (!node_->listen(&why)) {
    node_->log(LogLevel::warning, why);
    return env_.backend().request_exit(1);
  }
  if (start_.ready) start_.ready(*node_);
}

void NodeProcess::stop(Env& env) {
  if (node_ == nullptr) return env.backend().request_exit(0);
  node_->stop({.reason = "Received a stop signal: ending in order."});
}

}  // namespace redoubt::sim
