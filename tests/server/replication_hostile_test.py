#!/usr/bin/env python3
"""Primaries that do not keep to the protocol. A node says so in its log, keeps its data
as far as its directives promise, applies nothing that is wrong, and goes on."""

import os
import re
import socket
import subprocess
import threading
import time
import unittest

from harness import Client, ReplyError, Server, encode, eventually, info
from replication_test import ReplicationTest

ID = "0123456789abcdef0123456789abcdef01234567"
MARK = "f" * 40


class Peer(Client):
    """A connection that somebody else has opened, or one that plays a replica."""

    def __init__(self, connection):
        self.socket, self.buffer = connection, b""
        connection.settimeout(10)

    def line(self):
        # Line ends between commands say that the other side lives.
        while self.buffer.startswith((b"\n", b"\r\n")) or not self.buffer:
            self.buffer = self.buffer.lstrip(b"\r\n") or self.fill()
        return super().line()

    def command(self):
        line = self.line()
        if not line.startswith(b"*"):
            return line.split()  # SYNC comes as a plain line
        self.buffer = line + b"\r\n" + self.buffer
        return self.reply()

    def greet(self, answers=None):
        """Answers until PSYNC or SYNC, which is returned."""
        answers = answers or {}
        while True:
            words = self.command()
            name = words[0].decode().upper()
            if name in answers:
                self.send_raw(answers[name])
            elif name in ("PSYNC", "SYNC"):
                return [word.decode() for word in words]
            else:
                self.send_raw(b"+PONG\r\n" if name == "PING" else b"+OK\r\n")


class FakePrimary:
    """Plays a story with each connection that comes. An inline SYNC counts as one, too."""

    def __init__(self, test, story):
        self.story, self.asked, self.connections = story, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        test.addCleanup(self.close)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            peer = Peer(connection)
            self.connections.append(peer)
            threading.Thread(target=self.play, args=(peer,), daemon=True).start()

    def play(self, peer):
        try:
            self.story(self, peer)
        except (OSError, AssertionError, ValueError):
            pass
        peer.close()

    def close(self):
        self.listener.close()
        for peer in self.connections:
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            peer.close()


def full(peer, snapshot, offset=100, mark=True):
    """The snapshot, as an answer to PSYNC; returns when the replica has it."""
    payload = b"$EOF:%s\r\n%s%s" % (MARK.encode(), snapshot, MARK.encode())
    if not mark:
        payload = b"$%d\r\n%s" % (len(snapshot), snapshot)
    peer.send_raw(b"+FULLRESYNC %s %d\r\n" % (ID.encode(), offset) + payload)
    while True:
        words = peer.command()
        if words[:2] == [b"REPLCONF", b"ACK"]:
            return


class HostileTest(ReplicationTest):
    @classmethod
    def setUpClass(cls):
        with Server("--rdbcompression", "no") as server, server.client() as client:
            for i in range(1000):
                client.call("SET", f"primary:{i}", "x" * 50)
            client.call("SELECT", 3)
            client.call("RPUSH", "list", *range(100))
            client.call("SAVE")
            with open(os.path.join(server.directory, "dump.rdb"), "rb") as file:
                cls.snapshot = file.read()

    def follow(self, server, primary):
        with server.client() as client:
            self.assertTrue(eventually(lambda: self.try_call(client, "REPLICAOF", "127.0.0.1",
                                                             primary.port)))

    def try_call(self, client, *words):
        """False while data is being loaded."""
        try:
            return client.call(*words)
        except ReplyError as error:
            self.assertIn("LOADING", str(error))
            return False

    def own_data(self, server):
        with server.client() as client:
            client.call("REPLICAOF", "NO", "ONE")
            client.call("FLUSHALL")
            client.call("MSET", "own:1", "a", "own:2", "b")
            client.call("SELECT", 2)
            client.call("SET", "own:3", "c")

    def has_own_data(self, server):
        with server.client() as client:
            first = client.call("MGET", "own:1", "own:2")
            client.call("SELECT", 2)
            return first + [client.call("GET", "own:3"), client.call("DBSIZE")] == [
                b"a", b"b", b"c", 1]

    def expect_line(self, server, pattern, seen, seconds=8):
        self.assertTrue(
            eventually(lambda: re.search(pattern, server.output()[seen:]), seconds),
            f"no line with {pattern!r} in:\n{server.output()[seen:]}")

    def restart(self, server, kill=False):
        if kill:
            server.process.kill()
            server.wait_for_exit()
        else:
            server.terminate()
        with open(server.output_path, "ab") as output:
            server.process = subprocess.Popen(server.process.args, stdin=subprocess.DEVNULL,
                                              stdout=output, stderr=output, cwd=server.directory)
        server.wait_until_ready()

    def is_sound(self, server):
        """The process lives and answers quickly."""
        began = time.monotonic()
        with server.client() as client:
            self.assertEqual(client.call("PING"), "PONG")
        self.assertLess(time.monotonic() - began, 2)


