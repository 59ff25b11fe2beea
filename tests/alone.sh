#!/usr/bin/env bash
# Each file by itself, with no header but those that it includes: one that lacks an include is found
# here, and not when something else is rearranged. With "configure" only build/alone is made, whose
# compile_commands.json says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake -S . -B build/alone -G Ninja --log-level=WARNING -DREDOUBT_UNITY=OFF \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
[[ ${1-} != configure ]] || exit 0

python3 - <<'PYTHON' | xargs -r -d '\n' -n 1 -P "$(nproc)" bash -c
import json

for entry in json.load(open("build/alone/compile_commands.json")):
    if "/generated/" in entry["file"]:
        continue
    command = entry["command"].split(" -o ")[0]
    print(f"cd {entry['directory']} && {command} -fsyntax-only {entry['file']}")
PYTHON
