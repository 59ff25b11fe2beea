#!/usr/bin/env bash
# clang-tidy over the product code. Most of its time goes to headers, so a few files of a folder are
# looked at together; those of a group that does not compile (two files have a name of their own in
# common), or in which something is found, are looked at one by one. A group that was clean is not
# looked at again until it, a header of ours or .clang-tidy changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamps=build/tidy
mkdir -p "$stamps/together"
tests/alone.sh configure

# build/tidy/groups has a line a group: the file that includes all, and those files. Neighbours are
# of one family and have names in common: they go to different groups.
python3 - <<'PYTHON'
import collections
import json
import os

FILES_MAX = 6
top = os.getcwd()
folder = os.path.join(top, "build/tidy")

# Product code with places that simulations know is compiled twice: it is looked at once, as the
# simulator has it.
once = {}
for entry in json.load(open("build/alone/compile_commands.json")):
    name = os.path.relpath(entry["file"], top)
    if not name.startswith(("net/", "engine/", "server/", "sim/")):
        continue
    if name not in once or "-DREDOUBT_SIMULATION" in entry["command"]:
        once[name] = entry

alike = collections.defaultdict(list)
for name in sorted(once):
    flags = once[name]["command"].split(" -o ")[0]
    alike[os.path.dirname(name), flags].append(name)

commands = list(once.values())
with open(f"{folder}/groups", "w") as groups:
    for files in alike.values():
        count = -(-len(files) // FILES_MAX)
        for members in (files[number::count] for number in range(count)):
            path = f"{folder}/together/{members[0].replace('/', '_')}"
            text = "".join(f'#include "{name}"\n' for name in members)
            open(path, "w").write(text)
            like = once[members[0]]
            commands.append(dict(like, file=path, output=path + ".o",
                                 command=like["command"].replace(like["file"], path)))
            print(path, *members, file=groups)
json.dump(commands, open(f"{folder}/compile_commands.json", "w"))
PYTHON

headers=$({
  cat .clang-tidy
  find net engine server sim -name '*.h' | LC_ALL=C sort | xargs -r cat
} | sha1sum)

# look FILE: true when nothing was found.
look() {
  clang-tidy-19 --quiet -p "$stamps" "$1" 2> "$2"
}

# check TOGETHER FILE ...
check() {
  local together=$1 file stamp found=0
  shift
  stamp=$stamps/$(cat - "$@" <<< "$headers $*" | sha1sum | cut -c 1-40)
  [[ ! -e $stamp ]] || return 0
  if ! look "$together" "$stamp.err" > /dev/null; then
    for file in "$@"; do
      look "$file" "$stamp.err" || {
        cat "$stamp.err"
        echo "clang-tidy: $file"
        found=1
      }
    done
  fi
  rm -f "$stamp.err"
  ((found == 0)) && : > "$stamp"
}
export -f check look
export headers stamps

# shellcheck disable=SC2016
xargs -r -a "$stamps/groups" -d '\n' -n 1 -P "$(nproc)" bash -c 'check $0'
