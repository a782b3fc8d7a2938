"""The work behind `dcsim train`: choosing the job, showing progress, telling the result."""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from dcsim._version import __version__
from dcsim.cli._train_privacy import Wanted, budgets, study, table
from dcsim.execution.history import summary, write_history
from dcsim.execution.measure import measure_job
from dcsim.protection.keys import PASSPHRASE_VARIABLE, Secret
from dcsim.records import Fault, InputError, RealRun
from dcsim.training.checkpoint import write_atomically
from dcsim.training.jobs import CLASSIFIER, JOBS, Job
from dcsim.training.jobs import job as ready_job
from dcsim.training.loop import Progress
from dcsim.workers import Worker, WorkerDied

WIDTH = 80


def show_jobs(as_json: bool) -> None:
    """Print the ready jobs, one a line, or as JSON with all their parameters."""
    if as_json:
        print(json.dumps({job.name: {"about": job.about, **job.parameters()} for job in _jobs()}))
        return
    for job in _jobs():
        print(f" {job.name:<20}{job.about}" if len(job.about) < 60 else _folded(job))


def _jobs() -> list[Job]:
    return list(JOBS.values())


def _folded(job: Job) -> str:
    lines = textwrap.wrap(job.about, WIDTH - 21)
    return f" {job.name:<20}" + ("\n" + " " * 21).join(lines)


def chosen_job(name: str | None, data: Path | None) -> str:
    """The job asked for; with a table and no name, the classifier."""
    if name is None and data is None:
        raise InputError(f"name a job to train: {', '.join(JOBS)}")
    return name or CLASSIFIER


def parameters(assignments: list[str], **options: Any) -> dict[str, Any]:
    """The job's parameters from `--set NAME=VALUE` and the options that were given."""
    values: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f'--set "{text}" has no "="; write --set NAME=VALUE')
        values[name.strip().replace("-", "_")] = _scalar(value.strip())
    values |= {name: value for name, value in options.items() if value is not None}
    if "data" in values:
        values["table"] = str(values.pop("data").absolute())
    return values


def _scalar(text: str) -> float | int | str:
    """A whole number, a number, or else the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of the command ask for, besides the job's parameters.

    `secret` encrypts the checkpoints; `key` is the file that it came from, None for a
    passphrase.
    """

    out: Path | None
    resume: bool
    cheaper: bool
    as_json: bool
    secret: Secret | None
    key: Path | None
    private: Wanted | None = None


def secret(encrypt: bool, key: Path | None) -> Secret | None:
    """What checkpoints are encrypted with: a key file, else a passphrase, which is asked for.

    None unless encryption was asked for. Raises InputError without a key or passphrase.
    """
    if key is not None:
        return Secret.from_file(key)
    if not encrypt:
        return None
    text = os.environ.get(PASSPHRASE_VARIABLE, "")
    if not text and sys.stdin.isatty():
        import getpass

        text = getpass.getpass("passphrase of the checkpoints: ")
    return Secret.from_passphrase(text)


def run(name: str, settings: dict[str, Any], asked: Asked) -> None:
    """Train, write the history and print the result, with the study of what is cheaper."""
    plain = ready_job(name, **settings)
    private = budgets(plain, asked.private) if asked.private else []
    job = private[-1].job if private else plain
    directory = asked.out or Path("reports") / f"train-{name}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Fault(f"cannot be made: {error.strerror}", str(directory))) from None
    checkpoint = directory / "checkpoint.npz"
    result = _measured(job, checkpoint, asked)
    for note in result.notes:
        print(note, file=sys.stderr)
    write_history(result, directory)
    if result.stopped == "diverged":
        raise InputError(
            f"training diverged at step {len(result.losses)}: the loss is not finite; "
            f"try a lower rate than {job.rate:g}"
        )
    found = _studied(job, checkpoint, asked.secret) if asked.cheaper else {}
    if found:
        write_atomically(directory / "cheaper.json", json.dumps(found, indent=1).encode())
    spent = study(plain, private, result, directory) if private else {}
    exchange = _exchange(job, result)
    if asked.as_json:
        document = summary(result) | exchange | found | spent | {"directory": str(directory)}
        print(json.dumps(document))
    else:
        again = _again(result, settings, asked)
        told = _told(result, job, directory, again, exchange.get("exchange"))
        print("\n".join(told + _cheaper(found) + table(spent)))


