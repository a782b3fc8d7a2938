"""The timing cases of the flow solver: a 1,024-host fat tree under four kinds of load.

32 leaves of 32 hosts, 32 spines, every link 50 GB/s in each direction; a route is host up,
leaf to spine (target modulo 32), spine to leaf, host down. With DCSIM_TRUTH set the cases
come from its `network_perf_cases.py`, otherwise from the same definition here.
"""

import importlib.util
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HOSTS, LEAVES, SPINES, RATE = 1024, 32, 32, 50e9
PER_LEAF = HOSTS // LEAVES
LINKS = 2 * HOSTS + 2 * LEAVES * SPINES

#: Source, target, bytes and start of a flow.
Flow = tuple[int, int, float, float]


@dataclass(frozen=True, slots=True)
class Case:
    """Flows with their routes; every link has the rate RATE and no latency."""

    name: str
    routes: list[list[int]]
    size: list[float]
    start: list[float]


def route(source: int, target: int) -> list[int]:
    """Link indices: hosts up, hosts down, leaves to spines, spines to leaves."""
    here, there = source // PER_LEAF, target // PER_LEAF
    if here == there:
        return [source, HOSTS + target]
    spine = target % SPINES
    up = 2 * HOSTS + here * SPINES + spine
    down = 2 * HOSTS + LEAVES * SPINES + there * SPINES + spine
    return [source, up, down, HOSTS + target]


def permutations(count: int, seed: int = 1) -> list[Flow]:
    """Some random permutations at once, sizes within a factor of three."""
    rng = random.Random(seed)
    flows = []
    for _ in range(count):
        targets = list(range(HOSTS))
        rng.shuffle(targets)
        for source in range(HOSTS):
            if targets[source] != source:
                flows.append((source, targets[source], rng.uniform(0.5, 1.5) * 1e8, 0.0))
    return flows


def poisson(count: int, load: float = 0.5, seed: int = 2) -> list[Flow]:
    """Random pairs at random times that load the hosts' links so much on average."""
    rng = random.Random(seed)
    now = 0.0
    flows = []
    for _ in range(count):
        now += rng.expovariate(load * HOSTS * RATE / 1e8)
        source, target = rng.sample(range(HOSTS), 2)
        flows.append((source, target, rng.uniform(0.5, 1.5) * 1e8, now))
    return flows


def all_to_all(count: int, equal: bool = True, seed: int = 3) -> list[Flow]:
    """Everybody to everybody among evenly spread hosts."""
    rng = random.Random(seed)
    hosts = [index * (HOSTS // count) for index in range(count)]
    return [
        (source, target, 1e7 if equal else rng.uniform(0.5, 1.5) * 1e7, 0.0)
        for source in hosts
        for target in hosts
        if source != target
    ]


OWN: Mapping[str, Callable[[], list[Flow]]] = {
    "perm-1": lambda: permutations(1),
    "perm-2": lambda: permutations(2),
    "perm-10": lambda: permutations(10),
    "poisson-1k": lambda: poisson(1_000),
    "poisson-10k": lambda: poisson(10_000),
    "poisson-100k": lambda: poisson(100_000),
    "poisson20-10k": lambda: poisson(10_000, 0.2),
    "poisson20-100k": lambda: poisson(100_000, 0.2),
    "a2a-32-equal": lambda: all_to_all(32),
    "a2a-100-equal": lambda: all_to_all(102),
    "a2a-316-equal": lambda: all_to_all(316),
    "a2a-100-random": lambda: all_to_all(102, equal=False),
}


def cases() -> tuple[Mapping[str, Callable[[], list[Flow]]], Callable[[int, int], list[int]]]:
    """Generators by name and the route function, from DCSIM_TRUTH where it is set."""
    folder = os.environ.get("DCSIM_TRUTH")
    if not folder:
        return OWN, route
    path = Path(folder) / "network_perf_cases.py"
    spec = importlib.util.spec_from_file_location("network_perf_cases", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES, module.route


def load(name: str) -> Case:
    """Build one case."""
    generators, path = cases()
    flows = generators[name]()
    return Case(
        name,
        [path(source, target) for source, target, _, _ in flows],
        [size for _, _, size, _ in flows],
        [start for *_, start in flows],
    )
