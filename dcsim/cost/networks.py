"""A simple data-parallel step of a network given as operators, in the common operator form."""

from dataclasses import dataclass

import numpy as np

from dcsim.catalogue.records import Accelerator
from dcsim.cost.collectives import CollectiveParameters, collective_time
from dcsim.cost.communication import exposed
from dcsim.cost.intervals import UNFITTED
from dcsim.cost.memory import (
    ALLOCATOR_BYTES,
    ALLOCATOR_SHARE,
    COMMUNICATOR_BYTES,
    CONTEXT_BYTES,
)
from dcsim.cost.operators import Work, operator_time, smooth_max
from dcsim.cost.parameters import generation_of, prior, shipped_fit
from dcsim.records import InputError, Tiers
from dcsim.records.profile import OperatorParameters, TrainingFit
from dcsim.workload.networks import Network, NetworkOperator
from dcsim.workload.table import PRECISION_BITS, peak_of, precision_code

#: Kernels that a fitted transformer layer launches forward and backward, and those of one
#: operator here (product, bias, normalisation, activation; about twice that backward).
LAUNCHES_PER_LAYER = 50.0
LAUNCHES_PER_OPERATOR = 10.0

#: A product runs forward and twice backward (data and weight gradient).
PASSES = 3.0

#: Bytes of a weight with gradient, 32-bit copy and two moments; of a table's weight with a
#: row-wise optimiser; and of an activation.
STATE_BYTES = 16.0
TABLE_BYTES = 4.0

#: Share of a step that is backward, behind which gradients are reduced.
BACKWARD_SHARE = 2.0 / 3.0


@dataclass(frozen=True, slots=True)
class NetworkStep:
    """Seconds of one step and what they consist of; exposed parts sum to `step_s`.

    `low_s` and `high_s` bound a 90 % interval as wide as before any run was seen, since no
    published run of such a network is in the fit. Memory is of one accelerator: allocated,
    reserved and of the whole device. `operators` are (name, seconds of its products, of its
    other memory passes) in one step.
    """

    step_s: float
    low_s: float
    high_s: float
    products_s: float
    traffic_s: float
    host_s: float
    dp_s: float
    tables_s: float
    optimizer_s: float
    samples_per_s: float
    memory_bytes: float
    reserved_bytes: float
    device_bytes: float
    fits: bool
    model_flop: float
    operators: tuple[tuple[str, float, float], ...]


def estimate_network(
    network: Network,
    accelerator: Accelerator,
    tiers: Tiers,
    replicas: int,
    batch: int,
    precision: str = "bf16",
    fit: TrainingFit | None = None,
) -> NetworkStep:
    """A step of `batch` samples on each of `replicas` accelerators.

    Products take `operator_time`; other passes stream through memory; the host launches
    ahead of the device (smooth maximum); gradients are all-reduced behind the backward pass;
    embedding tables are spread over the replicas and their rows exchanged all-to-all, twice
    (Naumov et al. 2019, arXiv 1906.00091, section 3). InputError for sizes below one and
    precisions without a peak.
    """
    if replicas < 1 or batch < 1:
        raise InputError("replicas and the batch of each must both be at least 1")
    fit = fit or shipped_fit()
    parameters = accelerator_operator(accelerator, precision, fit)
    width = max(PRECISION_BITS[precision_code(precision)] / 8.0, 1.0)
    lines = tuple(
        (o.name, *_operator_s(o, float(batch), width, parameters)) for o in network.operators
    )
    products, traffic = sum(line[1] for line in lines), sum(line[2] for line in lines)
    calls = sum(o.repeat for o in network.operators) * LAUNCHES_PER_OPERATOR
    launch = calls * _value(fit, "host.layer_s") / LAUNCHES_PER_LAYER
    busy = float(smooth_max(products + traffic, launch, _value(fit, "host.sharpness")))
    reduce_s, exchange_s = _exchanges(network, tiers, replicas, batch, width, fit)
    dp_s = float(exposed(np.asarray(reduce_s), np.asarray(BACKWARD_SHARE * busy), 0.0))
    dense = network.parameters - network.table_parameters
    optimizer = dense * _value(fit, "optimizer.bytes") / parameters.bandwidth_bytes_per_s[0]
    fixed = _value(fit, "step.overhead_s")
    total = busy + dp_s + exchange_s + optimizer + fixed
    states = dense * STATE_BYTES + network.table_parameters * TABLE_BYTES / replicas
    memory = states + batch * network.activations * width
    reserved = memory * (1.0 + ALLOCATOR_SHARE) + ALLOCATOR_BYTES
    device = reserved + CONTEXT_BYTES + COMMUNICATOR_BYTES * (replicas > 1)
    return NetworkStep(
        step_s=total,
        low_s=total * float(np.exp(-UNFITTED)),
        high_s=total * float(np.exp(UNFITTED)),
        products_s=products,
        traffic_s=traffic,
        host_s=busy - products - traffic + fixed,
        dp_s=dp_s,
        tables_s=exchange_s,
        optimizer_s=optimizer,
        samples_per_s=replicas * batch / total,
        memory_bytes=memory,
        reserved_bytes=reserved,
        device_bytes=device,
        fits=device <= accelerator.memory_bytes,
        model_flop=PASSES * network.forward_flop * batch * replicas,
        operators=lines,
    )


