"""Servers under measurement: starting them, filling them, what they use."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server process on one core, in a directory of its own."""

    def __init__(self, binary, port, core, extra=()):
        self.port = port
        self.directory = tempfile.mkdtemp(prefix="redoubt-bench-")
        self.log = open(os.path.join(self.directory, "output"), "wb")
        command = ["taskset", "-c", str(core), binary, "--bind", "127.0.0.1", "--port", str(port),
                   "--dir", self.directory, "--save", "", "--appendonly", "no", *extra]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, cwd=self.directory)
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    s.sendall(b"PING\r\n")
                    if s.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log.name, errors="replace") as output:
                    text = output.read()
                self.stop()
                sys.exit(f"the server did not start: {self.process.args}\n{text}")
            time.sleep(0.02)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def settled_bytes(self):
        """Resident memory once background work (rehashing, purging) has calmed down."""
        before = self.resident_bytes()
        for _ in range(20):
            time.sleep(0.5)
            now = self.resident_bytes()
            if abs(now - before) < 64 * 1024:
                return now
            before = now
        return before

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def free_port():
    """The kernel may hold on to a port for a moment after its server has ended."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def load_keys(port, first, count, value_size, ttl=False, spread=False):
    """SETs the keys first .. first+count-1 over one connection, in pipelines of 1000.

    The keys are those of redis-benchmark, "key:000000012345": in order, or with spread in an order
    that looks random.
    """
    middle = b"\r\n$%d\r\n%s\r\n" % (value_size, b"x" * value_size)
    if ttl:
        head, middle = b"*5\r\n$3\r\nSET\r\n$16\r\n", middle + b"$2\r\nEX\r\n$6\r\n%06d\r\n"
    else:
        head = b"*3\r\n$3\r\nSET\r\n$16\r\n"
    one = head + b"key:%012d" + middle
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(60)
        for start in range(first, first + count, 1000):
            numbers = range(start, min(start + 1000, first + count))
            # 3**18 has no factor in common with 10**12, so no key comes twice.
            keys = [i * 387420489 % 10**12 for i in numbers] if spread else numbers
            arguments = []
            for i, key in enumerate(keys):
                arguments += (key, 100_000 + (start + i) % 800_000) if ttl else (key,)
            s.sendall(one * len(numbers) % tuple(arguments))
            expected = 5 * len(numbers)
            reply = b""
            while len(reply) < expected:
                part = s.recv(65536)
                if not part:
                    sys.exit("the server closed the connection while it was loaded")
                reply += part
            if reply != b"+OK\r\n" * len(numbers):
                sys.exit(f"loading: unexpected replies {reply[:200]!r}")


def encode(arguments):
    """A command as RESP; arguments are text or bytes."""
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def execute(port, commands):
    """Executes the commands in order; none may answer with an error."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(120)
        reader = s.makefile("rb")
        waiting = 0
        for command in commands:
            s.sendall(encode(command))
            waiting += 1
            if waiting == 100:
                waiting = read_lines(reader, waiting)
        read_lines(reader, waiting)


def configure(port, settings):
    """CONFIG SET of the settings, a dict; returns what they were before, as one."""
    if not settings:
        return {}
    before = {}
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(10)
        reader = s.makefile("rb")
        for name in settings:
            s.sendall(encode(["CONFIG", "GET", name]))
            # *2, $N, the name, $N, the value
            lines = [reader.readline().rstrip(b"\r\n").decode() for _ in range(5)]
            if lines[0] != "*2" or lines[2] != name:
                sys.exit(f"CONFIG GET {name}: {lines}")
            before[name] = lines[4]
    execute(port, [["CONFIG", "SET", name, value] for name, value in settings.items()])
    return before


def read_lines(reader, count):
    """Reads replies of one line each, as commands that write have them."""
    for _ in range(count):
        line = reader.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            line = reader.readline()
        elif line[:1] not in (b"+", b":", b"$"):
            sys.exit(f"preparing a measurement: {line!r}")
    return 0
