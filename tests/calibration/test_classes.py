import numpy as np
import pytest

from dcsim.calibration.cases import cases
from dcsim.calibration.classes import operator_class, parameters_of, repeats_of, work_of
from dcsim.calibration.models import fit_specs, held_out_specs
from dcsim.records import InputError
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import OperatorParameters


def call(**fields: object) -> OperatorCall:
    values: dict = {"kind": "elementwise", "function": "add", "phase": "forward", **fields}
    return OperatorCall(**values)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"n": 10, "bytes": 240.0}, "elementwise.arithmetic.c.f8"),
        ({"n": 10, "bytes": 160.0}, "elementwise.arithmetic.k.f8"),
        ({"n": 10, "bytes": 88.0, "elem_bytes": 4, "layout": "b"}, "elementwise.arithmetic.b.f4"),
        (
            {"kind": "transcendental", "function": "exp", "n": 9, "bytes": 144.0},
            "transcendental.exp.c.f8",
        ),
        (
            {"kind": "gemm", "function": "matmul", "m": 4, "n": 5, "k": 6, "layout": "nt"},
            "gemm.nt.f8",
        ),
        (
            {"kind": "gemm", "function": "matmul", "m": 1, "n": 5, "k": 6, "layout": "nn"},
            "gemv.nn.f8",
        ),
        (
            {"kind": "gemm", "function": "matmul", "m": 4, "n": 5, "k": 1, "layout": "tn"},
            "outer.tn.f8",
        ),
        ({"kind": "call", "function": "Dense"}, "call"),
        ({"kind": "view", "function": "reshape"}, "view.reshape"),
    ],
)
def test_class_names(fields: dict, name: str) -> None:
    assert operator_class(call(**fields)) == name


def test_a_batch_is_its_matrices_one_by_one() -> None:
    batched = call(
        kind="batched_gemm", m=4, n=5, k=6, batch=7, flop=7 * 240.0, bytes=7 * 592.0, count=3
    )
    work = work_of([batched])
    assert np.asarray(work.flop)[0] == 240.0
    assert np.asarray(work.bytes_moved)[0] == 592.0
    assert repeats_of([batched])[0] == 21.0


def test_traffic_counts_write_allocation_and_memory_counts_places_once() -> None:
    fresh = call(n=10, bytes=240.0, allocated_bytes=80.0)
    in_place = call(n=10, bytes=240.0)
    work = work_of([fresh, in_place])
    assert np.asarray(work.bytes_moved).tolist() == [320.0, 240.0]
    assert np.asarray(work.working_set_bytes).tolist() == [240.0, 160.0]


def test_a_folded_or_broadcast_run_takes_the_place_of_the_inner_dimension() -> None:
    folded = call(kind="reduce", function="sum", n=8, k=30)
    strided = call(kind="reduce", function="sum", n=8, k=30, layout="s")
    broadcast = call(n=640, inner=64, layout="b")
    work = work_of([folded, strided, broadcast, call(n=640)])
    assert np.asarray(work.k).tolist() == [30.0, 8.0, 64.0, np.inf]


def parameters(name: str, overhead_s: float = 1e-6) -> OperatorParameters:
    return OperatorParameters(name, overhead_s, 1e9, (1e10,))


def test_an_unmeasured_class_borrows_from_its_nearest_relative() -> None:
    known = {
        name: parameters(name)
        for name in ("reduce.sum.c.f4", "reduce.sum.c.f8", "reduce.max.s.f8", "copy.fill.c.f8")
    }
    assert parameters_of("reduce.sum.s.f8", known).name == "reduce.sum.c.f8"
    assert parameters_of("reduce.prod.s.f4", known).name == "reduce.sum.c.f4"
    product = {"gemm.nn.f8": parameters("gemm.nn.f8")}
    assert parameters_of("outer.tn.f4", product).name == "gemm.nn.f8"
    with pytest.raises(InputError, match="calibrate"):
        parameters_of("gather.take.c.f8", known)


def test_every_call_of_every_network_has_a_timed_class() -> None:
    timed = {operator_class(case.call) for case in cases(quick=True)}
    specs = [*fit_specs(quick=True), *held_out_specs(quick=True)]
    small = [spec for spec in specs if spec.batch < 300]
    for spec in small:
        missing = {operator_class(c) for c in spec.build().operators(spec.batch)} - timed
        assert not missing, spec.name
