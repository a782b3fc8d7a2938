"""Epsilon against published examples, and noise against epsilon."""

import math

import pytest

from dcsim.protection.privacy import epsilon, noise_for


@pytest.mark.parametrize(
    ("noise", "sampling", "steps", "delta", "expected"),
    [
        # dp-accounting 0.6.0, pld_privacy_accountant_test.py: test_gaussian_basic and
        # test_self_composed_subsampled_gaussian, to the 1e-3 that they ask for.
        (math.sqrt(3.0), 1.0, 3, 0.126936, 1.0),
        (0.5, 0.2, 3, 0.15594, 1.0),
    ],
)
def test_the_accountants_own_examples(noise, sampling, steps, delta, expected) -> None:
    assert epsilon(noise, sampling, steps, delta) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("steps", "published"),
    # Abadi et al. 2016, section 5.1 (q = 0.01, σ = 4, δ = 1e-5): 100 and 400 epochs.
    [(10_000, 1.26), (40_000, 2.55)],
)
def test_the_moments_accountant_bounds_what_is_spent(steps: int, published: float) -> None:
    spent = epsilon(4.0, 0.01, steps, 1e-5)
    # The moments accountant is an upper bound, and not a loose one.
    assert 0.7 * published < spent < published


def test_a_single_gaussian_meets_the_closed_form() -> None:
    # Balle & Wang 2018, theorem 8: δ(ε) = Φ(1/2σ - εσ) - e^ε Φ(-1/2σ - εσ).
    def phi(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2.0))

    sigma, eps = 1.7, 0.8
    half = 0.5 / sigma
    delta = phi(half - eps * sigma) - math.exp(eps) * phi(-half - eps * sigma)
    assert epsilon(sigma, 1.0, 1, delta) == pytest.approx(eps, abs=1e-3)


def test_no_noise_protects_nobody() -> None:
    assert epsilon(0.0, 0.1, 10, 1e-5) == math.inf


def test_noise_that_is_found_spends_what_was_asked_and_little_less() -> None:
    noise = noise_for(3.0, 0.05, 100, 1e-5)
    assert 2.9 < epsilon(noise, 0.05, 100, 1e-5) <= 3.0


@pytest.mark.parametrize(("sampling", "delta"), [(0.0, 1e-5), (1.5, 1e-5), (0.1, 0.0), (0.1, 1.0)])
def test_shares_and_deltas_are_checked(sampling: float, delta: float) -> None:
    with pytest.raises(ValueError, match=r"a (share|delta) of"):
        epsilon(1.0, sampling, 10, delta)
