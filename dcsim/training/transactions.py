"""A generator of card payments, a few of them fraudulent: the data are made, not observed.

No public set of payments comes with an installed package. The generator draws honest
payments from the habits of each card, and three kinds of fraud that pull single
measurements in opposite directions, so that no straight line through them finds all:
testing (many tiny payments online), theft (large payments far away, by hand) and takeover
(young accounts, by night, at risky shops).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dcsim.training.base import Array
from dcsim.training.data import SPLIT_SEED, Dataset, table_dataset

PAYMENTS = 24_000
PAYMENTS_A_CARD = 40
FRAUD_SHARE = 0.015
COLUMNS = (
    "log amount",
    "log amount over the card's usual",
    "hour of day, sine",
    "hour of day, cosine",
    "log distance from home",
    "payments in the last hour",
    "log hours since the last",
    "log age of the account",
    "risk of the shop",
    "online",
)


def payments(dtype: type[np.floating]) -> Dataset:
    """24,000 payments with `COLUMNS`, 1.5 % of them fraud (class 1); always the same ones."""
    x, fraud = generate(PAYMENTS, np.random.default_rng(SPLIT_SEED))
    data = table_dataset(
        "payments",
        "generated: card payments drawn from habits of cards, with three kinds of fraud",
        x,
        fraud,
        dtype=dtype,
        features=COLUMNS,
    )
    return replace(data, task="rare", labels=("honest", "fraud"))


def generate(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """n payments: x (n, 10) measurements in the order of `COLUMNS`, and fraud (n,) in {0, 1}."""
    cards = max(n // PAYMENTS_A_CARD, 1)
    card = rng.integers(0, cards, n)
    usual = rng.lognormal(3.2, 0.6, cards)[card]
    nightly = rng.beta(1.5, 8.0, cards)[card]
    hour = np.where(rng.random(n) < nightly, rng.uniform(0.0, 24.0, n), rng.normal(14.0, 4.0, n))
    p = {
        "amount": usual * rng.lognormal(0.0, 0.7, n),
        "hour": hour,
        "distance": rng.lognormal(1.5, 1.2, n),
        "recent": rng.poisson(0.6, n).astype(float),
        "gap": rng.exponential(14.0, n),
        "age": rng.exponential(300.0, n),
        "risk": rng.beta(2.0, 8.0, n),
        "online": (rng.random(n) < 0.35).astype(float),
    }
    fraud = rng.random(n) < FRAUD_SHARE
    kind = rng.integers(0, 3, n)
    for number, commit in enumerate((_testing, _theft, _takeover)):
        commit(p, np.flatnonzero(fraud & (kind == number)), rng)
    angle = p["hour"] * (np.pi / 12.0)
    columns = (
        np.log(p["amount"]),
        np.log(p["amount"] / usual),
        np.sin(angle),
        np.cos(angle),
        np.log(p["distance"]),
        p["recent"],
        np.log1p(p["gap"]),
        np.log1p(p["age"]),
        p["risk"],
        p["online"],
    )
    return np.stack(columns, axis=1), fraud.astype(float)


def _testing(p: dict[str, Array], rows: Array, rng: np.random.Generator) -> None:
    """Many tiny payments online, to see whether a stolen number works."""
    n = len(rows)
    p["amount"][rows] = rng.lognormal(0.3, 0.6, n)
    p["recent"][rows] += rng.poisson(3.0, n)
    p["gap"][rows] *= 0.1
    p["online"][rows] = rng.random(n) < 0.9


def _theft(p: dict[str, Array], rows: Array, rng: np.random.Generator) -> None:
    """Large payments far from home, with the stolen card in hand."""
    n = len(rows)
    p["amount"][rows] *= rng.lognormal(1.0, 0.7, n)
    p["distance"][rows] *= rng.lognormal(1.8, 0.8, n)
    p["online"][rows] = rng.random(n) < 0.1


def _takeover(p: dict[str, Array], rows: Array, rng: np.random.Generator) -> None:
    """A young account used by night at risky shops."""
    n = len(rows)
    p["amount"][rows] *= rng.lognormal(0.5, 0.5, n)
    p["hour"][rows] = rng.normal(3.0, 2.5, n)
    p["age"][rows] *= 0.15
    p["risk"][rows] = rng.beta(3.5, 6.0, n)
    p["online"][rows] = rng.random(n) < 0.8
