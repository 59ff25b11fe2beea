#include "net/uring/process_facts.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace redoubt {
namespace {

uint64_t microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

uint64_t page_bytes() {
  return static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t resident_bytes() {
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0;
  unsigned long long resident = 0;
  const int fields = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return fields == 2 ? resident * page_bytes() : 0;
}

std::string os_line() {
  utsname names{};
  if (uname(&names) != 0) return "unknown";
  return std::string(names.sysname) + " " + names.release + " " + names.machine;
}

std::string executable_path() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  facts.pid = getpid();
  facts.resident_bytes = resident_bytes();
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    facts.user_cpu_us = microseconds(usage.ru_utime);
    facts.system_cpu_us = microseconds(usage.ru_stime);
  }
  if (getrusage(RUSAGE_THREAD, &usage) == 0) {
    facts.main_thread_user_cpu_us = microseconds(usage.ru_utime);
    facts.main_thread_system_cpu_us = microseconds(usage.ru_stime);
  }
  if (getrusage(RUSAGE_CHILDREN, &usage) == 0) {
    facts.children_user_cpu_us = microseconds(usage.ru_utime);
    facts.children_system_cpu_us = microseconds(usage.ru_stime);
  }
  facts.os = os_line();
  facts.total_memory_bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * page_bytes();
  facts.executable = executable_path();
  return facts;
}

uint64_t raise_file_limit(uint64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  if (limit.rlim_max < wanted) {
    const rlimit raised{wanted, wanted};  // with CAP_SYS_RESOURCE only
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
  }
  const rlimit raised{std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace redoubt
