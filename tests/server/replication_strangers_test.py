#!/usr/bin/env python3
"""Replicas that do not keep to the protocol, handovers that go wrong, and rings of replicas."""

import re
import socket
import time
import unittest

from harness import Client, encode, eventually
from replication_hostile_test import ID, FakePrimary, HostileTest, Peer
from replication_test import REDIS


class FakeReplica(Peer):
    """A connection that speaks as a replica would, or not quite."""

    def __init__(self, server, capa=("eof", "psync2"), port=1234):
        super().__init__(socket.create_connection(("127.0.0.1", server.port), 10))
        self.ask("REPLCONF", "listening-port", port)
        for word in capa:
            self.ask("REPLCONF", "capa", word)

    def ask(self, *words):
        """The first line of the reply."""
        self.send_raw(encode(*words))
        return self.line().decode()

    def synchronize(self):
        """Gets the snapshot, and says so; returns the offset where the stream begins."""
        line = self.ask("PSYNC", "?", -1)
        if not line.startswith("+FULLRESYNC"):
            raise AssertionError(line)
        mark = self.line()[5:]
        while not self.buffer.endswith(mark):
            self.buffer += self.fill()
        self.buffer = b""
        offset = int(line.split()[2])
        self.send_raw(encode("REPLCONF", "ACK", offset))
        return offset


