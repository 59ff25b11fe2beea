#!/usr/bin/env python3
"""Stories of several connections, played to our server and to redis-server: the same bytes.

A step is (connection, command): a connection is made when it is first named, and what all of them
receive is collected after each step. A name that ends with 3 speaks RESP3, one that begins with b
may block. What a server sends by itself may come later with one of them: it is waited for until both
have sent the same. Keys expire when a command looks at them, not by themselves. {a} in a command stands for the id of connection a, "" for an empty word, "close a: now"
for its end, "pause: 0.01" for a wait in seconds; commands with ; between them leave together.
Steps whose command our server does not know are left out, with those of the same group.
"""

import os
import re
import select
import shutil
import time
import unittest

from harness import REFERENCE, Client, Server, ServerTest, TOP, encode

REDIS = next((path for path in (os.path.join(TOP, "build/reference/redis-server"),
                                shutil.which("redis-server")) if path and os.path.exists(path)), None)


FIRST_ID = 100
# So long may one of the servers take for what the other one has sent already.
PATIENCE_S = 20


class Raw(Client):
    """Values as they come: (type, value), so that a push is no array and a status no bulk."""

    def value(self):
        line = self.line()
        kind, rest = line[:1].decode(), line[1:]
        if kind in "$=" and rest != b"-1":
            text = self.exactly(int(rest) + 2)[:-2].decode(errors="replace")
            return kind, "version" if re.fullmatch(r"7\.\d\.\d+", text) else text
        if kind in "*~>%" and rest != b"-1":
            count = int(rest) * (2 if kind == "%" else 1)
            return kind, [self.value() for _ in range(count)]
        return kind, rest.decode(errors="replace")


class Play:
    """The connections of a story with one server."""

    def __init__(self, server):
        self.server = server
        self.connections = {}
        self.ids = {}
        self.marks = 0
        # The same numbers with both, however often somebody looked whether it was up.
        while True:
            with Client(port=server.port) as client:
                if client.call("CLIENT", "ID") == FIRST_ID - 1:
                    break

    def connection(self, name):
        if name not in self.connections:
            client = self.connections[name] = Raw(port=self.server.port)
            self.ids[name] = str(client.call("CLIENT", "ID"))
            if name.endswith("3"):
                client.send("HELLO", "3")
                client.value()
        return self.connections[name]

    def collect(self, received=None):
        """What each connection has received: all that comes before the answer to a mark."""
        received = {} if received is None else received
        # A second round for what the marks of the first have let through.
        for _ in range(2):
            for name, client in list(self.connections.items()):
                if name.startswith("b"):
                    received.setdefault(name, []).extend(self.what_came(client))
                    continue
                self.marks += 1
                values = received.setdefault(name, [])
                try:
                    values += self.up_to_mark(client, f"mark-{self.marks}")
                except ConnectionError:
                    values.append("closed")
                    self.connections.pop(name).close()
        return received

    @staticmethod
    def up_to_mark(client, mark):
        client.send("PING", mark)
        values = []
        while True:
            value = client.value()
            if value in (("$", mark), ("*", [("$", "pong"), ("$", mark)])):
                return values
            values.append(value)

    def what_came(self, client):
        """Of a connection that may be blocked."""
        values = []
        while client.buffer or select.select([client.socket], [], [], 0.02)[0]:
            values.append(client.value())
        return values

    def step(self, name, command):
        if name.startswith("close "):
            self.connections.pop(name.split()[1]).close()
            # Seen when it is in the past of something that the server has answered.
            with Client(port=self.server.port) as client:
                client.call("PING")
            return self.collect()
        words = command.split() if isinstance(command, str) else command
        for other in re.findall(r"\{(\w+)\}", " ".join(words)):
            self.connection(other)
        client = self.connection(name)
        words = [re.sub(r"\{(\w+)\}", lambda found: self.ids[found.group(1)], w) for w in words]
        commands = [[]]
        for word in words:
            if word == ";":
                commands.append([])
            else:
                commands[-1].append("" if word == '""' else word)
        client.send_raw(b"".join(encode(*command) for command in commands))
        return self.collect()

    def close(self):
        for client in self.connections.values():
            client.close()


