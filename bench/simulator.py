"""The simulator's speed: checked commands a second, simulated seconds a second, seeds an hour."""

import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIMULATOR = os.path.join(ROOT, "build/redoubt-sim")
# A node and five clients, 50 commands a second together, with all checkers and weak faults.
LIGHT = "soak"
LIGHT_SEEDS = range(1, 6)
# The scenario as it is; and with the commands about keys and strings alone, whose cost does not hang
# on how long somebody's list has become.
FLAT_OUT = {
    "all families": "",
    "keys and strings": "families = { generic = 3, string = 3, bitmap = 1, server = 1 }\n",
}
FLAT_OUT_SCENARIO = os.path.join(ROOT, "sim/scenarios/single.toml")
FLAT_OUT_SEEDS = range(1, 21)
FLAT_OUT_COMMANDS = 200_000


def run(scenario, seed, *options):
    """Simulated seconds, wall seconds and commands of one run on one core."""
    done = subprocess.run(
        ["taskset", "-c", "0", SIMULATOR, "run", "--scenario", scenario, "--seed", str(seed), *options],
        capture_output=True, text=True, check=True)
    line = done.stdout.splitlines()[-1]
    found = re.search(r" sim ([0-9.]+)s wall ([0-9.]+)s commands (\d+)", line)
    return float(found[1]), float(found[2]), int(found[3])


def flat_out_rates(workload, divisor):
    """Commands a second of some runs, the least first; `workload`: lines for that table."""
    with open(FLAT_OUT_SCENARIO) as file:
        text = file.read().replace("[workload]\n", "[workload]\n" + workload)
    rates = []
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as scenario:
        scenario.write(text)
        scenario.flush()
        for seed in list(FLAT_OUT_SEEDS)[: max(4, len(FLAT_OUT_SEEDS) // divisor)]:
            _, wall_s, commands = run(scenario.name, seed, "--commands", str(FLAT_OUT_COMMANDS))
            rates.append(commands / max(wall_s, 0.01))
    return sorted(rates)


def measure(divisor):
    simulated = wall = 0.0
    for seed in list(LIGHT_SEEDS)[: max(1, len(LIGHT_SEEDS) // divisor)]:
        sim_s, wall_s, _ = run(LIGHT, seed)
        simulated += sim_s
        wall += wall_s
    flat_out = {name: flat_out_rates(workload, divisor) for name, workload in FLAT_OUT.items()}
    return {
        "simulated_per_second": simulated / max(wall, 0.01),
        "seeds_of_300s_an_hour": simulated / max(wall, 0.01) / 300 * 3600,
        "commands_per_second": {
            name: {"least": rates[0], "median": rates[len(rates) // 2], "most": rates[-1]}
            for name, rates in flat_out.items()
        },
    }


def show(figures):
    def line(name, value, target, note=""):
        word = "reached" if value >= target else "MISSED"
        print(f"{name:46} {value:12,.0f}   >= {target:,}  {word}  {note}")

    print("\nsimulator, one core")
    line(f"simulated seconds a second ({LIGHT})", figures["simulated_per_second"], 1_000)
    line("seeds of 300 s an hour", figures["seeds_of_300s_an_hour"], 10_000)
    for name, rates in figures["commands_per_second"].items():
        line(f"checked commands a second, {name}", rates["median"], 300_000,
             f"{rates['least']:,.0f} to {rates['most']:,.0f}")
