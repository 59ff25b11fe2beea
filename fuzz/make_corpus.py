#!/usr/bin/env python3
"""Writes a seed corpus for the fuzz targets: make_corpus.py DIRECTORY

Every part of every transcript (tests/transcripts) becomes one input for each target that takes
commands, so that the fuzzers begin with all commands that there are; transactions become entries of
an append-only file, too. For RDB there are values of each type and encoding, for the libraries of
scripts what they read, for replication what both ends say. What fuzzing has found before is kept,
as files, in fuzz/corpus; those are used beside these.
"""

import os
import random
import re
import struct
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a", "\\": "\\", '"': '"'}
# The first bytes of a resp input say into which segments it is cut.
CUTS = [b"\x00", b"\x01\x00", b"\x02\x05\x40", b"\x07\x00\x01\x02\x03\x04\x05\x06"]


def unescape(text):
    def one(match):
        code = match.group(1)
        return chr(int(code[1:], 16)) if code[0] == "x" else ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|.)", one, text).encode("latin-1", "replace")


def words(line):
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        yield unescape(quoted) if not plain else plain.encode()


def request(line):
    arguments = list(words(line))
    return b"*%d\r\n" % len(arguments) + b"".join(
        b"$%d\r\n%s\r\n" % (len(argument), argument) for argument in arguments)


def parts(path):
    """The requests of each part of a transcript."""
    current = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("## ") and current:
                yield current
                current = []
            if line.startswith("> "):
                current.append(line[2:].rstrip("\n"))
    if current:
        yield current


def write(directory, name, data):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as out:
        out.write(data)


# --- RDB: files and payloads with each type and encoding, small ones.

def rdb_length(n):
    return bytes([n]) if n < 64 else bytes([0x40 | n >> 8, n & 255])


def rdb_text(data):
    return rdb_length(len(data)) + data


def ziplist(*elements):
    body, before, last = b"", 0, 10
    for element in elements:
        last = 10 + len(body)
        if isinstance(element, int):
            data = bytes([0xF1 + element]) if 0 <= element <= 12 else b"\xc0" + struct.pack("<h", element)
        else:
            data = bytes([len(element)]) + element
        entry = bytes([before]) + data
        before = len(entry)
        body += entry
    return struct.pack("<IIH", 11 + len(body), last, len(elements)) + body + b"\xff"


def listpack(*elements):
    body = b""
    for element in elements:
        if not isinstance(element, int):
            data = bytes([0x80 | len(element)]) + element
        elif 0 <= element <= 127:
            data = bytes([element])
        elif -4096 <= element < 4096:
            data = bytes([0xC0 | (element & 0x1FFF) >> 8, element & 255])
        else:
            data = b"\xf4" + struct.pack("<q", element)
        body += data + bytes([len(data)])
    return struct.pack("<IH", 7 + len(body), len(elements)) + body + b"\xff"


def intset(width, *numbers):
    code = {2: "h", 4: "i", 8: "q"}[width]
    return struct.pack("<II", width, len(numbers)) + struct.pack(f"<{len(numbers)}{code}", *numbers)


def rdb_stream(kind):
    node = listpack(2, 1, 1, b"f", 0, 2, 0, 0, b"v", 4, 3, 0, 1, b"gone", 4, 0, 1, -1, 2, b"g", 5, b"h", b"x", 8)
    ids = [struct.pack(">QQ", ms, seq) for ms, seq in ((5, 1), (6, 0))]
    data = rdb_length(1) + rdb_text(ids[0]) + rdb_text(node) + b"\x02\x06\x00"
    if kind > 15:
        data += b"\x05\x01" + b"\x05\x02" + b"\x03"
    data += b"\x01" + rdb_text(b"group") + b"\x06\x00" + (b"\x03" if kind > 15 else b"")
    data += b"\x02" + b"".join(each + struct.pack("<q", 1000) + b"\x01" for each in ids)
    owned = ids if kind not in (27, 201) else ids[:1]
    times = struct.pack("<q", 1000) * (2 if kind > 19 else 1)
    data += b"\x01" + rdb_text(b"consumer") + times + rdb_length(len(owned)) + b"".join(owned)
    if kind in (27, 201):
        data += b"\x01" + ids[1]
    if kind in (26, 27):
        data += b"\x40\x64\x0a\x01" + rdb_text(b"producer") + b"\x01" + rdb_text(b"id") + b"\x05\x01\x01\x00"
    if kind == 201:
        data += b"\x01\x40\x64\x0a\x01\x00\x01" + rdb_text(b"producer")
        data += b"\x01\x00" + rdb_text(b"id") + b"\x05\x01" + struct.pack("<q", 1000) + b"\x00"
    return bytes([kind]) + data


