"""Starts a server, talks RESP to it. For the tests beside this file.

REDOUBT_SERVER names the binary, build/redoubt-server when unset. The tests can be run against
redis-server too (REDOUBT_SERVER=build/reference/redis-server), which shows that they ask for what
clients are used to; those that ask for more are marked @ours_only.
"""

import functools
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(os.environ.get("REDOUBT_SERVER", os.path.join(TOP, "build/redoubt-server")))
REFERENCE = "redis" in os.path.basename(BINARY)

ours_only = unittest.skipIf(REFERENCE, "asks for more than redis-server does")


class ReplyError(Exception):
    """An error reply, with its text."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server in a directory of its own, stopped and checked by close()."""

    def __init__(self, *arguments, config=None, port=None, wait=True, command=(), user=None,
                 bind="127.0.0.1", binary=BINARY, config_directory=None, environment=None,
                 umask=-1):
        self.directory = tempfile.mkdtemp(prefix="redoubt-test-")
        os.chmod(self.directory, 0o755)
        self.port = free_port() if port is None else port
        self.config_path = None
        if user is not None:  # who may not be able to look into where we are
            binary = shutil.copy(binary, self.directory)
            os.chown(self.directory, user, user)
        full = [*command, binary]
        if config is not None:
            self.config_path = os.path.join(config_directory or self.directory, "test.conf")
            with open(self.config_path, "w") as out:
                out.write(config)
            full.append(self.config_path)
        full += ["--port", str(self.port), "--dir", self.directory, "--save", "", "--appendonly",
                 "no"]
        if bind is not None:
            full += ["--bind", bind]
        full += map(str, arguments)
        self.output_path = os.path.join(self.directory, "output")
        with open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(full, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, cwd=self.directory, user=user,
                                            umask=umask, env=dict(os.environ, **(environment or {})))
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    # Whatever else the reply is, data is not being loaded any more.
                    connection.sendall(b"PING\r\n")
                    reply = connection.recv(1000)
                    if reply and not reply.startswith(b"-LOADING"):
                        return
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError(f"the server did not start:\n{self.output()}")

    def output(self):
        with open(self.output_path, errors="replace") as text:
            return text.read()

    def client(self, **options):
        return Client(port=self.port, **options)

    def wait_for_exit(self, seconds=20):
        return self.process.wait(seconds)

    def terminate(self):
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_exit()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def peak_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def alive(self):
        return self.process.poll() is None

    def close(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client:
    """One connection. call() sends a command and returns its reply; errors are raised."""

    def __init__(self, port=None, path=None, host="127.0.0.1", timeout=20):
        if path is not None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *arguments):
        self.send_raw(encode(*arguments))

    def call(self, *arguments):
        self.send(*arguments)
        return self.reply()

    def fill(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("closed by the server")
        return data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.buffer += self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            parts.append(self.fill())
            have += len(parts[-1])
        data = b"".join(parts)
        self.buffer = data[count:]
        return data[:count]

    def reply(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind in b":(":
            return int(rest)
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind in (b"$", b"="):
            if rest == b"-1":
                return None
            data = self.exactly(int(rest) + 2)
            return data[:-2] if kind == b"$" else data[4:-2]
        if kind in (b"*", b"~", b">"):
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"%":
            return {self.reply(): self.reply() for _ in range(int(rest))}
        raise AssertionError(f"not a reply: {line!r}")

    def is_closed(self, seconds=10):
        """True when the server ends the connection in that time; what it still says is dropped."""
        self.socket.settimeout(seconds)
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if not self.socket.recv(1 << 20):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        return False

    def close(self):
        self.socket.close()

    def vanish(self):
        """Ends the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def encode(*arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def info(client, section="all"):
    """INFO as a dictionary of texts."""
    text = client.call("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def is_loading(client):
    """Whether the server, which listens already, does not have its data yet."""
    try:
        client.call("PING")
        return False
    except ReplyError as error:
        return str(error).startswith("LOADING")


def config_get(client, name):
    reply = client.call("CONFIG", "GET", name)
    return reply[1].decode() if reply else None


def eventually(condition, seconds=10):
    """True once the condition holds; False when it still does not after that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class ServerTest(unittest.TestCase):
    """Servers and clients that a test makes through this class end with it."""

    def server(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def directory(self):
        path = tempfile.mkdtemp(prefix="redoubt-test-")
        os.chmod(path, 0o755)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def client(self, server, **options):
        client = server.client(**options)
        self.addCleanup(client.close)
        return client

    def assert_error(self, text, client, *arguments):
        """The call's error reply begins with the text."""
        with self.assertRaises(ReplyError) as caught:
            client.call(*arguments)
        message = str(caught.exception)
        self.assertTrue(message.startswith(text), f"{message!r} does not begin with {text!r}")

    def assert_start_fails(self, *patterns, arguments=(), **options):
        """The server ends at once with a failure; its output matches all patterns."""
        server = self.server(*arguments, wait=False, **options)
        self.assertNotEqual(server.wait_for_exit(), 0)
        for pattern in patterns:
            self.assertRegex(server.output(), pattern)
        return server.output()


def with_server(*arguments, **options):
    """A test method that is called with a server and a client of its own."""

    def decorate(method):
        @functools.wraps(method)
        def run(self):
            server = self.server(*arguments, **options)
            method(self, server, self.client(server))

        return run

    return decorate