class Replicas(HostileTest):
    """Replicas of ours that behave badly."""

    def count(self, server):
        return int(self.facts(server)["connected_slaves"])

    def test_what_is_no_acknowledgement(self):
        server = self.node()
        with server.client() as client:
            client.call("SET", "key", "value")
        for pattern, words in {
                "acknowledges more than it can have": ("REPLCONF", "ACK", 1 << 40),
                "something else": ("SET", "key", "wrong"),
                "something else than": ("REPLCONF", "listening-port", 5),
                "something else than ack": ("PING",),
                "sends what is no request": None,
        }.items():
            with self.subTest(pattern):
                seen = len(server.output())
                replica = FakeReplica(server)
                replica.synchronize()
                self.assertTrue(eventually(lambda: "state=online" in self.facts(server).get(
                    "slave0", "")))
                replica.send_raw(b"*1\r\n:5\r\n" if words is None else encode(*words))
                self.expect_line(server, "Disconnecting replica 127.0.0.1:1234: .*" + pattern, seen)
                self.assertTrue(replica.is_closed())
                self.assertTrue(eventually(lambda: self.count(server) == 0))
        with server.client() as client:
            self.assertEqual(client.call("GET", "key"), b"value")
        # Odd, but nothing wrong.
        replica = FakeReplica(server)
        replica.synchronize()
        for words in (("REPLCONF", "ACK", -5), ("REPLCONF", "ACK", "abc"), ("REPLCONF", "ACK"),
                      ("REPLCONF",), ("REPLCONF", "ACK", "0", "FACK", "0")):
            replica.send_raw(encode(*words))
        time.sleep(0.2)
        self.assertEqual(self.count(server), 1)
        replica.close()

    def test_a_hundred_synchronisations(self):
        server = self.node()
        with server.client() as client:
            client.call("DEBUG", "POPULATE", 20000, "key", 500)
        before = server.resident_bytes()
        replicas = [FakeReplica(server) for _ in range(100)]
        for replica in replicas:
            replica.send_raw(encode("PSYNC", "?", -1))
        for _ in range(10):
            self.is_sound(server)
        self.assertLess(server.peak_bytes() - before, 120 << 20)
        # A few go away at any place.
        for i, replica in enumerate(replicas[:50]):
            replica.socket.recv(1 + 997 * i)
            replica.vanish()
        for replica in replicas[50:]:
            while not replica.buffer.endswith(self.mark(replica)):
                replica.buffer = replica.buffer[:500] + replica.buffer[500:][-100:] + replica.fill()
        self.assertLessEqual(int(self.facts(server, "stats")["sync_full"]), 150)
        for replica in replicas[50:]:
            replica.close()
        self.assertTrue(eventually(lambda: self.count(server) == 0))
        self.is_sound(server)

    def mark(self, replica):
        found = re.search(b"EOF:(.{40})", replica.buffer)
        return found.group(1) if found else b"no mark yet"

    def test_one_that_never_reads_its_snapshot(self):
        server = self.node("--repl-timeout", 2)
        with server.client() as client:
            client.call("CONFIG", "SET", "rdbcompression", "no")
            client.call("DEBUG", "POPULATE", 30000, "key", 1000)
        seen = len(server.output())
        stuck = FakeReplica(server)
        stuck.send_raw(encode("PSYNC", "?", -1))
        time.sleep(0.3)
        other = self.node("--repl-timeout", 60, of=server)
        self.expect_line(server, "it takes nothing for repl-timeout", seen)
        self.wait_for_link(other)
        with other.client() as client:
            self.assertEqual(client.call("DBSIZE"), 30000)
        stuck.close()

    def test_one_that_never_reads_the_stream(self):
        server = self.node("--client-output-buffer-limit", "replica 4mb 2mb 60")
        seen = len(server.output())
        replica = FakeReplica(server)
        replica.synchronize()
        before = server.resident_bytes()
        with server.client() as client:
            for i in range(300):
                client.call("SET", "key", bytes(100000))
        self.expect_line(server, "exceeds client-output-buffer-limit replica", seen)
        self.assertTrue(eventually(lambda: self.count(server) == 0))
        self.assertLess(server.resident_bytes() - before, 60 << 20)
        replica.close()

    def compare(self, prepare, *words):
        """The first line of the reply of ours, and of redis-server."""
        lines = []
        for server in self.both:
            with Client(port=server.port) as client:
                peer = Peer(client.socket)
                for before in prepare:
                    peer.send_raw(encode(*before))
                    peer.line()
                peer.send_raw(encode(*words))
                peer.socket.settimeout(1.5)
                try:
                    line = peer.line().decode()
                except TimeoutError:
                    line = "nothing"
                except OSError:
                    line = "closed"
                line = re.sub("[0-9a-f]{40} [0-9]+", "ID", line)
                lines.append(re.sub(r"^.EOF:.*", "snapshot", line))
        self.assertEqual(lines[1], lines[0], (prepare, words))
        return lines[0]

    def test_odd_arguments_are_answered_as_redis_does(self):
        self.both = [self.node(binary=REDIS), self.node()]
        eof = ("REPLCONF", "capa", "eof")
        multi = ("MULTI",)
        for prepare, words in [
                ((), ("FAILOVER",)), ((), ("FAILOVER", "ABORT")), ((), ("FAILOVER", "TO", "a")),
                ((), ("FAILOVER", "TO", "a", "b")), ((), ("FAILOVER", "TO", "a", 1)),
                ((), ("FAILOVER", "TIMEOUT", 0)), ((), ("FAILOVER", "TIMEOUT", -1)),
                ((), ("FAILOVER", "TIMEOUT", "x")), ((), ("FAILOVER", "FORCE")),
                ((), ("FAILOVER", "ABORT", "FORCE")), ((), ("FAILOVER", "x")),
                ((), ("FAILOVER", "TO", "a", 70000)), ((), ("REPLCONF", "rdb-only", 5)),
                ((), ("REPLCONF",)), ((), ("REPLCONF", "capa")), ((), ("REPLCONF", "capa", "x")),
                ((), ("REPLCONF", "listening-port", "abc")), ((), ("REPLCONF", "nonsense", 1)),
                ((), ("REPLCONF", "ip-address", "a" * 255)), ((), ("REPLCONF", "ip-address", "a" * 256)),
                ((), ("REPLCONF", "ip-address", "a" * 100000)), ((), ("REPLCONF", "rdb-only", "x")),
                ((), ("REPLCONF", "rdb-filter-only", "functions")), ((), ("REPLCONF", "rdb-filter-only", "")),
                ((), ("REPLCONF", "rdb-filter-only", "keys")), ((), ("REPLCONF", "listening-port", 1, "capa")),
                ((), ("REPLCONF", "ACK", 5)), ((), ("REPLCONF", "GETACK", "*")),
                ((), ("REPLCONF", "capa", "eof", "ACK", 5)),
                ((), ("PSYNC",)), ((), ("PSYNC", "?")), ((), ("PSYNC", "?", "abc")),
                ((), ("PSYNC", "?", 1 << 70)), ((), ("PSYNC", "?", -(1 << 70))),
                ((eof,), ("PSYNC", "?", -1)), ((eof,), ("PSYNC", ID, 0)), ((eof,), ("PSYNC", ID, 1)),
                ((eof,), ("PSYNC", ID, (1 << 63) - 1)), ((eof,), ("PSYNC", ID, -(1 << 63))),
                ((eof,), ("PSYNC", "", 5)), ((eof,), ("PSYNC", "x" * 100000, 5)),
                ((eof,), ("PSYNC", "?", -1, "FAILOVER")), ((eof,), ("PSYNC", ID, 5, "FAILOVER")),
                ((eof,), ("SYNC", "x")), ((multi,), ("PSYNC", "?", -1)), ((multi,), ("SYNC",)),
                ((multi,), ("REPLCONF", "capa", "eof")), ((multi,), ("REPLICAOF", "NO", "ONE")),
                ((multi,), ("FAILOVER",)), ((multi,), ("WAIT", 0, 0)), ((multi,), ("ROLE",)),
                ((("REPLCONF", "rdb-filter-only", "functions"),), ("PSYNC", "?", -1)),
                ((), ("REPLICAOF", "127.0.0.1", "abc")), ((), ("REPLICAOF", "127.0.0.1", -1)),
                ((), ("REPLICAOF", "127.0.0.1", 65536)), ((), ("REPLICAOF", "a")),
                ((), ("REPLICAOF", "NO", "TWO")), ((), ("SLAVEOF", "NO", "ONE")),
                ((), ("WAIT", 0, 0)), ((), ("WAIT", -1, 0)), ((), ("WAIT", 1, -1)), ((), ("WAIT", "x", 0)),
                ((), ("WAIT", 1, "x")), ((), ("WAIT", 1, 10)), ((), ("ROLE",)), ((), ("ROLE", "x")),
                ((), ("CLIENT", "KILL", "TYPE", "replica")), ((), ("CLIENT", "KILL", "TYPE", "slave")),
                ((), ("CLIENT", "KILL", "TYPE", "master")), ((), ("CLIENT", "KILL", "TYPE", "x")),
                ((), ("CLIENT", "LIST", "TYPE", "replica")), ((), ("CLIENT", "LIST", "TYPE", "master")),
        ]:
            with self.subTest(f"{prepare} {words}"[:100]):
                self.compare(prepare, *words)

    def test_requests_behind_psync_and_other_places_for_it(self):
        server = self.node()
        with server.client() as client:
            client.call("SET", "key", "value")
        # What comes behind PSYNC is not a client's any more.
        for behind in (encode("SET", "key", "wrong"), encode("GET", "key"), b"garbage\r\n" * 1000,
                       encode("PSYNC", "?", -1)):
            replica = FakeReplica(server)
            replica.send_raw(encode("PSYNC", "?", -1) + behind)
            time.sleep(0.2)
            replica.close()
        for before in (("SUBSCRIBE", "a"), ("MONITOR",), ("WATCH", "key"), ("CLIENT", "TRACKING", "ON"),
                       ("CLIENT", "REPLY", "OFF"), ("HELLO", 3), ("CLIENT", "NO-EVICT", "ON")):
            replica = FakeReplica(server)
            replica.send_raw(encode(*before) + encode("PSYNC", "?", -1))
            time.sleep(0.05)
            replica.vanish()
        for _ in range(20):
            replica = FakeReplica(server)
            replica.send_raw(encode("PSYNC", "?", -1))
            replica.vanish()
        with server.client() as client:
            self.assertEqual(client.call("GET", "key"), b"value")
            client.call("SET", "key", "other")
        self.assertTrue(eventually(lambda: self.count(server) == 0))
        self.is_sound(server)