@unittest.skipIf(REFERENCE or REDIS is None, "compares with redis-server")
class StoryTest(ServerTest):
    maxDiff = None

    def play(self, text, **options):
        """Plays a story to both; lines are "connection: command", a blank line ends a group."""
        arguments = ("--enable-debug-command", "yes")
        ours = Play(self.server(*arguments, **options))
        theirs = Play(self.server(*arguments, binary=REDIS, **options))
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        for play in (ours, theirs):
            play.step("expiry", "DEBUG SET-ACTIVE-EXPIRE 0")
        skipping = False
        self.unknown = []
        for number, line in enumerate(text.strip().splitlines(), 1):
            line = line.strip()
            if not line:
                skipping = False
                continue
            if skipping or line.startswith("#"):
                continue
            name, command = line.split(":", 1)
            if name == "pause":  # what comes meanwhile is compared with the next step's
                time.sleep(float(command))
                continue
            seen = ours.step(name, command.strip())
            if "unknown command" in str(seen) and "nosuch" not in command:
                self.unknown.append(command.split()[0])
                skipping = True
                continue
            expected = theirs.step(name, command.strip())
            deadline = time.monotonic() + PATIENCE_S
            while seen != expected and time.monotonic() < deadline:
                ours.collect(seen)
                theirs.collect(expected)
            self.assertEqual(seen, expected, f"line {number}: {line}")


