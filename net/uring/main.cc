// redoubt-server: a node in the production world.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/command/command_table.h"
#include "engine/commands/families.h"
#include "engine/config/config.h"
#include "engine/node/node.h"
#include "engine/node/version.h"
#include "net/uring/errors.h"
#include "net/uring/process_facts.h"
#include "net/uring/uring_backend.h"

namespace redoubt {
namespace {

// Descriptors that are not clients': listeners, log, files.
constexpr uint64_t kReservedFiles = 32;

constexpr std::string_view kUsage =
    "Usage: redoubt-server [CONFIG-FILE] [--NAME VALUE ...]\n"
    "\n"
    "Starts a node. CONFIG-FILE has the syntax of redis.conf; \"-\" reads it from standard input.\n"
    "Directives on the command line come after those of the file and overrule them.\n"
    "\n"
    "  redoubt-server                                 port 6379 on loopback\n"
    "  redoubt-server /etc/redoubt.conf --port 7000\n"
    "  redoubt-server --maxmemory 1gb --maxmemory-policy allkeys-lru\n"
    "\n"
    "  -h, --help       shows this\n"
    "  -v, --version    shows the version\n";

bool read_stream(std::FILE* file, std::string* text) {
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
    text->append(buffer, got);
  }
  return std::ferror(file) == 0;
}

bool read_file(const std::string& path, std::string* text, std::string* why) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "re");
  const bool ok = file != nullptr && read_stream(file, text);
  if (!ok) *why = errno == 0 ? "cannot be read" : std::string(describe(error_from_errno(errno)));
  if (file != nullptr && file != stdin) std::fclose(file);
  return ok;
}

std::string absolute(const std::string& path) {
  char resolved[4096];
  return realpath(path.c_str(), resolved) == nullptr ? path : std::string(resolved);
}

// Reads file and arguments. False: *error is the reason in one line.
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
    if (!config.parse_file(path, text, read_file, error)) return false;
    if (path != "-") config.set_file(absolute(path));
  }
  if (!config.parse_arguments(arguments, error)) return false;
  config.set_working_directory(absolute(config.settings().dir));
  return CommandTable(all_families()).rename(config.renamed_commands(), error);
}

// As many clients as file descriptors allow.
void fit_maxclients(Config& config, std::string* note) {
  const uint64_t wanted = config.settings().maxclients;
  const uint64_t files = raise_file_limit(wanted + kReservedFiles);
  if (files >= wanted + kReservedFiles) return;
  const uint64_t possible = files > 2 * kReservedFiles ? files - kReservedFiles : kReservedFiles;
  const std::string value = std::to_string(possible);
  const std::string_view pair[] = {"maxclients", value};
  std::string error;
  if (config.set(pair, &error)) {
    *note = fmt::format(
        "maxclients is {} instead of {}: the process may open {} files. Raise the limit "
        "(ulimit -n) to serve more.",
        possible, wanted, files);
  }
}

int serve(std::unique_ptr<Config> config) {
  std::string note;
  fit_maxclients(*config, &note);
  const std::string& directory = config->settings().dir;
  if (access(directory.c_str(), W_OK | X_OK) != 0) {
    fmt::print(stderr, "redoubt-server: dir {}: {}\n", directory,
               describe(error_from_errno(errno)));
    return 1;
  }
  UringOptions options;
  options.directory = directory;
  options.log_file = config->settings().logfile;
  std::string why;
  const std::unique_ptr<UringBackend> backend = UringBackend::create(options, &why);
  if (backend == nullptr) {
    fmt::print(stderr, "redoubt-server: {}\n", why);
    return 1;
  }
  Env env(*backend);
  Node node(env, std::move(config), all_families());
  node.log(LogLevel::notice,
           fmt::format("Redoubt {} starts, pid {}", kRedoubtVersion, backend->process_facts().pid));
  if (!note.empty()) node.log(LogLevel::warning, note);
  if (!node.listen(&why)) {
    node.log(LogLevel::warning, why);
    fmt::print(stderr, "redoubt-server: {}\n", why);
    return 1;
  }
  backend->set_stop_handler(
      [](void* owner) {
        static_cast<Node*>(owner)->stop("Received a stop signal: ending in order.");
      },
      &node);
  node.log(LogLevel::notice,
           fmt::format("Ready to accept connections{}",
                       node.tcp_port() == 0 ? std::string(" on a unix socket")
                                            : fmt::format(" on port {}", node.tcp_port())));
  return backend->run(env);
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
      fmt::print("Redoubt server v={} (answers as Redis {})\n", redoubt::kRedoubtVersion,
                 redoubt::kRedisVersion);
      return 0;
    }
  }
  auto config = std::make_unique<redoubt::Config>();
  std::string error;
  if (!redoubt::configure(arguments, *config, &error)) {
    fmt::print(stderr, "redoubt-server: {}\n", error);
    return 1;
  }
  return redoubt::serve(std::move(config));
}
