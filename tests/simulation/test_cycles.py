"""Closed forms of repeated cycles, against walking through them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.simulation.cycles import (
    Cycle,
    behind_progress,
    behind_train_s,
    blocking_progress,
    blocking_train_s,
)
from dcsim.simulation.saved import SavedHistory

cycles_strategy = st.builds(
    Cycle,
    steps=st.integers(1, 20),
    compute_s=st.floats(0.5, 20.0),
    write_s=st.floats(0.0, 20.0),
)


@given(cycles_strategy, st.integers(1, 9), st.floats(0.0, 0.999))
def test_blocking_train_is_computing_and_writing_in_turn(cycle, count, share):
    elapsed = share * blocking_train_s(cycle, count)
    left, steps, computing, blocked, saves = elapsed, 0.0, 0.0, 0.0, 0
    while left > 0.0:
        part = min(left, cycle.compute_s)
        computing, steps = computing + part, steps + part / cycle.compute_s * cycle.steps
        left -= part
        if part < cycle.compute_s or left <= 0.0:
            break
        part = min(left, cycle.write_s)
        blocked, left = blocked + part, left - part
        saves += part == cycle.write_s
    done = blocking_progress(cycle, count, elapsed)
    assert done.steps == pytest.approx(steps)
    assert done.computing_s == pytest.approx(computing)
    assert done.blocked_s == pytest.approx(blocked, abs=1e-9)
    assert done.computing_s + done.blocked_s == pytest.approx(elapsed)
    assert done.saves in (saves, saves - 1, saves + 1)  # one more or less at the very edge


def test_blocking_train_in_the_middle_of_a_write():
    done = blocking_progress(Cycle(4, 10.0, 5.0), 3, 15.0 + 12.0)
    assert (done.steps, done.saves, done.computing_s, done.blocked_s) == (8, 1, 20.0, 7.0)
    assert done.unwritten == pytest.approx(0.6)


def test_behind_train_with_a_short_write():
    cycle = Cycle(4, 10.0, 5.0)
    assert behind_train_s(cycle, 3) == 30.0
    early, late = behind_progress(cycle, 3, 12.0), behind_progress(cycle, 3, 17.0)
    assert (early.steps, early.saves, early.unwritten) == (pytest.approx(4.8), 1, 0.6)
    assert (late.steps, late.saves, late.unwritten) == (pytest.approx(6.8), 2, None)
    assert early.blocked_s == late.blocked_s == 0.0


def test_behind_train_with_a_long_write():
    cycle = Cycle(4, 10.0, 25.0)
    assert behind_train_s(cycle, 2) == 50.0
    done = behind_progress(cycle, 2, 25.0 + 15.0)
    assert (done.steps, done.saves, done.blocked_s) == (8.0, 1, 20.0)
    assert done.unwritten == pytest.approx(0.4)


@given(cycles_strategy, st.integers(1, 1000))
def test_whole_trains_are_whole(cycle, count):
    blocking = blocking_progress(cycle, count, blocking_train_s(cycle, count))
    assert (blocking.steps, blocking.saves) == (count * cycle.steps, count)
    behind = behind_progress(cycle, count, behind_train_s(cycle, count))
    assert (behind.steps, behind.saves, behind.unwritten) == (count * cycle.steps, count, None)


def test_history_finds_the_checkpoint_before_a_date():
    history = SavedHistory()
    assert history.last_before(5.0) == (0.0, 0)
    history.add(10.0, 100, 10.0, 50, 4)
    history.add(60.0, 300)
    assert history.last_before(9.0) == (0.0, 0)
    assert history.last_before(10.0) == (10.0, 100)
    assert history.last_before(39.0) == (30.0, 200)
    assert history.last_before(55.0) == (40.0, 250)
    assert history.last_before(99.0) == (60.0, 300)
    history.forget_after(25.0)
    assert history.last_before(99.0) == (20.0, 150)