class BeforeTheData(HostileTest):
    """What goes wrong before a whole snapshot is there costs no data."""

    def try_stories(self, stories, *arguments):
        server = self.node("--repl-timeout", 2, *arguments)
        self.own_data(server)
        before = server.resident_bytes()
        for pattern, story in stories:
            with self.subTest(pattern):
                seen = len(server.output())
                primary = FakePrimary(self, story)
                self.follow(server, primary)
                self.expect_line(server, pattern, seen)
                self.is_sound(server)
                self.assertTrue(self.has_own_data(server), server.output()[seen:])
                primary.close()
        self.assertLess(server.resident_bytes() - before, 50 << 20)
        with server.client() as client:
            self.assertEqual(client.call("REPLICAOF", "NO", "ONE"), "OK")
            self.assertEqual(client.call("SET", "own:1", "a"), "OK")
        self.assertTrue(self.has_own_data(server))

    def test_handshake(self):
        def says(first):
            return lambda primary, peer: (peer.send_raw(first), peer.greet(), time.sleep(3))

        def answers(**texts):
            table = {name: text.encode() + b"\r\n" for name, text in texts.items()}

            def story(primary, peer):
                peer.greet(table)

            return story

        def silent(primary, peer):
            time.sleep(5)

        def drips(primary, peer):
            for _ in range(40):  # a byte now and then is no line
                peer.send_raw(b"+")
                time.sleep(0.2)

        def closes(primary, peer):
            peer.close()

        self.try_stories([
            ("line without an end", says(b"\x00\xff" * 40000)),
            ("answers PING with: -ERR no", answers(PING="-ERR no")),
            ("cannot serve replicas now: -LOADING",
             answers(PING="-LOADING Redis is loading", PSYNC="-LOADING Redis is loading")),
            ("wants a password", answers(PING="-NOAUTH first", REPLCONF="-NOAUTH first")),
            ("refuses PSYNC: -NOAUTH", answers(PSYNC="-NOAUTH first")),
            ("link broke: .*(clos|reset)", closes),
            ("link broke: .*time", silent),
            ("link broke: .*time", drips),
        ])

    def test_password(self):
        def refuses(primary, peer):
            peer.greet({"PING": b"-NOAUTH first\r\n", "AUTH": b"-WRONGPASS no\r\n"})

        self.try_stories([("refuses the password: -WRONGPASS", refuses)], "--masterauth", "wrong",
                         "--masteruser", "someone")

    def test_answers_to_psync(self):
        def answers(*lines):
            def story(primary, peer):
                peer.greet()
                for line in lines:
                    peer.send_raw(line + b"\r\n")
                if peer.greet() == ["SYNC"]:
                    peer.send_raw(b"-ERR no SYNC\r\n")

            return story

        good = b"+FULLRESYNC %s 5" % ID.encode()
        self.try_stories([
            ("cannot serve replicas now: -LOADING", answers(b"-LOADING wait")),
            ("cannot serve replicas now: -NOMASTERLINK", answers(b"-NOMASTERLINK wait")),
            ("no snapshot: -ERR no SYNC", answers(b"-ERR unknown command 'PSYNC'")),
            ("answers PSYNC with: -ERR what", answers(b"-ERR what")),
            ("cannot serve replicas now: -MASTERDOWN", answers(b"-MASTERDOWN what")),
            ("answers PSYNC with: .FULLRESYNC", answers(b"+FULLRESYNC")),
            ("answers PSYNC with: .FULLRESYNC abc", answers(b"+FULLRESYNC abc 1")),
            ("answers PSYNC with: .FULLRESYNC", answers(b"+FULLRESYNC %s -5" % ID.encode())),
            ("answers PSYNC with: .FULLRESYNC",
             answers(b"+FULLRESYNC %s 99999999999999999999" % ID.encode())),
            ("answers PSYNC with: .FULLRESYNC",
             answers(b"+FULLRESYNC %s 9223372036854775807" % ID.encode())),
            ("answers PSYNC with: .DUALCHANNELSYNC", answers(b"+DUALCHANNELSYNC")),
            ("answers PSYNC with: .RDBCHANNELSYNC", answers(b"+RDBCHANNELSYNC 5")),
            ("answers PSYNC with: :5", answers(b":5")),
            ("instead of a snapshot comes: .-1", answers(good, b"$-1")),
            ("instead of a snapshot comes: .abc", answers(good, b"$abc")),
            ("instead of a snapshot comes: .9", answers(good, b"$99999999999999999999")),
            ("instead of a snapshot comes: .EOF", answers(good, b"$EOF:abc")),
            ("instead of a snapshot comes: hello", answers(good, b"hello" * 20)),
            ("no snapshot: -ERR cannot", answers(good, b"-ERR cannot")),
            ("line without an end", answers(good, b"x" * 200000)),
        ])

    def test_continues_what_was_never_begun(self):
        def story(primary, peer):
            asked = peer.greet()
            primary.asked.append(asked)
            peer.send_raw(b"+CONTINUE nonsense\r\n" if asked[1] != "?" else b"+CONTINUE\r\n")
            time.sleep(3)

        server = self.node()
        seen = len(server.output())
        self.follow(server, FakePrimary(self, story))
        self.expect_line(server, "continues (what was never begun|with an id that is none)", seen)
        self.is_sound(server)

    def test_endless_newlines(self):
        def story(primary, peer):
            peer.greet()
            until = time.monotonic() + 3
            while time.monotonic() < until:
                peer.send_raw(b"\n" * 100000)

        server = self.node()
        self.own_data(server)
        seen = len(server.output())
        before = server.resident_bytes()
        self.follow(server, FakePrimary(self, story))
        for _ in range(20):
            self.is_sound(server)
            time.sleep(0.1)
        self.assertLess(server.resident_bytes() - before, 30 << 20)
        self.expect_line(server, "link broke", seen)
        self.assertTrue(self.has_own_data(server))

    def snapshots(self):
        good = self.snapshot
        broken = bytearray(good)
        broken[-1] ^= 1  # the checksum
        other = bytearray(good)
        other[len(other) // 2] ^= 0x20

        def sends(payload, waits=0.3):
            def story(primary, peer):
                peer.greet()
                peer.send_raw(b"+FULLRESYNC %s 5\r\n" % ID.encode() + payload)
                time.sleep(waits)

            return story

        def by_mark(body, mark=MARK.encode()):
            return sends(b"$EOF:%s\r\n%s%s" % (MARK.encode(), body, mark))

        def by_length(body, length=None):
            return sends(b"$%d\r\n%s" % (len(good) if length is None else length, body))

        return [
            ("cut by mark", by_mark(good[:2000], b"")),
            ("cut by length", by_length(good[:2000])),
            ("checksum by mark", by_mark(bytes(broken))),
            ("checksum by length", by_length(bytes(broken))),
            ("changed by mark", by_mark(bytes(other))),
            ("garbage by mark", by_mark(os.urandom(5000))),
            ("garbage by length", by_length(os.urandom(len(good)))),
            ("too short a length", by_length(good, len(good) - 10)),
            ("too long a length", by_length(good, len(good) + 10)),
            ("longer than it is", by_length(good + b"0123456789", len(good) + 10)),
            ("no length", by_length(b"", 0)),
            ("no bytes", by_mark(b"")),
            ("wrong mark", by_mark(good, b"e" * 40)),
            ("half a mark", by_mark(good, b"f" * 20)),
        ]

    def test_snapshots_loaded_beside_the_data(self):
        self.try_stories([("Replication from ", story) for _, story in self.snapshots()],
                         "--repl-diskless-load", "swapdb")

    def test_snapshots_that_replace_the_data(self):
        for how in ("disabled", "flush-before-load"):
            server = self.node("--repl-timeout", 2, "--repl-diskless-load", how, "--appendonly",
                               "yes")
            for name, story in self.snapshots():
                if name == "longer than it is" and how == "disabled":
                    continue  # what is behind the end of a file is not looked at
                with self.subTest(how + ", " + name):
                    self.own_data(server)
                    seen = len(server.output())
                    self.follow(server, FakePrimary(self, story))
                    self.expect_line(server, "Replication from ", seen)
                    self.is_sound(server)
                    with server.client() as client:
                        client.call("REPLICAOF", "NO", "ONE")
                        # Its own data, or none. Never a part of a snapshot.
                        self.assertIn(client.call("DBSIZE"), (0, 2))
                        client.call("SET", "new", name)
            # The log goes on, once it has a base again.
            with server.client() as client:
                self.assertTrue(eventually(lambda: info(client, "persistence")[
                    "aof_rewrite_in_progress"] == "0"))
            self.restart(server, kill=True)
            with server.client() as client:
                self.assertEqual(client.call("GET", "new"), self.snapshots()[-1][0].encode())


class InTheStream(HostileTest):
    """After a good snapshot."""

    def serve(self, *pieces, stays=True):
        """A primary whose stream has these pieces; how it was asked for it is in `asked`."""

        def story(primary, peer):
            asked = peer.greet()
            primary.asked.append(asked)
            if asked[1] != ID:
                full(peer, self.snapshot)
            else:
                peer.send_raw(b"+CONTINUE\r\n")
            for piece in pieces:
                peer.send_raw(piece)
            while stays:
                peer.reply()

        return FakePrimary(self, story)

    def test_what_is_no_stream(self):
        server = self.node("--repl-timeout", 2)
        for name, bad in {
                "a word": b"hello world\r\n",
                "zeros": b"\0" * 100,
                "huge count": b"*99999999999\r\n",
                "negative count": b"*-5\r\n",
                "no count": b"*\r\n",
                "no bulk": b"*1\r\n:5\r\n",
                "negative bulk": b"*2\r\n$3\r\nGET\r\n$-1\r\n",
                "huge bulk": b"*1\r\n$99999999999\r\n",
                "length of a bulk": b"*2\r\n$4\r\nINCR\r\n$1\r\nab\r\n",
                "comment": b"#H:abc:5\r\n",
                "MULTI twice": encode("MULTI") * 2,
                "EXEC": encode("EXEC"),
                "database 99": encode("SELECT", 99) + encode("SET", "own:1", "wrong"),
                "no database": encode("SELECT", "abc"),
                "database in MULTI": encode("MULTI") + encode("SELECT", 99) +
                                     encode("SET", "own:1", "wrong") + encode("EXEC"),
        }.items():
            with self.subTest(name):
                seen = len(server.output())
                good = encode("SELECT", 1) + encode("SET", "good", name)
                primary = self.serve(good + bad + encode("SET", "behind", "x"))
                self.follow(server, primary)
                self.expect_line(server, "Connection with primary .*:%d lost: .*wrong" % primary.port, seen)
                self.is_sound(server)
                with server.client() as client:
                    self.assertEqual(client.call("EXISTS", "own:1"), 0)
                    client.call("SELECT", 1)
                    self.assertEqual(client.call("GET", "good"), name.encode())
                    self.assertEqual(client.call("EXISTS", "behind"), 0)
                # What this primary said is not to be continued.
                if name not in ("a word", "MULTI twice", "database 99"):
                    primary.close()
                    continue
                self.assertTrue(eventually(lambda: len(primary.asked) >= 2, 5), primary.asked)
                self.assertEqual(primary.asked[1][1], "?", primary.asked)
                primary.close()

    def test_bad_stream_in_one_piece_with_the_snapshot(self):
        def story(primary, peer):
            primary.asked.append(peer.greet())
            peer.send_raw(b"+FULLRESYNC %s 5\r\n$%d\r\n" % (ID.encode(), len(self.snapshot)) +
                          self.snapshot + b"hello world\r\n")
            time.sleep(5)

        for how in ("disabled", "swapdb"):
            server = self.node("--repl-diskless-load", how)
            seen = len(server.output())
            primary = FakePrimary(self, story)
            self.follow(server, primary)
            self.expect_line(server, "Connection with primary .*:%d lost: .*wrong" % primary.port, seen)
            self.assertTrue(eventually(lambda: len(primary.asked) >= 2, 5), primary.asked)
            self.assertEqual(primary.asked[1][1], "?", primary.asked)

    def test_commands_that_are_no_effects(self):
        strange = [
            ("NOSUCHCOMMAND", "a"), ("SET", "arity"), ("GET", "primary:1"), ("LPUSH", "primary:1", "x"),
            ("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE"), ("SLAVEOF", "NO", "ONE"),
            ("SHUTDOWN", "NOSAVE"), ("DEBUG", "SEGFAULT"), ("DEBUG", "SLEEP", 5), ("DEBUG", "FLUSHALL"),
            ("EVAL", "return redis.call('SET','own:1','x')", 0), ("CONFIG", "SET", "port", 0),
            ("CLIENT", "KILL", "TYPE", "normal"), ("MONITOR",), ("SUBSCRIBE", "a"), ("QUIT",), ("RESET",),
            ("HELLO", 3), ("AUTH", "x"), ("PSYNC", "?", -1), ("SYNC",), ("FAILOVER",), ("WAIT", 1, 0),
            ("WAITAOF", 1, 1, 0), ("BLPOP", "nokey", 0), ("BRPOP", "nokey", 0),
            ("BLMOVE", "nokey", "own:1", "LEFT", "LEFT", 0), ("BLMPOP", 0, 1, "nokey", "LEFT"),
            ("BRPOPLPUSH", "nokey", "own:1", 0), ("BZPOPMIN", "nokey", 0), ("BZMPOP", 0, 1, "nokey", "MIN"),
            ("XREAD", "BLOCK", 0, "STREAMS", "nokey", "$"),
            ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "nokey", ">"),
            ("MIGRATE", "127.0.0.1", 1, "primary:1", 0, 1000), ("RESTORE", "own:1", 0, "garbage"),
            ("DISCARD",), ("WATCH", "primary:1"), ("UNWATCH",), ("SAVE",), ("BGSAVE",), ("BGREWRITEAOF",),
            ("CLIENT", "PAUSE", 100000), ("SWAPDB", 0, 99), ("MOVE", "primary:1", 99),
            ("COPY", "primary:1", "own:1", "DB", 99), ("FUNCTION", "LOAD", "garbage"), ("XGROUP",),
            ("OBJECT", "FREQ", "a"), ("REPLCONF", "ACK", 99), ("REPLCONF",), ("REPLCONF", "GETACK"),
            ("REPLCONF", "listening-port", 5), ("PING", "a", "b", "c"), ("", "a"), ("",), ("x" * 100000,),
            ("SET", "primary:1", "v", "EX", "0"), ("SETRANGE", "own:1", 1 << 62, "x"),
            ("SETBIT", "own:1", 1 << 40, 1), ("PFADD", "primary:1", "x"), ("ACL", "SETUSER", "x"),
            ("CLUSTER", "RESET"), ("LATENCY", "RESET"), ("SCRIPT", "FLUSH"), ("PFDEBUG", "x", "y"),
        ]
        stream = b"".join(encode(*words) for words in strange)
        wrapped = b"".join(encode("MULTI") + encode(*words) + encode("EXEC") for words in strange
                           if words[0] not in ("MULTI", "EXEC"))
        server = self.node("--appendonly", "yes")
        seen = len(server.output())
        primary = self.serve(encode("SELECT", 0) + stream + encode("SET", "good", 1) + wrapped +
                             encode("SET", "good", 2) + encode("MULTI") + stream +
                             encode("SET", "good", 3) + encode("EXEC"))
        self.follow(server, primary)
        with server.client() as client:
            self.assertTrue(eventually(lambda: self.try_call(client, "GET", "good") == b"3", 10),
                            server.output()[seen:])
            self.assertEqual(client.call("EXISTS", "own:1"), 0)
            self.assertEqual(client.call("DBSIZE"), 1001)
            self.assertEqual(info(client, "replication")["master_link_status"], "up")
        self.assertEqual(len(primary.asked), 1)
        self.expect_line(server, "NOSUCHCOMMAND", seen)
        # FLUSHALL is an effect.
        for peer in primary.connections:
            peer.send_raw(encode("FLUSHALL"))
        with server.client() as client:
            self.assertTrue(eventually(lambda: client.call("DBSIZE") == 0))
        for peer in primary.connections:
            peer.send_raw(encode("SET", "last", 1))
        with server.client() as client:
            self.assertTrue(eventually(lambda: client.call("DBSIZE") == 1))
        self.is_sound(server)
        # All of that is in its log: it can be loaded, also by a start that finds no rewrite of it.
        primary.close()
        with server.client() as client:
            self.assertTrue(eventually(lambda: info(client, "persistence")["aof_rewrite_in_progress"] == "0"))
        self.restart(server, kill=True)
        with server.client() as client:
            self.assertEqual(client.call("GET", "last"), b"1")
            self.assertEqual(client.call("DBSIZE"), 1)

    def test_multi_without_end(self):
        server = self.node("--repl-timeout", 2)
        seen = len(server.output())
        primary = self.serve(encode("MULTI") + encode("SET", "half", 1) * 1000)
        self.follow(server, primary)
        self.expect_line(server, "lost: nothing has come for repl-timeout", seen)
        with server.client() as client:
            self.assertEqual(client.call("EXISTS", "half"), 0)
            self.assertEqual(client.call("EXISTS", "primary:1"), 1)
            client.call("REPLICAOF", "NO", "ONE")
            self.assertEqual(client.call("EXISTS", "half"), 0)

    def test_questions_whose_answers_nobody_reads(self):
        server = self.node()

        def story(primary, peer):
            peer.greet()
            full(peer, self.snapshot)
            many = encode("REPLCONF", "GETACK", "*") * 20000
            for _ in range(60):
                peer.send_raw(many)
            primary.asked.append("sent")
            time.sleep(5)

        before = server.resident_bytes()
        primary = FakePrimary(self, story)
        self.follow(server, primary)
        self.assertTrue(eventually(lambda: primary.asked, 20))
        self.is_sound(server)
        self.assertLess(server.resident_bytes() - before, 40 << 20)

    def test_an_offset_from_the_future(self):
        def story(primary, peer):
            primary.asked.append(peer.greet())
            full(peer, self.snapshot, offset=(1 << 62) - 1000)
            for i in range(1000):
                peer.send_raw(encode("SET", "key", i))
            while True:
                peer.reply()

        server = self.node()
        self.follow(server, FakePrimary(self, story))
        with server.client() as client:
            self.assertTrue(eventually(lambda: self.try_call(client, "GET", "key") == b"999", 5),
                            server.output())
        self.is_sound(server)


if __name__ == "__main__":
    unittest.main()
