#!/usr/bin/env python3
"""COMMAND INFO, DOCS, GETKEYS: for commands that redis-server 7.0 has too, the same bytes.

Clients route, pipeline and cache by this metadata, so it is compared whole, in RESP2 and RESP3. Only
order is free where redis-server itself has none: the commands of a list, the subcommands of a
container. What is different on purpose stands in DIFFERENT, with the reason.
"""

import os
import shutil
import unittest

from harness import REFERENCE, Server, TOP

REDIS = next((path for path in (os.path.join(TOP, "build/reference/redis-server"),
                                shutil.which("redis-server")) if path and os.path.exists(path)), None)

# Fields of COMMAND INFO (by index) or of COMMAND DOCS (by name) that are not compared.
DIFFERENT = {
    "psync": {"flags"},  # FAILOVER reaches a replica that has lost its primary
    "set": {"arguments", "history"},  # IFEQ and its kin
    "shutdown": {"arguments"},  # SAFE
    "zrank": {"arity", "arguments", "history"},  # WITHSCORE
    "zrevrank": {"arity", "arguments", "history"},
}

INFO_FIELDS = ("name", "arity", "flags", "first key", "last key", "step", "categories", "tips",
               "key specifications", "subcommands")

# Commands with arguments, for GETKEYS and GETKEYSANDFLAGS.
CALLS = """
get a|set a b|set a b get|set a b ex 5 get|mset a 1 b 2|mset a 1 b|msetnx a 1 b 2|mget a b c|del a b|del a
unlink a b|copy a b|copy a b db 3 replace|rename a b|renamenx a b|move a 1|exists a b|object encoding a
object freq a|object|object nosuch a|object encoding|object encoding a b|memory usage a|type a|expire a 5
bitop and d a b|bitop not d a|bitcount a|bitcount a 0 1|bitfield a get u8 0|bitfield a set u8 0 1
bitfield a|bitfield a overflow sat incrby u8 0 1|bitfield a get u8|bitfield a get u8 0 xx|bitfield a overflow sat
bitfield a overflow|bitfield a get get 0|set a get|set a b gets|set a b ex get|bitfield_ro a get u8 0|bitfield a get u8 0 get u8 1|bitpos a 1
setbit a 0 1|lcs a b|lcs a b len|getex a|getdel a|append a b|setrange a 0 b|getrange a 0 1|substr a 0 1
incrby a 1|incrbyfloat a 1|psetex a 1 b|strlen a|ping a|ping|get|get a b|nosuch a|config get a|scan 0 match a
info a|select 1|touch a b|pexpireat a 1 nx|persist a|pttl a|randomkey|keys *|dbsize|flushall|command info a
client setname a|client kill id 1|hello 3|auth a|echo a|debug object a
zadd a 1 b|zunionstore d 2 a b|zunionstore d 2 a|zunion 2 a b withscores|zunion x a|zdiffstore d 1 a|zinter 1 a
zintercard 2 a b limit 1|zrangestore d a 0 1|bzpopmin a b 1|bzmpop 1 2 a b min|zmpop 2 a b max|zrange a 0 1
geoadd a 1 1 b|georadius a 1 1 1 m|georadius a 1 1 1 m store d|georadius a 1 1 1 m store d storedist e
georadiusbymember a b 1 m storedist d|geosearchstore d a frommember b byradius 1 m|geosearch a frommember b byradius 1 m
"""


class Connection:
    """Replies as (kind, value), so that two of them are equal only when their bytes are."""

    def __init__(self, server, protocol):
        self.client = server.client()
        self.call("HELLO", str(protocol))

    def call(self, *words):
        self.client.send(*words)
        return self.read()

    def read(self):
        line = self.client.line()
        kind, rest = line[:1].decode(), line[1:]
        if kind in "$=" and rest != b"-1":
            return kind, self.client.exactly(int(rest) + 2)[:-2].decode()
        if kind in "*~>" and rest != b"-1":
            return kind, [self.read() for _ in range(int(rest))]
        if kind == "%":
            return kind, [self.read() for _ in range(2 * int(rest))]
        return kind, rest.decode()


def pairs(reply):
    """A map's names and values; in RESP2 it is a flat array."""
    items = reply[1]
    return {items[i][1]: items[i + 1] for i in range(0, len(items), 2)}


@unittest.skipIf(REFERENCE or REDIS is None, "compares ours with redis-server")
class Metadata(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.servers = [Server(binary=REDIS), Server()]

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.close()

    def both(self, protocol):
        connections = [Connection(server, protocol) for server in self.servers]
        for connection in connections:
            self.addCleanup(connection.client.close)
        return connections

    def common_names(self):
        names = [{name for _, name in connection.call("COMMAND", "LIST")[1]}
                 for connection in self.both(2)]
        # A container may have subcommands that the other side has not; they are compared one by one.
        common = sorted(names[0] & names[1])
        self.assertGreater(len(common), 100)
        return common

    def test_info(self):
        common = self.common_names()
        for protocol in (2, 3):
            replies = [c.call("COMMAND", "INFO", *common)[1] for c in self.both(protocol)]
            for name, theirs, ours in zip(common, *replies):
                self.assertEqual(len(ours[1]), len(INFO_FIELDS))
                for field, their_value, our_value in zip(INFO_FIELDS, theirs[1], ours[1]):
                    if field == "subcommands":  # 7.0 has an empty set where there are none
                        self.assertEqual("*", our_value[0])
                        continue
                    if field in DIFFERENT.get(name, ()):
                        continue
                    with self.subTest(command=name, field=field, protocol=protocol):
                        self.assertEqual(their_value, our_value)

    def test_docs(self):
        common = self.common_names()
        for protocol in (2, 3):
            replies = [pairs(c.call("COMMAND", "DOCS", *common)) for c in self.both(protocol)]
            for name in common:
                theirs, ours = (pairs(reply[name]) for reply in replies)
                ignored = DIFFERENT.get(name, set()) | {"subcommands"}
                with self.subTest(command=name, protocol=protocol):
                    self.assertEqual([field for field in theirs if field not in ignored],
                                     [field for field in ours if field not in ignored])
                    for field in set(theirs) - ignored:
                        self.assertEqual(theirs[field], ours[field], field)

    def test_keys(self):
        for protocol in (2, 3):
            connections = self.both(protocol)
            for line in CALLS.strip().replace("\n", "|").split("|"):
                for subcommand in ("GETKEYS", "GETKEYSANDFLAGS"):
                    theirs, ours = (c.call("COMMAND", subcommand, *line.split()) for c in connections)
                    with self.subTest(call=line, subcommand=subcommand, protocol=protocol):
                        self.assertEqual(theirs, ours)

    def test_all_is_every_one(self):
        for protocol in (2, 3):
            connection = self.both(protocol)[1]
            everything = connection.call("COMMAND")
            self.assertEqual(everything, connection.call("COMMAND", "INFO"))
            names = [info[1][0][1] for info in everything[1]]
            self.assertEqual(connection.call("COMMAND", "COUNT"), (":", str(len(names))))
            self.assertEqual(everything[1], connection.call("COMMAND", "INFO", *names)[1])
            self.assertEqual(connection.call("COMMAND", "DOCS"),
                             connection.call("COMMAND", "DOCS", *names))


if __name__ == "__main__":
    unittest.main()
