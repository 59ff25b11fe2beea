#!/usr/bin/env python3
"""Restarts of primaries and replicas, and changes of their roles: data and histories stay right."""

import signal
import subprocess
import threading
import time
import unittest

from harness import BINARY, ReplyError, eventually
from replication_test import REDIS, ReplicationTest, Traffic


class Writer(threading.Thread):
    """Increments a counter, and notes what was acknowledged. Goes to another node when it is told
    that this one is a replica, or is gone."""

    def __init__(self, *servers):
        super().__init__(daemon=True)
        self.servers, self.at, self.acknowledged, self.errors = servers, 0, 0, []
        self.stopping = threading.Event()
        self.start()

    def run(self):
        client = None
        while not self.stopping.is_set():
            try:
                client = client or self.servers[self.at].client(timeout=10)
                client.call("RPUSH", "list", self.acknowledged)
                self.acknowledged += 1
                time.sleep(0.0005)
            except (OSError, ReplyError) as error:
                self.errors.append(str(error))
                client, self.at = None, (self.at + 1) % len(self.servers)
                time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        self.join(15)


class RolesTest(ReplicationTest):
    def restart(self, server, how=signal.SIGTERM, *more):
        server.process.send_signal(how)
        server.wait_for_exit()
        with open(server.output_path, "ab") as output:
            server.process = subprocess.Popen([*server.process.args, *more],
                                              stdin=subprocess.DEVNULL, stdout=output,
                                              stderr=subprocess.STDOUT, cwd=server.directory)
        server.wait_until_ready()

    def syncs(self, server):
        facts = self.facts(server, "stats")
        return int(facts["sync_full"]), int(facts["sync_partial_ok"])

    def ask(self, server, *words):
        with server.client() as client:
            return client.call(*words)

    def fill(self, server, seed=1, count=300):
        with server.client() as client:
            Traffic(client, seed).write(count)

    def role_is(self, server, role):
        return eventually(lambda: self.facts(server)["role"] == role, 15)


class Restarts(RolesTest):
    """Partial resynchronisation where the data allows it, and never wrong data."""

    # name, arguments of both, how it ends, whether a replica can go on
    KINDS = (
        ("RDB, in order", ("--save", "3600 1000000"), signal.SIGTERM, True),
        ("AOF, in order", ("--appendonly", "yes"), signal.SIGTERM, True),
        ("AOF, killed", ("--appendonly", "yes", "--appendfsync", "always"), signal.SIGKILL, True),
        ("nothing is kept", (), signal.SIGTERM, False),
    )

    def test_replica(self):
        for name, arguments, how, goes_on in self.KINDS:
            with self.subTest(name):
                primary = self.node(*arguments)
                replica = self.node(*arguments, of=primary)
                self.wait_for_link(replica)
                self.fill(primary)
                self.assert_same(primary, replica)
                time.sleep(0.1)
                before = self.syncs(primary)
                self.restart(replica, how)
                self.fill(primary, 2)
                self.assert_same(primary, replica)
                after = self.syncs(primary)
                self.assertEqual((after[0] - before[0], after[1] - before[1]),
                                 (0, 1) if goes_on else (1, 0), replica.output())

    def test_primary(self):
        for name, arguments, how, goes_on in self.KINDS:
            with self.subTest(name):
                primary = self.node(*arguments)
                replica = self.node(*arguments, of=primary)
                self.wait_for_link(replica)
                self.fill(primary)
                self.assert_same(primary, replica)
                self.restart(primary, how)
                self.ask(primary, "SET", "after", name)
                self.fill(primary, 2)
                self.assert_same(primary, replica)
                full, partial = self.syncs(primary)
                if goes_on:
                    self.assertEqual((full, partial), (0, 1), replica.output())
                else:
                    self.assertEqual(full, 1, replica.output())

    def test_a_replica_that_was_ahead_of_what_its_primary_has_kept(self):
        primary = self.node("--save", "3600 1000000")
        replica = self.node(of=primary)
        self.wait_for_link(replica)
        self.fill(primary)
        self.ask(primary, "SAVE")
        self.ask(primary, "SET", "lost", 1)
        self.assert_same(primary, replica)
        self.restart(primary, signal.SIGKILL)
        self.ask(primary, "SET", "other", 1)
        self.assert_same(primary, replica)
        self.assertEqual(self.ask(replica, "EXISTS", "lost"), 0)
        self.assertEqual(self.syncs(primary)[0], 1)

    def test_redis_and_ours_restart_in_each_place(self):
        for binaries in ((BINARY, REDIS), (REDIS, BINARY)):
            primary = self.node("--save", "3600 1000000", binary=binaries[0])
            replica = self.node("--save", "3600 1000000", binary=binaries[1], of=primary)
            self.wait_for_link(replica)
            self.fill(primary)
            self.assert_same(primary, replica)
            before = self.syncs(primary)[0]
            self.restart(replica)
            self.fill(primary, 2)
            self.assert_same(primary, replica)
            self.restart(primary)
            self.fill(primary, 3)
            self.assert_same(primary, replica)
            self.assertEqual((before, self.syncs(primary)[0]), (1, 0), replica.output())


