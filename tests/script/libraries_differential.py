#!/usr/bin/env python3
"""Compares the libraries of scripts on two servers, by EVAL.

  libraries_differential.py HOST:PORT [HOST:PORT] [--scripts N] [--seed N] [--values FILE]

The first server is the reference (redis-server 7.0). With two addresses N scripts are generated from
the seed, which call every function of bit, struct, cmsgpack, cjson, string, table and math with
arguments of all kinds, and the values and errors of both servers have to be the same; but for what
DIFFERENCES lists. With --values the expressions of the file (tests/script/library_values.txt) are
evaluated on the first server and compared with the results that stand there. Ends with 1 and the
script's number when there is a difference.

Values are compared as a text that a script makes of them: numbers with 17 digits, strings in quotes,
tables with their keys sorted, as the order of pairs is not the same.
"""

import argparse
import os
import random
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/server"))
from harness import Client, ReplyError  # noqa: E402 (it is beside us only now)

# run(text) evaluates an expression or a chunk; the text of its results, or of its error without the
# place.
PRELUDE = r"""
local function quoted(s)
  return '"' .. string.gsub(s, '.', function(c)
    local b = string.byte(c)
    if c == '"' or c == '\\' then return '\\' .. c end
    if b < 32 or b >= 127 then return string.format('\\x%02x', b) end
  end) .. '"'
end
local function text(v, depth)
  local kind = type(v)
  if kind == 'number' then
    return v ~= v and 'nan' or (string.gsub(string.format('%.17g', v), 'e([-+])0*(%d%d)', 'e%1%2'))
  elseif kind == 'string' then return quoted(v)
  elseif kind == 'userdata' then return 'null'
  elseif kind ~= 'table' then return kind == 'function' and kind or tostring(v) end
  if depth == 20 then return '...' end
  local entries = {}
  for k, x in pairs(v) do entries[#entries + 1] = text(k, depth + 1) .. '=' .. text(x, depth + 1) end
  table.sort(entries)
  return '{' .. table.concat(entries, ',') .. '}'
end
local function collect(fine, ...)
  local count = select('#', ...)
  if not fine then return 'error: ' .. (string.gsub(tostring((...)), '^s:%d+: ', '')) end
  if count == 0 then return '(nothing)' end
  local texts = {}
  for i = 1, count do texts[i] = text((select(i, ...)), 0) end
  return table.concat(texts, ' | ')
end
local function run(source)
  local chunk, message = loadstring('return ' .. source, '=s')
  if not chunk then chunk, message = loadstring(source, '=s') end
  if not chunk then return 'error: ' .. message end
  return collect(pcall(chunk))
end
"""

# Settings as they are at the start, for scripts that change them: they outlive a script.
RESET = (
    "cjson.encode_max_depth(1000) cjson.decode_max_depth(1000) "
    "cjson.encode_sparse_array(false,2,10) cjson.encode_number_precision(14) "
    "cjson.encode_keep_buffer(true) cjson.encode_invalid_numbers(false) "
    "cjson.decode_invalid_numbers(true) "
)


def lua_string(data):
    """A literal of Lua, in printable characters."""
    def one(byte):
        c = chr(byte)
        return c if " " <= c <= "~" and c not in "'\\" else f"\\{byte:03d}"

    return "'" + "".join(map(one, data)) + "'"


class ScriptServer:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.client = Client(port=int(port), host=host, timeout=60)

    def run(self, sources):
        """The texts of what the sources evaluate to."""
        calls = ",".join(f"run({lua_string(source.encode('latin-1'))})" for source in sources)
        reply = self.client.call("EVAL", PRELUDE + f"return {{{calls}}}", "0")
        return [text.decode("latin-1") for text in reply]


# --- The file of values: "> expression", the result, and where we differ "redis: result".

def expectations(path):
    """Triples of an expression, our result and the reference's."""
    rows = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("> "):
                rows.append([line[2:], None, None])
            elif line.startswith("redis: "):
                rows[-1][2] = line[len("redis: "):]
            elif line and not line.startswith("#"):
                rows[-1][1] = line
    return [(source, ours, ours if theirs is None else theirs) for source, ours, theirs in rows]