def rdb_values():
    score, time = struct.pack("<d", 1.5), struct.pack("<q", 4102444800000)
    a, b = rdb_text(b"a"), rdb_text(b"b")
    yield b"\x00" + rdb_text(b"text")
    yield b"\x00\xc1\x39\x30"
    yield b"\x00\xc3\x04\x20\x00a\xe0\x12\x00"[:2] + b"\x05\x1c\x00a\xe0\x12\x00"
    yield b"\x01\x02" + a + b
    yield b"\x02\x02" + a + b"\xc0\x07"
    yield b"\x03\x02" + a + b"\x031.5" + b + b"\xff"
    yield b"\x04\x01" + a + b
    yield b"\x05\x02" + b + score + a + score
    yield b"\x07\x81" + bytes(8) + b"\x02\x01\x05" + a + b"\x04" + score + b"\x00"
    yield b"\x09" + rdb_text(b"\x01\x01a\x01\x00b\xff")
    yield b"\x0a" + rdb_text(ziplist(b"one", 2, 300))
    yield b"\x0b" + rdb_text(intset(2, -1, 5, 300))
    yield b"\x0b" + rdb_text(intset(8, -1, 1 << 40))
    yield b"\x0c" + rdb_text(ziplist(b"m", 1, b"n", b"2.5"))
    yield b"\x0d" + rdb_text(ziplist(b"f", b"v"))
    yield b"\x0e\x02" + rdb_text(ziplist(b"x")) + rdb_text(ziplist(1, 2))
    yield b"\x10" + rdb_text(listpack(b"f", b"v", b"g", 4000))
    yield b"\x11" + rdb_text(listpack(b"m", 1, b"n", b"2.5"))
    yield b"\x12\x02\x01" + rdb_text(b"plain") + b"\x02" + rdb_text(listpack(1, b"two", 1 << 40))
    yield b"\x14" + rdb_text(listpack(b"a", 5, b"c"))
    yield b"\x16\x01" + a + b + time
    yield b"\x16\x01\x05" + a + b
    yield b"\x17" + rdb_text(listpack(b"f", b"v", 1 << 40))
    yield b"\x18" + time + b"\x02\x01" + a + b + b"\x00" + b + a
    yield b"\x19" + time + rdb_text(listpack(b"f", b"v", 1 << 41, b"g", b"w", 0))
    yield b"\xc8\x02" + a + time + b + b"\xff" * 7 + b"\x7f"
    for kind in (15, 19, 21, 26, 27, 201):
        yield rdb_stream(kind)


