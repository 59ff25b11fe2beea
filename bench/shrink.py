"""How small the simulator makes failures, and in what time: each planted bug (redoubt-sim list), in the
first seeds in which it is found. A failure counts as small with at most 8 faults and 30 operations,
found in at most a minute of processor time on one core. Exit status 1 when fewer than 90 % are."""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

SIMULATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build/redoubt-sim")
FAULTS, OPERATIONS, SECONDS, SHARE = 8, 30, 60, 0.9
SEEDS_TRIED = 200
LAST_LINE = re.compile(r"^shrunk seed \d+ violation (\S+) faults (\d+) from (\d+) operations (\d+) from (\d+) runs (\d+) ",
                       re.MULTILINE)


def planted():
    """(bug, scenario) of each."""
    text = subprocess.run([SIMULATOR, "list"], capture_output=True, text=True, check=True).stdout
    table = re.search(r"^Bugs to plant.*\n((?:  .*\n)+)", text, re.MULTILINE)[1]
    return [(line.split()[0], line.split()[2]) for line in table.splitlines()]


def call(*arguments):
    """Exit status, output, and the processor time of the process and all that it started."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([SIMULATOR, *arguments], stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return process.returncode, output.read(), usage.ru_utime + usage.ru_stime


def measure(bug, scenario, wanted, limit_s):
    """A dict for each of the first `wanted` seeds that find the bug."""
    rows = []
    tried = 0
    for seed in range(1, SEEDS_TRIED + 1):
        if len(rows) == wanted:
            break
        tried += 1
        what = ["--scenario", scenario, "--seed", str(seed), "--bug", bug]
        if call("run", *what)[0] == 0:
            continue
        _, text, cpu_s = call("shrink", *what, "-o", "/dev/null", "--time", f"{limit_s}s")
        found = LAST_LINE.search(text)
        row = {"bug": bug, "seed": seed, "tried": tried, "cpu_s": cpu_s}
        if found:
            row["checker"] = found[1]
            names = ("faults", "faults_before", "operations", "operations_before", "runs")
            row.update(zip(names, map(int, found.groups()[1:])))
            row["small"] = row["faults"] <= FAULTS and row["operations"] <= OPERATIONS and cpu_s <= SECONDS
        else:
            row.update(small=False, problem=text.strip().splitlines()[-1])
        rows.append(row)
        tried = 0
    return rows or [{"bug": bug, "small": False, "problem": f"not found in {SEEDS_TRIED} seeds"}]


def show(row):
    if "problem" in row:
        print(f"{row['bug']:18} {row.get('seed', ''):>5} {row['problem']}")
        return
    print(f"{row['bug']:18} {row['seed']:5} {row['tried']:6} {row['checker']:16}"
          f" {row['faults']:4} of {row['faults_before']:<6} {row['operations']:4} of {row['operations_before']:<7}"
          f" {row['runs']:5} {row['cpu_s']:8.1f}  {'small' if row['small'] else 'LARGE'}", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bugs", help="only these, with commas between them")
    options.add_argument("--failures", type=int, default=3, help="of each bug (default 3)")
    options.add_argument("--time", type=int, default=SECONDS,
                         help="seconds for each, by the clock on the wall: more where others use the cores (default 60)")
    options.add_argument("--jobs", type=int, default=1, help="bugs at the same time (default 1)")
    asked = options.parse_args()
    bugs = [one for one in planted() if asked.bugs is None or one[0] in asked.bugs.split(",")]
    if not bugs:
        options.error(f"none of these is planted: {asked.bugs}")
    print(f"{'bug':18} {'seed':>5} {'seeds':>6} {'checker':16} {'faults':14} {'operations':16} {'runs':>5} {'CPU s':>8}")
    rows = []
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        for found in pool.map(lambda one: measure(*one, asked.failures, asked.time), bugs):
            for row in found:
                show(row)
            rows += found
    small = sum(row["small"] for row in rows)
    print(f"{small} of {len(rows)} failures ({100 * small / len(rows):.0f} %) at most {FAULTS} faults and"
          f" {OPERATIONS} operations within {SECONDS} s of processor time")
    return 0 if small >= SHARE * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
