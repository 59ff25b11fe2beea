#!/usr/bin/env python3
"""What clients, operators and tools see of replication: waiting, replicas, settings, redis-cli."""

import os
import re
import signal
import subprocess
import time
import unittest
from types import SimpleNamespace

from harness import BINARY, TOP, Client, ReplyError, config_get, eventually, free_port, info
from replication_roles_test import RolesTest, Writer
from replication_test import REDIS


class Waiting(RolesTest):
    def test_wait(self):
        primary = self.node()
        replicas = [self.node(of=primary, binary=binary) for binary in (BINARY, REDIS)]
        self.wait_for_link(*replicas)
        with primary.client() as client:
            self.assertEqual(client.call("WAIT", 0, 0), 2)
            client.call("SET", "key", 1)
            self.assertEqual(client.call("WAIT", 2, 5000), 2)
            for replica in replicas:
                self.assertEqual(self.ask(replica, "GET", "key"), b"1")
            replicas[1].process.send_signal(signal.SIGSTOP)
            client.call("SET", "key", 2)
            began = time.monotonic()
            self.assertEqual(client.call("WAIT", 2, 300), 1)
            self.assertGreater(time.monotonic() - began, 0.29)
            client.call("MULTI")
            client.call("SET", "key", 3)
            client.call("WAIT", 2, 0)
            # Within a transaction nothing has been written yet: both have what was before, or one.
            self.assertIn(client.call("EXEC"), (["OK", 1], ["OK", 0]))
            client.send("WAIT", 2, 0)
            replicas[1].process.send_signal(signal.SIGCONT)
            self.assertEqual(client.reply(), 2)
            self.assert_error("ERR timeout is negative", client, "WAIT", 1, -1)
        with replicas[0].client() as client:
            self.assert_error("ERR WAIT cannot be used with replica instances.", client, "WAIT", 1, 1)

    def test_waitaof(self):
        primary = self.node("--appendonly", "yes")
        replica = self.node("--appendonly", "yes", of=primary)
        other = self.node(of=primary)
        self.wait_for_link(replica, other)
        with primary.client() as client:
            client.call("SET", "key", 1)
            self.assertEqual(client.call("WAITAOF", 1, 1, 5000), [1, 1])
            client.call("SET", "key", 2)
            # One of the two keeps nothing.
            self.assertEqual(client.call("WAITAOF", 1, 2, 1500), [1, 1])
            client.call("MULTI")
            client.call("WAITAOF", 1, 2, 0)
            self.assertEqual(client.call("EXEC"), [[1, 1]])
            replica.process.send_signal(signal.SIGSTOP)
            client.call("SET", "key", 3)
            self.assertEqual(client.call("WAITAOF", 0, 1, 200)[1], 0)
            replica.process.send_signal(signal.SIGCONT)
            self.assertEqual(client.call("WAITAOF", 0, 1, 5000)[1], 1)
            self.assert_error("ERR value is out of range", client, "WAITAOF", 2, 1, 0)
        with replica.client() as client:
            self.assert_error("ERR WAITAOF cannot be used with replica instances.", client,
                              "WAITAOF", 0, 1, 1)

    def test_min_replicas_to_write(self):
        primary = self.node("--min-replicas-to-write", 1, "--min-replicas-max-lag", 2)
        with primary.client() as client:
            self.assert_error("NOREPLICAS Not enough good replicas to write.", client, "SET", "a", 1)
            self.assertEqual(client.call("GET", "a"), None)
            self.assertEqual(self.facts(primary)["min_slaves_good_slaves"], "0")
            replica = self.node(of=primary)
            self.wait_for_link(replica)
            self.assertTrue(eventually(lambda: self.facts(primary)["min_slaves_good_slaves"] == "1"))
            self.assertEqual(client.call("SET", "a", 1), "OK")
            replica.process.send_signal(signal.SIGSTOP)
            self.assertTrue(eventually(
                lambda: self.facts(primary)["min_slaves_good_slaves"] == "0", 6))
            self.assertTrue(eventually(lambda: self.refuses(client, "SET", "a", 2)))
            client.call("CONFIG", "SET", "min-slaves-to-write", 0)
            self.assertEqual(client.call("SET", "a", 2), "OK")
            replica.process.send_signal(signal.SIGCONT)


    def refuses(self, client, *words):
        try:
            client.call(*words)
        except ReplyError as error:
            return str(error).startswith("NOREPLICAS")
        return False