def write_rdb(directory):
    values = list(rdb_values())
    for number, value in enumerate(values):
        for version in (3, 6, 7) if value[0] in (22, 200, 201) else (2,):
            for how in (1, 33):
                write(directory, f"payload-{number}-{version}-{how}", bytes([how, version]) + value)
    head = b"\xfa\x03ver\x017\xf5" + rdb_text(b"#!lua name=x\n") + b"\xfe\x00\xfb\x05\x01"
    for number, magic in enumerate((b"REDIS0004", b"REDIS0012", b"REDIS0015", b"VALKEY080", b"REDOUBT01")):
        body = b""
        for key, value in enumerate(values):
            body += (b"\xfc" + struct.pack("<q", 4102444800000) if key % 5 == 1 else b"")
            body += (b"\xf8\x07" if key % 5 == 2 else b"\xf9\x08" if key % 5 == 3 else b"")
            body += value[:1] + rdb_text(b"k%d" % key) + value[1:]
            write(directory, f"file-{number}-{key}",
                  bytes([2 * (key % 16)]) + magic + head + body + b"\xff" + bytes(8))
            if key % 8 == 7:
                body = b"\xf4\x01\x02\x01"


# --- Append-only files. Entries with marks, whose checksums are right, are in fuzz/corpus/aof.

MANIFESTS = (
    b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
    b"file a.3.base.rdb seq 3 type b\nfile a.2.incr.aof seq 2 type h\nfile a.2.base.rdb seq 2 type h\n"
    b"file a.3.incr.aof seq 3 type i\nfile a.5.incr.aof seq 5 type i\n",
    b'# a comment\nSEQ 1 TYPE b FILE "a \\"name\\" \\x41" more x\r\n',
    b"file two seq 7 type i startoffset 12 endoffset 13\n",
    b"file a seq 2 type i\nfile b seq 2 type i\n",
    b"file a/b seq 1 type b\n",
)
ANNOTATIONS = (
    b"#TS:1700000000\r\n", b"#H:" + b"a" * 40 + b":1000\r\n", b"#S:00000000000003e8\r\n",
    b"#R:00000000:00000000000003e8\r\n", b"#a line of others\r\n",
)


def write_aof(directory):
    for number, manifest in enumerate(MANIFESTS):
        write(directory, f"manifest-{number}", b"\x01" + manifest)
    entries = (request("SELECT 1") + request("SET a 1"), request('RPUSH l "" "#R:x"'),
               request("MULTI") + request("SET a 2") + request("DEL b") + request("EXEC"))
    for number, annotation in enumerate(ANNOTATIONS):
        for piece in (0, 12, 254):
            write(directory, f"entries-{number}-{piece}",
                  bytes([piece]) + annotation + annotation.join(entries))


# --- The libraries of scripts: which script of fuzz/lua_libraries.cc, a number, and the bytes.

MESSAGES = (
    b"\x93\x01\xa1a\xc3", b"\x82\xa1k\x90\x05\xcb" + struct.pack(">d", 0.1), b"\xd9\x05hello\xda\x00\x01x",
    b"\xcc\xff\xcd\xff\xff\xce" + b"\xff" * 4 + b"\xcf" + b"\xff" * 8,
    b"\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00\xd3\x80" + bytes(7), b"\xca?\xc0\x00\x00\xe0\xc2\xc0",
    b"\xdc\x00\x02\x01\x02", b"\xdd\x00\x00\x00\x01\x81\x01\x02", b"\xde\x00\x01\x03\x04", b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff", b"\x91" * 20 + b"\x01", b"\x81\xc0\x01", b"\xc4\x01a",
)
JSON = (
    b'{"a":[1,2.5e-3,true,false,null],"b":{"c":"\\u00e9\\ud83d\\ude00\\n\\/"}}', b"[]", b"[[],{},[[]]]",
    b"[inf,-nan,0x1F,NaN(12),-Infinity,+1,01]", b'["\\uD800"]', b"[1,2", b'"a', b"[" * 50 + b"]" * 50,
    b'{"1":1,"2":{"1":0}}', b"123456789012345678901234567890", b" \t\r\n-0 ", b'["x\x00"]',
)
FORMATS = (b">i4<I2!8bdfhlT", b"Bc0sx", b"!4bi3c5", b"i16I32>i9", b"c2147483647", b"!!b!16i16", b"sc0", b"i33", b"bbbb")


