import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_machine import machine

from dcsim.calibration.calibrate import held_out_report, held_out_rows, step_noise
from dcsim.calibration.steps import call_times, host_step_time, step_times
from dcsim.cost.operators import Work, operator_time
from dcsim.records.operators import OperatorCall
from dcsim.training.models import build_mlp

HOST = machine()


@given(st.integers(1, 256), st.integers(1, 256))
def test_a_larger_batch_never_takes_less_time(one: int, two: int) -> None:
    calls = [
        [OperatorCall("gemm", "matmul", "forward", m=b, n=64, k=32, flop=4096.0 * b, bytes=8.0 * b)]
        for b in sorted((one, two))
    ]
    first, second = step_times(calls, HOST)
    assert first <= second


def test_a_step_is_the_sum_of_its_calls() -> None:
    calls = build_mlp([20, 30, 4]).operators(16)
    times = call_times(calls, HOST)
    assert times.shape == (len(calls),)
    assert (times > 0).all()
    assert host_step_time(calls, HOST).value == pytest.approx(times.sum())
    assert step_times([calls, calls], HOST) == pytest.approx([times.sum()] * 2)


def test_one_call_follows_the_operator_form_by_hand() -> None:
    call = OperatorCall(
        "elementwise", "add", "forward", n=1000, flop=1000.0, bytes=24_000.0, count=2
    )
    curve = HOST.operators["elementwise.arithmetic.c.f8"]
    # In place: 16 kB are touched, three times 8 kB are moved.
    working_set = 16_000.0 + HOST.reuse_share * 32_000.0
    once = float(operator_time(Work(1000.0, 24_000.0, working_set), curve))
    fixed = (HOST.overhead_factor - 1.0) * curve.overhead_s
    assert call_times([call], HOST)[0] == pytest.approx(2 * (once + fixed))


def test_the_interval_is_log_normal_around_the_value() -> None:
    step = host_step_time(build_mlp([5, 5, 2]).operators(4), HOST)
    assert step.low * step.high == pytest.approx(step.value**2)
    assert step.high / step.value == pytest.approx(np.exp(1.6448536 * HOST.step_spread))


def test_held_out_errors_by_hand() -> None:
    measured = np.array([[1.0, 1.0], [2.0, 2.2], [4.0, 3.6]])
    mean = np.sqrt(measured[:, 0] * measured[:, 1])
    rows = held_out_rows(["a", "b", "c"], measured, mean * [1.1, 0.8, 1.0], spread=np.full(3, 0.1))
    report = held_out_report(rows)
    assert report["n"] == 3
    assert report["median_error"] == pytest.approx(0.1)
    assert report["bias"] == pytest.approx(-0.1 / 3)
    assert report["repeat_median"] == pytest.approx(0.1)
    assert report["coverage90"] == pytest.approx(2 / 3)
    assert held_out_report(()) == {"n": 0}


def test_step_noise_compares_early_with_late_cycles() -> None:
    seconds = np.ones((3, 2, 4))
    assert step_noise(seconds) == 0.0
    seconds[:, :, 2:] = np.e**0.1
    assert step_noise(seconds) == pytest.approx(0.1)
    seconds[0, :, 2:] = np.inf  # too long to be visited again
    assert step_noise(seconds) == pytest.approx(0.1)
    assert step_noise(seconds[:, :, :1]) == 0.0