class OnReplicas(RolesTest):
    """What clients of a replica see."""

    def test_reads_and_writes(self):
        for binary in (BINARY, REDIS):
            primary = self.node()
            replica = self.node("--replica-serve-stale-data", "no", binary=binary, of=primary)
            self.wait_for_link(replica)
            with replica.client() as client:
                self.assert_error("READONLY You can't write against a read only replica.", client,
                                  "SET", "a", 1)
                client.call("MULTI")
                with self.assertRaises(ReplyError):
                    client.call("SET", "a", 1)
                self.assert_error("EXECABORT", client, "EXEC")
                self.ask(primary, "SET", "a", 1)
                self.assertTrue(eventually(lambda: client.call("GET", "a") == b"1"))
                primary.process.kill()
                primary.wait_for_exit()
                self.assertTrue(eventually(lambda: not self.link_up(replica)))
                self.assert_error("MASTERDOWN Link with MASTER is down and "
                                  "replica-serve-stale-data is set to 'no'.", client, "GET", "a")
                self.assert_error("MASTERDOWN", client, "PING")
                self.assertEqual(client.call("ROLE")[0], b"slave")
                client.call("CONFIG", "SET", "slave-serve-stale-data", "yes")
                self.assertEqual(client.call("GET", "a"), b"1")

    def test_expiry_is_the_primarys_decision(self):
        answers = []
        for binary in (REDIS, BINARY):
            primary = self.node("--enable-debug-command", "yes")
            replica = self.node(binary=binary, of=primary)
            self.wait_for_link(replica)
            self.ask(primary, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
            with primary.client() as client:
                client.call("SET", "gone", 1, "PX", 1)
                client.call("RPUSH", "list", 1)
                client.call("PEXPIRE", "list", 10)
                client.call("SET", "stays", 1)
            self.wait_until_equal(primary, replica)
            time.sleep(0.05)
            with replica.client() as client:
                answers.append([client.call(*words) for words in (
                    ("GET", "gone"), ("EXISTS", "gone", "list"), ("TTL", "gone"), ("TYPE", "list"),
                    ("DBSIZE",), ("KEYS", "*"), ("LRANGE", "list", 0, -1), ("SCAN", 0)[:2],
                    ("OBJECT", "ENCODING", "stays"), ("MGET", "gone", "stays"), ("PTTL", "list"))])
                answers[-1][7] = answers[-1][7][1]
                self.assertIn(client.call("RANDOMKEY"), (b"stays", b"gone", b"list"))
                self.assertEqual(client.call("DBSIZE"), 3)
                # The primary looks, and decides.
                self.ask(primary, "GET", "gone")
                self.assertTrue(eventually(lambda: client.call("DBSIZE") == 2))
                # An increment that the primary makes of a key that has expired here, too.
                self.ask(primary, "INCR", "gone")
                self.assertTrue(eventually(lambda: client.call("GET", "gone") == b"1"))
            self.ask(primary, "DEBUG", "SET-ACTIVE-EXPIRE", 1)
            self.assertTrue(eventually(lambda: self.ask(replica, "DBSIZE") == 2))
        self.assertEqual(answers[0], answers[1])

    def test_a_writable_replica(self):
        primary = self.node()
        replica = self.node("--replica-read-only", "no", of=primary)
        below = self.node(of=replica)
        self.wait_for_link(replica, below)
        with replica.client() as client:
            client.call("SET", "own", 1, "PX", 100)
            client.call("SET", "stays", 1)
            client.call("INCR", "shared")
            self.assertEqual(self.facts(replica, "stats")["slave_expires_tracked_keys"], "1")
            offset = self.offset(replica)
            self.assertTrue(eventually(lambda: client.call("DBSIZE") == 2))
            self.assertEqual(self.offset(replica), offset)
            self.ask(primary, "SET", "shared", 10)
            self.assertTrue(eventually(lambda: client.call("GET", "shared") == b"10"))
            self.assertEqual(self.ask(below, "DBSIZE"), 1)
            # A key of the primary that has a deadline from here.
            self.ask(primary, "SET", "theirs", 1)
            self.assertTrue(eventually(lambda: client.call("EXPIRE", "theirs", 100) == 1))
            client.call("CONFIG", "SET", "replica-read-only", "yes")
            self.assert_error("READONLY", client, "SET", "own", 1)
        self.ask(primary, "SET", "last", 1)
        self.wait_until_equal(primary, replica, below)

    def test_maxmemory_on_replicas(self):
        primary = self.node()
        replica = self.node("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru", of=primary)
        self.wait_for_link(replica)
        self.ask(primary, "DEBUG", "POPULATE", 20000, "key", 500)
        self.wait_until_equal(primary, replica)
        time.sleep(0.5)
        self.assertEqual(self.ask(replica, "DBSIZE"), 20000)
        # The primary evicts, and its replicas do as it does.
        self.ask(primary, "CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "5mb")
        self.assertTrue(eventually(lambda: self.ask(primary, "DBSIZE") < 10000))
        self.assertTrue(eventually(lambda: self.ask(replica, "DBSIZE") ==
                                   self.ask(primary, "DBSIZE")))
        self.wait_until_equal(primary, replica)
        self.assertEqual(self.facts(replica, "stats")["evicted_keys"], "0")

    def test_messages_events_and_monitor(self):
        for binary in (BINARY, REDIS):
            primary = self.node()
            replica = self.node("--notify-keyspace-events", "KEA", binary=binary, of=primary)
            self.wait_for_link(replica)
            with replica.client() as subscriber, replica.client() as monitor:
                subscriber.call("SUBSCRIBE", "news", "__keyevent@2__:set", "__keyevent@2__:expired",
                                "__keyevent@2__:del")
                for _ in range(3):
                    subscriber.reply()
                monitor.call("MONITOR")
                with primary.client() as client:
                    client.call("PUBLISH", "news", "hello")
                    client.call("SELECT", 2)
                    client.call("SET", "key", 1)
                    client.call("SET", "short", 1, "PX", 20)
                    time.sleep(0.4)
                    client.call("GET", "short")
                events = []
                while len(events) < 4:
                    events.append(tuple(word.decode() for word in subscriber.reply()[1:]))
                self.assertEqual(events, [("news", "hello"), ("__keyevent@2__:set", "key"),
                                          ("__keyevent@2__:set", "short"),
                                          ("__keyevent@2__:del", "short")])
                lines = [monitor.reply() for _ in range(3)]
                self.assertTrue(any('"key" "1"' in line and " 2 " in line[:40].replace("[2", " 2 ")
                                    for line in lines), lines)

    def test_waiting_and_watching_clients(self):
        primary = self.node()
        replica = self.node(of=primary)
        self.wait_for_link(replica)
        with replica.client() as reader, replica.client() as watcher, replica.client() as tracker:
            reader.send("XREAD", "BLOCK", 0, "STREAMS", "stream", "$")
            watcher.call("WATCH", "key")
            tracker.call("HELLO", 3)
            tracker.call("CLIENT", "TRACKING", "ON")
            tracker.call("GET", "key")
            time.sleep(0.1)
            self.ask(primary, "XADD", "stream", "1-1", "a", 1)
            self.ask(primary, "SET", "key", 1)
            self.assertEqual(reader.reply(), [[b"stream", [[b"1-1", [b"a", b"1"]]]]])
            self.assertEqual(tracker.reply(), [b"invalidate", [b"key"]])
            watcher.call("MULTI")
            watcher.call("GET", "key")
            self.assertIsNone(watcher.call("EXEC"))
        # Those that wait for what only a primary can give.
        with primary.client() as waiting:
            waiting.send("BLPOP", "none", 0)
            time.sleep(0.1)
            self.ask(primary, "REPLICAOF", "127.0.0.1", replica.port)
            with self.assertRaises(ReplyError) as caught:
                waiting.reply()
            self.assertIn("UNBLOCKED", str(caught.exception))

    def test_roles_change_within_a_transaction(self):
        primary, node = self.node(), self.node()
        self.ask(primary, "SET", "theirs", 1)
        with node.client() as client:
            for words in (("MULTI",), ("SET", "a", 1), ("REPLICAOF", "127.0.0.1", primary.port),
                          ("SET", "b", 2), ("REPLICAOF", "NO", "ONE"), ("SET", "c", 3)):
                client.call(*words)
            self.assertEqual(client.call("EXEC"), ["OK"] * 5)
            self.assertEqual(client.call("MGET", "a", "b", "c"), [b"1", b"2", b"3"])
            self.assertEqual(self.facts(node)["role"], "master")
            for words in (("MULTI",), ("SET", "a", 4), ("REPLICAOF", "127.0.0.1", primary.port)):
                client.call(*words)
            self.assertEqual(client.call("EXEC"), ["OK", "OK"])
        self.wait_until_equal(primary, node)
        self.assertEqual(self.ask(node, "MGET", "a", "theirs"), [None, b"1"])

    def test_data_that_is_loaded_again(self):
        primary = self.node("--save", "3600 1000000")
        replica = self.node("--save", "3600 1000000", of=primary)
        self.wait_for_link(replica)
        self.fill(primary)
        self.assert_same(primary, replica)
        self.assertEqual(self.ask(primary, "DEBUG", "RELOAD"), "OK")
        self.fill(primary, 2)
        self.assert_same(primary, replica)
        try:
            self.ask(replica, "DEBUG", "RELOAD")
        except ReplyError as error:
            self.assertIn("ERR", str(error))
        self.fill(primary, 4)
        self.assert_same(primary, replica)

    def test_old_data_is_served_while_the_new_is_loaded_beside_it(self):
        primary, node = self.node("--rdbcompression", "no"), self.node("--repl-diskless-load", "swapdb")
        self.ask(primary, "DEBUG", "POPULATE", 300000, "new", 100)
        self.ask(node, "SET", "old", 1)
        self.ask(node, "REPLICAOF", "127.0.0.1", primary.port)
        served = 0
        with node.client() as client:
            while not self.link_up(node):
                facts = info(client, "persistence")
                try:
                    if client.call("GET", "old") == b"1" and facts["async_loading"] == "1":
                        self.assertEqual(facts["loading"], "0")
                        served += 1
                except ReplyError as error:
                    self.fail(str(error))
            self.assertEqual(client.call("DBSIZE"), 300000)
        self.assertGreater(served, 0)


class Settings(RolesTest):
    def test_info_role_and_client_list(self):
        primary = self.node("--requirepass", "secret", config="")
        replica = self.server("--replicaof", f"127.0.0.1 {primary.port}", "--masterauth", "secret",
                              "--replica-announce-ip", "10.1.2.3", "--replica-announce-port", 7777,
                              "--replica-priority", 42, "--repl-diskless-sync-delay", 0)
        self.wait_for_link(replica)
        with primary.client() as client:
            client.call("AUTH", "secret")
            client.call("SET", "a", 1)
            client.call("WAIT", 1, 3000)
            facts = info(client, "replication")
            self.assertRegex(facts["slave0"], "^ip=10.1.2.3,port=7777,state=online,offset=[0-9]+,lag=[01]")
            role = client.call("ROLE")
            self.assertEqual(role[0], b"master")
            self.assertEqual(role[2][0][:2], [b"10.1.2.3", b"7777"])
            for kind in ("replica", "slave"):
                self.assertRegex(client.call("CLIENT", "LIST", "TYPE", kind).decode(), "flags=S.*cmd=")
            self.assertEqual(client.call("CLIENT", "KILL", "TYPE", "slave"), 1)
        with replica.client() as client:
            self.assertTrue(eventually(lambda: client.call("ROLE")[3] == b"connected"))
            self.assertTrue(eventually(
                lambda: b"flags=M" in client.call("CLIENT", "LIST", "TYPE", "master")))
            role = client.call("ROLE")
            self.assertEqual(role[:4], [b"slave", b"127.0.0.1", primary.port, b"connected"])
            facts = info(client, "replication")
            self.assertEqual(facts["slave_priority"], "42")
            self.assertGreaterEqual(role[4], int(facts["slave_repl_offset"]) - 50)
            self.assertEqual(client.call("CLIENT", "KILL", "TYPE", "master"), 1)
        self.wait_for_link(replica)

    def test_names_of_fields_are_those_of_redis(self):
        """Each field that redis-server shows in these sections is shown, in the same order."""
        shown = {}
        for binary in (REDIS, BINARY):
            primary = self.node("--min-replicas-to-write", 1, binary=binary)
            replica = self.node(binary=binary, of=primary)
            self.wait_for_link(replica)
            shown[binary] = [list(self.facts(primary)), list(self.facts(replica))]
            replica.process.send_signal(signal.SIGSTOP)
            self.ask(primary, "CLIENT", "KILL", "TYPE", "replica")
            primary.process.kill()
            replica.process.send_signal(signal.SIGCONT)
            self.assertTrue(eventually(lambda: not self.link_up(replica)))
            shown[binary].append(list(self.facts(replica)))
        self.assertEqual(shown[REDIS], shown[BINARY])

    def test_config_rewrite(self):
        primary = self.node()
        node = self.server("--repl-diskless-sync-delay", 0, config="# mine\nslave-priority 50\n")
        self.ask(node, "CONFIG", "REWRITE")
        with node.client() as client:
            client.call("REPLICAOF", "127.0.0.1", primary.port)
            client.call("CONFIG", "SET", "primaryauth", "word", "masteruser", "someone",
                        "slave-announce-ip", "10.0.0.1", "repl-backlog-size", "5mb")
            client.call("CONFIG", "REWRITE")
            text = self.text(node.config_path)
            self.assertIn(f"replicaof 127.0.0.1 {primary.port}", text)
            self.assertEqual(config_get(client, "replicaof"), f"127.0.0.1 {primary.port}")
            self.assertEqual(config_get(client, "slaveof"), f"127.0.0.1 {primary.port}")
            for line in ("masteruser", "announce-ip", "repl-backlog-size 5", "priority 50", "# mine"):
                self.assertIn(line, text)
            client.call("CONFIG", "SET", "masterauth", "", "masteruser", "")
            client.call("CONFIG", "REWRITE")
        self.wait_for_link(node)
        self.restart(node)
        self.wait_for_link(node)
        with node.client() as client:
            client.call("REPLICAOF", "NO", "ONE")
            client.call("CONFIG", "REWRITE")
            self.assertIn("replicaof no one\n", self.text(node.config_path))
        self.restart(node)
        self.assertEqual(self.facts(node)["role"], "master")

    def text(self, path):
        with open(path) as file:
            return file.read()

    def test_nodes_in_one_directory(self):
        directory = self.directory()
        primaries, replicas = [], []
        for name in ("first", "second"):
            primary = self.node("--repl-diskless-sync", "no", "--rdbcompression", "no", "--dir",
                                directory)
            self.ask(primary, "DEBUG", "POPULATE", 100000, name, 200)
            primaries.append(primary)
        for primary in primaries:
            replicas.append(self.node("--dir", directory, of=primary))
        self.wait_for_link(*replicas)
        for name, replica in zip(("first", "second"), replicas):
            self.assertEqual(self.ask(replica, "DBSIZE"), 100000)
            self.assertEqual(self.ask(replica, "EXISTS", f"{name}:5"), 1, name)
            self.assertNotIn("# Replication from", replica.output())
        self.assertEqual([entry for entry in os.listdir(directory) if "temp" in entry], [])

    def test_a_user_of_its_own(self):
        primary = self.node(binary=REDIS)
        self.ask(primary, "ACL", "SETUSER", "replica", "on", ">word", "+psync", "+replconf", "+ping")
        self.ask(primary, "ACL", "SETUSER", "default", ">other")
        with primary.client() as client:
            client.call("AUTH", "other")
            client.call("SET", "a", 1)
        replica = self.node("--masteruser", "replica", "--masterauth", "word", of=primary)
        self.wait_for_link(replica)
        self.assertEqual(self.ask(replica, "GET", "a"), b"1")

    def test_both_names_of_directives(self):
        """redis-server and ours know the same names, with the same values at first."""
        names = ("replicaof", "slaveof", "masterauth", "masteruser")
        for spelling in ("replica", "slave"):
            names += tuple(f"{spelling}-{name}" for name in (
                "serve-stale-data", "read-only", "ignore-maxmemory", "lazy-flush", "announce-ip",
                "announce-port", "priority"))
            names += (f"min-{spelling}s-to-write", f"min-{spelling}s-max-lag",
                      f"repl-ping-{spelling}-period")
        names += ("replica-announced", "repl-diskless-load", "repl-diskless-sync",
                  "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas", "repl-timeout",
                  "repl-disable-tcp-nodelay", "repl-backlog-size", "repl-backlog-ttl",
                  "shutdown-timeout", "propagation-error-behavior", "client-output-buffer-limit",
                  "replica-ignore-disk-write-errors")
        with self.server() as ours, self.server(binary=REDIS) as redis:
            for name in names:
                with self.subTest(name):
                    self.assertEqual(self.ask(ours, "CONFIG", "GET", name),
                                     self.ask(redis, "CONFIG", "GET", name))
            for words in (("repl-timeout", 0), ("replicaof", "a 1"),
                          ("min-replicas-to-write", -1), ("slave-announce-port", 65536)):
                errors = []
                for server in (ours, redis):
                    with self.assertRaises(ReplyError) as caught:
                        self.ask(server, "CONFIG", "SET", *words)
                    errors.append(str(caught.exception))
                self.assertEqual(errors[0], errors[1])

    def test_latency_events(self):
        primary = self.node("--latency-monitor-threshold", "1")
        replica = self.node("--latency-monitor-threshold", "1", of=primary)
        self.wait_for_link(replica)

        def events(node):
            return {event[0].decode(): event[2] for event in self.ask(node, "LATENCY", "LATEST")}

        self.assertTrue(eventually(lambda: "primary-link-down" in events(replica)))
        self.assertIn("sync-from-primary", events(replica))
        self.assertTrue(eventually(lambda: "sync-of-replicas" in events(primary)))
        self.ask(replica, "LATENCY", "RESET")
        self.ask(replica, "CLIENT", "KILL", "TYPE", "master")
        self.assertTrue(eventually(lambda: events(replica).get("primary-link-down", 0) >= 900, 10))

    def test_password_is_set_while_it_runs(self):
        primary = self.node("--requirepass", "secret")
        replica = self.node(of=primary)
        self.assertTrue(eventually(lambda: "password" in replica.output()))
        self.ask(replica, "CONFIG", "SET", "masterauth", "wrong")
        self.assertTrue(eventually(lambda: "refuses the password" in replica.output()))
        self.ask(replica, "CONFIG", "SET", "masterauth", "secret", "masteruser", "default")
        self.wait_for_link(replica)

    def test_backlog_size_and_ttl(self):
        primary = self.node("--repl-backlog-size", "16kb", "--repl-backlog-ttl", 1)
        replica = self.node(of=primary)
        self.wait_for_link(replica)
        fields = lambda: {name: int(value) for name, value in self.facts(primary).items()
                          if name.startswith("repl_backlog")}
        with primary.client() as client:
            client.call("CONFIG", "SET", "repl-backlog-size", "4mb")
            for i in range(30):
                client.call("SET", "key", bytes(100000))
            self.assertGreaterEqual(fields()["repl_backlog_histlen"], 3000000)
            self.assertEqual(fields()["repl_backlog_size"], 4 << 20)
            client.call("CONFIG", "SET", "repl-backlog-size", "100kb")
            for i in range(3):
                client.call("SET", "key", bytes(100000))
            self.wait_until_equal(primary, replica)
            self.assertTrue(eventually(lambda: fields()["repl_backlog_histlen"] < 1500000), fields())
            f = fields()
            self.assertEqual(f["repl_backlog_first_byte_offset"] + f["repl_backlog_histlen"],
                             self.offset(primary) + 1)
            replica.process.kill()
            self.assertTrue(eventually(lambda: fields()["repl_backlog_active"] == 0, 5), fields())
            client.call("SET", "key", 1)
        other = self.node(of=primary)
        self.assert_same(primary, other)

    def test_sync_delay_and_max_replicas(self):
        primary = self.node("--repl-diskless-sync-delay", 60, "--repl-diskless-sync-max-replicas", 2)
        first = self.node(of=primary)
        time.sleep(0.5)
        self.assertIn("state=wait_bgsave", self.facts(primary)["slave0"])
        second = self.node(of=primary)
        self.ask(primary, "SET", "a", 1)
        self.wait_for_link(first, second)
        self.assertEqual(primary.output().count("Full synchronization of 2 replicas begins"), 1)

    def test_silence_ends_a_link(self):
        primary = self.node("--repl-timeout", 2, "--repl-ping-replica-period", 1)
        replica = self.node("--repl-timeout", 2, of=primary)
        self.wait_for_link(replica)
        time.sleep(2.5)
        self.assertNotIn("lost", replica.output())
        primary.process.send_signal(signal.SIGSTOP)
        self.assertTrue(eventually(lambda: not self.link_up(replica), 5))
        self.assertIn("nothing has come for repl-timeout", replica.output())
        primary.process.send_signal(signal.SIGCONT)
        self.ask(primary, "SET", "a", 1)
        self.assert_same(primary, replica)
        replica.process.send_signal(signal.SIGSTOP)
        self.assertTrue(eventually(lambda: self.facts(primary)["connected_slaves"] == "0", 5))
        self.assertIn("acknowledged nothing for repl-timeout", primary.output())
        replica.process.send_signal(signal.SIGCONT)
        self.wait_for_link(replica)
        self.assertEqual(self.syncs(primary)[0], 1)

    def test_a_stop_waits_for_replicas(self):
        primary = self.node("--shutdown-timeout", 1, "--save", "3600 100000")
        replica = self.node(of=primary)
        self.wait_for_link(replica)
        with primary.client() as client, primary.client() as other:
            client.call("SET", "a", 1)
            self.assertEqual(client.call("WAIT", 1, 5000), 1)
            replica.process.send_signal(signal.SIGSTOP)
            client.call("SET", "a", 2)
            began = time.monotonic()
            client.send("SHUTDOWN")
            time.sleep(0.3)
            self.assertEqual(other.call("SHUTDOWN", "ABORT"), "OK")
            other.call("SET", "b", 1)
            client.send("SHUTDOWN")
            primary.wait_for_exit()
            self.assertGreater(time.monotonic() - began, 1)
        self.assertIn("within shutdown-timeout", primary.output())
        replica.process.send_signal(signal.SIGCONT)
        other = self.node("--shutdown-timeout", 10)
        follower = self.node(of=other)
        self.wait_for_link(follower)
        with other.client() as client:
            for i in range(100):
                client.call("SET", "key", bytes(100000))
            client.call("SET", "last", 1)
        began = time.monotonic()
        other.terminate()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.ask(follower, "GET", "last"), b"1")


class Tools(RolesTest):
    def cli(self, server, *arguments, **options):
        return subprocess.run(["redis-cli", "-p", str(server.port), *arguments],
                              capture_output=True, text=True, timeout=30, **options)

    def test_redis_cli(self):
        server = self.node()
        self.fill(server)
        path = os.path.join(server.directory, "copy.rdb")
        for how in ("yes", "no"):
            self.ask(server, "CONFIG", "SET", "repl-diskless-sync", how)
            done = self.cli(server, "--rdb", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            check = subprocess.run([os.path.join(os.path.dirname(REDIS), "redis-check-rdb"), path],
                                   capture_output=True, text=True) if os.path.exists(
                os.path.join(os.path.dirname(REDIS), "redis-check-rdb")) else subprocess.run(
                ["redis-check-rdb", path], capture_output=True, text=True)
            self.assertIn("RDB looks OK", check.stdout)
            done = self.cli(server, "--functions-rdb", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertLess(os.path.getsize(path), 500)
            follower = subprocess.Popen(["redis-cli", "-p", str(server.port), "--replica"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            time.sleep(1.5)
            self.ask(server, "SET", "seen", how)
            time.sleep(0.5)
            follower.terminate()
            output = follower.communicate()[0].decode()
            self.assertRegex(output, f'(?i)"set","seen","{how}"')
        # Both links are gone.
        self.assertTrue(eventually(lambda: self.facts(server)["connected_slaves"] == "0"))


class Families(RolesTest):
    """Commands whose effects are others than themselves, or depend on time or chance."""

    COMMANDS = (
        "SET a 1 EX 1000", "SETEX b 1000 x", "PSETEX c 100000 x", "SET a 2 KEEPTTL", "SET a 3 XX GET",
        "GETEX b PERSIST", "GETEX c EX 5000", "GETDEL a", "INCRBYFLOAT f 3.14159", "MSETNX m1 1 m2 2",
        "SETRANGE s 5 hello", "APPEND s more", "SETBIT bits 100 1", "BITOP NOT bits2 bits",
        "BITOP XOR bits3 bits bits2", "BITFIELD bits SET u8 0 255 INCRBY i5 100 1 OVERFLOW SAT",
        "PFADD h1 a b c", "PFADD h2 c d e", "PFMERGE h3 h1 h2", "PFCOUNT h3", "PFCOUNT h1 h2",
        "RPUSH l a b c d e f g a b", "LMPOP 2 none l LEFT COUNT 2", "LMOVE l l2 RIGHT LEFT",
        "RPOPLPUSH l l2", "LINSERT l BEFORE d x", "LREM l 1 a", "LSET l 0 first", "BLPOP none l 0",
        "BLMOVE l l2 LEFT RIGHT 0", "BLMPOP 0 1 l2 RIGHT COUNT 1", "SADD t 1 2 3 4 5 6 7 8 9 10",
        "SPOP t", "SPOP t 3", "SMOVE t t2 5", "SADD t3 1 9 77", "SINTERSTORE t4 t t3",
        "SDIFFSTORE t5 t t3", "SUNIONSTORE t6 t t3", "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f",
        "ZADD z GT CH 9 a", "ZADD z INCR 1.5 b", "ZMPOP 1 z MIN COUNT 1", "ZPOPMAX z",
        "BZPOPMIN none z 0", "BZMPOP 0 1 z MAX", "ZRANGESTORE z2 z 0 -1", "ZADD z3 1 a 5 f",
        "ZUNIONSTORE z4 2 z z3 WEIGHTS 2 3 AGGREGATE MAX", "ZINTERSTORE z5 2 z z3",
        "ZDIFFSTORE z6 2 z4 z3", "ZREMRANGEBYRANK z4 0 0", "HSET h a 1 b 2", "HINCRBY h a 5",
        "HINCRBYFLOAT h b 0.1", "HSETNX h c 3", "GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c",
        "GEOSEARCHSTORE g2 g FROMLONLAT 15 37 BYRADIUS 200 km", "SORT l ALPHA STORE l3",
        "GEORADIUS g 15 37 200 km STOREDIST g3", "XADD x * a 1", "XADD x 9999999999999-* a 2",
        "XADD x MAXLEN ~ 1000 * a 3", "XADD x 9999999999999-9 b 4", "XGROUP CREATE x g1 0",
        "XGROUP CREATE x g2 $ MKSTREAM", "XREADGROUP GROUP g1 me COUNT 2 STREAMS x >",
        "XREADGROUP GROUP g1 me NOACK STREAMS x >", "XCLAIM x g1 you 0 9999999999999-0",
        "XAUTOCLAIM x g1 she 0 0", "XACK x g1 9999999999999-0", "XGROUP CREATECONSUMER x g1 idle",
        "XGROUP DELCONSUMER x g1 idle", "XGROUP SETID x g2 0", "XDEL x 9999999999999-9",
        "XSETID x 99999999999999-5", "EXPIRE l 1000", "EXPIRE l 500 LT", "PEXPIREAT l2 1",
        "EXPIRE l3 -1", "PERSIST l", "COPY l lcopy", "COPY h h DB 2", "MOVE s 3", "RENAME z zz",
        "RENAMENX z2 zz2", "UNLINK t5 none", "SWAPDB 1 2", "PUBLISH ch hello",
    )

    def test_every_family(self):
        for binaries in ((BINARY, BINARY, REDIS), (REDIS, BINARY, BINARY)):
            primary = self.node(binary=binaries[0])
            replicas = [self.node(binary=binary, of=primary) for binary in binaries[1:]]
            self.wait_for_link(*replicas)
            with primary.client() as client:
                for words in self.COMMANDS:
                    try:
                        client.call(*words.split())
                    except ReplyError as error:
                        self.fail(f"{words}: {error}")
                client.call("RESTORE", "restored", 0, client.call("DUMP", "h"), "REPLACE")
                # In a transaction, and with a client that waits.
                with primary.client() as waiting:
                    waiting.send("BLMOVE", "waited", "moved", "LEFT", "LEFT", 0)
                    time.sleep(0.05)
                    for words in ("MULTI", "RPUSH waited 1 2", "SELECT 2", "SET in2 x", "SELECT 0",
                                  "INCR n", "SPOP t", "EXEC"):
                        client.call(*words.split())
                    self.assertEqual(waiting.reply(), b"1")
            self.assert_same(primary, *replicas)


class Migration(RolesTest):
    """docs/migrate.md, as it is written, with a client that writes all the time."""

    def test_there_and_back(self):
        with open(os.path.join(TOP, "docs/migrate.md")) as page:
            blocks = re.findall(r"^```sh\n(.*?)^```", page.read(), re.M | re.S)
        old = self.node("--save", "3600 1000000", binary=REDIS)
        self.fill(old)
        folder = self.directory()
        new_port = free_port()
        lines = blocks[0].replace("6379", str(old.port)).replace("6380", str(new_port))
        new = SimpleNamespace(port=new_port, client=lambda **options: Client(new_port, **options),
                              output=lambda: self.text(os.path.join(folder, "redoubt.log")))
        writer = Writer(old, new)
        path = os.path.dirname(BINARY) + ":" + os.environ["PATH"]
        self.addCleanup(self.end_daemon, new)
        for block in blocks[1:]:
            done = subprocess.run(["bash", "-e", "-c", lines + block], cwd=folder, text=True,
                                  env=dict(os.environ, PATH=path), capture_output=True, timeout=30)
            self.assertEqual(done.returncode, 0, (block, done.stdout, done.stderr))
            self.assertNotIn("ERR", done.stdout, block)
            count = writer.acknowledged
            self.assertTrue(eventually(lambda: writer.acknowledged > count + 50), writer.errors[-3:])
            if "FAILOVER TO $NEW" in block:
                self.assertTrue(eventually(lambda: self.link_up(old)))
        writer.stop()
        self.assertEqual(self.facts(old)["role"], "master")
        self.assertTrue(eventually(lambda: self.link_up(new)))
        self.assert_same(old, new)
        for server in (old, new):
            found = {int(item) for item in self.ask(server, "LRANGE", "list", 0, -1)}
            self.assertEqual(sorted(found)[:writer.acknowledged], list(range(writer.acknowledged)))
        self.assertEqual(self.facts(old, "stats")["sync_full"], "1")

    def text(self, path):
        with open(path) as file:
            return file.read()

    def end_daemon(self, new):
        try:
            with new.client() as client:
                client.call("SHUTDOWN", "NOSAVE", "NOW")
        except (OSError, ReplyError):
            pass


class Large(RolesTest):
    def test_a_large_list_deadlines_and_sixteen_databases(self):
        for binaries in ((BINARY, BINARY), (BINARY, REDIS), (REDIS, BINARY)):
            with self.subTest(binaries):
                primary = self.node(binary=binaries[0])
                with primary.client() as client:
                    for _ in range(100):
                        client.send("RPUSH", "large", *[os.urandom(1000) * 10] * 100)
                    for _ in range(100):
                        client.reply()
                    for db in range(16):
                        client.call("SELECT", db)
                        client.call("SET", f"in:{db}", db)
                    client.call("SELECT", 0)
                    client.call("SET", "passed", 1, "PXAT", 1)
                    client.call("SET", "soon", 1, "PX", 300)
                    client.call("SET", "later", 1, "PX", 100000)
                    replica = self.node(binary=binaries[1], of=primary)
                    for i in range(2000):
                        client.call("INCR", "during")
                    self.wait_until_equal(primary, replica)
                    time.sleep(0.3)
                    self.assertEqual(client.call("EXISTS", "passed", "soon"), 0)
                    self.wait_until_equal(primary, replica)
                with replica.client() as client:
                    self.assertEqual(client.call("LLEN", "large"), 10000)
                    self.assertEqual(client.call("LINDEX", "large", -1),
                                     self.ask(primary, "LINDEX", "large", -1))
                    self.assertEqual(client.call("GET", "during"), b"2000")
                    self.assertEqual(client.call("EXISTS", "passed", "soon", "later"), 1)
                    self.assertTrue(eventually(lambda: client.call("DBSIZE") == 4))
                    for db in range(1, 16):
                        client.call("SELECT", db)
                        self.assertEqual(client.call("GET", f"in:{db}"), str(db).encode())

    def test_values_that_redis_cannot_hold(self):
        primary = self.node()
        ours, redis = self.node(of=primary), self.node(binary=REDIS, of=primary)
        self.wait_for_link(ours, redis)
        with primary.client() as client:
            client.call("HSET", "hash", "a", 1, "b", 2)
            client.call("HPEXPIRE", "hash", 100000, "FIELDS", 1, "a")
            client.call("HPEXPIRE", "hash", 1, "FIELDS", 1, "b")
            client.call("SET", "behind", 1)
            self.wait_until_equal(primary, ours)
            self.assertGreater(self.ask(ours, "HPTTL", "hash", "FIELDS", 1, "a")[0], 0)
            self.assertTrue(eventually(lambda: self.ask(ours, "HLEN", "hash") == 1))
        # A full synchronisation names the key, and is not tried without end at full speed.
        other = self.node(binary=REDIS, of=primary)
        self.assertTrue(eventually(lambda: re.search("Full synchronization has failed: .*hash",
                                                     primary.output()), 10), primary.output())
        fresh = self.node(of=primary)
        self.wait_for_link(fresh)
        self.assertEqual(self.ask(fresh, "HLEN", "hash"), 1)
        other.process.kill()


if __name__ == "__main__":
    unittest.main()
