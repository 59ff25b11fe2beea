#!/usr/bin/env python3
"""Reads the RDB files and DUMP payloads of a folder, and compares with what is said to be in them.

    rdb_data.py RDBTOOL [FOLDER]

FOLDER (../shared/data/rdb when it is there, REDOUBT_RDB_DATA, or the argument) has NAME.rdb and
NAME.payload files, and NAME.json beside each, which says what is in it.
"""

import hashlib
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def digits(score):
    return "%.17g" % float(score)


def sha256(value):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def same_value(key, ours):
    """What differs in the value; None: nothing."""
    value = ours["value"]
    if key["type"] == "zset":
        value = [[member, digits(score)] for member, score in value]
    if "value_sha256" in key:
        return None if sha256(value) == key["value_sha256"] else "a large value"
    expected = key["value"]
    if key["type"] == "zset":
        expected = [[member, digits(score)] for member, score in expected]
        return None if sorted(value) == sorted(expected) else f"{value} instead of {expected}"
    if key["type"] != "stream":
        return None if value == expected else f"{value} instead of {expected}"
    return same_stream(expected, value)


def number_of(text):
    return tuple(int(part) for part in text.split("-"))


def position_holds(group, stream):
    """Whether the group's count agrees with the stream. One that does not is not believed."""
    last = number_of(group["last_delivered_id"])
    behind = sum(number_of(entry[0]) > last for entry in stream["entries"])
    return stream["entries_added"] - behind == group["entries_read"]


def same_stream(expected, value):
    for name, wanted in expected.items():
        if name == "entries_sha256":
            if sha256(value["entries"]) != wanted:
                return "entries of a stream"
        elif name in ("entries_head", "value_head", "length_differs"):
            continue
        elif name == "length":
            if value["length"] != len(value["entries"]):
                return "length of a stream"
        elif name == "groups":
            why = same_groups(wanted, value)
            if why:
                return why
        elif value.get(name) != wanted:
            return f"{name} is {value.get(name)} instead of {wanted}"
    return None


def same_groups(expected, stream):
    groups = stream["groups"]
    if len(expected) != len(groups):
        return "another number of groups"
    for wanted, group in zip(sorted(expected, key=lambda g: g["name"]), groups):
        for name, value in wanted.items():
            if name == "consumers":
                ours = {each["name"]: each for each in group["consumers"]}
                if len(ours) != len(value):
                    return f"consumers of {wanted['name']}"
                for each in value:
                    for what, is_ in each.items():
                        if ours[each["name"]].get(what) != is_:
                            return f"{what} of consumer {each['name']}"
            elif name == "entries_read" and value is not None and not position_holds(wanted, stream):
                continue
            elif group.get(name) != value:
                return f"{name} of group {wanted['name']} is {group.get(name)}, not {value}"
    return None


def compare(keys, lines):
    ours = {(line.get("db", 0), line["key"]): line for line in lines if "key" in line}
    skipped = {(line["db"], line["skipped"]) for line in lines if "skipped" in line}
    for key in keys:
        name = (key.get("db", 0), key["key"])
        if key["type"].startswith("module"):
            if name not in skipped:
                return f"{name} was not passed over"
            continue
        if key.get("value") == [] and name in skipped:
            continue
        if name not in ours:
            return f"{name} is not there"
        line = ours.pop(name)
        if line["type"] != key["type"]:
            return f"{name} is a {line['type']}"
        why = same_value(key, line)
        if why:
            return f"{name}: {why}"
        for field in ("expire_ms", "freq", "idle_s"):
            if field in key and line.get(field) != key[field]:
                return f"{name}: {field} is {line.get(field)} instead of {key[field]}"
        wanted = key.get("field_expire_ms")
        if isinstance(wanted, dict):
            wanted = sorted([name, time] for name, time in wanted.items())
        if (wanted or []) != line.get("field_expire_ms", []):
            return f"{name}: deadlines {line.get('field_expire_ms')} instead of {wanted}"
    return f"{list(ours)[:3]} should not be there" if ours else None


def check(tool, folder, name):
    """What is wrong with how a file is read; None: nothing."""
    with open(os.path.join(folder, name + ".json")) as text:
        about = json.load(text)
    kind = about["kind"]
    if kind not in ("rdb", "payload"):
        return None
    command = [tool, "dump" if kind == "rdb" else "payload", os.path.join(folder, f"{name}.{kind}")]
    done = subprocess.run(command, capture_output=True, timeout=60)
    why = done.stderr.decode().strip()
    if done.returncode not in (0, 1):
        return f"status {done.returncode}: {why}"
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    expect = about["expect"]
    if expect == "refuse":
        return "it was loaded" if done.returncode == 0 else None
    if expect == "survive":
        return None
    if done.returncode != 0:
        return None if expect == "load-or-refuse" else f"refused: {why}"
    if about.get("aux") is not None:
        aux = [[line["aux"], line["value"]] for line in lines if "aux" in line]
        if aux != about["aux"]:
            return f"auxiliary fields {aux}"
    functions = about.get("functions")
    if functions is not None:
        ours = sorted(line["function"] for line in lines if "function" in line)
        if ours != sorted(each["code"] for each in functions):
            return f"functions {ours}"
    return compare(about["keys"], lines)


def main():
    tool = os.path.abspath(sys.argv[1])
    folder = sys.argv[2] if len(sys.argv) > 2 else os.environ.get(
        "REDOUBT_RDB_DATA", os.path.join(TOP, "..", "shared", "data", "rdb"))
    if not os.path.isdir(folder):
        print(f"no folder {folder}: nothing is compared")
        return 0
    names = sorted(file[:-5] for file in os.listdir(folder) if file.endswith(".json"))
    failed = 0
    for name in names:
        why = check(tool, folder, name)
        if why is not None:
            print(f"{name}: {why[:500]}")
            failed += 1
    print(f"{len(names)} files, {failed} of them not read as they should be")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
