#include "server/system.h"

#include <glob.h>
#include <grp.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "net/uring/errors.h"

namespace redoubt {
namespace {

constexpr const char* kOomScoreFile = "/proc/self/oom_score_adj";

bool read_stream(std::FILE* file, std::string* text) {
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
    text->append(buffer, got);
  }
  return std::ferror(file) == 0;
}

}  // namespace

bool use_cpus(const std::string& list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const char* at = list.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const long first = std::strtol(at, &end, 10);
    const long last = *end == '-' ? std::strtol(end + 1, &end, 10) : first;
    const long step = *end == ':' ? std::strtol(end + 1, &end, 10) : 1;
    for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE && step > 0; cpu += step) {
      CPU_SET(static_cast<size_t>(cpu), &set);
    }
    at = *end == ',' ? end + 1 : end;
    if (*end != ',' && *end != '\0') return false;
  }
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

std::optional<int> oom_score_adj() {
  std::FILE* file = std::fopen(kOomScoreFile, "re");
  if (file == nullptr) return std::nullopt;
  int score = 0;
  const bool read = std::fscanf(file, "%d", &score) == 1;
  std::fclose(file);
  return read ? std::optional<int>(score) : std::nullopt;
}

bool set_oom_score_adj(int score) {
  std::FILE* file = std::fopen(kOomScoreFile, "we");
  if (file == nullptr) return false;
  const bool written = std::fprintf(file, "%d", score) > 0;
  return std::fclose(file) == 0 && written;
}

std::optional<int64_t> group_number(const std::string& name) {
  const group* found = getgrnam(name.c_str());
  if (found == nullptr) return std::nullopt;
  return static_cast<int64_t>(found->gr_gid);
}

bool read_file(const std::string& path, std::string* text, std::string* why) {
  errno = 0;
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "re");
  const bool ok = file != nullptr && read_stream(file, text);
  if (!ok) *why = errno == 0 ? "cannot be read" : std::string(describe(error_from_errno(errno)));
  if (file != nullptr && file != stdin) std::fclose(file);
  return ok;
}

std::vector<std::string> find_files(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return paths;
}

std::string absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? path : std::string(resolved);
}

}  // namespace redoubt
