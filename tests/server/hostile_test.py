#!/usr/bin/env python3
"""Clients that mean ill or are broken. Each gets a clear error or is left alone; others keep being
served meanwhile, and afterwards nothing is left: no connection, no file, no memory."""

import os
import re
import resource
import socket
import struct
import threading
import time
import unittest

from harness import (REFERENCE, Client, ReplyError, ServerTest, encode, eventually, info,
                     ours_only, with_server)


def seconds_without_core(task):
    """How long a thread was ready to run while others had the cores, since it began."""
    try:
        with open(f"/proc/{task}/schedstat") as stat:
            return int(stat.read().split()[1]) / 1e9
    except (OSError, IndexError):  # it has ended, or the kernel does not count
        return 0.0


class Bystander:
    """A client that pings every few milliseconds and remembers the longest wait. The time in which
    the server or the client had no core does not count: other tests and builds run beside this."""

    def __init__(self, server):
        self.client = server.client()
        self.tasks = [server.process.pid, "thread-self"]
        self.longest = 0.0
        self.count = 0
        self.failure = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.done.wait(0.005):
                without_core = self.without_core()
                began = time.monotonic()
                if self.client.call("PING") != "PONG":
                    raise AssertionError("not a PONG")
                waited = time.monotonic() - began
                self.longest = max(self.longest, waited - (self.without_core() - without_core))
                self.count += 1
        except Exception as error:  # told to the test when it stops the bystander
            self.failure = error

    def without_core(self):
        return sum(map(seconds_without_core, self.tasks))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.client.close()


class HostileTest(ServerTest):
    def assert_served(self, bystander, longest=2.0):
        self.assertIsNone(bystander.failure)
        self.assertGreater(bystander.count, 0)
        self.assertLess(bystander.longest, longest)

    def before(self, server, client):
        """What assert_nothing_left compares with: open files and bytes in use."""
        client.call("PING")  # now it is accepted
        return server.open_files(), int(info(client)["used_memory"])

    def assert_nothing_left(self, server, client, before):
        """Back to one client, as many open files and as much memory as before."""
        files, memory = before
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "1"),
                        info(client)["connected_clients"])
        self.assertTrue(eventually(lambda: server.open_files() <= files),
                        f"{server.open_files()} files are open, {files} before")

        def now():
            return int(info(client)["used_memory"])

        self.assertTrue(eventually(lambda: now() < memory + 1_000_000),
                        f"{now()} bytes used, {memory} before")