def write_lua_libraries(directory):
    def seeds(kind, numbers, texts):
        for script in kind:
            for number in numbers:
                for place, text in enumerate(texts):
                    write(directory, f"{script}-{number}-{place}", bytes([script, number]) + text)

    seeds((0, 1), (0, 9), MESSAGES)
    seeds((2,), (0, 3), JSON)
    for place, text in enumerate(FORMATS):
        data = bytes(range(1, 64))
        for script in (3, 4):
            write(directory, f"{script}-{place}", bytes([script, len(text)]) + text + data)
        write(directory, f"5-{place}", bytes([5, place]) + text)
    seeds((6,), (0, 200), (b"\x01\x05", b"\xff\x20", b"\x80\xff"))
# --- Links of replication: fuzz/replication.cc says what the bytes from 0xd7 to 0xde are.

PAUSE, OFFSET, NEXT, ID, DEAF, HANG_UP = b"\xde\x08", b"\xd9", b"\xda", b"\xdb", b"\xdc", b"\xdd"
FOLLOWS, HAS_DATA, HAS_REPLICA = 1, 2, 4
MARK = b"0123456789abcdef0123456789abcdef01234567"
PRIMARY_ID = b"f" * 40


def literal(data):
    return b"".join(b"\xd7" + bytes([c]) if 0xD7 <= c <= 0xDE else bytes([c]) for c in data)


def small_snapshot():
    body = b"REDIS0010\xfa\x0erepl-stream-db\xc0\x01\xfe\x00\xfb\x03\x01"
    body += b"\x00" + rdb_text(b"a") + b"\xc0\x05"
    body += b"\xfc" + struct.pack("<q", 4102444800000) + b"\x01" + rdb_text(b"l") + b"\x02\x01x\x01y"
    return literal(body + b"\x02" + rdb_text(b"s") + b"\x02\x01m\x01n\xff" + bytes(8))


def primary_says():
    """What a primary sends, from its first reply on."""
    hello = b"+PONG\r\n" + PAUSE + b"+OK\r\n" * 3 + PAUSE
    full = b"+FULLRESYNC " + PRIMARY_ID + b" 1000\r\n"
    snapshot = small_snapshot()
    length = len(snapshot.replace(b"\xd7", b""))
    by_mark = hello + full + b"\n" + PAUSE + b"$EOF:" + MARK + b"\r\n" + snapshot + MARK + PAUSE
    by_length = hello + full + b"$%d\r\n" % length + snapshot
    stream = (request("SELECT 2") + request("SET k v"), request("PING") + request("REPLCONF GETACK *"),
              request("MULTI") + request("INCR n") + request("RPUSH l 1 2 3") + request("EXEC"),
              request("SELECT 0") + request("DEL a l s"), request("FLUSHALL"), request("NOCOMMAND x"),
              request("PUBLISH c m"), request("SELECT 99") + request("SET k w"), request("EXEC"), b"#TS:1\r\n")
    for pieces in ((0, 1, 2, 3), (2, 1, 4), (5, 6, 1), (7,), (8,), (9,)):
        yield by_mark + b"".join(stream[i] for i in pieces)
    whole = b"".join(stream[:7])
    yield by_length + whole
    yield by_mark + whole[:150] + HANG_UP + hello + b"+CONTINUE " + b"e" * 40 + b"\r\n" + whole[150:]
    yield by_length + stream[2][:60] + HANG_UP + hello + b"+CONTINUE\r\n" + stream[1]
    yield by_length[:-20] + HANG_UP + by_mark + stream[0]
    yield by_mark[:-60] + HANG_UP + hello + b"-NOMASTERLINK no\r\n" + HANG_UP + hello + b"-ERR unknown command\r\n" + b"$0\r\n"
    yield b"-NOAUTH Authentication required.\r\n" + PAUSE + b"+OK\r\n" * 4 + full + b"$-1\r\n"
    yield hello + b"+CONTINUE " + ID + b"\r\n" + stream[0]
    yield hello + b"+FULLRESYNC " + ID + b" " + OFFSET + b"\r\n$9999999999999\r\n" + snapshot + DEAF