class TakingOver(HostileTest):
    def take_over(self, *answers):
        """FAILOVER to a replica that gives these answers, one in each connection; None: it ends
        the connection."""
        server = self.node()

        def story(primary, peer):
            primary.asked.append(peer.greet())
            answer = answers[min(len(primary.asked), len(answers)) - 1]
            if answer is not None:
                peer.send_raw(answer + b"\r\n")
                while True:
                    peer.command()

        target = FakePrimary(self, story)
        replica = FakeReplica(server, port=target.port)
        offset = replica.synchronize()
        with server.client() as client:
            client.call("SET", "key", "value")
            self.assertEqual(client.call("FAILOVER", "TO", "127.0.0.1", target.port), "OK")
            self.assertTrue(eventually(lambda: self.acknowledge(replica, server) or
                                       self.facts(server)["role"] == "slave", 5))
            self.assertTrue(eventually(lambda: len(target.asked) >= len(answers), 8))
            self.assertTrue(eventually(lambda: self.facts(server)["master_failover_state"] ==
                                       "no-failover", 8), server.output())
        replica.close()
        return server, target

    def acknowledge(self, replica, server):
        try:
            replica.send_raw(encode("REPLCONF", "ACK", self.facts(server)["master_repl_offset"]))
        except OSError:
            pass
        return False

    def test_a_refusal_leaves_the_roles_as_they_were(self):
        server, target = self.take_over(b"-ERR no")
        self.assertEqual(target.asked[0][3], "FAILOVER")
        self.assertEqual(self.facts(server)["role"], "master")
        with server.client() as client:
            self.assertEqual(client.call("SET", "key", "other"), "OK")

    def test_an_answer_that_is_lost_does_not_make_two_primaries(self):
        server, target = self.take_over(None, b"-ERR PSYNC FAILOVER can't be sent to a master.",
                                        b"+CONTINUE " + ID.encode())
        self.assertEqual([len(words) for words in target.asked[:3]], [4, 4, 3])
        self.assertEqual(self.facts(server)["role"], "slave")
        self.assertTrue(eventually(lambda: self.link_up(server)), server.output())
        self.assertEqual(self.facts(server)["master_replid"], ID)

    def test_a_primary_that_it_never_asked_is_no_successor(self):
        server, _ = self.take_over(b"-ERR PSYNC FAILOVER can't be sent to a master.")
        self.assertEqual(self.facts(server)["role"], "master")


