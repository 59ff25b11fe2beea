#!/usr/bin/env python3
"""Exchanges RDB files with a redis-server, both ways, and compares what it has.

    rdb_exchange.py RDBTOOL REDIS_SERVER [SEEDS]

What our writer writes as version 10, of databases at random, the server has to load; what it saves
then has to read as what was written. And values that the server made are read, written by us and
loaded by it again: DEBUG DIGEST has to be the same.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "server"))
from harness import ReplyError, Server  # noqa: E402 (it is beside us only now)


def run(*command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"{command[1:]}: {done.stderr.decode()}")
    return done.stdout.decode()


def keys_of(tool, path):
    """What is in a file, without what a server of version 10 does not keep."""
    keys = {}
    for text in run(tool, "dump", path).splitlines():
        line = json.loads(text)
        if "key" not in line:
            continue
        if line["type"] == "stream":
            for group in line["value"]["groups"]:
                for consumer in group["consumers"]:
                    del consumer["active_ms"]
        if line["type"] == "zset":
            line["value"] = [[member, float(score)] for member, score in line["value"]]
        keys[line["db"], line["key"]] = line
    return keys


class Reference(Server):
    """A redis-server that has loaded a file, if one is given."""

    def __init__(self, binary, folder, path=None):
        self.folder = folder
        os.makedirs(folder)
        if path is not None:
            shutil.copy(path, os.path.join(folder, "dump.rdb"))
        super().__init__("--dir", folder, "--enable-debug-command", "yes", "--dbfilename",
                         "dump.rdb", binary=binary)
        with self.client() as client:
            while True:
                try:
                    client.call("PING")
                    return
                except ReplyError:  # it is loading
                    time.sleep(0.01)

    def saved(self):
        with self.client() as client:
            client.call("SAVE")
        return os.path.join(self.folder, "dump.rdb")

    def digest(self):
        with self.client() as client:
            return client.call("DEBUG", "DIGEST")


def differences(ours, theirs):
    for name, line in ours.items():
        if name not in theirs:
            return f"{name} was not loaded"
        if theirs[name] != line:
            return f"{name}: {json.dumps(theirs[name])[:600]} instead of {json.dumps(line)[:600]}"
    return f"{list(theirs.keys() - ours.keys())[:3]} came in addition" if len(ours) != len(theirs) else None


def text(rng, most):
    length = rng.choice((0, 1, 3, 11, 20, 21, 63, 64, 65, most))
    kind = rng.random()
    if kind < 0.3:
        return str(rng.choice((0, 1, -1, 12, 127, 128, -129, 32768, 2**31 - 1, 2**31, -2**31,
                               -2**31 - 1, 2**63 - 1, -2**63, 4095, 4096, -4097, 8388607, 8388608)))
    if kind < 0.6:
        return bytes([rng.randrange(97, 100)]) * length
    return rng.randbytes(length)


def fill(client, rng):
    """Values of all types and encodings, around the sizes at which encodings change."""
    for i in range(40):
        client.call("SET", f"string{i}", text(rng, 5000))
    client.call("SET", "large", b"large " * 100_000)
    client.call("APPEND", "appended", "12345")
    for count in (1, 2, 127, 128, 129, 511, 512, 513, 3000):
        for most in (20, 64, 65, 300):
            name = f"{count}:{most}"
            texts = [text(rng, most) for _ in range(count)]
            client.call("RPUSH", "list" + name, *texts)
            client.call("SADD", "set" + name, *texts)
            client.call("HSET", "hash" + name, *[x for each in texts for x in (each, text(rng, most))])
            scores = [rng.choice((0, 1, 1.5, -1e300, 1e-7, float("inf"), float("-inf"),
                                  rng.random(), 2**53, 1e21)) for _ in texts]
            client.call("ZADD", "zset" + name, *[x for pair in zip(map(repr, scores), texts) for x in pair])
        for bits in (15, 31, 62):
            numbers = [rng.randrange(-2**bits, 2**bits) for _ in range(count)]
            client.call("SADD", f"ints{count}:{bits}", *numbers)
    client.call("RPUSH", "list:huge", *[rng.randbytes(9000) for _ in range(5)], "x")
    for i, count in enumerate((0, 1, 99, 100, 101, 400)):
        name = f"stream{i}"
        for k in range(count):
            fields = [x for _ in range(rng.choice((1, 1, 1, 2, 3))) for x in ("f", text(rng, 30))]
            client.call("XADD", name, f"{k // 3 + 1}-{k % 3 + 1}", *fields)
        client.call("XGROUP", "CREATE", name, "g", "0", "MKSTREAM")
        client.call("XGROUP", "CREATE", name, "at-end", "$")
        client.call("XGROUP", "CREATECONSUMER", name, "g", "idle")
        if count:
            client.call("XREADGROUP", "GROUP", "g", "c1", "COUNT", count // 2 + 1, "STREAMS", name, ">")
            client.call("XREADGROUP", "GROUP", "g", "c2", "COUNT", 5, "STREAMS", name, ">")
            client.call("XDEL", name, "1-1", "5-1")
            client.call("XACK", name, "g", "2-1", "2-2")
    client.call("PEXPIREAT", "string1", 4102444800123)
    client.call("SELECT", 9)
    client.call("SET", "elsewhere", "1")
    client.call("SELECT", 0)


def written_by_us(tool, binary, seed, folder):
    path = os.path.join(folder, f"ours{seed}.rdb")
    run(tool, "random", str(seed), "10", path)
    ours = keys_of(tool, path)
    # Keys whose time is over are not loaded: here, all that have one.
    ours = {name: line for name, line in ours.items() if line["expire_ms"] is None}
    with Reference(binary, os.path.join(folder, f"server{seed}"), path) as server:
        return differences(ours, keys_of(tool, server.saved()))


def made_by_server(tool, binary, seed, folder):
    with Reference(binary, os.path.join(folder, f"maker{seed}")) as maker:
        with maker.client() as client:
            fill(client, random.Random(seed))
        path = maker.saved()
        digest = maker.digest()
    theirs = keys_of(tool, path)
    for form in ("10", "auto"):
        again = os.path.join(folder, f"again{seed}.{form}.rdb")
        run(tool, "convert", path, form, again)
        with Reference(binary, os.path.join(folder, f"taker{seed}{form}"), again) as taker:
            if taker.digest() != digest:
                return f"form {form}: another DEBUG DIGEST; " + str(
                    differences(theirs, keys_of(tool, taker.saved())))
            why = differences(theirs, keys_of(tool, taker.saved()))
            if why:
                return f"form {form}: {why}"
    return None


def main():
    tool, binary = map(os.path.abspath, sys.argv[1:3])
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    failed = 0
    for seed in range(1, seeds + 1):
        folder = tempfile.mkdtemp(prefix="redoubt-rdb-")
        try:
            for way in (written_by_us, made_by_server):
                why = way(tool, binary, seed, folder)
                if why is not None:
                    print(f"{way.__name__}, seed {seed}: {why}")
                    failed += 1
        finally:
            shutil.rmtree(folder)
    print(f"{2 * seeds} exchanges, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
