#!/usr/bin/env python3
"""What is kept: kills under load, damage, backups, files of redis-server and for it."""

import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import BINARY, TOP, ReplyError, Server, encode, eventually, info, is_loading, ours_only

REDIS = os.path.join(TOP, "build/reference/redis-server")
LOG = ("--appendonly", "yes")


class Node(Server):
    """A server whose directory outlives it."""

    def __init__(self, folder, *arguments, **options):
        super().__init__("--dir", folder, "--enable-debug-command", "yes", *arguments, **options)
        self.folder = folder

    def ready(self):
        """A client of the server, when it has loaded its data."""
        client = self.client()
        assert eventually(lambda: not is_loading(client), 60)
        return client

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def reply_text(client, *arguments):
    """The reply as a text, also that of an error."""
    try:
        return str(client.call(*arguments))
    except ReplyError as error:
        return str(error)


def rewriting(client):
    return info(client, "persistence")["aof_rewrite_in_progress"] != "0"


class Writer(threading.Thread):
    """Writes counters one after another, and knows which were acknowledged."""

    def __init__(self, server, name):
        super().__init__()
        self.server, self.name_of_key = server, name
        self.acknowledged = self.sent = 0

    def run(self):
        try:
            with self.server.client() as client:
                while True:
                    self.sent += 1
                    if self.sent % 5 == 0:
                        client.send_raw(b"*1\r\n$5\r\nMULTI\r\n")
                        client.send("SET", self.name_of_key, self.sent)
                        client.send("RPUSH", "list:" + self.name_of_key, self.sent)
                        client.send("EXEC")
                        for _ in range(4):
                            client.reply()
                    else:
                        client.call("SET", self.name_of_key, self.sent)
                    self.acknowledged = self.sent
        except (OSError, ConnectionError, ReplyError):
            pass


