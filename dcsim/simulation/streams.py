"""Random streams, one for each purpose, all from one seed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Streams:
    """Independent generators: drawing more from one leaves the others as they were."""

    steps: np.random.Generator
    failures: np.random.Generator
    victims: np.random.Generator
    repairs: np.random.Generator
    lemons: np.random.Generator
    servers: np.random.Generator
    lifecycles: np.random.Generator
    spot: np.random.Generator
    stragglers: np.random.Generator


def streams(seed: int) -> Streams:
    """The streams of a seed (a non-negative integer)."""
    return Streams(
        *(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(9))
    )