EVENTS = """
s: PSUBSCRIBE __key*
w: CONFIG SET notify-keyspace-events KEAmn

w: SET a 1
w: SET a 2
w: SET a 3 EX 100
w: SET a 3 KEEPTTL
w: SET a 4 NX
w: SET b 4 XX
w: SET b 4 GET
w: SET b 4 XX GET PX 100000
w: SETNX c 1
w: SETNX c 1
w: SETEX d 100 x
w: PSETEX d 100000 x
w: GET a
w: GET nokey
w: MGET a nokey nokey2 b
w: GETSET a 9
w: GETSET e 9
w: GETDEL e
w: GETDEL e
w: GETEX a
w: GETEX a EX 100
w: GETEX a PERSIST
w: GETEX a PERSIST
w: GETEX nokey
w: GETEX a PXAT 1
w: MSET a 1 b 2 f 3
w: MSETNX a 1 g 2
w: MSETNX h 1 g 2
w: APPEND a x
w: APPEND i x
w: INCR n1
w: INCR n1
w: DECR n1
w: INCRBY n1 5
w: DECRBY n2 5
w: INCRBYFLOAT n1 1.5
w: INCRBYFLOAT n3 1.5
w: INCR a
w: SETRANGE r 0 abc
w: SETRANGE r 10 abc
w: SETRANGE nokey 0 
w: GETRANGE nokey 0 1
w: STRLEN nokey
w: STRLEN a
w: SUBSTR nokey 0 1
w: LCS a nokey
w: SETBIT bit 5 1
w: SETBIT bit 5 1
w: GETBIT nokey 1
w: BITCOUNT nokey
w: BITPOS nokey 1
w: BITOP AND dest a b
w: BITOP AND dest nokey nokey2
w: BITOP NOT dest2 nokey
w: BITFIELD bf SET u8 0 255
w: BITFIELD bf GET u8 0
w: BITFIELD bf INCRBY u8 0 1
w: BITFIELD nokey GET u8 0
w: BITFIELD_RO nokey GET u8 0

w: EXISTS a nokey nokey
w: TYPE nokey
w: TTL nokey
w: PTTL nokey
w: EXPIRETIME nokey
w: OBJECT ENCODING nokey
w: OBJECT FREQ nokey
w: TOUCH a nokey
w: EXPIRE a 100
w: EXPIRE nokey 100
w: PEXPIRE a 100000
w: EXPIREAT a 9999999999
w: EXPIRE a 10 GT
w: PERSIST a
w: PERSIST a
w: EXPIRE a -1
w: SET a 1
w: EXPIREAT a 1
w: RENAME b b2
w: RENAME b2 b2
w: RENAME nokey b2
w: SET c 5
w: RENAME c b2
w: RENAMENX b2 d
w: RENAMENX b2 c
w: COPY c c2
w: COPY c c2
w: COPY c c2 REPLACE
w: COPY nokey c2
w: COPY c c3 DB 1
w: MOVE c 1
w: MOVE c2 1
w: MOVE nokey 1
w: DEL c2 d nokey f
w: UNLINK h nokey g
w: DUMP nokey
w: MEMORY USAGE nokey
w: SWAPDB 0 1
w: SWAPDB 0 1
w: SELECT 1
w: SET one 1
w: FLUSHDB
w: SELECT 0
w: FLUSHALL
w: SET x 1 PX 1
pause: 0.01
w: GET x

w: SET x 1
w: MULTI ; SET x 2 ; INCR x ; GET nokey ; DEL x ; EXEC
w: MULTI ; SET x 2 ; DISCARD

w: RPUSH l 1 2 3
w: LPUSH l 1
w: LPUSHX l 1
w: LPUSHX nokey 1
w: RPUSHX l 1
w: LRANGE nokey 0 -1
w: LLEN nokey
w: LINDEX nokey 0
w: LPOS nokey 0
w: LPOP l
w: RPOP l
w: LPOP l 2
w: LPOP l 0
w: LPOP nokey
w: LPOP nokey 0
w: RPOP l 100
w: RPUSH l 1 2 3 4 5 6
w: LSET l 0 x
w: LINSERT l BEFORE 3 y
w: LINSERT l BEFORE nope y
w: LINSERT nokey BEFORE nope y
w: LREM l 0 y
w: LREM l 0 y
w: LTRIM l 0 2
w: LTRIM l 0 100
w: LTRIM l 5 2
w: RPUSH l 1 2 3
w: LMOVE l l LEFT RIGHT
w: LMOVE l l2 LEFT RIGHT
w: RPOPLPUSH l l2
w: RPOPLPUSH l l2
w: LMOVE l l2 LEFT LEFT
w: LMPOP 2 nokey l2 LEFT
w: LMPOP 2 nokey l2 RIGHT COUNT 10
w: LMPOP 2 nokey l2 RIGHT COUNT 10
w: LREM l2 0 y
w: RPUSH l 1
w: LREM l 0 1
w: RPUSH l 1
w: SET l 1
w: DEL l

w: RPUSH l 1 2 3
w: BLPOP nokey l 0
w: BRPOP l 0
w: BLMOVE l l3 LEFT LEFT 0
w: BLMPOP 0 2 l l3 LEFT
b: BLPOP l 0
w: RPUSH l 1
b: BRPOP l 0
w: RPUSH l 1 2
b: BLMOVE q q2 LEFT LEFT 0
w: RPUSH q 1
b: BRPOPLPUSH q q2 0
w: LPUSH q 1
b: BLMPOP 0 1 q LEFT
w: LPUSH q 1
w: DEL l q q2

w: SADD s 1 2 3
w: SADD s 1
w: SADD s 1 4
w: SREM s 1 9
w: SREM s 9
w: SREM nokey 9
w: SISMEMBER nokey 1
w: SMISMEMBER nokey 1
w: SMEMBERS nokey
w: SCARD nokey
w: SRANDMEMBER nokey
w: SRANDMEMBER nokey 3
w: SSCAN nokey 0
w: SMOVE s s2 2
w: SMOVE s s2 77
w: SMOVE s s 3
w: SMOVE nokey s2 1
w: SADD s2 3
w: SMOVE s s2 3
w: SREM s2 2
w: SPOP s2 0
w: SPOP s2 1
w: SADD s2 5
w: SPOP s2 0
w: SPOP nokey
w: SPOP nokey 3
w: SPOP s2 100
w: SADD s2 1
w: SPOP s2
w: SADD s2 1 2
w: SADD s3 2 3
w: SREM s 4
w: SINTER s2 nokey
w: SUNION s2 nokey
w: SDIFF s2 nokey
w: SINTERCARD 2 s2 nokey
w: SINTERSTORE d s2 s3
w: SUNIONSTORE d s2 s3
w: SDIFFSTORE d s2 s3
w: SINTERSTORE d s2 nokey
w: SINTERSTORE d s2 nokey
w: SUNIONSTORE d nokey
w: SET d 1
w: SDIFFSTORE d s2 s2
w: DEL s2 s3

w: HSET h f v
w: HSET h f v2 g 1
w: HMSET h f v2
w: HSETNX h f 1
w: HSETNX h i 1
w: HGET nokey f
w: HGET h nof
w: HMGET nokey f
w: HGETALL nokey
w: HKEYS nokey
w: HVALS nokey
w: HLEN nokey
w: HSTRLEN nokey f
w: HEXISTS nokey f
w: HRANDFIELD nokey
w: HRANDFIELD nokey 2
w: HSCAN nokey 0
w: HINCRBY h n 1
w: HINCRBY h f 1
w: HINCRBYFLOAT h n 1.5
w: HDEL h nof
w: HDEL h f n nof
w: HDEL nokey f
w: HDEL h g i

w: ZADD z 1 a 2 b 3 c
w: ZADD z 1 a
w: ZADD z 2 a
w: ZADD z XX 9 new
w: ZADD z NX 9 a
w: ZADD z INCR 1 a
w: ZADD z NX INCR 1 a
w: ZADD z CH 1 a
w: ZADD z GT 0 a
w: ZADD nokey XX 9 new
w: ZINCRBY z 1 a
w: ZINCRBY z 0 a
w: ZSCORE nokey a
w: ZMSCORE nokey a
w: ZCARD nokey
w: ZCOUNT nokey 0 1
w: ZLEXCOUNT nokey - +
w: ZRANK nokey a
w: ZRANGE nokey 0 1
w: ZRANGEBYSCORE nokey 0 1
w: ZRANGEBYLEX nokey - +
w: ZRANDMEMBER nokey
w: ZRANDMEMBER nokey 2
w: ZSCAN nokey 0
w: ZREM z a nope
w: ZREM z nope
w: ZREM nokey nope
w: ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
w: ZREMRANGEBYSCORE z 1 2
w: ZREMRANGEBYSCORE z 1 2
w: ZREMRANGEBYRANK z 0 0
w: ZREMRANGEBYLEX z - (d
w: ZREMRANGEBYLEX z - (e
w: ZPOPMIN z
w: ZPOPMAX z 0
w: ZPOPMAX z 10
w: ZPOPMIN nokey
w: ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
w: ZADD y 1 a 2 b
w: ZRANGESTORE d z 0 1
w: ZRANGESTORE d z 9 10
w: ZRANGESTORE d z 9 10
w: ZUNIONSTORE d 2 z y
w: ZINTERSTORE d 2 z y
w: ZDIFFSTORE d 2 z y
w: ZINTERSTORE d 2 z nokey
w: ZINTERSTORE d 2 z nokey
w: ZUNION 2 z nokey
w: ZINTER 2 z nokey
w: ZDIFF 2 z nokey
w: ZINTERCARD 2 z nokey
w: ZMPOP 2 nokey z MIN
w: ZMPOP 2 nokey z MAX COUNT 100
w: ZMPOP 1 nokey MIN
w: ZREMRANGEBYRANK y 0 -1
w: BZPOPMIN nokey z 0.01
w: ZADD z 1 a 2 b
w: BZPOPMIN nokey z 0
w: BZPOPMAX z 0
b: BZPOPMIN z 0
w: ZADD z 1 a 2 b
b: BZMPOP 0 2 z y MAX COUNT 5
w: ZADD y 1 a
w: DEL z y

w: GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
w: GEOADD g 13.361389 38.115556 Palermo
w: GEOPOS nokey a
w: GEODIST nokey a b
w: GEOHASH nokey a
w: GEOSEARCH nokey FROMLONLAT 15 37 BYRADIUS 200 km
w: GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km
w: GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 1 m
w: GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 1 m
w: GEORADIUS g 15 37 200 km STORE d
w: GEORADIUS g 15 37 1 m STORE d
w: GEORADIUS_RO nokey 15 37 200 km
w: GEORADIUSBYMEMBER g Palermo 200 km STOREDIST d
w: DEL g d

w: PFADD hll a b c
w: PFADD hll a
w: PFADD hll
w: PFADD hll2
w: PFCOUNT nokey
w: PFCOUNT hll nokey
w: PFMERGE hll3 hll hll2
w: PFMERGE hll3 nokey
w: PFMERGE hll4
w: DEL hll hll2 hll3 hll4

w: XADD x 1-1 f v
w: XADD x 1-2 f v
w: XADD x MAXLEN 1 1-3 f v
w: XADD nokey NOMKSTREAM 1-1 f v
w: XLEN nokey
w: XRANGE nokey - +
w: XREVRANGE nokey + -
w: XREAD STREAMS x 0
w: XTRIM x MAXLEN 1
w: XTRIM x MAXLEN 0
w: XTRIM nokey MAXLEN 0
w: XADD x 2-1 f v
w: XDEL x 2-1
w: XDEL x 2-1
w: XSETID x 9-1
w: XGROUP CREATE x g 0
w: XGROUP CREATE x g 0
w: XGROUP CREATE y g 0 MKSTREAM
w: XGROUP CREATECONSUMER x g c
w: XGROUP CREATECONSUMER x g c
w: XGROUP SETID x g 0
w: XADD x 10-1 f v
w: XADD x 10-2 f v
w: XREADGROUP GROUP g c STREAMS x >
w: XREADGROUP GROUP g c3 STREAMS x 0
w: XACK x g 10-1
w: XCLAIM x g c4 0 10-2
w: XCLAIM x g c4 0 10-2 FORCE
w: XAUTOCLAIM x g c5 0 0
w: XPENDING x g
w: XINFO STREAM x
w: XINFO STREAM nokey
w: XGROUP DELCONSUMER x g c
w: XGROUP DELCONSUMER x g c
w: XGROUP DESTROY x g
w: XGROUP DESTROY x g
b: XREAD BLOCK 0 STREAMS x $
w: XADD x 11-1 f v
w: DEL x y

w: RPUSH l 3 1 2
w: SORT l
w: SORT l STORE d
w: SORT l LIMIT 9 1 STORE d
w: SORT l LIMIT 9 1 STORE d
w: SORT nokey
w: SORT nokey STORE d
w: SORT l BY w_*
w: SORT l GET w_*
w: SORT_RO nokey
w: DEL l

w: SET a 1
w: DEBUG SET-ACTIVE-EXPIRE 0
w: EVAL return(redis.call('set','k','v')) 0
"""


