// redoubt-server: a node in the production world.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/command/command_table.h"
#include "engine/config/config.h"
#include "engine/node/node.h"
#include "engine/node/version.h"
#include "net/uring/process_facts.h"
#include "net/uring/uring_backend.h"
#include "server/allocator.h"
#include "server/assembly/assemble.h"
#include "server/check_files.h"
#include "server/process.h"
#include "server/system.h"

// What jemalloc reads when the process begins. A reply of gigabytes is freed in pieces of 64 KB:
// they go back to the system within seconds, also when nothing else happens.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";

namespace redoubt {
namespace {

constexpr std::string_view kUsage =
    "Usage: redoubt-server [CONFIG-FILE] [--NAME VALUE ...]\n"
    "\n"
    "Starts a node. CONFIG-FILE has the syntax of redis.conf; \"-\" reads it from standard input.\n"
    "Directives on the command line come after those of the file and overrule them.\n"
    "\n"
    "  redoubt-server                                 port 6379 of every address; clients of "
    "other\n"
    "                                                 hosts are refused until there is a password\n"
    "  redoubt-server /etc/redoubt.conf --port 7000\n"
    "  redoubt-server --bind 127.0.0.1 --maxmemory 1gb --maxmemory-policy allkeys-lru\n"
    "\n"
    "Looking at files, without a node:\n"
    "  --check-rdb FILE          says whether an RDB file is whole\n"
    "  --dump-rdb FILE           prints its contents, a JSON object in each line\n"
    "  --check-aof FILE [--fix]  the same for an append-only file, or all files of a manifest; "
    "with\n"
    "                            --fix what is behind the last whole entry is cut off\n"
    "\n"
    "  -h, --help       shows this\n"
    "  -v, --version    shows the version\n";

// Begins as tools expect it that look for the version of a Redis.
std::string version_line() {
  const std::string allocator = read_allocator_facts().name;
  return fmt::format(
      "Redis server v={} sha=00000000:0 malloc={} bits=64 build=0000000000000000 (Redoubt {})\n",
      Settings().reported_redis_version, allocator.empty() ? "libc" : allocator, kRedoubtVersion);
}

// Reads file and arguments. False: *error is the reason: one line, or a list of what is missing.
bool configure(std::vector<std::string> arguments, Config& config, std::string* error) {
  if (!arguments.empty() && !arguments[0].starts_with("--")) {
    const std::string path = arguments[0];
    arguments.erase(arguments.begin());
    std::string text;
    std::string why;
    if (!read_file(path, &text, &why)) {
      *error = fmt::format("{}: {}", path, why);
      return false;
    }
    if (!config.parse_file(path, text, read_file, error, find_files)) return false;
    if (path != "-") config.set_file(absolute(path));
  }
  if (!config.parse_arguments(arguments, error)) return false;
  const std::vector<std::string> missing = config.missing();
  if (!missing.empty()) {
    *error = "the configuration asks for what this server does not have:";
    for (const std::string& line : missing) *error += "\n  " + line;
    return false;
  }
  config.set_working_directory(absolute(config.settings().dir));
  return CommandTable(all_commands()).rename(config.renamed_commands(), error);
}

void greet(Node& node, const Process& process, int64_t pid) {
  node.log(LogLevel::notice, fmt::format("Redoubt {} starts, pid {}", kRedoubtVersion, pid));
  for (const std::string& note : process.notes()) node.log(LogLevel::warning, note);
  const std::string without_effect = node.config().without_effect();
  if (!without_effect.empty()) {
    node.log(LogLevel::notice, "Settings that change nothing here: " + without_effect);
  }
}

void on_stop(void* owner, int signal) {
  Node& node = *static_cast<Node*>(owner);
  const bool interrupt = signal == SIGINT;
  const std::vector<std::string>& options =
      interrupt ? node.settings().shutdown_on_sigint : node.settings().shutdown_on_sigterm;
  const auto has = [&](std::string_view option) {
    return std::find(options.begin(), options.end(), option) != options.end();
  };
  using Saving = StopRequest::Saving;
  node.stop(
      {.reason = fmt::format("Received {}: stopping in order.", interrupt ? "SIGINT" : "SIGTERM"),
       .saving = has("save")     ? Saving::yes
                 : has("nosave") ? Saving::no
                                 : Saving::if_configured,
       .force = has("force")});
}

// The node answers its clients.
void on_started(void* owner, Error error) {
  Node& node = *static_cast<Node*>(owner);
  if (error != Error::none) return node.env().backend().request_exit(1);
  node.log(LogLevel::notice,
           fmt::format("Ready to accept connections{}",
                       node.tcp_port() == 0 ? std::string(" on a unix socket")
                                            : fmt::format(" on port {}", node.tcp_port())));
  node.env().backend().report(ServiceState::ready, "Ready to accept connections");
}

// Runs a node until it ends. Returns only when it could not start: *why says why not.
void serve(Process& process, std::unique_ptr<Config> config, std::string* why) {
  UringOptions options;
  if (!process.world_options(config->settings(), &options, why)) return;
  const std::unique_ptr<UringBackend> backend = UringBackend::create(options, why);
  if (backend == nullptr) return;
  Env env(*backend);
  const std::unique_ptr<Node> made = make_node(env, std::move(config));
  Node& node = *made;
  process.add_world(*backend, on_stop, &node);
  greet(node, process, backend->process_facts().pid);
  if (!node.listen(why)) {
    node.log(LogLevel::warning, *why);
    process.remove_world(*backend, 1);
    return;
  }
  node.log(LogLevel::notice, "Server initialized");
  node.start(on_started, &node);
  process.remove_world(*backend, backend->run(env));
  process.end(process.exit_status());
}

int run(Process& process, const std::vector<std::string>& arguments) {
  auto config = make_config();
  std::string error;
  if (configure(arguments, *config, &error) && process.begin(*config, &error)) {
    serve(process, std::move(config), &error);
  }
  fmt::print(stderr, "redoubt-server: {}\n", error);
  return 1;
}

}  // namespace
}  // namespace redoubt

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const std::string& argument : arguments) {
    if (argument == "-h" || argument == "--help") {
      fmt::print("{}", redoubt::kUsage);
      return 0;
    }
    if (argument == "-v" || argument == "--version") {
      fmt::print("{}", redoubt::version_line());
      return 0;
    }
  }
  int status = 0;
  if (redoubt::run_file_mode(arguments, &status)) return status;
  redoubt::Process process(argc, argv);
  return redoubt::run(process, arguments);
}
