// A seccomp filter turns a call that is not on its list into SIGSYS; the handler of that says which
// call it was. Signals that are blocked when SIGSYS comes would make it a silent death. The C
// library blocks all of them before it makes a thread or a process, so that what it does just
// before is forbidden too: a mapping for a stack, and blocking signals.
#include "sim/program/sandbox.h"

#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace redoubt::sim {
namespace {

constexpr int kNeeded[] = {
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mprotect),
    // what was opened before, and the report
    SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek),
    SCMP_SYS(ioctl), SCMP_SYS(clock_gettime),
    // the end, also that of a failed assertion
    SCMP_SYS(exit_group), SCMP_SYS(exit), SCMP_SYS(futex), SCMP_SYS(gettid), SCMP_SYS(getpid),
    SCMP_SYS(tgkill), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn)};

constexpr int kCallsMax = 512;
constexpr size_t kNameBytes = 32;

// The names of all calls, made beforehand: a signal handler cannot ask for them.
char call_names[kCallsMax][kNameBytes];
void (*say_last_words)() = nullptr;

void learn_names() {
  for (int call = 0; call < kCallsMax; ++call) {
    char* const name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
    if (name == nullptr) continue;
    std::strncpy(call_names[call], name, kNameBytes - 1);
    std::free(name);
  }
}

const char* name_of(int call) {
  if (call == SCMP_SYS(mmap)) return "mmap of a stack, as for a thread,";
  if (call == SCMP_SYS(rt_sigprocmask)) return "rt_sigprocmask, as for a new process,";
  const bool known = call >= 0 && call < kCallsMax && call_names[call][0] != '\0';
  return known ? call_names[call] : "of an unknown number";
}

void on_forbidden_call(int, siginfo_t* info, void*) {
  char line[128] = "redoubt-sim: system call ";
  std::strncat(line, name_of(info->si_syscall), kNameBytes + 16);
  std::strcat(line, " is not allowed in a simulation\n");
  const ssize_t written = write(STDERR_FILENO, line, std::strlen(line));
  static_cast<void>(written);  // there is nobody left to tell
  if (say_last_words != nullptr) say_last_words();
  _exit(kStopped);
}

void allow_if(scmp_filter_ctx filter, int call, scmp_arg_cmp condition) {
  seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

void add_rules(scmp_filter_ctx filter) {
  for (const int call : kNeeded) seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  allow_if(filter, SCMP_SYS(mmap), {3, SCMP_CMP_MASKED_EQ, MAP_STACK, 0});
  allow_if(filter, SCMP_SYS(rt_sigprocmask), {0, SCMP_CMP_EQ, SIG_UNBLOCK, 0});
  allow_if(filter, SCMP_SYS(rt_sigprocmask), {0, SCMP_CMP_EQ, SIG_SETMASK, 0});
}

}  // namespace

void lock_the_door(void (*last_words)()) {
  if (kSanitized) return;
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
  if (filter == nullptr) return;
  learn_names();
  say_last_words = last_words;
  struct sigaction action = {};
  action.sa_sigaction = on_forbidden_call;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  add_rules(filter);
  seccomp_load(filter);
  seccomp_release(filter);
}

}  // namespace redoubt::sim
