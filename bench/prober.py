"""A process that asks a server for PONG, back to back, and remembers the longest wait.

One ping is always under way, so whatever holds the server up is seen whole. A wait is told twice:
as the clock has it, and without the time in which the server's main thread, or the prober, was
ready to run but had no core (/proc/PID/task/TID/schedstat, second number). What is left is what the
server did itself, or was blocked by, and the kernel's way from one to the other.

Runs as `prober.py PORT PID CORE`: begins at a line "begin", and answers a line "end" with the longest
wait, the longest without waiting for a core, both in ms, the number of pings, and the wait in ms that
99 of 100 pings do not exceed. `Prober` is the other end.
"""

import array
import gc
import os
import select
import socket
import subprocess
import sys
import time


class Prober:
    def __init__(self, server, core):
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), str(server.port), str(server.process.pid), str(core)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.process.stdout.readline()

    def begin(self):
        self.process.stdin.write("begin\n")
        self.process.stdout.readline()

    def end(self):
        """(longest wait in ms, the longest without what the scheduler took, pings). The wait that
        99 of 100 of them do not exceed is in p99_ms then."""
        self.process.stdin.write("end\n")
        longest, own, pings, p99 = self.process.stdout.readline().split()
        self.p99_ms = float(p99)
        return float(longest), float(own), int(pings)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Runnable:
    """How long a thread has been ready to run without a core, in nanoseconds so far."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDONLY)

    def waited(self):
        return int(os.pread(self.file, 100, 0).split()[1])


def probe(connection, schedulers, until):
    longest = own = 0
    waits = array.array("q")
    before = sum(s.waited() for s in schedulers)
    while not until.poll(0):
        begun = time.monotonic_ns()
        connection.sendall(b"PING\r\n")
        if connection.recv(64) != b"+PONG\r\n":
            sys.exit("PING was not answered with PONG")
        took = time.monotonic_ns() - begun
        after = sum(s.waited() for s in schedulers)
        longest = max(longest, took)
        own = max(own, took - (after - before))
        before = after
        waits.append(took)
    p99 = sorted(waits)[len(waits) * 99 // 100] if waits else 0
    return longest / 1e6, own / 1e6, len(waits), p99 / 1e6


def main():
    port, pid, core = (int(word) for word in sys.argv[1:])
    os.sched_setaffinity(0, {core})
    try:  # so that who fills the server does not hold up who watches it
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass
    gc.disable()
    schedulers = [Runnable(f"/proc/{pid}/task/{pid}/schedstat"), Runnable("/proc/thread-self/schedstat")]
    until = select.poll()
    until.register(sys.stdin, select.POLLIN)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("ready", flush=True)
        while sys.stdin.readline():
            print("begun", flush=True)
            figures = probe(connection, schedulers, until)
            sys.stdin.readline()
            print(*figures, flush=True)


if __name__ == "__main__":
    main()
