import numpy as np
import pytest
from invented_machine import EDGES, RATES, timings

from dcsim.calibration.cases import cases
from dcsim.calibration.fit import fit_operators
from dcsim.cost.operators import Work, operator_time
from dcsim.records.profile import OperatorParameters


@pytest.fixture(scope="module")
def fitted() -> dict[str, OperatorParameters]:
    chosen = cases(quick=True)
    seconds = timings(chosen, noise=0.03, seed=3)
    # One timing in fifty was disturbed badly.
    seconds[::50] *= 4.0
    return fit_operators(chosen, seconds)


@pytest.mark.parametrize("name", ["gemm.nn.f4", "gemm.nt.f8", "gemm.tn.f4"])
def test_known_parameters_of_products_come_back(
    fitted: dict[str, OperatorParameters], name: str
) -> None:
    found = fitted[name]
    assert found.overhead_s == pytest.approx(8e-7, rel=0.15)
    assert found.peak_flops == pytest.approx(6e10, rel=0.15)


@pytest.mark.parametrize("name", ["gemm.nn.f4", "gemm.nt.f8", "batched_gemm.nn.f8"])
def test_known_times_of_products_come_back(
    fitted: dict[str, OperatorParameters], name: str
) -> None:
    true = OperatorParameters("", 8e-7, 6e10, RATES, EDGES, (1.5, 2.5, 0.8))
    for m, n, k in ((100, 100, 100), (8, 100, 50), (60, 20, 90)):
        moved = 8.0 * (m * k + k * n + m * n)
        work = Work(2.0 * m * n * k, moved, moved, m, n, k)
        assert operator_time(work, fitted[name]) == pytest.approx(
            operator_time(work, true), rel=0.15
        )


def test_known_memory_hierarchy_comes_back(fitted: dict[str, OperatorParameters]) -> None:
    found = fitted["elementwise.arithmetic.c.f8"]
    assert found.overhead_s == pytest.approx(5e-7, rel=0.1)
    for size in (1e5, 5e6, 1e8):
        work = Work(0.0, size, size)
        true = OperatorParameters("", 5e-7, 8e9, RATES, EDGES)
        assert operator_time(work, found) == pytest.approx(operator_time(work, true), rel=0.15)


def test_errors_and_uncertainty_are_reported(fitted: dict[str, OperatorParameters]) -> None:
    for name, found in fitted.items():
        assert 0.0 <= found.median_error < 0.15, name
        assert all(deviation > 0.0 for deviation in found.uncertainty.values()), name


def test_fitting_is_deterministic() -> None:
    chosen = [case for case in cases(quick=True) if case.call.kind in ("gemm", "elementwise")]
    seconds = timings(chosen, noise=0.05, seed=1)
    assert fit_operators(chosen, seconds) == fit_operators(chosen, np.array(seconds))