def _measured(job: Job, checkpoint: Path, asked: Asked) -> RealRun:
    """The run of the job; a want of memory is the user's fault, a death of the worker nobody's."""
    try:
        with _reporter(job.name) as report:
            return measure_job(
                job,
                checkpoint=checkpoint,
                resume=asked.resume,
                interpreted=True,
                secret=asked.secret,
                on_progress=report.progress,
            )
    except MemoryError:
        raise InputError(
            f"{job.name} with these parameters needs more memory than is free"
        ) from None
    except WorkerDied as error:
        kept = "; go on with --resume" if checkpoint.is_file() else ""
        print(f"{error}{kept}", file=sys.stderr)
        raise SystemExit(1) from None


def _exchange(job: Job, run: RealRun) -> dict[str, Any]:
    """What several workers spent on each other beside its prediction, under one key."""
    if job.workers == 1:
        return {}
    from dcsim.calibration.profiles import reference_profile
    from dcsim.execution.exchange import report_exchange

    report = report_exchange(job, run, reference_profile())
    shares = {
        "measured_share": report.measured_share,
        "predicted_share": report.predicted_share,
    }
    return {"exchange": asdict(report) | shares}


def _studied(job: Job, checkpoint: Path, secret: Secret | None) -> dict[str, Any]:
    """Cheaper variants of a trained job and step times by batch size, from a worker."""
    from dcsim.training import cheaper

    with Worker(preload=[cheaper.__name__]) as worker:
        variants, times = worker.call(cheaper.study, job, checkpoint, secret)
    return {
        "variants": [asdict(variant) for variant in variants],
        "batch_times": [asdict(time) for time in times],
    }


def _cheaper(found: dict[str, Any]) -> list[str]:
    """The study in two small tables."""
    if not found:
        return []
    metric, rows = found["variants"][0]["metric"], found["variants"][0]["rows"]
    label = _LABELS.get(metric, metric)
    lines = ["", f" {'':<20} {label:>17} {'weights':>12} {f'predict {rows} rows':>19}"]
    for row in found["variants"]:
        lines.append(
            f" {row['name']:<20} {row['quality']:>17.4g} "
            f"{row['weight_bytes'] / 1024:>8.1f} KiB {_time(row['predict_s']):>19}"
        )
    lines += ["", f" {'batch':<20} {'a step':>17} {'samples a second':>32}"]
    for row in found["batch_times"]:
        rate = row["batch"] / row["step_s"]
        lines.append(f" {row['batch']:<20} {_time(row['step_s']):>17} {rate:>32,.0f}")
    return lines


def _told(
    run: RealRun,
    job: Job,
    directory: Path,
    again: str,
    exchange: dict[str, Any] | None,
) -> list[str]:
    """The result in lines of at most 80 columns."""
    facts, total = summary(run), sum(run.step_s)
    step = facts["step_s"]
    return [
        f" {run.job:<58} {f'seed {job.seed}, dcsim {__version__}':>20}",
        f" {job.about}",
        "",
        f" {'Data':<15} {_wrapped(run.data_source, 17)}",
        f" {'':<15} {run.training_samples:,} samples for training, {run.batch_size} a batch",
        f" {'Network':<15} {run.parameter_count:,} parameters, {job.dtype}, {job.optimiser}",
        f" {'Training':<15} {facts['steps']:,} steps in {_epochs(facts['epochs'])}, "
        f"{'reached its target' if run.stopped == 'target' else 'to the limit set'}",
        f" {'':<15} {_time(step['median'])} a step (90 %: {_time(step['p5'])} to "
        f"{_time(step['p95'])}), {_time(total)} in all",
        *_exchange_lines(exchange),
        f" {'Loss':<15} {run.losses[0]:.4g} to {run.losses[-1]:.4g}, {run.loss_name}",
        "",
        *_figures(run),
        "",
        *_reasons(run),
        f" {'History':<15} {directory}",
        f" {'Again':<15} {again}",
    ]


def _figures(run: RealRun) -> list[str]:
    """Figures on validation and test data side by side, then those of no network."""
    lines = [f" {'':<20} {'validation':>12} {'test':>12}"]
    for key, value in run.metrics.items():
        part, _, figure = key.partition("_")
        if part == "validation":
            label = _LABELS.get(figure, figure.replace("_", " "))
            lines.append(f" {label:<20} {value:>12.4g} {run.metrics[f'test_{figure}']:>12.4g}")
        elif figure in _BASELINES:
            lines.append(f" {_BASELINES[figure]:<33} {value:>12.4g}")
    return lines


