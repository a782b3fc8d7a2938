"""How fast the simulated cluster runs: 90 days of one large job, a week of 2,000 jobs.

Prints the seconds of processor time a seed and what they are of the time that is allowed; run
it as `python benchmarks/cluster.py`. Counts of events are the same on every machine.
"""

from time import process_time

import numpy as np

from dcsim import catalogue
from dcsim.simulation import (
    FailureClass,
    PoolSpec,
    SimulationSpec,
    StorageSpec,
    TrainingJobSpec,
    best_interval,
    simulate,
)

DAY = 86400.0


def large(days: float = 90.0) -> SimulationSpec:
    """16,384 accelerators, failures as in Llama 3's run, checkpoints at the best interval."""
    rates = catalogue.failure_rates("llama3-all")
    kinds = tuple(
        FailureClass(
            name, rate, rates.detect_s, rates.restart_s, DAY, takes_node=name != "software"
        )
        for name, rate in sorted(rates.per_accelerator_s.items())
    )
    mtbf_s = 1.0 / (16_384 * sum(rates.per_accelerator_s.values()))
    job = TrainingJobSpec(
        "large", 16_384, "main", steps=10**8, step_s=6.0, checkpoint_bytes=5.29e12,
        checkpoint_interval_s=float(best_interval(5.29 / 2.0, mtbf_s)), restore_bytes=5.29e12,
    )  # fmt: skip
    return SimulationSpec(
        pools=(PoolSpec("main", "hgx-h100", 2080, 8, 400e9),),
        jobs=(job,),
        storage=StorageSpec(1, 7e12, 2e12),
        failures=kinds,
        spares={"main": 32},
        horizon_s=days * DAY,
    )


def mixed(jobs: int = 2000, seed: int = 0) -> SimulationSpec:
    """A week of jobs of all sizes that read data and save over one storage system."""
    draws = np.random.default_rng(seed)
    sizes = [1, 2, 4, 8, 16, 32, 64, 128]
    shares = [0.3, 0.15, 0.15, 0.2, 0.1, 0.05, 0.03, 0.02]
    specs = []
    for i in range(jobs):
        size = int(draws.choice(sizes, p=shares))
        specs.append(
            TrainingJobSpec(
                f"j{i}",
                size,
                "main",
                steps=max(int(np.exp(draws.normal(8.0, 1.3))), 1),
                step_s=1.0,
                submit_s=float(draws.uniform(0.0, 7 * DAY)),
                data_bytes_per_step=size * 20e6,
                checkpoint_bytes=size * 5e9,
                restore_bytes=size * 5e9,
                checkpoint_interval_s=1800.0,
                checkpoint_blocking=bool(draws.random() < 0.5),
                start_s=30.0,
            )
        )
    kinds = (
        FailureClass("hardware", 2e-9, 60.0, 120.0, 4 * 3600.0),
        FailureClass("software", 3e-9, 30.0, 60.0, takes_node=False),
    )
    return SimulationSpec(
        pools=(PoolSpec("main", "hgx-h100", 64, 8, 400e9),),
        jobs=tuple(specs),
        storage=StorageSpec(16, 10e9, 5e9, 1.25),
        failures=kinds,
        scheduler="easy",
    )


def main() -> None:
    """Run both and print seconds, their share of what is allowed, and events."""
    simulate(mixed(20), 1)  # compiles what is compiled
    for name, spec, allowed_s in (
        ("90 days of 16,384 accelerators", large(), 2.0),
        ("a week of 2,000 jobs", mixed(), 20.0),
    ):
        began = process_time()
        record = simulate(spec, 1)
        took = process_time() - began
        failures = sum(job.failures for job in record.jobs)
        print(
            f"{name}: {took:.2f} s a seed, {took / allowed_s:.2f} of the {allowed_s:g} s "
            f"allowed; {record.event_count:,} events, {failures:,} failures seen by jobs"
        )


if __name__ == "__main__":
    main()
