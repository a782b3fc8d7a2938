"""`dcsim goodput`: run time under failures and the best checkpoint interval."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dcsim.simulation.goodput import Goodput


def command(
    work: Annotated[str, typer.Option(help="Time that the run computes, for instance 500h.")],
    write: Annotated[str, typer.Option(help="Time to write one checkpoint; the run stands.")],
    restart: Annotated[str, typer.Option(help="Time from a failure until it computes again.")],
    mtbf: Annotated[str, typer.Option(help="Mean time between failures of the whole job.")],
    segments: Annotated[
        int | None, typer.Option(min=1, help="Equal parts, each followed by a checkpoint.")
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(help="Computing time between checkpoints; left out, the best one."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=2, help="Simulated runs; left out, as many as it takes.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Expected run time under failures, by simulation and in closed form."""
    from dcsim.records import InputError
    from dcsim.simulation.goodput import goodput

    if segments is not None and interval is not None:
        raise InputError("give --segments or --interval, not both")
    work_s = _seconds(work, "--work")
    interval_s = None
    if segments is not None:
        interval_s = work_s / segments
    elif interval is not None:
        interval_s = _seconds(interval, "--interval")
    result = goodput(
        work_s=work_s,
        interval_s=interval_s,
        write_s=_seconds(write, "--write"),
        restart_s=_seconds(restart, "--restart"),
        mtbf_s=_seconds(mtbf, "--mtbf"),
        seed=seed,
        runs=runs,
    )
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=1, allow_nan=False))
    else:
        typer.echo(_text(result))


def _seconds(text: str, option: str) -> float:
    from dcsim.records import Fault, InputError
    from dcsim.units import QuantityError, parse

    try:
        return parse(text, "time")
    except QuantityError as error:
        raise InputError(Fault(str(error), field=option)) from error


def _text(result: "Goodput") -> str:
    from dcsim.units import format_quantity

    def time(seconds: float) -> str:
        return format_quantity(seconds, "time")

    error = 100.0 * result.standard_error_s / result.simulated_s
    lines = (
        (
            "simulated",
            f"{time(result.simulated_s)}  ({time(result.low_s)} – {time(result.high_s)})",
        ),
        ("", f"mean and 90 % of {result.runs:,} runs, standard error {error:.2g} %"),
        ("closed form", time(result.closed_form_s)),
        ("ETTR", f"{result.ettr:.3f}"),
        ("failures", f"{result.expected_failures:.3g} expected"),
        ("interval", f"{time(result.interval_s)}, best {time(result.best_interval_s)}"),
        ("restart", f"a minute less would save {time(result.minute_less_restart_s)}"),
    )
    return "\n".join(f" {name:<12}  {text}".rstrip() for name, text in lines)
