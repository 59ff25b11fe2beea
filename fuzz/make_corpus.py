#!/usr/bin/env python3
"""Writes a seed corpus for the fuzz targets: make_corpus.py DIRECTORY

Every part of every transcript (tests/transcripts) becomes one input for each target, so that the
fuzzers begin with all commands that there are. What fuzzing has found before is kept, as files, in
fuzz/corpus; those are used beside these.
"""

import os
import random
import re
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


def main():
    target = sys.argv[1]
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
            if number % 4 == 0:
                write(os.path.join(target, "resp"), name + "-inline", cut + inline[:20_000])


if __name__ == "__main__":
    main()
