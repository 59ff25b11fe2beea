// The walls around a simulation: whoever looks at the real world is stopped there and then, and
// named.
#pragma once

namespace redoubt::sim {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// The exit status of a process that the walls have stopped: that of a violation.
constexpr int kStopped = 1;

// From here on a system call that a simulation does not need ends the process with a line on
// standard error, such as "redoubt-sim: system call openat is not allowed in a simulation", and the
// status kStopped. Sanitizers need more than that, and some kernels forbid it; then there are no
// walls. `last_words` is called before that process ends, where a signal handler is called.
void lock_the_door(void (*last_words)() = nullptr);

}  // namespace redoubt::sim
