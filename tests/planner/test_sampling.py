import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from dcsim.planner.sampling import draw_scores, stratified_normal


@given(st.integers(1, 200), st.integers(0, 2**31))
def test_one_score_falls_into_each_stratum(runs: int, seed: int) -> None:
    scores = stratified_normal(runs, np.random.default_rng(seed))
    strata = np.floor(norm.cdf(scores) * runs).astype(int)
    assert sorted(strata) == list(range(runs))


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first = draw_scores(16, 7, ["H100"], ["hgx-h100"])
    again = draw_scores(16, 7, ["H100"], ["hgx-h100"])
    other = draw_scores(16, 8, ["H100"], ["hgx-h100"])
    assert np.array_equal(first.step["H100"], again.step["H100"])
    assert np.array_equal(first.seeds, again.seeds)
    assert not np.array_equal(first.step["H100"], other.step["H100"])


def test_a_new_key_leaves_the_others_alone() -> None:
    few = draw_scores(16, 7, ["H100"], ["hgx-h100"])
    more = draw_scores(16, 7, ["A100", "H100"], ["hgx-b200", "hgx-h100"])
    assert np.array_equal(few.step["H100"], more.step["H100"])
    assert np.array_equal(few.price["hgx-h100"], more.price["hgx-h100"])
