#!/usr/bin/env python3
"""Replication between real servers: Redoubt and redis-server in each place, cut links, restarts."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import (BINARY, TOP, Client, ReplyError, Server, ServerTest, encode, eventually, info,
                     ours_only)

REDIS = os.path.join(TOP, "build/reference/redis-server")
DATABASES = 4
QUICK = ("--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes")


class Traffic:
    """Writes of all types, drawn from a seed."""

    def __init__(self, client, seed):
        self.client, self.random = client, random.Random(seed)
        self.count = 0

    def key(self, kind):
        return f"{kind}:{self.random.randrange(30)}"

    def text(self):
        size = self.random.choice((0, 1, 8, 40, 70, 700, 20000))
        return bytes(self.random.randrange(256) for _ in range(min(size, 64))) * (1 + size // 64)

    def draw(self):
        r, number = self.random, self.random.randrange(100)
        word = f"m{r.randrange(200)}"
        choices = (
            ("SET", self.key("string"), self.text()),
            ("SET", self.key("string"), number, "PX", r.choice((1, 50, 100000))),
            ("APPEND", self.key("string"), word),
            ("INCRBY", self.key("counter"), number),
            ("INCRBYFLOAT", self.key("counter"), "0.5"),
            ("SETRANGE", self.key("string"), number, word),
            ("SETBIT", self.key("bits"), number * 7, number & 1),
            ("BITFIELD", self.key("bits"), "INCRBY", "u5", number, 3),
            ("PFADD", self.key("hll"), word, number),
            ("RPUSH", self.key("list"), word, self.text(), number),
            ("LPOP", self.key("list"), 2),
            ("LINSERT", self.key("list"), "BEFORE", word, "new"),
            ("LMOVE", self.key("list"), self.key("list"), "LEFT", "RIGHT"),
            ("LTRIM", self.key("list"), 0, 500),
            ("SADD", self.key("set"), word, number, *range(number)),
            ("SPOP", self.key("set"), 3),
            ("SUNIONSTORE", self.key("set"), self.key("set"), self.key("set")),
            ("ZADD", self.key("zset"), number, word, "1.5", "half", "-inf", "low"),
            ("ZINCRBY", self.key("zset"), "0.1", word),
            ("ZPOPMIN", self.key("zset")),
            ("GEOADD", self.key("geo"), "13.361389", "38.115556", word),
            ("HSET", self.key("hash"), word, number, "f", self.text()),
            ("HINCRBYFLOAT", self.key("hash"), "float", "0.25"),
            ("HDEL", self.key("hash"), word, "f"),
            ("XADD", self.key("stream"), "MAXLEN", "~", 50, "*", "a", word, "b", number),
            ("XGROUP", "CREATE", self.key("stream"), "g", "0", "MKSTREAM"),
            ("XREADGROUP", "GROUP", "g", word[:2], "COUNT", 2, "STREAMS", self.key("stream"), ">"),
            ("XTRIM", self.key("stream"), "MAXLEN", 10),
            ("DEL", self.key(r.choice(("string", "list", "set", "hash", "zset", "stream")))),
            ("PEXPIRE", self.key(r.choice(("string", "list", "set", "hash"))), r.choice((1, 60, 99999))),
            ("PERSIST", self.key("string")),
            ("RENAME", self.key("string"), self.key("string")),
            ("COPY", self.key("hash"), self.key("hash"), "DB", r.randrange(DATABASES), "REPLACE"),
            ("MOVE", self.key("set"), r.randrange(DATABASES)),
            ("PUBLISH", "channel", word),
        )
        return r.choice(choices)

    def write(self, count):
        """Sends so many writes; replies, also errors, are dropped."""
        client, sent = self.client, 0
        for _ in range(count):
            self.count += 1
            if self.random.randrange(20) == 0:
                client.send("SELECT", self.random.randrange(DATABASES))
                sent += 1
            if self.random.randrange(1000) == 0:
                client.send(self.random.choice(("FLUSHDB", "FLUSHDB", "FLUSHALL")))
                sent += 1
            if self.random.randrange(300) == 0:
                client.send("SWAPDB", 0, 1)
                sent += 1
            if self.random.randrange(10) == 0:
                client.send("MULTI")
                for _ in range(self.random.randrange(5)):
                    client.send(*self.draw())
                    sent += 1
                client.send("EXEC")
                sent += 2
            client.send(*self.draw())
            sent += 1
            while sent > 50:
                self.drop_reply()
                sent -= 1
        while sent > 0:
            self.drop_reply()
            sent -= 1

    def drop_reply(self):
        try:
            self.client.reply()
        except ReplyError:
            pass


class Background(threading.Thread):
    """Traffic until stop()."""

    def __init__(self, server, seed, pause=0.0):
        super().__init__()
        self.traffic = Traffic(server.client(), seed)
        self.stopping = threading.Event()
        self.pause = pause
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.traffic.write(20)
                time.sleep(self.pause)
        except OSError:
            pass

    def stop(self):
        self.stopping.set()
        self.join()
        self.traffic.client.close()


def value_of(client, key):
    kind = client.call("TYPE", key)
    if kind == "string":
        return client.call("GET", key)
    if kind == "list":
        return client.call("LRANGE", key, 0, -1)
    if kind == "set":
        return sorted(client.call("SMEMBERS", key))
    if kind == "zset":
        flat = client.call("ZRANGE", key, 0, -1, "WITHSCORES")
        return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2])]
    if kind == "hash":
        flat = client.call("HGETALL", key)
        return sorted(zip(flat[::2], flat[1::2]))
    if kind == "stream":
        whole = client.call("XINFO", "STREAM", key, "FULL", "COUNT", 0)
        facts = dict(zip(whole[::2], whole[1::2]))
        groups = []
        for group in facts[b"groups"]:
            group = dict(zip(group[::2], group[1::2]))
            # The times at which consumers were seen are each server's own.
            groups.append((group[b"name"], group[b"last-delivered-id"], group[b"pending"],
                           [consumer[1] for consumer in group[b"consumers"]]))
        return (facts[b"entries"], facts[b"last-generated-id"], facts[b"max-deleted-entry-id"],
                facts[b"entries-added"], groups)
    return kind


def contents(client):
    """Every key of every database, with its value and deadline. Lapsed keys are not shown."""
    everything = {}
    for db in range(DATABASES):
        client.call("SELECT", db)
        for key in client.call("KEYS", "*"):
            deadline = client.call("PEXPIRETIME", key)
            if deadline != -2:
                everything[db, key] = value_of(client, key), deadline
    client.call("SELECT", 0)
    now = time.time() * 1000
    return {name: kept for name, kept in everything.items() if kept[1] < 0 or kept[1] > now + 2000}


class ReplicationTest(ServerTest):
    def node(self, *arguments, binary=BINARY, of=None, **options):
        if of is not None:
            arguments = ("--replicaof", f"127.0.0.1 {of.port}", *arguments)
        return self.server(*QUICK, *arguments, binary=binary, **options)

    def offset(self, server):
        with server.client() as client:
            facts = info(client, "replication")
            return int(facts["slave_repl_offset" if facts["role"] == "slave" else "master_repl_offset"])

    def link_up(self, server):
        with server.client() as client:
            return info(client, "replication").get("master_link_status") == "up"

    def wait_for_link(self, *servers):
        for server in servers:
            self.assertTrue(eventually(lambda s=server: self.link_up(s), 20), server.output())

    def wait_until_equal(self, primary, *replicas):
        self.wait_for_link(*replicas)
        for replica in replicas:
            self.assertTrue(eventually(lambda r=replica: self.offset(r) == self.offset(primary), 20),
                            f"{self.offset(replica)} of {self.offset(primary)}\n{replica.output()}")

    def assert_same(self, primary, *replicas):
        self.wait_until_equal(primary, *replicas)
        with primary.client() as client:
            expected = contents(client)
        self.assertTrue(expected)
        for replica in replicas:
            with replica.client() as client:
                found = contents(client)
            now = time.time() * 1000
            for name in set(expected) | set(found):
                if name not in expected or name not in found:
                    deadline = (expected.get(name) or found.get(name))[1]
                    self.assertTrue(0 < deadline < now + 2000,
                                    f"{name} only on one side, deadline {deadline} at {now}")
                else:
                    self.assertEqual(expected[name], found[name], name)

    def facts(self, server, section="replication"):
        with server.client() as client:
            return info(client, section)


class Chains(ReplicationTest):
    """Each kind of server in each place."""

    def play(self, *binaries, arguments=()):
        servers = []
        for binary in binaries:
            servers.append(self.node(*arguments, binary=binary, of=servers[-1] if servers else None))
        first = servers[0]
        with first.client() as client:
            traffic = Traffic(client, 1)
            traffic.write(500)
            self.wait_for_link(*servers[1:])
            traffic.write(1000)
            self.assert_same(first, *servers[1:])
            syncs = [self.facts(server, "stats")["sync_full"] for server in servers]
            # Links are cut while writes go on.
            for server in servers[1:]:
                for kind in ("MASTER", "REPLICA"):
                    with server.client() as other:
                        other.call("CLIENT", "KILL", "TYPE", kind)
                traffic.write(200)
            self.assert_same(first, *servers[1:])
            self.assertEqual(syncs, [self.facts(server, "stats")["sync_full"] for server in servers])
            partial = [int(self.facts(server, "stats")["sync_partial_ok"]) for server in servers[:-1]]
            self.assertGreater(min(partial), 0)
            ids = {self.facts(server)["master_replid"] for server in servers}
            self.assertEqual(len(ids), 1)

    def test_ours_of_ours(self):
        self.play(BINARY, BINARY, BINARY)

    @ours_only
    def test_redis_of_ours(self):
        self.play(BINARY, REDIS)

    @ours_only
    def test_ours_of_redis(self):
        self.play(REDIS, BINARY)

    @ours_only
    def test_redis_between_ours(self):
        self.play(BINARY, REDIS, BINARY)

    @ours_only
    def test_ours_between_redis(self):
        self.play(REDIS, BINARY, REDIS)

    @ours_only
    def test_by_files(self):
        self.play(BINARY, REDIS, BINARY, BINARY, arguments=("--repl-diskless-sync", "no"))

    @ours_only
    def test_loaded_beside(self):
        self.play(BINARY, BINARY, REDIS, BINARY, arguments=("--repl-diskless-load", "swapdb"))

    @ours_only
    def test_with_logs(self):
        self.play(BINARY, BINARY, REDIS, BINARY, arguments=("--appendonly", "yes"))


if __name__ == "__main__":
    unittest.main()
