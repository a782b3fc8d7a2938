"""What this machine can do now: a few seconds of timings before a rehearsal.

The reference profile was fitted on other networks than the rehearsed ones, and so are the
timings here; what is measured of the rehearsed jobs never enters their prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import numpy as np

from dcsim.calibration import host_step_time
from dcsim.calibration.models import fit_specs
from dcsim.calibration.steps import step_times
from dcsim.calibration.update import StepObservation, observe_steps
from dcsim.execution.rehearsal.bench import (
    FIGURE_ROWS,
    time_exchange,
    time_figures,
    time_loop,
    time_networks,
)
from dcsim.execution.rehearsal.gang import Gang
from dcsim.execution.rehearsal.node import Shape, Task, checkpoint_name, look_at, train
from dcsim.execution.rehearsal.nodes import Nodes
from dcsim.execution.rehearsal.storage import SharedStorage
from dcsim.records.profile import HostProfile, OperatorParameters
from dcsim.training.jobs import job

#: Values that two ranks sum to time an exchange.
EXCHANGED = (3_000, 150_000)
#: The standard deviation of log(measured / model) that one timed step deserves.
STEP_SD = 0.08


@dataclass(frozen=True, slots=True)
class Pace:
    """Timings of one machine; seconds are of one processor, `start_s` and `restart_s` by the wall.

    `turn_s` is the fixed cost of one turn of an exchange, `byte_s` that of each byte that a
    rank sums; `figures_s` has the time of a task's figures for each of `FIGURE_ROWS`.
    `granted` is the share of the processors asked for that the system gave: below 1 when
    something else computes on this machine.
    """

    host: HostProfile
    loop_s: float
    turn_s: float
    byte_s: float
    figures_s: Mapping[str, tuple[float, ...]]
    start_s: float
    restart_s: float
    granted: float

    def step_s(self, shape: Shape, ranks: int) -> float:
        """Processor seconds of one rank's step, its part in evaluations included."""
        step = host_step_time(shape.operators, self.host).value + self.loop_s
        return step + self.exchange_s(shape, ranks) + self._evaluations_s(shape) / shape.steps

    def exchange_s(self, shape: Shape, ranks: int) -> float:
        """Processor seconds of one rank for summing `ranks` gradients in a ring."""
        if ranks == 1:
            return 0.0
        size = shape.values * np.dtype(shape.dtype).itemsize
        turns = 2 * (ranks - 1)
        return (turns + 1) * self.turn_s + turns / ranks * size * self.byte_s

    def _evaluations_s(self, shape: Shape) -> float:
        """All looks of a job at its validation data."""
        forward = host_step_time(shape.evaluation, self.host).value * shape.evaluation_passes
        figures = 0.0
        if shape.task in self.figures_s:
            (few, many), (low, high) = FIGURE_ROWS, self.figures_s[shape.task]
            slope = (high - low) / (many - few)
            figures = max(low + slope * (shape.validation_rows - few), 0.0)
        return shape.evaluations * (forward + figures)


def measure_pace(known: HostProfile, nodes: Nodes, storage: SharedStorage) -> Pace:
    """Time this machine for a few seconds and move `known` to what it shows."""
    begun = perf_counter()
    nodes.restart(0)
    restart_s = perf_counter() - begun
    start_s = _start_s(nodes, storage)
    # As many compute at once as do in the mean: beside more of them, the system would move
    # what else runs on this machine to other processors than it does during the rehearsal.
    busy = max(len(nodes) // 2, min(len(nodes.processors), len(nodes)))
    answers = nodes.call_all(time_networks, [(3 * node,) for node in range(busy)])
    seconds = np.median([answer[0] for answer in answers], axis=0)
    turn_s, byte_s = _exchange(nodes, storage)
    first = nodes.workers[0]
    return Pace(
        host=_moved_host(known, seconds),
        loop_s=first.call(time_loop),
        turn_s=turn_s,
        byte_s=byte_s,
        figures_s=first.call(time_figures),
        start_s=start_s,
        restart_s=restart_s,
        granted=granted_share([answer[1] for answer in answers], len(nodes.processors)),
    )


def _start_s(nodes: Nodes, storage: SharedStorage) -> float:
    """From sending a job of one step to hearing of its end, the second time on every node."""
    tiny = job("mlp-3-5-2", max_steps=1)
    nodes.workers[-1].call(look_at, [tiny], storage)
    seconds = []
    for worker in nodes.workers:
        for turn in range(2):
            name = f"warm-up-{turn}"
            begun = perf_counter()
            worker.call(train, Task(name, tiny, 1), storage)
            last = perf_counter() - begun
            (storage.directory / checkpoint_name(name)).unlink()
        seconds.append(last)
    return median(seconds)


def _exchange(nodes: Nodes, storage: SharedStorage) -> tuple[float, float]:
    """Fixed seconds of a turn and seconds a byte, from two sizes; zeros on a single node."""
    if len(nodes) < 2:
        return 0.0, 0.0
    times = []
    for values in EXCHANGED:
        gang = Gang(storage.directory / f"exchange-{nodes.serial()}", 2, values, "float64")
        gang.prepare()
        times.append(median(nodes.call_all(time_exchange, [(gang, 0), (gang, 1)])))
    byte_s = max((times[1] - times[0]) / (8.0 * (EXCHANGED[1] - EXCHANGED[0])), 0.0)
    turn_s = max(times[0] - 8.0 * EXCHANGED[0] * byte_s, 0.0) / 3.0
    return turn_s, byte_s


def _moved_host(known: HostProfile, seconds: np.ndarray) -> HostProfile:
    """`known` at the pace of the timed steps, then with its curves moved by each of them."""
    calls = [tuple(spec.build().operators(spec.batch)) for spec in fit_specs(quick=True)]
    pace = float(np.median(seconds / step_times(calls, known)))
    host = replace(known, operators={k: slowed(v, pace) for k, v in known.operators.items()})
    observations = [
        StepObservation(float(s), c, STEP_SD) for s, c in zip(seconds, calls, strict=True)
    ]
    return observe_steps(host, observations)


def slowed(operator: OperatorParameters, factor: float) -> OperatorParameters:
    """An operator class that takes `factor` times as long, whatever its size."""
    return replace(
        operator,
        overhead_s=operator.overhead_s * factor,
        peak_flops=operator.peak_flops / factor,
        bandwidth_bytes_per_s=tuple(rate / factor for rate in operator.bandwidth_bytes_per_s),
    )


def granted_share(marks: Sequence[Sequence[tuple[float, float]]], processors: int) -> float:
    """Processor seconds that all nodes got ÷ what `processors` offer, while all computed.

    `marks` has, for each node, pairs of (clock, processor seconds so far) in order.
    """
    from_s = max(node[0][0] for node in marks)
    to_s = min(node[-1][0] for node in marks)
    if to_s <= from_s:
        return 1.0
    got = 0.0
    for node in marks:
        clock, used = np.array(node).T
        got += float(np.interp(to_s, clock, used) - np.interp(from_s, clock, used))
    return min(got / ((to_s - from_s) * min(processors, len(marks))), 1.0)
