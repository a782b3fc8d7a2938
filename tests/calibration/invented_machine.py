"""An invented machine whose timings are known exactly, for tests of fitting."""

from collections.abc import Sequence

import numpy as np

from dcsim.calibration.cases import cases
from dcsim.calibration.classes import operator_class, work_of
from dcsim.calibration.operands import Case
from dcsim.cost.operators import operator_time
from dcsim.records.profile import HostProfile, MachineIdentity, OperatorParameters

MACHINE = MachineIdentity(
    cpu="invented", cores=2, memory_bytes=1 << 34, system="none", python="3", numpy="2", blas="b"
)
RATES, EDGES = (1.6e11, 9e10, 5e10, 1.2e10), (3e4, 1e6, 2e7)
TRUTH = {"overhead_s": 8e-7, "peak_flops": 6e10, "shape_knee": (1.5, 2.5, 0.8)}


def parameters(name: str) -> OperatorParameters:
    """The true curve of a class: products have knees, element calls none."""
    kind = name.partition(".")[0]
    if kind in ("gemm", "batched_gemm"):
        return OperatorParameters(name, 8e-7, 6e10, RATES, EDGES, (1.5, 2.5, 0.8))
    return OperatorParameters(name, 5e-7, 8e9, RATES, EDGES)


def timings(chosen: Sequence[Case], noise: float, seed: int) -> np.ndarray:
    """Seconds of one call of each case on the invented machine, log-normal `noise`."""
    rng = np.random.default_rng(seed)
    out = np.empty(len(chosen))
    for index, case in enumerate(chosen):
        work = work_of([case.call], case.elsewhere_bytes)
        time = operator_time(work, parameters(operator_class(case.call)))[0]
        out[index] = time * max(case.call.batch, 1)
    return out * np.exp(noise * rng.standard_normal(len(chosen)))


def machine(uncertainty: float = 0.2) -> HostProfile:
    """The invented machine as a profile that is uncertain of every field."""
    names = {operator_class(case.call) for case in cases(quick=True)}
    fields = ("overhead_s", "peak_flops", "bandwidth_bytes_per_s", "shape_knee")
    belief = dict.fromkeys(fields, uncertainty)
    operators = {}
    for name in sorted(names):
        p = parameters(name)
        operators[name] = OperatorParameters(
            name,
            p.overhead_s,
            p.peak_flops,
            p.bandwidth_bytes_per_s,
            p.level_bytes,
            p.shape_knee,
            uncertainty=belief,
        )
    return HostProfile(
        machine=MACHINE,
        operators=operators,
        noise=0.01,
        step_spread=0.05,
        uncertainty={"overhead_factor": 0.3, "reuse_share": 0.5},
    )
