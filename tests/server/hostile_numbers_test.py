#!/usr/bin/env python3
"""Great numbers of things from clients that mean ill: arguments, queued and waiting commands,
elements. What they hold is bounded and comes back, and others are served meanwhile. The part that
needs no sockets is in tests/commands/hostile_test.cc."""

import unittest

from harness import ReplyError, encode, eventually, info, ours_only, with_server
from hostile_test import Bystander, HostileTest


class Arguments(HostileTest):
    @ours_only
    @with_server()
    def test_ten_million_arguments_are_refused(self, server, client):
        before = self.before(server, client)
        hostile = self.client(server)
        hostile.send_raw(b"*10000001\r\n$3\r\nDEL\r\n")
        with self.assertRaises(OSError):  # it is closed meanwhile
            for _ in range(1000):
                hostile.send_raw(b"$1\r\nk\r\n" * 10_000)
        hostile.close()
        self.assertEqual(client.call("PING"), "PONG")
        # The error is there for who listens.
        polite = self.client(server)
        polite.send_raw(b"*10000001\r\n")
        with self.assertRaisesRegex(ReplyError, "ERR Protocol error: invalid multibulk length"):
            polite.reply()
        self.assertTrue(polite.is_closed())
        self.assertLess(server.peak_bytes(), 100 << 20)
        self.assert_nothing_left(server, client, before)

    @with_server()
    def test_as_many_arguments_as_are_taken(self, server, client):
        before = self.before(server, client)
        with self.client(server, timeout=60) as hostile, Bystander(server) as bystander:
            hostile.send_raw(b"*1048576\r\n$3\r\nDEL\r\n" + b"$1\r\nk\r\n" * 1_048_575)
            self.assertEqual(hostile.reply(), 0)
            hostile.send_raw(b"*1048576\r\n$4\r\nSADD\r\n$1\r\ns\r\n" +
                             b"".join(b"$7\r\n%7d\r\n" % i for i in range(1_048_574)))
            self.assertEqual(hostile.reply(), 1_048_574)
            self.assertEqual(hostile.call("DEL", "s"), 1)
        self.assert_served(bystander)
        self.assertLess(server.peak_bytes(), 1 << 30)
        self.assert_nothing_left(server, client, before)

    @with_server()
    def test_many_arguments_that_never_come(self, server, client):
        before = self.before(server, client)
        silent = [self.client(server) for _ in range(100)]
        for hostile in silent:
            hostile.send_raw(b"*1048576\r\n$3\r\nDEL\r\n" + b"$1\r\nk\r\n" * 1000)
        self.assertEqual(client.call("PING"), "PONG")
        self.assertLess(server.resident_bytes(), 100 << 20)
        for hostile in silent:
            hostile.vanish()
        self.assert_nothing_left(server, client, before)


class Transactions(HostileTest):
    COUNT = 1_000_000

    def queue(self, hostile, requests, count):
        hostile.send("MULTI")
        self.assertEqual(hostile.reply(), "OK")
        for _ in range(count // 1000):
            hostile.send_raw(requests * 1000)
            self.assertEqual(hostile.exactly(9000), b"+QUEUED\r\n" * 1000)

    @with_server()
    def test_a_million_commands(self, server, client):
        before = self.before(server, client)
        with self.client(server, timeout=60) as hostile, Bystander(server) as bystander:
            self.queue(hostile, encode("INCR", "n"), self.COUNT)
            hostile.send("EXEC")
            self.assertEqual(hostile.line(), b"*%d" % self.COUNT)
            for i in range(1, self.COUNT + 1):
                self.assertEqual(hostile.line(), b":%d" % i)
        self.assert_served(bystander, 10.0)
        self.assertLess(server.peak_bytes(), 1 << 30)
        self.assertEqual(client.call("GET", "n"), b"%d" % self.COUNT)
        self.assert_nothing_left(server, client, before)

    @with_server("--maxmemory-clients", "20mb")
    def test_the_limit_of_all_clients_ends_it(self, server, client):
        before = self.before(server, client)
        client.call("CLIENT", "NO-EVICT", "ON")
        hostile = self.client(server)
        with self.assertRaises(OSError):
            self.queue(hostile, encode("SET", "k", "x" * 100), self.COUNT)
        hostile.close()
        self.assertEqual(info(client)["evicted_clients"], "1")
        self.assertLess(server.peak_bytes(), 100 << 20)
        self.assert_nothing_left(server, client, before)

    @with_server("--maxmemory", "20mb")
    def test_maxmemory_ends_it(self, server, client):
        hostile = self.client(server)
        hostile.send("MULTI")
        self.assertEqual(hostile.reply(), "OK")
        with self.assertRaisesRegex(ReplyError, "OOM command not allowed"):
            for _ in range(1000):
                hostile.send_raw(encode("SET", "k", "x" * 1000) * 100)
                for _ in range(100):
                    self.assertEqual(hostile.reply(), "QUEUED")
        hostile.close()
        self.assertLess(server.peak_bytes(), 100 << 20)
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "1"))
        self.assertEqual(client.call("SET", "k", "v"), "OK")