def accelerator_operator(
    accelerator: Accelerator, precision: str, fit: TrainingFit
) -> OperatorParameters:
    """The operator form's parameters of a chip: data sheet times fitted shares.

    The form that `calibrate` fits to NumPy on the host; a generation without runs takes
    its prior.
    """
    generation = generation_of(accelerator.name)
    bits = PRECISION_BITS[precision_code(precision)]
    pace = _value(fit, f"pace.accelerator.{accelerator.name}")
    share = _value(fit, f"gemm.share.{bits}.{generation}") / pace
    traffic = _value(fit, f"traffic.share.{generation}") / pace
    return OperatorParameters(
        name=f"products on {accelerator.name}",
        overhead_s=0.0,
        peak_flops=peak_of(accelerator, precision) * share,
        bandwidth_bytes_per_s=(accelerator.memory_bytes_per_s * traffic,),
        smoothness=_value(fit, "gemm.sharpness"),
    )


def _value(fit: TrainingFit, name: str) -> float:
    value = fit.parameters.get(name)
    return prior(name).value if value is None else value


def _operator_s(
    o: NetworkOperator, batch: float, width: float, parameters: OperatorParameters
) -> tuple[float, float]:
    """(seconds of products, of other memory passes) of one kind of layer, repeats included.

    A convolution's operands are its activations, not the unrolled matrix: the kernel
    gathers patches on chip.
    """
    moved = width * (batch * (o.read_elements + o.products * o.rows * o.outputs) + o.parameters)
    flop = 2.0 * batch * o.products * o.rows * o.inputs * o.outputs
    product = 0.0
    if o.products:
        product = PASSES * float(operator_time(Work(flop, moved, moved), parameters))
    streamed = width * batch * (o.passes * o.elements + PASSES * o.looked_up)
    stream = streamed / parameters.bandwidth_bytes_per_s[0]
    return o.repeat * product, o.repeat * stream


def _exchanges(
    network: Network, tiers: Tiers, replicas: int, batch: int, width: float, fit: TrainingFit
) -> tuple[float, float]:
    """Seconds of the gradients' all-reduce and of exchanging rows of embedding tables."""
    efficiency = (_value(fit, "network.inner"), _value(fit, "network.outer"))
    wires = CollectiveParameters(efficiency, _value(fit, "network.step_s"))

    def seconds(kind: str, size: float) -> float:
        time = collective_time(
            kind,
            size,
            replicas,
            1.0,
            np.asarray(tiers.size, dtype=float)[:, None],
            np.asarray(tiers.bandwidth_bytes_per_s, dtype=float)[:, None],
            np.asarray(tiers.latency_s, dtype=float)[:, None],
            np.asarray(tiers.reduces, dtype=bool)[:, None],
            wires,
        )
        return float(np.ravel(time)[0])

    dense = network.parameters - network.table_parameters
    rows = sum(o.repeat * o.looked_up for o in network.operators) * batch * width
    return seconds("all_reduce", dense * width), 2.0 * seconds("all_to_all", rows)
