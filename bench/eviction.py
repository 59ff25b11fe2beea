#!/usr/bin/env python3
"""Compares the hit ratios of build/redoubt-server and redis-server as caches, in one run.

Either server gets room for the same share of the keys by count: it is filled without a limit first
to see what a key takes, then started afresh with maxmemory set to its memory when empty plus that
share. The load is the same for both: keys from a Zipf distribution, GET, and SET on a miss. The
first part of the requests warms the cache up and is not counted.

A pipelined load finishes in seconds, and the access clocks of both servers count seconds (LRU) or
minutes (LFU), so the load is spread over time: --seconds sets how long a run takes at least.

volatile-ttl is a check that keys with less time to live go first: the mean time to live of the
keys that are left, as a share of the mean if exactly those with the most time were left. It is an
approximation by samples in both servers and varies with the run, so "not below" allows for 2 %.
"""

import argparse
import os
import random
import shutil
import socket
import sys
import tempfile
import time
import subprocess
from bisect import bisect_left
from itertools import accumulate

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VALUE = b"x" * 100


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, binary, *arguments):
        self.port = free_port()
        self.directory = tempfile.mkdtemp(prefix="redoubt-bench-")
        self.process = subprocess.Popen(
            [binary, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.directory,
             "--save", "", "--appendonly", "no", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port), 30)
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit(f"{binary} did not start")
                time.sleep(0.02)
        self.reader = self.socket.makefile("rb")

    def exchange(self, requests):
        """Sends (words, ...) in one pipeline; the replies, None for null, bytes for bulk strings."""
        self.socket.sendall(b"".join(encode(words) for words in requests))
        return [self.reply() for _ in requests]

    def reply(self):
        line = self.reader.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            if rest == b"-1":
                return None
            return self.reader.read(int(rest) + 2)[:-2]
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            sys.exit(f"error reply: {rest.decode()}")
        return rest

    def info(self, field):
        text = self.exchange([(b"INFO", b"everything")])[0].decode()
        return int(next(line for line in text.splitlines() if line.startswith(field + ":"))
                   .split(":")[1])

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def encode(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def key_of(number):
    return b"key:%012d" % number


class Zipf:
    def __init__(self, keys, exponent, seed):
        self.random = random.Random(seed)
        self.sums = list(accumulate((i + 1) ** -exponent for i in range(keys)))
        order = list(range(keys))
        self.random.shuffle(order)
        self.order = order

    def draw(self, count):
        total, sums, order = self.sums[-1], self.sums, self.order
        return [order[bisect_left(sums, self.random.random() * total)] for _ in range(count)]


def limit_for(binary, options):
    """maxmemory that leaves room for the share of the keys."""
    server = Server(binary)
    empty = server.info("used_memory")
    room = int(options.keys * options.share)
    for first in range(0, room, 1000):
        server.exchange([(b"SET", key_of(i), VALUE) for i in range(first, min(first + 1000, room))])
    time.sleep(0.5)
    used = server.info("used_memory")
    server.stop()
    return used, empty


def hit_ratio(binary, policy, maxmemory, options):
    server = Server(binary, "--maxmemory", str(maxmemory), "--maxmemory-policy", policy,
                    "--maxmemory-samples", str(options.samples))
    zipf = Zipf(options.keys, options.exponent, options.seed)
    counted = hits = 0
    batch = 200
    rounds = options.requests // batch
    begun = time.monotonic()
    for number in range(rounds):
        wanted = zipf.draw(batch)
        replies = server.exchange([(b"GET", key_of(i)) for i in wanted])
        missed = [i for i, reply in zip(wanted, replies) if reply is None]
        if missed:
            server.exchange([(b"SET", key_of(i), VALUE) for i in dict.fromkeys(missed)])
        if number >= rounds * options.warm_up:
            counted += batch
            hits += batch - len(missed)
        ahead = begun + options.seconds * number / rounds - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    kept = server.exchange([(b"DBSIZE",)])[0]
    server.stop()
    return hits / counted, kept


def remaining_ttl(binary, maxmemory, options):
    server = Server(binary, "--maxmemory", str(maxmemory), "--maxmemory-policy", "volatile-ttl",
                    "--maxmemory-samples", str(options.samples))
    drawn = random.Random(options.seed)
    written = []
    for first in range(0, options.keys, 500):
        requests = []
        for i in range(first, min(first + 500, options.keys)):
            ttl = drawn.randrange(1000, 100000)
            written.append(ttl)
            requests.append((b"SET", key_of(i), VALUE, b"EX", b"%d" % ttl))
        server.exchange(requests)
    left = []
    for first in range(0, options.keys, 1000):
        replies = server.exchange([(b"TTL", key_of(i))
                                   for i in range(first, min(first + 1000, options.keys))])
        left += [ttl for ttl in replies if ttl > 0]
    server.stop()
    best = sorted(written, reverse=True)[:len(left)]
    return sum(left) / sum(best), len(left)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench eviction", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--share", type=float, default=0.2, help="of the keys that there is room for")
    parser.add_argument("--exponent", type=float, default=0.99)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20, help="a run takes at least")
    parser.add_argument("--warm-up", type=float, default=0.3, help="share that is not counted")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policies", default="allkeys-lru,allkeys-lfu,allkeys-random,volatile-ttl")
    parser.add_argument("--only", choices=("ours", "reference"))
    parser.add_argument("--subject", default=os.path.join(TOP, "build/redoubt-server"))
    parser.add_argument("--reference", default=os.path.join(TOP, "build/reference/redis-server"))
    options = parser.parse_args()
    servers = {"ours": options.subject, "reference": options.reference}
    if options.only:
        servers = {options.only: servers[options.only]}
    limits = {who: limit_for(binary, options)[0] for who, binary in servers.items()}
    print(f"{'':16}" + "".join(f"{who:>12}{'keys':>9}" for who in servers))
    missed = False
    for policy in options.policies.split(","):
        row = {}
        for who, binary in servers.items():
            if policy == "volatile-ttl":
                row[who] = remaining_ttl(binary, limits[who], options)
            else:
                row[who] = hit_ratio(binary, policy, limits[who], options)
        verdict = ""
        if len(row) == 2:
            allowance = 0.98 if policy == "volatile-ttl" else 1
            below = row["ours"][0] < row["reference"][0] * allowance
            verdict = "  BELOW" if below else "  not below"
            missed = missed or below
        print(f"{policy:16}" + "".join(f"{value:12.4f}{kept:9}" for value, kept in row.values())
              + verdict, flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
