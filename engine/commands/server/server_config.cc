// CONFIG.
//
// CONFIG REWRITE replaces the file whole: what is to be in it is written to a new file beside it,
// which takes its name when all of it is on the medium. So a crash leaves the old file or the new
// one, and a failure leaves the old one.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/clients/session.h"
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/help.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/server/local_client.h"
#include "engine/node/context.h"
#include "engine/node/node.h"
#include "net/text.h"

namespace redoubt {

namespace {

class ConfigRewrite : public NodeJob {
 public:
  ConfigRewrite(Node& node, DeferredReply reply)
      : node_(node),
        reply_(reply),
        path_(node.config().file()),
        new_path_(fmt::format("{}.{}.tmp", path_, reply.session_id)) {
    const size_t slash = path_.rfind('/');
    directory_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
    op_.owner = this;
    op_.on_done = [](Op& op) { static_cast<ConfigRewrite*>(op.owner)->on_done(); };
  }

  void start() override { begin(Step::open_old); }

 private:
  // In this order. A file that is not there yet is an empty one.
  enum class Step {
    open_old,
    size,
    read,
    open_new,
    write,
    sync,
    rename,
    sync_directory,
    remove_new,  // after a failure
  };

  static constexpr uint64_t kLargestFile = 16 << 20;

  void begin(Step step);
  void on_done();
  void close();
  void end(Error error);

  Node& node_;
  const DeferredReply reply_;
  const std::string path_;
  const std::string new_path_;
  std::string directory_;
  std::string text_;
  Slice slice_;
  Step step_ = Step::open_old;
  Error failure_ = Error::none;
  Handle file_;
  Op op_;
};

void ConfigRewrite::begin(Step step) {
  step_ = step;
  op_.result = {};
  op_.handle = file_;
  op_.offset = 0;
  op_.flags = {};
  op_.path = step == Step::open_old ? path_ : step == Step::sync_directory ? directory_ : new_path_;
  switch (step) {
    case Step::open_old:
      op_.kind = OpKind::open;
      op_.flags.read = true;
      break;
    case Step::size: op_.kind = OpKind::file_size; break;
    case Step::read:
      op_.kind = OpKind::read;
      op_.into = std::as_writable_bytes(std::span<char>(text_));
      break;
    case Step::open_new:
      op_.kind = OpKind::open;
      op_.flags.write = op_.flags.create = op_.flags.truncate = true;
      break;
    case Step::write:
      op_.kind = OpKind::write;
      slice_ = as_slice(text_);
      op_.gather = std::span<const Slice>(&slice_, 1);
      break;
    case Step::sync: op_.kind = OpKind::sync; break;
    case Step::rename:
      op_.kind = OpKind::rename;
      op_.path_to = path_;
      break;
    case Step::sync_directory: op_.kind = OpKind::sync_directory; break;
    case Step::remove_new: op_.kind = OpKind::remove; break;
  }
  node_.env().submit(op_);
}

void ConfigRewrite::on_done() {
  const Error error = op_.result.error;
  if (step_ == Step::remove_new) return end(failure_);
  if (error != Error::none && !(step_ == Step::open_old && error == Error::not_found)) {
    close();
    if (step_ < Step::write || step_ > Step::rename) return end(error);
    failure_ = error;
    return begin(Step::remove_new);
  }
  switch (step_) {
    case Step::open_old:
      file_ = op_.result.handle;
      if (error == Error::none) return begin(Step::size);
      break;
    case Step::size:
      if (op_.result.bytes > kLargestFile) {
        close();
        return end(Error::invalid);
      }
      text_.resize(op_.result.bytes);
      return begin(Step::read);
    case Step::read:
      text_.resize(op_.result.bytes);
      close();
      break;
    case Step::open_new: file_ = op_.result.handle; return begin(Step::write);
    case Step::write: return begin(Step::sync);
    case Step::sync: close(); return begin(Step::rename);
    case Step::rename: return begin(Step::sync_directory);
    case Step::sync_directory:
    case Step::remove_new: return end(Error::none);
  }
  text_ = node_.config().rewritten(text_);
  begin(Step::open_new);
}

void ConfigRewrite::close() {
  if (file_) node_.env().close(file_);
  file_ = {};
}

void ConfigRewrite::end(Error error) {
  Node& node = node_;
  if (error != Error::none) {
    node.log(LogLevel::warning,
             fmt::format("CONFIG REWRITE of {} failed: {}", path_, describe(error)));
  }
  std::string text;
  if (error != Error::none) {
    // As the C library words errors, which is what Redis repeats here.
    std::string reason(describe(error));
    reason[0] = to_upper(reason.substr(0, 1))[0];
    text = fmt::format("ERR Rewriting config file: {}", reason);
  }
  node.finish_deferred(reply_, text);
  node.end_job(*this);
}

void config_get_command(Context& c) {
  const auto found = c.node.config().get(c.args.subspan(2));
  c.reply.map(found.size());
  for (const auto& [name, value] : found) {
    c.reply.bulk(name);
    c.reply.bulk(value);
  }
}

void config_set_command(Context& c) {
  if (c.args.size() % 2 != 0) {
    c.syntax_error();
    return;
  }
  std::string error;
  if (!c.node.config().set(c.args.subspan(2), &error, is_local(c.session))) {
    c.error(error);
    return;
  }
  c.node.settings_changed();
  c.reply.ok();
}

void config_resetstat_command(Context& c) {
  const uint64_t peak = c.node.stats().peak_memory;
  c.node.stats() = Stats{};
  c.node.stats().peak_memory = peak;
  c.node.commands().reset_statistics();
  c.reply.ok();
}

void config_rewrite_command(Context& c) {
  if (c.node.config().file().empty()) {
    c.error("ERR The server is running without a config file");
    return;
  }
  c.node.add_job(std::make_unique<ConfigRewrite>(c.node, c.defer()));
}

void config_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "GET <pattern> [<pattern> ...]",
      "    Return the directives whose names match a glob-like <pattern>, with their values.",
      "SET <directive> <value> [<directive> <value> ...]",
      "    Set the directives to these values: all of them or none.",
      "RESETSTAT",
      "    Set the counters that INFO shows to zero.",
      "REWRITE",
      "    Write the values in use into the configuration file.",
  };
  reply_help(c, lines);
}