def _reasons(run: RealRun) -> list[str]:
    """What the predictions rest on, in one sentence and, where there are bars, the first."""
    found = run.interpretation
    if not found:
        return []
    lines = [f" {'Rests on':<15} {_wrapped(found['about'] + ', by ' + found['method'], 17)}"]
    if found["kind"] == "bars":
        first = zip(found["labels"][:4], found["values"], strict=False)
        text = "; ".join(f"{label} {value:.3g}" for label, value in first)
        lines.append(f" {'':<15} {_wrapped(text, 17)}")
    return [*lines, ""]


_OPTIONS = ("epochs", "seed", "workers", "parallel")


def _again(run: RealRun, settings: dict[str, Any], asked: Asked) -> str:
    """The command that repeats the run."""
    options = {"table": "--data", **{name: f"--{name}" for name in _OPTIONS}}
    words = ["dcsim", "train", run.job]
    for name, value in settings.items():
        words += [options[name], str(value)] if name in options else ["--set", f"{name}={value}"]
    if asked.private is not None:
        words += asked.private.words()
    if asked.secret is not None:
        words += ["--key", str(asked.key)] if asked.key else ["--encrypt"]
    return shlex.join(words)


_BASELINES = {
    "majority_accuracy": "accuracy of the commonest class",
    "unigram_loss": "loss from letter frequencies",
    "bigram_loss": "loss from the letter before",
    "logistic_accuracy": "accuracy of a logistic model",
    "logistic_average_precision": "precision of a logistic model",
    "naive_bayes_accuracy": "accuracy of naive Bayes",
    "popularity_hit_rate": "hit rate of popularity",
    "popularity_ndcg": "ndcg of popularity",
}
_LABELS = {
    "hit_rate": "hit rate of ten",
    "ndcg": "ndcg of ten",
    "average_precision": "average precision",
    "chance_calibration_error": "… by chance alone",
}


_EXCHANGES = {
    "data": "in the all-reduce of gradients",
    "tensor": "in all-reduces inside the layers",
    "pipeline": "in the pipeline's bubble and hand-overs",
}


def _exchange_lines(exchange: dict[str, Any] | None) -> list[str]:
    """What several workers spent on each other, beside what the cost model says."""
    if exchange is None:
        return []
    workers = f"{exchange['workers']} workers"
    return [
        f" {workers:<15} {exchange['measured_share']:.0%} of a step "
        f"{_EXCHANGES[exchange['parallel']]}, waiting included",
        f" {'':<15} predicted: {_time(exchange['predicted_step_s'])} a step, "
        f"{exchange['predicted_share']:.0%} of it so",
    ]


def _wrapped(text: str, indent: int) -> str:
    return ("\n" + " " * indent).join(textwrap.wrap(text, WIDTH - indent))


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' if count > 1 else ''}"


def _time(seconds: float) -> str:
    """Three significant digits in the unit that suits."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


class Reporter(Protocol):
    """Shows how a training run goes, on standard error."""

    def __enter__(self) -> Reporter:
        """Begin to show."""

    def __exit__(self, *problem: object) -> None:
        """Stop showing."""

    def progress(self, now: Progress) -> None:
        """Show where the run stands."""


def _reporter(name: str) -> Reporter:
    """A live bar on a terminal, one line for each tenth of the run elsewhere."""
    return _Live(name) if sys.stderr.isatty() else _Plain(name)


def _standing(now: Progress) -> str:
    text = f"epoch {now.epoch + 1}/{now.epochs}   loss {now.loss:.4f}"
    if "accuracy" in now.figures:
        text += f"   validation accuracy {now.figures['accuracy']:.3f}"
    return text


class _Plain:
    """Lines."""

    def __init__(self, name: str) -> None:
        self._name, self._tenths = name, 0

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, *problem: object) -> None:
        pass

    def progress(self, now: Progress) -> None:
        """Print a line when another tenth of the steps is done."""
        tenths = 10 * now.step // now.steps
        if tenths > self._tenths:
            self._tenths = tenths
            print(f" training  {self._name}  {10 * tenths:3d} %  {_standing(now)}", file=sys.stderr)


class _Live:
    """A bar."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn(" training  {task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task(name, total=None)

    def __enter__(self) -> _Live:
        self._bar.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._bar.stop()

    def progress(self, now: Progress) -> None:
        """Move the bar."""
        self._bar.update(
            self._task, completed=now.step, total=now.steps, description=_standing(now)
        )