def check_values(server, path, is_reference):
    failures = 0
    for source, ours, theirs in expectations(path):
        expected = theirs if is_reference else ours
        got = server.run([source])[0]
        if got != expected:
            failures += 1
            print(f"> {source}\n  expected {expected}\n  got      {got}")
    return failures


# --- Generated scripts.

class ScriptGenerator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def integer(self):
        r = self.random
        return str(r.choice([r.randint(-3, 20), r.randint(-300, 300), r.randint(-2**33, 2**33),
                             r.choice([1, -1]) * 2**r.randint(0, 62)]))

    def number(self):
        r = self.random
        plain = r.choice([self.integer(), repr(r.uniform(-1000, 1000)), f"{r.randint(-99, 99)}.5",
                          f"{r.uniform(-10, 10):.3f}e{r.randint(-30, 30)}"])
        return plain if r.random() < 0.93 else r.choice(["1/0", "-1/0", "0/0", "2^63", "-2^63", "2^64", "1e300"])

    def data(self, most=12):
        r = self.random
        alphabet = r.choice([range(256), range(32, 127), b"abc012", [0, 255, 128, 1]])
        return bytes(r.choice(list(alphabet)) for _ in range(r.randint(0, most)))

    def string(self):
        return lua_string(self.data())

    def scalar(self):
        return self.pick(self.number(), self.string(), self.string(), "true", "false", "'%d'" % self.random.randint(0, 99))

    def value(self, depth=0):
        """A value that both servers write in the same way: a table has one key that is not 1 to n
        at most."""
        r = self.random
        if depth > 3 or r.random() < 0.6:
            return self.pick(self.scalar(), self.scalar(), "nil" if depth == 0 else "cjson.null")
        if r.random() < 0.5:
            return "{" + ",".join(self.value(depth + 1) for _ in range(r.randint(0, 18 if depth == 0 else 4))) + "}"
        key = self.pick(self.string(), self.string(), str(r.randint(-2, 14)), f"{r.randint(0, 9)}.5", "true")
        return f"{{[{key}]={self.value(depth + 1)}}}"

    def argument(self):
        """Of any kind, for functions that expect another one."""
        return self.pick("nil", "{}", "true", "cjson.null", self.scalar(), self.scalar(), self.value())

    def arguments(self, *usual):
        """Those that a function expects, sometimes wrong, missing or too many."""
        made = [one() for one in usual]
        if made and self.random.random() < 0.12:
            made[self.random.randrange(len(made))] = self.argument()
        if self.random.random() < 0.06 and made:
            made.pop()
        if self.random.random() < 0.04:
            made.append(self.argument())
        return "(" + ",".join(made) + ")"

    # bit

    def bit(self):
        name = self.pick("tobit", "tohex", "bnot", "band", "bor", "bxor", "lshift", "rshift",
                         "arshift", "rol", "ror", "bswap")
        if name in ("band", "bor", "bxor"):
            usual = [self.number] * self.random.randint(1, 4)
        elif name in ("tobit", "bnot", "bswap"):
            usual = [self.number]
        else:
            usual = [self.number, self.integer]
            if name == "tohex" and self.random.random() < 0.3:
                usual.pop()
        return f"bit.{name}{self.arguments(*usual)}"

    # struct

    def format(self):
        r = self.random
        text = ""
        kinds = []
        for _ in range(r.randint(1, 6)):
            option = r.choice("bBhHlLTiIfdsxcc<>! ")
            size = ""
            if option in "iI" and r.random() < 0.6:
                size = str(r.choice([1, 2, 3, 4, 5, 6, 7, 8, 16, 32]))
            if option == "c" and r.random() < 0.7:
                size = str(r.randint(0, 5))
            if option == "!" and r.random() < 0.7:
                size = str(r.choice([1, 2, 4, 8, 16]))
            if r.random() < 0.02:
                size = str(r.choice([33, 40, 2**31 - 1, 2**31, 3]))
            if r.random() < 0.02:
                option = r.choice("zq*=#A")
            text += option + size
            if option in "bBhHlLTiIfd":
                kinds.append(self.number)
            elif option in "sc":
                kinds.append(self.string)
        return lua_string(text.encode()), kinds

    def struct(self):
        format_text, kinds = self.format()
        kind = self.pick("pack", "pack", "unpack", "round", "size")
        if kind == "size":
            return f"struct.size{self.arguments(lambda: format_text)}"
        packed = f"struct.pack{self.arguments(lambda: format_text, *kinds)}"
        if kind == "pack":
            return packed
        if kind == "round":
            return f"struct.unpack({format_text},{packed})"
        usual = [lambda: format_text, lambda: lua_string(self.data(60))]
        if self.random.random() < 0.3:
            usual.append(lambda: str(self.random.randint(-1, 9)))
        return f"struct.unpack{self.arguments(*usual)}"

    # cmsgpack

    def message(self):
        """Bytes that often are MessagePack."""
        r = self.random
        def value(depth):
            kind = r.randrange(12)
            if kind == 0 and depth < 4:
                count = r.randint(0, 3)
                return bytes([0x90 + count]) + b"".join(value(depth + 1) for _ in range(count))
            if kind == 1 and depth < 4:
                count = r.randint(0, 2)
                return bytes([0x80 + count]) + b"".join(value(depth + 1) for _ in range(2 * count))
            if kind == 2:
                text = self.data()
                return bytes([0xA0 + len(text)]) + text
            mark = r.choice([0xC0, 0xC2, 0xC3, *range(0xCA, 0xD4), 0xD9, 0xDA, 0xDC, 0xDE, r.randrange(256)])
            size = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
            if mark in (0xD9, 0xDA):
                text = self.data()
                return bytes([mark]) + len(text).to_bytes(mark - 0xD8, "big") + text
            if mark in (0xDC, 0xDE):
                return bytes([mark, 0, 1]) + b"".join(value(depth + 1) for _ in range(1 if mark == 0xDC else 2))
            return bytes([mark]) + bytes(r.randrange(256) for _ in range(size.get(mark, 0)))

        data = bytearray(b"".join(value(0) for _ in range(r.randint(1, 3))))
        if data and r.random() < 0.2:
            data[r.randrange(len(data))] = r.randrange(256)
        if r.random() < 0.1:
            del data[-1:]
        return lua_string(bytes(data))

    def cmsgpack(self):
        small = lambda: str(self.random.randint(-1, 6))
        kind = self.pick("pack", "pack", "round", "unpack", "unpack_one", "unpack_limit")
        packed = f"cmsgpack.pack{self.arguments(*[self.value] * self.random.randint(1, 3))}"
        if kind == "pack":
            return packed
        if kind == "round":
            return f"cmsgpack.unpack({packed})"
        usual = [self.message]
        if kind == "unpack_limit":
            usual.append(small)
        if kind != "unpack" and self.random.random() < 0.6:
            usual.append(small)
        return f"cmsgpack.{kind}{self.arguments(*usual)}"

    # cjson

    def json(self, depth=0):
        r = self.random
        kind = r.randrange(8)
        space = lambda: r.choice(["", "", "", " ", "\t\n"])
        if kind < 2 and depth < 4:
            return "[" + space() + ",".join(self.json(depth + 1) + space() for _ in range(r.randint(0, 3))) + "]"
        if kind == 2 and depth < 4:
            return "{" + ",".join(f'{space()}"{self.json_text()}"{space()}:{self.json(depth + 1)}'
                                  for _ in range(r.randint(0, 2))) + "}"
        if kind == 3:
            return r.choice(["true", "false", "null"])
        if kind == 4:
            return f'"{self.json_text()}"'
        return r.choice([str(r.randint(-99, 99)), repr(r.uniform(-9, 9)), f"{r.randint(0, 99)}e{r.randint(-400, 400)}",
                         "0x1F", "-0x1p3", "inf", "-Infinity", "nan", "NaN", "01", "-", "+1", ".5", "1.", "1.e2"])

    def json_text(self):
        r = self.random
        return "".join(r.choice(["a", "é", "\\n", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\\u20AC", "\\/",
                                 "\\\\", '\\"', "\x01"] + (["\\ud800", "\\x", "\\u00g0"] if r.random() < 0.05 else []))
                       for _ in range(r.randint(0, 5)))

    def broken_json(self):
        text = bytearray(self.json().encode())
        if text and self.random.random() < 0.3:
            at = self.random.randrange(len(text))
            text[at:at + self.random.randint(0, 2)] = self.random.choice([b"", b",", b"]", b"}", b":", b'"', b"x", b"\0", b"\\"])
        return lua_string(bytes(text))

    def cjson(self):
        r = self.random
        kind = self.pick("encode", "encode", "decode", "decode", "decode", "round", "setting")
        if kind == "encode":
            return f"cjson.encode{self.arguments(self.value)}"
        if kind == "decode":
            return f"cjson.decode{self.arguments(self.broken_json)}"
        if kind == "round":
            return f"cjson.decode(cjson.encode({self.value()}))"
        name = self.pick("encode_max_depth", "decode_max_depth", "encode_sparse_array",
                         "encode_number_precision", "encode_keep_buffer", "encode_invalid_numbers",
                         "decode_invalid_numbers")
        if name == "encode_sparse_array":
            usual = [lambda: self.pick("true", "false", "'on'", "nil"), lambda: str(r.randint(-1, 4)),
                     lambda: str(r.randint(-1, 12))][:r.randint(0, 3)]
        elif name in ("encode_max_depth", "decode_max_depth", "encode_number_precision"):
            usual = [lambda: str(r.randint(0, 16))]
        else:
            usual = [lambda: self.pick("true", "false", "'on'", "'off'", "'null'", "'x'", "nil")]
        return (f"(function() local c = cjson.new() local a = c.{name}{self.arguments(*usual)} "
                f"return a, c.{name}(), c.encode({{[{r.randint(1, 14)}]={self.number()}}}), "
                f"c.decode({self.broken_json()}) end)()")

    # string, table, math: their functions are Lua's own.

    def string_library(self):
        position = lambda: str(self.random.randint(-6, 14))
        pattern = lambda: self.pick("'a'", "'%d+'", "'(%w)(%w*)'", "'^.'", "'.-b'", "'[^a]*'", "'()'", "'%s*$'",
                                    "'%b()'", "'.'", "'%'", "'['", "'(a'", self.string())
        name = self.pick("byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep",
                         "reverse", "sub", "upper")
        usual = {
            "byte": [self.string, position, position], "find": [self.string, pattern, position],
            "gsub": [self.string, pattern, lambda: self.pick("'x'", "'%1'", "'%0%0'", "{a='b'}", "'%'", "string.upper")],
            "match": [self.string, pattern], "rep": [self.string, lambda: str(self.random.randint(-1, 9))],
            "sub": [self.string, position, position],
        }.get(name, [self.string])
        if name == "char":
            usual = [lambda: str(self.random.randint(-2, 260))] * self.random.randint(0, 4)
        if name == "gmatch":
            return (f"(function() local t = {{}} for a, b in string.gmatch{self.arguments(self.string, pattern)} "
                    "do t[#t + 1] = a t[#t + 1] = b end return t end)()")
        if name == "format":
            option = self.pick("d", "5d", "-5d", "05d", "i", "u", "x", "X", "o", "c", "e", "f", ".3f", "g", ".14g",
                               "s", ".2s", "5s", "q", "%", "y")
            kind = self.string if option.endswith(("s", "q")) else lambda: str(self.random.randint(0, 255))
            if option in ("e", "f", ".3f", "g", ".14g"):
                kind = self.number
            return f"string.format{self.arguments(lambda: lua_string(('%' + option).encode()), kind)}"
        return f"string.{name}{self.arguments(*usual)}"

    def list(self):
        kind = self.pick(self.string, self.integer)
        return "{" + ",".join(kind() for _ in range(self.random.randint(0, 6))) + "}"

    def table_library(self):
        small = lambda: str(self.random.randint(-1, 8))
        name = self.pick("concat", "insert", "remove", "sort", "getn", "maxn")
        if name == "concat":
            return f"table.concat{self.arguments(self.list, self.string, *[small, small][:self.random.randint(0, 2)])}"
        if name in ("getn", "maxn"):
            return f"table.{name}{self.arguments(self.list)}"
        if name == "sort":
            return f"(function() local t = {self.list()} table.sort(t) return t end)()"
        size = self.random.randint(0, 5)
        place = str(self.random.randint(1, size + 1))
        items = "{" + ",".join(self.integer() for _ in range(size)) + "}"
        rest = self.pick("", f",{place}") if name == "remove" else self.pick(f",{self.scalar()}", f",{place},{self.scalar()}")
        return f"(function() local t = {items} return table.{name}(t{rest}), t end)()"

    def math_library(self):
        name = self.pick("abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "deg", "exp", "floor", "frexp",
                         "log", "log10", "modf", "rad", "sin", "sinh", "sqrt", "tan", "tanh", "atan2", "fmod",
                         "ldexp", "pow", "max", "min", "mod")
        two = name in ("atan2", "fmod", "pow", "mod")
        usual = [self.number, self.number] if two else [self.number]
        if name in ("max", "min"):
            usual = [self.number] * self.random.randint(1, 4)
        if name == "ldexp":
            usual = [self.number, lambda: str(self.random.randint(-20, 20))]
        return f"math.{name}{self.arguments(*usual)}"

    def source(self):
        while True:
            source = self.any_source()
            # An empty string repeated 2^60 times would take the reference for ever.
            if not re.search(r"string\.rep.*(\d{6}|\de|\^|/0)", source):
                return source

    def any_source(self):
        return self.pick(self.bit, self.struct, self.struct, self.cmsgpack, self.cmsgpack, self.cjson, self.cjson,
                         self.string_library, self.table_library, self.math_library)()


