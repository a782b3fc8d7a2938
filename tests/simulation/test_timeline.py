"""Time series: means over equal intervals lose nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.simulation.timeline import Marks, timeline
from dcsim.simulation.traffic import TrafficLog


def test_counts_are_averaged_over_each_interval():
    marks = Marks()
    for now, busy in ((0.0, 4), (5.0, 8), (5.0, 6), (15.0, 0)):
        marks.mark(now, (busy, 0, 1))
    line = timeline(marks, TrafficLog(), np.zeros(0), 20.0, 2)
    np.testing.assert_allclose(line.time_s, [10.0, 20.0])
    np.testing.assert_allclose(line.series["accelerators_busy"], [5.0, 3.0])
    np.testing.assert_allclose(line.series["queue_length"], [1.0, 1.0])


@given(
    st.lists(
        st.tuples(st.floats(0.0, 90.0), st.floats(0.0, 10.0), st.floats(1.0, 1e9)), max_size=20
    ),
    st.integers(1, 50),
)
def test_bytes_are_conserved(entries, points):
    log = TrafficLog([(b, b + length, size, {0: 1.0}) for b, length, size in entries])
    line = timeline(Marks(), log, np.array([1e9]), 101.0, points)
    width = 101.0 / points
    total = sum(size for _, _, size in entries)
    assert line.series["storage_read"].sum() * width == pytest.approx(total, rel=1e-6)
    assert line.series["storage_write"].sum() == 0.0


def test_the_busiest_link_is_the_fullest_one():
    log = TrafficLog([(0.0, 10.0, 50.0, {0: 1.0}), (0.0, 10.0, 80.0, {1: 1.0})])
    line = timeline(Marks(), log, np.array([10.0, 10.0]), 10.0, 1)
    assert line.series["network_busiest"] == pytest.approx([0.8])


def test_no_points_no_series():
    assert timeline(Marks(), TrafficLog(), np.zeros(0), 10.0, 0).series == {}
