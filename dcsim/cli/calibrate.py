"""`dcsim calibrate`: measure this machine, fit the operator model, print held-out error."""

from pathlib import Path

import typer


def command(
    quick: bool = typer.Option(False, "--quick", help="40 seconds in all, fewer networks."),
    out: Path | None = typer.Option(
        None, "--out", help="Write the profile to this file, for `plan --profile`."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Time real NumPy operators, fit the operator model and test it on unseen networks.

    The profile that `plan` and `run` use by default stays as it is.
    """
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
