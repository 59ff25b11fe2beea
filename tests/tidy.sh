#!/usr/bin/env bash
# clang-tidy over the product code, as many files at a time as there are cores. A file that was
# clean is not looked at again until it, a header of ours or .clang-tidy changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamps=build/tidy
mkdir -p "$stamps/alone"

# Each file by itself, with no header but those that it includes: one that lacks an include is found
# here.
cmake -S . -B "$stamps/alone" -G Ninja --log-level=WARNING -DREDOUBT_UNITY=OFF \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON

# Product code with places that simulations know is compiled twice: it is looked at once, as the
# simulator has it.
python3 - <<'PYTHON'
import json

once = {}
for entry in json.load(open("build/tidy/alone/compile_commands.json")):
    if entry["file"] not in once or "-DREDOUBT_SIMULATION" in entry["command"]:
        once[entry["file"]] = entry
json.dump(list(once.values()), open("build/tidy/compile_commands.json", "w"))
PYTHON

headers=$({
  cat .clang-tidy
  find net engine sim -name '*.h' | LC_ALL=C sort | xargs -r cat
} | sha1sum)

check() {
  local file=$1 stamp
  stamp=$stamps/$(cat - "$file" <<< "$headers" | sha1sum | cut -c 1-40)
  [[ ! -e $stamp ]] || return 0
  clang-tidy-19 --quiet -p "$stamps" "$file" 2> "$stamp.err" || {
    cat "$stamp.err"
    rm -f "$stamp.err"
    echo "clang-tidy: $file"
    return 1
  }
  rm -f "$stamp.err"
  : > "$stamp"
}
export -f check
export headers stamps

# shellcheck disable=SC2016
find net engine sim -name '*.cc' | LC_ALL=C sort |
  xargs -r -n 1 -P "$(nproc)" bash -c 'check "$0"'
