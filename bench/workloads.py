"""What is measured: requests, how servers are prepared for them, and what is to be reached."""

import random

KEYS = 1_000_000


class Workload:
    """A request that is sent again and again. In its arguments __rand_int__ stands for 12 random
    digits below `keys`, and @N for N bytes. The group says what a server holds before: "strings" a
    million keys, "strings-ttl" the same with a time to live each, "types" what `prepare` makes."""

    def __init__(self, name, request, requests, pipelines=(16, 1), keys=KEYS, prepare=None,
                 connections=50, group="types", subscribers=0, config=None, beside=None):
        self.name = name
        self.request = request
        self.requests = requests  # with pipeline 16; a fifth of it without pipeline
        self.pipelines = pipelines
        self.keys = keys
        self.prepare = prepare or (lambda requests: [])
        self.connections = connections
        self.group = group
        self.subscribers = subscribers
        self.config = config or {}  # settings while it is measured, on either server
        self.beside = beside  # the workload that it is compared with, for a variant of one


def many(head, items, size=100):
    """Commands that begin with `head` and take the items in parts."""
    items = list(items)
    for start in range(0, len(items), size):
        command = list(head)
        for item in items[start:start + size]:
            command += item if isinstance(item, tuple) else (item,)
        yield command


def number(i):
    return f"{i:012d}"


def list_of(count):
    return lambda requests: many(["RPUSH", "list"], (f"element:{i}" for i in range(count)))


def long_list(requests):
    return many(["RPUSH", "queue"], (f"element:{i}" for i in range(requests + 1000)))


def big_set(requests):
    return many(["SADD", "pool"], (f"element:{i}" for i in range(requests + 1000)))


def two_sets(requests):
    yield from many(["SADD", "set1"], (f"element:{i}" for i in range(10_000)))
    yield from many(["SADD", "set2"], (f"element:{i}" for i in range(5_000, 15_000)))


def two_zsets(requests):
    for key, first in (("zset1", 0), ("zset2", 500)):
        yield from many(["ZADD", key], ((i % 977, f"element:{i}") for i in range(first, first + 1000)))


def zset_of(count):
    return lambda requests: many(["ZADD", "zset"], ((i, "element:" + number(i)) for i in range(count)))


def small_hash(requests):
    yield ["HSET", "hash", *[text for i in range(10) for text in (f"field{i}", f"value-{i}")]]


def hash_of(count):
    return lambda requests: many(["HSET", "hash"], (("field:" + number(i), f"value:{i}") for i in range(count)))


def set_of(count):
    return lambda requests: many(["SADD", "set"], ("element:" + number(i) for i in range(count)))


def million_bytes(requests):
    yield ["SETRANGE", "bits", 1_000_000, b"\x01"]
    yield ["SETRANGE", "bits", 1000, b"\xff" * 1000]


def strings(requests):
    return many(["MSET"], (("key:" + number(i), "x") for i in range(100_000)))


def hyperloglog(requests):
    return many(["PFADD", "hll"], (f"element:{i}" for i in range(100_000)))


def places(requests):
    chance = random.Random(1)
    return many(["GEOADD", "places"], ((f"{chance.uniform(-10, 10):.6f}", f"{chance.uniform(40, 60):.6f}",
                                        f"place:{i}") for i in range(10_000)))


def shuffled_numbers(requests):
    values = list(range(1000))
    random.Random(1).shuffle(values)
    return many(["RPUSH", "numbers"], values)


def stream_of(count):
    return lambda requests: (["XADD", "stream", f"{i + 1}-0", "field", f"value:{i}"] for i in range(count))


KEY = "key:__rand_int__"
ELEMENT = "element:__rand_int__"

# Strings over a million keys, which are loaded before.
STRINGS = [
    Workload("set", ["SET", KEY, "@64"], 3_000_000, group="strings"),
    Workload("get", ["GET", KEY], 3_000_000, group="strings"),
    Workload("mset", ["MSET", *[word for _ in range(10) for word in (KEY, "@64")]], 400_000, group="strings"),
    Workload("incr", ["INCR", "counter:__rand_int__"], 2_000_000, group="strings"),
    Workload("set-c500", ["SET", KEY, "@64"], 2_000_000, pipelines=(1,), connections=500, group="strings"),
    Workload("get-c500", ["GET", KEY], 2_000_000, pipelines=(1,), connections=500, group="strings"),
]

