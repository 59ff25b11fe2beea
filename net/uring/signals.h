// SIGTERM and SIGINT. The first asks the loop to stop in order; a second ends the process at once,
// from within the handler, because the loop may be stuck in a command.
#pragma once

namespace redoubt {

// SIGPIPE and SIGHUP do nothing from now on: a broken pipe is an error of its write, and a terminal
// that goes away is no reason to stop.
void ignore_signals();

// From now on a stop signal adds 1 to the event descriptor wake_fd. One listener in a process.
void catch_stop_signals(int wake_fd);
// Back to the system's own behaviour.
void release_stop_signals();
// Whether a stop signal has come.
bool stop_signalled();

}  // namespace redoubt