class Kills(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="redoubt-kept-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def kill_under_load(self, policy, rounds, *arguments, loses=False):
        """Kills and starts again; `loses`: what was acknowledged last may be gone."""
        expected = {}
        for number in range(rounds):
            with Node(self.folder, *LOG, "--appendfsync", policy, *arguments) as server:
                with server.ready() as client:
                    for name, (least, most) in expected.items():
                        value = int(client.call("GET", name) or 0)
                        self.assertTrue((loses or least <= value) and value <= most, f"{policy} {name}: {value}, "
                                        f"acknowledged {least}, sent {most}")
                        last = client.call("LINDEX", "list:" + name, -1)
                        self.assertEqual(int(last or 0), value - value % 5)
                    client.call("FLUSHALL")
                writers = [Writer(server, f"w{i}") for i in range(6)]
                for writer in writers:
                    writer.start()
                time.sleep(random.uniform(0.05, 0.5))
                server.kill()
                for writer in writers:
                    writer.join()
                self.assertTrue(any(writer.acknowledged for writer in writers))
                expected = {w.name_of_key: (w.acknowledged, w.sent) for w in writers}

    def test_nothing_acknowledged_is_lost_with_any_policy(self):
        for policy in ("always", "everysec", "no"):
            self.kill_under_load(policy, 4)

    def test_nor_while_the_log_is_rewritten_all_the_time(self):
        rewriting = ("--auto-aof-rewrite-min-size", "1", "--auto-aof-rewrite-percentage", "1")
        self.kill_under_load("always", 5, *rewriting)
        # Between two increments entries have no file until the former one is synced. Replies wait
        # for that for 10 ms, which a busy disk may exceed.
        self.kill_under_load("everysec", 5, *rewriting, loses=True)
        files = os.listdir(os.path.join(self.folder, "appendonlydir"))
        self.assertLess(len(files), 10, "old files are removed")

    def test_nor_when_the_log_was_switched_off_and_on_again_and_again(self):
        with Node(self.folder, *LOG) as server, server.ready() as client:
            writers = [Writer(server, f"w{i}") for i in range(4)]
            for writer in writers:
                writer.start()
            commands = (("CONFIG", "SET", "appendonly", "no"), ("CONFIG", "SET", "appendonly", "yes"),
                        ("BGREWRITEAOF",), ("BGSAVE",))
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                reply_text(client, *random.choice(commands))
                time.sleep(random.uniform(0, 0.02))
            client.call("CONFIG", "SET", "appendonly", "yes")
            self.assertTrue(eventually(
                lambda: reply_text(client, "WAITAOF", 1, 0, 100) == "[1, 0]" and
                not rewriting(client), 20), server.output()[-2000:])
            files = os.listdir(os.path.join(self.folder, "appendonlydir"))
            self.assertLessEqual(len(files), 5, files)
            server.kill()
            for writer in writers:
                writer.join()
        with Node(self.folder, *LOG) as server, server.ready() as client:
            for writer in writers:
                value = int(client.call("GET", writer.name_of_key))
                self.assertTrue(writer.acknowledged <= value <= writer.sent, value)
                self.assertEqual(int(client.call("LINDEX", "list:" + writer.name_of_key, -1)),
                                 value - value % 5)

    def test_a_stop_in_order_keeps_everything(self):
        with Node(self.folder, *LOG) as server, server.ready() as client:
            client.call("SET", "a", "1")
            self.assertEqual(server.terminate(), 0)
        with Node(self.folder, "--save", "3600 1") as server, server.ready() as client:
            self.assertIsNone(client.call("GET", "a"), "the log is not looked at")
            client.call("SET", "b", "2")
            self.assertEqual(server.terminate(), 0)
        with Node(self.folder) as server, server.ready() as client:
            self.assertEqual(client.call("GET", "b"), b"2")


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="redoubt-kept-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def fill(self, client, keys=200):
        for i in range(keys):
            client.call("SET", f"key:{i}", "x" * i)
        client.call("HSET", "h", "f", "v", "g", "w")
        client.call("ZADD", "z", 1, "a", 2.5, "b")
        client.call("XADD", "st", "1-1", "f", "v")
        client.call("XGROUP", "CREATE", "st", "g", "0")
        client.call("SADD", "s", *range(600))
        client.call("RPUSH", "l", *range(1000))
        client.call("SET", "gone", "1", "PX", "1")
        client.call("SET", "kept", "1", "EX", "1000")
        assert eventually(lambda: client.call("EXISTS", "gone") == 0)

    def increments(self):
        return sorted(glob.glob(os.path.join(self.folder, "appendonlydir", "*.incr.aof")))

    def start_fails(self, *arguments):
        server = Node(self.folder, *arguments, wait=False)
        try:
            self.assertNotEqual(server.wait_for_exit(), 0)
            return server.output()
        finally:
            server.close()

    def test_a_second_node_on_the_directory_ends(self):
        with Node(self.folder, *LOG):
            self.assertIn("Another node keeps its data", self.start_fails(*LOG))

    def test_a_cut_end_is_cut_off_and_damage_in_the_middle_is_named(self):
        # With each write the file says that what was before is on the medium.
        with Node(self.folder, *LOG, "--appendfsync", "always") as server, server.ready() as client:
            self.fill(client)
            digest = client.call("DEBUG", "DIGEST")
            self.assertEqual(server.terminate(), 0)
        path = self.increments()[-1]
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "ab") as file:
            file.write(b"#R:00000000:0000000000ffffff\r\n*3\r\n$3\r\nSET\r\n$4\r\nkey:")
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("DEBUG", "DIGEST"), digest)
            self.assertIn("is cut off", server.output())
            self.assertEqual(server.terminate(), 0)
        middle = len(whole) // 3
        with open(path, "wb") as file:
            file.write(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:])
        output = self.start_fails(*LOG)
        self.assertIn("not the end of what a crash has cut", output)
        check = subprocess.run([BINARY, "--check-aof", path], capture_output=True, text=True)
        self.assertEqual(check.returncode, 1)
        self.assertIn("at byte", check.stdout)

    def test_a_snapshot_becomes_the_base_of_a_new_log(self):
        with Node(self.folder) as server, server.ready() as client:
            self.fill(client)
            client.call("SAVE")
            digest = client.call("DEBUG", "DIGEST")
            server.kill()
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("DEBUG", "DIGEST"), digest)
            self.assertIn("becomes its base", server.output())
            client.call("SET", "later", "1")
            server.kill()
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("GET", "later"), b"1")

    def test_data_is_loaded_again_while_the_node_runs(self):
        for arguments in ((), LOG):
            with Node(self.folder, *arguments) as server, server.ready() as client:
                client.call("FLUSHALL")
                self.fill(client)
                digest = client.call("DEBUG", "DIGEST")
                self.assertEqual(client.call("DEBUG", "RELOAD"), "OK")
                self.assertEqual(client.call("DEBUG", "DIGEST"), digest)
                if arguments:
                    client.call("SET", "later", "1")
                    self.assertTrue(eventually(lambda: not rewriting(client)))
                    digest = client.call("DEBUG", "DIGEST")
                    self.assertEqual(client.call("DEBUG", "LOADAOF"), "OK")
                    self.assertEqual(client.call("DEBUG", "DIGEST"), digest)
                server.kill()

    def test_save_points(self):
        with Node(self.folder, "--save", "1 2") as server, server.ready() as client:
            client.call("SET", "a", "1")
            self.assertEqual(info(client, "persistence")["rdb_changes_since_last_save"], "1")
            time.sleep(1.5)
            self.assertFalse(os.path.exists(os.path.join(self.folder, "dump.rdb")))
            client.call("SET", "b", "1")
            self.assertTrue(eventually(
                lambda: info(client, "persistence")["rdb_changes_since_last_save"] == "0"))
            server.kill()
        with Node(self.folder) as server, server.ready() as client:
            self.assertEqual(client.call("GET", "b"), b"1")

    def test_a_stop_that_cannot_save_is_given_up(self):
        with Node(self.folder, "--dbfilename", "other.rdb", "--save", "3600 1") as server:
            with server.ready() as client:
                os.mkdir(os.path.join(self.folder, "other.rdb"))
                client.call("SET", "a", "1")
                with self.assertRaisesRegex(ReplyError, "Errors trying to SHUTDOWN"):
                    client.call("SHUTDOWN")
                self.assertTrue(eventually(
                    lambda: "MISCONF" in reply_text(client, "SET", "a", "1")))
                with server.client() as other:
                    self.assertEqual(other.call("GET", "a"), b"1", "it listens again")
                os.rmdir(os.path.join(self.folder, "other.rdb"))
                self.assertEqual(client.call("SAVE"), "OK")
                self.assertTrue(eventually(lambda: reply_text(client, "SET", "a", "3") == "OK"))
                client.send("SHUTDOWN")
                self.assertTrue(client.is_closed())
            self.assertEqual(server.wait_for_exit(), 0)
        with Node(self.folder, "--dbfilename", "other.rdb") as server, server.ready() as client:
            self.assertEqual(client.call("GET", "a"), b"3")

    def test_the_log_is_switched_while_the_node_runs(self):
        with Node(self.folder) as server, server.ready() as client:
            self.fill(client)
            client.call("CONFIG", "SET", "appendonly", "yes")
            self.assertEqual(client.call("WAITAOF", 1, 0, 10000), [1, 0])
            client.call("SET", "a", "1")
            client.call("CONFIG", "SET", "appendonly", "no")
            client.call("SET", "b", "2")
            server.kill()
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("GET", "a"), b"1")
            self.assertIsNone(client.call("GET", "b"))

    def test_point_in_time(self):
        with Node(self.folder, *LOG) as server, server.ready() as client:
            client.call("SET", "a", "1")
            client.call("WAITAOF", 1, 0, 0)
            offset = int(info(client, "persistence")["aof_written_offset"])
            client.call("FLUSHALL")
            self.assertEqual(server.terminate(), 0)
        with Node(self.folder, *LOG, "--aof-until", f"offset:{offset}") as server:
            with server.ready() as client:
                self.assertEqual(client.call("GET", "a"), b"1")

    def test_a_copy_of_the_directory_is_loaded(self):
        with Node(self.folder, *LOG) as server, server.ready() as client:
            writers = [Writer(server, f"w{i}") for i in range(3)]
            for writer in writers:
                writer.start()
            time.sleep(0.2)
            copy = tempfile.mkdtemp(prefix="redoubt-copy-")
            self.addCleanup(shutil.rmtree, copy, True)
            before = [writer.acknowledged for writer in writers]
            shutil.copytree(os.path.join(self.folder, "appendonlydir"),
                            os.path.join(copy, "appendonlydir"))
            server.kill()
            for writer in writers:
                writer.join()
        with Node(copy, *LOG) as server, server.ready() as client:
            for writer, least in zip(writers, before):
                self.assertGreaterEqual(int(client.call("GET", writer.name_of_key)), least)

    def test_damaged_files_end_the_start(self):
        path = os.path.join(self.folder, "dump.rdb")
        for contents, expected in ((b"REDIS0099", "version"), (b"nonsense!", "dump.rdb"),
                                   (b"REDIS0010\xfe\x00\x00\x01a", "dump.rdb")):
            with open(path, "wb") as file:
                file.write(contents)
            self.assertIn(expected, self.start_fails())

    def manifest(self):
        with open(os.path.join(self.folder, "appendonlydir", "appendonly.aof.manifest")) as file:
            return [tuple(line.split()[1::2]) for line in file]

    def wait_for_log(self, client):
        self.assertTrue(eventually(lambda: reply_text(client, "WAITAOF", 1, 0, 100) == "[1, 0]"))
        self.assertTrue(eventually(lambda: not rewriting(client)))

    def write_log(self, *keys, arguments=()):
        """Leaves a log that has set these keys."""
        with Node(self.folder, *LOG, *arguments) as server, server.ready() as client:
            for key in keys:
                client.call("SET", key, "1")
            self.assertEqual(server.terminate(), 0)

    @ours_only
    def test_a_log_that_is_switched_on_replaces_that_of_earlier_days(self):
        self.write_log("old")
        with Node(self.folder) as server, server.ready() as client:
            client.call("SET", "new", "1")
            client.call("CONFIG", "SET", "appendonly", "yes")
            self.wait_for_log(client)
            self.assertEqual(self.manifest(), [("appendonly.aof.2.base.rdb", "2", "b"),
                                               ("appendonly.aof.2.incr.aof", "2", "i")])
            self.assertEqual(len(os.listdir(os.path.join(self.folder, "appendonlydir"))), 3)
            server.kill()
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("KEYS", "*"), [b"new"])

    @ours_only
    def test_a_log_of_earlier_days_that_is_not_understood_stays(self):
        self.write_log("old")
        path = os.path.join(self.folder, "appendonlydir", "appendonly.aof.manifest")
        with open(path, "a") as file:
            file.write("nonsense\n")
        before = {name: os.path.getsize(name) for name in glob.glob(os.path.dirname(path) + "/*")}
        with Node(self.folder) as server, server.ready() as client:
            client.call("CONFIG", "SET", "appendonly", "yes")
            self.assertTrue(eventually(lambda: "AOF rewrite failed" in server.output()))
            self.assertIn("line 3", server.output())
            server.kill()
        after = {name: os.path.getsize(name) for name in glob.glob(os.path.dirname(path) + "/*")}
        self.assertEqual(after, before)

    @ours_only
    def test_files_that_no_manifest_lists_stay(self):
        self.write_log("a")
        folder = os.path.join(self.folder, "appendonlydir")
        os.remove(os.path.join(folder, "appendonly.aof.manifest"))
        with open(self.increments()[-1], "rb") as file:
            before = file.read()
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertIn("no manifest lists", server.output())
            client.call("SET", "b", "1")
            self.assertEqual(self.manifest()[-1], ("appendonly.aof.2.incr.aof", "2", "i"))
            server.kill()
        with open(self.increments()[0], "rb") as file:
            self.assertEqual(file.read(), before)
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("KEYS", "*"), [b"b"])

    @ours_only
    def test_what_a_rewrite_has_left_is_removed(self):
        self.write_log("a")
        path = os.path.join(self.folder, "appendonlydir", "temp-rewriteaof.rdb")
        with open(path, "wb") as file:
            file.write(b"REDIS0010")
        with Node(self.folder, *LOG):
            self.assertFalse(os.path.exists(path))

    @ours_only
    def test_an_empty_base_ends_the_start(self):
        self.write_log("a")
        with open(os.path.join(self.folder, "appendonlydir", "appendonly.aof.1.base.rdb"), "wb"):
            pass
        self.assertIn("it is empty", self.start_fails(*LOG))

    @ours_only
    def test_damage_in_an_increment_of_redis_behind_our_base_is_not_cut_off(self):
        self.write_log("a")
        path = self.increments()[-1]
        damaged = encode("SET", "b", 1) + b"*1\r\n?3\r\nDEL\r\n" + encode("SET", "c", 1) * 100
        with open(path, "wb") as file:
            file.write(damaged)
        self.assertIn("the file does not tell", self.start_fails(*LOG))
        self.assertEqual(os.path.getsize(path), len(damaged))

    @ours_only
    def test_who_does_not_keep_data_takes_the_directory_when_it_does(self):
        other = ("--dbfilename", "other.rdb")
        with Node(self.folder, *LOG) as server, Node(self.folder, *other) as second:
            with server.ready() as client, second.ready() as stranger:
                client.call("SET", "a", "1")
                self.assertRegex(reply_text(stranger, "SAVE"), "another node keeps its data")
                self.assertFalse(os.path.exists(os.path.join(self.folder, "other.rdb")))
                stranger.call("BGREWRITEAOF")
                self.assertTrue(eventually(lambda: "rewrite failed" in second.output()))
                self.assertEqual(len(self.manifest()), 2)
                server.kill()
            with second.ready() as stranger:
                self.assertEqual(stranger.call("SAVE"), "OK")
            self.assertIn("Another node keeps its data", self.start_fails(*LOG))

    @ours_only
    def test_a_failed_save_is_tried_again_without_further_changes(self):
        arguments = ("--dbfilename", "other.rdb", "--save", "3600 1000")
        with Node(self.folder, *arguments) as server, server.ready() as client:
            os.mkdir(os.path.join(self.folder, "other.rdb"))
            client.call("BGSAVE")
            self.assertTrue(eventually(lambda: "MISCONF" in reply_text(client, "SET", "a", "1")))
            os.rmdir(os.path.join(self.folder, "other.rdb"))
            self.assertTrue(eventually(lambda: reply_text(client, "SET", "a", "1") == "OK", 20))

    @ours_only
    def test_pipes_are_refused(self):
        path = os.path.join(self.folder, "dump.rdb")
        os.mkfifo(path)
        self.assertIn("dump.rdb", self.start_fails())
        for option in ("--check-rdb", "--dump-rdb", "--check-aof"):
            check = subprocess.run([BINARY, option, path], capture_output=True, timeout=20)
            self.assertEqual(check.returncode, 1)
        os.remove(path)
        os.mkdir(os.path.join(self.folder, "appendonlydir"))
        os.mkfifo(os.path.join(self.folder, "appendonlydir", "appendonly.aof.manifest"))
        self.assertIn("appendonly.aof.manifest", self.start_fails(*LOG))

    @ours_only
    def test_what_is_no_log_is_not_mended(self):
        path = os.path.join(self.folder, "notes.txt")
        with open(path, "wb") as file:
            file.write(b"what somebody wrote\n")
        check = subprocess.run([BINARY, "--check-aof", path, "--fix"], capture_output=True,
                               input=b"y\n")
        self.assertEqual(check.returncode, 1)
        self.assertIn(b"was not changed", check.stdout)
        self.assertEqual(os.path.getsize(path), 20)


