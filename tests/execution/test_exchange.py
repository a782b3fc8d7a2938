"""What workers spend on each other, measured and predicted."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.calibration.profiles import reference_profile
from dcsim.execution import measure_job
from dcsim.execution.exchange import Link, fit_link, measure_link, report_exchange
from dcsim.training.jobs import job


@pytest.mark.parametrize("ranks", [2, 5])
def test_the_fit_finds_the_link_that_made_the_times(ranks: int) -> None:
    link = Link(latency_s=2e-5, rate_bytes_per_s=3e9)
    sizes = np.array([8.0, 1e4, 1e6])
    times = np.array([link.all_reduce_s(size, ranks) for size in sizes])
    found = fit_link(sizes, times, ranks)
    assert found.latency_s == pytest.approx(link.latency_s)
    assert found.rate_bytes_per_s == pytest.approx(link.rate_bytes_per_s)
    assert link.all_reduce_s(0.0, ranks) == pytest.approx(2 * (ranks - 1) * 2e-5)


def test_the_link_between_workers_is_measured() -> None:
    link = measure_link(2)
    assert 0.0 <= link.latency_s < 1.0
    assert link.rate_bytes_per_s > 1e6


@pytest.mark.parametrize("parallel", ["data", "tensor", "pipeline"])
def test_a_report_has_both_sides(parallel: str) -> None:
    chosen = job("digits-mlp", epochs=1, workers=2, parallel=parallel)
    report = report_exchange(chosen, measure_job(chosen), reference_profile())
    assert 0.0 < report.measured_share < 1.0
    assert 0.0 < report.predicted_share < 1.0
    assert report.predicted_step_s > report.predicted_exchange_s > 0.0
