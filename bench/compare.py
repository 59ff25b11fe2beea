#!/usr/bin/env python3
"""Compares build/redoubt-server with redis-server 7.0.15 on this machine, in one run.

Rates: each round starts either server afresh, alternating who goes first, prepares the data and
puts it under load (50 connections; strings: a million keys, 64-byte values) with 16 requests a
pipeline and with one. The server has one core to itself and the load the other. The load is
bench/load.cc: redis-benchmark spends more on a pipelined request than our server, so its core
would be the limit; its own figures for SET and GET stand below for comparison (rb-set, rb-get).
CPU is the server's user and system time by /proc/PID/stat, all its threads, divided by the
requests. A ratio is ours by the reference's in the same round; the table shows the median over the
rounds.

Variants: set-maxmemory, get-maxmemory, hset-maxmemory and zadd-maxmemory are the workload of that
name while maxmemory is 4gb, far above what the data takes, and maxmemory-policy allkeys-lru, on
either server. They alternate with the workload itself on the same server. set-ttl (SET with EX) and
get-ttl run where each key has a time to live of a day or more, on a server of their own. A table
has their rate and CPU divided by those of the workload without, in the same round. To choose a
variant with --only chooses the workload, too.

Memory: 16-byte keys with 32-byte values are loaded in steps; at each the process's resident memory
is divided by the keys. "total" counts the whole process, "net" what it grew by since it was empty.
Elements: what the process grew by, divided by the elements of all collections.

Persistence: ./dev bench persistence says what its figures are; one round of it.

The simulator: simulated seconds and checked commands a second of one core, all checkers on.

What Redoubt is to reach stands beside what it reached.
"""

import argparse
import csv
import io
import json
import math
import os
import statistics
import subprocess
import sys

import persistence
import simulator
from servers import Server, configure, execute, free_port, load_keys
from workloads import (ELEMENTS, KEYS, MAXMEMORY_CPU, MEMORY, MEMORY_SIZES, STRINGS, TARGETS, TYPES,
                       TYPES_CPU, TYPES_LEAST, TYPES_MEAN, VARIANTS)

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Subscribers:
    """Connections that subscribe to a channel and read what comes, in a process of their own."""

    def __init__(self, port, count, core):
        code = ("import socket,select,sys\n"
                "s=[socket.create_connection(('127.0.0.1',int(sys.argv[1]))) for _ in range(int(sys.argv[2]))]\n"
                "for c in s: c.sendall(b'SUBSCRIBE channel\\r\\n'); c.recv(100)\n"
                "b=bytearray(1<<20)\n"
                "print('ready',flush=True)\n"
                "while True:\n"
                " for c in select.select(s,[],[])[0]:\n"
                "  if not c.recv_into(b): sys.exit()\n")
        self.process = subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", code, str(port), str(count)],
                                        stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def stop(self):
        self.process.kill()
        self.process.wait()


def run_load(load, server, workload, pipeline, requests, core):
    """One run of the load: requests/s, and microseconds of the server's CPU a request."""
    command = ["taskset", "-c", str(core), load, "--port", str(server.port), "--connections",
               str(workload.connections), "--pipeline", str(pipeline), "--requests", str(requests),
               "--keys", str(workload.keys), "--", *workload.request]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    cpu = server.cpu_seconds() - before
    if done.returncode != 0:
        sys.exit(f"{workload.name}: {done.stderr}")
    return float(done.stdout.split()[0]), cpu / requests * 1e6


