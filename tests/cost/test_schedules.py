"""The pass-by-pass pipeline: closed forms where there are some, bounds elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.cost.schedules import one_f_one_b

TIMES = st.lists(st.floats(0.1, 10.0), min_size=1, max_size=5)


@pytest.mark.parametrize("stages", [1, 2, 4])
@pytest.mark.parametrize("micro_batches", [1, 3, 8])
def test_equal_stages_follow_the_closed_form(stages: int, micro_batches: int) -> None:
    forward, backward = 2.0, 5.0
    total = one_f_one_b(np.full(stages, forward), np.full(stages, backward), micro_batches)
    assert total == pytest.approx((micro_batches + stages - 1) * (forward + backward))


def test_one_micro_batch_passes_every_stage_and_every_way_between() -> None:
    assert one_f_one_b([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 1, hand_over_s=0.5) == 21.0 + 4 * 0.5


@given(TIMES, st.integers(1, 6), st.floats(0.0, 2.0))
def test_no_schedule_beats_its_slowest_stage_or_its_longest_way(
    forward: list[float], micro_batches: int, hand_over_s: float
) -> None:
    backward = [2.0 * time for time in forward]
    total = one_f_one_b(forward, backward, micro_batches, hand_over_s)
    ways = 2 * (len(forward) - 1) * hand_over_s
    assert total >= micro_batches * 3.0 * max(forward) - 1e-9
    assert total >= 3.0 * sum(forward) + ways - 1e-9
    assert total <= micro_batches * (3.0 * sum(forward) + ways) + 1e-9
