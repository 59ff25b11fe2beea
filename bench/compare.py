#!/usr/bin/env python3
"""Compares build/redoubt-server with redis-server 7.0.15 on this machine, in one run.

Rates: each round starts either server afresh, alternating who goes first, loads a million keys and
runs redis-benchmark (50 connections, 64-byte values, random keys out of the million) with 16
requests a pipeline and with one, then 500 connections with one. The server has one core to itself
and the load the other. CPU is the server's user and system time by /proc/PID/stat, all its threads,
divided by the requests. A ratio is ours by the reference's in the same round; the table shows the
median over the rounds.

Memory: 16-byte keys with 32-byte values are loaded in steps; at each the process's resident memory
is divided by the keys. "total" counts the whole process, "net" what it grew by since it was empty.

What Redoubt is to reach (docs/architecture.md) stands beside what it reached.
"""

import argparse
import csv
import io
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEYS = 1_000_000
TICKS = os.sysconf("SC_CLK_TCK")

# name, redis-benchmark's test, pipeline, connections, requests, targets (rate at least, CPU at most)
RATES = [
    ("set-p16", "set", 16, 50, 3_000_000, 2.8, 0.34),
    ("get-p16", "get", 16, 50, 3_000_000, 2.8, 0.34),
    ("mset-p16", "mset", 16, 50, 400_000, None, None),
    ("incr-p16", "incr", 16, 50, 2_000_000, None, None),
    ("set-p1", "set", 1, 50, 400_000, None, 0.82),
    ("get-p1", "get", 1, 50, 400_000, None, 0.82),
    ("mset-p1", "mset", 1, 50, 200_000, None, None),
    ("incr-p1", "incr", 1, 50, 400_000, None, None),
    ("set-c500", "set", 1, 500, 400_000, None, None),
    ("get-c500", "get", 1, 500, 400_000, None, None),
]
MEMORY_SIZES = [1_000_000, 1_300_000, 1_600_000, 2_000_000]
# name, with a time to live, bytes a key at most: mean and worst over the sizes
MEMORY = [("memory", False, 80, 90), ("memory-ttl", True, 95, None)]


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


def run_benchmark(server, test, pipeline, connections, requests, core):
    """One redis-benchmark run: requests/s, and microseconds of the server's CPU a request."""
    command = ["taskset", "-c", str(core), "redis-benchmark", "-h", "127.0.0.1",
               "-p", str(server.port), "-t", test, "-P", str(pipeline), "-c", str(connections),
               "-n", str(requests), "-r", str(KEYS), "-d", "64", "--csv"]
    before = server.cpu_seconds()
    output = subprocess.run(command, check=True, capture_output=True, text=True,
                            stdin=subprocess.DEVNULL).stdout
    cpu = server.cpu_seconds() - before
    rows = [row for row in csv.reader(io.StringIO(output)) if len(row) > 1 and row[0] != "test"]
    if len(rows) != 1:
        sys.exit(f"redis-benchmark said: {output}")
    return float(rows[0][1]), cpu / requests * 1e6


class Comparison:
    def __init__(self, options):
        self.options = options
        # The highest core is the least disturbed.
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            sys.exit("the comparison needs two cores: one for the server, one for the load")
        self.server_core, self.load_core = cores[-1], cores[0]
        os.sched_setaffinity(0, {self.load_core})
        self.result = {"rates": {}, "memory": {}}

    def start(self, who):
        options = self.options
        if who == "ours":
            extra = options.subject_args.split()
            return Server(options.subject, free_port(), self.server_core, extra)
        return Server(options.reference, free_port(), self.server_core)

    def chosen(self, name):
        return not self.options.only or any(part in name for part in self.options.only.split(","))

    def measure_rates(self):
        rates = [row for row in RATES if self.chosen(row[0])]
        if not rates:
            return
        samples = {row[0]: {"ours": [], "reference": []} for row in rates}
        for number in range(self.options.rounds):
            order = ["ours", "reference"] if number % 2 == 0 else ["reference", "ours"]
            for who in order:
                print(f"round {number + 1} of {self.options.rounds}: {who}", file=sys.stderr)
                server = self.start(who)
                try:
                    load_keys(server.port, 0, KEYS, 64)
                    for name, test, pipeline, connections, requests, _, _ in rates:
                        requests //= 5 if self.options.quick else 1
                        samples[name][who].append(run_benchmark(
                            server, test, pipeline, connections, requests, self.load_core))
                finally:
                    server.stop()
        for row in rates:
            self.add_rate(row, samples[row[0]])

    def add_rate(self, row, samples):
        name, _, _, _, _, rate_target, cpu_target = row
        pairs = list(zip(samples["ours"], samples["reference"]))
        median = statistics.median
        entry = {
            "rate": median(ours[0] for ours, _ in pairs),
            "rate_reference": median(reference[0] for _, reference in pairs),
            "rate_ratio": median(ours[0] / reference[0] for ours, reference in pairs),
            "rate_target": rate_target,
            "cpu_us": median(ours[1] for ours, _ in pairs),
            "cpu_us_reference": median(reference[1] for _, reference in pairs),
            "cpu_ratio": median(ours[1] / reference[1] for ours, reference in pairs),
            "cpu_target": cpu_target,
            "rounds": samples,
        }
        entry["reached"] = ((rate_target is None or entry["rate_ratio"] >= rate_target)
                            and (cpu_target is None or entry["cpu_ratio"] <= cpu_target))
        self.result["rates"][name] = entry

    def measure_memory(self):
        sizes = [MEMORY_SIZES[0], MEMORY_SIZES[2]] if self.options.quick else MEMORY_SIZES
        for name, ttl, mean_target, worst_target in MEMORY:
            if not self.chosen(name):
                continue
            entry = {"sizes": sizes, "mean_target": mean_target, "worst_target": worst_target}
            for who in ("ours", "reference"):
                print(f"{name}: {who}", file=sys.stderr)
                entry[who] = self.bytes_a_key(who, sizes, ttl)
            total = entry["ours"]["total"]
            entry["reached"] = (statistics.mean(total) <= mean_target
                                and (worst_target is None or max(total) <= worst_target))
            self.result["memory"][name] = entry

    def bytes_a_key(self, who, sizes, ttl):
        server = self.start(who)
        try:
            empty = server.settled_bytes()
            figures = {"empty": empty, "total": [], "net": []}
            loaded = 0
            for size in sizes:
                load_keys(server.port, loaded, size - loaded, 32, ttl, spread=True)
                loaded = size
                resident = server.settled_bytes()
                figures["total"].append(resident / size)
                figures["net"].append((resident - empty) / size)
            return figures
        finally:
            server.stop()


