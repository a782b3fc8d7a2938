"""Seeded starting values. Every function draws from the generator that is passed in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dcsim.training.base import Array

Initialiser = Callable[[np.random.Generator, int, int, type[np.floating]], Array]


def glorot_uniform(
    rng: np.random.Generator, n_in: int, n_out: int, dtype: type[np.floating] = np.float64
) -> Array:
    """(n_in, n_out) from U(-a, a), a = sqrt(6 / (n_in + n_out)); Glorot & Bengio 2010, eq. 16."""
    bound = np.sqrt(6.0 / (n_in + n_out))
    return rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype)


def he_normal(
    rng: np.random.Generator, n_in: int, n_out: int, dtype: type[np.floating] = np.float64
) -> Array:
    """(n_in, n_out) from N(0, 2 / n_in), for ReLU layers; He et al. 2015, eq. 10."""
    return rng.normal(0.0, np.sqrt(2.0 / n_in), (n_in, n_out)).astype(dtype)


def scaled_normal(
    rng: np.random.Generator, n_in: int, n_out: int, dtype: type[np.floating] = np.float64
) -> Array:
    """(n_in, n_out) from N(0, 0.02²), the choice of GPT-2 (Radford et al. 2019)."""
    return rng.normal(0.0, 0.02, (n_in, n_out)).astype(dtype)


INITIALISERS: dict[str, Initialiser] = {
    "glorot": glorot_uniform,
    "he": he_normal,
    "normal": scaled_normal,
}