PUBSUB = """
a: SUBSCRIBE x y x
a: PSUBSCRIBE h* ?
a: SSUBSCRIBE x s
b3: HELLO 3
c3: SUBSCRIBE x
c3: PSUBSCRIBE x*
c3: SSUBSCRIBE s
w: PUBLISH x 1
w: PUBLISH hello 2
w: PUBLISH nobody 3
w: SPUBLISH x 4
w: SPUBLISH s 5
w: SPUBLISH y 6
w: PUBLISH "" ""
w: PUBLISH x 1 ; PUBLISH y 2 ; PUBLISH x 3
w: PUBSUB NUMPAT
w: PUBSUB NUMSUB x y z
w: PUBSUB SHARDNUMSUB x s z
w: PUBSUB CHANNELS h*
w: PUBSUB CHANNELS [y]
w: PUBSUB SHARDCHANNELS x
w: PUBSUB NUMSUB
w: PUBSUB SHARDNUMSUB
w: PUBSUB CHANNELS a b
w: PUBSUB SHARDCHANNELS a b
w: PUBSUB nosuch
w: PUBSUB NUMPAT a
a: GET x
a: nosuch
a: CLIENT ID
a: CLIENT nosuch
a: SUBSCRIBE
a: PING
a: PING hi
a: PING hi there
a: HELLO 3
a: RESET ; GET x
w: PUBLISH x gone
c3: GET x
c3: PING
c3: CLIENT ID
c3: CLIENT TRACKINGINFO
c3: HELLO 2
c3: GET x
w: PUBLISH x1 y
c3: PUNSUBSCRIBE
c3: SUNSUBSCRIBE
c3: SUNSUBSCRIBE
c3: SUNSUBSCRIBE x y
c3: UNSUBSCRIBE y x
c3: GET x
c3: UNSUBSCRIBE
c3: PUNSUBSCRIBE
d: UNSUBSCRIBE
d: UNSUBSCRIBE a b
d: PUNSUBSCRIBE a
d: SUBSCRIBE a
d: QUIT
w: PUBSUB CHANNELS
e: SUBSCRIBE quiet
f: SUBSCRIBE quiet
w: PUBLISH quiet 1
close e: now
w: PUBLISH quiet 2
close f: now
w: PUBSUB CHANNELS
g: CLIENT REPLY SKIP ; SUBSCRIBE x
w: PUBLISH x 1

m3: SUBSCRIBE x
m: MULTI ; SUBSCRIBE a ; PSUBSCRIBE b ; GET k ; EXEC
w: MULTI ; PUBLISH x 1 ; PUBLISH a 2 ; GET k ; EXEC
w: MULTI ; PUBLISH x 1 ; DISCARD
m: UNSUBSCRIBE ; PUNSUBSCRIBE
"""