def verdict(reached, has_target=True):
    return "" if not has_target else "reached" if reached else "MISSED"


def limit(sign, target):
    return "" if target is None else f"{sign} {target}"


def print_rates(rates):
    print(f"\n{'':10} {'requests/s':>22} {'':>15} {'CPU us a request':>17}\n"
          f"{'':10} {'ours':>11} {'reference':>11} {'ratio':>6} {'target':>7} "
          f"{'ours':>8} {'reference':>10} {'ratio':>6} {'target':>7}")
    for name, e in rates.items():
        has_target = e["rate_target"] is not None or e["cpu_target"] is not None
        print(f"{name:10} {e['rate']:11,.0f} {e['rate_reference']:11,.0f} {e['rate_ratio']:6.2f} "
              f"{limit('>=', e['rate_target']):>7} {e['cpu_us']:8.2f} {e['cpu_us_reference']:10.2f} "
              f"{e['cpu_ratio']:6.2f} {limit('<=', e['cpu_target']):>7}  "
              f"{verdict(e['reached'], has_target)}")


def print_memory(memory):
    for name, e in memory.items():
        print(f"\n{name}: 16-byte keys, 32-byte values, bytes a key")
        print(f"{'':16}" + "".join(f"{size / 1e6:>7.1f} M" for size in e["sizes"])
              + f"{'mean':>9}{'worst':>9}")
        for who in ("ours", "reference"):
            for kind in ("total", "net"):
                values = e[who][kind]
                row = values + [statistics.mean(values), max(values)]
                print(f"{who + ' ' + kind:16}" + "".join(f"{value:9.1f}" for value in row))
        print(f"{'target':16}{'':{9 * len(e['sizes'])}}{limit('<=', e['mean_target']):>9}"
              f"{limit('<=', e['worst_target']):>9}  {verdict(e['reached'])}")


def main():
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="a fifth of the requests, two rounds, two sizes")
    parser.add_argument("--only", metavar="NAMES",
                        help="what contains one of these, comma separated: "
                        + " ".join([row[0] for row in RATES] + [row[0] for row in MEMORY]))
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--json", metavar="FILE", help="write all figures there too")
    parser.add_argument("--subject", default=os.path.join(TOP, "build/redoubt-server"))
    parser.add_argument("--subject-args", default="", metavar="ARGS",
                        help="more arguments for our server, one string")
    parser.add_argument("--reference", default=os.path.join(TOP, "build/reference/redis-server"))
    options = parser.parse_args()
    options.subject = os.path.abspath(options.subject)
    options.reference = os.path.abspath(options.reference)
    options.rounds = options.rounds or (2 if options.quick else 5)

    comparison = Comparison(options)
    comparison.measure_rates()
    comparison.measure_memory()
    result = comparison.result
    if not result["rates"] and not result["memory"]:
        parser.error(f"--only {options.only} names no test")
    if result["rates"]:
        print_rates(result["rates"])
    if result["memory"]:
        print_memory(result["memory"])
    if options.json:
        with open(options.json, "w") as out:
            json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
