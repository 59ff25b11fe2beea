#!/usr/bin/env python3
"""What is kept: kills under load, damage, backups, files of redis-server and for it."""

import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import BINARY, TOP, ReplyError, Server, eventually, info, ours_only

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
        while True:
            try:
                client.call("PING")
                return client
            except ReplyError as error:
                if "MISCONF" in str(error):
                    return client
                time.sleep(0.005)

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
