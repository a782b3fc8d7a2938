"""Stratified draws of what is uncertain, so that few runs give steady quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scores:
    """Standard normal scores, one row a run: `step` and `price` by key, and `power`.

    Candidates that share a key share its draws (they are right or wrong together, for
    instance all layouts on one accelerator), so that differences between them are not
    drowned in noise. `seeds` feed the simulation, one for each run.
    """

    step: dict[str, NDArray[np.float64]]
    price: dict[str, NDArray[np.float64]]
    power: NDArray[np.float64]
    seeds: NDArray[np.int64]


def stratified_normal(runs: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """`runs` standard normal scores, one from the middle of each of `runs` equal strata.

    The order is random, so that several such columns form a Latin hypercube (McKay et
    al. 1979).
    """
    standard = NormalDist()
    ordered = [standard.inv_cdf((stratum + 0.5) / runs) for stratum in range(runs)]
    return np.asarray(ordered)[generator.permutation(runs)]


def draw_scores(
    runs: int, seed: int, step_keys: Sequence[str], price_keys: Sequence[str]
) -> Scores:
    """Scores for `runs` runs; the same `seed` and keys give the same draws.

    Every key has its own stream, derived from its name, so that adding a candidate of a
    new type leaves the draws of the others alone.
    """

    def column(name: str) -> NDArray[np.float64]:
        words = [seed, *name.encode()]
        return stratified_normal(runs, np.random.default_rng(np.random.SeedSequence(words)))

    streams = np.random.SeedSequence([seed, 0x5EED]).generate_state(runs, dtype=np.uint32)
    return Scores(
        step={key: column(f"step/{key}") for key in sorted(set(step_keys))},
        price={key: column(f"price/{key}") for key in sorted(set(price_keys))},
        power=column("power"),
        seeds=streams.astype(np.int64),
    )
