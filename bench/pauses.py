#!/usr/bin/env python3
"""How long does a big value hold a server up, while it grows and when it goes?

A value of each type is grown from empty, a few elements a command, and removed: by DEL, UNLINK,
FLUSHALL, FLUSHALL ASYNC, its deadline, or eviction. Meanwhile a second connection sends PING back to
back. A cell is the longest wait for PONG in ms over the whole span, which ends when the memory is free
again; behind the slash the longest wait less the time in which the server's main thread, or the
prober, had no core (bench/prober.py). A star marks a cell in which the latter is above the limit: the
server held itself up. Where only the former is, somebody else had the core, which can be the
server's own thread that frees memory: all of its threads share one core here.

The cost of fresh memory is the machine's: a guest whose host backs its memory only when it is touched
may take 10 ms for a huge page that takes a real machine 0.2. --small-pages leaves huge pages out.

The rows "idle" and "busy" are the noise of the machine: nothing happens, or one small key is written
again and again as quickly as elements are. No cell can be below them.
"""

import argparse
import ctypes
import os
import socket
import sys
import time

from prober import Prober
from servers import Server, encode, free_port

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WAYS = ["grow", "del", "unlink", "flushall", "async", "expire", "evict"]
KEY = "value"
MARK = b"$4\r\n~~~~\r\n"  # the reply to ECHO ~~~~, the end of a batch
NAMES = ["list", "set", "set-integers", "hash", "hash-deadlines", "zset", "stream", "stream-pending",
         "string", "string-set", "keys", "keys-deadlines"]
PR_SET_THP_DISABLE = 41
BATCH = 500  # elements under way: a ping waits for these in any case
NUMBER = "NNNNNNNNNNNN"  # stands for the 12 digits of an element's number


class Shape:
    """How a value grows: commands of `head` and the arguments of `count` elements; behind a batch of
    elements come the commands `behind`."""

    def __init__(self, name, head, element, count=50, before=(), behind=None, spread=False, newer=False,
                 ways=WAYS):
        self.name = name
        self.before = before  # commands on the empty server
        self.spread = spread  # numbers in an order that looks random
        self.newer = newer  # than Redis 7.0
        self.ways = ways
        batch = encode(head + element * count) * (BATCH // count)
        for command in behind or []:
            batch += encode(command)
        self.numbers = batch.count(NUMBER.encode()) // BATCH  # in the arguments of an element
        self.batch = (batch + encode(["ECHO", "~~~~"])).replace(NUMBER.encode(), b"%012d")

    def fill(self, connection, elements, check):
        for first in range(0, elements, BATCH):
            numbers = range(first, first + BATCH)
            if self.spread:  # 3**18 has no factor in common with 10**12, so no number comes twice
                numbers = [i * 387420489 % 10**12 for i in numbers]
            if self.numbers == 2:
                numbers = [i for i in numbers for _ in range(2)]
            connection.batch(self.batch % tuple(numbers) if self.numbers else self.batch)
            if first % 100_000 == 0:
                check()


class Text:
    """A string that grows by APPEND, or comes in one SET."""

    newer = False
    before = ()
    PIECE = 64 * 1024

    def __init__(self, name, at_once, bytes_wanted):
        self.name = name
        self.at_once = at_once
        self.bytes = bytes_wanted
        self.ways = WAYS

    def fill(self, connection, elements, check):
        if self.at_once:
            connection.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(KEY), KEY.encode(), self.bytes))
            for _ in range(0, self.bytes, self.PIECE):
                connection.send(b"x" * self.PIECE)
            connection.batch(b"\r\n" + encode(["ECHO", "~~~~"]))
            return
        batch = encode(["APPEND", KEY, "x" * self.PIECE]) + encode(["ECHO", "~~~~"])
        for at in range(0, self.bytes, self.PIECE):
            connection.batch(batch)
            if at % (64 << 20) == 0:
                check()