class Protocol(HostileTest):
    @with_server()
    def test_errors_end_the_connection(self, server, client):
        before = self.before(server, client)
        # Redis 7 takes as many arguments as an int can count.
        too_many = b"*2147483648\r\n" if REFERENCE else b"*1048577\r\n"
        cases = [
            (too_many, "Protocol error: invalid multibulk length"),
            (b"*99999999999999999999\r\n", "Protocol error: invalid multibulk length"),
            (b"*x\r\n", "Protocol error: invalid multibulk length"),
            (b"*1\r\nx\r\n", "Protocol error: expected '$', got 'x'"),
            (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"),
            (b"*1\r\n$abc\r\n", "Protocol error: invalid bulk length"),
            (b"GET \"open\r\n", "Protocol error: unbalanced quotes in request"),
            (b"x" * 70000, "Protocol error: too big inline request"),
            (b"*" + b"1" * 70000, "Protocol error: too big mbulk count string"),
            (b"*1\r\n$" + b"1" * 70000, "Protocol error: too big bulk count string"),
        ]
        for data, text in cases:
            with self.subTest(data[:20]):
                hostile = self.client(server)
                hostile.send_raw(b"PING\r\n" + data)
                self.assertEqual(hostile.reply(), "PONG")
                with self.assertRaisesRegex(ReplyError, "ERR " + re.escape(text)):
                    hostile.reply()
                self.assertTrue(hostile.is_closed())
        self.assert_nothing_left(server, client, before)

    @with_server()
    def test_what_is_odd_but_fine(self, server, client):
        client.send_raw(b"*0\r\n*-5\r\n\r\n  \r\nPING\r\n*1\r\n$4\r\nping\r\n")
        self.assertEqual(client.reply(), "PONG")
        self.assertEqual(client.reply(), "PONG")
        client.send_raw(b"SET 'a b' \"\\x00\\n\"\n")
        self.assertEqual(client.reply(), "OK")
        self.assertEqual(client.call("GET", "a b"), b"\0\n")

    @with_server()
    def test_other_protocols(self, server, client):
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500) + b"\r\n",
                     os.urandom(100_000)):
            with self.client(server) as hostile:
                hostile.send_raw(data)
                hostile.vanish()
        with self.client(server) as web:
            web.send_raw(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n")
            self.assertTrue(web.is_closed())
        self.assertEqual(client.call("PING"), "PONG")

    @with_server()
    def test_half_requests_and_silence(self, server, client):
        before = self.before(server, client)
        halves = [b"*", b"*3\r\n$3\r\nSE", b"*2\r\n$3\r\nGET\r\n$1000000\r\nabc", b"GE", b"\"",
                  b"*1048576\r\n", b"*2\r\n$4\r\nECHO\r\n$536870912\r\n"]
        with Bystander(server) as bystander:
            silent = [self.client(server) for _ in range(20) for _ in halves]
            for i, hostile in enumerate(silent):
                hostile.send_raw(halves[i % len(halves)])
            time.sleep(1)
            # A promise of half a gigabyte is not yet half a gigabyte.
            self.assertLess(server.resident_bytes(), 1 << 30)
        self.assert_served(bystander)
        for hostile in silent:
            hostile.vanish()
        self.assert_nothing_left(server, client, before)

    @with_server()
    def test_one_byte_at_a_time(self, server, client):
        for byte in encode("SET", "slow", "value"):
            client.send_raw(bytes([byte]))
            time.sleep(0.001)
        self.assertEqual(client.reply(), "OK")
        self.assertEqual(client.call("GET", "slow"), b"value")

    @with_server()
    def test_many_arguments(self, server, client):
        count = 200_000
        pairs = [x for i in range(count) for x in (b"k%d" % i, b"v")]
        self.assertEqual(client.call("MSET", *pairs), "OK")
        self.assertEqual(client.call("DEL", *pairs[::2]), count)

    @with_server()
    def test_deep_pipelines_of_errors(self, server, client):
        with Bystander(server) as bystander:
            client.send_raw(b"NOSUCH command\r\nGET\r\n" * 20_000)
            for _ in range(40_000):
                with self.assertRaises(ReplyError):
                    client.reply()
        self.assert_served(bystander)


class Unread(HostileTest):
    @with_server("--client-output-buffer-limit", "normal 16mb 0 0")
    def test_the_output_limit_ends_who_does_not_read(self, server, client):
        client.call("SET", "big", "x" * 10_000)
        before = self.before(server, client)
        hostile = self.client(server)
        with Bystander(server) as bystander:
            hostile.socket.settimeout(10)
            with self.assertRaises(OSError):  # reset, or a send that gets nowhere
                for _ in range(1000):
                    hostile.send_raw(encode("GET", "big") * 1000)
            self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "2"))
        self.assert_served(bystander)
        hostile.close()
        self.assertLess(server.peak_bytes(), 200 << 20)
        if not REFERENCE:  # counted since 7.2
            self.assertEqual(info(client)["client_output_buffer_limit_disconnections"], "1")
        self.assert_nothing_left(server, client, before)

    @with_server("--client-output-buffer-limit", "normal 0 1mb 1")
    def test_the_soft_limit_gives_a_second(self, server, client):
        client.call("SET", "big", "x" * 8_000_000)
        hostile = self.client(server)
        hostile.send("GET", "big")
        time.sleep(0.3)
        self.assertEqual(info(client)["connected_clients"], "2")
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "1", 5))

    @ours_only
    @with_server()
    def test_a_million_commands_unread_stay_bounded_without_a_limit(self, server, client):
        """normal 0 0 0 is the default: nobody is cut off, but the server stops reading."""
        hostile = self.client(server)
        hostile.socket.settimeout(2)
        with Bystander(server) as bystander:
            try:
                for _ in range(1000):
                    hostile.send_raw(b"PING\r\n" * 1000)
            except TimeoutError:
                pass
        self.assert_served(bystander)
        self.assertLess(server.peak_bytes(), 400 << 20)

    @with_server()
    def test_a_slow_reader_gets_everything(self, server, client):
        value = os.urandom(3_000_000)
        client.call("SET", "big", value)
        slow = socket.socket()
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(encode("GET", "big") * 3)
        expected = (b"$3000000\r\n" + value + b"\r\n") * 3
        got = bytearray()
        with Bystander(server) as bystander:
            time.sleep(0.5)
            while len(got) < len(expected):
                part = slow.recv(50_000)
                self.assertTrue(part)
                got += part
        self.assertEqual(bytes(got), expected)
        self.assert_served(bystander)