@ours_only
class PointInTime(unittest.TestCase):
    setUp = Files.setUp
    start_fails = Files.start_fails
    increments = Files.increments
    write_log = Files.write_log

    def test_former_files_stay(self):
        with Node(self.folder, *LOG) as server, server.ready() as client:
            client.call("SET", "a", "1")
            client.call("WAITAOF", 1, 0, 0)
            offset = int(info(client, "persistence")["aof_written_offset"])
            client.call("SET", "b", "1")
            self.assertEqual(server.terminate(), 0)
        former = self.increments()[-1]
        with open(former, "rb") as file:
            contents = file.read()
        until = ("--aof-until", f"offset:{offset}")
        with Node(self.folder, *LOG, *until) as server, server.ready() as client:
            self.assertEqual(client.call("KEYS", "*"), [b"a"])
            client.call("SET", "c", "1")
            for _ in range(2):
                client.call("BGREWRITEAOF")
                self.assertTrue(eventually(lambda: not rewriting(client)))
            self.assertEqual(client.call("DEBUG", "LOADAOF"), "OK")
            self.assertEqual(sorted(client.call("KEYS", "*")), [b"a", b"c"], "all is loaded then")
            self.assertEqual(server.terminate(), 0)
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(sorted(client.call("KEYS", "*")), [b"a", b"c"])
        with open(former, "rb") as file:
            self.assertEqual(file.read(), contents)

    def test_a_time(self):
        stamps = ("--aof-timestamp-enabled", "yes")
        self.write_log("a", arguments=stamps)
        until = int(time.time())
        while int(time.time()) < until + 2:
            time.sleep(0.05)
        self.write_log("b", arguments=stamps)
        with Node(self.folder, *LOG, "--aof-until", until) as server, server.ready() as client:
            self.assertEqual(client.call("KEYS", "*"), [b"a"])

    def test_what_cannot_be_done_ends_the_start(self):
        self.assertIn("needs \"appendonly yes\"", self.start_fails("--aof-until", "offset:1"))
        self.assertIn("there is no AOF", self.start_fails(*LOG, "--aof-until", "offset:1"))
        with Node(self.folder, *LOG) as server, server.ready() as client:
            client.call("SET", "a", "1")
            client.call("BGREWRITEAOF")
            self.assertTrue(eventually(lambda: not rewriting(client)))
            client.call("SET", "b", "1")
            self.assertEqual(server.terminate(), 0)
        for until in ("offset:0", "1000"):
            self.assertIn("does not go back so far", self.start_fails(*LOG, "--aof-until", until))
        until = int(time.time()) + 100
        self.assertIn("aof-timestamp-enabled", self.start_fails(*LOG, "--aof-until", until))
        with Node(self.folder, *LOG) as server, server.ready() as client:
            self.assertEqual(sorted(client.call("KEYS", "*")), [b"a", b"b"], "nothing was changed")


