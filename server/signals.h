// SIGTERM and SIGINT. The first asks the worlds of the process to stop in order; a second ends the
// process at once, from within the handler, because a loop may be stuck in a command.
#pragma once

namespace redoubt {

// SIGPIPE and SIGHUP do nothing from now on: a broken pipe is an error of its write, and a terminal
// that goes away is no reason to stop.
void ignore_signals();

// From now on a stop signal adds 1 to each of the event descriptors that add_stop_descriptor() was
// given. Once in a process.
void catch_stop_signals();
// Back to the system's own behaviour.
void release_stop_signals();
// Event descriptors to write to. At most kStopDescriptorsMax at a time.
inline constexpr int kStopDescriptorsMax = 64;
void add_stop_descriptor(int fd);
void remove_stop_descriptor(int fd);
// The first stop signal that has come; 0 when none has.
int stop_signal();

}  // namespace redoubt