TRACKING = """
w: MSET foo 1 bar 1
a: CLIENT TRACKING ON
a: GET foo
w: SET foo 2
a: CLIENT TRACKINGINFO
a: CLIENT GETREDIR
a: CLIENT TRACKING OFF
a: CLIENT GETREDIR
a: CLIENT TRACKINGINFO

t3: CLIENT TRACKING ON
t3: GET foo
t3: MGET foo bar nokey
t3: SET foo 3
t3: GET foo ; SET bar 5 ; GET bar ; GET zz
w: SET foo 3
w: SET foo 3
w: DEL bar
w: APPEND zz x
t3: GET foo
w: SELECT 1 ; SET foo 1 ; SELECT 0
w: GET foo
w: FLUSHDB
w: SWAPDB 0 1
w: SWAPDB 0 1
w: FLUSHALL
t3: GET foo ; FLUSHALL
t3: GET foo ; SET foo 1 ; GET foo ; EXPIRE foo 100 ; PERSIST foo
t3: GET foo ; PEXPIRE foo 1
pause: 0.01
t3: GET foo
t3: SET foo 1 ; GET foo ; RENAME foo bar ; GET foo ; GET bar
w: RENAME bar foo
t3: STRLEN foo ; EXISTS e ; TYPE t ; TTL u ; OBJECT ENCODING o ; TOUCH v ; GETRANGE r 0 1 ; LCS x y
w: MSET foo 1 e 1 t 1 u 1 o 1 v 1 r 1 x 1 y 1
t3: GETEX foo ; GETSET foo 1 ; INCR foo
w: SET foo 1
t3: GET foo
t3: RESET
w: SET foo 1

t3: HELLO 3
t3: CLIENT TRACKING
t3: CLIENT TRACKING x
t3: CLIENT TRACKING ON
t3: CLIENT TRACKING ON BCAST
t3: CLIENT TRACKING ON OPTIN OPTOUT
t3: CLIENT TRACKING ON OPTIN
t3: CLIENT TRACKING ON PREFIX a
t3: CLIENT TRACKING ON REDIRECT
t3: CLIENT TRACKING ON REDIRECT x
t3: CLIENT TRACKING ON REDIRECT 99999
t3: CLIENT TRACKING ON REDIRECT {w} REDIRECT {a}
t3: CLIENT TRACKING ON REDIRECT 0
t3: CLIENT TRACKING ON REDIRECT -1
t3: CLIENT TRACKING ON nosuch
t3: CLIENT TRACKING OFF nosuch
t3: CLIENT TRACKING nosuch nosuch
t3: CLIENT TRACKINGINFO
t3: CLIENT CACHING NO
t3: CLIENT CACHING x
t3: CLIENT CACHING YES ; CLIENT TRACKINGINFO ; GET foo ; CLIENT TRACKINGINFO
t3: CLIENT TRACKING ON NOLOOP ; CLIENT TRACKINGINFO
t3: CLIENT TRACKING ON OPTIN ; CLIENT TRACKINGINFO
t3: CLIENT TRACKING ON OPTOUT
t3: CLIENT TRACKING OFF BCAST
t3: CLIENT CACHING YES
t3: CLIENT CACHING x
t3: CLIENT TRACKING ON OPTOUT
t3: CLIENT TRACKING ON OPTIN
t3: CLIENT CACHING YES
t3: CLIENT CACHING NO ; CLIENT TRACKINGINFO
t3: CLIENT TRACKING OFF

t3: CLIENT TRACKING ON OPTIN
t3: GET k1
t3: CLIENT CACHING YES ; GET k2 ; GET k3 ; CLIENT CACHING YES ; CLIENT ID ; GET k4
t3: CLIENT CACHING YES ; GET ; GET k5
w: MSET k1 1 k2 1 k3 1 k4 1 k5 1
t3: CLIENT TRACKING OFF
t3: CLIENT TRACKING ON OPTOUT
t3: GET k1 ; CLIENT CACHING NO ; GET k2 ; GET k3
w: MSET k1 1 k2 1 k3 1
t3: CLIENT TRACKING OFF

t3: CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
t3: CLIENT TRACKING ON BCAST PREFIX a PREFIX a
t3: CLIENT TRACKING ON BCAST PREFIX k PREFIX j
t3: CLIENT TRACKING ON BCAST PREFIX k
t3: CLIENT TRACKING ON BCAST PREFIX kk
t3: CLIENT TRACKING ON BCAST OPTIN
t3: CLIENT TRACKING ON
t3: CLIENT TRACKINGINFO
t3: SET k 1 ; SET j 2 ; SET k2 2 ; SET z 2 ; GET z
w: SET k 1 ; SET k0 1 ; INCR k ; SET j 1 ; SET z 1
w: DEL k k0 j
w: DEL k k0 j
u3: CLIENT TRACKING ON BCAST NOLOOP
u3: CLIENT TRACKINGINFO
u3: SET k 1 ; SET m 1
t3: SET k 2
u3: SET k 1 ; SET q 1
w: SET q 1
w: FLUSHALL
u3: FLUSHALL
w: EXPIRE q 1
w: SET k 1 PX 1
pause: 0.01
w: GET k
t3: CLIENT TRACKING ON BCAST
t3: CLIENT TRACKING ON BCAST PREFIX c
t3: CLIENT TRACKING OFF
u3: CLIENT TRACKING OFF
w: SET k 1

r: CLIENT ID
t: CLIENT TRACKING ON REDIRECT {r}
t: CLIENT GETREDIR
t: GET foo
t: CLIENT TRACKINGINFO
w: SET foo 1
r: SUBSCRIBE __redis__:invalidate
t: GET foo ; GET bar
w: SET foo 1
w: MSET foo 1 bar 1
w: FLUSHALL
t: GET foo ; SET foo 1
t: CLIENT TRACKING ON REDIRECT {r} NOLOOP
t: GET foo ; SET foo 1
t: CLIENT TRACKING OFF
t: CLIENT TRACKING ON REDIRECT {r} BCAST
w: SET foo 1 ; SET bar 1
t: SET foo 1
t: CLIENT TRACKING OFF
v3: CLIENT TRACKING ON REDIRECT {r}
v3: GET foo ; GET bar
w: SET foo 1
close r: now
w: SET bar 1
v3: CLIENT TRACKINGINFO
v3: GET foo
w: FLUSHALL
v3: CLIENT TRACKING ON ; CLIENT TRACKINGINFO
v3: GET foo
w: SET foo 1
v3: CLIENT TRACKING ON REDIRECT {x3}
v3: GET foo
w: SET foo 1
v3: CLIENT TRACKING OFF

n3: CLIENT TRACKING ON NOLOOP
n3: GET a ; SET a 1 ; GET a
w: SET a 1
n3: GET a
n3: CLIENT TRACKING ON
n3: SET a 1
n3: CLIENT TRACKING OFF

w: CONFIG SET notify-keyspace-events KA
p3: SUBSCRIBE __keyspace@0__:foo
p3: CLIENT TRACKING ON
p3: GET foo
w: SET foo 1
p3: CLIENT TRACKING OFF

w: CLIENT TRACKING ON ; GET a ; CLIENT TRACKING OFF
w: SET a 1
w: CLIENT CACHING YES

m3: CLIENT TRACKING ON
m3: GET a ; MULTI ; SET a 1 ; GET a ; SET a 2 ; EXEC
m3: CLIENT TRACKING OFF ; CLIENT TRACKING ON OPTIN
m3: CLIENT CACHING YES ; MULTI ; GET k6 ; GET k7 ; EXEC ; GET k8
w: MSET k6 1 k7 1 k8 1
m3: MULTI ; CLIENT CACHING YES ; GET k6 ; GET k7 ; EXEC ; GET k8
w: MSET k6 1 k7 1 k8 1
m3: CLIENT TRACKING OFF
"""


class Stories(StoryTest):
    def test_events_of_all_commands(self):
        self.play(EVENTS)

    def test_pubsub(self):
        self.play(PUBSUB)

    def test_tracking(self):
        self.play(TRACKING)


if __name__ == "__main__":
    unittest.main()