class Loops(HostileTest):
    def test_a_replica_of_itself(self):
        server = self.node()
        self.own_data(server)
        with server.client() as client:
            client.call("REPLICAOF", "127.0.0.1", server.port)
        self.expect_line(server, "cannot serve replicas now: -NOMASTERLINK", 0)
        self.assertTrue(self.has_own_data(server))
        with server.client() as client:
            client.call("REPLICAOF", "NO", "ONE")
            client.call("SET", "own:1", "a")
        self.is_sound(server)

    def test_two_of_each_other_and_three_in_a_ring(self):
        for count in (2, 3):
            first = self.node()
            self.own_data(first)
            chain = [first]
            for _ in range(count - 1):
                chain.append(self.node(of=chain[-1]))
            self.wait_for_link(*chain[1:])
            with first.client() as client:
                client.call("SET", "counter", 0)
                for _ in range(100):
                    client.send("INCR", "counter")
                client.send("REPLICAOF", "127.0.0.1", chain[-1].port)
                for _ in range(101):
                    client.reply()
            time.sleep(2.5)
            offset = self.offset(first)
            time.sleep(1)
            self.assertEqual(self.offset(first), offset)
            for server in chain:
                self.is_sound(server)
            with chain[1].client() as client:
                client.call("REPLICAOF", "NO", "ONE")
                self.assertLessEqual(int(client.call("GET", "counter")), 100)
                client.call("SET", "after", 1)
            with first.client() as client:
                self.assertTrue(eventually(lambda: self.try_call(client, "GET", "after") == b"1", 15),
                                first.output())

    def test_a_name_that_is_none_and_a_port_where_nobody_is(self):
        server = self.node("--replicaof", "no-such-host.invalid 1")
        self.expect_line(server, "no-such-host.invalid:1: it cannot be reached", 0)
        self.is_sound(server)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        with server.client() as client:
            client.call("REPLICAOF", "127.0.0.1", port)
        self.expect_line(server, f"127.0.0.1:{port}: it cannot be reached", 0)
        time.sleep(2.2)
        tries = server.output().count(f"127.0.0.1:{port}: it cannot be reached")
        self.assertIn(tries, (2, 3, 4))


if __name__ == "__main__":
    unittest.main()
