"""Fit of the training-step model to measured runs: robust, with priors, deterministic.

    minimise  Σ ρ(log(predicted / measured) / σ_row) + Σ (log(θ / prior) / sd)²

over the parameters that the runs can move, with ρ the pseudo-Huber loss. Priors come from
data sheets and kernel benchmarks and pull every deviation (a software's pace, a chip's
clocks) towards the mean that it shares with its relatives: a hierarchical model at its
mode. Solved by Gauss–Newton with iterated weights, every step by dense linear algebra, so
that the same runs give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.parameters import Values, prior
from dcsim.cost.row_estimates import configuration_weights
from dcsim.cost.training import estimate_with, predict
from dcsim.records.profile import TrainingFit
from dcsim.workload.rows import read_rows
from dcsim.workload.table import TrainingTable

Floats = NDArray[np.float64]

#: Standard deviation of a measured row's logarithm by its quality.
ROW_SIGMA: Mapping[str, float] = {"A": 0.05, "B": 0.08, "C": 0.20}

#: Rows that one group counts for at most: repeats of one system are no new evidence.
MOST_ROWS_PER_GROUP = 40.0

#: Residuals in standard deviations at which the loss turns from square to linear.
ROBUST_AT = 1.5

_STEP = 1e-4
_LARGEST_MOVE = 1.5


@dataclass(frozen=True, slots=True)
class Runs:
    """Measured runs ready to fit: arrays of shape (rows,), configurations in `table`.

    `weight` shares a row's prediction among its configurations (shape of `owner`).
    """

    table: TrainingTable
    owner: NDArray[np.int64]
    weight: Floats
    measured_s: Floats
    sigma: Floats
    group: NDArray[np.str_]
    row_ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.measured_s)

    def take(self, rows: NDArray[np.bool_]) -> "Runs":
        """The runs where `rows` is true, with their configurations."""
        kept = rows[self.owner]
        index = np.cumsum(rows) - 1
        return replace(
            self,
            table=self.table.take(kept).compact(),
            owner=index[self.owner[kept]],
            weight=self.weight[kept],
            measured_s=self.measured_s[rows],
            sigma=self.sigma[rows],
            group=self.group[rows],
            row_ids=self.row_ids[rows],
        )

    def accelerators(self) -> NDArray[np.str_]:
        """Catalogue name of each run's accelerator (its first configuration's)."""
        return np.asarray(self.table.accelerator_names)[self._first(self.table.accelerator)]

    def precisions(self) -> NDArray[np.int64]:
        """Code of each run's precision."""
        return self._first(self.table.precision)

    def _first(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.zeros(len(self), dtype=np.int64)
        out[self.owner[::-1]] = np.broadcast_to(codes, (self.table.count,))[::-1]
        return out


def group_of(row: Mapping[str, str]) -> str:
    """The family that a run belongs to when groups are held out: one system or campaign.

    Releases of one code base measured in containers are groups of their own.
    """
    group = (row.get("source_group") or row.get("source") or "").split(":")[0]
    source = row.get("source") or ""
    if "[" in source and "Container" in source:
        return f"{group} {source.split('[')[1].split(' ')[0]}"
    return group


def runs_of(rows: Sequence[Mapping[str, str]]) -> Runs:
    """Rows with a measured `iteration_s` that a prediction can be made for."""
    measured = [row for row in rows if (row.get("iteration_s") or "").strip()]
    read = read_rows(measured)
    if read.table is None:
        raise ValueError("no row can be predicted")
    known = np.array([not reason for reason in read.reasons])
    first = estimate_with(read.table, TrainingFit())
    runs = Runs(
        table=read.table,
        owner=read.owner,
        weight=configuration_weights(read, first.fits, first.iteration_s),
        measured_s=np.array([float(row["iteration_s"]) for row in measured]),
        sigma=np.array([ROW_SIGMA.get(row.get("quality") or "A", 0.1) for row in measured]),
        group=np.array([group_of(row) for row in measured]),
        row_ids=np.array(read.row_ids),
    )
    return runs if known.all() else runs.take(known)


def log_predictions(runs: Runs, fitted: Mapping[str, float]) -> Floats:
    """log of the predicted seconds of each run: the weighted mean over configurations."""
    _, parts = predict(runs.table, Values(runs.table, fitted))
    total = np.broadcast_to(sum(parts[1:], start=parts[0]), (runs.table.count,))
    logs = np.bincount(runs.owner, np.log(total) * runs.weight, minlength=len(runs))
    return np.asarray(logs, dtype=float)


def used_parameters(table: TrainingTable) -> tuple[str, ...]:
    """The names of all parameters that predictions of `table` read, sorted."""
    values = Values(table, {})
    predict(table, values)
    return tuple(sorted(values.used))


def parameter_usage(runs: Runs, names: Sequence[str]) -> NDArray[np.bool_]:
    """Which runs read which parameters, from their software, chip and precision alone.

    Shape (runs, names). Curtis, Powell and Reid (1974): columns of a Jacobian that share
    no row can be differenced at once.
    """
    table, count = runs.table, runs.table.count
    codes = np.stack(
        [np.broadcast_to(c, (count,)) for c in (table.software, table.accelerator, table.precision)]
        + [np.broadcast_to(table.experts > 0, (count,)).astype(np.int64)]
    )
    _, first, kind = np.unique(codes, axis=1, return_index=True, return_inverse=True)
    index = {name: i for i, name in enumerate(names)}
    reads = np.zeros((len(first), len(names)), dtype=bool)
    for row, configuration in enumerate(first.tolist()):
        used = used_parameters(table.take(np.array([configuration])).compact())
        reads[row, [index[name] for name in used]] = True
    out = np.zeros((len(runs), len(names)), dtype=bool)
    np.logical_or.at(out, runs.owner, reads[np.ravel(kind)])
    return out


def _colours(usage: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Columns of `usage` in groups without a common row, greedily, in order."""
    taken: list[NDArray[np.bool_]] = []
    groups: list[list[int]] = []
    for column in range(usage.shape[1]):
        rows = usage[:, column]
        for busy, group in zip(taken, groups, strict=True):
            if not np.any(busy & rows):
                busy |= rows
                group.append(column)
                break
        else:
            taken.append(rows.copy())
            groups.append([column])
    return tuple(np.asarray(group) for group in groups)


def group_weights(group: NDArray[np.str_]) -> Floats:
    """Weight of each run, so that no group counts for more than forty."""
    _, index, counts = np.unique(group, return_inverse=True, return_counts=True)
    return np.minimum(1.0, MOST_ROWS_PER_GROUP / counts)[index]


@dataclass(frozen=True, slots=True)
class _Problem:
    """What Gauss–Newton needs: x is the log-deviation from the priors in their sd."""

    runs: Runs
    names: tuple[str, ...]
    centre: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    weights: Floats
    usage: NDArray[np.bool_]
    colours: tuple[NDArray[np.int64], ...]

    def fitted(self, x: Floats) -> dict[str, float]:
        return dict(zip(self.names, np.exp(self.centre + self.sd * x).tolist(), strict=True))

    def residuals(self, x: Floats) -> Floats:
        predicted = log_predictions(self.runs, self.fitted(x))
        return (predicted - np.log(self.runs.measured_s)) / self.runs.sigma

    def loss(self, x: Floats, residuals: Floats) -> float:
        scaled = residuals / ROBUST_AT
        rho = 2.0 * ROBUST_AT**2 * (np.sqrt(1.0 + scaled * scaled) - 1.0)
        return float(np.sum(self.weights * rho) + np.sum(x * x))

    def jacobian(self, x: Floats, at: Floats) -> Floats:
        """Forward differences; parameters that share no run are moved together."""
        columns = np.zeros((len(at), len(x)))
        for together in self.colours:
            moved = x.copy()
            moved[together] += _STEP
            change = (self.residuals(moved) - at) / _STEP
            columns[:, together] = change[:, None] * self.usage[:, together]
        return columns

    def step(self, x: Floats, residuals: Floats, jacobian: Floats, damping: float) -> Floats:
        """The next point: damped Gauss–Newton with the loss's weights, inside the bounds."""
        w = self.weights / np.sqrt(1.0 + (residuals / ROBUST_AT) ** 2)
        gradient = jacobian.T @ (w * residuals) + x
        hessian = (jacobian * w[:, None]).T @ jacobian + np.eye(len(x))
        damped = hessian + damping * np.diag(np.diag(hessian))
        move = np.clip(np.linalg.solve(damped, -gradient), -_LARGEST_MOVE, _LARGEST_MOVE)
        return np.clip(x + move, self.lower, self.upper)


def _problem(runs: Runs, prior_overrides: Mapping[str, float], confidence: float) -> _Problem:
    names = used_parameters(runs.table)
    priors = [prior(name) for name in names]
    usage = parameter_usage(runs, names)
    centre = np.log([prior_overrides.get(p.name, p.value) for p in priors])
    sd = np.array([p.sd for p in priors]) / confidence
    return _Problem(
        runs=runs,
        names=names,
        centre=centre,
        sd=sd,
        lower=(np.log([p.lower for p in priors]) - centre) / sd,
        upper=(np.log([p.upper for p in priors]) - centre) / sd,
        weights=group_weights(runs.group),
        usage=usage,
        colours=_colours(usage),
    )


def fit_parameters(
    runs: Runs,
    iterations: int = 15,
    tolerance: float = 1e-4,
    start: Mapping[str, float] | None = None,
    prior_overrides: Mapping[str, float] | None = None,
    confidence: float = 1.0,
) -> dict[str, float]:
    """The parameters at the mode, by name.

    `start` is where the search begins (the priors by default); `prior_overrides` moves
    the centre of priors (a user's own runs start from the shipped fit), `confidence`
    divides their standard deviations. Stops when a step lowers the loss by less than
    `tolerance` of it.
    """
    problem = _problem(runs, prior_overrides or {}, confidence)
    known = dict(start or {})
    x = np.array(
        [
            (np.log(known[name]) - centre) / sd if name in known else 0.0
            for name, centre, sd in zip(problem.names, problem.centre, problem.sd, strict=True)
        ]
    )
    residuals = problem.residuals(x)
    loss = problem.loss(x, residuals)
    damping = 1e-3
    for _ in range(iterations):
        jacobian = problem.jacobian(x, residuals)
        before = loss
        for _ in range(8):
            trial = problem.step(x, residuals, jacobian, damping)
            trial_residuals = problem.residuals(trial)
            trial_loss = problem.loss(trial, trial_residuals)
            if trial_loss < loss:
                x, residuals, loss = trial, trial_residuals, trial_loss
                damping = max(damping * 0.3, 1e-6)
                break
            damping *= 5.0
        if before - loss < tolerance * before:
            break
    return problem.fitted(x)
