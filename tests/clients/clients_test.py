#!/usr/bin/env python3
"""Libraries that stand on scripts, each doing what it is for, on a node with the append-only log.

A flow is a program of its own in the library's language, which gets the ports of its servers and
ends with 0 when all was as it should be. After it the data is read, the node stopped and started
again, and the data has to be the same. install.sh installs what the flows need; a flow whose
library is not there is skipped. REDOUBT_SERVER=build/reference/redis-server shows that the flows
themselves are right.
"""

import os
import shutil
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "server"))
from harness import TOP, ServerTest  # noqa: E402 (it is beside us only now)

MODULES = os.path.join(TOP, "build/clients/node_modules")
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's packages
DATABASES = 3  # that flows use
SECONDS_MAX = 90  # of a flow; it takes ten


def missing_modules(*names):
    """What a flow in Node lacks, or None."""
    if shutil.which("node") is None:
        return "node"
    # Left by install.sh when it is done.
    whole = os.path.exists(os.path.join(TOP, "build/clients/installed-lock.json"))
    return next((f"npm's {name}" for name in names
                 if not whole or not os.path.isdir(os.path.join(MODULES, name))), None)


def missing_import(*names):
    """What a flow in Python lacks, or None."""
    return next((f"python3-{name.replace('_', '-')}" for name in names if subprocess.run(
        [PYTHON, "-c", f"import {name}"], capture_output=True, check=False).returncode != 0), None)


def missing_gem(name):
    if shutil.which("ruby") is None:
        return "ruby"
    found = subprocess.run(["ruby", "-e", f"require '{name}'"], capture_output=True, check=False)
    return None if found.returncode == 0 else f"ruby-{name}"


# How the value of a type is read.
READS = {
    "string": lambda client, key: client.call("GET", key),
    "list": lambda client, key: client.call("LRANGE", key, 0, -1),
    "set": lambda client, key: sorted(client.call("SMEMBERS", key)),
    "zset": lambda client, key: client.call("ZRANGE", key, 0, -1, "WITHSCORES"),
    "hash": lambda client, key: (lambda flat: dict(zip(flat[::2], flat[1::2])))(
        client.call("HGETALL", key)),
    "stream": lambda client, key: client.call("XRANGE", key, "-", "+"),
}


def contents(client):
    """All keys of all databases, with their values and deadlines, but those that soon expire."""
    found = {}
    for database in range(DATABASES):
        client.call("SELECT", database)
        for key in client.call("KEYS", "*"):
            deadline = client.call("PEXPIRETIME", key)
            if deadline == -1 or client.call("PTTL", key) > 300_000:
                kind = client.call("TYPE", key)
                found[database, key] = kind, deadline, READS[kind](client, key)
    return found, client.call("FUNCTION", "LIST", "WITHCODE")


class Flows(ServerTest):
    maxDiff = 2000

    def node(self, directory):
        return self.server("--appendonly", "yes", "--dir", directory)

    def flow(self, missing, program, file, servers=1, arguments=()):
        if missing is not None:
            print(f"\nskipped: {self.id().split('.')[-1]}: {missing} is not installed", flush=True)
            self.skipTest(f"{missing} is not installed")
        directories = [self.directory() for _ in range(servers)]
        nodes = [self.node(directory) for directory in directories]
        ports = [str(node.port) for node in nodes]
        self.run_program([program, os.path.join(HERE, file), *ports, *arguments])
        before = contents(self.client(nodes[0]))
        self.assertEqual(nodes[0].terminate(), 0, nodes[0].output()[-2000:])
        self.assertEqual(contents(self.client(self.node(directories[0]))), before)

    def run_program(self, command):
        """In a group of its own, so that it ends with all that it has started."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace",
                                   start_new_session=True,
                                   env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
        late = ""
        try:
            output, _ = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            late = f", after {SECONDS_MAX} s"
        self.assertEqual(process.returncode, 0, f"it wrote{late}: ...\n{output[-6000:]}")

    def test_bullmq(self):
        self.flow(missing_modules("bullmq", "ioredis"), "node", "bullmq_flow.mjs",
                  arguments=["bullmq"])

    def test_bullmq_5(self):
        self.flow(missing_modules("bullmq-5", "ioredis"), "node", "bullmq_flow.mjs",
                  arguments=["bullmq-5"])

    def test_celery(self):
        self.flow(missing_import("celery", "redis"), PYTHON, "celery_flow.py")

    def test_ioredis(self):
        self.flow(missing_modules("ioredis"), "node", "ioredis_flow.mjs")

    def test_limits(self):
        self.flow(missing_import("redis", "limits", "flask_limiter"), PYTHON, "limits_flow.py")

    def test_rate_limiter_flexible(self):
        self.flow(missing_modules("rate-limiter-flexible", "ioredis"), "node",
                  "rate_limiter_flow.mjs")

    def test_redlock(self):
        self.flow(missing_modules("redlock", "redlock-5", "ioredis"), "node", "redlock_flow.mjs",
                  servers=3)

    def test_sidekiq(self):
        self.flow(missing_gem("sidekiq"), "ruby", "sidekiq_flow.rb")


if __name__ == "__main__":
    unittest.main()