# Where the other server differs from the reference and docs/scripts.md says so: patterns of the
# script, of the reference's text and of the other's.
DIFFERENCES = [
    # Signs of integers whose size is above 8 and no multiple of 8.
    (r"struct\.unpack.*i(9|[12]\d|3[01])", r"^[^e]", r"^[^e]"),
    # Offsets that do not fit 32 bits are told as they are.
    (r"cmsgpack\.unpack_(one|limit)", r"offset (of )?-?\d+ ", r"offset (of )?-?\d{10,} "),
    # A zero in a pattern or a formatted string does not end it.
    (r"string\.(find|match|gmatch|gsub|format).*\\000", r"", r""),
    # Numbers for settings that do not fit 32 bits are refused.
    (r"cjson\.new\(\)", r"", r"expected integer between"),
]


def is_known(source, reference, other):
    return any(re.search(a, source) and re.search(b, reference) and re.search(c, other)
               for a, b, c in DIFFERENCES)


def compare(reference, ours, count, seed):
    generator = ScriptGenerator(seed)
    failures = done = 0
    while done < count:
        batch = [generator.source() for _ in range(min(50, count - done))]
        texts = [server.run(batch) for server in (reference, ours)]
        for number, (source, theirs, mine) in enumerate(zip(batch, *texts), done):
            if theirs != mine and not is_known(source, theirs, mine):
                failures += 1
                print(f"{number}: {source}\n  reference {theirs}\n  other     {mine}")
        done += len(batch)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("servers", nargs="+", metavar="HOST:PORT")
    parser.add_argument("--scripts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values")
    options = parser.parse_args()
    servers = [ScriptServer(address) for address in options.servers]
    for server in servers:
        server.client.call("EVAL", RESET, "0")
    failures = 0
    if options.values:
        for place, server in enumerate(servers):
            failures += check_values(server, options.values, is_reference=place == 0)
    if len(servers) > 1:
        failures += compare(servers[0], servers[1], options.scripts, options.seed)
    print(f"{failures} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
