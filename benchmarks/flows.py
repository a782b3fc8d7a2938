"""Time the flow solver beside SimGrid on the same flows, in one run.

    python benchmarks/flows.py [CASE …] [--without perm-10,poisson-100k]

SimGrid is Debian's python3-simgrid, run by the system's Python. Both figures are CPU
seconds of the simulation alone: SimGrid's without building its platform, ours without
compiling the kernels (printed separately), but with reading the routes into arrays. The
number of flows whose completion times differ by more than 1e-5 of their duration must be
zero; SimGrid rounds sizes to whole bytes and dates to a nanosecond.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from flow_cases import LINKS, RATE, Case, cases, load

from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.simulation.fluid_compiled import INTERPRETED, compiled

SYSTEM_PYTHON = "/usr/bin/python3"
CLOSE = 1e-5
#: A SimGrid run is given up after this long; the longest takes about seven minutes.
PATIENCE_S = 1800.0


def ours(case: Case) -> tuple[float, np.ndarray]:
    """CPU seconds and completion times of our solver."""
    capacity, latency = np.full(LINKS, RATE), np.zeros(LINKS)
    size, start = np.array(case.size), np.array(case.start)
    begin = time.process_time()
    done = simulate_flows(capacity, latency, case.routes, size, start)
    return time.process_time() - begin, done


def simgrid(case: Case) -> tuple[float, np.ndarray] | None:
    """CPU seconds and completion times of SimGrid; None where it cannot be run."""
    document = {
        "capacity": [RATE] * LINKS,
        "latency": [0.0] * LINKS,
        "routes": case.routes,
        "size": case.size,
        "start": case.start,
    }
    script = Path(__file__).parent / "flows_simgrid.py"
    try:
        answer = subprocess.run(
            [SYSTEM_PYTHON, str(script)],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"  SimGrid did not run: {error}", file=sys.stderr)
        return None
    result = json.loads(answer.stdout)
    return result["cpu_s"], np.array(result["completion_s"])


def main() -> None:
    """Run the cases and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="names of cases; all when left out")
    parser.add_argument("--without", default="", help="cases to leave out, with commas")
    arguments = parser.parse_args()
    names = arguments.cases or [n for n in cases()[0] if n not in arguments.without.split(",")]
    begin = time.perf_counter()
    kernels = compiled()
    how = "interpreted" if kernels is INTERPRETED else "compiled"
    spent = time.perf_counter() - begin
    print(f"kernels {how} and loaded in {spent:.1f} s, not in the times below")
    print(f"{'case':<16}{'flows':>8}{'dcsim s':>10}{'SimGrid s':>11}{'ratio':>8}{'differ':>8}")
    slowest = np.inf
    for name in names:
        case = load(name)
        seconds, done = ours(case)
        rival = simgrid(case)
        line = f"{name:<16}{len(done):>8}{seconds:>10.4f}"
        if rival is not None:
            theirs, reference = rival
            off = np.abs(done - reference) > CLOSE * (reference - np.array(case.start))
            slowest = min(slowest, theirs / seconds)
            line += f"{theirs:>11.3f}{theirs / seconds:>8.1f}{int(off.sum()):>8}"
        print(line, flush=True)
    if slowest < np.inf:
        print(f"at least {slowest:.1f} times as fast as SimGrid on every case")


if __name__ == "__main__":
    main()