class Waiting(HostileTest):
    COUNT = 4000

    @with_server("--maxclients", "5000")
    def test_thousands_wait_and_are_served_in_order(self, server, client):
        before = self.before(server, client)
        waiting = []
        with Bystander(server) as bystander:
            for i in range(self.COUNT):
                hostile = self.client(server)
                hostile.send("BLPOP", "k", 0)
                waiting.append(hostile)
                if i % 100 == 99:  # so that hundreds come one after another
                    self.assertTrue(eventually(
                        lambda: info(client)["blocked_clients"] == str(len(waiting))))
            half = self.COUNT // 2
            self.assertEqual(client.call("RPUSH", "k", *range(half)), half)
            served = [int(hostile.reply()[1]) for hostile in waiting[:half]]
            self.assertEqual(sorted(served), list(range(half)))
            self.assertEqual([i // 100 for i in served], [i // 100 for i in range(half)])
            self.assertEqual(info(client)["blocked_clients"], str(half))
            for hostile in waiting:
                hostile.vanish()
            self.assertTrue(eventually(lambda: info(client)["blocked_clients"] == "0"))
        self.assert_served(bystander)
        self.assert_nothing_left(server, client, before)


class Elements(HostileTest):
    @with_server()
    def test_a_setrange_to_the_largest_size(self, server, client):
        before = self.before(server, client)
        largest = 512 << 20
        with self.client(server, timeout=60) as hostile, Bystander(server) as bystander:
            self.assertEqual(hostile.call("SETRANGE", "k", largest - 1, "x"), largest)
            self.assert_error("ERR string exceeds maximum allowed size", hostile, "SETRANGE", "k",
                              largest, "x")
            self.assert_error("ERR string exceeds maximum allowed size", hostile, "APPEND", "k",
                              "x")
            self.assertEqual(hostile.call("BITCOUNT", "k"), 4)
            self.assertEqual(hostile.call("DEL", "k"), 1)
        self.assert_served(bystander, 5.0)
        self.assertLess(server.peak_bytes(), largest * 3 // 2)
        self.assertTrue(eventually(lambda: server.resident_bytes() < largest // 4))
        self.assert_nothing_left(server, client, before)

    @ours_only
    @with_server()
    def test_memory_goes_back_to_the_system(self, server, client):
        for _ in range(3):
            for start in range(0, 1_000_000, 20_000):
                client.call("SADD", "big", *(b"member%d" % i for i in range(start, start + 20_000)))
            full = server.resident_bytes()
            used = int(info(client)["used_memory"])
            client.call("DEL", "big")
            # Not all: some regions hold a slab that stays, and malloc keeps what is small.
            self.assertTrue(eventually(lambda: server.resident_bytes() < full - used // 4),
                            f"{full} bytes resident, {used} used; "
                            f"{server.resident_bytes()} resident afterwards")

    @with_server()
    def test_a_million_elements_go_in_any_way(self, server, client):
        before = self.before(server, client)
        fill = {
            "set": lambda k, part: client.call("SADD", k, *part),
            "zset": lambda k, part: client.call("ZADD", k, *[x for i in part for x in (i, i)]),
            "hash": lambda k, part: client.call("HSET", k, *[x for i in part for x in (i, i)]),
            "list": lambda k, part: client.call("RPUSH", k, *part),
        }
        ways = [lambda k: client.call("DEL", k), lambda k: client.call("UNLINK", k),
                lambda k: client.call("SET", k, "v"), lambda k: client.call("PEXPIRE", k, 1),
                lambda k: client.call("SUNIONSTORE", k, "nosuch"),
                lambda k: client.call("FLUSHALL")]
        with Bystander(server) as bystander:
            for i, way in enumerate(ways):
                for kind, add in fill.items():
                    key = f"{kind}:{i}"
                    for start in range(0, 200_000, 20_000):
                        add(key, range(start, start + 20_000))
                    way(key)
        self.assert_served(bystander)
        client.call("FLUSHALL")
        self.assert_nothing_left(server, client, before)


if __name__ == "__main__":
    unittest.main()