class ChangesOfRole(RolesTest):
    def test_siblings_follow_the_promoted_node(self):
        for binaries in ((BINARY, BINARY, BINARY), (BINARY, BINARY, REDIS), (BINARY, REDIS, BINARY),
                         (REDIS, BINARY, BINARY)):
            with self.subTest(binaries):
                first = self.node(binary=binaries[0])
                second, third = [self.node(binary=binary, of=first) for binary in binaries[1:]]
                self.wait_for_link(second, third)
                self.fill(first)
                self.assert_same(first, second, third)
                first.process.kill()
                self.assertEqual(self.ask(second, "REPLICAOF", "NO", "ONE"), "OK")
                self.fill(second, 2)
                self.ask(third, "REPLICAOF", "127.0.0.1", second.port)
                self.fill(second, 3)
                self.assert_same(second, third)
                self.assertEqual(self.syncs(second), (0, 1), third.output())

    def test_the_former_primary_comes_back_as_a_replica(self):
        for binaries in ((BINARY, BINARY), (BINARY, REDIS), (REDIS, BINARY)):
            with self.subTest(binaries):
                first = self.node(binary=binaries[0])
                second = self.node(binary=binaries[1], of=first)
                self.wait_for_link(second)
                self.fill(first)
                time.sleep(0.3)  # what has a short deadline has gone
                self.assert_same(first, second)
                self.ask(second, "REPLICAOF", "NO", "ONE")
                self.fill(second, 2)
                # It has nothing that the other one has not.
                self.ask(first, "REPLICAOF", "127.0.0.1", second.port)
                self.assert_same(second, first)
                self.assertEqual(self.syncs(second), (0, 1), first.output())
                # And now both have gone on by themselves.
                self.ask(first, "REPLICAOF", "NO", "ONE")
                self.ask(first, "SET", "own", 1)
                self.fill(second, 3)
                self.ask(first, "REPLICAOF", "127.0.0.1", second.port)
                self.assert_same(second, first)
                self.assertEqual(self.ask(first, "EXISTS", "own"), 0)
                self.assertEqual(self.syncs(second), (1, 1), first.output())

    def failover(self, binaries, *words, target=False):
        first = self.node(binary=binaries[0])
        second = self.node(binary=binaries[1], of=first)
        self.wait_for_link(second)
        writer = Writer(first, second)
        self.assertTrue(eventually(lambda: writer.acknowledged > 100))
        if target:
            words = ("TO", "127.0.0.1", second.port, *words)
        self.assertEqual(self.ask(first, "FAILOVER", *words), "OK")
        self.assertTrue(self.role_is(first, "slave"), first.output())
        self.assertTrue(self.role_is(second, "master"), second.output())
        count = writer.acknowledged
        self.assertTrue(eventually(lambda: writer.acknowledged > count + 100), writer.errors[-3:])
        writer.stop()
        self.wait_until_equal(second, first)
        for server in (first, second):
            found = [int(item) for item in self.ask(server, "LRANGE", "list", 0, -1)]
            self.assertEqual(sorted(set(found)), list(range(writer.acknowledged)))
            self.assertLessEqual(len(found), writer.acknowledged + 1)
        self.assertEqual(self.facts(first)["master_failover_state"], "no-failover")
        self.assertEqual(self.syncs(second)[0], 0, first.output())

    def test_failover_loses_nothing(self):
        self.failover((BINARY, BINARY))
        self.failover((BINARY, BINARY), target=True)
        self.failover((BINARY, BINARY), "FORCE", "TIMEOUT", 5000, target=True)
        self.failover((BINARY, BINARY), "TIMEOUT", 5000)

    def test_failover_to_and_from_redis(self):
        self.failover((BINARY, REDIS))
        self.failover((REDIS, BINARY), target=True)

    def test_failover_that_cannot_succeed(self):
        first = self.node()
        second = self.node(of=first)
        self.wait_for_link(second)
        # The replica stands still: it acknowledges nothing.
        second.process.send_signal(signal.SIGSTOP)
        with first.client() as client, first.client() as other:
            client.call("SET", "before", 1)
            self.assertEqual(client.call("FAILOVER", "TIMEOUT", 500), "OK")
            self.assertEqual(self.facts(first)["master_failover_state"], "waiting-for-sync")
            self.assert_error("ERR FAILOVER already in progress.", client, "FAILOVER")
            self.assert_error("ERR REPLICAOF not allowed while failing over.", client, "REPLICAOF",
                              "NO", "ONE")
            self.assertEqual(client.call("GET", "before"), b"1")
            began = time.monotonic()
            self.assertEqual(other.call("SET", "during", 1), "OK")
            self.assertGreater(time.monotonic() - began, 0.2)
            self.assertEqual(self.facts(first)["master_failover_state"], "no-failover")
            self.assertEqual(self.facts(first)["role"], "master")
            # Given up by hand.
            self.assertEqual(client.call("FAILOVER"), "OK")
            other.send("SET", "during", 2)
            time.sleep(0.1)
            self.assertEqual(client.call("FAILOVER", "ABORT"), "OK")
            self.assertEqual(other.reply(), "OK")
            # By force, to one that does not answer: until ABORT, or until it does.
            self.assertEqual(client.call("FAILOVER", "TO", "127.0.0.1", second.port, "FORCE",
                                         "TIMEOUT", 200), "OK")
            self.assertTrue(eventually(lambda: self.facts(first)["master_failover_state"] ==
                                       "failover-in-progress"), first.output())
            self.assertEqual(client.call("FAILOVER", "ABORT"), "OK")
            self.assertTrue(self.role_is(first, "master"))
            self.assertEqual(client.call("SET", "after", 1), "OK")
            self.assertEqual(client.call("MGET", "before", "during", "after"), [b"1", b"2", b"1"])
            second.process.send_signal(signal.SIGCONT)
            self.assert_same(first, second)
            self.assert_error("ERR FAILOVER target HOST and PORT is not a replica.", client,
                              "FAILOVER", "TO", "127.0.0.1", 1)
            self.assert_error("ERR FAILOVER with force option requires both", client, "FAILOVER",
                              "TO", "127.0.0.1", second.port, "FORCE")
        with second.client() as client:
            self.assert_error("ERR FAILOVER is not valid when server is a replica.", client,
                              "FAILOVER")

    def test_promotion_while_a_snapshot_comes(self):
        """REPLICAOF NO ONE at any moment: what it has is all of its own data or none, and kept."""
        for how in ("disabled", "swapdb", "flush-before-load"):
            primary = self.node()
            self.ask(primary, "DEBUG", "POPULATE", 100000, "primary", 100)
            node = self.node("--repl-diskless-load", how, "--appendonly", "yes")
            for pause in (0.02, 0.1, 0.2, 0.3):
                self.ask(node, "FLUSHALL")
                self.ask(node, "DEBUG", "POPULATE", 1000, "own", 10)
                self.ask(node, "REPLICAOF", "127.0.0.1", primary.port)
                time.sleep(pause)
                self.assertTrue(eventually(lambda: self.promote(node)))
                size = self.ask(node, "DBSIZE")
                self.assertIn(size, (0, 1000, 100000), pause)
                self.ask(node, "SET", "after", pause)
                time.sleep(0.05)
                self.assertEqual(self.ask(node, "DBSIZE"), size + 1)
            self.assertTrue(eventually(lambda: self.facts(node, "persistence")[
                "aof_rewrite_in_progress"] == "0"))
            self.restart(node, signal.SIGKILL)
            self.assertEqual(self.ask(node, "DBSIZE"), size + 1)

    def promote(self, node):
        try:
            return self.ask(node, "REPLICAOF", "NO", "ONE")
        except ReplyError as error:
            self.assertIn("LOADING", str(error))
            return False


if __name__ == "__main__":
    unittest.main()