def shapes(options):
    """All of them; elements have 12 digits, or 20 bytes with them."""
    member = "element:" + NUMBER
    deadline = int(time.time() * 1000) + 10**9
    read = ["XREADGROUP", "GROUP", "group", "consumer", "COUNT", BATCH, "STREAMS", KEY, ">"]
    xadd = ["XADD", KEY, "*", "field"]
    return [
        Shape("list", ["RPUSH", KEY], [member]),
        Shape("set", ["SADD", KEY], [member]),
        Shape("set-integers", ["SADD", KEY], [NUMBER], spread=True),
        Shape("hash", ["HSET", KEY], [member, "value:" + NUMBER]),
        Shape("hash-deadlines", ["HSETEX", KEY, "PXAT", deadline, "FIELDS", 50], [member, "value:" + NUMBER], newer=True),
        Shape("zset", ["ZADD", KEY], [NUMBER, member], spread=True),
        Shape("stream", xadd, ["value:" + NUMBER], count=1),
        Shape("stream-pending", xadd, ["value:" + NUMBER], count=1, behind=[read],
              before=[["XGROUP", "CREATE", KEY, "group", "0", "MKSTREAM"]]),
        Text("string", False, options.string_mb << 20),
        Text("string-set", True, options.string_mb << 20),
        Shape("keys", ["SET"], ["key:" + NUMBER, "x" * 32], count=1, ways=["grow", "flushall", "async", "evict"]),
        Shape("keys-deadlines", ["SET"], ["key:" + NUMBER, "x" * 32, "PXAT", deadline], count=1,
              ways=["grow", "flushall", "async", "evict"]),
    ]


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def batch(self, data):
        """Sends commands, the last of which is ECHO, and waits for its reply."""
        self.socket.sendall(data)
        replies = self.socket.recv(1 << 20)
        while not replies.endswith(MARK):
            replies = replies[-len(MARK):] + self.socket.recv(1 << 20)
            if b"\n-" in replies:
                break
        if replies[:1] == b"-" or b"\n-" in replies:
            sys.exit(f"while a value grew: {replies[:200]!r}")

    def ask(self, *words):
        """The reply as text; an error reply begins with a minus."""
        self.socket.sendall(encode(words))
        return self.reply()

    def reply(self):
        line = self.reader.readline().decode()
        if line[0] == "$" and line != "$-1\r\n":
            return self.reader.read(int(line[1:]) + 2).decode()[:-2]
        if line[0] == "*":
            return [self.reply() for _ in range(int(line[1:]))]
        return line[:-2]

    def memory(self):
        """Bytes in use, and objects that wait to be freed."""
        fields = dict(line.split(":", 1) for line in self.ask("INFO", "memory").splitlines() if ":" in line)
        return int(fields["used_memory"]), int(fields["lazyfree_pending_objects"])

    def used_memory(self):
        return self.memory()[0]

    def all_free(self, low):
        used, pending = self.memory()
        return used <= low and pending == 0


class Cell:
    """The longest waits of one span, or of several."""

    def __init__(self, longest=0.0, own=0.0, pings=0):
        self.longest, self.own, self.pings = longest, own, pings

    def add(self, longest, own, pings):
        self.longest = max(self.longest, longest)
        self.own = max(self.own, own)
        self.pings += pings

    def text(self, limit):
        return f"{self.longest:.2f}/{self.own:.2f}{'*' if self.own > limit else ' '}"


class Subject:
    """A server under watch, fresh for each shape."""

    def __init__(self, binary, options):
        self.options = options
        cores = sorted(os.sched_getaffinity(0))
        self.server = Server(binary, free_port(), cores[-1])
        self.prober = Prober(self.server, cores[0])
        self.connection = Connection(self.server.port)
        self.ask("CONFIG", "SET", "latency-monitor-threshold", max(1, int(options.limit)))
        self.empty = self.connection.used_memory()

    def ask(self, *words):
        reply = self.connection.ask(*words)
        if reply[:1] == "-":
            sys.exit(f"{words}: {reply}")
        return reply

    def check_memory(self):
        if self.server.resident_bytes() > self.options.memory_max_mb << 20:
            raise MemoryError

    def watch(self, cell, action):
        self.prober.begin()
        try:
            action()
        finally:
            cell.add(*self.prober.end())

    def grow(self, shape, cell):
        for command in shape.before:
            self.ask(*command)
        self.watch(cell, lambda: shape.fill(self.connection, self.options.elements, self.check_memory))

    def remove(self, way, cell):
        grown = self.connection.used_memory()
        low = self.empty + (grown - self.empty) // 20 + (1 << 20)

        def action():
            self.begin_removal(way, low)
            deadline = time.monotonic() + 120
            while not self.connection.all_free(low) and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(0.5)  # what is still given back to the system

        self.watch(cell, action)
        self.ask("CONFIG", "SET", "maxmemory", "0")
        left = self.connection.used_memory()
        self.ask("FLUSHALL")
        if left > low:
            print(f"  {way}: {left} bytes are still there, {grown} there were", file=sys.stderr)

    def begin_removal(self, way, low):
        if way in ("del", "unlink"):
            self.ask(way, KEY)
        elif way == "flushall":
            self.ask("FLUSHALL", "SYNC")
        elif way == "async":
            self.ask("FLUSHALL", "ASYNC")
        elif way == "expire":
            self.ask("PEXPIRE", KEY, 1)
        else:
            self.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
            self.ask("CONFIG", "SET", "maxmemory", low)
            while self.connection.used_memory() > low and int(self.ask("DBSIZE")[1:]) > 0:
                self.connection.ask("SETEX", "small", 1, "x")

    def latency_events(self):
        """What the server itself noted above the limit, and forgets now."""
        events = [f"{event[0]} {event[3][1:]} ms" for event in self.connection.ask("LATENCY", "LATEST")]
        self.ask("LATENCY", "RESET")
        return events

    def stop(self):
        self.prober.stop()
        self.server.stop()


