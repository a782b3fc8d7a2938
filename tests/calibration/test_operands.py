from collections import Counter

import numpy as np
import pytest

from dcsim.calibration.cases import MIB, cases
from dcsim.calibration.classes import operator_class
from dcsim.calibration.models import StepSpec, fit_specs, held_out_specs
from dcsim.calibration.operands import MOST_SETS, Case, Pools, prepare
from dcsim.calibration.timing import noise_of, undisturbed
from dcsim.records.operators import OperatorCall


@pytest.fixture(scope="module")
def pools() -> Pools:
    return Pools(16 * MIB)


def test_every_kind_of_case_can_be_called_twice(pools: Pools) -> None:
    first_of_class = {}
    for case in cases(quick=True):
        if case.call.bytes < MIB:
            first_of_class.setdefault(operator_class(case.call), case)
    for case in first_of_class.values():
        run = prepare(case, pools)[0]
        run()
        run()


def test_a_product_has_the_shape_that_its_call_describes(pools: Pools) -> None:
    call = OperatorCall(
        "gemm", "matmul", "forward", m=3, n=4, k=5, bytes=376.0, allocated_bytes=96.0, layout="nt"
    )
    result = prepare(Case(call), pools)[0]()
    assert isinstance(result, np.ndarray)
    assert result.shape == (3, 4)


def test_operands_spread_over_the_footprint() -> None:
    call = OperatorCall("copy", "assign", "forward", n=1000, bytes=16_000.0)
    assert Case(call).sets == 1
    assert Case(call, 160_000).sets == 10
    assert Case(call, 160_000).elsewhere_bytes == 9 * 16_000.0
    assert Case(call, 1e12).sets == MOST_SETS


def test_quick_cases_leave_out_no_class() -> None:
    def count(quick: bool) -> Counter[str]:
        return Counter(operator_class(case.call) for case in cases(quick))

    assert count(True).keys() == count(False).keys()
    assert count(True).total() < count(False).total()


def test_held_out_networks_are_not_among_those_fitted() -> None:
    def shape(spec: StepSpec) -> tuple:
        return (spec.kind, tuple(sorted((k, v) for k, v in spec.arguments.items() if k != "rate")))

    fitted = {shape(spec) for spec in fit_specs(quick=False)}
    held_out = held_out_specs(quick=False)
    assert len(held_out) >= 40
    assert len(held_out_specs(quick=True)) >= 12
    assert not fitted & {shape(spec) for spec in held_out}
    assert len({spec.name for spec in held_out}) == len(held_out)
    assert {1, 512} <= {spec.batch for spec in held_out}


def test_disturbances_neither_move_the_estimate_nor_the_noise() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1e-6, 1e-3, 400)
    samples = truth[:, None] * np.exp(0.02 * rng.standard_normal((400, 10)))
    disturbed = samples.copy()
    disturbed[:, :5] *= rng.uniform(1.0, 3.0, (400, 5))
    assert np.median(undisturbed(disturbed) / truth) == pytest.approx(1.0, abs=0.03)
    assert 0.0 < noise_of(samples) < 0.03
    assert noise_of(disturbed) < 0.06