TYPES = [
    Workload("lpush", ["LPUSH", "mylist", "@16"], 2_000_000),
    Workload("rpop", ["RPOP", "queue"], 1_000_000, prepare=long_list),
    Workload("lrange100", ["LRANGE", "list", "0", "99"], 200_000, prepare=list_of(100)),
    Workload("sadd", ["SADD", "myset", ELEMENT], 2_000_000),
    Workload("sismember", ["SISMEMBER", "set", ELEMENT], 2_000_000, keys=10_000, prepare=set_of(10_000)),
    Workload("spop", ["SPOP", "pool"], 1_000_000, prepare=big_set),
    Workload("hset", ["HSET", "myhash", ELEMENT, "@16"], 2_000_000),
    Workload("hget", ["HGET", "hash", "field:__rand_int__"], 2_000_000, keys=10_000, prepare=hash_of(10_000)),
    Workload("hgetall10", ["HGETALL", "hash"], 1_000_000, prepare=small_hash),
    Workload("zadd", ["ZADD", "myzset", "__rand_int__", ELEMENT], 1_000_000),
    Workload("zrank", ["ZRANK", "zset", ELEMENT], 1_000_000, keys=10_000, prepare=zset_of(10_000)),
    Workload("zrange100", ["ZRANGE", "zset", "100", "199"], 200_000, prepare=zset_of(10_000)),
    Workload("xadd", ["XADD", "mystream", "*", "field", "@16"], 1_000_000),
    Workload("xread", ["XREAD", "COUNT", "10", "STREAMS", "stream", "500-0"], 500_000, prepare=stream_of(1000)),
    Workload("publish10", ["PUBLISH", "channel", "@16"], 200_000, subscribers=10),
    Workload("expire", ["EXPIRE", KEY, "1000"], 2_000_000, keys=100_000, prepare=strings),
    Workload("bitcount", ["BITCOUNT", "bits"], 50_000, prepare=million_bytes),
    Workload("pfadd", ["PFADD", "myhll", ELEMENT], 2_000_000),
    Workload("pfcount", ["PFCOUNT", "hll"], 1_000_000, prepare=hyperloglog),
    Workload("geosearch", ["GEOSEARCH", "places", "FROMLONLAT", "0", "50", "BYRADIUS", "50", "km", "ASC"], 100_000,
             prepare=places),
    Workload("sinter", ["SINTER", "set1", "set2"], 15_000, prepare=two_sets),
    Workload("sunionstore", ["SUNIONSTORE", "union", "set1", "set2"], 8_000, prepare=two_sets),
    Workload("zunionstore", ["ZUNIONSTORE", "union", "2", "zset1", "zset2"], 10_000, prepare=two_zsets),
    Workload("sort1000", ["SORT", "numbers"], 20_000, prepare=shuffled_numbers),
]

# Far above what the data takes: nothing is evicted.
MAXMEMORY = {"maxmemory": "4gb", "maxmemory-policy": "allkeys-lru"}


def variant(name, suffix, request=None, group=None, config=None):
    """The workload `name` again, where the request, the group or settings are different."""
    base = next(w for w in STRINGS + TYPES if w.name == name)
    return Workload(f"{name}-{suffix}", request or base.request, base.requests, base.pipelines, base.keys,
                    base.prepare, base.connections, group or base.group, base.subscribers, config, base)


# Compared with the reference as the others are, and with what ours does without it.
VARIANTS = [
    variant("set", "maxmemory", config=MAXMEMORY),
    variant("get", "maxmemory", config=MAXMEMORY),
    variant("hset", "maxmemory", config=MAXMEMORY),
    variant("zadd", "maxmemory", config=MAXMEMORY),
    variant("set", "ttl", group="strings-ttl", request=["SET", KEY, "@64", "EX", "100000"]),
    variant("get", "ttl", group="strings-ttl"),
]
# CPU with maxmemory divided by CPU without it, ours.
MAXMEMORY_CPU = 1.03

# What is to be reached, by "workload-pPIPELINE": the ratio of the rates at least, of CPU at most.
TARGETS = {
    "set-p16": (2.8, 0.34), "get-p16": (2.8, 0.34),
    "set-p1": (None, 0.82), "get-p1": (None, 0.82),
}
# For the group "types": at pipeline 16 the geometric mean of the ratios of the rates, and the least
# of them; without pipeline the geometric mean of the ratios of CPU.
TYPES_MEAN, TYPES_LEAST, TYPES_CPU = 2.2, 1.1, 0.82

# Sizes of a key or an element in bytes: what is loaded (by load_keys for keys of strings, else by
# commands), how many elements that makes, and the target.
MEMORY_SIZES = [1_000_000, 1_300_000, 1_600_000, 2_000_000]
# name, with a time to live, bytes a key at most: mean and worst over the sizes
MEMORY = [("memory", False, 80, 90), ("memory-ttl", True, 95, None)]


# So many collections of 1000 elements each, so that what a process takes once does not count.
COLLECTIONS = 5000


def collections(head, item):
    for n in range(COLLECTIONS):
        yield from many([head, f"{head.lower()}:{n:06d}"], (item(i) for i in range(1000)), 500)


# name, commands, how many elements they make, bytes at most
ELEMENTS = [
    ("zset-1000", lambda: collections("ZADD", lambda i: (i * 7919 % 1000 + 0.5, f"m:{i:07d}")),
     COLLECTIONS * 1000, 45),
    ("hash-1000", lambda: collections("HSET", lambda i: (f"f:{i:05d}", f"v:{i:05d}")),
     COLLECTIONS * 1000, 45),
    ("set-1000", lambda: collections("SADD", lambda i: f"m:{i:07d}"),
     COLLECTIONS * 1000, 28),
    ("list-1000", lambda: collections("RPUSH", lambda i: f"e:{i:07d}"),
     COLLECTIONS * 1000, 13),
    ("stream-1000", lambda: (["XADD", f"stream:{n:06d}", f"{1700000000000 + i}-0", "f", f"v{i:03d}"]
                             for n in range(COLLECTIONS) for i in range(1000)),
     COLLECTIONS * 1000, 17),
    ("hash-10", lambda: (["HSET", f"user:{n:08d}", *[w for i in range(10) for w in (f"field{i}", f"val-{i}")]]
                         for n in range(200_000)), 200_000, 230),
    ("integers", lambda: many(["MSET"], ((f"key:{n:012d}", n) for n in range(1_000_000)), 200), 1_000_000, 60),
]