def measure(who, binary, shape, options):
    """The cells of a row, by way."""
    row = {}
    events = []
    subject = Subject(binary, options)
    try:
        for way in [w for w in shape.ways if w != "grow" and w in options.ways]:
            print(f"{who}: {shape.name}, {way}", file=sys.stderr)
            subject.grow(shape, row.setdefault("grow", Cell()))
            events += [f"grow: {event}" for event in subject.latency_events()]
            subject.remove(way, row.setdefault(way, Cell()))
            events += [f"{way}: {event}" for event in subject.latency_events()]
    except MemoryError:
        print(f"  above {options.memory_max_mb} MB: left off", file=sys.stderr)
    finally:
        subject.stop()
    return row, events


def measure_noise(binary, options):
    subject = Subject(binary, options)
    idle, busy = Cell(), Cell()
    write = Shape("busy", ["SET", KEY], ["value:" + NUMBER], count=1)
    try:
        subject.watch(idle, lambda: time.sleep(options.idle_seconds))
        subject.watch(busy, lambda: write.fill(subject.connection, options.elements, subject.check_memory))
    finally:
        subject.stop()
    return {"idle": idle, "busy": busy}


def print_row(name, row, options, events=()):
    print(f"{name:16}" + "".join(f"{row[way].text(options.limit) if way in row else '':>16}" for way in WAYS),
          flush=True)
    for event in events:
        print(f"{'':18}noted by the server: {event}", flush=True)


def measure_all(who, binary, options):
    print(f"\n{who}: {options.elements:,} elements, strings of {options.string_mb} MB; longest wait for PONG in ms/"
          f"without waiting for a core\n{'':16}" + "".join(f"{way + ' ':>16}" for way in WAYS), flush=True)
    for name, cell in measure_noise(binary, options).items():
        print_row(name, {"grow": cell}, options)
    above = 0
    for shape in options.shapes:
        if shape.newer and who != "ours":
            continue
        row, events = measure(who, binary, shape, options)
        print_row(shape.name, row, options, events)
        above += sum(cell.own > options.limit for cell in row.values())
    print(f"{above} cells above {options.limit:g} ms", flush=True)
    return above


def read_options():
    parser = argparse.ArgumentParser(prog="./dev bench pauses", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elements", type=int, default=10_000_000, help="of a value; default %(default)s")
    parser.add_argument("--string-mb", type=int, default=512, help="size of the strings; default %(default)s")
    parser.add_argument("--limit", type=float, default=2, help="in ms; default %(default)s")
    parser.add_argument("--idle-seconds", type=float, default=10, help="how long the idle server is watched")
    parser.add_argument("--memory-max-mb", type=int, default=4000,
                        help="a value that takes the server further is left off; default %(default)s")
    parser.add_argument("--only", metavar="SHAPES", help="these, comma separated: " + " ".join(NAMES))
    parser.add_argument("--ways", default=",".join(WAYS[1:]), help="how values go; default %(default)s")
    parser.add_argument("--small-pages", action="store_true",
                        help="forbid huge pages to the servers")
    parser.add_argument("--subject", default=os.path.join(TOP, "build/redoubt-server"))
    parser.add_argument("--reference", nargs="?", metavar="BINARY",
                        const=os.path.join(TOP, "build/reference/redis-server"),
                        help="redis-server too")
    return parser, parser.parse_args()


def main():
    parser, options = read_options()
    options.shapes = shapes(options)
    assert [shape.name for shape in options.shapes] == NAMES
    if options.only:
        unknown = set(options.only.split(",")) - set(NAMES)
        if unknown:
            parser.error(f"no shape {', '.join(unknown)}; there are: {' '.join(NAMES)}")
        options.shapes = [shape for shape in options.shapes if shape.name in options.only.split(",")]
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("this needs two cores: one for the server, one for who watches it")
    if options.small_pages:  # servers inherit it
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    above = measure_all("ours", os.path.abspath(options.subject), options)
    if options.reference:
        measure_all("reference", os.path.abspath(options.reference), options)
    sys.exit(1 if above else 0)


if __name__ == "__main__":
    main()
