"""`dcsim calibrate`: measure this machine, fit the operator model, print held-out error."""

from pathlib import Path

import typer


def command(
    quick: bool = typer.Option(False, "--quick", help="40 seconds in all, fewer networks."),
    runs: Path | None = typer.Option(
        None, "--runs", help="Fit to your own measured training runs (CSV) instead."
    ),
    nccl: Path | None = typer.Option(None, "--nccl", help="Your log of an NCCL test."),
    fio: Path | None = typer.Option(None, "--fio", help="Your fio result (JSON)."),
    dcgm: Path | None = typer.Option(None, "--dcgm", help="Your DCGM power readings (CSV)."),
    failures: Path | None = typer.Option(None, "--failures", help="Your failure log (CSV)."),
    vllm: Path | None = typer.Option(None, "--vllm", help="Your vLLM benchmark result (JSON)."),
    out: Path | None = typer.Option(
        None, "--out", help="Write the profile to this file, for `plan --profile`."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Time real NumPy operators, fit the operator model and test it on unseen networks.

    With --runs, nothing is timed: the training model moves from the published runs towards
    yours (columns as for `dcsim estimate training`, with iteration_s), and the errors before
    and after are those on runs that each fit had not seen. The profile that `plan` and `run`
    use by default stays as it is.

    With logs (--nccl, --fio, --dcgm, --failures, --vllm), nothing is timed either: what they
    say is added to the profile at --out, or to a copy of the default where there is none.
    """
    given = {"nccl": nccl, "fio": fio, "dcgm": dcgm, "failures": failures, "vllm": vllm}
    logs = {name: path for name, path in given.items() if path is not None}
    if logs:
        _own_logs(logs, runs, out, as_json)
        return
    if runs is not None:
        _own_runs(runs, out, as_json)
        return
    import json

    from dcsim.calibration.calibrate import calibrate_host
    from dcsim.calibration.profiles import reference_profile, save_profile
    from dcsim.calibration.summary import calibration_json, calibration_text
    from dcsim.cli.progress import reporter
    from dcsim.records.errors import Fault, InputError
    from dcsim.records.profile import Profile

    if out is not None and not out.resolve().parent.is_dir():
        raise InputError(Fault("the directory of --out does not exist; create it", str(out)))
    host = calibrate_host(quick, reporter())
    if out is not None:
        reference = reference_profile()
        sources = {**reference.sources, "host": "measured by dcsim calibrate, see host.machine"}
        save_profile(Profile(host, reference.training, sources), out)
        typer.echo(f"wrote {out}; use it with `dcsim plan SCENARIO --profile {out}`", err=True)
    if as_json:
        typer.echo(json.dumps(calibration_json(host), indent=1))
    else:
        typer.echo(calibration_text(host))


def _own_logs(logs: dict[str, Path], runs: Path | None, out: Path | None, as_json: bool) -> None:
    """Add what logs say to the profile at `out`, and print it."""
    import json

    from dcsim.calibration.imports import measurements_text, with_logs
    from dcsim.calibration.profiles import load_profile, reference_profile, save_profile
    from dcsim.records.errors import Fault, InputError

    if runs is not None:
        raise InputError(Fault("--runs starts a profile anew; give logs in a second call"))
    if out is None:
        raise InputError(Fault("logs are added to a profile; name its file with --out"))
    if not out.resolve().parent.is_dir():
        raise InputError(Fault("the directory of --out does not exist; create it", str(out)))
    profile = with_logs(load_profile(out) if out.exists() else reference_profile(), logs)
    save_profile(profile, out)
    typer.echo(f"wrote {out}; use it with `dcsim plan SCENARIO --profile {out}`", err=True)
    if as_json:
        typer.echo(json.dumps(profile.measured.to_json(), indent=1, allow_nan=False))
    else:
        typer.echo(measurements_text(profile.measured))


def _own_runs(runs: Path, out: Path | None, as_json: bool) -> None:
    """Fit the training model to the user's runs, print and write."""
    import json

    from dcsim.calibration.profiles import reference_profile, save_profile
    from dcsim.calibration.training_own import fit_own_runs, own_runs_json, own_runs_text
    from dcsim.cli.estimate import read_table
    from dcsim.records.errors import Fault, InputError
    from dcsim.records.profile import Profile

    if out is not None and not out.resolve().parent.is_dir():
        raise InputError(Fault("the directory of --out does not exist; create it", str(out)))
    reference = reference_profile()
    try:
        fit = fit_own_runs(read_table(runs), reference.training)
    except InputError as error:
        raise InputError(
            [Fault(f.message, f.file or str(runs), f.line) for f in error.faults]
        ) from error
    if out is not None:
        sources = {**reference.sources, "training": "published runs, moved towards own runs"}
        save_profile(Profile(reference.host, fit, sources), out)
        typer.echo(f"wrote {out}; use it with `dcsim plan SCENARIO --profile {out}`", err=True)
    if as_json:
        document = own_runs_json(fit, reference.training)
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        typer.echo(own_runs_text(fit, reference.training))