def replica_says():
    """What a replica sends."""
    hello = request("PING") + PAUSE + request("REPLCONF listening-port 6380") + request(
        "REPLCONF capa eof capa psync2") + request("REPLCONF version 7.0.15") + PAUSE
    full = hello + request("PSYNC ? -1") + PAUSE
    ack = b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n"
    # Its length is not known here: an inline request.
    exact = b"REPLCONF ACK " + OFFSET + b" FACK " + OFFSET + b"\r\n" + PAUSE
    partial = hello + b"PSYNC " + ID + b" " + NEXT + b"\r\n" + PAUSE
    yield full + ack + PAUSE + exact * 3
    yield full + ack + HANG_UP + partial + exact * 2 + HANG_UP + partial
    yield full + HANG_UP + full + HANG_UP + full + HANG_UP + full
    yield full + DEAF + exact * 4
    yield full + b"REPLCONF ACK 99999999999999\r\n"
    yield full + request("GET k") + request("REPLCONF GETACK *")
    yield hello + request("SYNC") + PAUSE + ack + PAUSE
    yield request("AUTH secret") + full + ack + PAUSE
    yield request("REPLCONF rdb-only 1") + request("REPLCONF rdb-filter-only functions") + full + ack
    yield request("REPLCONF ip-address 1.2.3.4 capa redoubt") + full + ack + exact
    yield request("SET x 1") + b"PSYNC " + ID + b" 1\r\n" + PAUSE + exact
    yield hello + b"PSYNC " + ID + b" " + NEXT + b" FAILOVER\r\n" + PAUSE
    yield full + ack + PAUSE + request("WAIT 1 100") + HANG_UP + request("WAIT 1 100") + PAUSE + request("FAILOVER") + PAUSE


def write_replication(directory):
    for number, said in enumerate(primary_says()):
        for which, how in ((FOLLOWS, 0), (FOLLOWS | HAS_REPLICA, 2), (FOLLOWS | HAS_DATA, 17), (7, 35), (7, 3)):
            write(directory, f"primary-{number}-{which}-{how}", bytes([which, how]) + said)
    for number, said in enumerate(replica_says()):
        for which, how in ((HAS_DATA, 0), (HAS_DATA | HAS_REPLICA, 8), (0, 144), (HAS_DATA, 64)):
            write(directory, f"replica-{number}-{which}-{how}", bytes([which, how]) + said)


def main():
    target = sys.argv[1]
    write_replication(os.path.join(target, "replication"))
    write_rdb(os.path.join(target, "rdb"))
    write_aof(os.path.join(target, "aof"))
    write_lua_libraries(os.path.join(target, "lua_libraries"))
    chance = random.Random(1)
    for number in range(64):
        # Choices from the command table, see fuzz/vocabulary.h.
        write(os.path.join(target, "commands"), f"table-{number}",
              b"\xff" + bytes(chance.choices(range(256), k=400)))
    transcripts = os.path.join(TOP, "tests/transcripts")
    for file in sorted(os.listdir(transcripts)):
        if not file.endswith(".txt"):
            continue
        for number, lines in enumerate(parts(os.path.join(transcripts, file))):
            name = f"{file[:-4]}-{number}"
            inline = "\r\n".join(lines).encode() + b"\r\n"
            stream = b"".join(map(request, lines))
            # Half of the input for each of two connections.
            write(os.path.join(target, "commands"), name, stream * 2)
            cut = CUTS[number % len(CUTS)]
            write(os.path.join(target, "resp"), name, cut + stream[:20_000])
            if name.startswith("transaction"):
                write(os.path.join(target, "aof"), name, b"\xfe" + stream[:20_000])
            if number % 4 == 0:
                write(os.path.join(target, "resp"), name + "-inline", cut + inline[:20_000])


if __name__ == "__main__":
    main()
