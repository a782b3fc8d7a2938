"""The work behind `dcsim train --private`: the budgets asked for, and what each costs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dcsim.execution.privacy import Budget, compare, document, picture, spends, within
from dcsim.records import InputError, RealRun
from dcsim.training.checkpoint import write_atomically
from dcsim.training.jobs import Job
from dcsim.training.jobs import job as ready_job
from dcsim.training.loop import Progress

#: What is asked for where nobody says it: assumptions, all three.
EPSILON, DELTA, CLIP = 3.0, 1e-5, 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a private training as they were given."""

    noise: float | None
    clip: float | None
    epsilons: tuple[float, ...]
    delta: float | None

    def words(self) -> list[str]:
        """The options that ask for the same again."""
        words = ["--private"]
        if self.epsilons:
            words += ["--epsilons", ",".join(f"{value:g}" for value in self.epsilons)]
        for name in ("noise", "clip", "delta"):
            value = getattr(self, name)
            words += [f"--{name}", f"{value:g}"] if value is not None else []
        return words


def wanted(
    private: bool,
    noise: float | None,
    clip: float | None,
    epsilon: float | None,
    delta: float | None,
    epsilons: str | None,
) -> Wanted | None:
    """What the options ask for; None without `--private`. Raises InputError."""
    given = (noise, clip, epsilon, delta, epsilons)
    if not private:
        if any(value is not None for value in given):
            raise InputError("noise, clip, epsilon and delta are of --private; add it")
        return None
    asked = _numbers(epsilons) if epsilons is not None else ()
    asked += () if epsilon is None else (epsilon,)
    if noise is not None and asked:
        raise InputError("name the noise or an epsilon, not both: one follows from the other")
    if any(not 0.0 < value <= 1000.0 for value in asked):
        raise InputError("an epsilon lies above 0 and at most 1000; write --epsilon 3")
    if delta is not None and not 0.0 < delta < 1.0:
        raise InputError("a delta lies between 0 and 1; write --delta 1e-5")
    if clip is not None and not 0.0 < clip <= 1e9:
        raise InputError("a clipping norm lies above 0; write --clip 1")
    if noise is None and not asked:
        asked = (EPSILON,)
    return Wanted(noise, clip, tuple(sorted(asked, reverse=True)), delta)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f'"{text}" is no list of numbers; write --epsilons 1,3,8') from None


def budgets(plain: Job, asked: Wanted) -> list[Budget]:
    """The private jobs, the least private first; the last one is kept."""
    delta = DELTA if asked.delta is None else asked.delta
    base = _private(plain, asked.noise or 0.0, CLIP if asked.clip is None else asked.clip)
    if asked.epsilons:
        return [within(base, target, delta) for target in asked.epsilons]
    return [spends(base, delta)]


def _private(plain: Job, noise: float, clip: float) -> Job:
    """The job with privacy, its values checked as a user's."""
    checked = ready_job(plain.name, clip=clip, noise=noise, workers=plain.workers)
    return replace(plain, clip=checked.clip, noise=checked.noise)


def study(plain: Job, found: Sequence[Budget], last: RealRun, directory: Path) -> dict[str, Any]:
    """Train the others, write `privacy.json` and a picture; returns the document."""
    told: set[str] = set()

    def report(name: str, at: Progress) -> None:
        if name not in told:
            told.add(name)
            print(f" training  {plain.name}  {name}, {at.steps} steps", file=sys.stderr)

    rows = compare(plain, found, last, report)
    whole = document(rows)
    write_atomically(directory / "privacy.json", json.dumps(whole, indent=1).encode())
    if any(row.epsilon is not None for row in rows):
        write_atomically(directory / "privacy.svg", picture(rows))
    return whole


def table(found: dict[str, Any]) -> list[str]:
    """The comparison in at most 80 columns."""
    rows = found.get("privacy", [])
    if not rows:
        return []
    metric = rows[0]["metric"].replace("_", " ")
    head = f" {'privacy':<22}{'noise':>9}{'clip':>8}{metric:>19}{'a step':>10}{'slower':>9}"
    lines = ["", head]
    for row in rows:
        if row["delta"] is None:
            name, noise, clip = "none", "", ""
        else:
            spent = "no bound" if row["epsilon"] is None else f"epsilon {row['epsilon']:.3g}"
            name, noise, clip = spent, f"{row['noise']:.3f}", f"{row['clip']:g}"
        lines.append(
            f" {name:<22}{noise:>9}{clip:>8}{row['quality']:>19.4g}"
            f"{1e3 * row['step_s']:>7.3g} ms{row['slowdown']:>8.2f}x"
        )
    delta = next(row["delta"] for row in rows if row["delta"] is not None)
    return [
        *lines,
        "",
        f" At delta {delta:g}, for adding or removing one sample, each drawn into a step by",
        " itself. The noise comes from the seed: measure with it, but release nothing.",
    ]
