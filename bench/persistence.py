#!/usr/bin/env python3
"""What keeping data costs, beside redis-server 7.0.15, in one run.

A server has one core to itself, with all of its threads and children; the load and the prober have
another one. Each round starts either server afresh, alternating who goes first; a figure is the
median over the rounds, a ratio ours by the reference's in the same round. Files are in the directory
for temporary files: TMPDIR says on which disk.

save      seconds of SAVE and of loading the file (DEBUG RELOAD NOSAVE), and of the server's CPU
          in them. Keys of 16 bytes with values of 32.
bgsave    BGSAVE of as many keys while 50 connections write to them (SET, 16 a pipeline) as quickly as
          they can: requests/s; memory, the largest while it runs and what that is above the memory
          before; the waits of a connection that sends PING back to back, with BGSAVE and without.
          "Own" is the longest wait less the time in which the server's main thread, or the prober,
          had no core (bench/prober.py): what the server held itself up.
rewrite   the same of BGREWRITEAOF with appendfsync everysec.
aof       requests/s of SET over a million keys with appendonly off, and with appendfsync everysec
          and always; 50 connections.

Memory is the resident memory, and with a child process what it and its parent have in memory
together.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time

from pauses import Connection
from prober import Prober
from servers import Server, configure, free_port, load_keys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = ["save", "bgsave", "rewrite", "aof"]
AOF_KEYS = 1_000_000
PIPELINES = (16, 1)

# What is to be reached: SAVE and load as ratios of the reference's time.
TIME_RATIO = 0.5
EXTRA_MEMORY = 0.10  # of what there was before
PAUSE_MS = 2
EVERYSEC = 0.9  # of the rate with appendonly off
ALWAYS = 1.5  # of the reference's rate


def information(connection, section):
    lines = connection.ask("INFO", section).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return [int(word) for word in listed.read().split()]


def proportional_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no Pss")


class MemoryWatch:
    """The largest memory of a server and its children, looked at twenty times a second."""

    def __init__(self, server):
        self.server = server
        self.largest = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.05):
            self.largest = max(self.largest, self.now())

    def now(self):
        pid = self.server.process.pid
        try:
            others = children(pid)
            if others:
                return sum(proportional_bytes(process) for process in [pid, *others])
        except OSError:  # the child has ended meanwhile
            pass
        return self.server.resident_bytes()

    def stop(self):
        self.over.set()
        self.thread.join()
        return self.largest


class Measurement:
    def __init__(self, options, server_core, load_core):
        self.options = options
        self.server_core, self.load_core = server_core, load_core
        os.sched_setaffinity(0, {load_core})
        self.samples = {}

    def run(self):
        measures = {"save": self.measure_save, "bgsave": self.measure_bgsave,
                    "rewrite": self.measure_rewrite, "aof": self.measure_aof}
        for number in range(self.options.rounds):
            order = ["ours", "reference"] if number % 2 == 0 else ["reference", "ours"]
            for name in self.options.parts:
                for who in order:
                    print(f"round {number + 1} of {self.options.rounds}: {name}, {who}", file=sys.stderr)
                    measures[name](who, number)
        return {name: self.summary(samples) for name, samples in self.samples.items()}

    def add(self, name, who, figures):
        self.samples.setdefault(name, {"ours": [], "reference": []})[who].append(figures)

    @staticmethod
    def summary(samples):
        """The median of each figure, and of its ratio to the reference's in the same round."""
        median = statistics.median
        fields = samples["ours"][0]
        pairs = list(zip(samples["ours"], samples["reference"]))
        result = {who: {f: median(s[f] for s in samples[who]) for f in fields} for who in samples}
        result["ratio"] = {f: median(ours[f] / reference[f] for ours, reference in pairs)
                           for f in fields if all(reference[f] for _, reference in pairs)}
        result["rounds"] = samples
        return result

    def start(self, who, *extra):
        binary = self.options.subject if who == "ours" else self.options.reference
        return Server(binary, free_port(), self.server_core, ["--enable-debug-command", "yes", *extra])

    # --- SAVE and load

    def measure_save(self, who, _):
        server = self.start(who)
        try:
            load_keys(server.port, 0, self.options.keys, 32, spread=True)
            connection = Connection(server.port)
            for name, command in (("save", ["SAVE"]), ("load", ["DEBUG", "RELOAD", "NOSAVE"])):
                cpu = server.cpu_seconds()
                began = time.monotonic()
                reply = connection.ask(*command)
                took = time.monotonic() - began
                if reply != "+OK":
                    sys.exit(f"{command}: {reply}")
                self.add(name, who, {"seconds": took, "cpu": server.cpu_seconds() - cpu})
        finally:
            server.stop()

    # --- in the background, under writes

    def measure_bgsave(self, who, _):
        server = self.start(who)
        self.measure_background("bgsave", who, server, "BGSAVE", "rdb_bgsave_in_progress")

    def measure_rewrite(self, who, _):
        server = self.start(who, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
        self.measure_background("rewrite", who, server, "BGREWRITEAOF", "aof_rewrite_in_progress")

    def measure_background(self, name, who, server, command, field):
        load = prober = None
        try:
            load_keys(server.port, 0, self.options.keys, 32)
            server.settled_bytes()
            load = self.begin_load(server)
            prober = Prober(server, self.load_core)
            connection = Connection(server.port)
            time.sleep(1)
            without = self.watch(server, prober, connection, lambda: time.sleep(self.options.seconds))
            memory = server.resident_bytes()
            running = self.watch(server, prober, connection,
                                 lambda: self.run_background(connection, command, field))
            if load.poll() is not None:
                sys.exit("the load ended before the measurement")
        finally:
            for process in (prober, server):
                if process:
                    process.stop()
            if load:
                load.kill()
                load.wait()
        self.add(name, who, {
            "seconds": running["seconds"], "rate": running["rate"], "rate_without": without["rate"],
            "kept_rate": running["rate"] / without["rate"], "memory_before": memory,
            "extra_memory": running["memory"] / memory - 1,
            **{f: running[f] for f in ("longest", "own", "p99")},
            **{f + "_without": without[f] for f in ("longest", "own", "p99")}})

    def begin_load(self, server):
        command = ["taskset", "-c", str(self.load_core), self.options.load, "--port", str(server.port),
                   "--connections", "50", "--pipeline", "16", "--requests", str(10**12),
                   "--keys", str(self.options.keys), "--", "SET", "key:__rand_int__", "@32"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    @staticmethod
    def run_background(connection, command, field):
        reply = connection.ask(command)
        if reply[:1] != "+":
            sys.exit(f"{command}: {reply}")
        while information(connection, "persistence")[field] != "0":
            time.sleep(0.02)
        status = "rdb_last_bgsave_status" if command == "BGSAVE" else "aof_last_bgrewrite_status"
        if information(connection, "persistence")[status] != "ok":
            sys.exit(f"{command} has failed")

    @staticmethod
    def watch(server, prober, connection, action):
        """Figures of the time that an action takes."""
        memory = MemoryWatch(server)
        requests = int(information(connection, "stats")["total_commands_processed"])
        prober.begin()
        began = time.monotonic()
        action()
        seconds = time.monotonic() - began
        longest, own, _ = prober.end()
        requests = int(information(connection, "stats")["total_commands_processed"]) - requests
        return {"seconds": seconds, "rate": requests / seconds, "memory": memory.stop(),
                "longest": longest, "own": own, "p99": prober.p99_ms}

    # --- the append-only file

    def measure_aof(self, who, number):
        server = self.start(who, "--auto-aof-rewrite-percentage", "0")
        try:
            load_keys(server.port, 0, AOF_KEYS, 32)
            connection = Connection(server.port)
            policies = ["off", "everysec", "always"]
            for pipeline in PIPELINES:
                rates = {}
                for policy in policies if number % 2 == 0 else reversed(policies):
                    self.set_policy(server, connection, policy)
                    rates[policy] = self.rate(server, policy, pipeline)
                for policy in policies:
                    rate, cpu = rates[policy]
                    self.add(f"{policy}-p{pipeline}", who, {
                        "rate": rate, "cpu_us": cpu, "of_off": rate / rates["off"][0],
                        "cpu_of_off": cpu / rates["off"][1]})
        finally:
            server.stop()

    @staticmethod
    def set_policy(server, connection, policy):
        configure(server.port, {"appendonly": "no"} if policy == "off" else
                  {"appendfsync": policy, "appendonly": "yes"})
        while information(connection, "persistence")["aof_rewrite_in_progress"] != "0":
            time.sleep(0.05)
        if policy != "off":  # what the base has left to the disk is not to be measured
            os.sync()

    def rate(self, server, policy, pipeline):
        """Requests/s, and microseconds of the server's CPU a request."""
        requests = (200_000 if policy == "always" else 2_000_000) // self.options.divisor
        requests //= 1 if pipeline > 1 else 5
        command = ["taskset", "-c", str(self.load_core), self.options.load, "--port", str(server.port),
                   "--connections", "50", "--pipeline", str(pipeline), "--requests", str(requests),
                   "--keys", str(AOF_KEYS), "--", "SET", "key:__rand_int__", "@32"]
        before = server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{policy}: {done.stderr}")
        return float(done.stdout.split()[0]), (server.cpu_seconds() - before) / requests * 1e6


# --- what is shown

def verdict(reached):
    return "reached" if reached else "MISSED"


def show_times(result):
    if "save" not in result:
        return
    print(f"\n{'':10} {'seconds':>27} {'':>7} {'seconds of CPU':>24}\n"
          f"{'':10} {'ours':>8} {'reference':>10} {'ratio':>7} {'target':>7} {'ours':>7} {'reference':>10} {'ratio':>6}")
    for name in ("save", "load"):
        e = result[name]
        ours, reference, ratio = e["ours"], e["reference"], e["ratio"]
        print(f"{name:10} {ours['seconds']:8.2f} {reference['seconds']:10.2f} {ratio['seconds']:7.2f} "
              f"{f'<= {TIME_RATIO}':>7} {ours['cpu']:7.2f} {reference['cpu']:10.2f} {ratio['cpu']:6.2f}  "
              f"{verdict(ratio['seconds'] <= TIME_RATIO)}")


def show_background(result):
    named = [name for name in ("bgsave", "rewrite") if name in result]
    if named:
        print(f"\n{'under writes':20} {'':>7} {'requests/s':>22} {'memory':>14} {'PING: ms, with it':>23} "
              f"{'and without':>23}\n{'':20} {'seconds':>7} {'with it':>10} {'of without':>11} {'MB':>6} "
              f"{'extra':>7} {'longest':>8} {'own':>7} {'p99':>6} {'longest':>8} {'own':>7} {'p99':>6}")
    for name in named:
        for who in ("ours", "reference"):
            e = result[name][who]
            print(f"{name + ' ' + who:20} {e['seconds']:7.2f} {e['rate']:10,.0f} {e['kept_rate']:11.2f} "
                  f"{e['memory_before'] / 1e6:6.0f} {e['extra_memory']:7.1%} "
                  f"{e['longest']:8.2f} {e['own']:7.2f} {e['p99']:6.2f} "
                  f"{e['longest_without']:8.2f} {e['own_without']:7.2f} {e['p99_without']:6.2f}")
        e = result[name]["ours"]
        print(f"{'':20} extra memory <= {EXTRA_MEMORY:.0%} {verdict(e['extra_memory'] <= EXTRA_MEMORY)}; "
              f"own <= {PAUSE_MS} ms {verdict(e['own'] <= PAUSE_MS)}")


def show_rates(result):
    named = [f"{policy}-p{pipeline}" for pipeline in PIPELINES for policy in ("off", "everysec", "always")]
    if named[0] not in result:
        return
    print(f"\n{'':14} {'requests/s':>22} {'':>7} {'of off':>16} {'CPU us a request':>17}\n"
          f"{'':14} {'ours':>11} {'reference':>10} {'ratio':>7} {'ours':>6} {'reference':>9} {'ours':>7} {'reference':>9}")
    for name in named:
        e = result[name]
        ours, reference = e["ours"], e["reference"]
        target = ""
        if name.startswith("everysec"):
            target = f"ours of off >= {EVERYSEC} {verdict(ours['of_off'] >= EVERYSEC)}"
        elif name.startswith("always"):
            target = f"ratio >= {ALWAYS} {verdict(e['ratio']['rate'] >= ALWAYS)}"
        print(f"{name:14} {ours['rate']:11,.0f} {reference['rate']:10,.0f} {e['ratio']['rate']:7.2f} "
              f"{ours['of_off']:6.2f} {reference['of_off']:9.2f} {ours['cpu_us']:7.2f} {reference['cpu_us']:9.2f}  {target}")


def show(result):
    show_times(result)
    show_background(result)
    show_rates(result)


def prepare(options):
    """What follows from --quick."""
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.keys = options.keys or (500_000 if options.quick else 2_000_000)
    options.divisor = 5 if options.quick else 1
    options.seconds = 1 if options.quick else 3  # without a BGSAVE


def measure(bench, server_core, load_core):
    """The figures of ./dev bench, with its options: all parts, in one round."""
    options = argparse.Namespace(subject=bench.subject, reference=bench.reference, load=bench.load,
                                 quick=bench.quick, rounds=1, keys=None, parts=NAMES)
    prepare(options)
    return Measurement(options, server_core, load_core).run()


def main():
    parser = argparse.ArgumentParser(prog="./dev bench persistence", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="one round, 500,000 keys, a fifth of the requests")
    parser.add_argument("--only", metavar="PARTS", help="these, comma separated: " + " ".join(NAMES))
    parser.add_argument("--rounds", type=int, help="default 3")
    parser.add_argument("--keys", type=int, help="that are saved; default 2,000,000")
    parser.add_argument("--json", metavar="FILE", help="write all figures there too")
    parser.add_argument("--load", default=os.path.join(TOP, "build/load"), help="the load generator")
    parser.add_argument("--subject", default=os.path.join(TOP, "build/redoubt-server"))
    parser.add_argument("--reference", default=os.path.join(TOP, "build/reference/redis-server"))
    options = parser.parse_args()
    options.subject = os.path.abspath(options.subject)
    options.reference = os.path.abspath(options.reference)
    options.parts = options.only.split(",") if options.only else NAMES
    unknown = set(options.parts) - set(NAMES)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are: {' '.join(NAMES)}")
    prepare(options)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("this needs two cores: one for the server, one for the load")
    # The highest core is the least disturbed.
    result = Measurement(options, cores[-1], cores[0]).run()
    show(result)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
