#!/usr/bin/env python3
"""Transactions and waiting clients, told by several connections in turn: with redis-server beside,
each step's bytes are compared with its.
"""

import os
import select
import shutil
import time
import unittest

from harness import REFERENCE, ServerTest, TOP, encode

REDIS = next((path for path in (os.path.join(TOP, "build/reference/redis-server"),
                                shutil.which("redis-server")) if path and os.path.exists(path)), None)

# A story is lines of "client: command | command"; "sleep ms" waits. What a step brings to any of
# the clients until nothing comes for QUIET seconds is what is compared.
QUIET = 0.15

STORIES = {
    "watch": """
a: WATCH x | MULTI | SET x 1 | EXEC | GET x
a: WATCH x
b: SET x 2
a: MULTI | SET x 3 | EXEC | GET x
a: WATCH x
b: SET x 2
a: UNWATCH | MULTI | SET x 3 | EXEC | GET x
a: WATCH nokey
b: FLUSHALL
a: MULTI | PING | EXEC | SET k 1 | WATCH k
b: FLUSHALL
a: MULTI | PING | EXEC | SET k 1 | WATCH k
b: SWAPDB 0 1
a: MULTI | PING | EXEC
a: SELECT 1 | WATCH k | SELECT 0
b: SELECT 1 | SET k 2 | SELECT 0
a: MULTI | PING | EXEC
a: SET k 1 PX 30 | WATCH k
sleep 60
b: GET k
a: MULTI | PING | EXEC
""",
    "queueing": """
a: MULTI | SET a 1 | INCR a | SET b x | INCR b | GET b | EXEC
a: MULTI | SET a | GET a | EXEC | EXEC
a: MULTI | NOSUCH | DISCARD | EXEC | DISCARD
a: MULTI | MULTI | WATCH a | SET a 3 | EXEC
a: EXEC x | MULTI | EXEC x | EXEC
a: MULTI | SELECT 2 | SET a 1 | SELECT 0 | GET a | EXEC | GET a
a: MULTI | UNWATCH | EXEC | MULTI | RESET | EXEC
a: CONFIG SET maxmemory 1 | MULTI | GET a | EXEC | CONFIG SET maxmemory 0
a: MULTI | SET a 1
b: CONFIG SET maxmemory 1
a: EXEC | GET a
b: CONFIG SET maxmemory 0
a: CLIENT REPLY SKIP | MULTI | SET a 1 | EXEC
a: MULTI | SET a 1 | QUIT | EXEC
""",
    "waiting": """
a: BLPOP k 0
b: BLPOP k k 0
c: RPUSH k 1
c: RPUSH k 2 3 | LRANGE k 0 -1 | DEL k
a: BLPOP x y 0
b: MULTI | RPUSH y 1 | RPUSH x 2 | DEL x | EXEC
c: BLMOVE p q LEFT RIGHT 0
b: BRPOP q 0
a: RPUSH p v
a: BLPOP k 0.05 | PING
sleep 100
a: MULTI | BLPOP k 0 | BLMOVE k l LEFT LEFT 0 | EXEC
a: BLPOP k 0 | PING
b: SET k string
b: DEL k | RPUSH l 1 | RENAME l k
a: BLPOP k -1 | BLPOP k abc
a: BLPOP k 0
b: SELECT 1 | RPUSH k 1 | SWAPDB 0 1
""",
}


class Player:
    """Plays a story on one server; gives what each client received in each step."""

    def __init__(self, server):
        self.server = server
        self.clients = {}

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = self.server.client()
        return self.clients[name]

    def close(self):
        for client in self.clients.values():
            client.close()

    def received(self):
        texts = dict.fromkeys(sorted(self.clients), b"")
        names = {client.socket: name for name, client in self.clients.items()}
        while names:
            ready, _, _ = select.select(list(names), [], [], QUIET)
            if not ready:
                break
            for socket in ready:
                chunk = socket.recv(1 << 16)
                texts[names[socket]] += chunk or b"<closed>"
                if not chunk:
                    del names[socket]
        return texts

    def step(self, line):
        if line.startswith("sleep "):
            time.sleep(int(line[6:]) / 1000)
            return self.received()
        name, commands = line.split(": ", 1)
        self.client(name).send_raw(
            b"".join(encode(*command.split()) for command in commands.split(" | ")))
        return self.received()


@unittest.skipIf(REFERENCE or REDIS is None, "needs both servers")
class Stories(ServerTest):
    def compare(self, story):
        players = [Player(self.server(binary=REDIS)), Player(self.server())]
        for player in players:
            self.addCleanup(player.close)
        for line in STORIES[story].strip().splitlines():
            expected, seen = (player.step(line) for player in players)
            self.assertEqual(expected, seen, f"{story}: {line}")

    def test_watch(self):
        self.compare("watch")

    def test_queueing(self):
        self.compare("queueing")

    def test_waiting(self):
        self.compare("waiting")


if __name__ == "__main__":
    unittest.main()