def run_redis_benchmark(server, test, pipeline, connections, requests, core):
    """The same with redis-benchmark."""
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
        self.divisor = 5 if options.quick else 1
        self.samples = {}
        self.result = {"rates": {}, "variants": {}, "memory": {}, "elements": {}}

    def start(self, who):
        options = self.options
        if who == "ours":
            extra = options.subject_args.split()
            return Server(options.subject, free_port(), self.server_core, extra)
        return Server(options.reference, free_port(), self.server_core)

    def chosen(self, name):
        return not self.options.only or name in self.options.only.split(",")

    def wanted(self, workload):
        """Chosen itself, or what a chosen variant is compared with."""
        return self.chosen(workload.name) or any(
            v.beside is workload and self.chosen(v.name) for v in VARIANTS)

    def measure_rates(self):
        """Strings first, over a million keys; then each workload of the types on a fresh server."""
        strings = [w for w in STRINGS if self.wanted(w)]
        cross = [test for test in ("set", "get") if self.chosen("rb-" + test)]
        with_ttl = [w for w in VARIANTS if w.group == "strings-ttl" and self.chosen(w.name)]
        types = [w for w in TYPES if self.wanted(w)]
        for number in range(self.options.rounds):
            order = ["ours", "reference"] if number % 2 == 0 else ["reference", "ours"]
            for who in order:
                print(f"round {number + 1} of {self.options.rounds}: {who}", file=sys.stderr)
                if strings or cross:
                    self.measure_strings(who, number, strings, cross)
                if with_ttl:
                    self.measure_strings(who, number, with_ttl, [], ttl=True)
                for workload in types:
                    self.measure_type(who, number, workload)
        for name, samples in self.samples.items():
            self.add_rate(name, samples)
        for workload in VARIANTS:
            for pipeline in workload.pipelines:
                self.add_variant(workload, pipeline)

    def measure_strings(self, who, number, workloads, cross, ttl=False):
        server = self.start(who)
        try:
            load_keys(server.port, 0, KEYS, 64, ttl)
            for workload in workloads:
                self.measure_workload(who, number, server, workload)
            for test in cross:
                requests = 3_000_000 // self.divisor
                self.add_sample(f"rb-{test}-p16", who, run_redis_benchmark(
                    server, test, 16, 50, requests, self.load_core))
        finally:
            server.stop()

    def measure_type(self, who, number, workload):
        server = self.start(who)
        try:
            self.measure_workload(who, number, server, workload)
        finally:
            server.stop()

    def measure_workload(self, who, number, server, workload):
        """The workload, and its chosen variants that run on the same server, in turn who is first."""
        together = [workload] + [v for v in VARIANTS if v.beside is workload and v.group == workload.group
                                 and self.chosen(v.name)]
        for pipeline in workload.pipelines:
            for each in together if number % 2 == 0 else reversed(together):
                self.measure_requests(who, server, each, pipeline)

    def measure_requests(self, who, server, workload, pipeline):
        requests = max(1, workload.requests // self.divisor)
        requests = max(100, requests if pipeline > 1 else requests // 5)
        if workload.group == "types":  # the others begin with the same million keys
            execute(server.port, [["FLUSHALL"]])
        execute(server.port, workload.prepare(requests))
        before = configure(server.port, workload.config)
        subscribers = (Subscribers(server.port, workload.subscribers, self.load_core)
                       if workload.subscribers else None)
        self.add_sample(f"{workload.name}-p{pipeline}", who, run_load(
            self.options.load, server, workload, pipeline, requests, self.load_core))
        if subscribers:
            subscribers.stop()
        configure(server.port, before)

    def add_sample(self, name, who, sample):
        self.samples.setdefault(name, {"ours": [], "reference": []})[who].append(sample)

    def add_rate(self, name, samples):
        rate_target, cpu_target = TARGETS.get(name, (None, None))
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

    def add_variant(self, workload, pipeline):
        """What the rate and the CPU of a variant are, divided by those without it."""
        samples = self.samples.get(f"{workload.name}-p{pipeline}")
        if samples is None:
            return
        without = self.samples[f"{workload.beside.name}-p{pipeline}"]
        entry = {"cpu_target": MAXMEMORY_CPU if workload.config else None}
        for who in ("ours", "reference"):
            pairs = list(zip(samples[who], without[who]))
            entry[who] = {"rate_ratio": statistics.median(w[0] / wo[0] for w, wo in pairs),
                          "cpu_ratio": statistics.median(w[1] / wo[1] for w, wo in pairs)}
        entry["reached"] = (entry["cpu_target"] is None
                            or entry["ours"]["cpu_ratio"] <= entry["cpu_target"])
        self.result["variants"][f"{workload.name}-p{pipeline}"] = entry

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

    def measure_elements(self):
        for name, commands, count, target in ELEMENTS:
            if not self.chosen(name):
                continue
            entry = {"target": target}
            for who in ("ours", "reference"):
                print(f"{name}: {who}", file=sys.stderr)
                server = self.start(who)
                try:
                    empty = server.settled_bytes()
                    execute(server.port, commands())
                    entry[who] = (server.settled_bytes() - empty) / count
                finally:
                    server.stop()
            entry["reached"] = entry["ours"] <= target
            self.result["elements"][name] = entry


def verdict(reached, has_target=True):
    return "" if not has_target else "reached" if reached else "MISSED"


def limit(sign, target):
    return "" if target is None else f"{sign} {target}"


def print_rates(rates):
    print(f"\n{'':18} {'requests/s':>22} {'':>15} {'CPU us a request':>17}\n"
          f"{'':18} {'ours':>11} {'reference':>11} {'ratio':>6} {'target':>7} "
          f"{'ours':>8} {'reference':>10} {'ratio':>6} {'target':>7}")
    for name, e in rates.items():
        has_target = e["rate_target"] is not None or e["cpu_target"] is not None
        print(f"{name:18} {e['rate']:11,.0f} {e['rate_reference']:11,.0f} {e['rate_ratio']:6.2f} "
              f"{limit('>=', e['rate_target']):>7} {e['cpu_us']:8.2f} {e['cpu_us_reference']:10.2f} "
              f"{e['cpu_ratio']:6.2f} {limit('<=', e['cpu_target']):>7}  "
              f"{verdict(e['reached'], has_target)}")


def print_variants(variants):
    print(f"\nwith maxmemory or a time to live, divided by the same without\n"
          f"{'':18} {'requests/s':>17} {'CPU us a request':>26}\n"
          f"{'':18} {'ours':>7} {'reference':>9} {'ours':>8} {'reference':>9} {'target':>7}")
    for name, e in variants.items():
        ours, reference = e["ours"], e["reference"]
        print(f"{name:18} {ours['rate_ratio']:7.2f} {reference['rate_ratio']:9.2f} "
              f"{ours['cpu_ratio']:8.2f} {reference['cpu_ratio']:9.2f} {limit('<=', e['cpu_target']):>7}  "
              f"{verdict(e['reached'], e['cpu_target'] is not None)}")


def geometric_mean(values):
    return math.exp(statistics.mean(math.log(value) for value in values))


def print_types(rates):
    """What is to be reached by all types together."""
    names = [w.name for w in TYPES]
    piped = {name: rates[f"{name}-p16"]["rate_ratio"] for name in names if f"{name}-p16" in rates}
    single = [rates[f"{name}-p1"]["cpu_ratio"] for name in names if f"{name}-p1" in rates]
    if not piped or not single:
        return
    mean, least, cpu = geometric_mean(piped.values()), min(piped, key=piped.get), geometric_mean(single)
    print(f"\n{len(piped)} workloads of the types: ratio of requests/s with pipeline 16, geometric mean "
          f"{mean:.2f} (>= {TYPES_MEAN}) {verdict(mean >= TYPES_MEAN)}; least {piped[least]:.2f}, {least} "
          f"(>= {TYPES_LEAST}) {verdict(piped[least] >= TYPES_LEAST)}; ratio of CPU without pipeline, "
          f"geometric mean {cpu:.2f} (<= {TYPES_CPU}) {verdict(cpu <= TYPES_CPU)}")


def print_elements(elements):
    print(f"\nbytes an element (hash-10: a hash of 10 fields; integers: a key)\n"
          f"{'':12} {'ours':>8} {'reference':>10} {'target':>7}")
    for name, e in elements.items():
        print(f"{name:12} {e['ours']:8.1f} {e['reference']:10.1f} {limit('<=', e['target']):>7}  "
              f"{verdict(e['reached'])}")


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
    parser.add_argument("--load", default=os.path.join(TOP, "build/load"),
                        help="the load generator")
    names = ([w.name for w in STRINGS] + ["rb-set", "rb-get"] + [w.name for w in TYPES + VARIANTS]
             + [row[0] for row in MEMORY] + [row[0] for row in ELEMENTS] + ["persistence", "simulator"])
    parser.add_argument("--only", metavar="NAMES",
                        help="these, comma separated: " + " ".join(names))
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
    comparison.measure_elements()
    result = comparison.result
    if comparison.chosen("persistence"):
        result["persistence"] = persistence.measure(options, comparison.server_core, comparison.load_core)
    if options.only is None or "simulator" in options.only.split(","):
        result["simulator"] = simulator.measure(comparison.divisor)
    if not any(result.values()):
        parser.error(f"--only {options.only} names no test")
    if result["rates"]:
        print_rates(result["rates"])
        print_types(result["rates"])
    if result["variants"]:
        print_variants(result["variants"])
    if result["memory"]:
        print_memory(result["memory"])
    if result["elements"]:
        print_elements(result["elements"])
    if result.get("persistence"):
        persistence.show(result["persistence"])
    if result.get("simulator"):
        simulator.show(result["simulator"])
    if options.json:
        with open(options.json, "w") as out:
            json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