class Moves(unittest.TestCase):
    """With redis-server 7.0.15."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="redoubt-kept-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    fill = Files.fill

    def exchange(self, first, second, arguments):
        with Node(self.folder, *arguments, binary=first) as server, server.ready() as client:
            self.fill(client)
            client.call("MULTI")
            client.call("LPUSH", "l", "x")
            client.call("ZINCRBY", "z", "1.5", "a")
            client.call("EXEC")
            if arguments:
                client.call("BGREWRITEAOF")
                eventually(lambda: not rewriting(client))
                client.call("INCR", "counter")
            digest = client.call("DEBUG", "DIGEST")
            counts = client.call("DBSIZE")
            values = [client.call("LRANGE", "l", 0, -1), client.call("ZRANGE", "z", 0, -1, "WITHSCORES"),
                      sorted(client.call("SMEMBERS", "s")), client.call("XRANGE", "st", "-", "+")]
            client.send("SHUTDOWN", *(() if arguments else ("SAVE",)))
            server.wait_for_exit()
        del digest  # each has a digest of its own
        with Node(self.folder, *arguments, binary=second) as server, server.ready() as client:
            self.assertEqual(client.call("DBSIZE"), counts, server.output())
            self.assertEqual(values, [client.call("LRANGE", "l", 0, -1),
                                      client.call("ZRANGE", "z", 0, -1, "WITHSCORES"),
                                      sorted(client.call("SMEMBERS", "s")),
                                      client.call("XRANGE", "st", "-", "+")])
            self.assertEqual(client.call("GET", "key:77"), b"x" * 77)
            self.assertGreater(client.call("TTL", "kept"), 900)

    @ours_only
    def test_files_are_loaded_by_the_other(self):
        for arguments in ((), LOG):
            for first, second in ((BINARY, REDIS), (REDIS, BINARY)):
                shutil.rmtree(self.folder)
                os.mkdir(self.folder)
                self.exchange(first, second, arguments)

    @ours_only
    def test_migrate(self):
        other = tempfile.mkdtemp(prefix="redoubt-other-")
        self.addCleanup(shutil.rmtree, other, True)
        for first, second in ((BINARY, REDIS), (REDIS, BINARY), (BINARY, BINARY)):
            with Node(self.folder, binary=first) as here, Node(other, binary=second) as there:
                with here.ready() as a, there.ready() as b:
                    b.call("FLUSHALL")
                    self.fill(a)
                    keys = ["h", "z", "st", "s", "l", "kept", "key:5", "nothing"]
                    self.assertEqual(a.call("MIGRATE", "127.0.0.1", there.port, "", 0, 5000, "KEYS",
                                            *keys), "OK")
                    self.assertEqual(a.call("EXISTS", *keys), 0)
                    self.assertEqual(b.call("EXISTS", *keys), 7)
                    self.assertEqual(b.call("LLEN", "l"), 1000)
                    self.assertGreater(b.call("TTL", "kept"), 900)
                    self.assertEqual(a.call("MIGRATE", "127.0.0.1", there.port, "nothing", 0, 100),
                                     "NOKEY")
                    with self.assertRaisesRegex(ReplyError, "BUSYKEY"):
                        b.call("SET", "key:7", "other")
                        a.call("MIGRATE", "127.0.0.1", there.port, "key:7", 0, 1000)
                    self.assertEqual(a.call("EXISTS", "key:7"), 1)
                    self.assertEqual(a.call("MIGRATE", "127.0.0.1", there.port, "key:7", 0, 1000,
                                            "COPY", "REPLACE"), "OK")
                    self.assertEqual(a.call("EXISTS", "key:7"), 1)
                    with self.assertRaisesRegex(ReplyError, "IOERR"):
                        a.call("MIGRATE", "127.0.0.1", 1, "key:8", 0, 1000)

    @ours_only
    def test_payloads(self):
        other = tempfile.mkdtemp(prefix="redoubt-other-")
        self.addCleanup(shutil.rmtree, other, True)
        with Node(self.folder) as here, Node(other, binary=REDIS) as there:
            with here.ready() as a, there.ready() as b:
                self.fill(a)
                for key in ("key:9", "h", "z", "st", "s", "l"):
                    payload = a.call("DUMP", key)
                    self.assertEqual(b.call("RESTORE", key, 0, payload), "OK")
                    back = b.call("DUMP", key)
                    self.assertEqual(a.call("RESTORE", "back:" + key, 0, back), "OK")
                    self.assertEqual(a.call("DEBUG", "DIGEST-VALUE", key),
                                     a.call("DEBUG", "DIGEST-VALUE", "back:" + key))
                for client in (a, b):
                    for arguments, expected in (
                            (("RESTORE", "h", 0, "x"), "BUSYKEY"),
                            (("RESTORE", "new", 0, "x"), "DUMP payload version or checksum"),
                            (("RESTORE", "new", -1, payload), "Invalid TTL"),
                            (("RESTORE", "new", 0, payload, "IDLETIME", -1), "Invalid IDLETIME"),
                            (("RESTORE", "new", 0, payload, "FREQ", 256), "Invalid FREQ"),
                            (("RESTORE", "new", 0, payload, "ODD"), "syntax error")):
                        with self.assertRaisesRegex(ReplyError, expected):
                            client.call(*arguments)


class Peer(threading.Thread):
    """What MIGRATE talks to: `answer` is called for each command, and returns what is sent."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        try:
            while True:
                self.serve(self.listener.accept()[0])
        except OSError:
            pass

    def serve(self, connection):
        with connection, connection.makefile("rb") as reader:
            connection.settimeout(20)
            while line := reader.readline():
                words = [self.word(reader) for _ in range(int(line[1:]))]
                for part in self.answer(*words):
                    try:
                        connection.sendall(part)
                    except OSError:
                        return

    def word(self, reader):
        size = int(reader.readline()[1:])
        return reader.read(size + 2)[:-2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


@ours_only
class Migrations(unittest.TestCase):
    setUp = Files.setUp

    def migrate(self, client, port, timeout_ms, *arguments):
        return reply_text(client, "MIGRATE", "127.0.0.1", port, "key", 0, timeout_ms, *arguments)

    def test_to_the_node_itself(self):
        with Node(self.folder) as server, server.ready() as client:
            client.call("SET", "key", "1")
            self.assertRegex(self.migrate(client, server.port, 5000, "REPLACE"), "is this one")
            self.assertEqual(client.call("GET", "key"), b"1")
            self.assertEqual(client.call("MIGRATE", "127.0.0.1", server.port, "key", 1, 5000), "OK")
            self.assertEqual(client.call("EXISTS", "key"), 0)
            client.call("SELECT", 1)
            self.assertEqual(client.call("GET", "key"), b"1")

    def test_a_time_to_live_that_changes_meanwhile_is_sent_again(self):
        seen = []
        with Node(self.folder) as server, server.ready() as client, server.client() as other:
            def answer(name, *words):
                if name == b"RESTORE":
                    seen.append((int(words[1]), words[3:]))
                    if len(seen) == 1:
                        other.call("PEXPIRE", "key", 1000000)
                return [b"+OK\r\n"]

            with Peer(answer) as peer:
                client.call("SET", "key", "1")
                self.assertEqual(self.migrate(client, peer.port, 5000), "OK")
            self.assertEqual(client.call("EXISTS", "key"), 0)
        self.assertEqual([ttl > 0 for ttl, _ in seen], [False, True])
        self.assertEqual(seen[1][1], (b"REPLACE",))

    def test_a_reply_that_never_ends_is_waited_for_only_so_long(self):
        def answer(*_):
            for _ in range(1000):
                time.sleep(0.05)
                yield b"+"

        with Node(self.folder) as server, server.ready() as client, Peer(answer) as peer:
            client.call("SET", "key", "1")
            began = time.monotonic()
            self.assertRegex(self.migrate(client, peer.port, 300), "IOERR")
            self.assertLess(time.monotonic() - began, 10)
            self.assertEqual(client.call("EXISTS", "key"), 1)

    def test_answers_of_all_kinds_leave_the_key_where_it_is(self):
        replies = (b"", b"-ERR no\r\n", b"$-1\r\n", b"x" * 100000, b"+OK", b"\r\n",
                   b"*1\r\n+OK\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with Node(self.folder) as server, server.ready() as client:
            client.call("SET", "key", "1")
            for reply in replies:
                for of_restore in (False, True):
                    def answer(name, *_):
                        return [reply if of_restore == (name == b"RESTORE") else b"+OK\r\n"]

                    with Peer(answer) as peer:
                        self.assertRegex(self.migrate(client, peer.port, 200), "ERR", reply)
                    self.assertEqual(client.call("GET", "key"), b"1")


class FullDisk(unittest.TestCase):
    @ours_only
    @unittest.skipUnless(os.geteuid() == 0, "needs to mount")
    def test_writes_are_refused_and_go_on_when_there_is_room(self):
        folder = tempfile.mkdtemp(prefix="redoubt-full-")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
                                 capture_output=True)
        if mounted.returncode != 0:
            os.rmdir(folder)
            self.skipTest("a tmpfs cannot be mounted")
        try:
            for policy in ("always", "everysec"):
                self.fill_disk(folder, policy)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
            os.rmdir(folder)

    def fill_disk(self, folder, policy):
        with Node(folder, *LOG, "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0") as server:
            with server.ready() as client:
                client.call("FLUSHALL")
                written = 0
                with self.assertRaisesRegex(ReplyError, "MISCONF Errors writing to the AOF file"):
                    for i in range(1000):
                        client.call("SET", f"key:{i}", "x" * 10000)
                        written = i
                self.assertGreater(written, 50)
                self.assertEqual(client.call("GET", "key:1"), b"x" * 10000, "reads go on")
                with self.assertRaisesRegex(ReplyError, "MISCONF"):
                    client.call("SET", "other", "1")
                with self.assertRaisesRegex(ReplyError, "MISCONF"):
                    client.call("PING")
                # With what an operator mends it.
                self.assertEqual(client.call("CONFIG", "SET", "aof-rewrite-incremental-fsync", "yes"), "OK")
                self.assertEqual(client.call("CLIENT", "KILL", "TYPE", "pubsub"), 0)
                subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)
                eventually(lambda: "MISCONF" not in reply_text(client, "SET", "other", "2"))
                self.assertEqual(client.call("WAITAOF", 1, 0, 5000), [1, 0])
                server.kill()
        with Node(folder, *LOG) as server, server.ready() as client:
            self.assertEqual(client.call("GET", "other"), b"2")
            self.assertEqual(client.call("GET", f"key:{written}"), b"x" * 10000)
            client.call("FLUSHALL")
            client.call("BGREWRITEAOF")
            eventually(lambda: not rewriting(client))
            self.assertEqual(server.terminate(), 0)
        subprocess.run(["mount", "-o", "remount,size=2m", folder], check=True)


if __name__ == "__main__":
    sys.exit(unittest.main())