// What the subcommands have in common, but HELP.
constexpr Command config_row(Command row) {
  row.flags = kAdmin | kNoScript | kLoading | kStale;
  row.group = "server";
  return row;
}

constexpr Command config_subcommands[] = {
    config_row(
        {.name = "get",
         .arity = -3,
         .since = "2.0.0",
         .complexity = "O(N) when N is the number of configuration parameters provided",
         .summary = "Get the values of configuration parameters",
         .arguments = "parameter:{parameter:string}...",
         .history = "7.0.0: Added the ability to pass multiple pattern parameters in one call",
         .handler = config_get_command}),
    help_row({.since = "5.0.0", .group = "server", .handler = config_help_command}),
    config_row({.name = "resetstat",
                .arity = 2,
                .since = "2.0.0",
                .complexity = "O(1)",
                .summary = "Reset the stats returned by INFO",
                .handler = config_resetstat_command}),
    config_row({.name = "rewrite",
                .arity = 2,
                .since = "2.8.0",
                .complexity = "O(1)",
                .summary = "Rewrite the configuration file with the in memory configuration",
                .handler = config_rewrite_command}),
    config_row({.name = "set",
                .arity = -4,
                .since = "2.0.0",
                .complexity = "O(N) when N is the number of configuration parameters provided",
                .summary = "Set configuration parameters to the given values",
                .tips = kAllNodesSucceed,
                .arguments = "parameter_value:{parameter:string value:string}...",
                .history = "7.0.0: Added the ability to set multiple parameters in one call.",
                .handler = config_set_command}),
};

constexpr Command config_rows[] = {
    {.name = "config",
     .arity = -2,
     .since = "2.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for server configuration commands",
     .subcommands = config_subcommands},
};

}  // namespace

std::span<const Command> config_commands() {
  return config_rows;
}

}  // namespace redoubt
