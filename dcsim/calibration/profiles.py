"""Profiles on disk: reading, writing, and the reference that ships with the package."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from dcsim.records.errors import Fault, InputError
from dcsim.records.profile import Profile, TrainingFit, host_from_json
from dcsim.training.checkpoint import write_atomically

#: The two halves of the reference are regenerated independently: the host half by
#: `python -m dcsim.calibration.build_reference`, the training half by the cost package.
HOST_FILE = ("dcsim.calibration", "data/host-profile.json")
TRAINING_FILE = ("dcsim.cost", "data/training-fit.json")


def _text(place: tuple[str, str]) -> str | None:
    package, name = place
    resource = files(package).joinpath(name)
    return resource.read_text(encoding="utf-8") if resource.is_file() else None


@cache
def reference_profile() -> Profile:
    """The profile that ships with dcsim and that `plan` and `run` use by default.

    Host half: measured on one generic machine, named in `host.machine`. Training half:
    fitted to published training runs. InputError when the installation lacks the files.
    """
    host = _text(HOST_FILE)
    if host is None:
        raise InputError(
            f"the installation lacks {HOST_FILE[0]}/{HOST_FILE[1]}; install dcsim again"
        )
    training = json.loads(_text(TRAINING_FILE) or "{}")
    return Profile(
        host=host_from_json(json.loads(host)),
        training=TrainingFit(
            parameters=training.get("parameters", {}),
            spread=training.get("spread", {}),
            fit_report=training.get("fit_report", {}),
        ),
        sources={
            "host": "measured operator timings, see host.machine",
            "training": "fitted to published training runs, see training.fit_report",
        },
    )


def load_profile(path: str | Path) -> Profile:
    """Read a profile that `dcsim calibrate --out` wrote; InputError when it is none."""
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            Fault(f"cannot read the profile ({error.strerror}); give an existing file", str(path))
        ) from error
    except ValueError as error:
        raise InputError(
            Fault("not JSON; write a profile with `dcsim calibrate --out FILE`", str(path))
        ) from error
    try:
        return Profile.from_json(document)
    except InputError as error:
        raise InputError([Fault(f.message, str(path)) for f in error.faults]) from error


def save_profile(profile: Profile, path: str | Path) -> None:
    """Write `profile` as JSON: sorted keys, so that equal profiles are equal bytes."""
    write_atomically(Path(path), profile_text(profile.to_json()).encode())


def profile_text(document: object) -> str:
    """The one text form of profile documents."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
