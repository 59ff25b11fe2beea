"""The simulator's speed: checked commands a second, simulated seconds a second, seeds an hour."""

import os
import re
import subprocess

SIMULATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build/redoubt-sim")
# A node and five clients, 50 commands a second together, with all checkers and weak faults.
LIGHT = "soak"
LIGHT_SEEDS = range(1, 6)
# All families of commands, and those about keys and strings alone.
FLAT_OUT = {
    "all families": "single",
    "keys and strings": os.path.join(os.path.dirname(os.path.abspath(__file__)), "keys_and_strings.toml"),
}
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


def measure(divisor):
    simulated = wall = 0.0
    for seed in list(LIGHT_SEEDS)[: max(1, len(LIGHT_SEEDS) // divisor)]:
        sim_s, wall_s, _ = run(LIGHT, seed)
        simulated += sim_s
        wall += wall_s
    flat_out = {}
    for name, scenario in FLAT_OUT.items():
        flat_out[name] = []
        for seed in list(FLAT_OUT_SEEDS)[: max(4, len(FLAT_OUT_SEEDS) // divisor)]:
            _, wall_s, commands = run(scenario, seed, "--commands", str(FLAT_OUT_COMMANDS))
            flat_out[name].append(commands / max(wall_s, 0.01))
        flat_out[name].sort()
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