class Crowds(HostileTest):
    def setUp(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.files_max = hard

    def connections(self, server, count):
        sockets = []
        self.addCleanup(lambda: [s.close() for s in sockets])
        for _ in range(count):
            sockets.append(socket.create_connection(("127.0.0.1", server.port)))
        return sockets

    def test_ten_thousand_idle_connections(self):
        if self.files_max < 10_200:
            self.skipTest(f"{self.files_max} open files are allowed")
        server = self.server("--maxclients", 11_000)
        client = self.client(server)
        before = self.before(server, client)
        sockets = self.connections(server, 500)
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "501"))
        resident = server.resident_bytes()
        sockets += self.connections(server, 9_500)
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "10001"))
        cost = (server.resident_bytes() - resident) / 9_500
        # Each speaks once, which must not leave a buffer behind.
        for s in sockets:
            s.sendall(b"PING\r\n")
        for s in sockets:
            self.assertEqual(s.recv(100), b"+PONG\r\n")
        cost_after = (server.resident_bytes() - resident) / 9_500
        print(f"an idle connection costs {cost:.0f} bytes, {cost_after:.0f} after a PING")
        if not REFERENCE:
            self.assertLess(cost, 1024)
            self.assertLess(cost_after, 1024)
        with Bystander(server) as bystander:
            for s in sockets:
                s.close()
        self.assert_served(bystander)
        self.assert_nothing_left(server, client, before)

    def test_a_hundred_thousand_attempts(self):
        server = self.server("--maxclients", 1000)
        client = self.client(server)
        before = self.before(server, client)
        with Bystander(server) as bystander:
            for _ in range(50):
                sockets = self.connections(server, 2000)
                for s in sockets:
                    # With a reset, so that the port is free again at once.
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.close()
        self.assert_served(bystander)
        self.assertGreater(int(info(client)["rejected_connections"]), 0)
        self.assert_nothing_left(server, client, before)

    def test_out_of_file_descriptors(self):
        server = self.server(command=["prlimit", "--nofile=100:100"])
        client = self.client(server)
        before = self.before(server, client)
        with Bystander(server) as bystander:
            sockets = self.connections(server, 300)
            time.sleep(1)
            self.assertEqual(client.call("SET", "a", "b"), "OK")
            # Waiting for a descriptor is no reason to be busy.
            busy = self.cpu_seconds(server)
            time.sleep(1)
            self.assertLess(self.cpu_seconds(server) - busy, 0.7)
        self.assert_served(bystander)
        for s in sockets:
            s.close()
        self.assert_nothing_left(server, client, before)
        with self.client(server) as again:
            self.assertEqual(again.call("GET", "a"), b"b")

    @staticmethod
    def cpu_seconds(server):
        with open(f"/proc/{server.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @with_server()
    def test_clients_that_vanish_in_the_middle(self, server, client):
        client.call("SET", "big", "x" * 1_000_000)
        before = self.before(server, client)
        with Bystander(server) as bystander:
            for i in range(300):
                hostile = Client(port=server.port)
                hostile.send_raw(encode("GET", "big") * 5 + encode("SET", "k", "v" * 1000)[:-7])
                if i % 3 == 0:
                    hostile.socket.recv(1000)
                hostile.vanish()
        self.assert_served(bystander)
        self.assert_nothing_left(server, client, before)


class Sizes(HostileTest):
    LARGEST = 512 << 20

    @with_server()
    def test_nothing_at_all(self, server, client):
        self.assertEqual(client.call("SET", "", ""), "OK")
        self.assertEqual(client.call("GET", ""), b"")
        self.assertEqual(client.call("STRLEN", ""), 0)
        self.assertEqual(client.call("DEL", ""), 1)

    @with_server()
    def test_the_largest_value(self, server, client):
        client.socket.settimeout(60)
        piece = os.urandom(1 << 20)
        with Bystander(server) as bystander:
            client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$%d\r\n" % self.LARGEST)
            for _ in range(512):
                client.send_raw(piece)
            client.send_raw(b"\r\n")
            self.assertEqual(client.reply(), "OK")
            self.assertEqual(client.call("STRLEN", "v"), self.LARGEST)
            client.send("GET", "v")
            self.assertEqual(client.line(), b"$%d" % self.LARGEST)
            for _ in range(512):
                self.assertEqual(client.exactly(len(piece)), piece)
            self.assertEqual(client.exactly(2), b"\r\n")
        self.assert_served(bystander, 5.0)
        self.assert_error("ERR string exceeds maximum allowed size", client, "APPEND", "v", "x")
        self.assert_error("ERR string exceeds maximum allowed size", client, "SETRANGE", "v",
                          self.LARGEST, "x")
        self.assert_error("ERR bit offset is not an integer or out of range", client, "SETBIT", "w",
                          1 << 32, 1)
        # One copy is kept and at most one more is on its way in or out.
        self.assertLess(server.peak_bytes(), 3 * self.LARGEST)
        self.assertEqual(client.call("UNLINK", "v"), 1)
        self.assertTrue(eventually(lambda: server.resident_bytes() < self.LARGEST // 4))

    @with_server()
    def test_a_large_key(self, server, client):
        client.socket.settimeout(60)
        key = b"k" * (100 << 20)
        self.assertEqual(client.call("SET", key, "v"), "OK")
        self.assertEqual(client.call("GET", key), b"v")
        self.assertEqual(client.call("EXISTS", key, key[1:]), 1)
        self.assertEqual(client.call("DEL", key), 1)

    @with_server("--client-query-buffer-limit", "2mb")
    def test_the_query_buffer_limit(self, server, client):
        hostile = self.client(server)
        with self.assertRaises(OSError):
            hostile.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n" + b"$3000000\r\n" + b"x" * 3_000_000)
            for _ in range(1000):
                hostile.send_raw(b"x" * 100_000)
        self.assertTrue(hostile.is_closed())
        self.assertEqual(client.call("PING"), "PONG")


def murmur_collisions(bits):
    """2**bits keys that are equal to MurmurHash64A, whatever its seed: in each pair of blocks the
    top bit of the mixed block is flipped twice, and multiplying by an odd number leaves it alone."""
    m, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    inverse = pow(m, -1, 1 << 64)

    def unmix(k):
        k = k * inverse & mask
        k ^= k >> 47
        return k * inverse & mask

    def pair(i, flip):
        return b"".join(struct.pack("<Q", unmix(((2 * i + j + 1) << 8) ^ flip)) for j in range(2))

    pairs = [(pair(i, 0), pair(i, 1 << 63)) for i in range(bits)]
    return [b"".join(pairs[i][number >> i & 1] for i in range(bits)) for number in range(1 << bits)]


def murmur(data, seed):
    """MurmurHash64A of whole blocks: to show that the keys above do collide."""
    m, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    h = seed ^ (len(data) * m & mask)
    for (k,) in struct.iter_unpack("<Q", data):
        k = k * m & mask
        k ^= k >> 47
        h = ((h ^ (k * m & mask)) * m) & mask
    h ^= h >> 47
    h = h * m & mask
    return h ^ (h >> 47)


def times_33_collisions(bits):
    """2**bits keys that are equal to h * 33 + c, from "Ez" and "FY"."""
    return [b"".join(b"FY" if number >> i & 1 else b"Ez" for i in range(bits))
            for number in range(1 << bits)]


class Flooding(HostileTest):
    def seconds_for(self, client, keys):
        requests = [b"".join(encode("SET", key, "v") + encode("GET", key) for key in keys[i:i + 500])
                    for i in range(0, len(keys), 500)]
        began = time.monotonic()
        for request in requests:
            client.send_raw(request)
            client.exactly(500 * len(b"+OK\r\n$1\r\nv\r\n"))
        return time.monotonic() - began

    def test_the_chosen_keys_do_collide(self):
        keys = murmur_collisions(10)
        self.assertEqual(len(set(keys)), 1024)
        for seed in (0, 12345):
            self.assertEqual(len({murmur(key, seed) for key in keys}), 1)

    @with_server()
    def test_keys_that_collide_without_a_secret(self, server, client):
        for name, keys in (("murmur", murmur_collisions(13)), ("times 33", times_33_collisions(14))):
            with self.subTest(name):
                keys = keys[:len(keys) // 500 * 500]
                length = len(keys[0])
                random = [os.urandom(length) for _ in keys]
                honest = min(self.seconds_for(client, random) for _ in range(3))
                chosen = min(self.seconds_for(client, keys) for _ in range(3))
                self.assertEqual(client.call("EXISTS", *keys), len(keys))
                self.assertLess(chosen, 3 * honest + 0.05)
                client.call("FLUSHALL")


if __name__ == "__main__":
    unittest.main()
